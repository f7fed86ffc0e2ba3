"""S3 as jobs see it: what Spark is told, what is refused, and what failures mean."""

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from extractor.errors import ConfigError
from jobs import config, s3

FILES = [config.BASE, "conf/local.yaml"]
S3A = "spark.hadoop.fs.s3a."


def failed(code: str, status: int) -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "PutObject")


def test_a_warehouse_on_s3_brings_its_jars_and_is_told_where_the_store_is():
    conf = config.load(FILES, ["warehouse=s3a://shop/w", "s3.endpoint=http://minio:9000"])

    assert conf.spark.jars == (*config.load(FILES).spark.jars, *conf.s3.jars)
    assert {key: value for key, value in conf.spark.confs.items() if key.startswith(S3A)} == {
        f"{S3A}endpoint": "http://minio:9000",
        f"{S3A}endpoint.region": "us-east-1",
        f"{S3A}path.style.access": "true",
        f"{S3A}connection.ssl.enabled": "false",
    }
    assert conf.read_images.limits.s3_endpoint == "http://minio:9000"


def test_a_feed_on_s3_is_enough_and_the_operators_own_settings_win():
    conf = config.load(FILES, ["ingest.products.path=s3a://feeds/*.jsonl", "s3.region=eu-west-1", "spark.jars=[]",
                               f'spark.confs={{"{S3A}endpoint.region": "eu-north-1"}}'])  # fmt: skip

    assert conf.spark.confs[f"{S3A}endpoint.region"] == "eu-north-1"
    assert conf.spark.jars == ()


def test_nothing_of_s3_is_loaded_where_nothing_lies_there():
    conf = config.load(FILES)

    assert not any("s3a" in key for key in conf.spark.confs)
    assert not set(conf.spark.jars) & set(conf.s3.jars)


@pytest.mark.parametrize(
    ("key", "value"),
    [("performance.flags", "*"), ("performance.flags", "mkdir, create"), ("create.performance", "true")],
)
def test_creating_files_without_a_look_is_refused(key, value):
    setting = f'spark.confs={{"{S3A}{key}": "{value}"}}'

    with pytest.raises(ConfigError) as caught:
        config.load(FILES, ["warehouse=s3a://shop/w", setting])

    assert str(caught.value).startswith(f"conf key 'spark.confs.{S3A}{key}': found '{value}', expected none: Delta's")


@pytest.mark.parametrize("seconds", ["lease_seconds=0.5", "lease_wait_seconds=-1"])
def test_a_lease_has_a_time(seconds):
    with pytest.raises(ConfigError, match=r"s3\.lease"):
        config.load(FILES, [f"s3.{seconds}"])


@pytest.mark.parametrize(
    ("error", "says", "retry"),
    [
        (failed("InvalidAccessKeyId", 403), "S3: refused (InvalidAccessKeyId); credentials (wrong, expired", False),
        (failed("ExpiredToken", 400), "S3: refused (ExpiredToken)", False),
        (failed("NoSuchBucket", 404), "S3: no such bucket", False),
        (failed("SlowDown", 503), "S3: does not serve (503, SlowDown)", True),
        (NoCredentialsError(), "S3: refused (NoCredentialsError)", False),
        (EndpointConnectionError(endpoint_url="http://x"), "S3: does not serve (EndpointConnectionError)", True),
    ],
)
def test_failures_say_whose_they_are_and_whether_again_may_help(error, says, retry):
    problem = s3.problem(error)

    assert problem is not None
    assert str(problem).startswith(says)
    assert problem.retry is retry


def test_other_errors_are_none_of_s3():
    assert s3.problem(ValueError("Status Code: 503")) is None
