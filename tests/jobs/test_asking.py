"""What runs on executors: both kinds of batches give the same answers, and a worker loads a model once."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from pyspark.accumulators import FLOAT_ACCUMULATOR_PARAM, INT_ACCUMULATOR_PARAM, Accumulator

from extractor import checkpoint, predictor
from extractor.models import word_matching
from extractor.models.base import Knowledge
from extractor.records import DEFINITIONS, Definition, Example, Question
from jobs.workers import asking
from schemas.model_inputs import MODEL_INPUTS

BATCHES = predictor.Config(max_batch_products=2, max_batch_tokens=1000, prefetch=0, threads=1, bf16=False)
BOX = {"x1": 0.0, "y1": 0.0, "x2": 1.0, "y2": 1.0}


@pytest.fixture
def ask(tmp_path: Path) -> asking.Ask:
    definition = Definition(product_type="tea", attribute="brand", question="which brand")
    taught = Example(
        product_id="t", product_type="tea", title="Alba tea", asked=(Question(attribute="brand", answer="Alba"),)
    )
    config = word_matching.Config()
    knowledge = Knowledge((definition,), {}, "", 0, "reader/1")
    model = word_matching.Model.create(config, knowledge, [taught], seed=0)
    checkpoint.save(
        tmp_path / "model",
        model,
        name="word_matching",
        config=config,
        feature_schema="",
        ocr_schema="reader/1",
        examples_id="e",
    )
    told = DEFINITIONS.dump_json((definition,)).decode()
    return asking.Ask(folder=str(tmp_path / "model"), shipped=False, device="auto", definitions=told, batches=BATCHES)


def rows(*products: str) -> pa.RecordBatch:
    """Products whose pack says ALBA but for the one named `mute`."""
    listed = [
        {
            "product_id": product, "product_type": "tea", "locale": "en-US", "title": None, "bullets": ["a bullet"],
            "pictures": [{
                "position": 0, "image_hash": "i",
                "tokens": [] if product == "mute" else [{"text": "ALBA", "confidence": 0.9, "box": BOX}],
            }],
            "asked": [{"attribute": "brand", "input_hash": "h", "answer": None}],
        }
        for product in products
    ]  # fmt: skip
    return pa.RecordBatch.from_pylist(listed, schema=MODEL_INPUTS.schema)


def counted() -> asking.Tally:
    return asking.Tally(Accumulator(0, 0, INT_ACCUMULATOR_PARAM), Accumulator(1, 0.0, FLOAT_ACCUMULATOR_PARAM))


def test_frames_and_arrow_batches_are_answered_alike_in_the_order_of_their_rows(ask):
    batches = [rows("a", "mute"), rows("b")]
    frames = [batch.to_pandas() for batch in batches]

    by_pandas = list(asking.answer_pandas(iter(frames), ask=ask, tally=counted()))
    by_arrow = list(asking.answer_arrow(iter(batches), ask=ask, tally=counted()))

    said = pd.concat(by_pandas)
    assert list(zip(said["product_id"], said["value"], strict=True)) == [("a", "ALBA"), ("mute", None), ("b", "ALBA")]
    assert [
        pa.RecordBatch.from_pandas(frame, schema=asking.ARROW_ANSWER, preserve_index=False) for frame in by_pandas
    ] == by_arrow


def test_arrow_answers_come_in_the_order_of_the_table_for_spark_goes_by_position(ask):
    [answers] = asking.answer_arrow(iter([rows("a")]), ask=ask, tally=counted())

    assert answers.schema.equals(asking.ARROW_ANSWER)


def test_answers_and_the_seconds_of_the_model_are_counted_as_they_are_given(ask):
    tally = counted()

    answers = asking.answer_pandas(iter([rows("a", "b").to_pandas(), rows("c").to_pandas()]), ask=ask, tally=tally)
    next(answers)

    assert tally.answered.value == 2
    assert (len(list(answers)), tally.answered.value) == (1, 3)
    assert 0 < tally.seconds.value < 60


def test_a_worker_loads_a_model_once_however_many_tasks_it_runs(ask):
    predictor.cached.cache_clear()

    for _ in range(3):
        list(asking.answer_pandas(iter([rows("a").to_pandas()]), ask=ask, tally=counted()))

    assert predictor.cached.cache_info().misses == 1


@pytest.mark.parametrize(("wanted", "found"), [("cpu", "cpu"), ("auto", "cpu"), ("cuda", "cuda")])
def test_without_a_gpu_from_spark_only_auto_falls_back_on_the_cpu(wanted, found):
    assert asking.device(wanted) == found
