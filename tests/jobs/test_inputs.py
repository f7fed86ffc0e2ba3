"""What a model reads: hashes that change with the input and with nothing else, features that are never shuffled."""

import pytest
from pyspark.sql import DataFrame

from jobs import inputs
from jobs.columns import same_types, spark_schema
from jobs.inputs import Range, Schemas
from jobs.tables import Tables
from schemas.catalogue import WAREHOUSE
from schemas.model_inputs import MODEL_INPUTS
from tests.jobs import shelf
from tests.jobs.shelf import definition, features, picture, product, texts

SCHEMAS = Schemas(ocr=shelf.OCR, features=shelf.FEATURES)
TITLE = "Alba mint tea"
OPTIONS = [{"value": "mint", "aliases": ["peppermint"]}]

PRODUCTS = [
    product("plain", TITLE),
    product("twin", TITLE) | {"source": "another", "family_id": "f", "run_id": "s"},
    product("title", "Alba lemon tea"),
    product("untitled", None),
    product("bullets", TITLE) | {"bullets": ["another"]},
    product("locale", TITLE) | {"locale": "de-DE"},
    product("first words", TITLE),
    product("second words", TITLE),
    product("features", TITLE),
    product("no features", TITLE),
    product("vectors of other words", TITLE),
    product("one picture", TITLE),
    product("second picture first", TITLE),
    product("no picture", TITLE),
    product("oil", TITLE, product_type="oil"),
    product("question", TITLE, product_type="tea, asked otherwise"),
    product("options", TITLE, product_type="tea, closed"),
    product("type", TITLE, product_type="tea, the same"),
    product("undefined", TITLE, product_type="unheard of"),
]  # fmt: skip
SINGLE = {"one picture": "i0", "second picture first": "i1"}
FIRST = {
    "first words": "shouted",
    "features": "other features",
    "no features": "featureless",
    "vectors of other words": "torn",
}
PICTURES = [
    picture(each["product_id"], *place)
    for each in PRODUCTS
    if each["product_id"] not in (*SINGLE, "no picture")
    for place in (
        (FIRST.get(each["product_id"], "i0"), 0),
        ("40 bags" if each["product_id"] == "second words" else "i1", 1),
    )
] + [
    picture("one picture", "i0"),
    picture("one picture", None, 1, status="failed"),
    picture("second picture first", None, status="failed"),
    picture("second picture first", "i1", 1),
    picture("no picture", None, status="unread"),
]
SAME = ("ALBA", "i0"), ("ALBA", "other features"), ("ALBA", "featureless"), ("ALBA", "torn")
TEXTS = [
    *(texts(image, words) for words, image in SAME),
    texts("shouted", "ALBA!"),
    texts("i1", "20 bags"),
    texts("40 bags", "40 bags"),
    texts("i0", "of another engine", schema="reader/2"),
]
FEATURES = [
    features("i0", num_tokens=1, ocr_schema=shelf.OCR),
    features("shouted", num_tokens=1, ocr_schema=shelf.OCR),
    features("torn", num_tokens=1, ocr_schema="reader/2"),
    features("other features", seed=1),
    features("i1"),
    features("i0", schema="other/4", seed=2),
    features("featureless", schema="other/4"),
]
DEFINITIONS = [
    *(
        one
        for kind in ("tea", "tea, the same")
        for one in (definition(kind, "flavor"), definition(kind, "brand", pictures="main"))
    ),
    definition("tea, asked otherwise", "flavor", question="?"),
    definition("tea, closed", "flavor", options=OPTIONS),
    definition("oil", "size"),
]


@pytest.fixture(scope="module")
def frames(spark, tmp_path_factory) -> dict[str, DataFrame]:
    tables = Tables(spark, str(tmp_path_factory.mktemp("inputs")))
    rows = {
        "products": PRODUCTS, "product_pictures": PICTURES, "image_texts": TEXTS, "image_features": FEATURES,
        "attribute_definitions": DEFINITIONS,
    }  # fmt: skip
    return {name: tables.rows(content, WAREHOUSE[name]) for name, content in rows.items()}


