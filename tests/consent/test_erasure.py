"""Erasure: what is gone, what stays, and that nobody brings back what is gone."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import pytest
from consent_kit import snapshot, sql, value_of
from grants_kit import ANNA, Stage

from consent import keys
from consent.canonical import canonical, commitment
from consent.clock import FixedClock
from consent.credentials.statement import draft_statement
from consent.errors import InputError, RefusedError, VivavoceError
from consent.home import Home
from consent.log import verify_proof
from consent.registry import Denied, Registry
from consent.registry.job import leases
from consent.registry.party.erasure import ErasureReport

PASSPHRASE = "correct horse battery staple"


@pytest.fixture
def stage(registry: Registry) -> Stage:
    return Stage(registry)


def erase(stage: Stage, party: str = "anna") -> ErasureReport:
    return stage.registry.erase_party(party, "Dana Desk", "consent-withdrawn", note="ticket 4711")


def put(stage: Stage, data: bytes = b"Anna's voice" * 9000) -> str:
    return stage.registry.store_object(
        "anna", io.BytesIO(data), kind="recording", media_type="audio/flac", name="anna.flac"
    ).id


def bytes_of(home: Home) -> bytes:
    """Everything on disk, the passphrase-free thief's view."""
    return b"".join(p.read_bytes() for p in sorted(home.root.rglob("*")) if p.is_file())


def test_what_was_theirs_is_gone(stage: Stage, home: Home) -> None:
    registry, anna = stage.registry, stage.anna
    grant = stage.grant()
    statement = stage.say("suspension", grant.id, reason="holidays")
    item = put(stage)
    wrapped = value_of(home, "SELECT wrapped FROM person_keys WHERE party_id = ?", anna.id)
    profile = value_of(home, "SELECT profile FROM parties WHERE id = ?", anna.id)
    report = erase(stage)
    assert (report.grants, report.voices, report.objects) == ((grant.id,), (ANNA,), 1)

    found = registry.party(anna.id)
    assert (found.state, found.handle, found.display_name) == ("erased", "", "")
    assert not any(key.did == anna.did for key in found.keys)
    assert not any(key.state == "active" for key in found.keys)
    with pytest.raises(RefusedError, match="no party 'anna'"):
        registry.party("anna")
    assert not list(home.keys.glob("party-" + anna.id + "*"))
    assert not list((home.vault / "objects").glob("*/*"))
    registry.close()
    everything = bytes_of(home)
    for trace in (wrapped, profile, anna.did):
        assert trace.encode() not in everything
    for table, column in (("grants", "id"), ("statements", "id"), ("voices", "name")):
        sealed = "details" if table == "voices" else "document"
        name = {"grants": grant.id, "statements": statement.id, "voices": ANNA}[table]
        assert value_of(home, f"SELECT {sealed} FROM {table} WHERE {column} = ?", name) == ""
    assert item not in {p.name for p in home.vault.rglob("*")}


def test_the_log_says_so_and_says_nothing_about_the_person(stage: Stage) -> None:
    put(stage)
    report = erase(stage)
    entry = json.loads(stage.registry.log.entry(report.leaf_index))
    assert entry["kind"] == "erasure"
    assert entry["reason"] == "consent-withdrawn"
    for private in ("anna", stage.anna.id, stage.anna.did, "Dana", "4711", ANNA):
        assert private not in json.dumps(entry)
    # Whoever keeps the record of the request can prove that this entry is about it.
    assert entry["record"] == commitment(canonical(report.record), bytes.fromhex(report.salt))
    kinds = [json.loads(leaf)["kind"] for leaf in stage.registry.log.entries()]
    assert kinds.count("erasure") == 1


def test_log_proofs_and_old_receipts_stay_good(stage: Stage) -> None:
    registry = stage.registry
    stage.grant()
    authorization = registry.authorize(stage.request())
    with registry.lease(authorization.id):
        output = stage.seal(authorization.id)
    before = registry.receipt(output)
    assert before is not None
    erase(stage)
    after = registry.receipt(output)
    assert after is not None
    assert (after.leaf_json, after.state, after.duration_ms) == (
        before.leaf_json,
        "sealed",
        before.duration_ms,
    )
    for receipt in (before, after):
        verify_proof(receipt.tlog_proof, receipt.leaf_json, registry.log.vkey)
    assert registry.check().ok, registry.check().problems
    registry.log.verify()


