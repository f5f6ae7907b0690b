"""Files that hold secrets: for their owner alone, complete or not there, never a link."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from pathlib import Path

from consent.errors import StorageError
from consent.files import fsync_folder, storage_error, write_atomic

_LIMIT = 1 << 20
_DOOMED = ".doomed"


def read(path: Path) -> bytes:
    """Return the contents of a secret's file.

    Raises
    ------
    StorageError
        It is missing, a link, no plain file, open to others, or somebody else's.
    """
    try:
        # What is checked is what is read: the open file, not a name that may change meanwhile.
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(fd, "rb") as stream:
            _check(os.fstat(fd), path)
            return stream.read(_LIMIT)
    except FileNotFoundError as exc:
        raise StorageError(
            f"the key {path} does not exist",
            hint="Restore it from a backup: vivavoce keys restore FILE",
        ) from exc
    except OSError as exc:
        if exc.errno == errno.ELOOP:
            raise _link(path) from exc
        raise StorageError(f"cannot read the key {path}: {exc.strerror}") from exc


def check_permissions(path: Path) -> None:
    """Refuse a key file that anyone but its owner can read or write.

    Raises
    ------
    StorageError
        The file is a link, open to others, or belongs to somebody else.
    """
    _check(path.lstat(), path)


def create(path: Path, data: bytes) -> bool:
    """Write a new secret's file; one that is already there wins. Return whether it was ours."""
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
            ours = True
        except FileExistsError:
            ours = False
        finally:
            Path(name).unlink(missing_ok=True)
        fsync_folder(path.parent)
    except OSError as exc:
        raise storage_error(exc, path) from exc
    return ours


def destroy(path: Path) -> None:
    """Overwrite a file and remove it; harmless when it is not there.

    It loses its name first: a half-overwritten file is never taken for a whole one. Flash
    storage and copying file systems may keep the old bytes nevertheless: what must be
    unreadable for good has to be encrypted under a key that is destroyed.

    Raises
    ------
    StorageError
        It cannot be removed.
    """
    doomed = path.with_name(f".{path.name}{_DOOMED}")
    try:
        try:
            path.rename(doomed)
        except FileNotFoundError:
            return
        _overwrite(doomed)
        doomed.unlink(missing_ok=True)
        fsync_folder(path.parent)
    except OSError as exc:
        raise storage_error(exc, path) from exc


def finish(folder: Path) -> None:
    """Remove what a crash in the middle of :func:`destroy` has left in `folder`."""
    for path in folder.glob(f".*{_DOOMED}"):
        destroy(path)


def supersede(path: Path, data: bytes) -> None:
    """Replace a secret's file by `data`, complete or not at all; overwrite the old bytes."""
    before = path.with_name(f".{path.name}{_DOOMED}")
    try:
        before.unlink(missing_ok=True)
        os.link(path, before)  # the old bytes keep a name, to be overwritten by it
    except OSError as exc:
        raise storage_error(exc, path) from exc
    write_atomic(path, data, mode=0o600)
    destroy(before)


def _overwrite(path: Path) -> None:
    try:
        fd = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as exc:
        if exc.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR):
            return  # a link or a pipe holds nothing of ours
        raise
    with os.fdopen(fd, "wb") as stream:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
            return  # another name of the same file may be in use
        for start in range(0, status.st_size, _LIMIT):
            stream.write(bytes(min(_LIMIT, status.st_size - start)))
        stream.flush()
        os.fsync(fd)


def _check(status: os.stat_result, path: Path) -> None:
    if stat.S_ISLNK(status.st_mode):
        raise _link(path)
    if not stat.S_ISREG(status.st_mode):
        raise StorageError(f"the key {path} is not a plain file")
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077:
        raise StorageError(
            f"the key {path} is open to other users (mode {mode:04o})",
            hint=f"If nobody else has read it: chmod 600 {path}; otherwise replace the key.",
        )
    if status.st_uid not in (os.geteuid(), 0):
        raise StorageError(f"the key {path} belongs to user {status.st_uid}, not to you")


def _link(path: Path) -> StorageError:
    return StorageError(
        f"the key {path} is a symbolic link",
        hint="Keys are plain files, so that nobody can slip in another. Replace it by the file.",
    )
