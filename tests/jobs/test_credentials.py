"""Secrets: refused in conf without being repeated, blotted out of messages."""

import pytest

from benchmarks.moto_store import KEY
from extractor.errors import ConfigError
from jobs import config, credentials

SECRET = KEY["AWS_SECRET_ACCESS_KEY"]


@pytest.mark.parametrize(
    ("setting", "key"),
    [
        (f'spark.confs={{"spark.hadoop.fs.s3a.secret.key": "{SECRET}"}}', "spark.confs.spark.hadoop.fs.s3a.secret.key"),
        (f'spark.confs={{"spark.hadoop.fs.s3a.access.key": "{SECRET}"}}', "spark.confs.spark.hadoop.fs.s3a.access.key"),
        (f'spark.confs={{"spark.ssl.keyPassword": "{SECRET}"}}', "spark.confs.spark.ssl.keyPassword"),
        (f"registry.tracking_uri=https://me:{SECRET.replace('/', '')}@mlflow.example", "registry.tracking_uri"),
        (f"s3.endpoint=http://me:{SECRET.replace('/', '')}@minio:9000", "s3.endpoint"),
    ],
)
def test_a_secret_in_conf_is_refused_by_its_key_and_not_repeated(setting, key):
    with pytest.raises(ConfigError) as caught:
        config.load([config.BASE], [setting])

    assert f"conf key '{key}': found 'a secret', expected none" in str(caught.value)
    assert SECRET not in str(caught.value)
    assert SECRET.replace("/", "") not in str(caught.value)


@pytest.mark.parametrize(
    "setting",
    [
        'spark.confs={"spark.hadoop.fs.s3a.aws.credentials.provider": "com.example.Provider"}',
        'spark.confs={"spark.hadoop.fs.s3a.secret.key": ""}',
        'ingest.products.attribute_columns={"secret ingredient": "Secret"}',
        "registry.tracking_uri=https://mlflow.example:5000/a@b",
        "registry.tracking_uri=postgresql://me@db/mlflow",
    ],
)
def test_what_is_no_secret_is_taken(setting):
    assert config.load([config.BASE], [setting])


def test_messages_say_the_name_of_a_secret_in_its_place(monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "x")

    told = credentials.redacted(f"signed by {SECRET}, at https://me:pass@host/x")

    assert told == "signed by <AWS_SECRET_ACCESS_KEY>, at https://me:<password>@host/x"
