"""The transparency log on disk: one writer, any number of readers, no database.

The folder is a c2sp.org/tlog-tiles log that any web server can publish as it is::

    checkpoint                    size and root, signed; replaced by rename, always last
    tile/0/x001/067               leaf hashes, 256 to a tile
    tile/entries/000.p/17         the entries themselves; 17 of them so far
    cosigned/20852163             checkpoints that witnesses cosigned, by size (our own addition)

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

from consent.errors import VerificationError
from consent.files import storage_error
from consent.locks import FileLock
from consent.log import merkle
from consent.log.checkpoint import Checkpoint, open_checkpoint
from consent.log.cosignature import merge
from consent.log.note import Signer, format_note, parse_note
from consent.log.quorum import WitnessPolicy
from consent.log.reader import COSIGNED, LogReader, read_note
from consent.log.writer import Batch, Writer


class Log(LogReader):
    """A log that can be written to by the holder of its key."""

    def __init__(
        self, folder: Path, signer: Signer, witnesses: WitnessPolicy | None = None
    ) -> None:
        super().__init__(folder, signer.verifier, witnesses)
        self._signer = signer

    @classmethod
    def open(
        cls,
        folder: Path,
        key: Ed25519PrivateKey,
        origin: str,
        *,
        witnesses: WitnessPolicy | None = None,
    ) -> Log:
        """Open the log in `folder`, started empty on first use.

        The newest entries are checked against their hashes; all of them are by :meth:`verify`.

        Raises
        ------
        VerificationError
            The checkpoint is gone or is not signed by `key` as `origin`, or one of the newest
            entries was changed.
        StorageError
            The folder cannot be written to.
        """
        log = cls(folder, Signer(origin, key), witnesses)
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as exc:
            raise storage_error(exc, folder) from exc
        if not (folder / "checkpoint").exists():
            with FileLock(folder / ".lock"):
                if not (folder / "checkpoint").exists() and not (folder / "tile").exists():
                    empty = Checkpoint(origin, 0, merkle.EMPTY_ROOT)
                    Batch(folder).publish("checkpoint", empty.sign(log._signer).encode())
        log.check_edge()
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

    def attach(self, *notes: str) -> Checkpoint:
        """Publish cosignatures that trusted witnesses made of a checkpoint of this log.

        They are kept until a newer checkpoint has a quorum, and go into every proof made under
        it. While the log has not grown, they stand under the published checkpoint as well.

        Parameters
        ----------
        notes
            The same checkpoint, cosigned; signatures by unknown keys are left out.

        Returns
        -------
        Checkpoint
            The cosigned checkpoint, with all its cosignatures known here.

        Raises
        ------
        VerificationError
            A note is not a checkpoint that this log ever signed and still extends, or holds no
            cosignature by a trusted witness.
        """
        with FileLock(self.folder / ".lock"):
            current = self.checkpoint()
            attached = [self._attach(note, current) for note in notes]
        return max(attached, key=lambda checkpoint: checkpoint.size)

    def _attach(self, note: str, current: Checkpoint) -> Checkpoint:
        added = open_checkpoint(note, self.verifier, self.witnesses.keys)
        if not added.cosignatures:
            known = ", ".join(key.name for key in self.witnesses.keys) or "nobody"
            raise VerificationError(
                "the checkpoint is not cosigned by a witness trusted here",
                hint=f"Trusted: {known}. Add one: vivavoce audit witness trust VKEY",
            )
        if added.size > current.size or self.root(added.size) != added.root:
            raise VerificationError(
                f"the witness cosigned a log of {added.size} entries which this log "
                f"({current.size} entries) does not extend",
                hint="This log was rolled back, or there are two. Keep both checkpoints.",
            )
        text, lines = parse_note(note)
        cosigned = [ln for ln in lines if any(ln.is_by(key) for key in self.witnesses.keys)]
        own = [line for line in lines if line.is_by(self.verifier)]
        kept = self.folder / COSIGNED / str(added.size)
        before = read_note(kept) if kept.exists() else format_note(text, own)
        merged = merge(before, cosigned)
        Batch(self.folder).publish(f"{COSIGNED}/{added.size}", merged.encode())
        published = self.checkpoint_note()
        if parse_note(published)[0] == text:
            Batch(self.folder).publish("checkpoint", merge(published, cosigned).encode())
        self._drop_older_than_witnessed()
        return open_checkpoint(merged, self.verifier, self.witnesses.keys)

    def _drop_older_than_witnessed(self) -> None:
        best = self.witnessed()
        for size in self.cosigned_sizes():
            if best is not None and size < best.size:
                (self.folder / COSIGNED / str(size)).unlink(missing_ok=True)
