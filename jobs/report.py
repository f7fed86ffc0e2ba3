"""Show a merchandiser what was read, from where, how sure, and what became of it: one HTML file, no network.

    python -m jobs.report --conf conf/local.yaml --day 2026-01-15

What only the truth can tell comes from the findings that evaluate left beside the report; without them, or where they
are of another model version, the page says so. A picture that cannot be opened is left out, its answers stay.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, Row, Window
from pyspark.sql import functions as F

from extractor.errors import ModelError
from extractor.evaluation import Cell
from jobs import answers, choosing, differences, runs, showing
from jobs.answers import Asked
from jobs.auditing import outlook
from jobs.config import Certify
from jobs.pages import findings, page
from jobs.pages.cards import ORDER, Answer, Open, Page, card, line
from jobs.pages.findings import Findings
from jobs.pages.page import Mistake, Outcome, Report
from jobs.pages.sides import Difference, SideBySide
from jobs.pinned import Pinned
from jobs.standing import PAIR, standing
from jobs.tables import Tables
from jobs.workers import reading
from schemas.attribute_definitions import ATTRIBUTE_DEFINITIONS
from schemas.audit_samples import AUDIT_SAMPLES
from schemas.audits import AUDITS
from schemas.catalogue import WAREHOUSE
from schemas.decisions import DECISIONS
from schemas.enums import Decision, Status
from schemas.gates import GATES
from schemas.predictions import PREDICTIONS
from schemas.product_pictures import PRODUCT_PICTURES
from schemas.products import PRODUCTS
from schemas.quarantine import QUARANTINE
from schemas.runs import RUNS

NUM_REVIEW = 18
NUM_MISTAKES = 12
NUM_DIFFERENCES = 12
NUM_QUARANTINED = 40
NUM_RUNS = 40


def main(argv: Sequence[str] | None = None) -> None:
    """The story of the job."""
    with runs.job("report", argv, doc=__doc__) as job:
        models = models_of(job)
        beside, problems = choosing.beside(job.tables, job.conf, models) if models else ([], [])
        for problem in problems:
            job.say(problem)
        report(job, models, beside)


def models_of(job: runs.Job) -> list[Pinned]:
    """The models that may publish; none before they were trained."""
    try:
        return choosing.models(choosing.candidates(job.conf))
    except ModelError as error:
        job.say(f"nothing was answered yet: {error}")
        return []


def report(job: runs.Job, models: Sequence[Pinned], beside: Sequence[Pinned]) -> None:
    """Write the page."""
    conf = job.conf.report
    job.model_version = choosing.versions(models) or None
    found = findings.read(findings.beside(conf.out))
    pictures = job.tables.read_or_empty(PRODUCT_PICTURES)
    open_picture = showing.opener(pictures, conf.pictures, job.conf.read_images.limits)
    shown = compose(
        job.tables,
        models,
        beside,
        found,
        open_picture,
        certify=job.conf.calibrate.certify,
        num_cards=conf.gallery,
        day=job.day,
        run_id=job.id,
    )
    write(page.render(shown), Path(conf.out))
    if shown.measured_model:
        job.say(f"no figures: the last evaluation is of {shown.measured_model}, which this report is not about")
    job.counts |= {"products_shown": len(shown.cards), "bytes": Path(conf.out).stat().st_size}
    job.say(f"the report is {conf.out}")


def compose(
    tables: Tables,
    models: Sequence[Pinned],
    beside: Sequence[Pinned],
    found: Findings | None,
    open_picture: Open,
    *,
    certify: Certify,
    num_cards: int,
    day: date,
    run_id: str,
) -> Report:
    """Everything that the page shows; of tables that are not there yet, nothing."""
    read = tables.read_or_empty
    products = tables.read(PRODUCTS).where("is_current")
    asked = choosing.asked(tables, [*models, *beside])
    decided = decided_now(tables, models, asked).cache()
    chosen = gallery(decided, read(PRODUCT_PICTURES), num_cards)
    mine = of_models(found, models)
    wrong = () if mine is None else mine.errors[:NUM_MISTAKES]
    others = [*models[1:], *beside]
    pages = showing.pages_of(products, read(PRODUCT_PICTURES), {*chosen, *(cell.product_id for cell in wrong)})
    shown = by_product(decided, [*pages])
    num_holes, num_filled = holes_of(decided)
    samples = choosing.of_models(read(AUDIT_SAMPLES), models)
    composed = Report(
        day=day,
        run_id=run_id,
        num_products=products.count(),
        model=choosing.versions(models),
        outcomes=outcomes_of(decided),
        num_holes=num_holes,
        num_filled=num_filled,
        targets=targets(read(ATTRIBUTE_DEFINITIONS)),
        cards=[card(pages[name], shown[name], open_picture) for name in chosen],
        gates=outlook.gates(choosing.in_force(read(GATES), models), decided, samples, certify) if models else [],
        agreement=outlook.agreement(read(AUDITS)),
        review=[line(answer, 0, open_picture) for answer in sample(decided, Decision.REVIEW, NUM_REVIEW)],
        quarantine=quarantined(read(QUARANTINE)),
        num_quarantined=read(QUARANTINE).count(),
        runs=run_book(read(RUNS)),
        sizes=sizes_of(tables),
        findings=mine,
        measured_model="" if found is None or found is mine else found.may_publish,
        mistakes=mistakes(wrong, pages, shown, open_picture),
        sides=[side_by_side(tables, models[0], other, asked, open_picture) for other in others],
    )
    decided.unpersist()
    return composed


def of_models(found: Findings | None, models: Sequence[Pinned]) -> Findings | None:
    """The findings if they are of these versions: a figure says nothing about another one."""
    is_mine = found is not None and bool(models) and found.may_publish == choosing.versions(models)
    return found if is_mine else None


def decided_now(tables: Tables, models: Sequence[Pinned], asked: Mapping[str, Asked]) -> DataFrame:
    """What stands for each pair of the catalogue, with what was read and the gate that decided."""
    decisions, gates = tables.read_or_empty(DECISIONS), tables.read_or_empty(GATES)
    predictions = choosing.of_models(tables.read_or_empty(PREDICTIONS), models)
    read = predictions.select(*PREDICTIONS.key, F.col("value").alias("value_as_read"), "evidence")
    gated = gates.select("gate_id", "threshold", F.col("state").alias("gate_state"))
    now = standing(decisions, choosing.inputs(asked, models)) if models else decisions.limit(0)
    return (
        now.join(read, on=list(PREDICTIONS.key), how="inner")
        .join(F.broadcast(gated), on="gate_id", how="left")
        .drop("run_id")
    )


def gallery(decided: DataFrame, pictures: DataFrame, num: int) -> list[str]:
    """Products for show: of each type as many, those first that show the most kinds of outcome and of evidence."""
    seen = pictures.where(F.col("status") == Status.OK).select("product_id").distinct().withColumn("pictured", F.lit(1))
    kinds = F.size(F.collect_set("decision")) + F.size(F.array_distinct(F.flatten(F.collect_set("evidence.source"))))
    spoken = F.count_if(F.col("decision").isin(Decision.PUBLISHED, Decision.CONFIRMED))
    order = (
        F.col("pictured").desc_nulls_last(),
        F.col("kinds").desc(),
        F.col("spoken").desc(),
        F.xxhash64("product_id"),
    )
    products = (
        decided.groupBy("product_id", "product_type")
        .agg(kinds.alias("kinds"), spoken.alias("spoken"))
        .join(seen, on="product_id", how="left")
        .withColumn("place", F.row_number().over(Window.partitionBy("product_type").orderBy(*order)))
    )
    rows = products.orderBy("place", "product_type").limit(num).collect()
    return [row.product_id for row in sorted(rows, key=lambda row: (row.product_type, row.place))]


def sample(decided: DataFrame, decision: Decision, num: int) -> list[Answer]:
    """Some answers of one decision, by hash: the same tables show the same sample."""
    rows = decided.where(F.col("decision") == decision).orderBy(F.xxhash64(*PAIR)).limit(num).collect()
    return [_answer(row) for row in rows]


def by_product(decided: DataFrame, product_ids: Sequence[str]) -> dict[str, list[Answer]]:
    """All answers of some products."""
    found: dict[str, list[Answer]] = {}
    for row in decided.where(F.col("product_id").isin(list(product_ids))).collect():
        found.setdefault(row.product_id, []).append(_answer(row))
    return found


def outcomes_of(decided: DataFrame) -> list[Outcome]:
    """What became of the pairs of each product type."""
    counts: dict[str, Counter[str]] = {}
    for row in decided.groupBy("product_type", "decision").agg(F.count("*").alias("pairs")).collect():
        counts.setdefault(row.product_type, Counter())[row.decision] += row.pairs
    return [
        Outcome(product_type=name, counts={known: counts[name][known] for known in ORDER}) for name in sorted(counts)
    ]


def holes_of(decided: DataFrame) -> tuple[int, int]:
    """Pairs for which the seller states nothing, and how many of them were filled."""
    holes = decided.where(F.col("seller_value").isNull())
    return holes.count(), holes.where(F.col("decision") == Decision.PUBLISHED).count()


def targets(definitions: DataFrame) -> list[float]:
    """The promises, ascending, each once."""
    rows = definitions.select("precision_target").distinct().orderBy("precision_target").collect()
    return [row.precision_target for row in rows]


def quarantined(quarantine: DataFrame) -> list[dict[str, Any]]:  # rows of schemas/quarantine.py
    """The newest rows that were refused."""
    return [
        row.asDict()
        for row in quarantine.orderBy(F.col("quarantined_at").desc(), "key").limit(NUM_QUARANTINED).collect()
    ]


def run_book(book: DataFrame) -> list[dict[str, Any]]:  # rows of schemas/runs.py
    """The newest runs, in the order in which they started."""
    columns = ("job", "day", "status", "reason", "counts", "model_calls", "seconds", "started_at", "model_version")
    rows = book.orderBy(F.col("started_at").desc()).limit(NUM_RUNS).select(*columns).collect()
    return [row.asDict() for row in reversed(rows)]


def mistakes(
    wrong: Sequence[Cell], pages: Mapping[str, Page], shown: Mapping[str, Sequence[Answer]], open_picture: Open
) -> list[Mistake]:
    """The errors of the findings, as far as their answers still stand."""
    found = []
    for cell in wrong:
        for answer in shown.get(cell.product_id, ()):
            if answer.attribute == cell.attribute:
                title = pages[cell.product_id].title or "(no title)"
                found.append(Mistake(line=line(answer, 0, open_picture), cell=cell, title=title))
    return found


def side_by_side(
    tables: Tables, one: Pinned, other: Pinned, asked: Mapping[str, Asked], open_picture: Open
) -> SideBySide:
    """Two models on the pages of today: how often they agree, and some answers that differ."""
    predictions, gates = tables.read_or_empty(PREDICTIONS), tables.read_or_empty(GATES)

    def answered(model: Pinned) -> DataFrame:
        current = answers.current(predictions, asked[model.version].pairs, model)
        return answers.with_gates(current, answers.in_force(gates, model))

    read = reading.reader(asked[one.version].known)
    pairs = differences.pairs(answered(one), answered(other), read).cache()
    by_attribute = differences.agreements(pairs)
    products = tables.read(PRODUCTS).where("is_current")
    found = [
        Difference(row.title or "(no title)", *(line(_said(row, side), 0, open_picture) for side in differences.SIDES))
        for row in differences.examples(pairs, predictions, products, NUM_DIFFERENCES)
    ]
    pairs.unpersist()
    return SideBySide(
        one=one.name,
        other=other.name,
        all=differences.total(by_attribute),
        by_attribute=by_attribute,
        differences=found,
    )


def write(html: str, path: Path) -> None:
    """Write whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(html, encoding="utf-8")
    unfinished.replace(path)


