"""Where a file is to go, looked at before any work is done for it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from consent.errors import InputError, StorageError
from consent.files import storage_error
from provenance.audio.containers import container as container_named
from provenance.scratch import exists_error, unnamed


def check_destination(
    path: Path, container: str | None = None, *, overwrite: bool = False, needed: int = 0
) -> Path:
    """Make sure that a file can be written at `path`, and return it as an absolute path.

    Meant to be called before hours of rendering, and called again by ``seal``.

    Parameters
    ----------
    container
        The container to be written; its name must be one that exists.
    needed
        Bytes of disk the work will need.

    Raises
    ------
    InputError
        The path is a folder, exists and is not to be overwritten, or the container is unknown.
    StorageError
        The folder is missing or read-only, or the disk has too little room.
    """
    if container is not None:
        container_named(container)
    path = Path(os.path.abspath(Path(path).expanduser()))  # noqa: PTH100 - keeps symbolic links
    folder = path.parent
    if not path.name or len(os.fsencode(path.name)) > 255:
        raise InputError(f"{path.name[:80]!r} cannot be the name of a file: empty or too long")
    try:
        str(path).encode()
    except UnicodeEncodeError as exc:
        raise InputError(
            f"{path} is not a name in UTF-8, and the name of a file goes on record",
            hint="Choose another name or folder.",
        ) from exc
    try:
        if path.is_dir():
            raise InputError(
                f"{path} is a folder, not a file", hint=f"Name a file in it: {path / 'book.m4b'}"
            )
        if os.path.lexists(path):
            if not overwrite:
                raise exists_error(path)
            if not path.is_file():
                raise InputError(f"{path} is not a regular file", hint="Choose another name.")
        unnamed(folder).close()
        free = shutil.disk_usage(folder).free
    except OSError as exc:
        raise storage_error(exc, path) from exc
    if free < needed:
        raise StorageError(
            f"cannot write {path}: {needed / 2**20:.0f} MiB are needed and {free / 2**20:.0f} MiB "
            "are free",
            hint="Free some space or choose another folder, then run again.",
        )
    return path
