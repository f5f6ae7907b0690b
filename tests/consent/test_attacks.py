"""What an operator with a text editor and a database browser tries, and what stops it."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from consent_kit import a_draft, a_request, snapshot, sql

from consent.clock import FixedClock
from consent.errors import RefusedError, VerificationError
from consent.home import Home
from consent.proposals import propose_approval
from consent.registry import Authorization, Registry


@pytest.fixture
def authorization(registry: Registry) -> Authorization:
    """An authorization at work, with one sealed output."""
    given = registry.authorize(a_request())
    lease = registry.lease(given.id)
    draft = a_draft(registry, given.id)
    registry.issue_receipt(draft)
    registry.mark_sealed(draft.output_id, sha256="e" * 64, size=9, published_as="a.m4b")
    lease.release()
    return given


@pytest.mark.parametrize(
    "change",
    [
        "payload = replace(payload, '\"minutes\":10', '\"minutes\":99')",
        "payload = replace(payload, 'Apache-2.0', 'MIT')",
        "payload = 'not json'",
        "signature = ''",
        "job_digest = 'f'",
        "issued_at = '2030-01-01 00:00:00.000000'",
        "used_ms = 0",
        "receipts = 0",
        "state = 'issued'",
        "renewed_at = '2030-01-01 00:00:00.000000'",
        "started_at = NULL",
        pytest.param("state_signature = zeroblob(64)", marks=pytest.mark.sqlite_only),
        "state_signature = ''",
    ],
)
def test_an_edited_authorization_is_noticed_and_useless(
    registry: Registry, home: Home, authorization: Authorization, change: str
) -> None:
    sql(home, f"UPDATE authorizations SET {change}")
    with pytest.raises(VerificationError, match="was changed in the registry"):
        registry.issue_receipt(a_draft(registry, authorization.id))
    with pytest.raises(VerificationError, match="was changed in the registry"):
        registry.lease(authorization.id)
    assert registry.find_authorization("b" * 64) is None
    assert any("signature does not fit" in problem for problem in registry.check().problems)


def test_an_edited_note_of_the_log_is_noticed(
    registry: Registry, home: Home, authorization: Authorization
) -> None:
    sql(home, "UPDATE meta SET value = 'none' WHERE key = 'log_head'")
    with pytest.raises(VerificationError, match=r"was changed: 'none'"):
        Registry.open(home)


def test_a_closed_authorization_cannot_be_opened_again_by_editing_it(
    registry: Registry, home: Home, authorization: Authorization
) -> None:
    registry.lease(authorization.id).close()
    sql(home, "UPDATE authorizations SET state = 'active', closed_at = NULL")
    with pytest.raises(VerificationError, match="was changed"):
        registry.issue_receipt(a_draft(registry, authorization.id))


def test_a_forged_authorization_is_noticed(
    registry: Registry, home: Home, authorization: Authorization
) -> None:
    sql(
        home,
        "INSERT INTO authorizations SELECT ?, ?, job_digest, issued_at, replace(payload, id, ?), "
        "signature, state, reason, started_at, renewed_at, closed_at, 0, 0, state_signature "
        "FROM authorizations",
        "0" * 32,
        "1" * 64,
        "0" * 32,
    )
    with pytest.raises(VerificationError, match="was changed in the registry"):
        registry.lease("0" * 32)


def test_a_deleted_authorization_can_no_longer_be_used(
    registry: Registry, home: Home, authorization: Authorization
) -> None:
    sql(home, "DELETE FROM authorizations")
    with pytest.raises(RefusedError, match="no authorization"):
        registry.issue_receipt(a_draft(registry, authorization.id))


def test_a_deleted_receipt_is_noticed(
    registry: Registry, home: Home, authorization: Authorization
) -> None:
    sql(home, "DELETE FROM voice_uses")
    sql(home, "DELETE FROM receipts")
    with pytest.raises(VerificationError, match="receipts of the authorization"):
        registry.issue_receipt(a_draft(registry, authorization.id))
    problems = registry.check().problems
    assert any("was deleted" in problem for problem in problems)


@pytest.mark.parametrize(
    "change",
    ["duration_ms = 1", "state = 'abandoned'", "sha256 = ''", "leaf_json = '{}'", "leaf_index = 0"],
)
def test_an_edited_receipt_is_found_by_the_check(
    registry: Registry, home: Home, authorization: Authorization, change: str
) -> None:
    sql(home, f"UPDATE receipts SET {change}")
    assert any("was changed" in problem for problem in registry.check().problems)


def test_edited_minutes_of_a_voice_are_found_by_the_check(
    registry: Registry, home: Home, authorization: Authorization
) -> None:
    sql(home, "UPDATE voice_uses SET duration_ms = 1")
    assert any("voices' use" in problem for problem in registry.check().problems)


def test_an_invented_receipt_is_found_by_the_check(
    registry: Registry, home: Home, authorization: Authorization
) -> None:
    sql(
        home,
        "INSERT INTO receipts SELECT 'ffffffffffff', NULL, 999, leaf_json, tlog_proof, created_at, "
        "duration_ms, container, title, state, reason, sha256, size, published_as FROM receipts",
    )
    assert "The receipt of the output ffffffffffff is not in the log." in registry.check().problems


def test_an_edited_index_is_found_by_the_check(
    registry: Registry, home: Home, authorization: Authorization
) -> None:
    sql(home, "UPDATE log_index SET leaf_hash = 'x' WHERE leaf_index = 1")
    assert any("Entry 1" in problem for problem in registry.check().problems)


def test_an_authorization_is_good_for_one_job_only(
    registry: Registry, authorization: Authorization
) -> None:
    registry.lease(authorization.id).close()
    for use in (
        lambda: registry.lease(authorization.id),
        lambda: registry.issue_receipt(a_draft(registry, authorization.id)),
        lambda: registry.revoke(authorization.id, "too late"),
    ):
        with pytest.raises(RefusedError, match="it is closed"):
            use()
    assert registry.find_authorization("b" * 64) is None


def test_nothing_happens_before_the_lease(registry: Registry) -> None:
    given = registry.authorize(a_request())
    with pytest.raises(RefusedError, match="was not started"):
        registry.issue_receipt(a_draft(registry, given.id))


def test_a_revoked_authorization_stops_the_job_between_receipt_and_seal(
    registry: Registry, clock: FixedClock
) -> None:
    given = registry.authorize(a_request())
    with registry.lease(given.id) as lease:
        draft = a_draft(registry, given.id)
        registry.issue_receipt(draft)
        registry.revoke(given.id, "the licence was withdrawn")
        lease._checked -= 2  # a second later
        for _ in range(2):
            with pytest.raises(RefusedError, match="revoked: the licence was withdrawn"):
                lease.check()
        with pytest.raises(RefusedError, match="revoked"):
            registry.mark_sealed(draft.output_id, sha256="e" * 64, size=9, published_as="a")
        with pytest.raises(RefusedError, match="revoked"):
            registry.issue_receipt(a_draft(registry, given.id))
    receipt = registry.receipt(draft.output_id)
    assert receipt is not None
    assert receipt.state == "abandoned"


def test_an_expired_authorization_issues_nothing(registry: Registry, clock: FixedClock) -> None:
    given = registry.authorize(a_request())
    lease = registry.lease(given.id)
    clock.advance(timedelta(days=7))
    with pytest.raises(RefusedError, match="silent since"):
        registry.issue_receipt(a_draft(registry, given.id))
    lease._checked -= 2
    with pytest.raises(RefusedError, match="silent since"):
        lease.check()
    lease.release()


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "0" * 31, "0" * 32, "x" * 10_000])
def test_an_authorization_id_is_never_a_path(registry: Registry, home: Home, name: str) -> None:
    with pytest.raises(RefusedError, match="no authorization"):
        registry.lease(name)
    assert list(home.leases.iterdir()) == []


# -- The log ----------------------------------------------------------------------------


def test_a_rolled_back_log_is_an_alarm(
    registry: Registry, home: Home, tmp_path: Path, authorization: Authorization
) -> None:
    shutil.copytree(home.log, tmp_path / "old")
    registry.authorize(a_request())
    lease = registry.lease(authorization.id)
    registry.issue_receipt(a_draft(registry, authorization.id, minutes=1.0))
    lease.release()
    shutil.rmtree(home.log)
    shutil.copytree(tmp_path / "old", home.log)
    with pytest.raises(VerificationError, match="the log was rolled back"):
        registry.issue_receipt(a_draft(registry, authorization.id, minutes=1.0))
    with pytest.raises(VerificationError, match="the log was rolled back"):
        Registry.open(home)


def test_a_log_begun_anew_is_an_alarm(registry: Registry, home: Home) -> None:
    shutil.rmtree(home.log)
    with pytest.raises(VerificationError, match="the log was rolled back"):
        Registry.open(home)


def test_a_log_rewritten_under_the_same_key_is_an_alarm(
    registry: Registry, home: Home, authorization: Authorization
) -> None:
    size = registry.log.checkpoint().size
    shutil.rmtree(home.log / "tile")
    (home.log / "checkpoint").unlink()
    from consent import keys
    from consent.log import Log

    key = keys.load(home, "log", "ed25519")
    Log.open(home.log, key, registry.log.verifier.name).append([b"{}"] * size)
    with pytest.raises(VerificationError, match="not those the registry has seen"):
        registry.issue_receipt(a_draft(registry, authorization.id))


def test_a_truncated_tile_stops_receipts_and_is_named(
    registry: Registry, home: Home, authorization: Authorization
) -> None:
    path = home.log / f"tile/0/000.p/{registry.log.checkpoint().size}"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(VerificationError, match=r"000\.p"):
        registry.issue_receipt(a_draft(registry, authorization.id))
    assert any("000.p" in problem for problem in registry.check().problems)


def test_an_old_database_under_a_newer_log_learns_what_it_missed(
    registry: Registry, home: Home, clock: FixedClock
) -> None:
    given = registry.authorize(a_request(minutes=4.0))
    lease = registry.lease(given.id)
    lease.release()
    registry.close()
    put_back = snapshot(home)
    with Registry.open(home, clock=clock) as newer:
        lease = newer.lease(given.id)
        draft = a_draft(newer, given.id, minutes=4.0)
        newer.issue_receipt(draft)
        newer.mark_sealed(draft.output_id, sha256="e" * 64, size=9, published_as="a.m4b")
        lease.release()
    put_back()
    with Registry.open(home, clock=clock) as restored:
        receipt = restored.receipt(draft.output_id)
        assert receipt is not None
        assert (receipt.state, receipt.sha256) == ("sealed", "e" * 64)
        assert restored.check().ok
        with restored.lease(given.id), pytest.raises(RefusedError, match=r"4\.00 are used"):
            restored.issue_receipt(a_draft(restored, given.id, minutes=4.0))


def test_a_deleted_authorization_with_a_receipt_is_noticed(
    registry: Registry, home: Home, authorization: Authorization
) -> None:
    sql(home, "DELETE FROM leases")
    sql(home, "DELETE FROM authorizations")
    assert any("authorization of the output" in problem for problem in registry.check().problems)


def test_receipts_that_exchanged_their_authorizations_are_noticed(
    registry: Registry, home: Home, authorization: Authorization
) -> None:
    other = registry.authorize(a_request(job_digest="a" * 64))
    with registry.lease(other.id):
        draft = a_draft(registry, other.id)
        registry.issue_receipt(draft)
        registry.mark_sealed(draft.output_id, sha256="f" * 64, size=9, published_as="b.m4b")
    assert registry.check().ok
    sql(
        home,
        "UPDATE receipts SET authorization_id = CASE authorization_id WHEN ? THEN ? ELSE ? END",
        *(authorization.id, other.id, authorization.id),
    )
    problems = registry.check().problems
    assert len([p for p in problems if "authorization of the output" in p]) == 2
    with pytest.raises(VerificationError, match="another authorization"):
        propose_approval(registry, [draft.output_id])


@pytest.mark.sqlite_only
def test_a_time_that_is_none_is_a_changed_row_and_no_fault_of_the_program(
    registry: Registry, home: Home, authorization: Authorization
) -> None:
    sql(home, "UPDATE authorizations SET issued_at = 'a long time ago'")
    with pytest.raises(VerificationError, match="'a long time ago' where a time belongs"):
        registry.lease(authorization.id)
    assert any("where a time belongs" in problem for problem in registry.check().problems)
