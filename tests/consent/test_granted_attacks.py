"""What is tried to make a person's voice speak without their yes, and what stops it."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from consent_kit import HEART, snapshot, sql
from grants_kit import ANNA, Stage, anna_speaks

from consent.clock import FixedClock
from consent.errors import RefusedError, VerificationError, VivavoceError
from consent.home import Home
from consent.registry import Authorization, Denied, Registry
from consent.registry.party.records import GrantRecord


@pytest.fixture
def stage(registry: Registry) -> Stage:
    return Stage(registry)


@pytest.fixture
def grant(stage: Stage) -> GrantRecord:
    return stage.grant(minutes=20)


@pytest.fixture
def at_work(stage: Stage, grant: GrantRecord) -> Authorization:
    """A job that holds minutes and has one sealed output."""
    given = stage.registry.authorize(stage.request(minutes=10.0))
    lease = stage.registry.lease(given.id)
    stage.seal(given.id, minutes=2.0)
    lease.release()
    return given


# -- Edited rows ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        "granted_ms = 99999999",
        "granted_ms = NULL",
        "used_ms = 0",
        "valid_until = '2036-01-01 00:00:00.000000'",
        "licensee = owner",
        "digest = 'f'",
        "document = ''",
        "signature = ''",
        "state_signature = signature",
        "status = 'suspended'",
        "leaf_index = 0",
        "created_at = '2020-01-01 00:00:00.000000'",
    ],
)
def test_an_edited_grant_is_noticed_and_useless(
    stage: Stage, home: Home, grant: GrantRecord, at_work: Authorization, change: str
) -> None:
    sql(home, f"UPDATE grants SET {change}")
    with pytest.raises(VerificationError):
        stage.registry.issue_receipt(stage.draft(at_work.id))
    with pytest.raises(VerificationError):
        stage.registry.lease(at_work.id)
    with pytest.raises((VerificationError, Denied)):
        stage.registry.authorize(stage.request(minutes=1.0, grant=grant.id))
    assert stage.registry.check().problems


def test_a_deleted_grant_stops_its_jobs(
    stage: Stage, home: Home, grant: GrantRecord, at_work: Authorization
) -> None:
    sql(home, "DELETE FROM reservations")
    sql(home, "DELETE FROM grants")
    with pytest.raises(VerificationError, match="document lost"):
        stage.registry.lease(at_work.id)
    with pytest.raises(Denied) as caught:
        stage.registry.authorize(stage.request(minutes=1.0))
    assert caught.value.rules == ("base/grant-on-record",)
    assert stage.registry.check().problems


@pytest.mark.parametrize(
    "change",
    [
        "reserved_ms = 1200000",
        "used_ms = 0",
        "released = true",
        "voice = 'clone:somebody'",
        "signature = ''",
    ],
)
def test_an_edited_reservation_is_noticed_and_useless(
    stage: Stage, home: Home, at_work: Authorization, change: str
) -> None:
    sql(home, f"UPDATE reservations SET {change}")
    lease = stage.registry.lease(at_work.id)
    with pytest.raises(VerificationError, match="was changed in the registry"):
        stage.registry.issue_receipt(stage.draft(at_work.id))
    if change != "released = true":
        with pytest.raises(VerificationError, match="was changed in the registry"):
            stage.registry.authorize(stage.request(minutes=1.0))
    lease.release()
    problems = stage.registry.check().problems
    assert any("holds of the grant" in problem for problem in problems)


def test_a_deleted_reservation_is_noticed_before_anything_is_spent(
    stage: Stage, home: Home, at_work: Authorization
) -> None:
    sql(home, "DELETE FROM reservations")
    lease = stage.registry.lease(at_work.id)
    with pytest.raises(VerificationError, match="were deleted in the registry"):
        stage.registry.issue_receipt(stage.draft(at_work.id))
    lease.release()


def test_an_old_reservation_put_back_spends_nothing_twice(
    stage: Stage, home: Home, grant: GrantRecord
) -> None:
    """Signed rows can be replayed; the receipts say what has been used since."""
    given = stage.registry.authorize(stage.request(minutes=10.0))
    with stage.registry._core.database.read() as session:
        from consent.registry.storage.tables import ReservationRow

        old = session.get_one(ReservationRow, (given.id, grant.id)).signature
    lease = stage.registry.lease(given.id)
    stage.seal(given.id, minutes=9.0)
    sql(home, "UPDATE reservations SET used_ms = 0, signature = ?", old)
    with pytest.raises(VerificationError, match=r"9\.00 minutes, signed for 0\.00"):
        stage.registry.issue_receipt(stage.draft(given.id, minutes=2.0))
    lease.release()
    assert any("do not fit" in problem for problem in stage.registry.check().problems)


def test_an_old_counter_put_back_spends_nothing_twice(
    stage: Stage, home: Home, grant: GrantRecord
) -> None:
    given = stage.registry.authorize(stage.request(minutes=18.0))
    with stage.registry._core.database.read() as session:
        from consent.registry.storage.tables import GrantRow

        old = session.get_one(GrantRow, grant.id).state_signature
    with stage.registry.lease(given.id):
        stage.seal(given.id, minutes=18.0)
    sql(home, "UPDATE grants SET used_ms = 0, state_signature = ?", old)
    again = stage.registry.authorize(stage.request(minutes=18.0))
    lease = stage.registry.lease(again.id)
    with pytest.raises(VerificationError, match=r"18\.00 minutes, signed for 0\.00"):
        stage.registry.issue_receipt(stage.draft(again.id))
    lease.release()


def test_receipts_that_were_deleted_give_no_minutes_back(
    stage: Stage, home: Home, at_work: Authorization
) -> None:
    sql(home, "DELETE FROM voice_uses")
    lease = stage.registry.lease(at_work.id)
    with pytest.raises(VerificationError, match="were changed in the registry"):
        stage.registry.issue_receipt(stage.draft(at_work.id))
    lease.release()


def test_minutes_that_were_edited_up_are_not_given_back(
    stage: Stage, home: Home, grant: GrantRecord
) -> None:
    """What an abandoned output gives back is what the log says it took."""
    given = stage.registry.authorize(stage.request(minutes=10.0))
    with stage.registry.lease(given.id):
        stage.seal(given.id, minutes=4.0)
        output_id = stage.seal(given.id, minutes=2.0)
    sql(home, "UPDATE voice_uses SET duration_ms = 360000 WHERE output_id = ?", output_id)
    stage.registry.abandon(output_id, "a trick")
    assert stage.used_minutes(grant.id) == 4
    assert any("voices' use" in problem for problem in stage.registry.check().problems)


def test_an_output_that_was_edited_back_is_not_abandoned_twice_unnoticed(
    stage: Stage, home: Home, grant: GrantRecord
) -> None:
    given = stage.registry.authorize(stage.request(minutes=10.0))
    with stage.registry.lease(given.id):
        stage.seal(given.id, minutes=4.0)
        output_id = stage.seal(given.id, minutes=4.0)
    stage.registry.abandon(output_id, "never published")
    sql(home, "UPDATE receipts SET state = 'sealed' WHERE output_id = ?", output_id)
    stage.registry.abandon(output_id, "never published, again")
    again = stage.registry.authorize(stage.request(minutes=10.0))
    lease = stage.registry.lease(again.id)
    with pytest.raises(VerificationError, match="were changed in the registry"):
        stage.registry.issue_receipt(stage.draft(again.id))
    lease.release()


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM voices", "UPDATE voices SET name = 'clone:nobody'",
     "UPDATE voices SET owner = (SELECT id FROM parties WHERE kind = 'organisation')"],
)  # fmt: skip
def test_a_persons_voice_does_not_become_free_by_editing(
    stage: Stage, home: Home, grant: GrantRecord, statement: str
) -> None:
    sql(home, statement)
    for voice in (anna_speaks(), dataclasses.replace(HEART, voice=ANNA)):
        with pytest.raises(VerificationError, match=ANNA):
            stage.registry.authorize(stage.request(voices=(voice,)))


# -- Replayed, restored, copied ---------------------------------------------------------


def test_an_authorization_is_good_for_one_job_and_once(
    stage: Stage, at_work: Authorization
) -> None:
    with pytest.raises(RefusedError, match="already running"), stage.registry.lease(at_work.id):
        stage.registry.lease(at_work.id)
    stage.registry.lease(at_work.id).close()
    for use in (
        lambda: stage.registry.lease(at_work.id),
        lambda: stage.registry.issue_receipt(stage.draft(at_work.id)),
        lambda: stage.registry.revoke(at_work.id, "too late"),
    ):
        with pytest.raises(RefusedError, match="it is closed"):
            use()
    assert stage.registry.find_authorization("b" * 64) is None


def test_an_authorization_does_not_cover_another_voice(
    stage: Stage, at_work: Authorization
) -> None:
    stage.registry.register_voice("clone:anna-young", stage.anna.id)
    stage.grant(voice="clone:anna-young")
    young = dataclasses.replace(anna_speaks(1.0), voice="clone:anna-young")
    as_stock = dataclasses.replace(HEART, voice=ANNA, minutes=1.0)
    with stage.registry.lease(at_work.id):
        for voice in (young, as_stock, dataclasses.replace(anna_speaks(1.0), basis="stock")):
            with pytest.raises(RefusedError, match="does not cover the voice"):
                stage.registry.issue_receipt(stage.draft(at_work.id, minutes=1.0, voices=(voice,)))


def test_a_restored_old_database_does_not_bring_a_revoked_grant_back(
    stage: Stage, home: Home, grant: GrantRecord, clock: FixedClock
) -> None:
    given = stage.registry.authorize(stage.request(minutes=10.0))
    stage.registry.lease(given.id).release()
    put_back = snapshot(home)
    stage.say("revocation", grant.id)
    stage.registry.close()
    put_back()
    with Registry.open(home, clock=clock) as restored:
        stage.registry = restored
        with pytest.raises(RefusedError, match="base/grant-revoked"):
            restored.lease(given.id)
        with pytest.raises(Denied) as caught:
            restored.authorize(stage.request(minutes=1.0))
        assert caught.value.rules == ("base/grant-revoked",)


def test_a_restored_old_database_does_not_bring_a_stolen_key_back(
    stage: Stage, home: Home, grant: GrantRecord, clock: FixedClock
) -> None:
    put_back = snapshot(home)
    since = (stage.now() - timedelta(days=1)).isoformat()
    stage.say("compromise", stage.anna.did, since=since)
    stage.registry.close()
    put_back()
    with Registry.open(home, clock=clock) as restored:
        stage.registry = restored
        with pytest.raises(Denied) as caught:
            restored.authorize(stage.request())
        assert caught.value.rules == ("base/grant-signature",)


def test_a_grant_is_spent_at_the_one_registry_it_names(
    stage: Stage, grant: GrantRecord, other_home: Home, clock: FixedClock
) -> None:
    """Two registries that claim one grant could spend its minutes twice."""
    assert grant.grant is not None
    token = grant.grant.token
    with Registry.open(other_home, clock=clock) as other:
        elsewhere = Stage(other)
        with pytest.raises(RefusedError, match=f"at the registry {stage.registry.did} alone"):
            other.import_grant(token)
        with pytest.raises(Denied) as caught:
            other.authorize(elsewhere.request())
        assert caught.value.rules == ("base/grant-on-record",)


@pytest.mark.sqlite_only
def test_rows_copied_from_another_registry_are_worth_nothing_here(
    stage: Stage, grant: GrantRecord, home: Home, tmp_path: Path, clock: FixedClock
) -> None:
    with Registry.open(Home.open(tmp_path / "other"), clock=clock) as other:
        elsewhere = Stage(other)
        elsewhere.grant()
        licensee = elsewhere.studio.id
        there = Home.open(tmp_path / "other").root / "registry.db"
        for table in ("parties", "party_keys", "voices", "grants", "person_keys"):
            _copy_rows(there, home.root / "registry.db", table)
    with pytest.raises(VivavoceError) as caught:
        stage.registry.authorize(stage.request(licensee=licensee))
    assert "changed" in caught.value.message or "base/grant-on-record" in caught.value.message


def _copy_rows(source: Path, target: Path, table: str) -> None:
    import sqlite3

    connection = sqlite3.connect(target)
    connection.execute("ATTACH ? AS other", (str(source),))
    connection.execute(f"CREATE TEMP TABLE copy AS SELECT * FROM other.{table}")
    if table != "person_keys":
        connection.execute("UPDATE copy SET leaf_index = leaf_index + 1000")
    connection.execute(f"INSERT OR IGNORE INTO main.{table} SELECT * FROM copy")
    connection.commit()
    connection.close()


# -- The clock --------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["never", "2026-11-21T12:00:00", ""])
def test_an_edited_note_of_the_time_is_noticed(
    stage: Stage, home: Home, grant: GrantRecord, value: str
) -> None:
    sql(home, "UPDATE meta SET value = ? WHERE key = 'clock'", value)
    with pytest.raises(VerificationError, match="note of the time"):
        stage.registry.authorize(stage.request())


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM meta WHERE key = 'clock'",
     "UPDATE meta SET value = '2020-01-01T00:00:00.000Z' WHERE key = 'clock'"],
)  # fmt: skip
def test_a_clock_is_not_set_back_by_editing_the_note_of_it(
    stage: Stage, home: Home, clock: FixedClock, statement: str
) -> None:
    """The log knows the time too, and cannot be edited."""
    stage.grant()
    stage.registry.close()
    sql(home, statement)
    yesterday = FixedClock(clock.now() - timedelta(days=1))
    with (
        Registry.open(home, clock=yesterday) as reopened,
        pytest.raises(RefusedError, match="set back"),
    ):
        reopened.authorize(stage.request())


@pytest.mark.parametrize(
    "changes",
    [
        {"licensee": "' OR 1=1 --"},
        {"licensee": "x" * 2001},
        {"content": ("none", "political")},
        {"content": ("",)},
        {"channel": "review "},
        {"channel": "REVIEW"},
        {"grant": "../../etc/passwd"},
        {"licensee": "\ud800"},
        {"script_digest": "not a digest"},
    ],
)
def test_odd_requests_are_refused_in_words(stage: Stage, changes: dict[str, Any]) -> None:
    stage.grant(channels=("private",))
    with pytest.raises(VivavoceError) as caught:
        stage.registry.authorize(stage.request(**changes))
    assert caught.value.message
