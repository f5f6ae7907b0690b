"""Private keys of this home: named files, readable by their owner alone.

A key is a PKCS#8 PEM (``NAME.pem``) or a random secret (``NAME.secret``, hex) in the home's
``keys`` folder. It appears complete or not at all, is never overwritten, and is refused when
others can read it. Nothing here logs or prints key material.

In a protected home (:mod:`consent.protection`) the PEM is encrypted, and a secret is
``NAME.wrapped``: AES-256-GCM in base64. PKCS#8 stretches its password but little, so its
password is not the passphrase, but derived from the protection key and the key's name.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, overload

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from consent import keyfiles, protection
from consent.backup import BackupReport, backup
from consent.errors import StorageError, VerificationError
from consent.home import Home
from consent.keyfiles import check_permissions
from consent.locks import FileLock
from consent.restore import restore

if TYPE_CHECKING:
    from typing_extensions import TypeIs

__all__ = [
    "BackupReport",
    "KeyInfo",
    "KeyKind",
    "PrivateKey",
    "backup",
    "check_permissions",
    "has_key",
    "has_secret",
    "is_ed25519",
    "key_id",
    "key_name",
    "key_path",
    "lend",
    "list_keys",
    "load",
    "load_any",
    "load_or_create",
    "raw_public",
    "remove",
    "restore",
    "secret",
    "take",
]

KeyKind = Literal["ed25519", "ec-p256"]
PrivateKey = Ed25519PrivateKey | ec.EllipticCurvePrivateKey

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_RESTORE = "Restore it from a backup: vivavoce keys restore FILE"

#: Secrets that a parent process has handed over, by home and name.
_lent: dict[tuple[str, str], bytes] = {}


@overload
def load_or_create(home: Home, name: str, kind: Literal["ed25519"]) -> Ed25519PrivateKey: ...
@overload
def load_or_create(
    home: Home, name: str, kind: Literal["ec-p256"]
) -> ec.EllipticCurvePrivateKey: ...
def load_or_create(home: Home, name: str, kind: KeyKind) -> PrivateKey:
    """Return the key `name`, made on first use.

    Two processes that both come first agree on one key.

    Raises
    ------
    StorageError
        The key cannot be written, or others can read it.
    VerificationError
        The file is not a key of that kind.
    """
    if not has_key(home, name):
        with changing(home):
            if not has_key(home, name):
                wrapping = protection.protection_key(home)
                keyfiles.create(key_path(home, name), encode(_generate(kind), name, wrapping))
    return load(home, name, kind)


@overload
def load(home: Home, name: str, kind: Literal["ed25519"]) -> Ed25519PrivateKey: ...
@overload
def load(home: Home, name: str, kind: Literal["ec-p256"]) -> ec.EllipticCurvePrivateKey: ...
def load(home: Home, name: str, kind: KeyKind) -> PrivateKey:
    """Return the existing key `name`; same errors as :func:`load_or_create`."""
    path = key_path(home, name)
    key = parse(home, path)
    if isinstance(key, Ed25519PrivateKey) != (kind == "ed25519"):
        raise VerificationError(f"{path} holds a key of another kind, expected {kind}")
    return key


def load_any(home: Home, name: str) -> PrivateKey:
    """Return the existing key `name`, of whatever kind; same errors as :func:`load`."""
    return parse(home, key_path(home, name))


def is_ed25519(key: object) -> TypeIs[Ed25519PrivateKey]:
    """Return whether `key` signs with Ed25519."""
    return isinstance(key, Ed25519PrivateKey)


def secret(home: Home, name: str, *, length: int = 32) -> bytes:
    """Return the random secret `name` of `length` bytes, made on first use.

    The segment cache is encrypted under ``secret(home, "cache")``.

    Raises
    ------
    StorageError
        It cannot be written, or others can read it.
    VerificationError
        The file does not hold such a secret.
    """
    lent = _lent.get((str(home.root), key_name(name)))
    if lent is not None:
        return lent
    if not has_secret(home, name):
        with changing(home):
            if not has_secret(home, name):
                wrapping = protection.protection_key(home)
                write_secret(home, name, secrets.token_bytes(length), wrapping)
    value = read_secret(home, name)
    if len(value) != length:
        raise VerificationError(
            f"{_secret_path(home, name)} holds {len(value)} bytes, expected {length}"
        )
    return value


def has_key(home: Home, name: str) -> bool:
    """Return whether there is a file for the key `name`, whatever it holds."""
    return os.path.lexists(key_path(home, name))


def has_secret(home: Home, name: str) -> bool:
    """Return whether the secret `name` exists already."""
    return os.path.lexists(_secret_path(home, name))


def key_name(name: str) -> str:
    """Return `name` if it can name a key, else raise ValueError."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a key name (lower-case letters, digits, hyphens)")
    return name


def key_path(home: Home, name: str) -> Path:
    """Return where the key `name` lives."""
    return home.keys / f"{key_name(name)}.pem"


def remove(home: Home, name: str) -> bool:
    """Overwrite and remove the key `name`; return whether there was one."""
    existed = has_key(home, name)
    keyfiles.destroy(key_path(home, name))
    return existed


def lend(home: Home, *names: str) -> dict[str, str]:
    """Return secrets of a protected home for a child process, which cannot ask.

    Give them through a pipe, to :func:`take`; an unprotected home needs none of this.
    """
    if protection.kind(home) == "none":
        return {}
    return {name: secret(home, name).hex() for name in names}


