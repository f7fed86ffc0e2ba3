"""What evaluate found, as one JSON beside the report: the report shows figures and errors without seeing the truth."""

from datetime import date
from pathlib import Path

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from extractor.errors import ContractError
from extractor.evaluation import Cell, Comparison, Figure, Slice
from extractor.metrics import Point

NAME = "evaluation.json"
STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, kw_only=True, config=STRICT)
class System:
    """What answered: a registered model, or what our gates made of its answers."""

    name: str
    model_version: str


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Scored:
    """A figure with the system and the split that it is of."""

    system: str
    split: str
    figure: Figure


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Curve:
    """Precision and recall of one slice as the threshold falls, and where the gates stand."""

    system: str
    of: Slice
    points: tuple[Point, ...]
    at_gates: Point | None
    """What the gates let through, each with its own threshold; None where they let nothing through."""
    num_with_gold: int


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Versus:
    """The model against another system on the same cells."""

    system: str
    comparison: Comparison


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Findings:
    """One evaluation."""

    run_id: str
    day: date
    split: str
    threshold_split: str
    num_cells: int
    num_products: int
    model: System
    """The preferred model: what the others are compared with."""
    may_publish: str
    """Versions of all models that may publish, as the run book names them."""
    systems: tuple[System, ...]
    """The model first, then `gated` and `published`, then the others."""
    figures: tuple[Scored, ...]
    curves: tuple[Curve, ...]
    versus: tuple[Versus, ...]
    errors: tuple[Cell, ...]
    """The surest wrong answers on the split."""

    def value(self, metric: str, system: str, of: Slice = Slice(), split: str | None = None) -> float | None:  # noqa: B008  # an immutable tuple
        """One figure; None where it is not defined."""
        wanted = (metric, system, self.split if split is None else split, of)
        found = (s.figure.value for s in self.figures if (s.figure.metric, s.system, s.split, s.figure.of) == wanted)
        return next(found, None)


ADAPTER = TypeAdapter(Findings)


def beside(report: str) -> Path:
    """Where the findings lie: in the folder of the report."""
    return Path(report).parent / NAME


def write(findings: Findings, path: Path) -> None:
    """Write whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_bytes(ADAPTER.dump_json(findings, indent=1))
    unfinished.replace(path)


def read(path: Path) -> Findings | None:
    """The newest findings; None where nothing was evaluated."""
    if not path.is_file():
        return None
    try:
        return ADAPTER.validate_json(path.read_bytes())
    except ValidationError as error:
        problem = error.errors()[0]
        raise ContractError(
            f"{path}, {problem['loc']}", problem["msg"], "what evaluate writes; run it again"
        ) from error
