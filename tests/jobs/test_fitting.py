"""Fitting in this process: what happens once the weights are fitted."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from extractor import augment
from extractor.models import spans
from extractor.records import Example, Question
from extractor.span_answers import Rule
from extractor.training import Config as Loop
from extractor.training import Fitted
from jobs import fitting
from jobs.config import Train
from schemas.enums import Split
from tests.extractor import tiny_pam, tiny_spans

EXAMPLES = tiny_pam.products(20)
LOOP: dict[str, Any] = {  # fields of Loop
    "steps": 2,
    "batch_products": 8,
    "lr": 1e-3,
    "betas": (0.9, 0.98),
    "weight_decay": 0.01,
    "warmup_share": 0.0,
    "final_lr_share": 0.0,
    "lr_drops": (),
    "clip": 1.0,
    "seed": 0,
    "balance": 1.0,
    "balance_over": "types",
    "pictured": 0.0,
    "evaluate_every": 2,
    "patience": 0,
    "keep": "last",
    "checkpoint_every": 100,
    "max_seconds": 0.0,
    "device": "cpu",
    "bf16": False,
    "threads": 1,
    "num_workers": 0,
    "keep_encoded": True,
}


@pytest.mark.parametrize(("validation", "settled"), [(EXAMPLES[12:], True), ([], False)])
def test_a_model_that_settles_does_so_on_the_validation_examples(tmp_path: Path, validation, settled):
    model = tiny_spans.model(EXAMPLES[:12], decoder="chosen")
    model.rule = unsettled = Rule(threshold=2.0)

    fit(model, tmp_path, EXAMPLES[:12], validation)

    assert (model.rule != unsettled) == settled


@pytest.mark.parametrize(("longest", "unreachable"), [(3, 1), (2, 2)])
def test_taught_answers_out_of_reach_are_counted(tmp_path: Path, longest: int, unreachable: int):
    taught = [
        replace(
            EXAMPLES[0],
            product_id=brand,
            title="Royal Mint & Co soap",
            asked=(Question(attribute="brand", answer=brand),),
        )
        for brand in ("Royal Mint &", "Royal", "Zen")
    ]
    model = tiny_spans.model(taught, longest=longest)

    fitted = fit(model, tmp_path, taught, [])

    assert fitted.num_unreachable == unreachable


def fit(model: spans.Model, folder: Path, train: Sequence[Example], validation: Sequence[Example]) -> Fitted:
    """Two steps."""
    taught = {Split.TRAIN: train, Split.VALIDATION: validation}
    conf = Train(
        name="spans",
        folder=str(folder),
        promote=False,
        start_from="",
        processes=1,
        augment=augment.Config(),
        loop=Loop(**LOOP),
    )
    return fitting.alone(model, fitting.Material({}, taught, tiny_pam.definitions()), conf, folder, lambda _: None)
