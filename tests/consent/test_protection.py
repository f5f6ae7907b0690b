"""Keys under a passphrase or in the system's keyring: who gets in, and who does not."""

from __future__ import annotations

import json
import multiprocessing
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from consent import keyfiles, keys, passphrase, protection
from consent.errors import InputError, RefusedError, StorageError, VerificationError
from consent.home import Home
from consent.protecting import protect, unprotect
from consent.vault import Vault

PASSPHRASE = "correct horse battery staple"
SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv(protection.VARIABLE, raising=False)
    for module in ("backup", "protection"):  # quick
        monkeypatch.setattr(f"consent.{module}._SCRYPT", {"n": 1 << 12, "r": 8, "p": 1})
    yield
    protection.forget()
    passphrase.ask_with(None)


def with_keys(home: Home) -> dict[str, bytes]:
    """Every kind of key; what they hold."""
    Vault.open(home)
    return {
        "registry": keys.raw_public(keys.load_or_create(home, "registry", "ed25519")),
        "ca": keys.load_or_create(home, "ca", "ec-p256")
        .private_numbers()
        .private_value.to_bytes(32, "big"),
        "cache": keys.secret(home, "cache"),
        "vault": keys.secret(home, "vault"),
    }


def as_if_new_process() -> None:
    protection.forget()


def test_the_parameters_are_those_of_backups() -> None:
    code = "from consent import backup, protection; print(protection._SCRYPT == backup._SCRYPT)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "True"


