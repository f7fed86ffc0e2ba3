"""Draw a catalogue as a user would have it: product files, definitions, pictures; and the truth, kept apart.

    python -m jobs.sample --conf conf/local.yaml --day 2026-01-15 --products 800 --seed 7

The same settings draw the same bytes; what was drawn with the same settings is not drawn again. With
sample.features_only, noisy OCR and features are written for import in place of pictures; with sample.odd, twenty odd
products come on top.
"""

import json
from collections.abc import Sequence

import pyarrow.fs as pafs
import yaml

from extractor.errors import ConfigError
from extractor.synthetic import files
from extractor.synthetic.files import Plan, located
from jobs import config, progress, runs
from jobs.workers.drawing import WRITTEN, draw_parts

MARKER = "drawn.json"
"""In the output folder: what is, or is being, drawn there; a folder without it is not ours to overwrite."""
SHORTHANDS = {"--products": "sample.products", "--seed": "sample.seed", "--odd": "sample.odd"}


def main(argv: Sequence[str] | None = None) -> None:
    """Draw unless it is drawn, part by part on all cores."""
    with runs.job("sample", argv, doc=__doc__, shorthands=SHORTHANDS) as job:
        plan = plan_of(job.conf)
        settings = {**plan_settings(plan), "odd": job.conf.sample.odd}
        job.counts |= {"products": plan.products, "drawn": 0}
        if drawn(plan, settings):
            job.say(f"{plan.out} is drawn already")
            return
        make_room(plan, settings)
        draw(job, plan)
        write_definitions(plan)
        if job.conf.sample.odd:
            job.counts["odd"] = len(files.write_odd(plan))
        mark(plan, settings, done=True)


def plan_of(conf: config.Conf) -> Plan:
    """What to draw; readings that are written must have a name to be imported under."""
    sample, ingest = conf.sample, conf.ingest
    for key, number in {"sample.products": sample.products, "sample.dim": sample.dim}.items():
        if number < 1:
            raise ConfigError(key, number, "at least 1")
    named = {
        "ingest.image_texts.ocr_schema": ingest.image_texts.ocr_schema,
        "ingest.image_features.feature_schema": ingest.image_features.feature_schema,
    }
    for key, schema in named.items():
        if (sample.features_only or sample.odd) and not schema:
            raise ConfigError(key, schema, "the schema that readings written by sample are given")
    return Plan(
        out=sample.out.rstrip("/"),
        truth=sample.truth.rstrip("/"),
        products=sample.products,
        seed=sample.seed,
        features_only=sample.features_only,
        ocr_schema=ingest.image_texts.ocr_schema,
        feature_schema=ingest.image_features.feature_schema,
        dim=sample.dim,
    )


def plan_settings(plan: Plan) -> dict[str, object]:
    """All that decides the bytes; schemas and size of features only where readings are written."""
    return {
        **({"dim": plan.dim} if plan.features_only else {}),
        "revision": files.REVISION,
        "products": plan.products,
        "seed": plan.seed,
        "features_only": plan.features_only,
        "schemas": [plan.ocr_schema, plan.feature_schema],
        "truth": plan.truth,
    }


def drawn(plan: Plan, settings: dict[str, object]) -> bool:
    """Whether the folder holds all that these settings draw."""
    return found(plan) == {**settings, "done": True} and exists(f"{plan.truth}/truth.parquet")


def make_room(plan: Plan, settings: dict[str, object]) -> None:
    """Clear what was drawn there with other settings; a folder that holds anything else is left alone."""
    filesystem, place = located(plan.out)
    if exists(plan.out) and filesystem.get_file_info(pafs.FileSelector(place)) and found(plan) is None:
        raise ConfigError("sample.out", plan.out, f"an empty folder, or one that was drawn before (with {MARKER})")
    for path in (plan.out, f"{plan.truth}/truth.parquet"):
        if exists(path):
            located(path)[0].delete_dir(located(path)[1])
    mark(plan, settings, done=False)


def draw(job: runs.Job, plan: Plan) -> None:
    """Write all parts, a Spark task each, saying how far it is."""
    written = job.spark.sparkContext.accumulator(0)
    parts = job.spark.range(0, plan.num_parts, 1, plan.num_parts)
    done = parts.mapInPandas(lambda frames: draw_parts(frames, plan=plan, written=written), schema=WRITTEN)
    with progress.ticking(job.name, "products", plan.products, lambda: int(written.value)):
        rows = done.collect()
    job.counts["drawn"] = sum(row.products for row in rows)
    job.counts["readings" if plan.features_only else "pictures"] = sum(row.pictures for row in rows)


def write_definitions(plan: Plan) -> None:
    """What the catalogue asks."""
    text = yaml.safe_dump(files.definition_rows(), sort_keys=False, width=110)
    _write_text(f"{plan.out}/definitions.yaml", text)


def mark(plan: Plan, settings: dict[str, object], *, done: bool) -> None:
    """Say what is drawn here, first as begun, last as done."""
    _write_text(f"{plan.out}/{MARKER}", json.dumps({**settings, "done": done}, indent=1))


def found(plan: Plan) -> dict[str, object] | None:
    """What the folder's marker says; None without one."""
    path = f"{plan.out}/{MARKER}"
    if not exists(path):
        return None
    filesystem, place = located(path)
    with filesystem.open_input_stream(place) as stream:
        content: dict[str, object] = json.loads(stream.read())
    return content


def exists(path: str) -> bool:
    """Whether a file or folder is there."""
    filesystem, place = located(path)
    return bool(filesystem.get_file_info(place).type != pafs.FileType.NotFound)


def _write_text(path: str, text: str) -> None:
    files.write(path, text.encode())


if __name__ == "__main__":
    main()