def test_an_erased_persons_voice_is_used_no_more(stage: Stage) -> None:
    registry = stage.registry
    grant = stage.grant()
    request = stage.request()
    registry.authorize(request)
    erase(stage)
    assert registry.grants()[0].status == "revoked"
    with pytest.raises(Denied):
        registry.authorize(request)
    with pytest.raises(Denied):
        registry.authorize(stage.request(grant=grant.id))
    # Not as a stock voice, not under a new owner, not by a new grant.
    stock = stage.request().voices[0]
    with pytest.raises(Denied):
        registry.authorize(
            stage.request(
                voices=(type(stock)(ANNA, "stock", "Apache-2.0", commercial=True, minutes=10.0),)
            )
        )
    with pytest.raises(RefusedError):
        registry.register_voice(ANNA, "studio")
    with pytest.raises(RefusedError):
        registry.register_voice("clone:anna2", stage.anna.id)
    with pytest.raises(RefusedError):
        registry.store_object(
            stage.anna.id, io.BytesIO(b"x"), kind="recording", media_type="audio/wav"
        )
    with pytest.raises(RefusedError):
        registry.export_party(stage.anna.id, registry.home.root / "x.zip")
    with pytest.raises(RefusedError, match="erased already"):
        erase(stage, stage.anna.id)


def test_what_an_erased_person_signed_before_is_not_taken_in_afterwards(stage: Stage) -> None:
    token = stage.token()
    erase(stage)
    with pytest.raises(RefusedError):
        stage.registry.import_grant(token)


def test_a_running_job_stops(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "RECHECK_SECONDS", 0.0)
    registry = stage.registry
    stage.grant()
    authorization = registry.authorize(stage.request())
    with registry.lease(authorization.id) as lease:
        lease.check()
        issued = stage.draft(authorization.id)
        registry.issue_receipt(issued)
        erase(stage)
        with pytest.raises(RefusedError):
            lease.check()
        with pytest.raises(RefusedError):
            registry.mark_sealed(issued.output_id, sha256="e" * 64, size=9, published_as="a.m4b")
        with pytest.raises(RefusedError):
            registry.issue_receipt(stage.draft(authorization.id))
    assert registry.check().ok, registry.check().problems


def test_the_same_name_can_come_back_as_somebody_new(stage: Stage) -> None:
    erase(stage)
    again = stage.registry.create_party("person", "anna", "Anna Example")
    assert again.id != stage.anna.id
    assert stage.registry.party("anna").id == again.id
    with pytest.raises(RefusedError, match="already on record"):
        stage.registry.create_party("person", "old-key", "Anna", did=stage.anna.did)


def test_erasing_a_licensee_ends_what_was_granted_to_them_and_keeps_it_for_the_owner(
    stage: Stage,
) -> None:
    grant = stage.grant()
    erase(stage, "studio")
    record = stage.registry.grant(grant.id)
    assert record.status == "revoked"
    assert record.grant is not None  # Anna's own record of what she gave
    with pytest.raises(Denied):
        stage.registry.authorize(stage.request())


@pytest.mark.parametrize("reason", ["", "because", "GDPR"])
def test_a_reason_is_one_the_law_knows(stage: Stage, reason: str) -> None:
    with pytest.raises(InputError, match="the reason is") as caught:
        stage.registry.erase_party("anna", "Dana", reason)
    assert "consent-withdrawn" in (caught.value.hint or "")
    with pytest.raises(InputError):
        stage.registry.erase_party("anna", "", "consent-withdrawn")
    assert stage.registry.party("anna").state == "active"


