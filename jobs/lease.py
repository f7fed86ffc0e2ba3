"""A lease on a table on S3: one driver writes at a time, a dead one blocks nobody for long, a late one is told.

A lease is an object beside the tables, `_leases/<table>`. Whoever makes it (`If-None-Match: *`) or replaces it
(`If-Match` on its ETag) owns it; a replacement fails where anybody else replaced it in between, so there is one owner.
The owner replaces it every third of its time. It may be taken over when that has not happened for its time, which is
measured by the store's own clock (`Date` less `Last-Modified` of one answer): no driver's clock counts. To let go is to
replace it by one that holds for no time. docs/decisions/0008-leases-on-s3.md says what this promises and what not.
"""

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

from extractor.errors import BackendError, CatalogError, ContractError
from jobs import s3

FOLDER = "_leases"
MARGIN = 2.0
"""Seconds that a contender adds: the store tells whole seconds."""
POLL = 1.0
"""Mean seconds between two looks at a lease that somebody else holds."""
TELL = 30.0
"""Seconds between two lines about waiting."""
TAKEN = (409, 412)
"""What a conditional write is answered when somebody else wrote: at the same time, or before."""


class Seen(NamedTuple):
    """A lease as the store has it."""

    etag: str
    age: float
    """Seconds since it was written, by the store's clock."""
    owner: str
    token: str
    """Of the lease that wrote it."""
    number: int
    """Of the write."""
    seconds: float
    """How long it holds; 0 when it was let go."""

    @property
    def is_free(self) -> bool:
        """Whether it was let go or its owner fell silent."""
        return self.seconds == 0 or self.age >= self.seconds + MARGIN


