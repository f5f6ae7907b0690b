"""Keys on disk, and the backup that brings a lost home back."""

from __future__ import annotations

import io
import multiprocessing
import shutil
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from consent_kit import a_draft, a_request
from cryptography.hazmat.primitives.asymmetric import ec
from grants_kit import Stage

from consent import keys, protection
from consent.clock import FixedClock
from consent.errors import InputError, RefusedError, StorageError, VerificationError
from consent.home import Home
from consent.log import LogReader, Verifier, verify_proof
from consent.protecting import protect
from consent.registry import Registry

PASSPHRASE = "correct horse battery staple"
SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consent.backup._SCRYPT", {"n": 1 << 12, "r": 8, "p": 1})
    monkeypatch.setattr("consent.protection._SCRYPT", {"n": 1 << 12, "r": 8, "p": 1})
    monkeypatch.delenv("VIVAVOCE_PASSPHRASE", raising=False)


def test_a_key_is_made_once_and_belongs_to_its_owner_alone(home: Home) -> None:
    first = keys.load_or_create(home, "registry", "ed25519")
    again = keys.load_or_create(home, "registry", "ed25519")
    assert keys.raw_public(first) == keys.raw_public(again)
    assert stat.S_IMODE(keys.key_path(home, "registry").stat().st_mode) == 0o600
    assert [p.name for p in home.keys.iterdir()] == ["registry.pem"]


def test_certificate_keys_are_p256_in_pkcs8(home: Home) -> None:
    key = keys.load_or_create(home, "ca", "ec-p256")
    assert isinstance(key.curve, ec.SECP256R1)
    assert keys.key_path(home, "ca").read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----")


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_key_that_others_can_read_is_refused_with_the_cure(home: Home, mode: int) -> None:
    keys.load_or_create(home, "log", "ed25519")
    path = keys.key_path(home, "log")
    path.chmod(mode)
    with pytest.raises(StorageError, match="open to other users") as caught:
        keys.load(home, "log", "ed25519")
    assert f"chmod 600 {path}" in (caught.value.hint or "")
    with pytest.raises(StorageError):
        Registry.open(home)


def test_what_is_not_the_expected_key_is_refused(home: Home) -> None:
    keys.load_or_create(home, "ca", "ec-p256")
    with pytest.raises(VerificationError, match="another kind"):
        keys.load(home, "ca", "ed25519")
    keys.key_path(home, "ca").write_text("-----BEGIN NONSENSE-----")
    with pytest.raises(VerificationError, match="not a private key"):
        keys.load(home, "ca", "ec-p256")
    with pytest.raises(StorageError, match="does not exist"):
        keys.load(home, "gone", "ed25519")


@pytest.mark.parametrize("name", ["../evil", "a/b", "", ".hidden", "A", "x" * 65])
def test_a_key_name_cannot_leave_the_folder(home: Home, name: str) -> None:
    with pytest.raises(ValueError, match="not a key name"):
        keys.load_or_create(home, name, "ed25519")
    with pytest.raises(ValueError, match="not a key name"):
        keys.secret(home, name)


def test_a_secret_is_random_stable_and_closed(home: Home) -> None:
    value = keys.secret(home, "cache")
    assert len(value) == 32
    assert keys.secret(home, "cache") == value != keys.secret(home, "other")
    path = home.keys / "cache.secret"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    with pytest.raises(StorageError, match="open to other users"):
        keys.secret(home, "cache")
    path.chmod(0o600)
    path.write_text("abcd")
    with pytest.raises(VerificationError, match="2 bytes, expected 32"):
        keys.secret(home, "cache")


def make_key(root: str, queue: multiprocessing.Queue[bytes]) -> None:
    home = Home.open(Path(root))
    queue.put(keys.raw_public(keys.load_or_create(home, "registry", "ed25519")))