def test_a_crash_after_the_log_entry_is_finished_on_the_next_opening(
    stage: Stage, home: Home, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    from consent.registry.party import erasure

    stage.grant()
    put(stage)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(erasure, "_end_documents", die)
    with pytest.raises(KeyboardInterrupt):
        erase(stage)
    monkeypatch.undo()
    stage.registry.close()
    with Registry.open(home, clock=clock) as registry:
        assert registry.party(stage.anna.id).state == "erased"
        assert registry.grants()[0].status == "revoked"
        assert not list((home.vault / "objects").glob("*/*"))
        assert registry.check().ok, registry.check().problems


def test_an_older_database_put_back_erases_again(
    stage: Stage, home: Home, clock: FixedClock, tmp_path: Path
) -> None:
    stage.grant()
    item = put(stage)
    put_back = snapshot(home)
    shutil.copytree(home.vault, tmp_path / "vault")
    shutil.copytree(home.keys, tmp_path / "keys")
    erase(stage)
    stage.registry.close()
    put_back()
    shutil.copytree(tmp_path / "vault", home.vault, dirs_exist_ok=True)
    shutil.copytree(tmp_path / "keys", home.keys, dirs_exist_ok=True)
    with Registry.open(home, clock=clock) as registry:
        assert registry.party(stage.anna.id).state == "erased"
        with pytest.raises(RefusedError):
            registry.open_object(item)
        assert registry.check().ok, registry.check().problems
    assert not list((home.vault / "objects").glob("*/*"))
    assert not list(home.keys.glob(f"party-{stage.anna.id}*"))


def test_a_backup_restored_beside_the_newer_log_erases_again(
    stage: Stage, home: Home, clock: FixedClock, tmp_path: Path
) -> None:
    stage.grant()
    put(stage)
    keys.backup(home, tmp_path / "before", PASSPHRASE)
    erase(stage)
    size = stage.registry.log.checkpoint().size
    stage.registry.close()
    report = keys.restore(home, tmp_path / "before", PASSPHRASE, force=True)
    assert report.log_kept
    assert report.log_size < size
    with Registry.open(home, clock=clock) as registry:
        assert registry.log.checkpoint().size == size
        assert registry.party(stage.anna.id).state == "erased"
        assert registry.check().ok, registry.check().problems
    assert not list((home.vault / "objects").glob("*/*"))


def test_tampering_with_rows_protects_nobody_from_erasure(stage: Stage, home: Home) -> None:
    grant = stage.grant()
    item = put(stage)
    sql(home, "UPDATE grants SET used_ms = used_ms + 1 WHERE id = ?", grant.id)
    sql(home, "UPDATE voices SET state = 'odd' WHERE name = ?", ANNA)
    sql(home, "UPDATE vault_objects SET id = '../../../x' WHERE id = ?", item)
    erase(stage)
    assert value_of(home, "SELECT wrapped FROM person_keys WHERE party_id = ?", stage.anna.id) == ""
    assert value_of(home, "SELECT document FROM grants WHERE id = ?", grant.id) == ""
    with pytest.raises(VivavoceError):
        stage.registry.authorize(stage.request())
    # The file whose row was broken belongs to no row now, and was swept.
    assert not list((home.vault / "objects").glob("*/*"))


def test_a_representatives_erasure_leaves_what_they_signed_for_others_checkable(
    stage: Stage,
) -> None:
    registry = stage.registry
    agent = registry.create_party("person", "agent", "An Agent")
    body = {
        "kind": "agent",
        "representative": agent.id,
        "representative_did": agent.did,
        "scope": ["grant", "revoke"],
        "valid_from": "2026-01-01T00:00:00Z",
    }
    waiting = draft_statement(
        "mandate", issuer_did=stage.anna.did, subject=stage.anna.id, body=body, now=stage.now()
    )
    key = registry.signing_key(stage.anna.id)
    assert key is not None
    registry.add_statement(waiting.sign(key))
    erase(stage, "agent")
    left = registry.party(agent.id)
    assert left.keys[0].did == agent.did, "documents of others are checked with it"
    assert left.keys[0].state != "active"
    assert registry.mandates(stage.anna.id)[0].revoked_at is not None
    assert registry.check().ok, registry.check().problems
