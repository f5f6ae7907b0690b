"""What is said later: who may say it, and that it counts from when it comes in."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from grants_kit import ANNA, Stage

from consent.clock import FixedClock
from consent.credentials.statement import draft_statement
from consent.errors import RefusedError, VerificationError
from consent.home import Home
from consent.registry import Registry
from consent.registry.party.records import Party

JOB = "b" * 64
UNKNOWN = "urn:uuid:00000000-0000-4000-8000-000000000000"


@pytest.fixture
def stage(registry: Registry) -> Stage:
    return Stage(registry)


def signed(stage: Stage, kind: str, subject: str, signer: Party, **body: object) -> str:
    """A statement that was signed and not handed in yet."""
    key = stage.registry.signing_key(signer.id)
    assert key is not None
    return draft_statement(
        kind, issuer_did=signer.did, subject=subject, body=body, now=stage.now()
    ).sign(key)


def test_a_revocation_works_at_once_and_for_good(stage: Stage) -> None:
    grant = stage.grant()
    said = stage.say("revocation", grant.id, reason="I have changed my mind")
    revoked = stage.registry.grant(grant.id)
    assert (revoked.status, revoked.status_since) == ("revoked", stage.now())
    for kind in ("suspension", "reinstatement"):
        with pytest.raises(RefusedError, match="changes nothing"):
            stage.say(kind, grant.id)
    (record,) = stage.registry.statements(grant=grant.id)
    assert record.statement == said
    assert record.issuer_party == stage.anna.id
    assert stage.registry.check().ok


def test_a_suspension_rests_until_reinstated(stage: Stage) -> None:
    grant = stage.grant()
    stage.say("suspension", grant.id)
    assert stage.registry.grant(grant.id).status == "suspended"
    stage.say("reinstatement", grant.id)
    assert stage.registry.grant(grant.id).status == "active"
    assert stage.registry.grants(status="suspended") == []
    assert stage.registry.check().ok


@pytest.mark.parametrize("kind", ["revocation", "suspension"])
def test_only_the_rights_holders_side_ends_a_grant(stage: Stage, kind: str) -> None:
    grant = stage.grant()
    stranger = stage.registry.create_party("person", "stranger", "Stranger")
    for signer in (stage.studio, stranger):
        with pytest.raises(RefusedError, match="not the rights holder"):
            stage.say(kind, grant.id, signer=signer)
    assert stage.registry.grant(grant.id).status == "active"


def test_a_replayed_statement_changes_nothing(stage: Stage) -> None:
    grant = stage.grant()
    stage.say("suspension", grant.id)
    lifted = signed(stage, "reinstatement", grant.id, stage.anna)
    stage.registry.add_statement(lifted)
    stage.say("suspension", grant.id)
    size = stage.registry.log.checkpoint().size
    assert stage.registry.add_statement(lifted).kind == "reinstatement"
    assert stage.registry.grant(grant.id).status == "suspended"
    assert stage.registry.log.checkpoint().size == size


def test_a_reinstatement_that_was_held_back_lifts_no_later_suspension(
    stage: Stage, clock: FixedClock
) -> None:
    grant = stage.grant()
    stage.say("suspension", grant.id)
    held_back = signed(stage, "reinstatement", grant.id, stage.anna)
    stage.say("reinstatement", grant.id)
    clock.advance(timedelta(days=1))
    stage.say("suspension", grant.id)
    with pytest.raises(RefusedError, match="before the suspension it would lift"):
        stage.registry.add_statement(held_back)
    assert stage.registry.grant(grant.id).status == "suspended"


def test_a_statement_from_the_future_or_for_it_is_refused(stage: Stage, clock: FixedClock) -> None:
    grant = stage.grant()
    key = stage.registry.signing_key("anna")
    assert key is not None
    tomorrow = stage.now() + timedelta(days=1)
    ahead = draft_statement(
        "revocation", issuer_did=stage.anna.did, subject=grant.id, body={}, now=tomorrow
    )
    with pytest.raises(RefusedError, match="says it was signed"):
        stage.registry.add_statement(ahead.sign(key))
    later = draft_statement(
        "revocation",
        issuer_did=stage.anna.did,
        subject=grant.id,
        body={},
        now=stage.now(),
        effective_at=tomorrow,
    )
    with pytest.raises(RefusedError, match="counts when it comes in"):
        stage.registry.add_statement(later.sign(key))


# -- Before the grant -------------------------------------------------------------------


def test_a_revocation_waits_for_its_grant(stage: Stage) -> None:
    token = stage.token()
    grant_id = grant_id_of(token)
    stage.say("revocation", grant_id)
    record = stage.registry.import_grant(token)
    assert (record.id, record.status) == (grant_id, "revoked")
    assert stage.registry.grant(grant_id).status == "revoked"
    assert stage.registry.check().ok


def test_a_strangers_word_does_not_wait_for_a_grant(stage: Stage) -> None:
    token = stage.token()
    stage.say("revocation", grant_id_of(token), signer=stage.studio)
    assert stage.registry.import_grant(token).status == "active"
    with pytest.raises(RefusedError, match="not on record"):
        stage.say("reinstatement", UNKNOWN)
    assert stage.registry.check().ok


def grant_id_of(token: str) -> str:
    from consent.credentials.grant import open_grant

    return open_grant(token).id


# -- Verdicts and overrides -------------------------------------------------------------


def test_the_performer_approves_and_nobody_else(stage: Stage) -> None:
    grant = stage.grant(performer_approval=True)
    with pytest.raises(RefusedError, match="not the rights holder"):
        stage.say("approval", JOB, signer=stage.studio, grant=grant.id)
    with pytest.raises(RefusedError, match="no grant"):
        stage.say("approval", JOB, grant=UNKNOWN)
    stage.say("approval", JOB, grant=grant.id, note="lovely")
    stage.say("retake", JOB, grant=grant.id)
    kinds = [record.kind for record in stage.registry.statements(subject=JOB)]
    assert kinds == ["approval", "retake"]
    stage.say("revocation", grant.id)
    with pytest.raises(RefusedError, match="which is revoked"):
        stage.say("approval", JOB, grant=grant.id)
    assert stage.registry.check().ok


def test_an_override_is_answered_for_by_a_person(stage: Stage) -> None:
    body = {
        "check": "speaker", "score": 0.61, "threshold": 0.7, "reason": "listened myself", "by": "A"
    }  # fmt: skip
    stage.say("override", "recording-1", **body)
    with pytest.raises(RefusedError, match="signed by the organisation"):
        stage.say("override", "recording-1", signer=stage.studio, **body)
    assert stage.registry.check().ok


# -- What a crash and an old backup leave -----------------------------------------------


@contextmanager
def restored(stage: Stage, home: Home, clock: FixedClock, copy: Path) -> Iterator[Registry]:
    """The registry with the database of `copy` under today's log."""
    stage.registry.close()
    for path in home.root.glob("registry.db-*"):
        path.unlink()
    shutil.copy(copy, home.root / "registry.db")
    with Registry.open(home, clock=clock) as registry:
        stage.registry = registry
        yield registry


