"""One encrypted file that brings a lost home back.

It holds keys and certificates, trust, settings, the user's policies, the vault, the log and
the registry: a log key without its log would start a second history under the same name.
Models and caches are left out; they can be had again.

Format: a line naming it, a line of JSON (key derivation), then a tar in chunks of AES-256-GCM.
The key comes from the passphrase by scrypt; each chunk's nonce is a random prefix, the chunk's
number and a flag on the last one, so that chunks cannot be swapped or cut off.
"""

from __future__ import annotations

import base64
import io
import json
import os
import secrets
import shutil
import sqlite3
import stat
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import IO, Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from consent.errors import InputError, RefusedError, StorageError, VerificationError
from consent.files import replacing, storage_error
from consent.home import Home
from consent.locks import FileLock

_MAGIC = b"vivavoce-backup-v1\n"
_SCRYPT = {"n": 1 << 17, "r": 8, "p": 1}
_MAX_SCRYPT_BYTES = 1 << 30  # a forged header must not make us allocate without bound
_CHUNK = 1 << 20
_TAG = 16

_FOLDERS = ("keys", "trust", "policies", "vault", "log")
_REGISTRY = "registry.db"
_FILES = ("config.toml", _REGISTRY)


@dataclass(frozen=True, slots=True)
class BackupReport:
    """What a backup holds, or what a restore brought back.

    Attributes
    ----------
    files
        Names inside the home, sorted.
    registry
        Whether the registry is among them; one on a database server is not.
    replaced
        Where a restore put what was there before, None if nothing was.
    """

    path: Path
    files: tuple[str, ...]
    registry: bool
    replaced: Path | None = None


def backup(home: Home, path: Path, passphrase: str) -> BackupReport:
    """Write everything needed to go on elsewhere into one encrypted file, mode 0600.

    Log and registry are taken at one moment; other processes wait that long.

    Raises
    ------
    StorageError
        The file cannot be written.
    InputError
        The passphrase is empty.
    """
    header = json.dumps(
        {
            "kdf": "scrypt",
            **_SCRYPT,
            "salt": base64.b64encode(secrets.token_bytes(16)).decode(),
            "nonce": base64.b64encode(secrets.token_bytes(7)).decode(),
            "chunk": _CHUNK,
        }
    ).encode()
    cipher = _Cipher(header, passphrase)
    written: list[str] = []
    with ExitStack() as stack:
        if home.log.exists():
            stack.enter_context(FileLock(home.log / ".lock"))
        snapshot = stack.enter_context(
            tempfile.TemporaryDirectory(dir=home.root, prefix=".backup-")
        )
        registry = _snapshot(_sqlite_file(home), Path(snapshot) / _REGISTRY)
        stream = stack.enter_context(replacing(Path(path), mode=0o600))
        stream.write(_MAGIC + header + b"\n")
        sealer = stack.enter_context(closing(_Sealer(stream, cipher)))
        archive = stack.enter_context(
            tarfile.open(fileobj=sealer, mode="w|", format=tarfile.PAX_FORMAT)
        )
        for name, file in _contents(home, registry):
            entry = tarfile.TarInfo(name)
            entry.size = file.stat().st_size
            entry.mtime = int(file.stat().st_mtime)
            entry.mode = 0o600
            with file.open("rb") as source:
                archive.addfile(entry, source)
            written.append(name)
    return BackupReport(Path(path), tuple(sorted(written)), registry is not None)


