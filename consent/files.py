"""Files that appear complete or not at all."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from consent.errors import StorageError


def storage_error(exc: OSError, path: Path) -> StorageError:
    """Turn an operating-system error about `path` into a message a person can act on."""
    reasons = {
        errno.ENOSPC: (
            "the disk is full",
            "Free some space or choose another folder, then run again.",
        ),
        errno.EDQUOT: ("the disk quota is used up", "Free some space or choose another folder."),
        errno.EROFS: ("the file system is read-only", "Choose a folder you can write to."),
        errno.EACCES: ("permission denied", "Choose a folder you can write to."),
        errno.EPERM: ("permission denied", "Choose a folder you can write to."),
        errno.ENOENT: ("the folder does not exist", f"Create it first: mkdir -p {path.parent}"),
        errno.EEXIST: ("there is something else of that name", "Look what it is; move it away."),
        errno.ENOTDIR: ("a part of the path is a file, not a folder", "Check the path."),
    }
    reason, hint = reasons.get(exc.errno or 0, (exc.strerror or str(exc), "Check the path."))
    return StorageError(f"cannot write {path}: {reason}", hint=hint)


def read_limited(path: Path, limit: int = 16 << 20) -> bytes:
    """Return the bytes of a file, or fail if there are more than `limit`.

    A device or a pipe states no size and may have no end: it is read no further.

    Raises
    ------
    OSError
        It cannot be read, or is too large (``EFBIG``).
    """
    with Path(path).open("rb") as stream:
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"too large: more than {limit >> 20} MiB", str(path))
    return data


def fsync_folder(folder: Path) -> None:
    """Make a rename inside `folder` durable."""
    fd = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@contextmanager
def replacing(path: Path, *, mode: int = 0o644) -> Iterator[IO[bytes]]:
    """Open a hidden file beside `path`; on success fsync it and rename it to `path`.

    Nothing is left behind if the block raises.

    Raises
    ------
    StorageError
        The folder is missing, read-only or full.
    """
    path = Path(path)
    temporary: Path | None = None
    try:
        fd, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:64]}.", suffix=".tmp")
        temporary = Path(name)
        with os.fdopen(fd, "wb") as stream:
            yield stream
            stream.flush()
            os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
        temporary.replace(path)
        temporary = None
        fsync_folder(path.parent)
    except OSError as exc:
        raise storage_error(exc, path) from exc
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_atomic(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write `data` to `path`, complete or not at all."""
    with replacing(path, mode=mode) as stream:
        stream.write(data)