class Lease:
    """One lease in one driver's hands; made by `Leases.hold`."""

    def __init__(self, client: Any, bucket: str, key: str, owner: str, seconds: float) -> None:  # boto's client
        self.client, self.bucket, self.key, self.owner, self.seconds = client, bucket, key, owner, seconds
        self.token = uuid4().hex
        self.num_writes = 0
        self.etag: str | None = None
        self.lost: str | None = None
        """Why it is no longer ours; None while it is."""
        self._renewed = 0.0
        self._lock = threading.Lock()

    def acquire(self) -> Seen | None:
        """Take it, and return None; where somebody has it, what was seen of it."""
        while True:
            seen = self.look()
            if seen is not None and not seen.is_free:
                return seen
            if self._write(self.seconds, seen.etag if seen else None):
                return None

    def check(self) -> None:
        """Ask the store whether it is ours still, which renews it; a BackendError where it is not."""
        with self._lock:
            if self.lost is None and not self._write(self.seconds, self.etag):
                seen = self.look()
                self.lost = (
                    f"{seen.owner if seen else 'somebody'} took it over, after {self._silence():.0f} s of silence"
                )
            if self.lost is not None:
                raise self.loss()

    def keep(self) -> None:
        """One beat: renew it; where the store does not answer for its whole time, it is lost."""
        try:
            self.check()
        except (ClientError, BotoCoreError) as error:
            if self._silence() > self.seconds:
                self.lost = f"S3 did not answer for {self._silence():.0f} s ({type(error).__name__})"
        except CatalogError as error:
            self.lost = self.lost or str(error)

    def release(self) -> None:
        """Let go, if it is ours; where the store fails it runs out by itself."""
        with self._lock:
            if self.lost is None and self.etag is not None:
                self.lost = "it was let go"
                with suppress(ClientError, BotoCoreError):
                    self._write(0, self.etag)

    def loss(self) -> BackendError:
        """That it was lost, as an error."""
        return BackendError(f"lease of table {self.name}", f"lost: {self.lost}", retry=True)

    @property
    def name(self) -> str:
        """The table."""
        return self.key.rpartition("/")[2]

    def _silence(self) -> float:
        """Seconds since the last renewal was sent off."""
        return time.monotonic() - self._renewed

    def prove(self) -> None:
        """Fail where the store takes no notice of conditions: every lease would be everybody's."""
        try:
            self._put({"number": self.num_writes, "seconds": self.seconds}, IfNoneMatch="*")
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] in TAKEN:
                return
            raise
        expected = "one that honours If-None-Match: without it two drivers cannot write to one warehouse"
        raise ContractError("the store behind s3.endpoint", "one that overwrites whatever the condition", expected)

    def _write(self, seconds: float, etag: str | None) -> bool:
        """Replace what has this ETag, or make what is not there; False where somebody else did."""
        self.num_writes += 1  # never twice the same content, so every write has an ETag of its own
        written = {"number": self.num_writes, "seconds": seconds}
        sent = time.monotonic()
        try:
            self.etag = self._put(written, **({"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}))
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] not in (*TAKEN, 404):
                raise
            seen = self.look()
            if seen is None or seen.token != self.token:
                return False
            self.etag = seen.etag  # our own write landed and its answer was lost: this one's, or one before it
            if seen.number != self.num_writes:
                return self._write(seconds, seen.etag)
        self._renewed = sent
        return True

    def _put(self, written: dict[str, Any], **condition: str) -> str:  # numbers
        """Write under a condition; returns the ETag."""
        body = json.dumps({"owner": self.owner, "token": self.token, **written}).encode()
        return str(self.client.put_object(Bucket=self.bucket, Key=self.key, Body=body, **condition)["ETag"])

    def look(self) -> Seen | None:
        """What is there now; None: nothing."""
        try:
            answer = self.client.get_object(Bucket=self.bucket, Key=self.key)
        except self.client.exceptions.NoSuchKey:
            return None
        content = answer["Body"].read()
        age = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"]) - answer["LastModified"]
        try:
            told = json.loads(content)
            return Seen(
                answer["ETag"], age.total_seconds(), str(told["owner"]), str(told["token"]),
                int(told["number"]), float(told["seconds"]),
            )  # fmt: skip
        except (ValueError, KeyError, TypeError) as error:
            thing = f"lease s3://{self.bucket}/{self.key}"
            raise ContractError(thing, repr(content[:80]), "what jobs/lease.py writes") from error


class Leases:
    """The leases of one driver on the tables of one warehouse."""

    def __init__(self, config: s3.Config, root: str, owner: str, say: Callable[[str], None]) -> None:
        """`root` is the warehouse's address, `owner` what others are told, `say` tells the operator."""
        self.config, self.owner, self.say = config, owner, say
        self.client = s3.client(config)
        self.bucket, _, prefix = root.partition("://")[2].rstrip("/").partition("/")
        self.prefix = f"{prefix}/{FOLDER}" if prefix else FOLDER
        self._held: dict[str, Lease] = {}
        self._is_proven = False

    @contextmanager
    def hold(self, table: str, *, on_loss: Callable[[], None] = lambda: None) -> Iterator[Lease]:
        """Own a table's lease while the body runs; `on_loss` is called, once, from a thread, when it was lost.

        Waits for whoever owns it, at most `lease_wait_seconds`. A body within a body of the same table uses its lease.
        """
        if table in self._held:
            yield self._held[table]
            return
        lease = Lease(self.client, self.bucket, f"{self.prefix}/{table}", self.owner, self.config.lease_seconds)
        try:
            self._acquire(lease)
            if not self._is_proven:
                lease.prove()
                self._is_proven = True
            self._held[table] = lease
            with _beating(lease, on_loss):
                yield lease
                lease.check()
        except (ClientError, BotoCoreError) as error:
            raise (s3.problem(error) or BackendError("S3", type(error).__name__)) from error
        finally:
            self._held.pop(table, None)
            lease.release()

    def held_by_anybody(self) -> Iterator[tuple[str, Seen]]:
        """The tables that somebody writes to now."""
        try:
            pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=f"{self.prefix}/")
            for key in sorted(found["Key"] for page in pages for found in page.get("Contents", ())):
                lease = Lease(self.client, self.bucket, key, self.owner, self.config.lease_seconds)
                seen = lease.look()
                if seen is not None and not seen.is_free:
                    yield lease.name, seen
        except (ClientError, BotoCoreError) as error:
            raise (s3.problem(error) or BackendError("S3", type(error).__name__)) from error

    def _acquire(self, lease: Lease) -> None:
        start, told = time.monotonic(), float("-inf")
        while (seen := lease.acquire()) is not None:
            waited = time.monotonic() - start
            if waited >= self.config.lease_wait_seconds:
                found = f"{seen.owner} holds it and renewed it {seen.age:.0f} s ago; waited {waited:.0f} s"
                raise BackendError(f"lease of table {lease.name}", found, retry=True)
            if waited - told >= TELL:
                self.say(f"waits for table {lease.name}, which {seen.owner} writes to")
                told = waited
            time.sleep(random.uniform(0.5, 1.5) * POLL)


@contextmanager
def _beating(lease: Lease, on_loss: Callable[[], None]) -> Iterator[None]:
    """Renew a lease in a thread while the body runs."""
    stop = threading.Event()

    def beat() -> None:
        while not stop.wait(lease.seconds / 3):
            lease.keep()
            if lease.lost is not None:
                on_loss()
                return

    thread = threading.Thread(target=beat, name=f"lease-{lease.name}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
