"""The log as it stood at one checkpoint: entries checked one by one, and proofs of them."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

from consent.errors import InputError, VerificationError
from consent.log import LogReader, format_proof, open_checkpoint, tiles
from consent.log.merkle import NodeHash, inclusion_proof, leaf_hash, verify_inclusion


class LogView:
    """A log at one of its signed checkpoints; what is appended meanwhile is not seen.

    Parameters
    ----------
    log
        The log.
    note
        A signed checkpoint of it; the present one by default.

    Raises
    ------
    VerificationError
        The checkpoint is not the log's, or the log does not have its root.
    """

    def __init__(self, log: LogReader, note: str | None = None) -> None:
        self.log = log
        self.note = log.checkpoint_note() if note is None else note
        self.checkpoint = open_checkpoint(self.note, log.verifier)
        if not hmac.compare_digest(log.root(self.checkpoint.size), self.checkpoint.root):
            raise VerificationError(
                f"the log {log.folder} does not have the root its checkpoint signs",
                hint="Restore the log from a backup: vivavoce keys restore FILE",
            )

    @classmethod
    def covering(cls, log: LogReader, indexes: Iterable[int]) -> LogView:
        """Return the log at the newest checkpoint that witnesses cosigned, if it is enough.

        It is not when an entry at `indexes` is younger; then the present one is taken.
        """
        note = log.witnessed_note()
        if note is not None:
            view = cls(log, note)
            if max(indexes, default=-1) < view.size:
                return view
        return cls(log)

    @classmethod
    def verified(cls, log: LogReader) -> LogView:
        """Return the log as it is now, every entry and hash of it checked.

        Raises
        ------
        VerificationError
            The log was changed; the message names the file.
        """
        log.verify()
        return cls(log)

    @property
    def size(self) -> int:
        """Number of entries."""
        return self.checkpoint.size

    @cached_property
    def _tree(self) -> NodeHash:
        return self.log.tree(self.size)

    def leaf(self, index: int) -> bytes:
        """Return an entry, checked against its hash in the tree.

        Raises
        ------
        InputError
            There is none at this checkpoint.
        VerificationError
            It was changed.
        """
        if not 0 <= index < self.size:
            raise InputError(f"no entry {index} in a log of {self.size}")
        found = next(self.log.entries(index, index + 1))
        if not hmac.compare_digest(leaf_hash(found), self._tree(0, index)):
            raise VerificationError(f"entry {index} of the log does not fit its leaf hash")
        return found

    def entry(self, index: int) -> dict[str, Any]:
        """Return an entry as JSON values."""
        found: dict[str, Any] = json.loads(self.leaf(index))
        return found

    def leaves(self, start: int = 0, end: int | None = None) -> Iterator[tuple[int, bytes]]:
        """Yield (place, entry) in the order of the log, each checked against its hash.

        That the hashes lead to the root, :meth:`LogReader.verify` checks.

        Raises
        ------
        VerificationError
            One was changed.
        """
        end = self.size if end is None else min(end, self.size)
        start = max(start, 0)
        if start >= end:
            return
        hashes = b""
        for index, found in enumerate(self.log.entries(start, end), start):
            number, place = divmod(index, tiles.WIDTH)
            if not hashes or place == 0:
                width = tiles.tile_width(0, number, self.size)
                hashes = tiles.read_tile(self.log.folder, 0, number, width)
            if leaf_hash(found) != hashes[tiles.HASH * place : tiles.HASH * (place + 1)]:
                raise VerificationError(f"entry {index} of the log does not fit its leaf hash")
            yield index, found

    def entries(
        self, start: int = 0, end: int | None = None, *, containing: Sequence[bytes] = ()
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield (place, entry as JSON values) in the order of the log.

        Parameters
        ----------
        containing
            Pass over entries whose text holds none of these: much faster than reading them.
        """
        for index, leaf in self.leaves(start, end):
            if not containing or any(part in leaf for part in containing):
                yield index, json.loads(leaf)

    def proof(self, index: int) -> str:
        """Return the offline proof of an entry under this checkpoint."""
        hashes = inclusion_proof(self._tree, index, self.size)
        verify_inclusion(self._tree(0, index), index, self.size, hashes, self.checkpoint.root)
        return format_proof(index, hashes, self.note)