def restore(home: Home, path: Path, passphrase: str, *, force: bool = False) -> BackupReport:
    """Bring back what :func:`backup` wrote; all of it or nothing.

    A restored log knows nothing of what was logged after the backup. If the old home still
    exists somewhere, do not go on with both.

    Parameters
    ----------
    force
        Put aside keys, log and registry that are there now (into ``replaced-TIME`` in the
        home) instead of refusing.

    Raises
    ------
    VerificationError
        The passphrase is wrong, or the file is damaged or not a backup.
    RefusedError
        The home already has keys, a log or a registry, and `force` is not set.
    StorageError
        The file cannot be read, or the home cannot be written to.
    """
    path = Path(path)
    in_use = [p for p in _occupied(home) if p.exists()]
    if in_use and not force:
        raise RefusedError(
            f"the home {home.root} already has {', '.join(p.name for p in in_use)}",
            hint="Restore into an empty home (VIVAVOCE_HOME), or use --force to put these aside.",
        )
    with ExitStack() as stack:
        try:
            stream: IO[bytes] = stack.enter_context(path.open("rb"))
        except OSError as exc:
            raise StorageError(f"cannot read the backup {path}: {exc.strerror}") from exc
        staging = Path(
            stack.enter_context(tempfile.TemporaryDirectory(dir=home.root, prefix=".restore-"))
        )
        names = _unpack(stream, path, passphrase, staging)
        try:
            replaced = _put_aside(home) if in_use else None
            _put_in_place(home, staging)
        except OSError as exc:
            raise storage_error(exc, home.root) from exc
    return BackupReport(path, tuple(sorted(names)), _REGISTRY in names, replaced)


class _Cipher:
    """The chunks' encryption, from a header and a passphrase."""

    def __init__(self, header: bytes, passphrase: str) -> None:
        if not passphrase:
            raise InputError("the passphrase is empty", hint="Choose one of several words.")
        try:
            fields = json.loads(header)
            n, r, p = (int(fields[name]) for name in ("n", "r", "p"))
            salt = base64.b64decode(fields["salt"], validate=True)
            self._prefix = base64.b64decode(fields["nonce"], validate=True)
            self.chunk = int(fields["chunk"])
            fits = (
                fields["kdf"] == "scrypt"
                and 128 * n * r * p <= _MAX_SCRYPT_BYTES
                and len(self._prefix) == 7
                and 0 < self.chunk <= 1 << 26
            )
            if not fits:
                raise ValueError("parameters out of range")
            key = Scrypt(salt=salt, length=32, n=n, r=r, p=p).derive(passphrase.encode())
        except (ValueError, KeyError, TypeError) as exc:
            raise VerificationError(f"the header of the backup is damaged: {exc}") from exc
        self._aead = AESGCM(key)
        self._header = header

    def seal(self, number: int, data: bytes, *, last: bool) -> bytes:
        return self._aead.encrypt(self._nonce(number, last), data, self._header)

    def open(self, number: int, data: bytes, *, last: bool) -> bytes:
        return self._aead.decrypt(self._nonce(number, last), data, self._header)

    def _nonce(self, number: int, last: bool) -> bytes:
        return self._prefix + number.to_bytes(4, "big") + bytes([last])


class _Sealer(io.RawIOBase):
    """A file-like object that encrypts what is written to it."""

    def __init__(self, stream: IO[bytes], cipher: _Cipher) -> None:
        self._stream = stream
        self._cipher = cipher
        self._buffer = bytearray()
        self._number = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._buffer += data
        while len(self._buffer) > self._cipher.chunk:  # at least one byte stays for the last
            self._emit(self._cipher.chunk, last=False)
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._emit(len(self._buffer), last=True)
        super().close()

    def _emit(self, size: int, *, last: bool) -> None:
        chunk = bytes(self._buffer[:size])
        del self._buffer[:size]
        self._stream.write(self._cipher.seal(self._number, chunk, last=last))
        self._number += 1


class _Opener(io.RawIOBase):
    """A file-like object that reads what :class:`_Sealer` wrote."""

    def __init__(self, stream: IO[bytes], cipher: _Cipher, path: Path) -> None:
        self._stream = stream
        self._cipher = cipher
        self._path = path
        self._number = 0
        self._ahead = stream.read(cipher.chunk + _TAG)
        self._plain = b""

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int:
        if not self._plain and self._ahead:
            self._next()
        part, self._plain = self._plain[: len(target)], self._plain[len(target) :]
        target[: len(part)] = part
        return len(part)

    def _next(self) -> None:
        current, self._ahead = self._ahead, self._stream.read(self._cipher.chunk + _TAG)
        try:
            self._plain = self._cipher.open(self._number, current, last=not self._ahead)
        except InvalidTag as exc:
            if self._number == 0:
                raise VerificationError(
                    f"the passphrase does not open the backup {self._path}",
                    hint="Check the passphrase. If it is right, the file is damaged.",
                ) from exc
            raise VerificationError(
                f"the backup {self._path} is damaged or cut short after "
                f"{self._number * self._cipher.chunk:,} bytes"
            ) from exc
        self._number += 1


