"""The report as one HTML file: style, script and pictures inside, nothing fetched when it opens."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from extractor.evaluation import Cell, Side, Slice
from jobs.auditing.outlook import Concordance
from jobs.pages import charts
from jobs.pages.cards import ORDER, Card, Line
from jobs.pages.findings import Curve, Findings
from jobs.pages.sides import SideBySide
from schemas.enums import Decision

TEMPLATES = Path(__file__).parent / "templates"
Rows = Sequence[Mapping[str, Any]]  # rows of several contracts, as Spark collects them
STANDS = {
    "title": "in the title",
    "bullets": "in a bullet point",
    "pack": "on the pack alone",
    "nowhere": "in no text: it must be inferred",
    "unknown": "the page does not show it",
}
"""Where truth says that a value stands, in words."""
DECISIONS = {
    Decision.PUBLISHED: "new values that passed their gate",
    Decision.CONFIRMED: "the seller already says so",
    Decision.REVIEW: "a person should look",
    Decision.ABSTAINED: "not sure enough, or nothing to say",
    Decision.QUARANTINED: "could not be read; the reason is kept",
}
"""What can become of a pair, in words."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of the pairs of one product type."""

    product_type: str
    counts: Mapping[str, int]

    @property
    def total(self) -> int:
        """Pairs."""
        return sum(self.counts.values())

    @property
    def parts(self) -> list[charts.Part]:
        """The pieces of its bar."""
        return charts.stacked({str(name): self.counts.get(name, 0) for name in ORDER})


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """A sure and wrong answer with the truth beside it."""

    line: Line
    cell: Cell
    title: str


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything that the page shows."""

    day: date
    run_id: str
    num_products: int
    model: str
    """Name and version of the models whose answers are shown; empty before any."""
    outcomes: Sequence[Outcome]
    """A product type each."""
    num_holes: int
    """Pairs for which the seller states nothing."""
    num_filled: int
    """Of these, published."""
    targets: Sequence[float]
    """The precision promises of the definitions, ascending, each once."""
    cards: Sequence[Card]
    gates: Rows
    """The gates in force, from `outlook.gates`."""
    agreement: Concordance
    review: Sequence[Line]
    quarantine: Rows
    num_quarantined: int
    runs: Rows
    sizes: Rows
    """Tables with their files and bytes, the largest first."""
    findings: Findings | None
    """Of the model whose answers are shown."""
    measured_model: str
    """Another version, where the last evaluation is of that one; else empty."""
    mistakes: Sequence[Mistake]
    sides: Sequence[SideBySide]
    """The preferred model beside each other one that answered."""

    @property
    def all(self) -> Outcome:
        """All pairs."""
        names = {str(name): sum(outcome.counts.get(name, 0) for outcome in self.outcomes) for name in ORDER}
        return Outcome(product_type="", counts=names)

    @property
    def product_types(self) -> list[str]:
        """What the page can be filtered by."""
        return sorted({outcome.product_type for outcome in self.outcomes})

    @property
    def attributes(self) -> list[str]:
        """What the page can be filtered by."""
        return sorted({line.answer.attribute for card in self.cards for line in card.lines})

    @property
    def systems(self) -> list[str]:
        """The model and what it was compared with."""
        found = self.findings
        return [] if found is None else [found.model.name, *(versus.system for versus in found.versus)]

    @property
    def to_open(self) -> Rows:
        """Gates that hold answers back which audits could let out, the most answers an audit first."""
        able = [gate for gate in self.gates if gate["waiting"] and gate["audits"]]
        return sorted(able, key=lambda gate: -gate["waiting"] / gate["audits"])

    @property
    def gates_by_state(self) -> dict[str, int]:
        """Gate state to how many gates are in it."""
        states = [gate["state"] for gate in self.gates]
        return {state: states.count(state) for state in ("certified", "provisional", "closed")}

    def judged(self, other: str) -> Sequence[Side]:
        """The preferred model and another against the truth, by slice; empty where there is none."""
        versus = () if self.findings is None else self.findings.versus
        return next((one.comparison.sides for one in versus if one.system == other), ())

    def curves_of(self, product_type: str) -> list[Curve]:
        """The curves of a product type's attributes; of all systems over everything for the empty one."""
        curves = () if self.findings is None else self.findings.curves
        return [curve for curve in curves if curve.of.product_type == product_type and curve.num_with_gold]

    def figure(self, metric: str, system: str, slice_: str = "", split: str | None = None) -> float | None:
        """One figure of the evaluation; None where it is not defined or nothing was evaluated."""
        return None if self.findings is None else self.findings.value(metric, system, Slice(slice=slice_), split)

    def num(self, metric: str, system: str, slice_: str = "") -> int:
        """The cells behind a figure."""
        found = self.findings
        scored = () if found is None else found.figures
        wanted = (metric, system, Slice(slice=slice_))
        return next(
            (s.figure.n for s in scored if (s.figure.metric, s.system, s.figure.of) == wanted and found
             and s.split == found.split), 0
        )  # fmt: skip


def environment() -> jinja2.Environment:
    """Templates of our pages: every text of the catalogue is escaped, a name that is not there is an error."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def script_hash(script: str) -> str:
    """What a page's Content-Security-Policy names, so that our own script alone may run."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def render(report: Report) -> str:
    """The page; every text of the catalogue is escaped, and only our own script may run."""
    templates = environment()
    templates.filters |= {
        "percent": percent,
        "chance": chance,
        "thousands": "{:,}".format,
        "words": words,
        "took": took,
    }
    script = (TEMPLATES / "report.js").read_text(encoding="utf-8")
    return templates.get_template("report.html.j2").render(
        report=report,
        decisions=DECISIONS,
        stands=STANDS,
        large=charts.LARGE,
        small=charts.SMALL,
        style=Markup((TEMPLATES / "report.css").read_text(encoding="utf-8")),  # noqa: S704  # our own file
        script=Markup(script),  # noqa: S704  # our own file
        script_hash=script_hash(script),
    )


def percent(value: float | None, digits: int = 1) -> str:
    """`94.6 %`; a dash where there is no figure."""
    return "\N{EN DASH}" if value is None else f"{100 * value:.{digits}f}\N{NO-BREAK SPACE}%"


def chance(p: float) -> str:
    """`= 0.0312`; what is smaller than shown digits says so."""
    return "< 0.0001" if p < 0.0001 else f"= {p:.4f}"


def words(name: str) -> str:
    """A name of ours as a person would write it."""
    return name.replace("_", " ")


def took(seconds: float) -> str:
    """`42 s`, `3 min 20 s`."""
    whole = round(seconds)
    return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60} s"
