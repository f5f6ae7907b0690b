"""The minutes of a grant: held, used, given back, and never one too many."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import tempfile
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from consent_kit import NOON, snapshot
from grants_kit import ANNA, Stage
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from postgres_kit import POSTGRES
from sqlmodel import select

from consent.clock import FixedClock
from consent.errors import InputError, RefusedError
from consent.home import Home
from consent.registry import Denied, Lease, Registry
from consent.registry.job.records import START_WITHIN, Receipt
from consent.registry.storage import ledger
from consent.registry.storage.tables import GrantRow, ReservationRow

SPAWN = multiprocessing.get_context("spawn")
# Thirty-two interpreters would take a minute to start; no registry is open when they fork.
FORK = multiprocessing.get_context("fork")


@pytest.fixture
def stage(registry: Registry) -> Stage:
    return Stage(registry)


def held_minutes(registry: Registry, grant_id: str) -> float:
    """What open reservations hold of a grant and have not used."""
    with registry._core.database.read() as session:
        rows = session.exec(select(ReservationRow).where(ReservationRow.grant_id == grant_id))
        return sum(r.reserved_ms - r.used_ms for r in rows if not r.released) / 60_000


def test_minutes_that_are_held_cannot_be_held_twice(stage: Stage) -> None:
    grant = stage.grant(minutes=20)
    stage.registry.authorize(stage.request(minutes=10.0))  # holds 11.5
    with pytest.raises(Denied, match=r"has 8\.5 minutes left; this job needs 10") as caught:
        stage.registry.authorize(stage.request(minutes=10.0))
    assert caught.value.rules == ("base/minutes",)
    stage.registry.authorize(stage.request(minutes=8.5))
    assert held_minutes(stage.registry, grant.id) == pytest.approx(20)


def test_the_tolerance_ends_where_the_grant_ends(stage: Stage) -> None:
    stage.grant(minutes=10)
    given = stage.registry.authorize(stage.request(minutes=10.0))
    assert given.grants[0].reserved_ms == 600_000
    with stage.registry.lease(given.id):
        stage.seal(given.id, minutes=9.5)
        with pytest.raises(RefusedError, match=r"9\.50 are used; 0\.60 more are too many"):
            stage.registry.issue_receipt(stage.draft(given.id, minutes=0.6))
        stage.seal(given.id, minutes=0.5)
    assert stage.registry.check().ok


def test_a_grant_without_a_limit_counts_all_the_same(stage: Stage) -> None:
    grant = stage.grant(minutes=None)
    for _ in range(2):
        given = stage.registry.authorize(stage.request(minutes=1000.0))
        with stage.registry.lease(given.id):
            stage.seal(given.id, minutes=900.0)
    assert stage.used_minutes(grant.id) == 1800
    assert stage.registry.check().ok


def test_closing_gives_back_what_was_not_used(stage: Stage) -> None:
    grant = stage.grant(minutes=20)
    given = stage.registry.authorize(stage.request(minutes=10.0))
    with stage.registry.lease(given.id):
        stage.seal(given.id, minutes=2.0)
    assert held_minutes(stage.registry, grant.id) == 0
    assert stage.used_minutes(grant.id) == 2
    stage.registry.authorize(stage.request(minutes=18.0))


def test_closing_without_any_output_gives_everything_back(stage: Stage) -> None:
    grant = stage.grant(minutes=20)
    given = stage.registry.authorize(stage.request(minutes=20.0))
    stage.registry.lease(given.id).close()
    assert (held_minutes(stage.registry, grant.id), stage.used_minutes(grant.id)) == (0, 0)
    stage.registry.authorize(stage.request(minutes=20.0))


def test_taking_an_authorization_back_gives_its_minutes_back(stage: Stage) -> None:
    grant = stage.grant(minutes=10)
    given = stage.registry.authorize(stage.request(minutes=10.0))
    stage.registry.revoke(given.id, "another book comes first")
    assert held_minutes(stage.registry, grant.id) == 0
    stage.registry.authorize(stage.request(minutes=10.0))


def test_a_job_that_was_never_started_gives_its_minutes_back_to_who_asks_next(
    stage: Stage, clock: FixedClock
) -> None:
    stage.grant(minutes=10)
    stage.registry.authorize(stage.request(minutes=10.0))
    clock.advance(START_WITHIN - timedelta(seconds=1))
    with pytest.raises(Denied):
        stage.registry.authorize(stage.request(minutes=10.0))
    clock.advance(timedelta(minutes=2))
    stage.registry.authorize(stage.request(minutes=10.0))
    assert stage.registry.check().ok


def test_a_job_that_fell_silent_gives_its_minutes_back_and_can_use_none(
    stage: Stage, clock: FixedClock
) -> None:
    grant = stage.grant(minutes=10)
    silent = stage.registry.authorize(stage.request(minutes=10.0))
    lease = stage.registry.lease(silent.id)
    stage.seal(silent.id, minutes=3.0)
    clock.advance(timedelta(days=7, minutes=2))
    given = stage.registry.authorize(stage.request(minutes=7.0))
    with pytest.raises(RefusedError, match="silent since"):
        stage.registry.issue_receipt(stage.draft(silent.id))
    lease.release()
    with stage.registry.lease(given.id):
        stage.seal(given.id, minutes=7.0)
    assert stage.used_minutes(grant.id) == 10
    assert stage.registry.check().ok


def test_an_output_abandoned_after_the_job_was_closed_gives_its_minutes_back_once(
    stage: Stage,
) -> None:
    grant = stage.grant(minutes=10)
    given = stage.registry.authorize(stage.request(minutes=10.0))
    with stage.registry.lease(given.id):
        output_id = stage.seal(given.id, minutes=4.0)
    for _ in range(2):
        stage.registry.abandon(output_id, "the rename failed")
        assert stage.used_minutes(grant.id) == 0
    assert stage.registry.check().ok


def test_minutes_cannot_be_lost_in_silence(stage: Stage) -> None:
    """A file in a person's voice has somebody's minutes in it."""
    stage.grant()
    given = stage.registry.authorize(stage.request(minutes=10.0))
    with stage.registry.lease(given.id):
        draft = stage.draft(given.id, minutes=1.0, duration_s=8 * 60)
        with pytest.raises(InputError, match=r"speak 1\.00 minutes in a file of 8\.00"):
            stage.registry.issue_receipt(draft)


# -- A model of the counters ------------------------------------------------------------


class Minutes(RuleBasedStateMachine):
    """Any order of jobs, receipts and endings; the counters are those of a simple model."""

    granted = 30

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.clock = FixedClock(NOON)
        self.registry = Registry.open(Home.open(Path(self.folder.name)), clock=self.clock)
        self.stage = Stage(self.registry)
        self.grant = self.stage.grant(minutes=self.granted)
        self.held: dict[str, int] = {}  # by authorization: what it may use, in milliseconds
        self.spent: dict[str, dict[str, int]] = {}  # by authorization and output
        self.ended: set[str] = set()
        self.leases: dict[str, Lease] = {}
        self.sealed: set[str] = set()

    def teardown(self) -> None:
        for lease in self.leases.values():
            lease.release()
        self.registry.close()
        self.folder.cleanup()

    def used(self) -> int:
        return sum(sum(outputs.values()) for outputs in self.spent.values())

    def open_ms(self) -> int:
        return sum(
            held - sum(self.spent[owner].values())
            for owner, held in self.held.items()
            if owner not in self.ended
        )

    def left(self) -> int:
        return self.granted * 60_000 - self.used() - self.open_ms()

    def running(self) -> list[str]:
        return sorted(self.leases)

    @rule(minutes=st.integers(1, 20))
    def authorize(self, minutes: int) -> None:
        wanted = minutes * 60_000
        request = self.stage.request(minutes=float(minutes))
        if wanted > self.left():
            with pytest.raises(Denied):
                self.registry.authorize(request)
            return
        given = self.registry.authorize(request)
        self.held[given.id] = min(round(wanted * 1.1) + 30_000, self.left())
        self.spent[given.id] = {}
        assert given.grants[0].reserved_ms == self.held[given.id]
        self.leases[given.id] = self.registry.lease(given.id)

    @rule(minutes=st.integers(1, 12), pick=st.integers(0, 9), seal=st.booleans())
    def receipt(self, minutes: int, pick: int, seal: bool) -> None:
        if not self.leases:
            return
        owner = self.running()[pick % len(self.leases)]
        draft = self.stage.draft(owner, minutes=float(minutes))
        if sum(self.spent[owner].values()) + minutes * 60_000 > self.held[owner]:
            with pytest.raises(RefusedError, match="too many"):
                self.registry.issue_receipt(draft)
            return
        self.registry.issue_receipt(draft)
        self.spent[owner][draft.output_id] = minutes * 60_000
        if seal:
            self.registry.mark_sealed(
                draft.output_id, sha256="e" * 64, size=1, published_as="a.m4b"
            )
            self.sealed.add(draft.output_id)

    @rule(pick=st.integers(0, 99))
    def abandon(self, pick: int) -> None:
        """Of any job, also of one that has ended, and twice."""
        outputs = sorted((o, owner) for owner, made in self.spent.items() for o in made)
        if outputs:
            output_id, owner = outputs[pick % len(outputs)]
            for _ in range(2):
                self.registry.abandon(output_id, "a change of mind")
            del self.spent[owner][output_id]

    def end(self, owner: str) -> None:
        self.ended.add(owner)
        del self.leases[owner]

    def drop_pending(self, owner: str) -> None:
        self.spent[owner] = {o: ms for o, ms in self.spent[owner].items() if o in self.sealed}

    @rule(pick=st.integers(0, 9))
    def close(self, pick: int) -> None:
        if self.leases:
            owner = self.running()[pick % len(self.leases)]
            self.leases[owner].close()
            self.drop_pending(owner)
            self.end(owner)

    @rule(pick=st.integers(0, 9))
    def revoke(self, pick: int) -> None:
        if self.leases:
            owner = self.running()[pick % len(self.leases)]
            self.registry.revoke(owner, "no more")
            with pytest.raises(RefusedError, match="no more"):
                self.registry.issue_receipt(self.stage.draft(owner, minutes=1.0))
            self.leases[owner].release()
            self.end(owner)

    @rule(pick=st.integers(0, 9))
    def resume(self, pick: int) -> None:
        """Die, and take the job up again."""
        if self.leases:
            owner = self.running()[pick % len(self.leases)]
            self.leases[owner].release()
            self.leases[owner] = self.registry.lease(owner)
            self.drop_pending(owner)

    @rule()
    def fall_silent(self) -> None:
        """Every running job expires; the next who asks gets what they held."""
        self.clock.advance(timedelta(days=7, minutes=2))
        for owner in self.running():
            self.leases[owner].release()
            self.end(owner)
        with suppress(Denied):
            given = self.registry.authorize(self.stage.request(minutes=1.0))
            self.registry.lease(given.id).close()

    @rule()
    def open_again(self) -> None:
        with Registry.open(self.registry.home, clock=self.clock) as other:
            assert other.grant(self.grant.id).used_ms == self.used()

    @invariant()
    def counters_are_those_of_the_model(self) -> None:
        if not hasattr(self, "grant"):
            return
        with self.registry._core.database.read() as session:
            row = session.get(GrantRow, self.grant.id)
            assert row is not None
            assert row.used_ms == self.used()
            reservations = session.exec(select(ReservationRow)).all()
        held = sum(r.reserved_ms - r.used_ms for r in reservations if not r.released)
        assert held == self.open_ms()
        assert row.used_ms + held <= self.granted * 60_000
        report = self.registry.check()
        assert report.problems == ()


# PostgreSQL would need a schema for every example; what counts is the same code.
if not POSTGRES:
    TestMinutes = Minutes.TestCase
    TestMinutes.settings = settings(
        max_examples=12,
        stateful_step_count=14,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    TestMinutes = pytest.mark.slow(TestMinutes)


# -- Many processes ---------------------------------------------------------------------


def ask_and_spend(root: str, licensee: str, gate: Any, results: Any) -> None:
    with Registry.open(Home.open(Path(root)), clock=FixedClock(NOON)) as registry:
        stage = Stage.__new__(Stage)
        stage.registry, stage.studio = registry, registry.party(licensee)
        gate.wait()
        try:
            given = registry.authorize(stage.request(minutes=2.0))
        except Denied as exc:
            results.put(exc.rules)
            return
        with registry.lease(given.id):
            stage.seal(given.id, minutes=2.0)
            with suppress(RefusedError):  # as much as there is
                while True:
                    stage.seal(given.id, minutes=0.25)
        results.put("made")


@pytest.mark.slow
def test_thirty_two_processes_cannot_overspend_one_grant(home: Home) -> None:
    with Registry.open(home, clock=FixedClock(NOON)) as registry:
        stage = Stage(registry)
        grant = stage.grant(minutes=24)
    gate, results = FORK.Barrier(32), FORK.Queue()
    arguments = (str(home.root), stage.studio.id, gate, results)
    workers = [FORK.Process(target=ask_and_spend, args=arguments) for _ in range(32)]
    for worker in workers:
        worker.start()
    outcome = Counter(results.get(timeout=300) for _ in workers)
    for worker in workers:
        worker.join()
    assert set(outcome) == {"made", ("base/minutes",)}
    with Registry.open(home, clock=FixedClock(NOON)) as registry:
        used = registry.grant(grant.id).used_ms
        assert outcome["made"] * 120_000 <= used <= 24 * 60_000
        # None was refused while there were two minutes for it.
        assert 24 * 60_000 - used < 120_000
        assert held_minutes(registry, grant.id) == 0
        assert registry.check().problems == ()


# -- Crashes and restored backups -------------------------------------------------------


def die_between_log_and_database(root: str, authorization_id: str, studio: str, step: str) -> None:
    registry = Registry.open(Home.open(Path(root)), clock=FixedClock(NOON))
    stage = Stage.__new__(Stage)
    stage.registry, stage.studio = registry, registry.party(studio)
    registry.lease(authorization_id)
    draft = stage.draft(authorization_id, minutes=2.0)
    if step != "receipt":
        registry.issue_receipt(draft)
    ledger._project = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    if step == "receipt":
        registry.issue_receipt(draft)
    else:
        registry.abandon(draft.output_id, "no more")


@pytest.mark.parametrize(("step", "used"), [("receipt", 2.0), ("abandoned", 0.0)])
def test_minutes_logged_when_the_process_died_are_taken_in_once(
    home: Home, step: str, used: float
) -> None:
    clock = FixedClock(NOON)
    with Registry.open(home, clock=clock) as registry:
        stage = Stage(registry)
        grant = stage.grant(minutes=20)
        given = registry.authorize(stage.request(minutes=10.0))
    child = SPAWN.Process(
        target=die_between_log_and_database,
        args=(str(home.root), given.id, stage.studio.id, step),
    )
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    for _ in range(2):
        with Registry.open(home, clock=clock) as registry:
            assert registry.grant(grant.id).used_ms == used * 60_000
            assert registry.check().problems == ()
    with Registry.open(home, clock=clock) as registry:
        registry.recover()
        assert registry.grant(grant.id).used_ms == 0
        registry.lease(given.id).close()
        assert held_minutes(registry, grant.id) == 0
        assert registry.check().problems == ()


def test_an_old_database_learns_again_what_was_used_even_by_jobs_it_has_never_seen(
    home: Home, clock: FixedClock
) -> None:
    with Registry.open(home, clock=clock) as registry:
        stage = Stage(registry)
        grant = stage.grant(minutes=20, performer_approval=True)
        stage.say("approval", "b" * 64, grant=grant.id)
        old_job = registry.authorize(stage.request(minutes=8.0))
    put_back = snapshot(home)
    with Registry.open(home, clock=clock) as registry:
        stage.registry = registry
        with registry.lease(old_job.id):
            stage.seal(old_job.id, minutes=3.0)
        new_job = registry.authorize(stage.request(minutes=15.0))
        with registry.lease(new_job.id):
            output_id = stage.seal(new_job.id, minutes=15.0)
            dropped = stage.draft(new_job.id, minutes=1.0)
            registry.issue_receipt(dropped)
        review = registry.authorize(stage.request(minutes=5.0, channel="review"))
        with registry.lease(review.id):
            stage.seal(review.id, minutes=5.0)
    put_back()
    with Registry.open(home, clock=clock) as registry:
        stage.registry = registry
        assert stage.used_minutes(grant.id) == 18
        receipt = registry.receipt(output_id)
        assert receipt is not None
        assert receipt.authorization_id == "", "that job is unknown"
        assert receipt.openings[0].voice == ANNA
        assert registry.check().problems == ()
        with pytest.raises(Denied, match="has 2 minutes left"):
            registry.authorize(stage.request(minutes=3.0))
        with pytest.raises(RefusedError, match="it is closed"):
            registry.lease(old_job.id)


def test_a_job_that_comes_back_with_an_old_database_finds_its_minutes_spent(
    home: Home, clock: FixedClock
) -> None:
    """It was closed without a word in the log, and its minutes went to another job."""
    with Registry.open(home, clock=clock) as registry:
        stage = Stage(registry)
        grant = stage.grant(minutes=10)
        old_job = registry.authorize(stage.request(minutes=10.0))
        registry.lease(old_job.id).release()
    put_back = snapshot(home)
    with Registry.open(home, clock=clock) as registry:
        stage.registry = registry
        registry.lease(old_job.id).close()
        new_job = registry.authorize(stage.request(minutes=10.0))
        with registry.lease(new_job.id):
            stage.seal(new_job.id, minutes=9.0)
    put_back()
    with Registry.open(home, clock=clock) as registry:
        stage.registry = registry
        with registry.lease(old_job.id), pytest.raises(RefusedError, match=r"9\.00 are used"):
            stage.seal(old_job.id, minutes=2.0)
        assert stage.used_minutes(grant.id) == 9
        assert registry.check().problems == ()


def test_a_grant_that_was_lost_with_the_database_comes_back_with_what_was_used_of_it(
    home: Home, clock: FixedClock
) -> None:
    with Registry.open(home, clock=clock) as registry:
        stage = Stage(registry)
        token = stage.token(minutes=10)
    put_back = snapshot(home)
    with Registry.open(home, clock=clock) as registry:
        stage.registry = registry
        grant = registry.import_grant(token)
        given = registry.authorize(stage.request(minutes=9.0))
        with registry.lease(given.id):
            receipt = _issued_and_sealed(stage, given.id, 8.0)
    put_back()
    with Registry.open(home, clock=clock) as registry:
        stage.registry = registry
        assert any("not on record" in problem for problem in registry.check().problems)
        registry.import_grant(token)
        assert stage.used_minutes(grant.id) == 8
        assert registry.check().problems == ()
        found = registry.receipt(receipt.output_id)
        assert found is not None
        assert found.openings == receipt.openings
        with pytest.raises(Denied, match="has 2 minutes left"):
            registry.authorize(stage.request(minutes=3.0))


def _issued_and_sealed(stage: Stage, authorization_id: str, minutes: float) -> Receipt:
    draft = stage.draft(authorization_id, minutes=minutes)
    receipt = stage.registry.issue_receipt(draft)
    stage.registry.mark_sealed(draft.output_id, sha256="e" * 64, size=9, published_as="a.m4b")
    assert json.loads(receipt.leaf_json)["voices"][0]["basis"] == "grant"
    return receipt
