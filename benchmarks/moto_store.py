"""A real server of S3's protocol on this machine (moto), for benchmarks and tests."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import boto3
from moto.server import ThreadedMotoServer

KEY = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLEEXAMPLE00", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMIexamplesecret/value"}
"""Goes into the environment of jobs; no message may hold it."""
BUCKET = "shop"


class Store(NamedTuple):
    """A server and its address."""

    endpoint: str

    def client(self) -> Any:  # boto makes its classes at run time
        """A client with the credentials of KEY."""
        secrets = {"aws_access_key_id": KEY["AWS_ACCESS_KEY_ID"], "aws_secret_access_key": KEY["AWS_SECRET_ACCESS_KEY"]}
        return boto3.client("s3", endpoint_url=self.endpoint, region_name="us-east-1", **secrets)

    def keys(self, prefix: str = "") -> list[str]:
        """The names of its objects."""
        pages = self.client().get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def upload(self, folder: Path, prefix: str) -> None:
        """Copy a folder's files."""
        client = self.client()
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            client.upload_file(str(file), BUCKET, f"{prefix}/{file.relative_to(folder)}")

    def environment(self) -> dict[str, str]:
        """What a job on this store finds in its environment."""
        return os.environ | KEY | {"AWS_EC2_METADATA_DISABLED": "true"}

    def reader(self) -> dict[str, str]:
        """What delta-rs needs to know of it."""
        plain = {"AWS_ENDPOINT_URL": self.endpoint, "AWS_REGION": "us-east-1", "AWS_ALLOW_HTTP": "true"}
        return KEY | plain


@contextmanager
def moto() -> Iterator[Store]:
    """A store with one empty bucket."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # no line a request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        store = Store(f"http://{host}:{port}")
        store.client().create_bucket(Bucket=BUCKET)
        yield store
    finally:
        server.stop()
