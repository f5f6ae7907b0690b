"""What keeps the key files of a home closed: a passphrase, or the keyring of the system.

Every private key and secret of a protected home is encrypted under one random key, the
protection key. That key is kept in ``keys/protection.json``, encrypted under the passphrase
(scrypt), or in the keyring of the operating system. A process asks once; the answer is kept
in memory, never written or logged.

The passphrase comes from the environment (``VIVAVOCE_PASSPHRASE``, for servers) or from the
function given to :func:`consent.passphrase.ask_with`, which the command line does.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from consent import keyfiles
from consent.errors import InputError, RefusedError, StorageError, VerificationError
from consent.files import write_atomic
from consent.home import Home
from consent.passphrase import asker

Kind = Literal["none", "passphrase", "keyring"]

#: Takes the place of a prompt where nobody can be asked.
VARIABLE = "VIVAVOCE_PASSPHRASE"

_FORMAT = "vivavoce-protection/1"
_SCRYPT = {"n": 1 << 17, "r": 8, "p": 1}
_MAX_SCRYPT_BYTES = 1 << 30  # a forged file must not make us allocate without bound
_SERVICE = "vivavoce"
_TRIES = 3

_unlocked: dict[str, bytes] = {}


def forget() -> None:
    """Forget the protection keys this process has unlocked."""
    _unlocked.clear()


def kind(home: Home) -> Kind:
    """Return how the keys of `home` are protected."""
    found = _read(home)
    return "none" if found is None else found.by


def protection_key(home: Home) -> bytes | None:
    """Return the key under which the key files are encrypted, None for an unprotected home.

    Raises
    ------
    InputError
        A passphrase is needed, and there is nobody to ask.
    VerificationError
        The passphrase is wrong, or the file or the keyring's entry is damaged.
    StorageError
        The system's keyring does not answer.
    """
    found = _read(home)
    if found is None:
        return None
    if found.id not in _unlocked:
        key = _from_keyring(found) if found.by == "keyring" else _asked(found, home)
        _unlocked[found.id] = key
    return _unlocked[found.id]


def begin(home: Home, passphrase: str | None) -> bytes:
    """Make a protection key under a passphrase, or in the system's keyring if it is None."""
    return _store(home, secrets.token_bytes(32), passphrase)


def change(home: Home, passphrase: str | None) -> None:
    """Keep the protection key under another passphrase, or in the keyring if it is None."""
    before = _read(home)
    key = protection_key(home)
    if before is None or key is None:
        raise RefusedError(f"the keys of {home.root} are not protected")
    _store(home, key, passphrase)
    if before.by == "keyring" and passphrase is not None:
        _forget_in_keyring(before)


def end(home: Home) -> None:
    """Remove the protection key; nothing may be encrypted under it any more."""
    found = _read(home)
    if found is not None:
        keyfiles.destroy(home.keys / "protection.json")
        _unlocked.pop(found.id, None)
        if found.by == "keyring":
            _forget_in_keyring(found)


def stretch(passphrase: str, salt: bytes, *, n: int, r: int, p: int) -> bytes:
    """Return a key of 32 bytes from a passphrase, by scrypt.

    Raises
    ------
    InputError
        The passphrase is empty.
    ValueError
        The parameters are out of range, or would take more than 1 GiB.
    """
    if not passphrase:
        raise InputError("the passphrase is empty", hint="Choose one of several words.")
    if min(n, r, p) < 1 or 128 * n * r * p > _MAX_SCRYPT_BYTES:
        raise ValueError("scrypt parameters out of range")
    try:
        data = passphrase.encode()
    except UnicodeEncodeError as exc:
        raise InputError("the passphrase is not proper text") from exc
    return Scrypt(salt=salt, length=32, n=n, r=r, p=p).derive(data)


def purpose_key(key: bytes, purpose: str) -> bytes:
    """Return what encrypts one file: a key swapped under another name does not open."""
    info = b"vivavoce protection v1 " + purpose.encode()
    return HKDF(SHA256(), 32, salt=None, info=info).derive(key)


@dataclass(frozen=True, slots=True)
class _Protection:
    """Contents of ``protection.json``."""

    by: Literal["passphrase", "keyring"]
    id: str
    n: int = 0
    r: int = 0
    p: int = 0
    salt: bytes = b""
    nonce: bytes = b""
    wrapped: bytes = b""


