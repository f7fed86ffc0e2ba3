"""The work sheets of a sample: a CSV for spreadsheets, and a page with pictures whose buttons make the same CSV.

The page opens without network and sends nothing; verdicts are kept in the browser until they are downloaded.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup
from pyspark.sql import DataFrame, Row, Window
from pyspark.sql import functions as F

from jobs import pinned, runs, showing
from jobs.auditing import verdicts
from jobs.pages import cards
from jobs.pages.cards import Answer, Open, Page, Picture, Segment
from jobs.pages.page import TEMPLATES, environment, script_hash, words
from schemas.attribute_definitions import ATTRIBUTE_DEFINITIONS
from schemas.audit_items import AUDIT_ITEMS
from schemas.audits import AUDITS
from schemas.enums import Source, Verdict
from schemas.image_texts import IMAGE_TEXTS
from schemas.predictions import PREDICTIONS
from schemas.product_pictures import PRODUCT_PICTURES
from schemas.products import PRODUCTS

COLUMNS = (
    *("item_id", "product_id", "product_type", "attribute", "question", "value", "where", "title", "bullets"),
    *("verdict", "right_value", "auditor", "audited_at"),
)
FILES = {False: "first", True: "second"}
"""Whose sheet: everybody's items, and the share that a second auditor judges."""
SIGNS = ("=", "+", "-", "@", "\t")
"""What a spreadsheet would take for a formula."""


class Item(NamedTuple):
    """One answer to judge."""

    item_id: str
    question: str
    page: Page
    line: cards.Line
    title: tuple[Segment, ...]
    bullets: tuple[tuple[Segment, ...], ...]
    pictures: tuple[Picture, ...]
    pack: str
    """The words that were read on the pictures, where none of these can be shown."""


def write(job: runs.Job, sample_id: str) -> None:
    """Write the sheets of a sample, with what is still to judge."""
    folder = Path(job.conf.audit.out) / sample_id
    folder.mkdir(parents=True, exist_ok=True)
    pictures = job.tables.read(PRODUCT_PICTURES)
    rows = to_judge(job, sample_id)
    mine = {row.product_id for row in rows}
    open_picture = showing.opener(pictures, job.conf.report.pictures, job.conf.read_images.limits, product_ids=mine)
    everything = list(items_of(job, rows, pictures, open_picture))
    for second, name in FILES.items():
        items = [item for row, item in zip(rows, everything, strict=True) if row.second or not second]
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(csv_rows(items))
        (folder / f"{name}.html").write_text(html(items, sample_id, name), encoding="utf-8")
        job.say(f"{folder / name}.csv and .html: {len(items)} answers to judge")


def to_judge(job: runs.Job, sample_id: str) -> list[Row]:
    """The items of a sample that nobody has judged, with evidence and question, gate by gate."""
    items = job.tables.read(AUDIT_ITEMS).where(F.col("sample_id") == sample_id)
    said = verdicts.verdicts(job.tables.read_or_empty(AUDITS))
    answered = job.tables.read(PREDICTIONS).select(*PREDICTIONS.key, F.col("value").alias("value_as_read"), "evidence")
    questions = job.tables.read(ATTRIBUTE_DEFINITIONS).select("product_type", "attribute", "question")
    return (
        items.join(said, on=list(verdicts.VALUE), how="left_anti")
        .join(answered, on=list(PREDICTIONS.key), how="inner")
        .join(questions, on=["product_type", "attribute"], how="left")
        .orderBy("product_type", "attribute", "support", "place")
        .collect()
    )


def items_of(job: runs.Job, rows: Sequence[Row], pictures: DataFrame, open_picture: Open) -> Iterator[Item]:
    """What the page shows of each; of a product that is gone since it was drawn, its last page."""
    newest = Window.partitionBy("product_id").orderBy(F.col("is_current").desc(), F.col("updated_at").desc())
    products = job.tables.read(PRODUCTS).withColumn("age", F.row_number().over(newest)).where("age = 1")
    product_ids = {row.product_id for row in rows}
    pages = showing.pages_of(products, pictures, product_ids)
    texts = job.tables.read_or_empty(IMAGE_TEXTS).where(F.col("ocr_schema") == pinned.in_use(job.conf).ocr)
    packs = showing.words_of(pictures, texts, product_ids)
    for row in rows:
        answer = answer_of(row)
        page = pages[row.product_id]
        card = cards.card(page, [answer], open_picture)
        yield Item(
            item_id=row.item_id,
            question=row.question or "",
            page=page,
            line=card.lines[0],
            title=card.title,
            bullets=marked(page, answer),
            pictures=card.pictures,
            pack="" if card.pictures else packs.get(row.product_id, ""),
        )


def marked(page: Page, answer: Answer) -> tuple[tuple[Segment, ...], ...]:
    """All bullets, the words of the answer marked: who judges must see the whole page."""
    hues = {answer.attribute: 0}
    return tuple(
        cards.marked(text, cards.marks([answer], hues, Source.BULLET, index)) for index, text in enumerate(page.bullets)
    )


def answer_of(row: Row) -> Answer:
    """An item as pages show answers."""
    return Answer(
        product_id=row.product_id,
        product_type=row.product_type,
        attribute=row.attribute,
        value=row.value,
        value_as_read=row.value_as_read,
        decision="",
        reason="",
        confidence=None,  # who judges should not be told how sure the model is
        threshold=None,
        gate_state=None,
        support=row.support,
        seller_value=None,
        evidence=tuple(showing.evidence(word) for word in row.evidence or ()),
    )


def csv_rows(items: Sequence[Item]) -> Iterator[Mapping[str, str]]:
    """Rows of the work sheet, safe to open in a spreadsheet."""
    for item in items:
        answer = item.line.answer
        row = {
            "item_id": item.item_id,
            "product_id": answer.product_id,
            "product_type": answer.product_type,
            "attribute": answer.attribute,
            "question": item.question,
            "value": answer.value or "",
            "where": item.line.where,
            "title": item.page.title or "",
            "bullets": " | ".join(item.page.bullets),
        }
        yield {name: safe(text) for name, text in row.items()}


def safe(text: str) -> str:
    """Text that no spreadsheet takes for a formula: a catalogue's text is nobody's command."""
    return f"'{text}" if text.startswith(SIGNS) else text


def html(items: Sequence[Item], sample_id: str, name: str) -> str:
    """The page; every text of the catalogue is escaped, and only our own script may run."""
    templates = environment()
    templates.filters["words"] = words
    script = (TEMPLATES / "audit.js").read_text(encoding="utf-8")
    style = "".join((TEMPLATES / file).read_text(encoding="utf-8") for file in ("report.css", "audit.css"))
    return templates.get_template("audit.html.j2").render(
        items=items,
        sample_id=sample_id,
        name=name,
        verdicts=[str(verdict) for verdict in Verdict],
        style=Markup(style),  # noqa: S704  # our own files
        script=Markup(script),  # noqa: S704  # our own file
        script_hash=script_hash(script),
    )
