"""Sealed blobs: what opens them, and everything that does not."""

from __future__ import annotations

import base64
import multiprocessing
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.errors import RefusedError, StorageError, VerificationError
from consent.home import Home
from consent.vault import Vault

SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture
def vault(home: Home) -> Vault:
    return Vault.open(home)


@given(plaintext=st.binary(max_size=2000), context=st.text(max_size=40).filter(str.isprintable))
def test_what_is_sealed_opens_again_and_shows_nothing(plaintext: bytes, context: str) -> None:
    vault = Vault(bytes(range(32)))
    wrapped = vault.new_person_key()
    sealed = vault.seal(wrapped, plaintext, context=context)
    assert vault.open_(wrapped, sealed, context=context) == plaintext
    assert len(plaintext) < 8 or plaintext not in base64.b64decode(sealed)
    assert sealed != vault.seal(wrapped, plaintext, context=context)


def test_a_blob_moved_to_another_row_does_not_open(vault: Vault) -> None:
    wrapped = vault.new_person_key()
    sealed = vault.seal(wrapped, b"Ada", context="profile:p1")
    with pytest.raises(VerificationError, match="changed, or is another's"):
        vault.open_(wrapped, sealed, context="profile:p2")


def test_a_blob_moved_to_another_person_does_not_open(vault: Vault) -> None:
    ada, eve = vault.new_person_key(), vault.new_person_key()
    sealed = vault.seal(ada, b"Ada", context="profile:p1")
    with pytest.raises(VerificationError, match="changed, or is another's"):
        vault.open_(eve, sealed, context="profile:p1")


def test_every_changed_byte_of_blob_and_wrapped_key_is_noticed(vault: Vault) -> None:
    wrapped = vault.new_person_key()
    sealed = vault.seal(wrapped, b"Ada", context="profile:p1")
    for text in (wrapped, sealed):
        data = base64.b64decode(text)
        bad = [data[:i] + bytes([data[i] ^ 1]) + data[i + 1 :] for i in range(len(data))]
        bad += [data[:-1], b"", data[:13]]
        for broken in bad:
            changed = base64.b64encode(broken).decode()
            with pytest.raises((VerificationError, RefusedError)):
                if text is wrapped:
                    vault.open_(changed, sealed, context="profile:p1")
                else:
                    vault.open_(wrapped, changed, context="profile:p1")
    with pytest.raises(VerificationError, match="not base64"):
        vault.open_(wrapped, "???", context="profile:p1")


def test_without_the_persons_key_nothing_opens_and_nothing_is_sealed(vault: Vault) -> None:
    sealed = vault.seal(vault.new_person_key(), b"Ada", context="profile:p1")
    with pytest.raises(RefusedError, match="erased"):
        vault.open_("", sealed, context="profile:p1")
    with pytest.raises(RefusedError, match="erased"):
        vault.seal("", b"Ada", context="profile:p1")


def test_another_vaults_key_is_named_as_such() -> None:
    ours, theirs = Vault(bytes(32)), Vault(bytes([1]) * 32)
    with pytest.raises(VerificationError, match="wrapped with the master key"):
        theirs.person_key(ours.new_person_key())


def test_the_index_tells_labels_and_vaults_apart(vault: Vault) -> None:
    assert vault.index("ada", "handle") == vault.index("ada", "handle")
    assert vault.index("ada", "handle") != vault.index("ada", "contact")
    assert vault.index("ada", "handle") != Vault(bytes(32)).index("ada", "handle")


def test_the_master_key_belongs_to_its_owner_alone(home: Home) -> None:
    Vault.open(home)
    path = home.keys / "vault.secret"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o640)
    with pytest.raises(StorageError, match="open to other users"):
        Vault.open(home)


def test_a_lost_master_key_is_not_silently_replaced(home: Home) -> None:
    Vault.open(home)
    (home.keys / "vault.secret").unlink()
    with pytest.raises(StorageError, match=r"master key .* is lost") as caught:
        Vault.open(home)
    assert "keys restore" in (caught.value.hint or "")
    assert not (home.keys / "vault.secret").exists()


def test_another_vaults_master_key_is_refused(home: Home) -> None:
    Vault.open(home)
    (home.keys / "vault.secret").write_text("ab" * 32)
    with pytest.raises(VerificationError, match="was made with the master key"):
        Vault.open(home)


def make_person(root: str, queue: multiprocessing.Queue[str]) -> None:
    queue.put(Vault.open(Home.open(Path(root))).new_person_key())


def test_processes_that_come_first_together_agree_on_one_master_key(home: Home) -> None:
    queue: multiprocessing.Queue[str] = SPAWN.Queue()
    makers = [SPAWN.Process(target=make_person, args=(str(home.root), queue)) for _ in range(4)]
    for maker in makers:
        maker.start()
    wrapped = [queue.get(timeout=60) for _ in makers]
    for maker in makers:
        maker.join()
    vault = Vault.open(home)
    assert len({vault.person_key(text) for text in wrapped}) == 4