def database_copy(stage: Stage, home: Home, clock: FixedClock, folder: Path) -> Path:
    """A backup of the database alone."""
    stage.registry.close()
    copy = folder / "old.db"
    shutil.copy(home.root / "registry.db", copy)
    stage.registry = Registry.open(home, clock=clock)
    return copy


@pytest.mark.sqlite_only
def test_an_old_database_learns_what_was_revoked_superseded_and_compromised(
    stage: Stage, home: Home, clock: FixedClock, tmp_path: Path
) -> None:
    revoked, replaced, suspended = (stage.grant() for _ in range(3))
    agent = stage.registry.create_party("person", "agent", "Agent")
    mandate = stage.say(
        "mandate", stage.anna.id, kind="agent", representative=agent.id,
        representative_did=agent.did, scope=("grant",), valid_from=stage.now(),
    )  # fmt: skip
    copy = database_copy(stage, home, clock, tmp_path)
    word = signed(stage, "revocation", revoked.id, stage.anna)
    stage.registry.add_statement(word)
    token = stage.token(supersedes=replaced.id)
    new = stage.registry.import_grant(token)
    stage.say("suspension", suspended.id)
    stage.say("revocation", mandate.id)
    clock.advance(timedelta(hours=1))
    stage.say("compromise", stage.studio.did, signer=stage.studio, since=stage.now())
    rotation = stage.registry.rotate_key("anna")
    with restored(stage, home, clock, copy) as registry:
        assert registry.grant(revoked.id).status == "revoked"
        assert registry.grant(replaced.id).status == "superseded"
        assert registry.grant(suspended.id).status == "suspended"
        assert [key.state for key in registry.party("anna").keys] == ["rotated"]
        assert [key.state for key in registry.party("studio").keys] == ["compromised"]
        with pytest.raises(VerificationError, match="document lost"):
            registry.grant(new.id)
        problems = registry.check().problems
        assert sum("document lost" in problem for problem in problems) >= 2
        # The documents come back to their places.
        assert registry.import_grant(token).leaf_index == new.leaf_index
        size = registry.log.checkpoint().size
        registry.add_statement(word)
        registry.add_statement(rotation.token)
        assert [key.state for key in registry.party("anna").keys] == ["rotated", "active"]
        assert registry.grant(replaced.id).superseded_by
        assert registry.log.checkpoint().size == size


@pytest.mark.sqlite_only
def test_a_grant_that_was_lost_and_revoked_comes_back_revoked(
    stage: Stage, home: Home, clock: FixedClock, tmp_path: Path
) -> None:
    copy = database_copy(stage, home, clock, tmp_path)
    token = stage.token()
    grant = stage.registry.import_grant(token)
    stage.say("revocation", grant.id)
    with restored(stage, home, clock, copy) as registry:
        assert registry.grants(voice=ANNA) == []
        assert registry.import_grant(token).status == "revoked"
        assert registry.grant(grant.id).status == "revoked"


@pytest.mark.sqlite_only
def test_a_grant_whose_document_was_lost_is_not_usable_until_it_comes_in_again(
    stage: Stage, home: Home, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    from consent.registry.grant import grants

    token = stage.token()
    monkeypatch.setattr(grants.Intake, "take", dying_after(grants.Intake.take))
    with pytest.raises(KeyboardInterrupt):
        stage.registry.import_grant(token)
    monkeypatch.undo()
    stage.registry.close()
    for kept in home.outbox.iterdir():
        kept.unlink()
    with Registry.open(home, clock=clock) as registry:
        assert registry.grants() == []
        assert any("document lost" in problem for problem in registry.check().problems)
        record = registry.import_grant(token)
        assert record.standing(stage.now()) == "active"
        assert registry.check().ok


def dying_after(work: Callable[..., object]) -> Callable[..., None]:
    """The log is written, and the process dies before the database is."""

    def dying(*args: object) -> None:
        work(*args)
        raise KeyboardInterrupt

    return dying
