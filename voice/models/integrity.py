"""Digests, stamps of checked files, and locks between processes."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from consent.errors import ModelError
from consent.files import storage_error, write_atomic
from consent.locks import FileLock

_BLOCK = 1 << 20


def _stamp_file(folder: Path, target: Path) -> Path:
    return folder / f".{target.name}.stamp"


def _stamp_of(target: Path, sha256: str) -> dict[str, Any]:
    status = target.stat()
    return {
        "path": str(target),
        "size": status.st_size,
        "mtime_ns": status.st_mtime_ns,
        "sha256": sha256,
    }


def stamp_matches(folder: Path, target: Path, sha256: str) -> bool:
    """Say whether `target` is, by size and time, the file that was found to have `sha256`."""
    try:
        stamp: dict[str, Any] = json.loads(_stamp_file(folder, target).read_bytes())
        return stamp == _stamp_of(target, sha256)
    except (OSError, ValueError):
        return False


def write_stamp(folder: Path, target: Path, sha256: str) -> None:
    """Note in `folder` that `target` was just found to have `sha256`."""
    write_atomic(_stamp_file(folder, target), json.dumps(_stamp_of(target, sha256)).encode())


def digest_file(path: Path) -> str:
    """Return the SHA-256 of a file in lower-case hex."""
    digest = hashlib.sha256()
    feed(digest, path)
    return digest.hexdigest()


def feed(digest: hashlib._Hash, path: Path) -> None:
    """Feed a file to a digest, block by block."""
    try:
        with path.open("rb") as stream:
            while block := stream.read(_BLOCK):
                digest.update(block)
    except OSError as exc:
        raise ModelError(f"cannot read {path}: {exc.strerror or exc}") from exc


@contextlib.contextmanager
def storage(path: Path) -> Iterator[None]:
    """Turn operating-system errors of the block into a StorageError about `path`."""
    try:
        yield
    except OSError as exc:
        raise storage_error(exc, path) from exc


@contextlib.contextmanager
def locked(models: Path, name: str) -> Iterator[None]:
    """Hold the lock of one model against other processes; the file stays behind, empty."""
    with storage(models):
        models.mkdir(parents=True, exist_ok=True)
    lock = FileLock(models / f".{name}.lock")
    lock.acquire(timeout=None)
    try:
        yield
    finally:
        lock.release()


def known_digest(folder: Path, target: Path) -> str:
    """Return the SHA-256 of `target`, hashed once and remembered in `folder`."""
    try:
        stamp: dict[str, Any] = json.loads(_stamp_file(folder, target).read_bytes())
        sha256 = str(stamp["sha256"])
        if stamp == _stamp_of(target, sha256):
            return sha256
    except (OSError, ValueError, KeyError, TypeError):
        pass
    sha256 = digest_file(target)
    with storage(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_stamp(folder, target, sha256)
    return sha256
