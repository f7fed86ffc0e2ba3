"""A predictor answers every row once, in order, whatever one of them does."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

from extractor import checkpoint, predictor
from extractor.models import word_matching
from extractor.models.base import Knowledge
from extractor.predictor import COLUMNS, Config, Predictor, ahead
from extractor.records import DEFINITIONS, Box, Definition, Evidence, Example, Prediction, Question
from schemas.enums import Source, State, Support
from schemas.model_inputs import MODEL_INPUTS
from schemas.predictions import PREDICTIONS
from tests.extractor.bag_of_words import BagOfWords

CONFIG = Config(max_batch_products=4, max_batch_tokens=64, prefetch=2, threads=1, bf16=False)


def row(product_id: str, title: str | None, *attributes: str, **fields: object) -> dict[str, object]:
    """A row of schemas.model_inputs, without pictures unless given."""
    return {
        "product_id": product_id,
        "product_type": "tea",
        "locale": "en-US",
        "title": title,
        "bullets": [],
        "pictures": [],
        "features_of": None,
        "dim": None,
        "num_regions": None,
        "boxes": None,
        "regions": None,
        "num_tokens": None,
        "token_vectors": None,
        "asked": [{"attribute": name, "input_hash": f"{product_id} {name}", "answer": None} for name in attributes],
        **fields,
    }


def frame(*rows: dict[str, object]) -> pd.DataFrame:
    """Rows as Spark hands them to pandas."""
    found: pd.DataFrame = pa.Table.from_pylist(list(rows), schema=MODEL_INPUTS.schema).to_pandas()
    return found


ROWS = (
    row("a", "green leaves", "kind"),
    row("b", "wash " * 9, "kind", "brand"),
    row("c", None, "kind"),
    row("d", "dog " * 3, "kind"),
    row("e", "chicken dinner", "kind"),
    row("f", "x " * 90, "kind"),
)


def answers(found: pd.DataFrame) -> list[tuple[str, str, str, str, float]]:
    """What was answered, in order; scores to five digits."""
    columns = [found[name] for name in ("product_id", "attribute", "state", "value", "score")]
    return [(*rest, round(score, 5)) for *rest, score in zip(*columns, strict=True)]


def test_every_question_is_answered_once_and_in_order():
    found = Predictor(BagOfWords(), CONFIG).predict(frame(*ROWS))

    asked = [("a", "kind"), ("b", "kind"), ("b", "brand"), ("c", "kind"), ("d", "kind"), ("e", "kind"), ("f", "kind")]
    assert list(zip(found["product_id"], found["attribute"], strict=True)) == asked
    assert list(found["input_hash"]) == [f"{product} {name}" for product, name in asked]
    assert set(found["state"]) <= {"value", "unknown"}


def test_a_row_alone_is_answered_as_in_a_batch():
    many = Predictor(BagOfWords(), CONFIG)

    together = answers(many.predict(frame(*ROWS)))

    assert together == [answer for alone in ROWS for answer in answers(many.predict(frame(alone)))]


def test_a_row_that_breaks_its_batch_stands_alone_and_its_neighbours_are_unchanged():
    poison = row("p", "POISON leaves", "kind", "brand")
    clean = answers(Predictor(BagOfWords(), CONFIG).predict(frame(*ROWS)))

    found = Predictor(BagOfWords(), CONFIG).predict(frame(*ROWS[:2], poison, *ROWS[2:]))

    bad = found[found["product_id"] == "p"]
    assert answers(found[found["product_id"] != "p"]) == clean
    assert list(bad["state"]) == ["error", "error"]
    assert set(bad["reason"]) == {"ValueError: a word that breaks the whole batch"}
    assert bad["score"].isna().all()
    assert bad["value"].isna().all()


def test_a_row_that_cannot_be_read_is_an_answer_with_its_reason():
    token = {"text": "TEA", "confidence": 0.9, "box": {"x1": float("nan"), "y1": 0.0, "x2": 1.0, "y2": 1.0}}
    broken = row("p", "tea", "kind", pictures=[{"position": 0, "image_hash": "h", "tokens": [token]}])
    short = row("q", "tea", "kind", features_of="h", dim=4, num_regions=1, boxes=b"?", num_tokens=0)

    found = Predictor(BagOfWords(), CONFIG).predict(frame(broken, short, ROWS[0]))

    assert list(found["product_id"]) == ["p", "q", "a"]
    assert "picture h, token 'TEA', box: found (nan" in found["reason"][0]
    assert "picture h, boxes: found 1 bytes, expected 16 bytes" in found["reason"][1]
    assert (found["state"][:2] == "error").all()
    assert found["state"][2] != "error"


def test_a_null_beside_a_number_is_still_a_null():
    vector = np.zeros(4, "<f2").tobytes()
    with_features = row(
        "p",
        "tea",
        "kind",
        pictures=[{"position": 0, "image_hash": "h", "tokens": []}],
        features_of="h",
        dim=4,
        num_regions=1,
        boxes=np.zeros(4, "<f4").tobytes(),
        regions=vector,
        num_tokens=0,
        token_vectors=b"",
    )
    without = row("q", "tea", "kind", pictures=with_features["pictures"], features_of="h")

    bare, full = Predictor(BagOfWords(), CONFIG).read(frame(without, with_features)).rows

    assert isinstance(bare, Example)
    assert isinstance(full, Example)
    assert bare.pictures[0].features is None
    assert full.pictures[0].features is not None
    assert full.pictures[0].features.regions.shape == (1, 4)


def test_a_batch_too_large_for_the_device_is_halved_until_it_fits():
    huge = [row(f"h{number}", "HUGE leaves", "kind") for number in range(3)]

    found = Predictor(BagOfWords(), CONFIG).predict(frame(*huge))

    assert set(found["state"]) <= {"value", "unknown"}
    assert len(found) == 3


class Broken(BagOfWords):
    """Its device is gone."""

    def predict(self, examples):
        raise torch.AcceleratorError("CUDA error: device-side assert triggered")


def test_a_broken_device_is_no_property_of_the_rows():
    with pytest.raises(torch.AcceleratorError):
        Predictor(Broken(), CONFIG).predict(frame(ROWS[0]))


def test_a_score_that_is_no_number_is_an_error_answer():
    found = Predictor(BagOfWords(), CONFIG).predict(frame(ROWS[0], row("n", "NAN", "kind")))

    assert found["state"][1] == "error"
    assert "answer to 'kind', score: found nan, expected a number from 0 to 1" in found["reason"][1]


class Silent(BagOfWords):
    """Forgets its last answer."""

    def predict(self, examples):
        return super().predict(examples)[:-1]


class Talkative(BagOfWords):
    """Repeats its last answer."""

    def predict(self, examples):
        found = super().predict(examples)
        return [*found, found[-1]]


@pytest.mark.parametrize(("model", "message"), [(Silent, "one a question, in order"), (Talkative, "more than asked")])
def test_a_model_that_does_not_answer_what_was_asked_is_not_believed(model, message):
    found = Predictor(model(), CONFIG).predict(frame(ROWS[0]))

    assert list(found["state"]) == ["error"]
    assert message in found["reason"][0]


def test_a_product_of_which_nothing_is_asked_has_no_row():
    found = Predictor(BagOfWords(), CONFIG).predict(frame(row("a", "tea")))

    assert found.empty
    assert list(found.columns) == list(COLUMNS)


def test_the_columns_fit_the_contract_of_predictions():
    evidence = (
        Evidence(word="mint", source=Source.TITLE, start=0, end=4),
        Evidence(word="tea", source=Source.OCR, image_hash="h", token_index=1, start=0, end=3, box=Box(0, 0, 0.5, 1)),
    )
    prediction = Prediction(
        product_id="1", product_type="tea", attribute="flavor", input_hash="h", state=State.VALUE, value="mint tea",
        score=0.5, num_words=2, support=Support.PRINTED, evidence=evidence, vocab_fallback=False,
    )  # fmt: skip
    error = Prediction(
        product_id="2", product_type="tea", attribute="flavor", input_hash="h", state=State.ERROR, reason="why"
    )

    found = predictor.frame([prediction, error])

    table = pa.Table.from_pandas(found, schema=PREDICTIONS.subset(*COLUMNS), preserve_index=False)
    first, second = table.to_pylist()
    assert (first["state"], first["num_words"], first["vocab_fallback"]) == ("value", 2, False)
    assert first["evidence"][0]["box"] is None
    assert first["evidence"][1]["box"] == {"x1": 0.0, "y1": 0.0, "x2": 0.5, "y2": 1.0}
    assert first["evidence"][1]["source"] == "ocr"
    assert (found["score"] > 0.4).tolist() == [True, False]
    assert found.dtypes["num_words"] == "Int32"
    assert (second["score"], second["num_words"], second["vocab_fallback"], second["evidence"]) == (
        None,
        None,
        None,
        [],
    )


def test_a_stream_answers_frame_after_frame():
    asked = Predictor(BagOfWords(), CONFIG)

    streamed = list(asked.stream([frame(*ROWS[:2]), frame(*ROWS[2:])]))

    assert [answers(part) for part in streamed] == [
        answers(asked.predict(frame(*ROWS[:2]))),
        answers(asked.predict(frame(*ROWS[2:]))),
    ]


def test_a_folder_is_loaded_once_a_process_and_answers_by_the_definitions_of_today(tmp_path):
    definition = Definition(product_type="tea", attribute="kind", question="What kind?")
    config = word_matching.Config(
        order="longest", sources=("title",), stop=(), options=True, prior_precision=0.5, prior_weight=2.0
    )
    taught = [Example(product_id="1", product_type="tea", asked=(Question(attribute="kind", answer="green"),))]
    model = word_matching.Model.create(config, Knowledge((definition,), {}, "f", 0, "o"), taught, seed=0)
    checkpoint.save(
        tmp_path / "m", model, name="word_matching", config=config, feature_schema="f", ocr_schema="o", examples_id="e"
    )

    told, later = (
        DEFINITIONS.dump_json(known).decode()
        for known in ((definition,), (replace(definition, options={"black": ("green",)}),))
    )
    first = predictor.cached(str(tmp_path / "m"), "cpu", CONFIG, told)
    other = predictor.cached(str(tmp_path / "m"), "cpu", CONFIG, later)

    assert predictor.cached(str(tmp_path / "m"), "cpu", CONFIG, told) is first
    assert list(first.predict(frame(ROWS[0]))["value"]) == ["green"]
    assert isinstance(other.model, word_matching.Model)
    assert {entry.option for entry in other.model.dictionaries["tea", "kind"].entries} == {"black"}


def readers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "ahead"]


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_items_read_ahead_are_the_same_items(depth):
    assert list(ahead(range(20), depth=depth)) == list(range(20))
    assert readers() == []


def test_the_reader_is_at_most_its_depth_ahead():
    read: list[int] = []

    def items() -> Iterator[int]:
        for number in range(20):
            read.append(number)
            yield number

    reading = ahead(items(), depth=2)
    next(reading)
    time.sleep(0.3)

    assert 3 <= len(read) <= 4  # one taken, two waiting, one in the reader's hand
    reading.close()  # type: ignore[attr-defined]  # it is a generator


def test_what_the_reader_raises_reaches_the_consumer_after_the_items_before_it():
    def items() -> Iterator[int]:
        yield 1
        raise OSError("disk gone")

    reading = ahead(items())

    assert next(reading) == 1
    with pytest.raises(OSError, match="disk gone"):
        next(reading)
    assert readers() == []


def test_a_consumer_that_stops_early_leaves_no_thread():
    reading = ahead(iter(int, 1), depth=2)  # endless
    next(reading)
    assert len(readers()) == 1

    reading.close()  # type: ignore[attr-defined]  # it is a generator

    assert readers() == []