@pytest.fixture(scope="module")
def pages(frames) -> DataFrame:
    names = ("products", "product_pictures", "image_texts", "image_features")
    products, pictures, texts, features = (frames[name] for name in names)
    return inputs.pages(products, pictures, texts, features, SCHEMAS).persist()


@pytest.fixture(scope="module")
def small(frames, pages) -> DataFrame:
    return inputs.ask(pages, frames["attribute_definitions"]).persist()


@pytest.fixture(scope="module")
def read(small) -> list:
    return small.collect()


@pytest.fixture(scope="module")
def whole(small, frames) -> list:
    return inputs.with_features(small, frames["image_features"], SCHEMAS).collect()


def hashes(read: list, product_id: str) -> dict[str, str]:
    return {q.attribute: q.input_hash for row in read if row.product_id == product_id for q in row.asked}


def test_a_product_is_asked_what_its_type_defines_and_nothing_where_that_is_nothing(read):
    asked = {product_id: set(hashes(read, product_id)) for product_id in ("plain", "oil", "undefined", "no picture")}

    assert asked == {
        "plain": {"brand", "flavor"},
        "oil": {"size"},
        "undefined": set(),
        "no picture": {"brand", "flavor"},
    }


def test_what_may_read_the_main_picture_alone_is_asked_in_a_row_with_that_picture_alone(read):
    seen = {
        tuple(q.attribute for q in row.asked): [
            (p.position, p.image_hash, [t.text for t in p.tokens]) for p in row.pictures
        ]
        for row in read
        if row.product_id == "plain"
    }

    assert seen == {("brand",): [(0, "i0", ["ALBA"])], ("flavor",): [(0, "i0", ["ALBA"]), (1, "i1", ["20", "bags"])]}


@pytest.mark.parametrize(("product_id", "rows"), [("plain", 2), ("one picture", 1), ("no picture", 1)])
def test_a_product_is_two_rows_only_where_its_questions_may_read_different_pictures(read, product_id, rows):
    assert sum(row.product_id == product_id for row in read) == rows


@pytest.mark.parametrize(
    ("product_id", "image_hash"),
    [("plain", "i0"), ("second picture first", "i1"), ("no features", None), ("no picture", None)],
)
def test_features_are_of_the_first_picture_that_could_be_read_if_it_has_any_of_the_schema(read, product_id, image_hash):
    assert {row.features_of for row in read if row.product_id == product_id} == {image_hash}


BOTH = {"brand", "flavor"}


@pytest.mark.parametrize(
    ("product_id", "changed"),
    [
        ("twin", set()),  # what no model reads changes nothing
        ("title", BOTH),
        ("untitled", BOTH),
        ("bullets", BOTH),
        ("locale", BOTH),
        ("type", BOTH),
        ("first words", BOTH),
        ("second words", {"flavor"}),  # brand may read the main picture alone
        ("one picture", {"flavor"}),
        ("no picture", BOTH),
        ("features", BOTH),
        ("no features", BOTH),
        ("vectors of other words", BOTH),
    ],
)
def test_an_input_hash_differs_exactly_where_what_the_model_reads_for_the_pair_differs(read, product_id, changed):
    plain, other = hashes(read, "plain"), hashes(read, product_id)

    assert {attribute for attribute in plain if plain[attribute] != other[attribute]} == changed


def test_an_input_hash_changes_with_the_definition_of_its_attribute_alone(frames, pages):
    changed = [definition("tea", "flavor", options=OPTIONS), definition("tea", "brand", pictures="main", question="?")]
    tables = Tables(pages.sparkSession, "nowhere")

    def of_plain(definitions: list) -> dict[str, str]:
        rows = tables.rows(definitions, WAREHOUSE["attribute_definitions"])
        return hashes(inputs.ask(pages.where("product_id = 'plain'"), rows).collect(), "plain")

    flavor_first, brand_first, flavor_changed = (
        of_plain([DEFINITIONS[0], DEFINITIONS[1]]), of_plain([DEFINITIONS[1], DEFINITIONS[0]]),
        of_plain([changed[0], DEFINITIONS[1]]),
    )  # fmt: skip

    assert flavor_first == brand_first
    assert flavor_changed["brand"] == flavor_first["brand"]
    assert flavor_changed["flavor"] != flavor_first["flavor"]
    assert of_plain([DEFINITIONS[0], changed[1]])["brand"] != flavor_first["brand"]