def test_processes_that_come_first_together_agree_on_one_key(home: Home) -> None:
    queue: multiprocessing.Queue[bytes] = SPAWN.Queue()
    makers = [SPAWN.Process(target=make_key, args=(str(home.root), queue)) for _ in range(4)]
    for maker in makers:
        maker.start()
    found = {queue.get(timeout=30) for _ in makers}
    for maker in makers:
        maker.join()
    assert len(found) == 1


def test_listed_keys_show_public_parts_only(home: Home) -> None:
    keys.load_or_create(home, "registry", "ed25519")
    keys.load_or_create(home, "ca", "ec-p256")
    keys.secret(home, "cache")
    listed = [key.to_json() for key in keys.list_keys(home)]
    assert [(k["name"], k["kind"]) for k in listed] == [
        ("ca", "ec-p256"),
        ("cache", "secret"),
        ("registry", "ed25519"),
    ]
    assert listed[1]["public"] == ""
    assert keys.secret(home, "cache").hex() not in str(listed)


def used_home(home: Home) -> tuple[str, str, str]:
    """A home that has sealed something; return its vkey, an output id and its leaf."""
    (home.trust / "friend.pem").write_text("an anchor")
    (home.policies / "mine.cedar").write_text("")
    keys.secret(home, "cache")
    with Registry.open(home) as registry:
        authorization = registry.authorize(a_request())
        with registry.lease(authorization.id):
            receipt = registry.issue_receipt(a_draft(registry, authorization.id))
            registry.mark_sealed(
                receipt.output_id, sha256="e" * 64, size=10, published_as="book.m4b"
            )
        return registry.log.vkey, receipt.output_id, receipt.leaf_json


@pytest.mark.sqlite_only
def test_a_lost_home_goes_on_from_its_backup(home: Home, tmp_path: Path) -> None:
    vkey, output_id, leaf = used_home(home)
    backup = keys.backup(home, tmp_path / "home.backup", PASSPHRASE)
    assert backup.registry
    assert stat.S_IMODE(backup.path.stat().st_mode) == 0o600

    fresh = Home.open(tmp_path / "fresh")
    restored = keys.restore(fresh, backup.path, PASSPHRASE)
    assert restored.files == backup.files
    assert keys.secret(fresh, "cache") == keys.secret(home, "cache")
    assert (fresh.trust / "friend.pem").read_text() == "an anchor"
    assert (fresh.policies / "mine.cedar").exists()
    with Registry.open(fresh) as registry:
        assert registry.log.vkey == vkey
        assert registry.check().ok
        receipt = registry.receipt(output_id)
        assert receipt is not None
        assert receipt.state == "sealed"
        verify_proof(receipt.tlog_proof, leaf, vkey)
        authorization = registry.authorize(a_request())
        with registry.lease(authorization.id):
            registry.issue_receipt(a_draft(registry, authorization.id))
        assert registry.check().ok
    assert not list(fresh.root.glob(".restore-*"))
    assert not list(home.root.glob(".backup-*"))


def test_nothing_of_a_backup_can_be_read_without_the_passphrase(home: Home, tmp_path: Path) -> None:
    used_home(home)
    data = keys.backup(home, tmp_path / "b", PASSPHRASE).path.read_bytes()
    for secret in (b"PRIVATE KEY", keys.secret(home, "cache").hex().encode(), b"Chickens"):
        assert secret not in data
    with pytest.raises(InputError, match="empty"):
        keys.backup(home, tmp_path / "c", "")


def test_a_wrong_passphrase_brings_nothing_back(home: Home, tmp_path: Path) -> None:
    used_home(home)
    keys.backup(home, tmp_path / "b", PASSPHRASE)
    fresh = Home.open(tmp_path / "fresh")
    with pytest.raises(VerificationError, match="passphrase does not open"):
        keys.restore(fresh, tmp_path / "b", "wrong")
    assert not list(fresh.keys.iterdir())
    assert not (fresh.root / "registry.db").exists()


