"""The training loop ends the same however it was interrupted, and the same alone as with others."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from extractor import training
from extractor.errors import ConfigError, ModelError
from extractor.records import Example, Picture, Question
from extractor.training import Config, Progress, fit
from tests.extractor.bag_of_words import BagOfWords, Batch

CONFIG = Config(
    steps=12,
    batch_products=4,
    lr=0.05,
    betas=(0.9, 0.98),
    weight_decay=0.01,
    warmup_share=0.25,
    final_lr_share=0.1,
    lr_drops=(),
    clip=1.0,
    seed=3,
    balance=1.0,
    balance_over="types",
    pictured=0.0,
    evaluate_every=4,
    patience=0,
    checkpoint_every=3,
    max_seconds=0.0,
    device="cpu",
    bf16=False,
    threads=1,
    num_workers=0,
    keep="best",
    keep_encoded=True,
)
TITLES = {"tea": "green leaves to brew", "soap": "wash hands", "dog food": "chicken dinner for dogs", None: "thing"}


def products(each: int) -> list[Example]:
    """`each` products an answer, told apart by a number in the title."""
    return [
        Example(
            product_id=f"{answer}-{number}",
            product_type="tea" if answer == "tea" else "other",
            title=f"{title} {number}" + " more" * (number % 3),
            asked=(Question(attribute="kind", answer=answer),),
        )
        for answer, title in TITLES.items()
        for number in range(each)
    ]


def silent(progress: Progress) -> None:
    """Report nothing."""


def weights(model: BagOfWords) -> dict[str, list[float]]:
    return {name: tensor.flatten().tolist() for name, tensor in model.module.state_dict().items()}


class Killed(BaseException):
    """Ends a run from within, as a signal would."""


def kill_at(step: int):
    def report(progress: Progress) -> None:
        if progress.step == step:
            raise Killed

    return report


def test_training_learns_products_that_it_saw(tmp_path):
    model = BagOfWords()

    fitted = fit(model, products(5), products(2), replace(CONFIG, steps=60), folder=tmp_path, report=silent)

    answers = [prediction.value for prediction in model.predict(products(5))]
    assert answers == [question.answer for product in products(5) for question in product.asked]
    assert fitted.stopped == "steps"
    assert fitted.history[-1].loss < fitted.history[0].loss / 2


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(tmp_path):
    models = [BagOfWords(dropout=0.3) for _ in range(3)]

    for number, (model, seed) in enumerate(zip(models, (3, 3, 4), strict=True)):
        fit(model, products(5), [], replace(CONFIG, seed=seed), folder=tmp_path / str(number), report=silent)

    assert weights(models[0]) == weights(models[1])
    assert weights(models[0]) != weights(models[2])


@pytest.mark.parametrize("killed_at", [1, 3, 8, 12])
def test_a_killed_and_resumed_run_ends_with_the_weights_of_an_unbroken_one(tmp_path, killed_at):
    unbroken, killed, resumed = (BagOfWords(dropout=0.3) for _ in range(3))
    whole = fit(unbroken, products(5), products(2), CONFIG, folder=tmp_path / "a", report=silent)
    with pytest.raises(Killed):
        fit(killed, products(5), products(2), CONFIG, folder=tmp_path / "b", report=kill_at(killed_at))
    torch.manual_seed(99)  # another process stands elsewhere in its random numbers

    pieced = fit(resumed, products(5), products(2), CONFIG, folder=tmp_path / "b", report=silent)

    assert weights(resumed) == weights(unbroken)
    assert pieced._replace(seconds=0) == whole._replace(seconds=0)


def test_a_run_that_is_over_is_not_trained_again(tmp_path):
    first, second = BagOfWords(), BagOfWords(seed=5)
    fitted = fit(first, products(5), products(2), CONFIG, folder=tmp_path, report=silent)

    again = fit(second, products(5), products(2), CONFIG, folder=tmp_path, report=kill_at(1))

    assert again == fitted
    assert weights(second)["word.weight"] == weights(first)["word.weight"]


def test_a_state_that_was_killed_while_it_was_written_is_not_read(tmp_path):
    with pytest.raises(Killed):
        fit(BagOfWords(), products(5), [], CONFIG, folder=tmp_path, report=kill_at(7))
    (tmp_path / "step-000000009.unfinished").mkdir()
    model, unbroken = BagOfWords(), BagOfWords()

    fit(model, products(5), [], CONFIG, folder=tmp_path, report=silent)

    fit(unbroken, products(5), [], CONFIG, folder=tmp_path / "other", report=silent)
    assert weights(model) == weights(unbroken)
    assert [path.name for path in tmp_path.glob("step-*")] == ["step-000000012"]


@pytest.mark.parametrize("other", [replace(CONFIG, lr=0.1), replace(CONFIG, seed=4)])
def test_the_state_of_another_run_is_refused(tmp_path, other):
    fit(BagOfWords(), products(5), [], CONFIG, folder=tmp_path, report=silent)

    with pytest.raises(ModelError, match=r"expected run .* use a folder of its own"):
        fit(BagOfWords(), products(5), [], other, folder=tmp_path, report=silent)


def test_the_state_of_other_answers_is_refused(tmp_path):
    fit(BagOfWords(), products(5), [], CONFIG, folder=tmp_path, report=silent)

    with pytest.raises(ModelError, match="use a folder of its own"):
        fit(BagOfWords(), products(4), [], CONFIG, folder=tmp_path, report=silent)


def test_how_a_run_is_carried_out_may_change_when_it_is_resumed(tmp_path):
    with pytest.raises(Killed):
        fit(BagOfWords(), products(5), [], CONFIG, folder=tmp_path, report=kill_at(5))
    model, unbroken = BagOfWords(), BagOfWords()
    fit(unbroken, products(5), [], CONFIG, folder=tmp_path / "other", report=silent)

    fit(model, products(5), [], replace(CONFIG, checkpoint_every=5, keep_encoded=False), folder=tmp_path, report=silent)

    assert weights(model) == weights(unbroken)


def test_a_damaged_state_is_named(tmp_path):
    fit(BagOfWords(), products(5), [], CONFIG, folder=tmp_path, report=silent)
    (tmp_path / "step-000000012" / "weights.safetensors").write_bytes(b"half")

    with pytest.raises(ModelError, match="step-000000012: found unreadable files"):
        fit(BagOfWords(), products(5), [], CONFIG, folder=tmp_path, report=silent)


def test_the_best_weights_come_back_where_validation_got_worse(tmp_path):
    # Validation answers contradict training, so the loss is best at the first look.
    contrary = [replace(product, asked=(Question(attribute="kind", answer="tea"),)) for product in products(2)]
    best, model = BagOfWords(), BagOfWords()
    config = replace(CONFIG, steps=40, warmup_share=0.0, evaluate_every=2, patience=3)

    fitted = fit(model, products(5), contrary, config, folder=tmp_path / "a", report=silent)

    with pytest.raises(Killed):
        fit(best, products(5), contrary, config, folder=tmp_path / "b", report=kill_at(fitted.best_step))
    assert fitted.stopped == "patience"
    assert fitted.steps == fitted.best_step + 3 * 2
    assert fitted.validation_loss == min(e.validation_loss for e in fitted.history if e.validation_loss is not None)
    assert weights(model) == weights(best)


def test_the_last_weights_are_kept_where_conf_says_so(tmp_path):
    contrary = [replace(product, asked=(Question(attribute="kind", answer="tea"),)) for product in products(2)]
    last, best = BagOfWords(), BagOfWords()
    config = replace(CONFIG, steps=40, warmup_share=0.0, evaluate_every=2, patience=3)

    fit(last, products(5), contrary, replace(config, keep="last"), folder=tmp_path / "a", report=silent)

    fit(best, products(5), contrary, config, folder=tmp_path / "b", report=silent)
    assert weights(last) != weights(best)


def test_out_of_time_the_run_ends_and_says_so(tmp_path):
    fitted = fit(
        BagOfWords(), products(5), products(2), replace(CONFIG, max_seconds=1e-9), folder=tmp_path, report=silent
    )

    assert (fitted.stopped, fitted.steps) == ("max_seconds", 1)


class Diverging(BagOfWords):
    """Its loss is no number from some step on."""

    calls = 0

    def loss(self, batch: Batch) -> torch.Tensor:
        self.calls += 1
        return super().loss(batch) * (float("nan") if self.calls == 5 else 1.0)


def test_a_loss_that_is_no_number_names_its_step(tmp_path):
    with pytest.raises(ModelError, match="training, step 5: found loss nan"):
        fit(Diverging(), products(5), [], CONFIG, folder=tmp_path, report=silent)


def test_without_examples_nothing_is_trained(tmp_path):
    with pytest.raises(ModelError, match="training examples: found none"):
        fit(BagOfWords(), [], [], CONFIG, folder=tmp_path, report=silent)


@pytest.mark.parametrize(
    ("step", "share"),
    [(1, 0.01), (50, 0.5), (100, 1.0), (550, 0.55), (1000, 0.1)],
)
def test_the_learning_rate_rises_and_falls_linearly(step, share):
    config = replace(CONFIG, steps=1000, warmup_share=0.1, final_lr_share=0.1)

    assert training.lr_share(step, config) == pytest.approx(share)


@pytest.mark.parametrize(("step", "share"), [(50, 0.5), (100, 1.0), (624, 1.0), (625, 0.1), (833, 0.1), (900, 0.01)])
def test_the_learning_rate_falls_to_a_tenth_at_each_drop(step, share):
    config = replace(CONFIG, steps=1000, warmup_share=0.1, lr_drops=(0.625, 0.83333333))

    assert training.lr_share(step, config) == pytest.approx(share)


def test_a_parameter_group_scales_the_learning_rate_and_frozen_weights_stay(tmp_path):
    before, model, still = BagOfWords(), BagOfWords(), BagOfWords()
    groups = [{"params": list(still.module["word"].parameters()), "lr_scale": 0.0}]
    still.parameter_groups = lambda: groups  # type: ignore[method-assign]  # only this group

    fit(model, products(5), [], CONFIG, folder=tmp_path / "a", report=silent)
    fit(still, products(5), [], CONFIG, folder=tmp_path / "b", report=silent)

    assert weights(model)["word.weight"] != weights(before)["word.weight"]
    assert weights(model)["frozen.weight"] == weights(before)["frozen.weight"]
    assert weights(still) == weights(before)


def test_a_setting_that_cannot_work_is_refused():
    with pytest.raises(ConfigError, match="'batch_products': found 0"):
        replace(CONFIG, batch_products=0)


class Watched(BagOfWords):
    """Remembers what it was shown."""

    def encode(self, examples):
        self.shown = [*getattr(self, "shown", []), *examples]
        return super().encode(examples)


def test_balance_shows_what_has_a_picture_as_often_as_what_has_none(tmp_path):
    [one] = [example for example in products(1) if example.product_type == "tea"]
    plain = [replace(one, product_id=f"plain-{number}") for number in range(90)]
    pictured = [
        replace(one, product_id=f"seen-{number}", pictures=(Picture(position=0, image_hash="x"),))
        for number in range(10)
    ]
    shares = []
    for balance in (1.0, 1e9):
        model = Watched()
        config = replace(CONFIG, steps=25, balance=balance, keep_encoded=False)
        fit(model, [*plain, *pictured], [], config, folder=tmp_path / str(balance), report=silent)
        shares.append(sum(bool(example.pictures) for example in model.shown) / len(model.shown))

    assert shares[0] == pytest.approx(0.1)
    assert shares[1] == pytest.approx(0.5, abs=0.15)


def test_collating_in_workers_changes_nothing(tmp_path):
    alone, helped = BagOfWords(dropout=0.3), BagOfWords(dropout=0.3)

    fit(alone, products(5), [], CONFIG, folder=tmp_path / "a", report=silent)
    fit(helped, products(5), [], replace(CONFIG, num_workers=1), folder=tmp_path / "b", report=silent)

    assert weights(helped) == weights(alone)


SCRIPT = """
import json, os, sys
from pathlib import Path
from extractor.training import fit
from tests.extractor.test_training import CONFIG, BagOfWords, products, silent, weights

