"""Authorizations and receipts: what is asked, allowed, used and put on record."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import stat
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from consent_kit import HEART, KOKORO, a_draft, a_request

from consent import keys
from consent.clock import FixedClock
from consent.errors import InputError, RefusedError, StorageError, VerificationError
from consent.home import Home
from consent.log import LogReader, verify_proof
from consent.registry import Denied, Registry


@pytest.mark.sqlite_only
def test_first_use_makes_keys_log_and_tables_closed_to_others(home: Home) -> None:
    with Registry.open(home) as registry:
        assert re.fullmatch("[0-9a-f]{4}", registry.registry_tag)
        assert registry.log.vkey.startswith("vivavoce/")
        assert registry.check().ok
    assert {p.name for p in home.keys.iterdir()} == {"log.pem", "registry.pem"}
    assert stat.S_IMODE((home.root / "registry.db").stat().st_mode) == 0o600


def test_the_first_log_entry_names_the_registrys_key(registry: Registry) -> None:
    entry = json.loads(registry.log.entry(0))
    assert entry["kind"] == "registry"
    assert entry["tag"] == registry.registry_tag
    assert registry.status().log_size == 2, "its policies come second"


def test_an_authorization_reads_back_as_it_was_given(registry: Registry) -> None:
    given = registry.authorize(a_request())
    found = registry.find_authorization("b" * 64)
    assert found == given
    assert found.request == a_request()
    assert given.policy_decision == ("base/model", "base/stock-voice")
    assert registry.find_authorization("f" * 64) is None


def test_a_receipt_proves_itself_with_the_logs_key_alone(registry: Registry) -> None:
    authorization = registry.authorize(a_request())
    with registry.lease(authorization.id):
        draft = a_draft(registry, authorization.id)
        receipt = registry.issue_receipt(draft)
        verify_proof(receipt.tlog_proof, receipt.leaf_bytes, registry.log.vkey)
        assert registry.receipt(draft.output_id) == receipt
        assert receipt.state == "issued"
        leaf = json.loads(receipt.leaf_json)
    assert leaf["output_id"] == draft.output_id
    assert leaf["authorization"] == authorization.digest
    assert leaf["text"] == draft.text_digest
    assert leaf["duration_ms"] == 120_000
    assert leaf["policy"]["rules"] == ["base/model", "base/stock-voice"]


def test_nothing_personal_reaches_the_log(registry: Registry, home: Home) -> None:
    authorization = registry.authorize(a_request())
    with registry.lease(authorization.id):
        draft = a_draft(registry, authorization.id)
        registry.issue_receipt(draft)
        registry.mark_sealed(draft.output_id, sha256="e" * 64, size=9, published_as="mine.m4b")
        other = a_draft(registry, authorization.id)
        registry.issue_receipt(other)
        registry.abandon(other.output_id, "the reader changed her mind")
    logged = b"".join(registry.log.entries())
    for personal in ("a reader", "Chickens", "Wodehouse", "Chapter", "mine.m4b", "her mind"):
        assert personal.encode() not in logged


def test_the_doors_order_is_on_record(registry: Registry) -> None:
    authorization = registry.authorize(a_request())
    with registry.lease(authorization.id):
        sealed, dropped = (a_draft(registry, authorization.id) for _ in range(2))
        registry.issue_receipt(sealed)
        registry.mark_sealed(sealed.output_id, sha256="e" * 64, size=9, published_as="a.m4b")
        registry.mark_sealed(sealed.output_id, sha256="e" * 64, size=9, published_as="a.m4b")
        registry.issue_receipt(dropped)
        registry.abandon(dropped.output_id, "no room")
        registry.abandon(dropped.output_id, "no room")
    kinds = [json.loads(entry)["kind"] for entry in registry.log.entries()]
    assert kinds == ["registry", "policy", "receipt", "sealed", "receipt", "abandoned", "settled"]
    receipt = registry.receipt(sealed.output_id)
    assert receipt is not None
    assert (receipt.state, receipt.sha256, receipt.size) == ("sealed", "e" * 64, 9)
    assert receipt.published_as == "a.m4b"
    settled = json.loads(registry.log.entry(6))
    assert (settled["outputs"], settled["duration_ms"]) == (1, 120_000)
    assert registry.check().ok


def test_an_output_that_could_not_be_published_is_abandoned_even_after_its_seal(
    registry: Registry,
) -> None:
    authorization = registry.authorize(a_request(minutes=2.0))
    with registry.lease(authorization.id):
        draft = a_draft(registry, authorization.id, minutes=2.0)
        registry.issue_receipt(draft)
        registry.mark_sealed(draft.output_id, sha256="e" * 64, size=9, published_as="a.m4b")
        registry.abandon(draft.output_id, "the rename failed")
        registry.issue_receipt(a_draft(registry, authorization.id, minutes=2.0))
    assert registry.status().receipts == {"abandoned": 2}
    assert registry.check().ok


def test_a_policy_pack_that_does_not_parse_keeps_the_registry_shut(home: Home) -> None:
    (home.policies / "mine.cedar").write_text("permit everything, please")
    with pytest.raises(InputError, match=r"mine\.cedar does not parse"):
        Registry.open(home)


def test_output_ids_carry_the_registrys_tag_and_are_used_once(registry: Registry) -> None:
    authorization = registry.authorize(a_request())
    with registry.lease(authorization.id):
        draft = a_draft(registry, authorization.id)
        assert draft.output_id.startswith(registry.registry_tag)
        registry.issue_receipt(draft)
        with pytest.raises(RefusedError, match="already used"):
            registry.issue_receipt(draft)
        foreign = ("0" if registry.registry_tag[0] != "0" else "1") + draft.output_id[1:]
        with pytest.raises(InputError, match="not of this registry"):
            registry.issue_receipt(dataclasses.replace(draft, output_id=foreign))


# -- Minutes ----------------------------------------------------------------------------


def test_receipts_use_up_the_minutes_and_not_one_more(registry: Registry) -> None:
    authorization = registry.authorize(a_request(minutes=10.0))
    with registry.lease(authorization.id):
        for _ in range(5):
            registry.issue_receipt(a_draft(registry, authorization.id, minutes=2.0))
        assert registry.minutes_left(authorization.id) == pytest.approx(1.5)  # 10 % and 30 s
        with pytest.raises(RefusedError, match=r"10\.00 are used"):
            registry.issue_receipt(a_draft(registry, authorization.id, minutes=1.6))
        registry.issue_receipt(a_draft(registry, authorization.id, minutes=1.5))


def test_an_abandoned_output_gives_its_minutes_back_once(registry: Registry) -> None:
    authorization = registry.authorize(a_request(minutes=2.0))
    with registry.lease(authorization.id):
        draft = a_draft(registry, authorization.id, minutes=2.0)
        registry.issue_receipt(draft)
        before = registry.minutes_left(authorization.id)
        registry.abandon(draft.output_id, "the disk was full")
        registry.abandon(draft.output_id, "the disk was full")
        assert registry.minutes_left(authorization.id) == pytest.approx(before + 2.0)
        with pytest.raises(RefusedError, match="already abandoned"):
            registry.mark_sealed(draft.output_id, sha256="e" * 64, size=1, published_as="a")


def test_a_voice_cannot_speak_longer_than_its_file(registry: Registry) -> None:
    authorization = registry.authorize(a_request())
    with registry.lease(authorization.id):
        draft = a_draft(registry, authorization.id, minutes=2.0, voices=(HEART,))
        with pytest.raises(InputError, match="in this file, not in the whole work") as caught:
            try:
                registry.issue_receipt(draft)
            except InputError as exc:
                raise InputError(exc.diagnostics()) from exc
        assert "10.00 minutes in a file of 2.00" in caught.value.message


# -- Scope ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"voices": (dataclasses.replace(HEART, voice="kokoro:am_adam", minutes=1.0),)},
        {"voices": (dataclasses.replace(HEART, licence="MIT", minutes=1.0),)},
        {"voices": (dataclasses.replace(HEART, commercial=False, minutes=1.0),)},
        {"models": (dataclasses.replace(KOKORO, sha256="0" * 64),)},
        {"models": (dataclasses.replace(KOKORO, engine_version="2.0"),)},
        {"models": (KOKORO, dataclasses.replace(KOKORO, model="xtts"))},
    ],
)
def test_a_receipt_cannot_name_what_was_not_authorized(
    registry: Registry, change: dict[str, object]
) -> None:
    authorization = registry.authorize(a_request())
    with (
        registry.lease(authorization.id),
        pytest.raises(RefusedError, match="does not cover the"),
    ):
        registry.issue_receipt(a_draft(registry, authorization.id, **change))
    assert registry.status().log_size == 2


@pytest.mark.parametrize(
    "change",
    [
        {"minutes": 0.0},
        {"minutes": float("nan")},
        {"minutes": float("inf")},
        {"minutes": -1.0},
        {"job_digest": "B" * 64},
        {"job_digest": "b" * 63},
        {"purpose": "fun"},
        {"languages": ()},
        {"voices": ()},
        {"voices": (HEART, HEART)},
        {"models": ()},
        {"models": (dataclasses.replace(KOKORO, commercial="maybe"),)},
        {"models": (dataclasses.replace(KOKORO, sha256="xyz"),)},
        {"work_title": "x" * 2001},
        {"work_title": "lone surrogate \ud800"},
    ],
)
def test_a_request_that_cannot_be_meant_is_refused(
    registry: Registry, change: dict[str, object]
) -> None:
    with pytest.raises(InputError):
        registry.authorize(a_request(**change))


@pytest.mark.parametrize(
    "change",
    [
        {"output_id": "xyz"},
        {"output_id": "../../../etc"},
        {"container": "ogg"},
        {"duration_s": 0.0},
        {"duration_s": float("nan")},
        {"text_digest": ""},
        {"source_pcm_sha256": "d"},
        {"watermark": ""},
        {"voices": ()},
    ],
)
def test_a_draft_that_cannot_be_meant_is_refused(
    registry: Registry, change: dict[str, object]
) -> None:
    authorization = registry.authorize(a_request())
    with registry.lease(authorization.id), pytest.raises(InputError):
        registry.issue_receipt(a_draft(registry, authorization.id, **change))


@pytest.mark.parametrize("name", ["", "a/b.m4b", "..\\b.m4b"])
def test_a_sealed_file_is_named_without_its_folder(registry: Registry, name: str) -> None:
    authorization = registry.authorize(a_request())
    with registry.lease(authorization.id):
        draft = a_draft(registry, authorization.id)
        registry.issue_receipt(draft)
        with pytest.raises(InputError, match="not a file name"):
            registry.mark_sealed(draft.output_id, sha256="e" * 64, size=1, published_as=name)


def test_what_no_policy_allows_is_denied_with_reasons_and_cures(registry: Registry) -> None:
    clone = dataclasses.replace(HEART, voice="clone:anna", basis="consent")
    with pytest.raises(Denied, match="no grant of the person") as caught:
        registry.authorize(a_request(voices=(HEART, clone)))
    assert caught.value.rules == ("base/grant-on-record",)
    assert caught.value.reasons[0].startswith("clone:anna: ")
    assert caught.value.cures == ("Use a stock voice, or record the person's grant first.",)
    assert isinstance(caught.value, RefusedError)
    assert registry.status().authorizations == {}


# -- Time -------------------------------------------------------------------------------


def test_an_authorization_must_be_started_in_time(registry: Registry, clock: FixedClock) -> None:
    authorization = registry.authorize(a_request())
    clock.advance(timedelta(minutes=15))
    with pytest.raises(RefusedError, match="not started before 2026-11-21T12:15"):
        registry.lease(authorization.id)
    assert registry.find_authorization("b" * 64) is None
    assert registry.status().authorizations == {"expired": 1}
    with pytest.raises(RefusedError, match="it is expired"):
        registry.lease(authorization.id)


def test_a_job_may_take_days_and_pauses_but_not_a_week_of_silence(
    registry: Registry, clock: FixedClock
) -> None:
    authorization = registry.authorize(a_request())
    for _ in range(3):
        lease = registry.lease(authorization.id)
        registry.issue_receipt(a_draft(registry, authorization.id))
        lease.release()
        clock.advance(timedelta(days=6))
        assert registry.find_authorization("b" * 64) == authorization
    clock.advance(timedelta(days=1, seconds=1))
    with pytest.raises(RefusedError, match="silent since"):
        registry.lease(authorization.id)


# -- Schema and storage -----------------------------------------------------------------


def test_the_migrations_lead_to_exactly_the_tables_of_the_program(registry: Registry) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    from consent.registry.storage import database, tables

    core = registry._core
    with core.database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, tables.metadata) == []
        assert context.get_current_revision() == database.REVISION
    folder = Path(database.__file__).parent / "migrations"
    assert ScriptDirectory(str(folder)).get_current_head() == database.REVISION


def test_a_registry_of_a_newer_program_is_not_touched(home: Home) -> None:
    Registry.open(home).close()
    from consent_kit import sql

    sql(home, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StorageError, match="9999") as caught:
        Registry.open(home)
    assert "newer version" in (caught.value.hint or "")


@pytest.mark.parametrize(
    "url", ["not a url", "sqlite://", "sqlite:///:memory:", "nosuch+driver://x"]
)
def test_a_registry_url_that_cannot_be_used_is_refused(
    home: Home, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("VIVAVOCE_REGISTRY", url)
    with pytest.raises(InputError):
        Registry.open(Home.open())


@pytest.mark.sqlite_only
def test_a_folder_in_place_of_the_registry_is_reported(home: Home) -> None:
    (home.root / "registry.db").mkdir()
    with pytest.raises(StorageError, match="cannot open the registry"):
        Registry.open(home)


@pytest.mark.sqlite_only
def test_a_file_that_is_no_database_is_reported(home: Home) -> None:
    (home.root / "registry.db").write_bytes(b"hello " * 1000)
    with pytest.raises(StorageError, match="not a database"):
        Registry.open(home)


def test_the_registry_elsewhere_works_like_the_one_at_home(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIVAVOCE_REGISTRY", f"sqlite:///{tmp_path / 'far.db'}")
    with Registry.open(Home.open()) as registry:
        registry.authorize(a_request())
    assert (tmp_path / "far.db").exists()
    assert not (home.root / "registry.db").exists()


def test_the_plain_values_come_without_a_database() -> None:
    code = (
        "import sys, consent.registry; consent.registry.VoiceUse;"
        "print([m for m in ('sqlmodel', 'cedarpy', 'alembic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_stranger_reads_the_log_as_files(registry: Registry, home: Home) -> None:
    registry.authorize(a_request())
    reader = LogReader(home.log, registry.log.verifier)
    assert reader.verify().size == 2


def test_a_home_whose_log_key_was_swapped_does_not_open(home: Home) -> None:
    Registry.open(home).close()
    keys.remove(home, "log")
    keys.load_or_create(home, "log", "ed25519")
    with pytest.raises(VerificationError, match="not signed by"):
        Registry.open(home)


def test_a_registry_does_not_open_under_another_key(home: Home) -> None:
    Registry.open(home).close()
    keys.remove(home, "registry")
    keys.load_or_create(home, "registry", "ed25519")
    with pytest.raises(VerificationError, match="belongs to another key"):
        Registry.open(home)


@pytest.mark.parametrize("name", ["log", "registry"])
def test_a_lost_key_is_not_silently_replaced(home: Home, name: str) -> None:
    Registry.open(home).close()
    keys.remove(home, name)
    with pytest.raises(StorageError, match=rf"{name}\.pem is lost, but there is a log") as caught:
        Registry.open(home)
    assert "keys restore" in (caught.value.hint or "")
    assert not keys.has_key(home, name)


def test_lost_keys_and_a_lost_log_do_not_begin_anew_on_an_old_database(home: Home) -> None:
    Registry.open(home).close()
    keys.remove(home, "log")
    keys.remove(home, "registry")
    shutil.rmtree(home.log)
    with pytest.raises(StorageError, match="is in use"):
        Registry.open(home)
    assert not list(home.keys.glob("*.pem"))
    assert not home.log.exists()
