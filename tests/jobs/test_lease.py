"""Leases against a real S3 server: one owner at a time, whoever dies, pauses, is slow, or loses an answer."""

import threading
import time
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from benchmarks.moto_store import BUCKET, KEY, moto
from extractor.errors import BackendError, ContractError
from jobs import s3
from jobs.lease import MARGIN, Lease, Leases
from tests.s3.faults import Fault, Faulty, Request, faulty

ROOT = f"s3a://{BUCKET}/warehouse"


@pytest.fixture(scope="module")
def proxy() -> Iterator[Faulty]:
    with moto() as store, faulty(store) as proxy:
        yield proxy


@pytest.fixture(autouse=True)
def credentials(monkeypatch, proxy):
    proxy.plan()
    for name, value in KEY.items():
        monkeypatch.setenv(name, value)


def leases(proxy: Faulty, owner: str, *, seconds: float = 30, wait: float = 0, told: list[str] | None = None) -> Leases:
    config = s3.Config(
        endpoint=proxy.store.endpoint, region="", jars=(), lease_seconds=seconds, lease_wait_seconds=wait
    )
    return Leases(config, ROOT, owner, ([] if told is None else told).append)


def lease(proxy: Faulty, owner: str, name: str, seconds: float = 1) -> Lease:
    return Lease(leases(proxy, owner).client, BUCKET, f"warehouse/_leases/{name}", owner, seconds)


def is_write(request: Request) -> bool:
    return request.method == "PUT"


def test_one_driver_owns_a_table_and_the_next_one_is_told_who(proxy):
    with leases(proxy, "night-1").hold("products"):
        with pytest.raises(BackendError, match=r"lease of table products: night-1 holds it and renewed it .* s ago"):
            leases(proxy, "backfill-1").hold("products").__enter__()
        with leases(proxy, "backfill-1").hold("gates"):
            pass  # another table

    with leases(proxy, "backfill-1").hold("products") as mine:
        assert mine.lost is None


def test_who_holds_what_is_told_and_what_was_let_go_is_not(proxy):
    with leases(proxy, "night-1").hold("held"), leases(proxy, "night-2").hold("freed"):
        pass
    with leases(proxy, "night-1").hold("held"):
        found = dict(leases(proxy, "status").held_by_anybody())

    assert {table: seen.owner for table, seen in found.items() if table in ("held", "freed")} == {"held": "night-1"}


def test_whoever_waits_is_let_in_when_the_owner_lets_go_and_says_that_it_waits(proxy):
    told: list[str] = []
    owner = leases(proxy, "night-1").hold("waited")
    owner.__enter__()
    threading.Timer(1.5, owner.__exit__, (None, None, None)).start()

    with leases(proxy, "backfill-1", wait=20, told=told).hold("waited") as mine:
        mine.check()

    assert told == ["waits for table waited, which night-1 writes to"]


