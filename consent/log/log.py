"""The transparency log on disk: one writer, any number of readers, no database.

The folder is a c2sp.org/tlog-tiles log that any web server can publish as it is::

    checkpoint                    size and root, signed; replaced by rename, always last
    tile/0/x001/067               leaf hashes, 256 to a tile
    tile/entries/000.p/17         the entries themselves; 17 of them so far

**What a crash can do.** Tiles of a new size are written and made durable before the
checkpoint that needs them, and never under the name of a file that an earlier checkpoint
needs. Killed before the checkpoint's rename, the log is the old one, and the next append
replaces the leftovers; killed after it, the log is the new one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent.files import storage_error
from consent.locks import FileLock
from consent.log import merkle
from consent.log.checkpoint import Checkpoint
from consent.log.note import Signer
from consent.log.reader import LogReader
from consent.log.writer import Batch, Writer


class Log(LogReader):
    """A log that can be written to by the holder of its key."""

    def __init__(self, folder: Path, signer: Signer) -> None:
        super().__init__(folder, signer.verifier)
        self._signer = signer

    @classmethod
    def open(cls, folder: Path, key: Ed25519PrivateKey, origin: str) -> Log:
        """Open the log in `folder`, started empty on first use.

        Raises
        ------
        VerificationError
            The checkpoint is gone or is not signed by `key` as `origin`.
        StorageError
            The folder cannot be written to.
        """
        log = cls(folder, Signer(origin, key))
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as exc:
            raise storage_error(exc, folder) from exc
        if not (folder / "checkpoint").exists():
            with FileLock(folder / ".lock"):
                if not (folder / "checkpoint").exists() and not (folder / "tile").exists():
                    empty = Checkpoint(origin, 0, merkle.EMPTY_ROOT)
                    Batch(folder).publish("checkpoint", empty.sign(log._signer).encode())
        log.checkpoint()
        return log

    def append(self, leaves: Sequence[bytes]) -> range:
        """Append `leaves` under one checkpoint, durably, and return their places."""
        with self.writer() as writer:
            return writer.append(leaves)

    @contextmanager
    def writer(self) -> Iterator[Writer]:
        """Hold the log for writing: no other process or thread appends meanwhile.

        Raises
        ------
        VerificationError
            The tiles do not have the root the checkpoint signs. Nothing is ever appended to a
            damaged log.
        """
        with FileLock(self.folder / ".lock"):
            yield Writer(self, self._signer)