def test_protected_keys_hold_the_same_and_show_nothing(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = with_keys(home)
    assert protect(home, PASSPHRASE) == 4
    for path in home.keys.iterdir():
        data = path.read_bytes()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert b"BEGIN PRIVATE KEY" not in data
        assert PASSPHRASE.encode() not in data
        for value in before.values():
            assert value not in data
            assert value.hex().encode() not in data
    assert not list(home.keys.glob("*.secret"))
    as_if_new_process()
    monkeypatch.setenv(protection.VARIABLE, PASSPHRASE)
    assert with_keys(home) == before
    assert all(info.protected for info in keys.list_keys(home))


def test_keys_made_later_are_protected_too(home: Home) -> None:
    protect(home, PASSPHRASE)
    keys.load_or_create(home, "party-p0123456789abcdef", "ed25519")
    keys.secret(home, "salts")
    assert b"ENCRYPTED" in keys.key_path(home, "party-p0123456789abcdef").read_bytes()
    assert (home.keys / "salts.wrapped").exists()
    assert not (home.keys / "salts.secret").exists()


def test_a_wrong_passphrase_opens_nothing_and_makes_nothing(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_keys(home)
    protect(home, PASSPHRASE)
    files = {p.name: p.read_bytes() for p in home.keys.iterdir()}
    as_if_new_process()
    monkeypatch.setenv(protection.VARIABLE, "Tr0ub4dor")
    for attempt in (
        lambda: keys.load(home, "registry", "ed25519"),
        lambda: keys.load_or_create(home, "new", "ed25519"),
        lambda: keys.secret(home, "cache"),
        lambda: Vault.open(home),
        lambda: protect(home, "another"),
        lambda: unprotect(home),
    ):
        with pytest.raises(VerificationError, match="passphrase does not open") as caught:
            attempt()
        assert "Tr0ub4dor" not in caught.value.diagnostics()
    assert {p.name: p.read_bytes() for p in home.keys.iterdir()} == files


def test_a_person_is_asked_once_in_a_process_and_may_mistype(home: Home) -> None:
    with_keys(home)
    protect(home, PASSPHRASE)
    as_if_new_process()
    answers = ["oops", PASSPHRASE, "never asked"]
    questions: list[str] = []

    def ask(question: str) -> str:
        questions.append(question)
        return answers[len(questions) - 1]

    passphrase.ask_with(ask)
    with_keys(home)
    keys.load(home, "registry", "ed25519")
    assert len(questions) == 2
    assert str(home.root) in questions[0]


def test_three_wrong_answers_are_enough(home: Home) -> None:
    with_keys(home)
    protect(home, PASSPHRASE)
    as_if_new_process()
    asked: list[str] = []
    passphrase.ask_with(lambda question: (asked.append(question), "wrong")[1])
    with pytest.raises(VerificationError, match="passphrase does not open"):
        keys.secret(home, "cache")
    assert len(asked) == 3


def test_where_nobody_can_be_asked_the_error_says_so(home: Home) -> None:
    with_keys(home)
    protect(home, PASSPHRASE)
    as_if_new_process()
    with pytest.raises(InputError, match="nobody can be asked") as caught:
        keys.secret(home, "cache")
    assert "VIVAVOCE_PASSPHRASE" in (caught.value.hint or "")


def read_in_child(root: str, lent: dict[str, str], queue: multiprocessing.Queue[str]) -> None:
    home = Home.open(Path(root))
    keys.take(home, lent)
    queue.put(keys.secret(home, "cache").hex())


def test_a_worker_process_gets_by_the_environment_or_by_a_loan(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = with_keys(home)["cache"].hex()
    assert keys.lend(home, "cache") == {}  # it can read the file itself
    protect(home, PASSPHRASE)
    queue: multiprocessing.Queue[str] = SPAWN.Queue()
    loan = keys.lend(home, "cache")
    worker = SPAWN.Process(target=read_in_child, args=(str(home.root), loan, queue))
    worker.start()
    assert queue.get(timeout=60) == expected
    worker.join()
    monkeypatch.setenv(protection.VARIABLE, PASSPHRASE)
    worker = SPAWN.Process(target=read_in_child, args=(str(home.root), {}, queue))
    worker.start()
    assert queue.get(timeout=60) == expected
    worker.join()


def test_unprotecting_brings_plain_files_back(home: Home) -> None:
    before = with_keys(home)
    protect(home, PASSPHRASE)
    assert unprotect(home) == 4
    as_if_new_process()
    assert with_keys(home) == before
    assert sorted(p.name for p in home.keys.iterdir()) == [
        "ca.pem",
        "cache.secret",
        "registry.pem",
        "vault.secret",
    ]
    with pytest.raises(RefusedError, match="not protected"):
        unprotect(home)


def test_protecting_again_changes_the_passphrase(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = with_keys(home)
    protect(home, PASSPHRASE)
    protect(home, "another one")
    as_if_new_process()
    monkeypatch.setenv(protection.VARIABLE, PASSPHRASE)
    with pytest.raises(VerificationError):
        with_keys(home)
    monkeypatch.setenv(protection.VARIABLE, "another one")
    assert with_keys(home) == before


def test_an_empty_passphrase_protects_nothing(home: Home) -> None:
    with_keys(home)
    with pytest.raises(InputError, match="empty"):
        protect(home, "")
    assert protection.kind(home) == "none"


def test_a_crash_in_the_middle_leaves_keys_that_work_and_can_be_finished(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = with_keys(home)
    done: list[Path] = []

    def die_after_two(path: Path) -> None:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(path)
        original(path)

    original = keyfiles.destroy
    monkeypatch.setattr(keyfiles, "destroy", die_after_two)
    with pytest.raises(KeyboardInterrupt):
        protect(home, PASSPHRASE)
    monkeypatch.setattr(keyfiles, "destroy", original)
    kinds = {p.suffix for p in home.keys.iterdir()}
    assert {".secret", ".wrapped"} <= kinds
    assert with_keys(home) == before
    protect(home, PASSPHRASE)
    assert with_keys(home) == before
    assert not list(home.keys.glob("*.secret"))
    assert not list(home.keys.glob(".*"))


def test_encrypted_key_files_cannot_be_exchanged(home: Home) -> None:
    with_keys(home)
    keys.load_or_create(home, "log", "ed25519")
    protect(home, PASSPHRASE)
    (home.keys / "log.pem").write_bytes((home.keys / "registry.pem").read_bytes())
    with pytest.raises(VerificationError, match="another key's file"):
        keys.load(home, "log", "ed25519")
    (home.keys / "cache.wrapped").write_bytes((home.keys / "vault.wrapped").read_bytes())
    with pytest.raises(VerificationError, match="another secret's file"):
        keys.secret(home, "cache")


@pytest.mark.parametrize(
    "change",
    [
        {"n": 1 << 30},
        {"n": 0},
        {"n": 1000},
        {"nonce": ""},
        {"wrapped": "AAAA"},
        {"wrapped": "?"},
        {"by": "nobody"},
        {"format": "vivavoce-protection/2"},
        {"kdf": "md5"},
    ],
)
def test_a_forged_protection_file_is_refused(
    home: Home, monkeypatch: pytest.MonkeyPatch, change: dict[str, object]
) -> None:
    with_keys(home)
    protect(home, PASSPHRASE)
    as_if_new_process()
    path = home.keys / "protection.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    monkeypatch.setenv(protection.VARIABLE, PASSPHRASE)
    with pytest.raises(VerificationError):
        keys.secret(home, "cache")


@pytest.mark.parametrize("name", ["registry.pem", "cache.wrapped", "protection.json"])
def test_half_written_files_are_refused_with_the_way_out(
    home: Home, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    with_keys(home)
    protect(home, PASSPHRASE)
    as_if_new_process()
    monkeypatch.setenv(protection.VARIABLE, PASSPHRASE)
    path = home.keys / name
    whole = path.read_bytes()
    for size in (0, 1, len(whole) // 2, len(whole) - 30):
        path.write_bytes(whole[:size])
        with pytest.raises(VerificationError) as caught:
            keys.load(home, "registry", "ed25519")
            keys.secret(home, "cache")
        assert "keys restore" in (caught.value.hint or "")


def test_a_lost_protection_file_is_named(home: Home) -> None:
    with_keys(home)
    protect(home, PASSPHRASE)
    (home.keys / "protection.json").unlink()
    for attempt in (
        lambda: keys.load(home, "registry", "ed25519"),
        lambda: keys.secret(home, "cache"),
    ):
        with pytest.raises(StorageError, match=r"protection\.json is lost"):
            attempt()


@pytest.mark.parametrize("name", ["registry.pem", "cache.secret"])
def test_a_key_that_is_a_link_is_refused(home: Home, tmp_path: Path, name: str) -> None:
    with_keys(home)
    elsewhere = tmp_path / "elsewhere"
    (home.keys / name).rename(elsewhere)
    (home.keys / name).symlink_to(elsewhere)
    with pytest.raises(StorageError, match="symbolic link"):
        keys.load(home, "registry", "ed25519")
        keys.secret(home, "cache")
    with pytest.raises(StorageError, match="symbolic link"):
        keys.list_keys(home)
    (home.keys / name).unlink()
    (home.keys / name).symlink_to(tmp_path / "nowhere")
    with pytest.raises(StorageError, match="symbolic link"):
        keys.load_or_create(home, "registry", "ed25519")
        keys.secret(home, "cache")
    assert not (tmp_path / "nowhere").exists()


def test_a_pipe_in_place_of_a_key_does_not_hang(home: Home) -> None:
    os.mkfifo(home.keys / "registry.pem", 0o600)
    with pytest.raises(StorageError, match="not a plain file"):
        keys.load(home, "registry", "ed25519")


def test_the_old_bytes_are_overwritten(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    with_keys(home)
    path = home.keys / "cache.secret"
    plain = path.read_bytes()
    with path.open("rb") as still_open:  # the file's own bytes, wherever its name went
        protect(home, PASSPHRASE)
        still_open.seek(0)
        assert still_open.read() == bytes(len(plain))
    pem = home.keys / "ca.pem"
    unprotect(home)
    with pem.open("rb") as still_open:
        protect(home, PASSPHRASE)
        assert set(still_open.read()) == {0}


def test_the_keyring_of_the_system_keeps_the_key(home: Home, a_keyring: dict[str, str]) -> None:
    before = with_keys(home)
    protect(home, None)
    assert protection.kind(home) == "keyring"
    (entry,) = a_keyring.values()
    assert len(bytes.fromhex(entry)) == 32
    assert entry not in (home.keys / "protection.json").read_text()
    as_if_new_process()
    assert with_keys(home) == before
    a_keyring.clear()
    as_if_new_process()
    with pytest.raises(VerificationError, match="no entry"):
        with_keys(home)
    with pytest.raises(VerificationError):
        protect(home, "a passphrase")


def test_a_changed_entry_of_the_keyring_is_noticed(home: Home, a_keyring: dict[str, str]) -> None:
    with_keys(home)
    protect(home, None)
    as_if_new_process()
    for value in ("ab" * 32, "no hex", ""):
        for name in a_keyring:
            a_keyring[name] = value
        with pytest.raises(VerificationError):
            with_keys(home)


def test_leaving_the_keyring_cleans_it(home: Home, a_keyring: dict[str, str]) -> None:
    before = with_keys(home)
    protect(home, None)
    protect(home, PASSPHRASE)
    assert a_keyring == {}
    protect(home, None)
    unprotect(home)
    assert a_keyring == {}
    assert with_keys(home) == before


def test_a_backup_needs_no_keyring_to_be_restored(
    home: Home, a_keyring: dict[str, str], tmp_path: Path
) -> None:
    before = with_keys(home)
    protect(home, None)
    report = keys.backup(home, tmp_path / "b", PASSPHRASE)
    assert "keys/protection.json" not in report.files
    assert {"keys/vault.secret", "keys/registry.pem"} <= set(report.files)
    a_keyring.clear()  # lost with the machine
    as_if_new_process()
    fresh = Home.open(tmp_path / "fresh")
    keys.restore(fresh, tmp_path / "b", PASSPHRASE)
    assert with_keys(fresh) == before
    assert protection.kind(fresh) == "none"
    with pytest.raises(VerificationError, match="no entry"):
        keys.backup(home, tmp_path / "c", PASSPHRASE)
    assert not (tmp_path / "c").exists()


def test_a_system_without_keyring_says_what_to_do(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keyring
    from keyring.backends.fail import Keyring

    monkeypatch.setattr(keyring.core, "_keyring_backend", Keyring())
    with_keys(home)
    with pytest.raises(StorageError, match="does not answer") as caught:
        protect(home, None)
    assert "passphrase" in (caught.value.hint or "")
    assert protection.kind(home) == "none"
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(StorageError, match="not installed"):
        protect(home, None)


@pytest.fixture
def a_keyring(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A keyring that speaks the library's own protocol and lives in memory."""
    import keyring
    from keyring.backend import KeyringBackend
    from keyring.errors import PasswordDeleteError

    entries: dict[str, str] = {}

    class Memory(KeyringBackend):
        priority = 1

        def get_password(self, service: str, username: str) -> str | None:
            return entries.get(f"{service} {username}")

        def set_password(self, service: str, username: str, password: str) -> None:
            entries[f"{service} {username}"] = password

        def delete_password(self, service: str, username: str) -> None:
            if entries.pop(f"{service} {username}", None) is None:
                raise PasswordDeleteError(username)

    monkeypatch.setattr(keyring.core, "_keyring_backend", Memory())
    return entries
