"""The model of a run stays what it was when the run began."""

from extractor import checkpoint
from jobs import config, pinned, registry
from jobs.registry import CHALLENGER
from tests.jobs import shop
from tests.jobs.shelf import settings


def test_a_run_keeps_the_version_that_its_alias_meant_when_it_began(tmp_path):
    shop.teach(tmp_path)
    shop.teach(tmp_path)  # a second version, the challenger
    argv = settings(tmp_path)
    confs, sets = ([argv[at + 1] for at, flag in enumerate(argv) if flag == name] for name in ("--conf", "--set"))
    conf = config.load([config.BASE, *confs], sets)
    running = pinned.pin(conf)

    store = registry.connect(
        conf.registry.tracking_uri, conf.registry.experiment, artifacts_root=conf.registry.artifacts
    )
    store.promote("facetmill", store.resolve("facetmill", CHALLENGER).version)

    assert running.version == "facetmill/1"
    assert checkpoint.check(running.folder).model_hash == running.model_hash
    assert pinned.pin(conf).version == "facetmill/2"