def test_a_damaged_or_cut_backup_brings_nothing_back(home: Home, tmp_path: Path) -> None:
    used_home(home)
    (home.vault / "big").write_bytes(bytes(3 << 20))
    data = keys.backup(home, tmp_path / "b", PASSPHRASE).path.read_bytes()
    frame = (1 << 20) + 16
    start = data.index(b"\n", data.index(b"\n") + 1) + 1
    swapped = (
        data[:start]
        + data[start + frame : start + 2 * frame]
        + data[start : start + frame]
        + data[start + 2 * frame :]
    )
    cut = data[: start + 2 * frame]
    flipped = data[:-1] + bytes([data[-1] ^ 1])
    header = data.replace(b'"r": 8', b'"r": 9')
    for bad in (swapped, cut, flipped, header, data[:40], b"not a backup", b""):
        fresh = Home.open(tmp_path / f"fresh{len(bad)}{bad[-1:].hex()}")
        (tmp_path / "bad").write_bytes(bad)
        with pytest.raises(VerificationError):
            keys.restore(fresh, tmp_path / "bad", PASSPHRASE)
        assert not list(fresh.keys.iterdir())


@pytest.mark.sqlite_only
def test_restoring_over_a_home_in_use_needs_force_and_loses_nothing(
    home: Home, tmp_path: Path
) -> None:
    vkey, _, _ = used_home(home)
    keys.backup(home, tmp_path / "b", PASSPHRASE)
    other = Home.open(tmp_path / "other")
    used_home(other)
    old_key = keys.key_path(other, "registry").read_bytes()
    with pytest.raises(RefusedError, match=r"registry\.pem"):
        keys.restore(other, tmp_path / "b", PASSPHRASE)
    assert keys.key_path(other, "registry").read_bytes() == old_key
    report = keys.restore(other, tmp_path / "b", PASSPHRASE, force=True)
    assert report.replaced is not None
    assert (report.replaced / "keys/registry.pem").read_bytes() == old_key
    with Registry.open(Home.open(other.root)) as registry:
        assert registry.log.vkey == vkey
        assert registry.check().ok


def test_a_backup_replaces_nothing(home: Home, tmp_path: Path) -> None:
    used_home(home)
    existing = tmp_path / "b"
    existing.write_text("something dear")
    with pytest.raises(InputError, match="exists"):
        keys.backup(home, existing, PASSPHRASE)
    assert existing.read_text() == "something dear"
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match="exists"):
        keys.backup(home, tmp_path / "link", PASSPHRASE)
    assert not (tmp_path / "nowhere").exists()


def test_a_backup_that_fails_leaves_no_file(home: Home, tmp_path: Path) -> None:
    used_home(home)
    keys.key_path(home, "log").chmod(0o000)
    home.log.joinpath("checkpoint").chmod(0o000)
    try:
        with pytest.raises(InputError, match="empty"):
            keys.backup(home, tmp_path / "b", "")
        assert not (tmp_path / "b").exists()
        with pytest.raises(StorageError):
            keys.backup(home, tmp_path / "missing" / "b", PASSPHRASE)
    finally:
        keys.key_path(home, "log").chmod(0o600)
        home.log.joinpath("checkpoint").chmod(0o600)


def test_a_backup_waits_for_whoever_writes(home: Home, tmp_path: Path) -> None:
    used_home(home)
    with Registry.open(home) as registry, ThreadPoolExecutor(1) as other:
        with registry.log.writer() as writer:
            waiting = other.submit(keys.backup, home, tmp_path / "b", PASSPHRASE)
            time.sleep(0.2)
            assert not waiting.done()
            before = writer.checkpoint.size
        assert waiting.result(timeout=30).log_size == before


