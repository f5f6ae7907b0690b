"""Keys on disk, and the backup that brings a lost home back."""

from __future__ import annotations

import multiprocessing
import stat
from pathlib import Path

import pytest
from consent_kit import a_draft, a_request
from cryptography.hazmat.primitives.asymmetric import ec

from consent import keys
from consent.errors import InputError, RefusedError, StorageError, VerificationError
from consent.home import Home
from consent.log import verify_proof
from consent.registry import Registry

PASSPHRASE = "correct horse battery staple"
SPAWN = multiprocessing.get_context("spawn")


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
