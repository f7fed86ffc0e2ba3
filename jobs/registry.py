"""The only door to MLflow: runs, model versions, and the aliases champion and challenger.

A model is a folder of plain files. `mlflow.register_model` refuses such folders, so versions are made from the
run's artefacts by the client. A version carries the fingerprint of what taught it and the hash of its files.
"""

import atexit
import json
import logging
import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from extractor.errors import BackendError, ModelError

# Read when mlflow is imported: nothing is told to anybody, no bar is drawn for each file. The operator's word wins.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
# Its own seven tries take minutes; whoever runs a job runs it again.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")

from mlflow import MlflowClient, artifacts
from mlflow.entities import Metric, Param
from mlflow.entities.model_registry import ModelVersion, RegisteredModel
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

CHAMPION = "champion"
CHALLENGER = "challenger"
FOLDER = "model"
"""Where a run keeps the model among its artefacts."""
MOST_PARAMS = 100
"""Parameters a request."""


class Resolved(NamedTuple):
    """A version of a model, pinned."""

    version: str
    folder: Path
    """Plain files, readable here."""
    model_hash: str
    """What `extractor.checkpoint` says of them."""


@contextmanager
def _door() -> Iterator[None]:
    """MLflow's failures become ours."""
    with warnings.catch_warnings():
        # mlflow 3.17 still builds its queries with it; nothing for us to change.
        warnings.filterwarnings("ignore", message="The ``noload`` loader strategy", category=DeprecationWarning)
        try:
            yield
        except SQLAlchemyError as error:  # MLflow's own store lets it through
            raise BackendError("MLflow", str(error).splitlines()[0], retry=True) from error
        except MlflowException as error:
            retry = error.error_code in ("TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED", "INTERNAL_ERROR")
            raise BackendError("MLflow", str(error), retry=retry) from error


@_door()
def connect(tracking_uri: str, experiment: str, *, artifacts_root: str) -> "Registry":
    """Open an experiment, made on first use; `artifacts_root` is where its files go, empty: the server decides."""
    for chatter in ("mlflow", "alembic"):
        logging.getLogger(chatter).setLevel(logging.WARNING)  # no lines about tables being created
    client = MlflowClient(tracking_uri=tracking_uri, registry_uri=tracking_uri)
    found = client.get_experiment_by_name(experiment)
    if found is None:
        location = artifacts_root or None
        if location is not None and "://" not in location:
            location = Path(location).resolve().as_uri()
        return Registry(client, tracking_uri, client.create_experiment(experiment, artifact_location=location))
    return Registry(client, tracking_uri, found.experiment_id)


