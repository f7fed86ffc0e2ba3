"""Lines of JSON: what is read, what is refused, and in which words."""

import json
import math
from functools import partial

import pyarrow as pa
import pytest

from jobs.feeds.imports import TEXT
from jobs.feeds.lines import Row, image_text, parse, product, rekognition
from jobs.feeds.sellers import ROW

PRODUCT = partial(product, columns={}, attribute_columns={}, max_characters=100)
TOKEN = {"text": "Alba", "confidence": 0.9, "box": {"x1": 0.1, "y1": 0.2, "x2": 0.3, "y2": 0.4}}


def read(line: bytes | str, parse_line=PRODUCT, schema=ROW) -> Row:
    content = line if isinstance(line, bytes) else line.encode()
    batch = pa.RecordBatch.from_pylist([{"source": "file", "value": content}])
    row: Row
    [row] = [row for read in parse(iter([batch]), parse_line, schema) for row in read.to_pylist()]
    return row


def test_a_product_is_read_as_it_was_written():
    row = read(
        json.dumps(
            {
                "product_id": 17,
                "product_type": "tea",
                "title": "\u05ea\u05d4 \U0001f375",
                "bullets": ["20 bags"],
                "attributes": {"brand": "Alba", "bags": 20, "organic": True, "form": None},
            }
        )
    )

    assert row["problem"] is None
    assert (row["product_id"], row["title"], row["bullets"]) == ("17", "\u05ea\u05d4 \U0001f375", ["20 bags"])
    assert dict(row["attributes"]) == {"brand": "Alba", "bags": "20", "organic": "true", "form": None}


def test_columns_and_attributes_are_read_by_their_own_names():
    mapped = partial(product, columns={"product_id": "sku"}, attribute_columns={"brand": "maker"}, max_characters=100)

    row = read('{"sku": "s1", "product_id": "other", "maker": "Alba"}', mapped)

    assert (row["product_id"], row["attributes"]) == ("s1", [("brand", "Alba")])


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"product_id": "a", "title": 12}', "title: found a number 12, expected text"),
        ('{"product_id": "a", "title": "\\ud800"}', "title: found a lone surrogate, expected valid Unicode"),
        ('{"product_id": "a", "title": "%s"}' % ("x" * 101), "title: found 101 characters, expected at most 100"),
        ('{"product_id": "a", "bullets": "one"}', "bullets: found text 'one', expected a list of texts"),
        (
            '{"product_id": "a", "bullets": ["one", null]}',
            "bullets: found a list ['one', None], expected a list of texts",
        ),
        ('{"product_id": "a", "images": [3]}', "images[0]: found a number 3, expected text"),
        ('{"product_id": "a", "attributes": {"x": [1]}}', "attributes.x: found a list [1], expected text"),
        ('{"product_id": "a", "attributes": {"x": NaN}}', "attributes.x: found a number nan, expected text"),
        ('{"product_id": true}', "product_id: found a truth value True, expected text"),
        ("[]", "line: found a list [], expected a JSON object"),
        (b'{"product_id": "\xff"}', "line: found byte 0xff, expected UTF-8"),
    ],
)
def test_a_bad_line_says_what_was_found_and_what_was_expected(line, problem):
    assert read(line)["problem"] == problem


def test_a_line_that_is_no_json_says_where():
    assert str(read("{oops")["problem"]).startswith("line: found no JSON (Expecting property name")


def test_a_line_nested_too_deeply_is_a_bad_line_and_not_the_end():
    assert str(read("[" * 100_000)["problem"]).startswith("line: found no JSON")


def test_a_bad_row_keeps_its_key_and_its_beginning():
    line = json.dumps({"product_id": "a", "title": ["x" * 2000]})

    row = read(line)

    assert (row["product_id"], row["payload"]) == ("a", line[:1000])


def test_blank_lines_are_no_rows():
    batch = pa.RecordBatch.from_pylist([{"source": "file", "value": b"  "}])

    [read] = parse(iter([batch]), PRODUCT, ROW)

    assert read.num_rows == 0


def test_ocr_of_our_contract_keeps_numbers_that_are_none_for_the_check():
    line = json.dumps({"uri": "a.png", "ocr_schema": "e", "tokens": [TOKEN, TOKEN | {"confidence": math.nan}]})

    row = read(line, image_text, TEXT)

    first, second = row["tokens"]
    assert first == pytest.approx(TOKEN | {"confidence": pytest.approx(0.9), "box": pytest.approx(TOKEN["box"])})
    assert math.isnan(second["confidence"])


@pytest.mark.parametrize(
    ("token", "problem"),
    [
        ("Alba", "tokens[0]: found text 'Alba', expected an object with text, confidence and box"),
        (TOKEN | {"text": 3}, "tokens[0].text: found a number 3, expected text"),
        (TOKEN | {"box": {"x1": "left"}}, "tokens[0].box.x1: found text 'left', expected a number"),
    ],
)
def test_a_bad_token_is_named(token, problem):
    assert read(json.dumps({"uri": "a.png", "tokens": [token]}), image_text, TEXT)["problem"] == problem


def test_rekognition_gives_its_words_and_not_its_lines():
    box = {"Left": 0.1, "Top": 0.2, "Width": 0.2, "Height": 0.2}
    found = {"DetectedText": "Alba", "Confidence": 90, "Geometry": {"BoundingBox": box}}
    answer = {"uri": "a.png", "TextDetections": [found | {"Type": "LINE"}, found | {"Type": "WORD"}]}

    row = read(json.dumps(answer), partial(rekognition, ocr_schema="aws"), TEXT)

    assert (row["uri"], row["ocr_schema"], [token["text"] for token in row["tokens"]]) == ("a.png", "aws", ["Alba"])
    assert row["tokens"][0]["box"] == pytest.approx({"x1": 0.1, "y1": 0.2, "x2": 0.3, "y2": 0.4})