def _sqlite_file(home: Home) -> Path | None:
    """Return the registry's file, None when it is on a database server."""
    for scheme in ("sqlite:///", "sqlite+pysqlite:///"):
        if home.registry_url.startswith(scheme):
            return Path(home.registry_url.removeprefix(scheme).split("?")[0])
    return None


def _snapshot(database: Path | None, target: Path) -> Path | None:
    if database is None or not database.exists():
        return None
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT, 0o600))
    with (
        closing(sqlite3.connect(database, timeout=30)) as source,
        closing(sqlite3.connect(target)) as copy,
    ):
        source.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")
    return target


def _contents(home: Home, registry: Path | None) -> Iterator[tuple[str, Path]]:
    for folder in _FOLDERS:
        for file in sorted((home.root / folder).rglob("*")):
            inside = file.relative_to(home.root)
            hidden = any(part.startswith(".") for part in inside.parts)
            if hidden or file.suffix == ".lock" or not stat.S_ISREG(file.lstat().st_mode):
                continue
            yield inside.as_posix(), file
    if home.config_file.is_file():
        yield home.config_file.name, home.config_file
    if registry is not None:
        yield _REGISTRY, registry


def _occupied(home: Home) -> list[Path]:
    database = _sqlite_file(home)
    keys = sorted(p for p in home.keys.iterdir() if p.suffix in (".pem", ".secret"))
    return [*keys, home.log / "checkpoint", *([] if database is None else [database])]


def _unpack(stream: IO[bytes], path: Path, passphrase: str, staging: Path) -> list[str]:
    if stream.readline(len(_MAGIC)) != _MAGIC:
        raise VerificationError(f"{path} is not a backup of vivavoce")
    header = stream.readline(4096).removesuffix(b"\n")
    reader = io.BufferedReader(_Opener(stream, _Cipher(header, passphrase), path), _CHUNK)
    names: list[str] = []
    try:
        with tarfile.open(fileobj=reader, mode="r|") as archive:
            for entry in archive:
                target = staging / _admitted(entry)
                target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                source = archive.extractfile(entry)
                assert source is not None
                with open(os.open(target, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as out:  # noqa: PTH123
                    shutil.copyfileobj(source, out)
                names.append(entry.name)
        while reader.read(_CHUNK):  # the last chunk's flag says that nothing was cut off
            pass
    except tarfile.TarError as exc:
        raise VerificationError(f"the backup {path} is damaged: {exc}") from exc
    except OSError as exc:
        raise storage_error(exc, staging) from exc
    return names


def _admitted(entry: tarfile.TarInfo) -> PurePosixPath:
    name = PurePosixPath(entry.name)
    known = entry.name in _FILES or (len(name.parts) > 1 and name.parts[0] in _FOLDERS)
    if not entry.isreg() or name.is_absolute() or ".." in name.parts or not known:
        raise VerificationError(f"the backup holds {entry.name!r}, which does not belong there")
    return name


def _put_aside(home: Home) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    aside = Path(tempfile.mkdtemp(dir=home.root, prefix=f"replaced-{stamp}-"))
    for name in (*_FOLDERS, "config.toml"):
        if (home.root / name).exists():
            (home.root / name).rename(aside / name)
    database = _sqlite_file(home)
    if database is not None:
        for suffix in ("", "-wal", "-shm"):
            file = database.with_name(database.name + suffix)
            if file.exists():
                file.rename(aside / f"{_REGISTRY}{suffix}")
    return aside


def _put_in_place(home: Home, staging: Path) -> None:
    for name in _FOLDERS:
        target = home.root / name
        if (staging / name).exists():
            if target.exists():
                _merge(staging / name, target)
            else:
                (staging / name).rename(target)
        else:
            target.mkdir(exist_ok=True, mode=0o700)
    if (staging / "config.toml").exists():
        (staging / "config.toml").replace(home.config_file)
    if (staging / _REGISTRY).exists():
        (staging / _REGISTRY).replace(_sqlite_file(home) or home.root / _REGISTRY)


def _merge(source: Path, target: Path) -> None:
    for file in source.rglob("*"):
        if file.is_file():
            place = target / file.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            file.replace(place)