def take(home: Home, lent: dict[str, str]) -> None:
    """Use in this process what :func:`lend` gave its parent."""
    for name, value in lent.items():
        _lent[str(home.root), key_name(name)] = bytes.fromhex(value)


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """A key as it may be shown.

    Attributes
    ----------
    kind
        ``"ed25519"``, ``"ec-p256"`` or ``"secret"``.
    public
        SHA-256 of the public key (raw for Ed25519, SubjectPublicKeyInfo in DER otherwise),
        lower-case hex; empty for a secret.
    protected
        Whether the file is encrypted.
    """

    name: str
    kind: str
    public: str
    protected: bool

    def to_json(self) -> dict[str, str | bool]:
        """Return the fields as JSON values."""
        return asdict(self)


def list_keys(home: Home) -> list[KeyInfo]:
    """Return the keys and secrets of `home` by name, each checked to be readable and closed."""
    found = []
    for path in sorted(home.keys.iterdir()):
        if path.suffix in (".secret", ".wrapped"):
            check_permissions(path)
            found.append(KeyInfo(path.stem, "secret", "", path.suffix == ".wrapped"))
        elif path.suffix == ".pem":
            closed = is_encrypted(keyfiles.read(path))
            key = parse(home, path)
            if isinstance(key, Ed25519PrivateKey):
                found.append(KeyInfo(path.stem, "ed25519", key_id(key), closed))
            else:
                spki = key.public_key().public_bytes(
                    serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
                )
                digest = hashlib.sha256(spki).hexdigest()
                found.append(KeyInfo(path.stem, "ec-p256", digest, closed))
    return found


def raw_public(key: Ed25519PrivateKey | Ed25519PublicKey) -> bytes:
    """Return the 32 bytes of an Ed25519 public key."""
    public = key.public_key() if isinstance(key, Ed25519PrivateKey) else key
    return public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def key_id(key: Ed25519PrivateKey | Ed25519PublicKey) -> str:
    """Return the SHA-256 of the raw public key, lower-case hex."""
    return hashlib.sha256(raw_public(key)).hexdigest()


def _generate(kind: KeyKind) -> PrivateKey:
    if kind == "ed25519":
        return Ed25519PrivateKey.generate()
    return ec.generate_private_key(ec.SECP256R1())


def changing(home: Home) -> FileLock:
    """Return the lock under which key files come and go."""
    return FileLock(home.root / ".keys.lock")


def encode(key: PrivateKey, name: str, wrapping: bytes | None) -> bytes:
    """Return the contents of the file of the key `name`, encrypted if there is `wrapping`."""
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if wrapping is not None:
        encryption = serialization.BestAvailableEncryption(_pem_password(wrapping, name))
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )


def _pem_password(wrapping: bytes, name: str) -> bytes:
    return protection.purpose_key(wrapping, f"pem {name}").hex().encode()


def is_encrypted(pem: bytes) -> bool:
    """Return whether a key file needs the protection key."""
    return b"-----BEGIN ENCRYPTED PRIVATE KEY-----" in pem


def parse(home: Home, path: Path) -> PrivateKey:
    """Return the key in a file; same errors as :func:`load`."""
    data = keyfiles.read(path)
    password = None
    if is_encrypted(data):
        password = _pem_password(_wrapping(home, path), path.stem)
    try:
        key = serialization.load_pem_private_key(data, password=password)
    except (ValueError, TypeError, UnsupportedAlgorithm) as exc:
        what = "is not a private key in PEM form"
        if password is not None:
            what = "was changed, or is another key's file"
        raise VerificationError(f"{path} {what}", hint=_RESTORE) from exc
    if isinstance(key, Ed25519PrivateKey):
        return key
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    raise VerificationError(f"{path} holds a key that is neither Ed25519 nor P-256")


def _wrapping(home: Home, path: Path) -> bytes:
    wrapping = protection.protection_key(home)
    if wrapping is None:
        raise StorageError(f"{path} is encrypted, and keys/protection.json is lost", hint=_RESTORE)
    return wrapping


def _secret_path(home: Home, name: str) -> Path:
    wrapped = home.keys / f"{key_name(name)}.wrapped"
    return wrapped if os.path.lexists(wrapped) else wrapped.with_suffix(".secret")


def read_secret(home: Home, name: str) -> bytes:
    """Return the existing secret `name`, of any length."""
    path = _secret_path(home, name)
    text = keyfiles.read(path)
    if path.suffix == ".secret":
        try:
            return bytes.fromhex(text.decode("ascii").strip())
        except ValueError as exc:
            raise VerificationError(f"{path} is not a secret in hex form", hint=_RESTORE) from exc
    cipher = AESGCM(protection.purpose_key(_wrapping(home, path), f"secret {name}"))
    try:
        data = base64.b64decode(text.strip(), validate=True)
        return cipher.decrypt(data[:12], data[12:], b"")
    except (InvalidTag, binascii.Error, ValueError) as exc:
        raise VerificationError(
            f"{path} was changed, or is another secret's file", hint=_RESTORE
        ) from exc


def write_secret(home: Home, name: str, value: bytes, wrapping: bytes | None) -> None:
    """Write the file of a secret, encrypted if there is `wrapping`; one that is there wins."""
    if wrapping is None:
        keyfiles.create(home.keys / f"{name}.secret", value.hex().encode() + b"\n")
        return
    nonce = secrets.token_bytes(12)
    cipher = AESGCM(protection.purpose_key(wrapping, f"secret {name}"))
    data = base64.b64encode(nonce + cipher.encrypt(nonce, value, b"")) + b"\n"
    keyfiles.create(home.keys / f"{name}.wrapped", data)
