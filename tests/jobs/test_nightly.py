"""The night runs its steps in order, stops at the first that fails, and ends with counts that add up."""

from datetime import timedelta

import pytest

from airflow_dags import plan
from extractor.errors import ContractError
from jobs import config, nightly, registry
from jobs.nightly import Took
from tests.jobs import shelf
from tests.jobs.shelf import definition, example, product, settings, stock

FATES = {"requested": 10, "published": 4, "confirmed": 3, "review": 1, "abstained": 1, "quarantined": 1}


def run_of(job: str, counts: dict[str, int], *, minutes: int = 0, status: str = "succeeded") -> dict:
    at = shelf.NOON + timedelta(minutes=minutes)
    return {
        "run_id": f"{job}-{minutes}", "job": job, "day": shelf.DAY, "code_version": "1", "config": "{}",
        "model_version": None, "inputs": [], "counts": list(counts.items()), "model_calls": 0, "status": status,
        "reason": None, "started_at": at, "finished_at": at, "seconds": 1.0,
    }  # fmt: skip


@pytest.fixture
def conf() -> config.Conf:
    return config.load([config.BASE, "conf/local.yaml"], ["model.name=word_matching", "report.out=here/report.html"])


def test_steps_run_in_order_and_conf_files_after_colons_are_for_their_step_alone(tables, tmp_path, capsys):
    tea = product("a", "Alba tea")
    stock(
        tables,
        products=[tea],
        attribute_definitions=[definition("tea", "brand")],
        examples=[example(tea, "brand", "Alba")],
    )

    nightly.main([*settings(tmp_path), "train", "train:conf/models/mxt.yaml:conf/models/word_matching.yaml"])

    models = registry.connect(f"sqlite:///{tmp_path}/mlflow.db", "facetmill", artifacts_root="")
    assert [models.resolve(name, "champion").version for name in ("facetmill", "look-up")] == ["1", "1"]
    told = capsys.readouterr().err
    assert told.index("[nightly] train ") < told.index("[nightly] train:conf") < told.index("[nightly] all ")


def test_the_first_step_that_fails_ends_the_night_with_its_exit_code(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        nightly.main([*settings(tmp_path), "enrich", "train"])

    told = capsys.readouterr().err
    assert stop.value.code == 2
    assert "stopped with 2" in told
    assert "[train]" not in told


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        (["train", "sleep"], "'steps': found 'sleep', expected one of"),
        (["nightly"], "'steps': found 'nightly'"),
        (["tables"], "'steps': found 'tables'"),  # a module of jobs that is no job
        (["train:conf/nowhere.yaml"], "an existing conf file after each colon"),
    ],
)
def test_a_step_that_is_no_job_is_refused_before_the_first_one_runs(tmp_path, capsys, steps, message):
    with pytest.raises(SystemExit) as stop:
        nightly.main([*settings(tmp_path), *steps])

    assert stop.value.code == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", nightly.PLANS)
def test_every_default_step_is_a_job(name):
    nightly.check([step.partition(":")[0] for step in nightly.PLANS[name]])


def test_a_plan_gives_the_steps_where_none_are_named(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(nightly.PLANS, "mxt", ("enrich:conf/nowhere.yaml",))

    with pytest.raises(SystemExit):
        nightly.main([*settings(tmp_path), "--plan", "mxt"])

    assert "found 'enrich:conf/nowhere.yaml'" in capsys.readouterr().err


def test_both_models_learn_answer_and_are_calibrated_before_one_is_chosen():
    steps = nightly.PLANS["both"]

    before = steps[: steps.index(f"publish:{plan.BOTH}")]
    for job in ("train", "enrich", "calibrate"):
        assert {job, f"{job}:{plan.MXT}"} <= set(before)
    assert [step for step in nightly.PLANS["pam"] if step not in steps] == ["publish", "evaluate", "report"]


def test_the_night_ends_with_where_its_work_lies_and_what_became_of_every_pair(tables, conf):
    older, failed = FATES | {"published": 99}, FATES | {"published": 77}
    stock(
        tables,
        runs=[
            run_of("publish", older),
            run_of("publish", FATES, minutes=1),
            run_of("publish", failed, minutes=2, status="failed"),
        ],
    )

    lines = nightly.ending(["enrich", "publish:conf/own.yaml", "report"], conf, tables)

    assert lines == [
        f"published values: {tables.root}/attributes",
        "report: here/report.html",
        "10 requested = 4 published + 3 confirmed + 1 review + 1 abstained + 1 quarantined",
    ]


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (FATES | {"published": 5}, "10 and 5 published [+] 3 confirmed .* expected equal sums"),
        ({"requested": 10}, "no published, confirmed, review, abstained, quarantined"),
    ],
)
def test_counts_that_do_not_add_up_are_an_error(tables, counts, message):
    stock(tables, runs=[run_of("publish", counts)])

    with pytest.raises(ContractError, match=message):
        nightly.fates(tables)


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        (["train"], []),
        (["enrich", "report"], ["report"]),
        (["calibrate", "publish"], ["published values", "10 requested = 4 published"]),
    ],
)
def test_a_night_of_some_steps_tells_of_nothing_that_it_did_not_make(tables, conf, steps, said):
    stock(tables, runs=[run_of("publish", FATES)])

    lines = nightly.ending(steps, conf, tables)

    assert [line.startswith(start) for line, start in zip(lines, said, strict=True)] == [True] * len(said)


def test_the_table_of_steps_adds_their_seconds_up():
    lines = nightly.table([Took("train", 61.25, 0), Took("enrich", 2.0, 2)])

    assert lines == ["train      61.2 s", "enrich      2.0 s  stopped with 2", "all        63.2 s"]