def test_a_restored_log_is_never_shorter_than_the_one_that_was_here(
    home: Home, tmp_path: Path
) -> None:
    used_home(home)
    keys.backup(home, tmp_path / "b", PASSPHRASE)
    _, output_id, _ = used_home(home)
    with Registry.open(home) as registry:
        newer = registry.log.checkpoint()
    report = keys.restore(home, tmp_path / "b", PASSPHRASE, force=True)
    assert report.log_kept
    with Registry.open(home) as registry:
        assert registry.log.checkpoint() == newer
        receipt = registry.receipt(output_id)
        assert receipt is not None and receipt.state == "sealed"
        registry.log.verify()


@pytest.mark.sqlite_only
def test_a_log_that_does_not_continue_the_backups_is_put_aside(home: Home, tmp_path: Path) -> None:
    vkey, _, _ = used_home(home)
    keys.backup(home, tmp_path / "b", PASSPHRASE)
    used_home(home)
    size = LogReader(home.log, Verifier.parse(vkey)).checkpoint().size
    bundle = home.log / "tile" / "entries" / "000.p" / str(size)
    bundle.write_bytes(bundle.read_bytes()[:-1] + b"!")
    report = keys.restore(home, tmp_path / "b", PASSPHRASE, force=True)
    assert not report.log_kept
    assert report.replaced is not None
    assert (report.replaced / "log" / "checkpoint").exists()
    with Registry.open(home) as registry:
        assert registry.log.vkey == vkey
        assert registry.log.checkpoint().size == report.log_size
        registry.log.verify()


def test_the_backup_of_a_protected_home_needs_both_passphrases(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used_home(home)
    cache = keys.secret(home, "cache")
    protect(home, "the keys' own")
    keys.backup(home, tmp_path / "b", PASSPHRASE)
    protection.forget()
    fresh = Home.open(tmp_path / "fresh")
    keys.restore(fresh, tmp_path / "b", PASSPHRASE)
    with pytest.raises(InputError, match="nobody can be asked"):
        Registry.open(fresh)
    monkeypatch.setenv("VIVAVOCE_PASSPHRASE", "the keys' own")
    assert keys.secret(fresh, "cache") == cache
    protection.forget()


@pytest.mark.sqlite_only
def test_a_lost_home_goes_on_in_every_respect(
    home: Home, clock: FixedClock, tmp_path: Path
) -> None:
    """The drill: vault, grants, keys of parties, log and registry; then the home is gone."""
    sound = b"Anna, reading." * 10_000
    with Registry.open(home, clock=clock) as registry:
        stage = Stage(registry)
        grant = stage.grant()
        item = registry.store_object(
            "anna", io.BytesIO(sound), kind="recording", media_type="audio/flac"
        )
        authorization = registry.authorize(stage.request())
        with registry.lease(authorization.id):
            output = stage.seal(authorization.id)
        vkey, did, tag = registry.log.vkey, registry.did, registry.registry_tag
    keys.backup(home, tmp_path / "b", PASSPHRASE)
    shutil.rmtree(home.root)

    again = Home.open()
    assert not list(again.keys.iterdir())
    keys.restore(again, tmp_path / "b", PASSPHRASE)
    with Registry.open(again, clock=clock) as registry:
        assert (registry.log.vkey, registry.did, registry.registry_tag) == (vkey, did, tag)
        assert registry.check().ok, registry.check().problems
        assert registry.party("anna").display_name == "Anna Example"
        with registry.open_object(item.id) as stream:
            assert stream.read() == sound
        record = registry.grant(grant.id)
        assert record.grant is not None
        assert record.used_ms == 2 * 60_000
        old = registry.receipt(output)
        assert old is not None
        verify_proof(old.tlog_proof, old.leaf_json, vkey)
        stage.registry = registry
        authorization = registry.authorize(stage.request())
        with registry.lease(authorization.id):
            new = registry.receipt(stage.seal(authorization.id))
        assert new is not None
        verify_proof(new.tlog_proof, new.leaf_json, vkey)
        assert new.leaf_index > old.leaf_index
        assert registry.grant(grant.id).used_ms == 4 * 60_000
        stage.say("revocation", grant.id)  # with the key that came back
        assert registry.check().ok, registry.check().problems
