"""Sealed files of the vault: recordings and proofs, each under a key of its own.

``vault/objects/ab/abcd...``: a line naming the format, the nonces' prefix (7 bytes), then the
file in encrypted chunks (:mod:`consent.chunks`). The key is derived from the person's key and
the object's id: a file under another name, or of another person, does not open.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import secrets
import tempfile
import time
from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from consent import keyfiles
from consent.chunks import PREFIX, Cipher, Opener, Sealer
from consent.errors import InputError, StorageError, VerificationError
from consent.files import fsync_folder, storage_error
from consent.home import Home
from consent.vault.envelope import Vault, derive

_MAGIC = b"vivavoce-object-v1\n"
_CHUNK = 1 << 16
_ID = re.compile(r"[0-9a-f]{32}")
_STALE_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class Draft:
    """A sealed file that has no name yet.

    Attributes
    ----------
    id
        32 hex digits, random.
    size, sha256
        Of the plain bytes.
    """

    id: str
    path: Path
    size: int
    sha256: str


class ObjectFiles:
    """The sealed files of a home.

    Parameters
    ----------
    home
        Its ``vault/objects`` holds them; made when first needed.
    vault
        The open vault.
    """

    def __init__(self, home: Home, vault: Vault) -> None:
        self.folder = home.vault / "objects"
        self._vault = vault

    def seal(self, wrapped: str, source: IO[bytes]) -> Draft:
        """Encrypt everything in `source` for the person of `wrapped`.

        Nobody can find the file until :meth:`publish`.

        Raises
        ------
        RefusedError
            The person was erased.
        InputError
            `source` cannot be read.
        StorageError
            The disk is full or read-only.
        """
        ident = secrets.token_hex(16)
        prefix = secrets.token_bytes(PREFIX)
        cipher = self._cipher(wrapped, ident, prefix)
        digest, size = hashlib.sha256(), 0
        temporary: Path | None = None
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            fd, name = tempfile.mkstemp(dir=self.folder, prefix=".new-")
            temporary = Path(name)
            with os.fdopen(fd, "wb") as stream:
                stream.write(_MAGIC + prefix)
                with closing(Sealer(stream, cipher)) as sealer:
                    while part := _read(source):
                        sealer.write(part)
                        digest.update(part)
                        size += len(part)
                stream.flush()
                os.fsync(stream.fileno())
        except BaseException as exc:
            if temporary is not None:
                temporary.unlink(missing_ok=True)
            if isinstance(exc, OSError):
                raise storage_error(exc, self.folder) from exc
            raise
        return Draft(ident, temporary, size, digest.hexdigest())

    def publish(self, draft: Draft) -> None:
        """Give a sealed file its name, durably."""
        path = self.path(draft.id)
        try:
            path.parent.mkdir(exist_ok=True, mode=0o700)
            draft.path.rename(path)
            fsync_folder(path.parent)
            fsync_folder(self.folder)
        except OSError as exc:
            raise storage_error(exc, path) from exc

    def discard(self, draft: Draft) -> None:
        """Remove a sealed file that was not, or not usefully, published."""
        draft.path.unlink(missing_ok=True)
        self.path(draft.id).unlink(missing_ok=True)

    def open(self, wrapped: str, ident: str) -> io.BufferedReader:
        """Open a sealed file for reading, from the beginning to the end; close it afterwards.

        Reading raises VerificationError at the first byte that is not as it was.

        Raises
        ------
        RefusedError
            The person was erased.
        VerificationError
            The file is gone, or is not a sealed file.
        StorageError
            It cannot be read.
        """
        path = self.path(ident)
        self._vault.person_key(wrapped)  # refuse the erased before saying what is on disk
        try:
            stream = path.open("rb")
        except FileNotFoundError as exc:
            raise VerificationError(
                f"the object {ident} is on record, and its file {path} is gone",
                hint="Restore the vault from a backup: vivavoce keys restore FILE",
            ) from exc
        except OSError as exc:
            raise StorageError(f"cannot read {path}: {exc.strerror}") from exc
        head = stream.read(len(_MAGIC) + PREFIX)
        if len(head) < len(_MAGIC) + PREFIX or not head.startswith(_MAGIC):
            stream.close()
            raise _damaged(ident, 0)
        cipher = self._cipher(wrapped, ident, head[len(_MAGIC) :])
        return io.BufferedReader(
            Opener(stream, cipher, lambda sound: _damaged(ident, sound)), _CHUNK
        )

    def path(self, ident: str) -> Path:
        """Return where the sealed file `ident` is or would be."""
        return object_path(self.folder, ident)

    def _cipher(self, wrapped: str, ident: str, prefix: bytes) -> Cipher:
        key = derive(self._vault.person_key(wrapped), b"object " + ident.encode())
        return Cipher(key, prefix=prefix, header=_MAGIC + ident.encode(), chunk=_CHUNK)


def object_path(folder: Path, ident: str) -> Path:
    """Return where the sealed file `ident` is or would be in `folder`."""
    if not _ID.fullmatch(ident):
        raise InputError(f"{ident[:80]!r} is not the id of an object (32 hex digits)")
    return folder / ident[:2] / ident


def destroy(home: Home, ident: str) -> None:
    """Overwrite and remove a sealed file; harmless when it is gone. Needs no key."""
    if _ID.fullmatch(ident):
        keyfiles.destroy(object_path(home.vault / "objects", ident))


def sweep(home: Home, known: Collection[str]) -> int:
    """Destroy sealed files of no known id, and leftovers of writers that died.

    Nothing may be published meanwhile. Returns how many there were.
    """
    folder = home.vault / "objects"
    count = 0
    if not folder.is_dir():
        return count
    for path in sorted(folder.glob("??/[0-9a-f]*")):
        if path.name not in known:
            keyfiles.destroy(path)
            count += 1
    for inner in [folder, *folder.glob("??")]:
        keyfiles.finish(inner)
    for path in folder.glob(".new-*"):
        if path.stat().st_mtime < time.time() - _STALE_S:
            keyfiles.destroy(path)
            count += 1
    return count


def _read(source: IO[bytes]) -> bytes:
    try:
        return source.read(1 << 20)
    except OSError as exc:
        raise InputError(f"what is to be stored cannot be read: {exc.strerror or exc}") from exc


def _damaged(ident: str, sound: int) -> VerificationError:
    return VerificationError(
        f"the object {ident} was changed, cut short or swapped after {sound:,} sound bytes",
        hint="Restore the vault from a backup: vivavoce keys restore FILE",
    )
