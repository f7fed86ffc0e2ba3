"""The report: what it counts, what it marks, what it escapes, and that it opens without network."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from extractor.certificates import Promise
from extractor.evaluation import Comparison, Side, Slice
from extractor.images import Config as Limits
from extractor.images import hash_bytes
from extractor.metrics import Interval, McNemar, Point
from extractor.records import Box, Evidence
from jobs import answers, report, showing
from jobs.auditing.outlook import Concordance
from jobs.config import Certify
from jobs.inputs import Schemas
from jobs.pages import cards, charts, crops, page
from jobs.pages.cards import Answer, Page, Segment
from jobs.pages.findings import Findings, System, Versus
from jobs.pages.page import Report
from jobs.pages.sides import Agreement, SideBySide
from jobs.pinned import Pinned
from schemas.attribute_definitions import ATTRIBUTE_DEFINITIONS
from schemas.decisions import DECISIONS
from schemas.enums import Source
from schemas.gates import GATES
from schemas.predictions import PREDICTIONS
from schemas.product_pictures import PRODUCT_PICTURES
from schemas.products import PRODUCTS

MODEL = Pinned("facetmill", "7", Path(), "hash", Schemas(ocr="", features=""))
OTHER = Pinned("look-up", "1", Path(), "hash", Schemas(ocr="", features=""))
NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
STRAIGHT = '{"intercept": 0.0, "kind": "logistic", "slope": 1.0}'
"""A calibrator that takes scores as they are."""
DAY = date(2026, 1, 15)
NEVER = 'https?:|//|src="(?!data:)|href="(?!#)|@import|url\\('
"""What a page that needs no network does not hold, once its data are cut out."""


def answer(attribute="brand", value="Alba", **changes: object):
    plain: dict[str, Any] = {
        "product_id": "p1", "product_type": "tea", "attribute": attribute, "value": value, "value_as_read": value,
        "decision": "published", "reason": "passes a gate that is provisional", "confidence": 0.93, "threshold": 0.8,
        "gate_state": "provisional", "support": "printed", "seller_value": None, "evidence": (),
    }  # fmt: skip
    return Answer(**(plain | changes))


def in_title(start, end):
    return Evidence(word="w", source=Source.TITLE, start=start, end=end)


def on_pack(image_hash="h", box=Box(0.1, 0.2, 0.5, 0.3)):  # noqa: B008  # an immutable tuple
    return Evidence(word="w", source=Source.OCR, image_hash=image_hash, token_index=0, start=0, end=1, box=box)


def empty(**changes: object):
    plain: dict[str, Any] = {
        "day": DAY, "run_id": "report-1", "num_products": 0, "model": "", "outcomes": [], "num_holes": 0,
        "num_filled": 0, "targets": [], "cards": [], "gates": [], "review": [], "quarantine": [],
        "num_quarantined": 0, "runs": [], "sizes": [], "findings": None, "measured_model": "", "mistakes": [],
        "sides": [], "agreement": Concordance(0, 0, None),
    }  # fmt: skip
    return Report(**(plain | changes))


def test_the_words_that_a_value_was_read_from_are_marked_in_its_hue():
    segments = cards.marked("Alba mint tea", [(0, 4, 0), (5, 9, 1)])

    assert segments == (Segment("Alba", 0), Segment(" ", None), Segment("mint", 1), Segment(" tea", None))


def test_neighbouring_words_of_one_value_are_one_mark():
    assert cards.marked("earl grey tea", [(0, 4, 2), (5, 9, 2)])[0] == Segment("earl grey", 2)


def test_where_two_values_share_a_word_the_text_stays_whole():
    segments = cards.marked("mint tea", [(0, 4, 0), (0, 8, 1)])

    assert segments == (Segment("mint", 0), Segment(" tea", 1))


def test_marks_beyond_the_end_of_a_text_lengthen_nothing():
    assert cards.marked("tea", [(2, 9, 0)]) == (Segment("te", None), Segment("a", 0))


def test_a_bullet_shows_only_where_something_was_read_from_it():
    shown = Page(product_id="p1", product_type="tea", title=None, bullets=("By Alba", "Picked by hand"), pictures=())
    read = Evidence(word="Alba", source=Source.BULLET, field_index=0, start=3, end=7)

    card = cards.card(shown, [answer(evidence=(read,))], lambda _: None)

    assert card.bullets == ((Segment("By ", None), Segment("Alba", 0)),)
    assert card.lines[0].where == "in a bullet point"


def test_a_crop_holds_the_boxes_of_all_words_and_little_more():
    image = Image.new("RGB", (400, 400), "white")

    shown = crops.around(image, [Box(0.1, 0.5, 0.2, 0.55), Box(0.25, 0.5, 0.4, 0.55)])

    # 120 x 20 pixels, 8 more beside and 2 above, at the width of a crop
    assert (shown.width, shown.height) == (260, 46)
    assert shown.uri.startswith("data:image/jpeg;base64,")


def test_a_box_at_the_edge_of_a_picture_is_cut_at_the_edge():
    image = Image.new("RGB", (100, 100))

    assert crops.around(image, [Box(0.95, 0.95, 1.2, 1.2)]).width > 0


def test_a_second_picture_shows_when_something_was_read_from_it():
    shown = Page(product_id="p1", product_type="tea", title="t", bullets=(), pictures=("main", "back", "side"))
    image = Image.new("RGB", (50, 50))

    card = cards.card(shown, [answer(evidence=(on_pack("back"),))], lambda _: image)

    assert [len(picture.boxes) for picture in card.pictures] == [0, 1]
    assert card.pictures[1].boxes[0][:4] == (10.0, 20.0, 40.0, 10.0)
    assert card.lines[0].crop is not None


def test_a_product_without_pictures_keeps_its_answers():
    shown = Page(product_id="p1", product_type="tea", title=None, bullets=(), pictures=("gone",))

    card = cards.card(shown, [answer(evidence=(on_pack("gone"),))], lambda _: None)

    assert card.pictures == ()
    assert card.lines[0].crop is None
    assert "no picture" in page.render(empty(cards=[card]))


def test_what_a_model_looked_at_is_drawn_apart_from_what_it_read():
    shown = Page(product_id="p1", product_type="tea", title="t", bullets=(), pictures=("main",))
    written = Evidence(word="spray", source=Source.WRITTEN)
    region = Evidence(word="", source=Source.REGION, image_hash="main", token_index=3, box=Box(0, 0, 0.5, 0.5))
    said = answer("form", support="inferred", evidence=(written, region))

    card = cards.card(shown, [answer(evidence=(on_pack("main"),)), said], lambda _: Image.new("RGB", (50, 50)))

    assert [line.where for line in card.lines] == ["printed on the pack", "inferred: the page does not print it"]
    assert card.lines[1].crop is None
    assert re.findall(r'<i class="(.*?)" title="(.*?)"', page.render(empty(cards=[card]))) == [
        ("h0", "w"),
        ("h1 seen", "looked at"),
    ]


@pytest.mark.parametrize("source", Source)
def test_every_source_of_a_word_can_be_told(source):
    word = Evidence(word="", source=source)

    assert cards.where(answer(evidence=(word,))) or source == Source.REGION


def test_an_inferred_value_says_that_the_page_does_not_print_it():
    known = Evidence(word="spray", source=Source.VOCABULARY, token_index=0, start=0, end=5)

    assert cards.where(answer(support="inferred", evidence=(known,))) == "inferred: the page does not print it"
    assert cards.where(answer(support="printed", evidence=(on_pack(),))) == "printed on the pack"


def test_a_curve_rises_with_precision_and_stays_inside_its_frame():
    frame = charts.Frame(width=100, height=50, left=10, top=5, floor=0.5)

    path = frame.path([Point(0.9, 1.0, 0.0, 1), Point(0.5, 0.75, 0.5, 2), Point(0.1, 0.2, 1.0, 9)])

    assert path == "M10 5L60 30L110 55"


def test_the_pieces_of_a_bar_fill_it_and_nothing_has_no_piece():
    assert charts.stacked({"published": 3, "review": 0, "abstained": 1}) == [
        charts.Part("published", 3, 0.0, 75.0),
        charts.Part("abstained", 1, 75.0, 25.0),
    ]


def measured(version: str) -> Findings:
    system = System(name="facetmill", model_version=version)
    return Findings(
        run_id="evaluate-1", day=DAY, split="test", threshold_split="calibration", num_cells=4, num_products=2,
        model=system, may_publish=version, systems=(system,), figures=(), curves=(), versus=(), errors=(),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("version", "models", "shown"),
    [("7", [MODEL], True), ("6", [MODEL], False), ("7", [MODEL, OTHER], False), ("7", [], False)],
)
def test_only_an_evaluation_of_the_models_that_are_shown_is_shown(version, models, shown):
    found = measured(version)

    assert (report.of_models(found, models) is found) is shown


def test_a_page_whose_last_evaluation_is_of_another_model_names_it_and_shows_no_figure():
    html = page.render(empty(model="facetmill/8", measured_model="facetmill/7"))

    assert html.count("the last evaluation is of facetmill/7") == 2
    assert "no truth was given" not in html


HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


def test_what_sellers_and_packs_say_is_text_and_never_markup():
    shown = Page(product_id=HOSTILE, product_type=HOSTILE, title=HOSTILE, bullets=(HOSTILE,), pictures=())
    hostile = answer(HOSTILE, HOSTILE, reason=HOSTILE, seller_value=HOSTILE, evidence=(in_title(0, 20),))
    card = cards.card(shown, [hostile], lambda _: None)
    row = {"job": HOSTILE, "source": HOSTILE, "key": HOSTILE, "reason": HOSTILE}

    html = page.render(empty(cards=[card], review=list(card.lines), quarantine=[row], num_quarantined=1))

    assert html.count("<script") == 1  # our own
    assert "<img src=x" not in html
    assert "&lt;script&gt;" in html


def test_only_our_own_script_may_run():
    html = page.render(empty())

    policy = re.search('Content-Security-Policy" content="([^"]*)"', html)

    assert policy is not None
    assert "default-src 'none'" in policy[1]
    assert re.search(r"script-src 'sha256-[A-Za-z0-9+/=]{44}'$", policy[1])


def test_an_empty_warehouse_makes_a_page_that_says_what_is_missing():
    html = page.render(empty())

    assert "Nothing was decided yet" in html
    assert "Nothing was evaluated" in html
    assert "There are no gates yet" in html


def product(product_id, title):
    return {
        "product_id": product_id, "content_hash": title, "is_current": True, "product_type": "tea",
        "locale": "en-US", "family_id": product_id, "title": title, "bullets": [], "source": "test",
        "updated_at": NOON, "run_id": "ingest-1",
    }  # fmt: skip


def definition(attribute):
    return {
        "product_type": "tea", "attribute": attribute, "question": f"Which {attribute}?", "kind": "text",
        "inferable": False, "pictures": "all", "precision_target": 0.9,
    }  # fmt: skip


def gate():
    return {
        "gate_id": "g", "product_type": "tea", "attribute": "brand", "support": "printed", "model_version": "7",
        "normaliser_version": "1", "calibrator": STRAIGHT, "target": 0.9, "threshold": 0.8, "state": "provisional",
        "reason": "30 judged answers", "n": 30, "errors": 1, "num_judged": 40, "num_stated": 60, "method": "by hand",
        "population": "none", "valid_from": NOON, "run_id": "calibrate-1",
    }  # fmt: skip


def prediction(product_id, attribute, input_hash, value, evidence=()):
    return {
        "product_id": product_id, "attribute": attribute, "input_hash": input_hash, "model_version": "7",
        "decode_config": "d", "product_type": "tea", "model_name": "facetmill",
        "state": "unknown" if value is None else "value", "value": value, "score": 0.9,
        "support": None if value is None else "printed", "evidence": list(evidence), "run_id": "enrich-1",
        "chunk_id": 0, "day": DAY, "predicted_at": NOON,
    }  # fmt: skip


def decision(pair, input_hash, value, decided, seller_value):
    product_id, attribute = pair
    return {
        "product_id": product_id, "attribute": attribute, "input_hash": input_hash, "model_version": "7",
        "decode_config": "d", "product_type": "tea", "support": None if value is None else "printed",
        "gate_id": None if value is None else "g", "value": value, "confidence": None if value is None else 0.93,
        "seller_value": seller_value, "decision": decided, "reason": "for the test", "run_id": "publish-1",
        "day": DAY, "decided_at": NOON,
    }  # fmt: skip


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 255, (120, 120, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "pack.png")
    return folder


@pytest.fixture
def warehouse(tables, pictures):
    """Two teas: one whose brand was read off its pack, one whose seller says otherwise."""

    def put(table, rows):
        tables.append(tables.rows(rows, table), table, txn="put")

    put(PRODUCTS, [product("p1", "Fine <b>tea</b>"), product("p2", "Oru mint tea")])
    put(ATTRIBUTE_DEFINITIONS, [definition("brand"), definition("flavor")])
    image_hash = hash_bytes((pictures / "pack.png").read_bytes())
    picture = {"product_id": "p1", "position": 0, "uri": "pack.png", "image_hash": image_hash, "status": "ok"}
    lost = {"product_id": "p2", "position": 0, "uri": "lost.png", "image_hash": "ab", "status": "ok"}
    put(PRODUCT_PICTURES, [picture, lost])
    asked = answers.asked(tables, MODEL).pairs.collect()
    hashes = {(row.product_id, row.attribute): row.input_hash for row in asked}
    box = {"x1": 0.1, "y1": 0.2, "x2": 0.6, "y2": 0.3}
    read = {
        "word": "Alba",
        "source": "ocr",
        "image_hash": image_hash,
        "token_index": 0,
        "start": 0,
        "end": 4,
        "box": box,
    }
    said = {
        ("p1", "brand"): ("Alba", "published", None, [read]),
        ("p1", "flavor"): (None, "abstained", None, []),
        ("p2", "brand"): ("Oru", "review", "Orru", [{"word": "Oru", "source": "title", "start": 0, "end": 3}]),
        ("p2", "flavor"): ("mint", "confirmed", "mint", [{"word": "mint", "source": "title", "start": 4, "end": 8}]),
    }
    put(PREDICTIONS, [prediction(*pair, hashes[pair], value, words) for pair, (value, _, _, words) in said.items()])
    rows = [decision(pair, hashes[pair], value, what, stated) for pair, (value, what, stated, _) in said.items()]
    put(DECISIONS, rows)
    put(GATES, [gate()])
    return tables


def compose(tables, pictures, models=(MODEL,), beside=(), found=None):
    open_picture = showing.opener(tables.read_or_empty(PRODUCT_PICTURES), str(pictures), Limits())
    certify = Certify(delta=0.05, promise=Promise.PER_GATE, starts=1, cannot_tell_is_wrong=True, collusion=0.1)
    return report.compose(
        tables, models, beside, found, open_picture, certify=certify, num_cards=8, day=DAY, run_id="report-1"
    )


def test_every_pair_is_counted_once_by_what_became_of_it(warehouse, pictures):
    shown = compose(warehouse, pictures)

    counts = {"published": 1, "confirmed": 1, "review": 1, "abstained": 1, "quarantined": 0}
    assert shown.all.counts == counts
    assert (shown.num_holes, shown.num_filled) == (2, 1)
    assert [gate["published"] for gate in shown.gates] == [1]
    assert [line.answer.value for line in shown.review] == ["Oru"]


def test_the_page_tells_how_large_each_table_is(warehouse, pictures):
    shown = compose(warehouse, pictures)

    sizes = {row["table"]: row for row in shown.sizes}
    assert (sizes["products"]["files"], sizes["products"]["bytes"]) == warehouse.size(PRODUCTS)
    assert shown.sizes == sorted(shown.sizes, key=lambda row: -row["bytes"])
    assert "<td>products</td>" in page.render(shown)
    assert "what the warehouse holds" not in page.render(empty()).lower()


def test_the_page_shows_each_product_with_its_pack_and_needs_no_network(warehouse, pictures):
    html = page.render(compose(warehouse, pictures))

    assert html.count('<article class="card"') == 2
    assert html.count('class="crop"') == 1  # the lost picture shows nothing and stops nothing
    assert "Fine &lt;b&gt;tea&lt;/b&gt;" in html
    assert '<mark class="h0">Oru</mark>' in html
    without_data = re.sub(r"data:image/jpeg;base64,[A-Za-z0-9+/=]*", "data:", html)
    assert re.findall(NEVER, without_data) == []


def test_a_decision_about_an_earlier_page_is_not_shown(warehouse, pictures):
    warehouse.upsert(warehouse.rows([product("p2", "Oru mint tea") | {"title": "Oru"}], PRODUCTS), PRODUCTS)

    shown = compose(warehouse, pictures)

    assert shown.all.total == 2
    assert [card.page.product_id for card in shown.cards] == ["p1"]


def test_before_the_first_model_the_report_still_opens(tables, pictures):
    tables.append(tables.rows([product("p1", "tea")], PRODUCTS), PRODUCTS, txn="put")

    html = page.render(compose(tables, pictures, models=(), found=measured("7")))

    assert "Nothing was decided yet" in html
    assert "the last evaluation is of 7" in html


def test_a_picture_whose_store_is_away_is_left_out(tables):
    away = Limits(s3_endpoint="http://127.0.0.1:9", s3_region="us-east-1")
    listed = {"product_id": "p1", "position": 0, "uri": "a.png", "image_hash": "h", "status": "ok"}

    open_picture = showing.opener(tables.rows([listed], PRODUCT_PICTURES), "s3://shop/pictures", away)

    assert open_picture("h") is None


def test_a_figure_that_was_not_measured_is_a_dash():
    assert empty().figure("precision", "published") is None
    assert page.percent(None) == "\N{EN DASH}"
    assert page.percent(0.9461) == "94.6\N{NO-BREAK SPACE}%"
    assert Slice() == Slice("", "", "")


def test_two_models_stand_side_by_side_with_what_differs(warehouse, pictures):
    asked = answers.asked(warehouse, OTHER).pairs.collect()
    hashes = {(row.product_id, row.attribute): row.input_hash for row in asked}
    title = {"word": "Fine", "source": "title", "start": 0, "end": 4}
    said = {("p1", "brand"): "Fine", ("p1", "flavor"): None, ("p2", "brand"): None, ("p2", "flavor"): "MINT"}
    rows = [
        prediction(*pair, hashes[pair], value, [title] if value == "Fine" else [])
        | {"model_name": "look-up", "model_version": "1", "score": 0.25}
        for pair, value in said.items()
    ]
    warehouse.append(warehouse.rows(rows, PREDICTIONS), PREDICTIONS, txn="other")

    shown = compose(warehouse, pictures, beside=[OTHER])

    [side] = shown.sides
    assert (side.one, side.other) == ("facetmill", "look-up")
    assert side.all == Agreement(same=1, neither=1, differ=1, only_one=1, only_other=0)
    assert side.by_attribute["flavor"] == Agreement(same=1, neither=1)
    told = {(one.answer.product_id, one.answer.value, other.answer.value) for _, one, other in side.differences}
    assert told == {("p1", "Alba", "Fine"), ("p2", "Oru", None)}
    [alba] = [difference for difference in side.differences if difference.one.answer.value == "Alba"]
    assert (alba.one.where, alba.one.crop is not None, alba.other.where) == (
        "printed on the pack",
        True,
        "in the title",
    )
    assert alba.other.answer.confidence == 0.25  # nobody calibrated it: its score
    assert shown.all.counts["published"] == 1  # what stands beside publishes nothing
    html = page.render(shown)
    assert "facetmill and look-up" in html


def test_where_the_truth_is_known_the_page_says_who_is_right():
    sides = (
        Side(Slice(), 4, 1, 1, 0, McNemar(3, 0, 0.25)),
        Side(Slice(slice="stands=pack"), 4, 1, 1, 0, McNemar(3, 0, 0.25)),
    )
    comparison = Comparison(Interval(0.1, 0.0, 0.2), McNemar(3, 0, 0.25), sides)
    found = replace(measured("7"), versus=(Versus(system="look-up", comparison=comparison),))
    side = SideBySide(one="facetmill", other="look-up", all=Agreement(), by_attribute={}, differences=[])

    html = page.render(empty(findings=found, sides=[side]))

    assert 'on the pack alone</th><td class="n">4</td>' in html
    assert "= 0.2500" in html
    assert "No answer differs" in html
