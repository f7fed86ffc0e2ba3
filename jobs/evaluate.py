"""Hold answers and published values against the truth, which no other job reads: scores, and findings for the report.

    python -m jobs.evaluate --conf conf/local.yaml --day 2026-01-15

Systems are the models that may publish, every other registered name whose champion answered (shadows, baselines),
`gated` (the chosen answers with calibrated confidences) and `published` (what the gates let out). Raw answers are
judged by their words (MODELS 0.2), normalised ones also by the normaliser's equality. An evaluation is appended once.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, NamedTuple

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from extractor import evaluation, metrics
from extractor.errors import ContractError
from extractor.evaluation import Cell, Slice
from extractor.labels import Config as Labels
from extractor.labels import split_of
from extractor.normalise import Normaliser
from jobs import answers, choosing, runs
from jobs.columns import same_types, spark_schema
from jobs.config import Evaluate
from jobs.pages import findings
from jobs.pages.findings import Curve, Findings, Scored, System, Versus
from jobs.pinned import Pinned
from jobs.standing import PAIR, standing
from schemas.attribute_definitions import ATTRIBUTE_DEFINITIONS
from schemas.decisions import DECISIONS
from schemas.enums import Decision, Split
from schemas.examples import EXAMPLES
from schemas.gates import GATES
from schemas.predictions import PREDICTIONS
from schemas.products import PRODUCTS
from schemas.scores import SCORES
from schemas.truth import TRUTH

GATED = "gated"
PUBLISHED = "published"
STANDS = ("title", "bullets", "pack", "nowhere", "unknown")
NUM_ERRORS = 24
MOST_POINTS = 400
"""Points of a stored curve: more cannot be seen."""

Cells = Mapping[str, Sequence[Cell]]
"""Split to judged cells, in the order of the truth."""


class Fact(NamedTuple):
    """One row of the truth, with the split of its product."""

    product_id: str
    attribute: str
    product_type: str
    gold: tuple[str, ...]
    stands: str
    split: str


def main(argv: Sequence[str] | None = None) -> None:
    """The story of the job."""
    with runs.job("evaluate", argv, doc=__doc__) as job:
        if not job.conf.evaluate.truth:
            job.say("evaluate.truth is empty: there is no truth to measure against, nothing was measured")
            return
        truth = read_truth(job.spark, job.conf.evaluate.truth)
        models = choosing.models(choosing.candidates(job.conf))
        beside, problems = choosing.beside(job.tables, job.conf, models)
        for problem in problems:
            job.say(problem)
        evaluate(job, truth, models, beside)


def evaluate(job: runs.Job, truth: DataFrame, models: Sequence[Pinned], beside: Sequence[Pinned]) -> None:
    """Judge the answers of the models that may publish and of those beside them, write what was found."""
    job.model_version = choosing.versions(models)
    products = job.tables.read(PRODUCTS).where("is_current")
    facts = facts_of(with_families(truth, products, job.tables.read_or_empty(EXAMPLES)), job.conf.label)
    asked = choosing.asked(job.tables, [*models, *beside])
    judged = {}
    for each in (*models, *beside):
        answered = answers.current(job.tables.read(PREDICTIONS), asked[each.version].pairs, each)
        judged[System(name=each.name, model_version=each.version)] = raw_cells(facts, _of(answered, truth))
        if each == models[0]:
            judged |= released_cells(job, facts, truth, models, choosing.inputs(asked, models))
    found = find(judged, job.conf.evaluate, run_id=job.id, day=job.day, may_publish=job.model_version)
    job.counts |= {
        "truth": truth.count(),
        "of_products": len(facts),
        "measured": found.num_cells,
        "figures": len(found.figures),
    }
    findings.write(found, findings.beside(job.conf.report.out))
    job.tables.append(job.tables.rows(score_rows(found), SCORES), SCORES, txn=f"evaluate:{fingerprint(found)}")
    for system in found.systems:
        job.say(summary(found, system))


def read_truth(spark: SparkSession, folder: str) -> DataFrame:
    """The truth, checked against its contract; it is no table of the warehouse."""
    path = f"{folder.rstrip('/')}/truth.parquet"
    try:
        frame = spark.read.parquet(path)
    except AnalysisException as error:
        raise ContractError(f"truth at {path}", "no readable Parquet", "a file of schemas/truth.py") from error
    missing = [name for name in TRUTH.columns if name not in frame.columns]
    expected = spark_schema(TRUTH.schema)
    if missing or not same_types(frame.select(TRUTH.columns).schema, expected):
        raise ContractError(f"truth at {path}", frame.schema.simpleString(), expected.simpleString())
    known_split = F.col("split").isNull() | F.col("split").isin([str(split) for split in Split])
    fits = F.col("stands").isin(*STANDS) & ((F.size("values") > 0) == (F.col("stands") != "unknown")) & known_split
    odd = frame.where(F.coalesce(~fits, F.lit(True))).first()
    if odd is not None:
        raise ContractError(f"truth at {path}", odd.asDict(), "stands, values and split as in schemas/truth.py")
    twice = frame.groupBy(*PAIR).count().where("count > 1").first()
    if twice is not None:
        raise ContractError(f"truth at {path}", f"{twice.asDict()}", "one row a product and attribute")
    return frame.select(TRUTH.columns)


def with_families(truth: DataFrame, products: DataFrame, examples: DataFrame) -> DataFrame:
    """The truth of products that the catalogue has, with family and the split of the family's newest labels."""
    newest = examples.agg(F.max_by("examples_id", "run_id").alias("examples_id"))
    labelled = (
        examples.join(newest, on="examples_id", how="left_semi")
        .groupBy("family_id")
        .agg(F.first("split").alias("labelled_split"))
    )
    families = products.select("product_id", "family_id").join(labelled, on="family_id", how="left")
    return truth.join(families, on="product_id", how="inner")


