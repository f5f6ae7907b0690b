"""Reading a log and checking it: needs its files and its public key, nothing else."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterator
from pathlib import Path

from consent.errors import InputError, VerificationError
from consent.log import merkle, tiles
from consent.log.checkpoint import Checkpoint, open_checkpoint
from consent.log.consistency import Extension, check_extends
from consent.log.note import Verifier
from consent.log.proof import format_proof
from consent.log.quorum import WitnessPolicy

#: Below the log's folder: checkpoints that witnesses cosigned, named by size.
COSIGNED = "cosigned"

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


class LogReader:
    """A log as files, read and checked with its public key alone.

    Parameters
    ----------
    folder
        The log's folder.
    verifier
        The log's key; its name is the log's origin.
    witnesses
        Whose cosignatures count; nobody's by default.
    """

    def __init__(
        self, folder: Path, verifier: Verifier, witnesses: WitnessPolicy | None = None
    ) -> None:
        self.folder = folder
        self.verifier = verifier
        self.witnesses = witnesses or WitnessPolicy()

    @property
    def vkey(self) -> str:
        """The log's verifier key, ``name+hash+key``: all a stranger needs."""
        return self.verifier.vkey

    def checkpoint_note(self) -> str:
        """Return the signed checkpoint as published, its signature unchecked."""
        try:
            return read_note(self.folder / "checkpoint")
        except FileNotFoundError as exc:
            raise VerificationError(
                f"the log {self.folder} has no checkpoint",
                hint="Restore the log from a backup: vivavoce keys restore FILE",
            ) from exc

    def checkpoint(self) -> Checkpoint:
        """Return the present checkpoint, its signature and known cosignatures checked."""
        return open_checkpoint(self.checkpoint_note(), self.verifier, self.witnesses.keys)

    def witnessed(self) -> Checkpoint | None:
        """Return the newest checkpoint that enough witnesses cosigned, None if there is none.

        Where the policy asks for nobody, one cosignature by a known witness is enough.

        Raises
        ------
        VerificationError
            A kept checkpoint was changed.
        """
        found = self._witnessed()
        return None if found is None else found[1]

    def witnessed_note(self) -> str | None:
        """Return the signed text of :meth:`witnessed`, None if there is none."""
        found = self._witnessed()
        return None if found is None else found[0]

    def _witnessed(self) -> tuple[str, Checkpoint] | None:
        """Return the newest witnessed checkpoint, as the note and read."""
        for size in self.cosigned_sizes():
            try:
                note = read_note(self.folder / COSIGNED / str(size))
            except FileNotFoundError:  # a newer one replaced it meanwhile
                continue
            found = open_checkpoint(note, self.verifier, self.witnesses.keys)
            if found.cosignatures and self.witnesses.satisfied(found.cosignatures):
                return note, found
        return None

    def cosigned_sizes(self) -> list[int]:
        """Return the sizes whose checkpoints have been cosigned by anyone, largest first."""
        try:
            names = [path.name for path in (self.folder / COSIGNED).iterdir()]
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted((int(name) for name in names if _SIZE.fullmatch(name)), reverse=True)

    def tree(self, size: int) -> merkle.NodeHash:
        """Return the tree over the first `size` entries, read from the tiles."""

        def read(level: int, index: int, width: int) -> bytes:
            return tiles.read_tile(self.folder, level, index, width)

        return tiles.node_reader(read, size)

    def root(self, size: int) -> bytes:
        """Return the root over the first `size` entries, as the tiles have it."""
        return merkle.range_root(self.tree(size), 0, size)

    def entry(self, index: int) -> bytes:
        """Return the entry at `index`, checked against its leaf hash."""
        found = next(self.entries(index, index + 1))
        size = self.checkpoint().size
        if not hmac.compare_digest(merkle.leaf_hash(found), self.tree(size)(0, index)):
            raise VerificationError(f"entry {index} of the log does not fit its leaf hash")
        return found

    def entries(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Yield the entries ``[start, end)``, all by default, as the bundles have them.

        Raises
        ------
        VerificationError
            A bundle is missing or cut short.
        """
        size = self.checkpoint().size
        stop = size if end is None else end
        if not 0 <= start <= stop <= size:
            raise InputError(f"no entries {start} to {stop} in a log of {size}")
        while start < stop:
            index = start // tiles.WIDTH
            bundle = self._bundle(index, tiles.tile_width(0, index, size))
            first = index * tiles.WIDTH
            yield from bundle[start - first : stop - first]
            start = first + tiles.WIDTH

    def inclusion_proof(self, index: int, size: int) -> list[bytes]:
        """Return the audit path of entry `index` in the tree of `size`."""
        return merkle.inclusion_proof(self.tree(size), index, size)

    def consistency_proof(self, first: int, second: int) -> list[bytes]:
        """Return the proof that the log of `second` entries extends that of `first`."""
        return merkle.consistency_proof(self.tree(second), first, second)

    def proof(self, index: int) -> str:
        """Return the tlog-proof@v1 of entry `index`.

        It stands on the newest witnessed checkpoint that covers the entry, or on the present
        one while there is none.

        Raises
        ------
        InputError
            There is no such entry.
        VerificationError
            The log was changed: no proof leads to the checkpoint's root.
        """
        note = self.checkpoint_note()
        checkpoint = open_checkpoint(note, self.verifier)
        if not 0 <= index < checkpoint.size:
            raise InputError(f"no entry {index} in a log of {checkpoint.size}")
        witnessed = self._witnessed()
        if witnessed is not None and index < witnessed[1].size <= checkpoint.size:
            note, checkpoint = witnessed
        tree = self.tree(checkpoint.size)
        hashes = merkle.inclusion_proof(tree, index, checkpoint.size)
        merkle.verify_inclusion(tree(0, index), index, checkpoint.size, hashes, checkpoint.root)
        return format_proof(index, hashes, note)

    def extension(self, old: int = 0) -> Extension:
        """Return the present checkpoint with the proof that it extends the log of `old` entries.

        Raises
        ------
        InputError
            The log is not that large.
        """
        note = self.checkpoint_note()
        size = open_checkpoint(note, self.verifier).size
        if not 0 <= old <= size:
            raise InputError(f"the log has {size} entries, there is no proof from {old}")
        return Extension(old, tuple(self.consistency_proof(old, size)), note)

    def check_extends(self, older: Checkpoint) -> Checkpoint:
        """Check that the log still holds everything `older` promised; return the present one.

        Raises
        ------
        VerificationError
            The log was rolled back or rewritten, or `older` is another log's.
        """
        current = self.checkpoint()
        proof = None
        if older.size < current.size:
            proof = self.consistency_proof(older.size, current.size)
        check_extends(older, current, proof)
        return current

    def check_edge(self) -> None:
        """Check the newest entries (the last bundle, 256 at most) against their hashes.

        Cheap enough for every start. What is older is checked by :meth:`verify`.

        Raises
        ------
        VerificationError
            One of them was changed.
        """
        size = self.checkpoint().size
        if size:
            index = (size - 1) // tiles.WIDTH
            bundle = self._bundle(index, tiles.tile_width(0, index, size))
            self._compare(0, index, [merkle.leaf_hash(entry) for entry in bundle])

    def verify(self) -> Checkpoint:
        """Check every entry and tile against the signed checkpoint, and return it.

        Raises
        ------
        VerificationError
            Anything is missing, cut short or changed; the message names the file.
        """
        checkpoint = self.checkpoint()
        size = checkpoint.size
        hashes: list[bytes] = []  # of the full tiles of the level below
        for index in range((size + tiles.WIDTH - 1) // tiles.WIDTH):
            width = tiles.tile_width(0, index, size)
            leaves = [merkle.leaf_hash(entry) for entry in self._bundle(index, width)]
            self._compare(0, index, leaves)
            if width == tiles.WIDTH:
                hashes.append(merkle.perfect_root(leaves))
        level = 1
        while hashes:
            above: list[bytes] = []
            for index in range((len(hashes) + tiles.WIDTH - 1) // tiles.WIDTH):
                part = hashes[index * tiles.WIDTH : (index + 1) * tiles.WIDTH]
                self._compare(level, index, part)
                if len(part) == tiles.WIDTH:
                    above.append(merkle.perfect_root(part))
            hashes, level = above, level + 1
        if not hmac.compare_digest(self.root(size), checkpoint.root):
            raise VerificationError(
                f"the log {self.folder} does not have the root its checkpoint signs"
            )
        return checkpoint

    def _bundle(self, index: int, width: int) -> list[bytes]:
        data = tiles.read_tile(self.folder, "entries", index, width)
        where = f"the log file {self.folder / tiles.tile_path('entries', index, width)}"
        return tiles.unpack_entries(data, width, where=where)

    def _compare(self, level: int, index: int, hashes: list[bytes]) -> None:
        stored = tiles.read_tile(self.folder, level, index, len(hashes))
        if not hmac.compare_digest(stored, b"".join(hashes)):
            path = self.folder / tiles.tile_path(level, index, len(hashes))
            raise VerificationError(
                f"the log was changed: {path} does not fit what it is the hash of",
                hint="Restore the log from a backup: vivavoce keys restore FILE",
            )


def read_note(path: Path) -> str:
    """Return a note from a file, unchecked.

    Raises
    ------
    VerificationError
        It cannot be read or is not text.
    FileNotFoundError
        There is none.
    """
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        raise
    except UnicodeDecodeError as exc:
        raise VerificationError(f"{path} is not text") from exc
    except OSError as exc:
        raise VerificationError(f"cannot read {path}: {exc.strerror}") from exc