class Registry:
    """One experiment of one MLflow."""

    def __init__(self, client: MlflowClient, tracking_uri: str, experiment_id: str) -> None:
        self.client, self.tracking_uri, self.experiment_id = client, tracking_uri, experiment_id

    @_door()
    def log(
        self,
        run_name: str,
        *,
        params: Mapping[str, object],
        history: Sequence[Mapping[str, float | None]],
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
    ) -> str:
        """Write a finished training run and return MLflow's id; `params` may nest, `history` rows carry a `step`."""
        run_id: str = self.client.create_run(self.experiment_id, run_name=run_name, tags=dict(tags)).info.run_id
        flat = [Param(key, value) for key, value in flatten(params).items()]
        for start in range(0, len(flat), MOST_PARAMS):
            self.client.log_batch(run_id, params=flat[start : start + MOST_PARAMS])
        now = int(time.time() * 1000)
        for row in history:
            step = int(row["step"] or 0)
            numbers = {name: value for name, value in row.items() if name != "step" and value is not None}
            self.client.log_batch(run_id, [Metric(name, value, now, step) for name, value in numbers.items()])
        self.client.log_batch(run_id, [Metric(name, value, now, 0) for name, value in metrics.items()])
        self.client.set_terminated(run_id)
        return run_id

    @_door()
    def register(self, name: str, folder: Path, *, run_id: str, fingerprint: str, model_hash: str) -> str:
        """Keep a checkpoint's files with its run and make a version of them; returns the version.

        The first version of a name becomes champion, later ones challenger.
        """
        self.client.log_artifacts(run_id, str(folder), FOLDER)
        source = f"{self.client.get_run(run_id).info.artifact_uri}/{FOLDER}"
        if self._model(name) is None:
            self.client.create_registered_model(name)
        tags = {"fingerprint": fingerprint, "model_hash": model_hash}
        made = self.client.create_model_version(name, source=source, run_id=run_id, tags=tags)
        self._give_alias(name, str(made.version))
        return str(made.version)

    @_door()
    def trained(self, name: str, fingerprint: str) -> str | None:
        """The newest version that the same examples, features and settings made, if there is one."""
        same = self._versions(name, fingerprint)
        if not same:
            return None
        version = str(same[0].version)
        self._give_alias(name, version)  # finishes a registration that was killed before its last line
        return version

    @_door()
    def logged(self, name: str, version: str) -> dict[str, float]:
        """What the run that made a version logged last of each metric."""
        return dict(self.client.get_run(str(self._version(name, version).run_id)).data.metrics)

    @_door()
    def promote(self, name: str, version: str) -> None:
        """Make a version the champion."""
        found = self._version(name, version)
        self.client.set_registered_model_alias(name, CHAMPION, str(found.version))
        if str(self.client.get_registered_model(name).aliases.get(CHALLENGER)) == str(found.version):
            self.client.delete_registered_model_alias(name, CHALLENGER)

    @_door()
    def resolve(self, name: str, alias_or_version: str, *, into: Path | None = None) -> Resolved:
        """Pin what an alias means now and fetch its files, to `into`.

        Without `into` they stay in place where they are local, else they lie in a folder that goes with the process.
        """
        found = self._version(name, alias_or_version)
        uri = self.client.get_model_version_download_uri(name, str(found.version))
        if into is None and not uri.startswith(("/", "file:")):
            into = Path(tempfile.mkdtemp(prefix="facetmill-model-"))
            atexit.register(shutil.rmtree, into, ignore_errors=True)
        if into is not None:
            into.mkdir(parents=True, exist_ok=True)
        folder = artifacts.download_artifacts(
            artifact_uri=uri, dst_path=None if into is None else str(into), tracking_uri=self.tracking_uri
        )
        return Resolved(str(found.version), Path(folder), found.tags["model_hash"])

    def _model(self, name: str) -> RegisteredModel | None:
        found = self.client.search_registered_models(f"name = {_quoted(name)}", max_results=1)
        return found[0] if found else None

    def _version(self, name: str, alias_or_version: str) -> ModelVersion:
        """A version by number or alias; a ModelError says which there are."""
        model = self._model(name)
        if model is None:
            names = ", ".join(model.name for model in self.client.search_registered_models()) or "none yet"
            raise ModelError(f"registry, name {name!r}", "no such model", f"one that is registered ({names})")
        version = str(model.aliases.get(alias_or_version, alias_or_version))
        found = [made for made in self._versions(name) if str(made.version) == version]
        if not found:
            there_are = [*model.aliases, *(str(made.version) for made in self._versions(name))]
            raise ModelError(
                f"{name}, version {alias_or_version!r}", "no such version", f"one of {', '.join(there_are)}"
            )
        return found[0]

    def _versions(self, name: str, fingerprint: str | None = None) -> list[ModelVersion]:
        """Newest first; all, or those that carry a fingerprint."""
        wanted = f"name = {_quoted(name)}"
        if fingerprint is not None:
            wanted += f" AND tags.fingerprint = {_quoted(fingerprint)}"
        return list(self.client.search_model_versions(wanted, order_by=["version_number DESC"]))

    def _give_alias(self, name: str, version: str) -> None:
        """Champion where there is none yet, otherwise challenger; a champion stays one."""
        aliases = self.client.get_registered_model(name).aliases
        if CHAMPION not in aliases:
            self.client.set_registered_model_alias(name, CHAMPION, version)
        elif str(aliases[CHAMPION]) != version:
            self.client.set_registered_model_alias(name, CHALLENGER, version)


def flatten(params: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    """Nested settings as `a.b.c` to text; what is no mapping is JSON."""
    flat: dict[str, str] = {}
    for key, value in params.items():
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value if isinstance(value, str) else json.dumps(value, default=str)
    return flat


def _quoted(text: str) -> str:
    """A literal of MLflow's filter language, which knows no escape."""
    if "'" in text:
        raise ModelError("registry, name", repr(text), "one without a quote")
    return f"'{text}'"
