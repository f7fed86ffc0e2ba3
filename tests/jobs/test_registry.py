"""The registry keeps versions and their aliases, on a real MLflow over SQLite and a folder."""

from pathlib import Path

import pytest

from extractor.errors import BackendError, ModelError
from jobs import registry
from jobs.registry import Registry


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """One MLflow for all tests of this file (its tables take seconds to make); each test uses a name of its own."""
    root = tmp_path_factory.mktemp("mlflow")
    return registry.connect(f"sqlite:///{root}/mlflow.db", "demo", artifacts_root=str(root / "artifacts"))


def files(folder: Path, content: str = "{}") -> Path:
    """A model's folder."""
    (folder / "nested").mkdir(parents=True)
    (folder / "card.json").write_text(content, encoding="utf-8")
    (folder / "nested" / "weights.safetensors").write_bytes(b"\0" * 10)
    return folder


def register(store: Registry, name: str, folder: Path, fingerprint: str) -> str:
    run_id = store.log("train", params={}, history=[], metrics={}, tags={})
    return store.register(name, folder, run_id=run_id, fingerprint=fingerprint, model_hash=f"hash of {fingerprint}")


def test_the_first_version_is_champion_and_later_ones_challenge_it(store, tmp_path):
    folder = files(tmp_path / "m")

    made = [register(store, "rivals", folder, fingerprint) for fingerprint in ("a", "b", "c")]

    assert made == ["1", "2", "3"]
    assert store.resolve("rivals", "champion").version == "1"
    assert store.resolve("rivals", "challenger").version == "3"


def test_a_promoted_version_is_champion_and_no_challenger_any_more(store, tmp_path):
    for fingerprint in ("a", "b"):
        register(store, "promoted", files(tmp_path / fingerprint), fingerprint)

    store.promote("promoted", "2")

    assert store.resolve("promoted", "champion").version == "2"
    with pytest.raises(ModelError, match="version 'challenger': found no such version, expected one of champion, 2, 1"):
        store.resolve("promoted", "challenger")


@pytest.mark.parametrize("into", [None, "copy"])
def test_a_resolved_version_has_its_plain_files_and_hash(store, tmp_path, into):
    name = f"plain {into}"
    register(store, name, files(tmp_path / "m", '{"of": "mine"}'), "a")

    found = store.resolve(name, "1", into=None if into is None else tmp_path / into)

    assert (found.version, found.model_hash) == ("1", "hash of a")
    assert (found.folder / "card.json").read_text(encoding="utf-8") == '{"of": "mine"}'
    assert sorted(path.name for path in found.folder.rglob("*") if path.is_file()) == [
        "card.json",
        "weights.safetensors",
    ]


def test_the_same_examples_features_and_settings_are_found_again(store, tmp_path):
    for fingerprint in ("a", "b", "a"):
        register(store, "again", files(tmp_path / f"m{len(list(tmp_path.iterdir()))}"), fingerprint)

    assert store.trained("again", "a") == "3"
    assert store.trained("again", "b") == "2"
    assert store.trained("again", "c") is None
    assert store.trained("never heard of", "a") is None


def test_a_registration_that_was_killed_before_its_alias_is_finished_when_it_is_found(store, tmp_path):
    register(store, "killed", files(tmp_path / "m"), "a")
    store.client.delete_registered_model_alias("killed", "champion")

    version = store.trained("killed", "a")

    assert version == "1"
    assert store.resolve("killed", "champion").version == "1"


def test_finding_an_older_champion_again_leaves_the_challenger(store, tmp_path):
    for fingerprint in ("a", "b"):
        register(store, "older", files(tmp_path / fingerprint), fingerprint)

    store.trained("older", "a")

    assert store.resolve("older", "champion").version == "1"
    assert store.resolve("older", "challenger").version == "2"


def test_an_unknown_model_or_version_is_named_with_those_that_exist(store, tmp_path):
    register(store, "known", files(tmp_path / "m"), "a")

    with pytest.raises(
        ModelError, match=r"name 'unknown': found no such model, expected one that is registered .*known"
    ):
        store.resolve("unknown", "champion")
    with pytest.raises(ModelError, match="known, version '7': found no such version, expected one of champion, 1"):
        store.resolve("known", "7")
    with pytest.raises(ModelError, match="expected one without a quote"):
        store.resolve("it's", "champion")


def test_a_run_keeps_settings_history_figures_and_tags(store):
    history = [{"step": 10, "loss": 0.5, "validation_loss": None}, {"step": 20, "loss": 0.25, "validation_loss": 0.3}]
    params = {"model": {"name": "pam", "sizes": [1, 2]}, "long": "x" * 9000, **{f"p{n}": n for n in range(150)}}

    run_id = store.log("train", params=params, history=history, metrics={"seconds": 3.0}, tags={"day": "2026-01-15"})

    run = store.client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params["model.name"] == "pam"
    assert run.data.params["model.sizes"] == "[1, 2]"
    assert run.data.params["p149"] == "149"
    assert run.data.params["long"].startswith("xxx")  # MLflow itself cuts what is too long for it
    assert run.data.metrics == {"loss": 0.25, "validation_loss": 0.3, "seconds": 3.0}
    assert [point.step for point in store.client.get_metric_history(run_id, "loss")] == [10, 20]
    assert run.data.tags["day"] == "2026-01-15"


def test_an_experiment_is_made_once(store):
    again = registry.connect(store.tracking_uri, "demo", artifacts_root="elsewhere")

    assert again.experiment_id == store.experiment_id


def test_a_failure_of_mlflow_is_a_backend_error(store, tmp_path):
    with pytest.raises(BackendError, match=r"MLflow: .*no-such-run"):
        store.register("failing", files(tmp_path / "m"), run_id="no-such-run", fingerprint="a", model_hash="b")
