"""S3: how the warehouse, the feeds and the leases reach it, and what its failures mean to an operator.

Credentials are no setting: both clients look for them where AWS's own tools do (environment, profile, instance role).
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import boto3
import botocore.config
from botocore.exceptions import BotoCoreError, ClientError
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException

from extractor.errors import BackendError, ConfigError

SCHEMES = ("s3a://", "s3://")
"""Addresses on S3; Spark knows the first."""
S3A = "spark.hadoop.fs.s3a."
CLIENT = botocore.config.Config(
    connect_timeout=5, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 4}
)
"""A lease is worth nothing when its renewal takes minutes."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """How S3 is reached, and how long a table's lease holds."""

    endpoint: str
    """Of an S3-compatible store, e.g. http://minio:9000; empty means AWS."""
    region: str
    """Of the buckets; empty leaves it to the AWS configuration."""
    jars: tuple[str, ...]
    """S3A's jars, loaded where conf names an s3a:// address; empty where the cluster has them."""
    lease_seconds: float
    """A lease that its owner has not renewed for so long may be taken over."""
    lease_wait_seconds: float
    """How long a job waits for a table that another one writes to."""

    def __post_init__(self) -> None:
        if self.lease_seconds < 1:  # the store tells whole seconds
            raise ConfigError("lease_seconds", self.lease_seconds, "at least 1")
        if self.lease_wait_seconds < 0:
            raise ConfigError("lease_wait_seconds", self.lease_wait_seconds, "at least 0")


def is_on_s3(address: str) -> bool:
    """Whether a path lies on S3."""
    return address.startswith(SCHEMES)


def hadoop(config: Config) -> dict[str, str]:
    """What S3A is told through Spark."""
    settings: dict[str, str] = {}
    if config.endpoint:
        is_secure = str(config.endpoint.startswith("https://")).lower()
        settings |= {"endpoint": config.endpoint, "path.style.access": "true", "connection.ssl.enabled": is_secure}
        settings |= {"endpoint.region": config.region or "us-east-1"}
    elif config.region:
        settings |= {"endpoint.region": config.region}
    return {f"{S3A}{key}": value for key, value in settings.items()}


def announce(config: Config) -> None:
    """Let MLflow's own client find the store; what the environment says already, wins."""
    if config.endpoint:
        os.environ.setdefault("MLFLOW_S3_ENDPOINT_URL", config.endpoint)


def check(confs: Mapping[str, str]) -> None:
    """Refuse what makes S3A create files without a look at what is there: commits would overwrite each other."""
    flags = confs.get(f"{S3A}performance.flags", "")
    for key, is_unsafe in {
        "performance.flags": "*" in flags or "create" in flags.replace(" ", "").split(","),
        "create.performance": confs.get(f"{S3A}create.performance", "false") == "true",
    }.items():
        if is_unsafe:
            expected = "none: Delta's log needs S3A to look before it creates (docs/decisions/0008-leases-on-s3.md)"
            raise ConfigError(f"spark.confs.{S3A}{key}", confs[f"{S3A}{key}"], expected)


def client(config: Config) -> Any:  # botocore makes its classes at run time
    """A client for small objects."""
    style = botocore.config.Config(s3={"addressing_style": "path" if config.endpoint else "auto"})
    region = config.region or ("us-east-1" if config.endpoint else None)
    endpoint = config.endpoint or None
    return boto3.client("s3", endpoint_url=endpoint, region_name=region, config=CLIENT.merge(style))


REFUSED = {
    "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "AccessDenied", "403",
    "AccessDeniedException", "NoAuthWithAWSException", "NoAwsCredentialsException", "CredentialInitializationException",
    "AllAccessDisabled", "Forbidden", "AWSBadRequestException", "NoCredentialsError", "PartialCredentialsError",
}  # fmt: skip
MISSING = {"NoSuchBucket", "UnknownStoreException"}
FAILING = {
    "500", "503", "SlowDown", "InternalError", "ServiceUnavailable", "Throttling", "RequestTimeout",
    "AWSStatus500Exception", "AWSServiceThrottledException", "AWSServiceIOException", "AWSApiCallTimeoutException",
    "AWSClientIOException", "EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError",
    "ConnectionClosedError",
}  # fmt: skip
"""How S3 and its clients name what can go wrong."""
_CLASS = re.compile(r"(?:org\.apache\.hadoop\.(?:fs\.s3a|net)\.|java\.nio\.file\.)(?:\w+\.)*(\w+Exception)")
_STATUS = re.compile(r"Status Code: (\d{3})")
_CODE = re.compile(r"\(?(?:ErrorCode|Error Code|Code)[:=] ?(\w+)|:(\w+): ")


def problem(error: Exception) -> BackendError | None:
    """What an error of Spark's or boto's means where S3 is to blame; None where it is not."""
    names = _names(error)
    if names & REFUSED:
        found = sorted(names & REFUSED - {"403"}) or ["403"]
        where = "credentials (wrong, expired, without the bucket?) come from the environment or the instance role"
        return BackendError("S3", f"refused ({', '.join(found)}); {where}")
    if names & MISSING:
        return BackendError("S3", "no such bucket; look at `warehouse` and the other addresses in conf")
    if names & FAILING:
        return BackendError("S3", f"does not serve ({', '.join(sorted(names & FAILING))})", retry=True)
    return None


def _names(error: Exception) -> set[str]:
    """The names that an error goes by, as far as they are S3's."""
    if isinstance(error, ClientError):
        return {error.response["Error"]["Code"], str(error.response["ResponseMetadata"].get("HTTPStatusCode"))}
    if isinstance(error, BotoCoreError):
        return {type(error).__name__}
    if isinstance(error, Py4JJavaError | PySparkException):
        said = str(error)
        classes = set(_CLASS.findall(said))
        if not classes or "s3" not in said.lower():
            return set()
        codes = {code for pair in _CODE.findall(said) for code in pair if code}
        return classes | set(_STATUS.findall(said)) | (codes & (REFUSED | MISSING | FAILING))
    return set()