def test_only_pairs_without_an_answer_to_the_same_input_remain(small, read, spark):
    known = hashes(read, "plain")
    predictions = spark.createDataFrame(
        [
            ("plain", "brand", known["brand"]),
            ("plain", "flavor", "of another input"),
            ("title", "flavor", known["flavor"]),
        ],
        "product_id string, attribute string, input_hash string",
    )

    left = inputs.unanswered(small.where("product_id IN ('plain', 'title')"), predictions).collect()

    assert {(row.product_id, q.attribute) for row in left for q in row.asked} == {
        ("plain", "flavor"),
        ("title", "flavor"),
        ("title", "brand"),
    }


def test_labels_are_the_answers_of_exactly_the_questions_that_examples_answer(small, spark):
    examples = spark.createDataFrame(
        [("one picture", "brand", "Alba"), ("plain", "flavor", None), ("gone", "brand", "Bark")],
        "product_id string, attribute string, value string",
    )

    rows = inputs.labelled(small, examples).collect()

    assert {(row.product_id, q.attribute, q.answer) for row in rows for q in row.asked} == {
        ("one picture", "brand", "Alba"),
        ("plain", "flavor", None),
    }


def test_rows_for_a_model_fit_their_contract(small, frames):
    rows = inputs.with_features(small, frames["image_features"], SCHEMAS)

    assert same_types(rows.schema, spark_schema(MODEL_INPUTS.schema))


@pytest.mark.parametrize(
    ("product_id", "num_regions", "num_tokens"),
    [
        ("plain", 2, 1),
        ("twin", 2, 1),
        ("vectors of other words", 2, 0),
        ("no features", None, None),
        ("no picture", None, None),
    ],
)
def test_a_row_carries_features_where_there_are_any_and_vectors_of_its_own_words_alone(
    whole, product_id, num_regions, num_tokens
):
    found = {
        (row.num_regions, row.num_tokens, row.dim, row.features_of) for row in whole if row.product_id == product_id
    }

    [(regions, tokens, dim, features_of)] = found
    assert (regions, tokens) == (num_regions, num_tokens)
    assert (dim, features_of) == ((None, None) if num_regions is None else (4, features_of))


def test_ranges_part_products_with_and_without_features_and_lose_none(small, frames, whole):
    ranges = [Range(None, "5"), Range("5", "i1"), Range("i1", None)]

    parts = [inputs.with_features(small, frames["image_features"], SCHEMAS, within).collect() for within in ranges]

    assert sorted(row.product_id for part in parts for row in part) == sorted(row.product_id for row in whole)
    assert {row.features_of for row in parts[1]} == {"i0", None}
    assert "i0" not in {row.features_of for row in parts[0] + parts[2]}


def test_products_whose_features_are_all_of_another_schema_are_found_and_those_without_any_are_not(pages, frames):
    found = inputs.under_other_schemas(pages, frames["image_features"], SCHEMAS).collect()

    assert [row.product_id for row in found] == ["no features"]


def test_features_are_never_shuffled(small, frames, spark, tmp_path):
    frames["image_features"].write.parquet(str(tmp_path / "features"))
    stored = spark.read.parquet(str(tmp_path / "features"))

    read = inputs.with_features(small, stored, SCHEMAS)

    assert shuffles_above_blobs(read) == []
    assert len(shuffles_above_blobs(stored.select("image_hash", "regions").repartition(2, "image_hash"))) == 1


def shuffles_above_blobs(frame: DataFrame) -> list[str]:
    """The shuffles that stand above a scan of blobs; indentation tells what is above what."""
    above: list[tuple[int, str]] = []
    found: list[str] = []
    for line in frame._jdf.queryExecution().executedPlan().toString().splitlines():
        node = line.lstrip(" :+-|*")
        depth = len(line) - len(node)
        above = [(at, other) for at, other in above if at < depth]
        if node.startswith("FileScan") and "regions#" in node:
            found += [other for _, other in above if other.startswith("Exchange")]
        above.append((depth, node))
    return found