def sizes_of(tables: Tables) -> list[dict[str, Any]]:  # name, files and bytes of a table
    """How large each table is, the largest first."""
    found = [(table.name, tables.size(table)) for table in WAREHOUSE.values() if tables.exists(table)]
    rows = [{"table": name, "files": size.num_files, "bytes": size.num_bytes} for name, size in found]
    return sorted(rows, key=lambda row: -row["bytes"])


def _answer(row: Row) -> Answer:
    names = ("value", "value_as_read", "decision", "reason", "confidence", "threshold", "gate_state", "support")
    return Answer(
        product_id=row.product_id,
        product_type=row.product_type,
        attribute=row.attribute,
        seller_value=row.seller_value,
        evidence=tuple(showing.evidence(word) for word in row.evidence or ()),
        **{name: row[name] for name in names},
    )


def _said(row: Row, side: str) -> Answer:
    """One model's answer, whatever was decided about it."""
    said = row[side]
    return Answer(
        product_id=row.product_id,
        product_type=row.product_type,
        attribute=row.attribute,
        value=said.value,
        value_as_read=said.value,
        decision="",
        reason="",
        confidence=said.confidence,
        threshold=said.threshold,
        gate_state=said.gate_state,
        support=said.support,
        seller_value=None,
        evidence=tuple(showing.evidence(word) for word in row[f"{side}_evidence"] or ()),
    )


if __name__ == "__main__":
    main()
