"""Leases, crashes and many processes at once."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import threading
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from consent_kit import a_draft, a_request, sql
from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from consent.clock import FixedClock
from consent.errors import RefusedError, StorageError
from consent.home import Home
from consent.locks import FileLock
from consent.log import verify_proof
from consent.registry import Registry
from consent.registry.storage import ledger

SPAWN = multiprocessing.get_context("spawn")


def test_a_job_runs_once_at_a_time(registry: Registry, home: Home) -> None:
    given = registry.authorize(a_request())
    with registry.lease(given.id):
        with pytest.raises(RefusedError, match="already running"):
            registry.lease(given.id)
        with Registry.open(home) as other, pytest.raises(RefusedError, match="already running"):
            other.lease(given.id)
        assert registry.status().running_jobs == 1
    assert registry.status().running_jobs == 0


def test_a_job_that_ends_well_is_closed_and_one_that_fails_can_be_resumed(
    registry: Registry,
) -> None:
    given = registry.authorize(a_request())
    with pytest.raises(KeyboardInterrupt), registry.lease(given.id):
        raise KeyboardInterrupt
    assert registry.find_authorization("b" * 64) == given
    with registry.lease(given.id) as lease:
        lease.check()
    assert registry.find_authorization("b" * 64) is None
    with pytest.raises(RefusedError, match="closed"):
        lease.check()


def test_a_lease_renews_itself_while_work_goes_on(registry: Registry, clock: FixedClock) -> None:
    given = registry.authorize(a_request())
    with registry.lease(given.id) as lease:
        for _ in range(4):
            clock.advance(timedelta(days=5))
            lease._checked -= 2  # a second later
            lease._beat -= 60  # a minute later
            lease.check()


def test_what_an_earlier_run_left_without_a_file_is_abandoned_on_resume(
    registry: Registry,
) -> None:
    given = registry.authorize(a_request(minutes=2.0))
    lease = registry.lease(given.id)
    draft = a_draft(registry, given.id, minutes=2.0)
    registry.issue_receipt(draft)
    lease.release()
    assert [r.output_id for r in registry.pending_receipts()] == [draft.output_id]
    with registry.lease(given.id):
        assert registry.pending_receipts() == []
        registry.issue_receipt(a_draft(registry, given.id, minutes=2.0))


def test_recovery_leaves_a_running_job_alone(registry: Registry, home: Home) -> None:
    given = registry.authorize(a_request())
    lease = registry.lease(given.id)
    draft = a_draft(registry, given.id)
    registry.issue_receipt(draft)
    with Registry.open(home) as other:
        assert other.recover() == []
        lease.release()
        assert other.recover() == [draft.output_id]
        assert other.recover() == []


def test_a_job_on_another_machine_is_alive_while_it_is_heard_of(
    registry: Registry, home: Home, clock: FixedClock
) -> None:
    given = registry.authorize(a_request())
    lease = registry.lease(given.id)
    draft = a_draft(registry, given.id)
    registry.issue_receipt(draft)
    lease.release()
    sql(home, "UPDATE leases SET holder = 'another machine', released_at = NULL")
    assert registry.recover() == []
    with pytest.raises(RefusedError, match="another machine"):
        registry.lease(given.id)
    clock.advance(timedelta(minutes=6))
    assert registry.recover() == [draft.output_id]


def test_threads_share_a_registry(registry: Registry) -> None:
    given = registry.authorize(a_request(minutes=20.0))
    errors: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(3):
                draft = a_draft(registry, given.id, minutes=0.5)
                registry.issue_receipt(draft)
                registry.mark_sealed(draft.output_id, sha256="e" * 64, size=1, published_as="a")
        except BaseException as exc:
            errors.append(exc)

    with registry.lease(given.id):
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert errors == []
    assert registry.status().receipts == {"sealed": 12}
    assert registry.check().ok


def test_a_forked_child_does_not_keep_its_dead_parents_lock(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock")
    assert lock.acquire(timeout=0)
    held, let_go = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        os.write(held[1], b"x")
        os.read(let_go[0], 1)  # an orphaned worker that lives on
        os._exit(0)
    os.read(held[0], 1)
    other = FileLock(tmp_path / "lock")
    assert not other.acquire(timeout=0), "the parent still holds it"
    lock.release()
    assert other.acquire(timeout=0), "the child must not"
    other.release()
    os.write(let_go[1], b"x")
    os.waitpid(child, 0)


# -- Many processes ---------------------------------------------------------------------


def spend(root: str, authorization_id: str, gate: Any, results: Any) -> None:
    with Registry.open(Home.open(Path(root))) as registry:
        registry.authorize(a_request())
        gate.wait()
        for _ in range(3):
            try:
                draft = a_draft(registry, authorization_id, minutes=1.0)
                registry.issue_receipt(draft)
                registry.mark_sealed(draft.output_id, sha256="e" * 64, size=1, published_as="a")
                results.put("issued")
            except RefusedError as exc:
                results.put("refused" if "too many" in exc.message else exc.message)


@pytest.mark.slow
def test_sixteen_processes_cannot_overspend_one_authorization(home: Home) -> None:
    gate, results = SPAWN.Barrier(16), SPAWN.Queue()
    with Registry.open(home) as registry:
        given = registry.authorize(a_request(minutes=20.0))
        with registry.lease(given.id):
            workers = [
                SPAWN.Process(target=spend, args=(str(home.root), given.id, gate, results))
                for _ in range(16)
            ]
            for worker in workers:
                worker.start()
            outcome = Counter(results.get(timeout=120) for _ in range(48))
            for worker in workers:
                worker.join()
        assert outcome == {"issued": 22, "refused": 26}  # 20 minutes, 10 %, half a minute
        assert registry.check().ok
        assert registry.status().minutes == 22
        assert registry.status().authorizations == {"closed": 1, "issued": 16}


def open_first(root: str, gate: Any, tags: Any) -> None:
    gate.wait()
    with Registry.open(Home.open(Path(root))) as registry:
        tags.put((registry.registry_tag, registry.log.vkey))


def test_processes_that_open_a_new_home_together_agree(home: Home) -> None:
    gate, tags = SPAWN.Barrier(4), SPAWN.Queue()
    workers = [
        SPAWN.Process(target=open_first, args=(str(home.root), gate, tags)) for _ in range(4)
    ]
    for worker in workers:
        worker.start()
    assert len({tags.get(timeout=60) for _ in workers}) == 1
    for worker in workers:
        worker.join()
    with Registry.open(home) as registry:
        assert registry.log.checkpoint().size == 2
        assert registry.check().ok


# -- Crashes ----------------------------------------------------------------------------


def die_between_log_and_database(root: str, authorization_id: str, step: str) -> None:
    """Die in the one place where the two stores differ: logged, not yet in the database."""
    registry = Registry.open(Home.open(Path(root)))
    registry.lease(authorization_id)
    draft = a_draft(registry, authorization_id, minutes=2.0)
    if step != "receipt":
        registry.issue_receipt(draft)
    ledger._project = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    if step == "receipt":
        registry.issue_receipt(draft)
    elif step == "sealed":
        registry.mark_sealed(draft.output_id, sha256="e" * 64, size=9, published_as="a.m4b")
    else:
        registry.abandon(draft.output_id, "no more")


@pytest.mark.parametrize(
    ("step", "state", "left"), [("receipt", "issued", 0.7), ("sealed", "sealed", 0.7),
                                ("abandoned", "abandoned", 2.7)]
)  # fmt: skip
def test_what_was_logged_when_the_process_died_is_taken_in_once(
    home: Home, step: str, state: str, left: float
) -> None:
    with Registry.open(home) as registry:
        given = registry.authorize(a_request(minutes=2.0))
        child = SPAWN.Process(
            target=die_between_log_and_database, args=(str(home.root), given.id, step)
        )
        child.start()
        child.join()
        assert child.exitcode == -signal.SIGKILL
        assert not registry.check().ok  # behind the log
    for _ in range(2):
        with Registry.open(home) as registry:
            assert registry.check().ok
            (output_id,) = {
                json.loads(e)["output_id"] for e in registry.log.entries() if b"output_id" in e
            }
            receipt = registry.receipt(output_id)
            assert receipt is not None
            assert receipt.state == state
            assert registry.minutes_left(given.id) == pytest.approx(left)
    with Registry.open(home) as registry:
        assert registry.recover() == ([output_id] if step == "receipt" else [])
        assert registry.minutes_left(given.id) == pytest.approx(0.7 if step == "sealed" else 2.7)
        assert registry.check().ok


def test_a_database_that_fails_after_the_log_was_written_is_brought_up_next_time(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = registry.authorize(a_request(minutes=2.0))
    lease = registry.lease(given.id)
    lost = a_draft(registry, given.id, minutes=2.0)

    def full(_session: Session) -> None:
        raise OperationalError("COMMIT", {}, Exception("database or disk is full"))

    with monkeypatch.context() as patch:
        patch.setattr(Session, "commit", full)
        with pytest.raises(StorageError, match="disk is full"):
            registry.issue_receipt(lost)
    assert registry.receipt(lost.output_id) is None
    with pytest.raises(RefusedError, match=r"2\.00 are used"):
        registry.issue_receipt(a_draft(registry, given.id, minutes=2.0))
    receipt = registry.receipt(lost.output_id)
    assert receipt is not None
    verify_proof(receipt.tlog_proof, receipt.leaf_json, registry.log.vkey)
    registry.abandon(lost.output_id, "never written")
    registry.issue_receipt(a_draft(registry, given.id, minutes=2.0))
    lease.release()
    assert registry.check().ok


def work_until_killed(root: str, authorization_id: str, beat: Any) -> None:
    with Registry.open(Home.open(Path(root))) as registry, registry.lease(authorization_id):
        while True:
            draft = a_draft(registry, authorization_id, minutes=0.1)
            registry.issue_receipt(draft)
            beat.value += 1
            if draft.output_id[-1] in "0123":
                registry.abandon(draft.output_id, "a change of mind")
            else:
                registry.mark_sealed(draft.output_id, sha256="e" * 64, size=1, published_as="a")


def test_killed_at_any_moment_nothing_is_lost_or_counted_twice(home: Home) -> None:
    rng = random.Random(7)
    with Registry.open(home) as registry:
        given = registry.authorize(a_request(minutes=10_000.0))
    for _ in range(6):
        beat = SPAWN.Value("i", 0)
        child = SPAWN.Process(target=work_until_killed, args=(str(home.root), given.id, beat))
        child.start()
        while beat.value == 0:
            assert child.is_alive()
            time.sleep(0.001)
        time.sleep(rng.random() * 0.15)
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        with Registry.open(home) as registry:
            registry.recover()
            assert registry.pending_receipts() == []
            report = registry.check()
            assert report.problems == ()
            logged = Counter(json.loads(e)["kind"] for e in registry.log.entries())
            assert logged["receipt"] == logged["sealed"] + logged["abandoned"]
            used = given.allowed_ms / 60_000 - registry.minutes_left(given.id)
            assert used == pytest.approx(0.1 * logged["sealed"])
    with Registry.open(home) as registry, registry.lease(given.id):
        registry.issue_receipt(a_draft(registry, given.id))