def _read(home: Home) -> _Protection | None:
    path = home.keys / "protection.json"
    if not os.path.lexists(path):
        return None
    try:
        fields = json.loads(keyfiles.read(path))
        if fields["format"] != _FORMAT:
            raise ValueError(f"format {fields['format']!r}")
        if fields["by"] == "keyring":
            return _Protection("keyring", str(fields["id"]))
        n, r, p = (int(fields[name]) for name in ("n", "r", "p"))
        salt, nonce, wrapped = (
            base64.b64decode(fields[name], validate=True) for name in ("salt", "nonce", "wrapped")
        )
        if fields["by"] != "passphrase" or fields["kdf"] != "scrypt" or len(nonce) != 12:
            raise ValueError("parameters out of range")
        return _Protection("passphrase", str(fields["id"]), n, r, p, salt, nonce, wrapped)
    except (ValueError, KeyError, TypeError) as exc:
        raise VerificationError(
            f"{path} is damaged: {exc}",
            hint="Restore it from a backup: vivavoce keys restore FILE",
        ) from exc


def _store(home: Home, key: bytes, passphrase: str | None) -> bytes:
    ident = _key_id(key)
    fields: dict[str, Any] = {"format": _FORMAT, "id": ident}
    if passphrase is None:
        _into_keyring(ident, key)
        fields |= {"by": "keyring", "service": _SERVICE, "account": ident}
    else:
        salt, nonce = secrets.token_bytes(16), secrets.token_bytes(12)
        wrapping = stretch(passphrase, salt, **_SCRYPT)
        wrapped = AESGCM(wrapping).encrypt(nonce, key, _FORMAT.encode() + ident.encode())
        fields |= {"by": "passphrase", "kdf": "scrypt", **_SCRYPT}
        for name, value in (("salt", salt), ("nonce", nonce), ("wrapped", wrapped)):
            fields[name] = base64.b64encode(value).decode()
    data = json.dumps(fields, indent=2).encode() + b"\n"
    write_atomic(home.keys / "protection.json", data, mode=0o600)
    _unlocked[ident] = key
    return key


def _asked(found: _Protection, home: Home) -> bytes:
    given = os.environ.get(VARIABLE)
    if given is not None:
        return _open(found, given, home)
    ask = asker()
    if ask is None:
        raise InputError(
            f"the keys of {home.root} are protected by a passphrase, and nobody can be asked",
            hint=f"Set {VARIABLE}, or run the command in a terminal.",
        )
    for left in range(_TRIES - 1, -1, -1):
        try:
            return _open(found, ask(f"Passphrase for the keys in {home.root}"), home)
        except VerificationError:
            if left == 0:
                raise
    raise AssertionError("unreachable")


def _open(found: _Protection, passphrase: str, home: Home) -> bytes:
    try:
        wrapping = stretch(passphrase, found.salt, n=found.n, r=found.r, p=found.p)
        return AESGCM(wrapping).decrypt(
            found.nonce, found.wrapped, _FORMAT.encode() + found.id.encode()
        )
    except InvalidTag as exc:
        raise VerificationError(
            f"the passphrase does not open the keys in {home.root}",
            hint="Try again. Without it, only a backup whose passphrase you know helps.",
        ) from exc
    except ValueError as exc:
        raise VerificationError(f"{home.keys / 'protection.json'} is damaged: {exc}") from exc


def _key_id(key: bytes) -> str:
    return sha256(b"vivavoce protection key\0" + key).hexdigest()[:16]


def _keyring() -> Any:
    try:
        import keyring
    except ImportError as exc:
        raise StorageError(
            "the keyring of the system cannot be used: the library keyring is not installed",
            hint='Install it: pip install "vivavoce[keyring]"; or use a passphrase.',
        ) from exc
    return keyring


def _into_keyring(ident: str, key: bytes) -> None:
    keyring = _keyring()
    try:
        keyring.set_password(_SERVICE, ident, key.hex())
        stored = keyring.get_password(_SERVICE, ident)
    except keyring.errors.KeyringError as exc:
        raise _no_keyring(exc) from exc
    if stored != key.hex():
        raise StorageError("the keyring of the system does not give back what it was given")


def _from_keyring(found: _Protection) -> bytes:
    keyring = _keyring()
    try:
        text = keyring.get_password(_SERVICE, found.id)
    except keyring.errors.KeyringError as exc:
        raise _no_keyring(exc) from exc
    restore = "Restore from a backup: vivavoce keys restore FILE (it needs no keyring)."
    if text is None:
        raise VerificationError(
            f"the keyring of the system has no entry {found.id!r} of the service {_SERVICE!r}",
            hint=restore,
        )
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if _key_id(key) != found.id:
        raise VerificationError(f"the keyring's entry {found.id!r} was changed", hint=restore)
    return key


def _forget_in_keyring(found: _Protection) -> None:
    keyring = _keyring()
    try:
        keyring.delete_password(_SERVICE, found.id)
    except keyring.errors.PasswordDeleteError:
        pass  # it is gone already
    except keyring.errors.KeyringError as exc:
        raise _no_keyring(exc) from exc


def _no_keyring(exc: Exception) -> StorageError:
    return StorageError(
        f"the keyring of the system does not answer: {exc}",
        hint="Unlock it (log in to the desktop), or protect the keys by a passphrase.",
    )