def facts_of(truth: DataFrame, labels: Labels) -> list[Fact]:
    """The truth on the driver: what people judged, or a benchmark, is small."""
    return [
        Fact(
            row.product_id,
            row.attribute,
            row.product_type,
            tuple(row["values"]),
            row.stands,
            row.split or row.labelled_split or str(split_of(row.family_id, labels)),
        )
        for row in truth.orderBy(*PAIR).collect()
    ]


def _of(rows: DataFrame, truth: DataFrame) -> list[Row]:
    """The rows of the pairs that the truth speaks of, on the driver."""
    return rows.join(F.broadcast(truth.select(*PAIR)), on=list(PAIR), how="left_semi").collect()


def raw_cells(facts: Sequence[Fact], answers: Sequence[Row]) -> Cells:
    """Raw answers judged by their words; a pair without an answer was answered with nothing."""
    by_pair = {(row.product_id, row.attribute): row for row in answers}
    cells: defaultdict[str, list[Cell]] = defaultdict(list)
    for fact in facts:
        row = by_pair.get((fact.product_id, fact.attribute))
        said, score = (None, None) if row is None else (row.value, row.score)
        cells[fact.split].append(_cell(fact, said, score, metrics.same_keys))
    return cells


def released_cells(
    job: runs.Job, facts: Sequence[Fact], truth: DataFrame, models: Sequence[Pinned], inputs: DataFrame
) -> dict[System, Cells]:
    """What calibration, choice and gates made of the models' answers; empty where nothing was decided yet."""
    decided = _of(standing(job.tables.read_or_empty(DECISIONS), inputs), truth)
    if not decided:
        return {}
    gates = choosing.in_force(job.tables.read_or_empty(GATES), models).select("gate_id", "threshold").collect()
    known = answers.records(job.tables.read(ATTRIBUTE_DEFINITIONS))
    cells = decided_cells(
        facts,
        {(row.product_id, row.attribute): row for row in decided},
        {row.gate_id: row.threshold for row in gates},
        {(definition.product_type, definition.attribute): Normaliser(definition) for definition in known},
    )
    versions = choosing.versions(models)
    return {
        System(name=GATED, model_version=versions): cells,
        System(name=PUBLISHED, model_version=versions): {
            split: [published(cell) for cell in members] for split, members in cells.items()
        },
    }


def decided_cells(
    facts: Sequence[Fact],
    decisions: Mapping[tuple[str, str], Row],
    thresholds: Mapping[str, float | None],
    normalisers: Mapping[tuple[str, str], Normaliser],
) -> Cells:
    """Normalised answers with calibrated confidence, judged by their words or by the normaliser's equality."""
    cells: defaultdict[str, list[Cell]] = defaultdict(list)
    for fact in facts:
        row = decisions.get((fact.product_id, fact.attribute))
        if row is None:
            cells[fact.split].append(_cell(fact, None, None, metrics.same_keys))
            continue
        same = _same(normalisers[fact.product_type, fact.attribute])
        cells[fact.split].append(
            replace(
                _cell(fact, row.value, row.confidence, same),
                decision=row.decision,
                gate_id=row.gate_id or "",
                threshold=thresholds.get(row.gate_id),
            )
        )
    return cells


def _same(normaliser: Normaliser) -> metrics.Same:
    return lambda said, gold: metrics.same_keys(said, gold) or normaliser.same(said, gold)


def published(cell: Cell) -> Cell:
    """The cell as the catalogue shows it: silent unless its value was published."""
    if cell.said is None or cell.decision == Decision.PUBLISHED:
        return cell
    return replace(cell, said=None, outcome=metrics.outcome(cell.gold, None))


def _cell(fact: Fact, said: str | None, score: float | None, same: metrics.Same) -> Cell:
    return Cell(
        product_id=fact.product_id,
        product_type=fact.product_type,
        attribute=fact.attribute,
        stands=fact.stands,
        gold=fact.gold,
        said=said,
        score=score,
        outcome=metrics.outcome(fact.gold, said, same),
    )


