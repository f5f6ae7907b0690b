"""Files without a name: what a crash cannot leave behind.

On Linux a file can be made without a name (``O_TMPFILE``) and given one when it is finished.
Where the file system cannot do that, a file that is never to be published is unlinked at once,
and one that is gets a hidden name from the start.
"""

from __future__ import annotations

import errno
import io
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from consent.errors import InputError
from consent.files import fsync_folder, storage_error

_NO_TMPFILE = {errno.EISDIR, errno.EOPNOTSUPP, errno.ENOENT, errno.EINVAL, errno.ENOTSUP}


class ScratchFile(io.FileIO):
    """A readable and writable file that writes everything or says why not.

    Native libraries call ``write`` and ignore what it returns: a short write on a full disk would
    go unnoticed. The first error is kept in `failure`, because they also swallow exceptions.
    """

    failure: OSError | None = None

    def write(self, data: Any) -> int:
        """Write all of `data`."""
        view = memoryview(data).cast("B")
        done = 0
        try:
            while done < len(view):
                written = super().write(view[done:])
                if not written:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                done += written
        except OSError as exc:
            self.failure = self.failure or exc
            raise
        return done

    @property
    def size(self) -> int:
        """Bytes in the file."""
        return os.fstat(self.fileno()).st_size


def unnamed(folder: Path) -> ScratchFile:
    """Return an empty file in `folder` that has no name and never gets one.

    Raises
    ------
    OSError
        The folder is missing, read-only or full.
    """
    fd = _tmpfile(folder)
    if fd is None:
        path = folder / f".vivavoce-{os.urandom(8).hex()}.tmp"
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        path.unlink()
    return ScratchFile(fd, "r+b")


class Draft:
    """A file on its way to a name: unnamed, then hidden, then published.

    Parameters
    ----------
    hidden
        The hidden name beside the destination that it takes when it is complete.
    """

    def __init__(self, hidden: Path) -> None:
        self.hidden = hidden
        self._staged = False
        fd = _tmpfile(hidden.parent)
        if fd is None:
            fd = os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            self._staged = True
        self.file = ScratchFile(fd, "r+b")

    def stage(self, *, mode: int) -> None:
        """Make the complete file durable, under its hidden name."""
        os.fchmod(self.file.fileno(), mode)
        os.fsync(self.file.fileno())
        if not self._staged:
            _name(self.file.fileno(), self.hidden)
            self._staged = True
        fsync_folder(self.hidden.parent)

    @property
    def published(self) -> bool:
        """Whether the complete file has left its hidden name for a public one."""
        return self._staged and not self.hidden.exists()

    def discard(self) -> None:
        """Close the file and remove what there is of it."""
        with suppress(OSError):
            self.file.close()
        if self._staged:
            with suppress(OSError):
                self.hidden.unlink(missing_ok=True)


def publish(hidden: Path, destination: Path, *, overwrite: bool) -> None:
    """Rename `hidden` to `destination`, durably; replace a file there only if `overwrite`.

    Raises
    ------
    InputError
        Something is there and must not be replaced.
    StorageError
        The system refused.
    """
    try:
        if overwrite:
            hidden.replace(destination)
        else:
            try:
                os.link(hidden, destination)  # unlike a rename, never replaces anything
            except FileExistsError:
                raise exists_error(destination) from None
            except OSError as exc:
                if exc.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK):
                    raise
                if destination.exists():  # no hard links here: the gap of a moment remains
                    raise exists_error(destination) from None
                hidden.replace(destination)
            else:
                with suppress(OSError):
                    hidden.unlink()
        fsync_folder(destination.parent)
    except OSError as exc:
        raise storage_error(exc, destination) from exc


def exists_error(destination: Path) -> InputError:
    """Return the error for a destination that is taken."""
    return InputError(
        f"{destination} exists already",
        hint="Choose another name, or ask for it to be overwritten.",
    )


def _tmpfile(folder: Path) -> int | None:
    """Open a file without a name, or return None where that is not possible."""
    flag = getattr(os, "O_TMPFILE", None)
    if flag is None or not Path("/proc/self/fd").exists():
        return None
    try:
        # Without O_EXCL, so that it can be given a name later.
        return os.open(folder, os.O_RDWR | flag | os.O_CLOEXEC, 0o600)
    except OSError as exc:
        if exc.errno in _NO_TMPFILE and folder.is_dir():
            return None
        raise


def _name(fd: int, path: Path) -> None:
    """Give an unnamed file a name. ``dir_fd`` makes Python follow the link in /proc."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.link(f"/proc/self/fd/{fd}", path.name, src_dir_fd=folder, dst_dir_fd=folder)
    finally:
        os.close(folder)