out = Path(sys.argv[1])
model = BagOfWords(seed=int(os.environ["RANK"]))  # the first process's weights must reach the other
fit(model, products(5), products(2), CONFIG, folder=out / "state", report=silent)
threads = [(task / "comm").read_text().strip() for task in Path("/proc/self/task").iterdir()]
held = [name for name in threads if "gloo" in name]  # they would abort the process at its end, now and then
assert not held, held
(out / f"rank-{os.environ['RANK']}.json").write_text(json.dumps(weights(model)))
"""


def test_two_processes_under_torchrun_end_as_one_process_does(tmp_path):
    alone = BagOfWords(seed=0)
    fit(alone, products(5), products(2), CONFIG, folder=tmp_path / "alone", report=silent)
    (tmp_path / "script.py").write_text(SCRIPT, encoding="utf-8")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]

    subprocess.run(
        [*torchrun, str(tmp_path / "script.py"), str(tmp_path)],
        check=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])},
    )

    first, second = (json.loads((tmp_path / f"rank-{rank}.json").read_text(encoding="utf-8")) for rank in (0, 1))
    assert first == {**second, "frozen.weight": first["frozen.weight"], "frozen.bias": first["frozen.bias"]}
    for name, expected in weights(alone).items():
        assert first[name] == pytest.approx(expected, abs=1e-6)


def test_balance_over_answers_shows_the_rare_answer_of_a_type_as_often_as_the_frequent_one(tmp_path):
    [one] = [example for example in products(1) if example.product_type == "tea"]
    given = [
        replace(one, product_id=f"{answer}-{number}", asked=(replace(one.asked[0], answer=answer),))
        for answer, count in (("tea", 90), ("soap", 10))
        for number in range(count)
    ]
    shares = []
    for over in ("types", "answers"):
        model = Watched()
        config = replace(CONFIG, steps=25, balance=1e9, balance_over=over, keep_encoded=False)
        fit(model, given, [], config, folder=tmp_path / over, report=silent)
        shares.append(sum(example.asked[0].answer == "soap" for example in model.shown) / len(model.shown))

    assert shares[0] == pytest.approx(0.1, abs=0.08)
    assert shares[1] == pytest.approx(0.5, abs=0.15)


@pytest.mark.parametrize(("part", "least", "most"), [(0.0, 0.05, 0.15), (0.5, 0.4, 0.6)])
def test_products_with_a_picture_have_the_part_of_the_draws_that_conf_gives_them(tmp_path, part, least, most):
    one = products(1)[0]
    picture = Picture(position=0, image_hash="i")
    given = [replace(one, product_id=f"{n}", pictures=(picture,) if n < 10 else ()) for n in range(100)]
    model = Watched()

    fit(model, given, [], replace(CONFIG, steps=100, pictured=part, keep_encoded=False), folder=tmp_path, report=silent)

    assert least <= sum(bool(example.pictures) for example in model.shown) / len(model.shown) <= most
