"""Locks between processes that the system releases when their holder dies."""

from __future__ import annotations

import errno
import fcntl
import os
import time
import weakref
from pathlib import Path
from types import TracebackType

from consent.errors import StorageError
from consent.files import storage_error


class FileLock:
    """An exclusive lock on a file, held by this object until released or the process ends.

    Built on ``flock``: kill -9 releases it. Two objects exclude each other within one process
    as well. A forked child does not inherit the lock, so an orphaned worker never keeps the
    work of its dead parent locked.

    Parameters
    ----------
    path
        The lock file; created when missing and left in place.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd: int | None = None

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._fd is not None

    def acquire(self, *, timeout: float | None = 60.0) -> bool:
        """Take the lock; return whether it was had within `timeout` seconds (None waits).

        Raises
        ------
        StorageError
            The lock file cannot be created.
        """
        assert self._fd is None, "the lock is already held by this object"
        try:
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as exc:
            raise storage_error(exc, self.path) from exc
        try:
            if not _flock(fd, timeout):
                os.close(fd)
                return False
        except BaseException:
            os.close(fd)
            raise
        self._fd = fd
        _held.add(self)
        return True

    def release(self) -> None:
        """Give the lock back; harmless when it is not held."""
        fd, self._fd = self._fd, None
        _held.discard(self)
        if fd is not None:
            os.close(fd)

    def __enter__(self) -> FileLock:
        if not self.acquire():
            raise StorageError(
                f"another process has held {self.path} for a minute",
                hint="Wait for it to end, or end it, then run again.",
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()


def _flock(fd: int, timeout: float | None) -> bool:
    if timeout is None:
        fcntl.flock(fd, fcntl.LOCK_EX)
        return True
    deadline = time.monotonic() + timeout
    pause = 0.0005
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except OSError as exc:
            if exc.errno not in (errno.EAGAIN, errno.EACCES):
                raise
        if time.monotonic() >= deadline:
            return False
        time.sleep(pause)
        pause = min(pause * 1.5, 0.02)


_held: weakref.WeakSet[FileLock] = weakref.WeakSet()


def _forget_in_child() -> None:
    # Closing the inherited descriptor leaves the parent's lock alone; keeping it open would
    # keep the lock alive after the parent's death.
    for lock in list(_held):
        lock.release()


os.register_at_fork(after_in_child=_forget_in_child)
