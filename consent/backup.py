"""One encrypted file that brings a lost home back.

It holds keys and certificates, trust, settings, the user's policies, the vault, the log and
the registry: a log key without its log would start a second history under the same name.
Models and caches are left out; they can be had again.

Format: a line naming it, a line of JSON (key derivation), then a tar in encrypted chunks
(:mod:`consent.chunks`); the key comes from the passphrase by scrypt.

Key files go in as they are: those that a passphrase protects need it again after a restore.
Those that the system's keyring protects go in unprotected, for the keyring may be lost with
the machine.
"""

from __future__ import annotations

import base64
import io
import json
import os
import secrets
import sqlite3
import stat
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from consent import protection
from consent.chunks import PREFIX, Cipher, Sealer
from consent.clock import rfc3339
from consent.errors import (
    InputError,
    VerificationError,
)
from consent.files import replacing, storage_error
from consent.home import Home
from consent.locks import FileLock
from consent.protection import stretch

MAGIC = b"vivavoce-backup-v1\n"
_SCRYPT = {"n": 1 << 17, "r": 8, "p": 1}
CHUNK = 1 << 20

FOLDERS = ("keys", "trust", "policies", "vault", "log")
REGISTRY = "registry.db"
FILES = ("config.toml", REGISTRY)

#: Left in the home by a restore: what was erased since has to be erased again.
RESTORED = ".restored"


@dataclass(frozen=True, slots=True)
class BackupReport:
    """What a backup holds, or what a restore brought back.

    Attributes
    ----------
    files
        Names inside the home, sorted.
    registry
        Whether the registry is among them; one on a database server is not.
    made
        When the backup was made, RFC 3339; empty for one of an early version.
    log_size
        Entries of the log in the backup.
    replaced
        Where a restore put what was there before, None if nothing was.
    log_kept
        Whether a restore kept the log that was there, because it continues the backup's.
    """

    path: Path
    files: tuple[str, ...]
    registry: bool
    made: str = ""
    log_size: int = 0
    replaced: Path | None = None
    log_kept: bool = False


def backup(home: Home, path: Path, passphrase: str) -> BackupReport:
    """Write everything needed to go on elsewhere into one encrypted file, mode 0600.

    Everything is taken at one moment, under the locks of log and keys; other processes wait
    that long.

    Raises
    ------
    InputError
        There is a file of that name, or the passphrase is empty.
    StorageError
        The file cannot be written.
    VerificationError, InputError
        The keys are protected by the system's keyring, which does not open them.
    """
    path = Path(path)
    header = _header(datetime.now(UTC))
    cipher = cipher_of(header, passphrase)
    written: list[str] = []
    with ExitStack() as stack:
        stack.enter_context(_claimed(path))
        if home.log.exists():
            stack.enter_context(FileLock(home.log / ".lock"))
        stack.enter_context(FileLock(home.root / ".keys.lock"))
        snapshot = stack.enter_context(
            tempfile.TemporaryDirectory(dir=home.root, prefix=".backup-")
        )
        registry = _snapshot(sqlite_file(home), Path(snapshot) / REGISTRY)
        stream = stack.enter_context(replacing(path, mode=0o600))
        stream.write(MAGIC + header + b"\n")
        sealer = stack.enter_context(closing(Sealer(stream, cipher)))
        archive = stack.enter_context(
            tarfile.open(fileobj=sealer, mode="w|", format=tarfile.PAX_FORMAT)
        )
        for name, source, size in _contents(home, registry):
            with source:
                entry = tarfile.TarInfo(name)
                entry.size = size
                entry.mode = 0o600
                archive.addfile(entry, source)
            written.append(name)
        entries = entries_of(home.log)
    return BackupReport(
        path, tuple(sorted(written)), registry is not None, time_of(header), entries
    )


@contextmanager
def _claimed(path: Path) -> Iterator[None]:
    """Take a file name that is free; give it back if what follows fails."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError as exc:
        raise InputError(
            f"{path} exists", hint="A backup replaces nothing. Choose another name."
        ) from exc
    except OSError as exc:
        raise storage_error(exc, path) from exc
    try:
        yield
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _header(now: datetime) -> bytes:
    fields = {
        "kdf": "scrypt",
        **_SCRYPT,
        "salt": base64.b64encode(secrets.token_bytes(16)).decode(),
        "nonce": base64.b64encode(secrets.token_bytes(PREFIX)).decode(),
        "chunk": CHUNK,
        "made": rfc3339(now),
    }
    return json.dumps(fields).encode()


def cipher_of(header: bytes, passphrase: str) -> Cipher:
    """Return the encryption that a backup's second line describes."""
    try:
        fields = json.loads(header)
        if fields["kdf"] != "scrypt":
            raise ValueError(f"kdf {fields['kdf']!r}")
        n, r, p = (int(fields[name]) for name in ("n", "r", "p"))
        key = stretch(passphrase, base64.b64decode(fields["salt"], validate=True), n=n, r=r, p=p)
        prefix = base64.b64decode(fields["nonce"], validate=True)
        return Cipher(key, prefix=prefix, header=header, chunk=int(fields["chunk"]))
    except (ValueError, KeyError, TypeError) as exc:
        raise VerificationError(f"the header of the backup is damaged: {exc}") from exc


def time_of(header: bytes) -> str:
    """Return when a backup says it was made, empty for one of an early version."""
    return str(json.loads(header).get("made", ""))


def sqlite_file(home: Home) -> Path | None:
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


def _contents(home: Home, registry: Path | None) -> Iterator[tuple[str, IO[bytes], int]]:
    """Yield name, contents and size of everything that goes into a backup."""
    opened = _without_keyring(home)
    for folder in FOLDERS:
        for file in sorted((home.root / folder).rglob("*")):
            inside = file.relative_to(home.root)
            name = inside.as_posix()
            hidden = any(part.startswith(".") for part in inside.parts)
            if hidden or file.suffix == ".lock" or name in opened:
                continue
            try:
                if stat.S_ISREG(file.lstat().st_mode):
                    yield _opened(name, file)
            except FileNotFoundError:
                continue  # an object of the vault that was erased meanwhile
    for name, data in opened.items():
        if data is not None:
            yield name, io.BytesIO(data), len(data)
    if home.config_file.is_file():
        yield _opened(home.config_file.name, home.config_file)
    if registry is not None:
        yield _opened(REGISTRY, registry)


def _opened(name: str, file: Path) -> tuple[str, IO[bytes], int]:
    stream = file.open("rb")
    return name, stream, os.fstat(stream.fileno()).st_size


def _without_keyring(home: Home) -> dict[str, bytes | None]:
    """Return what stands in a backup for key files under the system's keyring; None: nothing."""
    if protection.kind(home) != "keyring":
        return {}
    from consent.protecting import opened_files

    return {f"keys/{name}": data for name, data in opened_files(home).items()}


def entries_of(folder: Path) -> int:
    """Return how many entries the checkpoint of a log states, 0 where there is none."""
    try:
        return int((folder / "checkpoint").read_text("utf-8").split("\n")[1])
    except (OSError, ValueError, IndexError):
        return 0
