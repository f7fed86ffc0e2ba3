"""MLflow with its files on S3: a version comes back as it was registered, into a folder that is no other's."""

from collections.abc import Iterator

import pytest

from jobs import registry
from jobs.registry import Registry

pytestmark = pytest.mark.s3


@pytest.fixture(scope="module")
def models(store, tmp_path_factory) -> Iterator[Registry]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_S3_ENDPOINT_URL", store.endpoint)
        database = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
        yield registry.connect(f"sqlite:///{database}", "demo", artifacts_root="s3://shop/mlflow")


def test_a_models_files_lie_on_s3_and_come_back(models, store, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights.safetensors").write_bytes(b"\0" * 1000)
    run_id = models.log("train", params={}, history=[], metrics={}, tags={})

    version = models.register("m", tmp_path / "model", run_id=run_id, fingerprint="a", model_hash="h")
    found = models.resolve("m", "champion")

    assert (version, found.model_hash) == ("1", "h")
    assert any(key.endswith("/model/weights.safetensors") for key in store.keys("mlflow/"))
    assert (found.folder / "weights.safetensors").read_bytes() == b"\0" * 1000
    assert found.folder != models.resolve("m", "1").folder