def test_of_many_at_once_each_is_alone(proxy):
    inside, most = [], []

    def work(name: str) -> None:
        with leases(proxy, name, wait=60).hold("crowded"):
            inside.append(name)
            most.append(len(inside))
            time.sleep(0.05)
            inside.remove(name)

    threads = [threading.Thread(target=work, args=(f"driver-{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert most == [1, 1, 1, 1]


def test_a_body_within_a_body_uses_the_same_lease(proxy):
    mine = leases(proxy, "night-1")

    with mine.hold("nested") as outer, mine.hold("nested") as inner:
        assert inner is outer
    assert outer.lost == "it was let go"


@pytest.mark.s3
def test_a_dead_owner_is_followed_after_its_time_and_not_before(proxy):
    dead = lease(proxy, "night-1", "dead", seconds=1)
    assert dead.acquire() is None  # and nobody renews it
    start = time.monotonic()

    with leases(proxy, "night-2", wait=20).hold("dead"):
        waited = time.monotonic() - start

    assert 1 < waited < 1 + MARGIN + 4


@pytest.mark.s3
def test_an_owner_that_works_longer_than_its_time_keeps_its_lease_by_beating(proxy):
    with leases(proxy, "slow", seconds=1).hold("slow") as mine:
        time.sleep(1 + MARGIN + 1.5)
        with pytest.raises(BackendError, match="slow holds it"):
            leases(proxy, "fast").hold("slow").__enter__()
        mine.check()


@pytest.mark.s3
def test_a_paused_owner_that_wakes_up_is_told_before_it_commits(proxy):
    paused = lease(proxy, "paused", "paused", seconds=1)
    assert paused.acquire() is None
    time.sleep(1 + MARGIN + 1)
    with leases(proxy, "next").hold("paused") as mine:
        with pytest.raises(BackendError, match=r"lease of table paused: lost: next took it over, after . s of silence"):
            paused.check()

        paused.release()  # takes nothing from whoever owns it now
        mine.check()
    with pytest.raises(BackendError, match="lost"):
        paused.check()


def test_an_owner_whose_lease_was_taken_hears_of_it_while_it_works(proxy):
    heard = threading.Event()
    thief = lease(proxy, "thief", "robbed")

    def work() -> None:
        with leases(proxy, "owner", seconds=1).hold("robbed", on_loss=heard.set) as mine:
            thief._write(60, mine.etag)
            assert heard.wait(5)

    with pytest.raises(BackendError, match="thief took it over"):
        work()


@pytest.mark.s3
@pytest.mark.parametrize(
    "fault", [Fault(is_write, 1, status=503), Fault(is_write, 1, status=500), Fault(is_write, 1, drop=True)]
)
def test_a_store_that_fails_once_or_loses_its_answer_changes_nothing(proxy, fault):
    name = f"failing-{fault.status}"
    with leases(proxy, "other").hold(name):
        pass  # so that taking it is a replacement
    proxy.plan(fault)

    with leases(proxy, "night-1").hold(name) as mine:
        proxy.plan(fault)
        mine.check()
        assert len(proxy.happened) == 1
        with pytest.raises(BackendError, match="night-1 holds it"):
            leases(proxy, "night-2").hold(name).__enter__()


def test_an_answer_that_was_lost_when_the_lease_was_made_is_no_other_owner(proxy):
    proxy.plan(Fault(is_write, 1, drop=True))

    with leases(proxy, "night-1").hold("made-once") as mine:
        mine.check()

    assert len(proxy.happened) == 1


@pytest.mark.s3
def test_a_store_that_is_away_for_longer_than_the_lease_ends_it(proxy):
    heard = threading.Event()

    def work() -> None:
        with leases(proxy, "night-1", seconds=1).hold("away", on_loss=heard.set):
            proxy.plan(Fault(lambda request: True, 1000, status=503))
            assert heard.wait(30)

    with pytest.raises(BackendError, match=r"lease of table away: lost: S3 did not answer for \d+ s"):
        work()


def test_refused_credentials_are_named_without_being_told(proxy):
    proxy.plan(Fault(lambda request: True, 1000, status=403))

    with pytest.raises(BackendError) as caught:
        leases(proxy, "night-1").hold("refused").__enter__()

    assert "S3: refused (AccessDenied); credentials (wrong, expired" in str(caught.value)
    assert not any(secret in str(caught.value) for secret in KEY.values())


def test_a_renewal_whose_answers_were_all_lost_is_still_ours(proxy):
    mine = lease(proxy, "night-1", "all-lost", seconds=30)
    assert mine.acquire() is None
    proxy.plan(Fault(is_write, 1, drop=True), Fault(is_write, 3, status=503))
    with pytest.raises(ClientError, match="SlowDown"):
        mine.check()
    proxy.plan()

    mine.check()

    assert mine.lost is None


def test_a_store_that_takes_no_notice_of_conditions_is_refused(proxy):
    proxy.plan(Fault(is_write, 1000, without="if-none-match"))

    with pytest.raises(ContractError, match="found one that overwrites whatever the condition, expected one that hon"):
        leases(proxy, "night-1").hold("careless").__enter__()


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"owner": "a", "token": "b", "number": 1, "seconds": "x"}'])
def test_an_object_that_is_no_lease_is_named(proxy, content):
    proxy.store.client().put_object(Bucket=BUCKET, Key="warehouse/_leases/odd", Body=content)

    with pytest.raises(ContractError, match="lease s3://shop/warehouse/_leases/odd: found b'"):
        leases(proxy, "night-1").hold("odd").__enter__()