def find(judged: Mapping[System, Cells], conf: Evaluate, *, run_id: str, day: date, may_publish: str) -> Findings:
    """Everything that the report and the scores say; the first system is the model, the others stand beside it."""
    systems = list(judged)
    model = judged[systems[0]].get(conf.split, [])
    if not model:
        raise ContractError(f"truth, split {conf.split}", "no cell", "some; see evaluate.split and the label shares")
    by_name = {system.name: judged[system].get(conf.split, []) for system in systems}
    return Findings(
        run_id=run_id,
        day=day,
        split=conf.split,
        threshold_split=conf.threshold_split,
        num_cells=len(model),
        num_products=len({cell.product_id for cell in model}),
        model=systems[0],
        may_publish=may_publish,
        systems=tuple(systems),
        figures=tuple(all_figures(judged, conf.split, conf.threshold_split)),
        curves=tuple(curves(by_name)),
        versus=tuple(
            Versus(system=system.name, comparison=evaluation.compare(model, by_name[system.name]))
            for system in systems[1:]
            if system.name not in (GATED, PUBLISHED)
        ),
        errors=tuple(evaluation.worst(by_name.get(GATED, model), NUM_ERRORS)),
    )


def all_figures(judged: Mapping[System, Cells], split: str, threshold_split: str) -> Iterator[Scored]:
    """Every system on the measured split; what was published also on the others, whose labels training saw."""
    for system, cells in judged.items():
        for figure in evaluation.figures(cells.get(split, []), cells.get(threshold_split, [])):
            yield Scored(system=system.name, split=split, figure=figure)
        for other in sorted(set(cells) - {split}) if system.name == PUBLISHED else ():
            for figure in evaluation.shares(Slice(), evaluation.counted(cells[other])):
                yield Scored(system=system.name, split=other, figure=figure)


def curves(by_name: Mapping[str, Sequence[Cell]]) -> Iterator[Curve]:
    """All systems over everything; the gated answers (before there are gates, the model's) also a group."""
    for name, cells in by_name.items():
        if name != PUBLISHED:
            yield _curve(name, Slice(), cells)
    grouped = GATED if GATED in by_name else next(iter(by_name))
    for of, cells in evaluation.grouped(by_name[grouped], evaluation.FINER_CUTS[0]).items():
        yield _curve(grouped, of, cells)


def _curve(name: str, of: Slice, cells: Sequence[Cell]) -> Curve:
    points = evaluation.curve(cells)
    step = max(1, -(-len(points) // MOST_POINTS))
    return Curve(
        system=name,
        of=of,
        points=tuple(points[::-step][::-1]),  # the last point, everything answered, is always kept
        at_gates=evaluation.at_gates(cells),
        num_with_gold=evaluation.counted(cells).num_with_gold,
    )


def score_rows(found: Findings) -> list[dict[str, Any]]:  # rows of schemas/scores.py
    """The findings as rows of SCORES."""
    versions = {system.name: system.model_version for system in found.systems}
    versus = [
        Scored(system=found.model.name, split=found.split, figure=figure)
        for other in found.versus
        for figure in _versus(other, found)
    ]
    return [
        {
            "run_id": found.run_id,
            "job": "evaluate",
            "metric": scored.figure.metric,
            "system": scored.system,
            "split": scored.split,
            **scored.figure.of._asdict(),
            "value": scored.figure.value,
            "n": scored.figure.n,
            "model_version": versions[scored.system],
            "day": found.day,
        }
        for scored in (*found.figures, *versus)
    ]


def _versus(other: Versus, found: Findings) -> Iterator[evaluation.Figure]:
    vs = f"vs={other.system}"
    lead = other.comparison.f1
    for metric, value in (("f1_lead", lead.difference), ("f1_lead_low", lead.low), ("f1_lead_high", lead.high)):
        yield evaluation.Figure(metric, Slice(slice=vs), value, found.num_cells)
    for side in other.comparison.sides:
        of = side.of._replace(slice=", ".join(part for part in (vs, side.of.slice) if part))
        right = side.right
        for metric, num in (
            ("agree", side.agree),
            ("both_right", side.both_right),
            ("only_this_right", right.only_a),
            ("only_other_right", right.only_b),
            ("both_wrong", side.both_wrong),
        ):
            yield evaluation.Figure(metric, of, num / side.num, side.num)
        yield evaluation.Figure("mcnemar_p", of, right.p, right.only_a + right.only_b)


def fingerprint(found: Findings) -> str:
    """What was found on which day, whichever run found it: the same evaluation is appended once."""
    rows = [{**row, "run_id": ""} for row in score_rows(found)]
    return hashlib.sha256(json.dumps(rows, sort_keys=True, default=str).encode()).hexdigest()


def summary(found: Findings, system: System) -> str:
    """`facetmill (facetmill/3) on test: precision 91.2 %, recall 84.0 %, F1 87.4 %`."""
    named = {"precision": "precision", "recall": "recall", "f1": "F1"}
    figures = {said: found.value(metric, system.name) for metric, said in named.items()}
    shown = ", ".join(f"{said} {100 * value:.1f} %" for said, value in figures.items() if value is not None)
    return f"{system.name} ({system.model_version}) on {found.split}: {shown or 'nothing said'}"


if __name__ == "__main__":
    main()
