"""Private keys of this home: named files, readable by their owner alone.

A key is a PKCS#8 PEM (``NAME.pem``) or a random secret (``NAME.secret``, hex) in the home's
``keys`` folder. It appears complete or not at all, is never overwritten, and is refused when
others can read it. Nothing here logs or prints key material.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import stat
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, overload

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from consent.backup import BackupReport, backup, restore
from consent.errors import StorageError, VerificationError
from consent.files import fsync_folder, storage_error
from consent.home import Home

__all__ = [
    "BackupReport",
    "KeyInfo",
    "KeyKind",
    "PrivateKey",
    "backup",
    "check_permissions",
    "has_secret",
    "key_id",
    "key_path",
    "list_keys",
    "load",
    "load_or_create",
    "raw_public",
    "restore",
    "secret",
]

KeyKind = Literal["ed25519", "ec-p256"]
PrivateKey = Ed25519PrivateKey | ec.EllipticCurvePrivateKey

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


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
    if not key_path(home, name).exists():
        pem = _generate(kind).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        _create(key_path(home, name), pem)
    return load(home, name, kind)


@overload
def load(home: Home, name: str, kind: Literal["ed25519"]) -> Ed25519PrivateKey: ...
@overload
def load(home: Home, name: str, kind: Literal["ec-p256"]) -> ec.EllipticCurvePrivateKey: ...
def load(home: Home, name: str, kind: KeyKind) -> PrivateKey:
    """Return the existing key `name`; same errors as :func:`load_or_create`."""
    path = key_path(home, name)
    key = _parse(path)
    if isinstance(key, Ed25519PrivateKey) != (kind == "ed25519"):
        raise VerificationError(f"{path} holds a key of another kind, expected {kind}")
    return key


def secret(home: Home, name: str, *, length: int = 32) -> bytes:
    """Return the random secret `name` of `length` bytes, made on first use.

    The segment cache is encrypted under ``secret(home, "cache")``.
    """
    path = home.keys / f"{_checked(name)}.secret"
    if not path.exists():
        _create(path, secrets.token_hex(length).encode() + b"\n")
    try:
        value = bytes.fromhex(_read(path).decode("ascii").strip())
    except ValueError as exc:
        raise VerificationError(f"{path} is not a secret in hex form") from exc
    if len(value) != length:
        raise VerificationError(f"{path} holds {len(value)} bytes, expected {length}")
    return value


def has_secret(home: Home, name: str) -> bool:
    """Return whether the secret `name` exists already."""
    return (home.keys / f"{_checked(name)}.secret").exists()


def key_path(home: Home, name: str) -> Path:
    """Return where the key `name` lives."""
    return home.keys / f"{_checked(name)}.pem"


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
    """

    name: str
    kind: str
    public: str

    def to_json(self) -> dict[str, str]:
        """Return the fields as JSON values."""
        return asdict(self)


def list_keys(home: Home) -> list[KeyInfo]:
    """Return the keys and secrets of `home` by name, each checked to be readable and closed."""
    found = []
    for path in sorted(home.keys.iterdir()):
        if path.suffix == ".secret":
            check_permissions(path)
            found.append(KeyInfo(path.stem, "secret", ""))
        elif path.suffix == ".pem":
            key = _parse(path)
            if isinstance(key, Ed25519PrivateKey):
                found.append(KeyInfo(path.stem, "ed25519", key_id(key)))
            else:
                spki = key.public_key().public_bytes(
                    serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
                )
                found.append(KeyInfo(path.stem, "ec-p256", hashlib.sha256(spki).hexdigest()))
    return found


def raw_public(key: Ed25519PrivateKey | Ed25519PublicKey) -> bytes:
    """Return the 32 bytes of an Ed25519 public key."""
    public = key.public_key() if isinstance(key, Ed25519PrivateKey) else key
    return public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def key_id(key: Ed25519PrivateKey | Ed25519PublicKey) -> str:
    """Return the SHA-256 of the raw public key, lower-case hex."""
    return hashlib.sha256(raw_public(key)).hexdigest()


def check_permissions(path: Path) -> None:
    """Refuse a key file that anyone but its owner can read or write.

    Raises
    ------
    StorageError
        The file is open to others, or belongs to somebody else.
    """
    status = path.stat()
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077:
        raise StorageError(
            f"the key {path} is open to other users (mode {mode:04o})",
            hint=f"If nobody else has read it: chmod 600 {path}; otherwise replace the key.",
        )
    if status.st_uid not in (os.geteuid(), 0):
        raise StorageError(f"the key {path} belongs to user {status.st_uid}, not to you")


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a key name (lower-case letters, digits, hyphens)")
    return name


def _generate(kind: KeyKind) -> PrivateKey:
    if kind == "ed25519":
        return Ed25519PrivateKey.generate()
    return ec.generate_private_key(ec.SECP256R1())


def _parse(path: Path) -> PrivateKey:
    try:
        key = serialization.load_pem_private_key(_read(path), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as exc:
        raise VerificationError(
            f"{path} is not a private key in PEM form",
            hint="Restore it from a backup: vivavoce keys restore FILE",
        ) from exc
    if isinstance(key, Ed25519PrivateKey):
        return key
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    raise VerificationError(f"{path} holds a key that is neither Ed25519 nor P-256")


def _read(path: Path) -> bytes:
    try:
        check_permissions(path)
        return path.read_bytes()
    except FileNotFoundError as exc:
        raise StorageError(
            f"the key {path} does not exist",
            hint="Restore it from a backup: vivavoce keys restore FILE",
        ) from exc
    except OSError as exc:
        raise StorageError(f"cannot read the key {path}: {exc.strerror}") from exc


def _create(path: Path, data: bytes) -> None:
    """Write a new key file; one that is already there wins."""
    try:
        fd, name = tempfile.mkstemp(dir=path.parent, prefix=".new-", suffix=".tmp")
        try:
            with os.fdopen(fd, "wb") as stream:
                os.fchmod(stream.fileno(), 0o600)
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            # A hard link is the one way to publish a file that never replaces another.
            os.link(name, path)
        except FileExistsError:
            pass
        finally:
            Path(name).unlink(missing_ok=True)
        fsync_folder(path.parent)
    except OSError as exc:
        raise storage_error(exc, path) from exc
