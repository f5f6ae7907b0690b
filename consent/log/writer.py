"""Appending to a log: new tiles first, the checkpoint that needs them last."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from consent.errors import InputError, VerificationError
from consent.files import fsync_folder, storage_error
from consent.log import merkle, tiles
from consent.log.checkpoint import Checkpoint
from consent.log.note import Signer
from consent.log.reader import LogReader


class Writer:
    """The one writer of a log; made by :meth:`Log.writer`.

    Attributes
    ----------
    checkpoint
        The newest one, signed and published.
    """

    def __init__(self, log: LogReader, signer: Signer) -> None:
        self._log = log
        self._signer = signer
        self.checkpoint = log.checkpoint()
        if log.root(self.checkpoint.size) != self.checkpoint.root:
            raise VerificationError(
                f"the log {log.folder} does not have the root its checkpoint signs",
                hint="Restore the log from a backup: vivavoce keys restore FILE",
            )

    def append(self, leaves: Sequence[bytes]) -> range:
        """Append `leaves` under one new checkpoint; durable when this returns.

        Parameters
        ----------
        leaves
            Entries of at most 65,535 bytes.

        Returns
        -------
        range
            Their 0-based places.

        Raises
        ------
        InputError
            An entry is too long.
        StorageError
            The disk is full or read-only. The log is as before.
        """
        for leaf in leaves:
            if len(leaf) > tiles.MAX_ENTRY:
                raise InputError(f"a log entry of {len(leaf)} bytes; 65,535 is the most")
        size = self.checkpoint.size
        if not leaves:
            return range(size, size)
        edge = Edge(self._log.folder, size)
        for leaf in leaves:
            edge.add(leaf)
        batch = Batch(self._log.folder)
        for path, data in edge.files():
            batch.write(path, data)
        batch.sync()
        root = merkle.range_root(tiles.node_reader(edge.read, edge.size), 0, edge.size)
        checkpoint = Checkpoint(self.checkpoint.origin, edge.size, root)
        batch.publish("checkpoint", checkpoint.sign(self._signer).encode())
        self.checkpoint = checkpoint
        edge.remove_partials()
        return range(size, edge.size)


class Edge:
    """The right edge of a log while entries are added to it, in memory."""

    def __init__(self, folder: Path, size: int) -> None:
        self._folder = folder
        self.size = size
        self._tiles: dict[tuple[int, int], bytearray] = {}
        self._bundles: dict[int, bytearray] = {}

    def add(self, leaf: bytes) -> None:
        """Add one entry."""
        bundle, width = divmod(self.size, tiles.WIDTH)
        if bundle not in self._bundles:
            stored = b""
            if width:
                data = tiles.read_tile(self._folder, "entries", bundle, width)
                # What a later, never published state may have left behind is dropped.
                kept = tiles.unpack_entries(data, width, where=f"entry bundle {bundle}")
                stored = tiles.pack_entries(kept)
            self._bundles[bundle] = bytearray(stored)
        self._bundles[bundle] += tiles.pack_entries([leaf])
        self._push(0, self.size, merkle.leaf_hash(leaf))
        self.size += 1

    def _push(self, level: int, position: int, node: bytes) -> None:
        index, width = divmod(position, tiles.WIDTH)
        tile = self._tiles.get((level, index))
        if tile is None:
            tile = bytearray()
            if width:
                tile += tiles.read_tile(self._folder, level, index, width)
            self._tiles[level, index] = tile
        tile += node
        if _full(tile):
            hashes = [bytes(tile[i : i + tiles.HASH]) for i in range(0, len(tile), tiles.HASH)]
            self._push(level + 1, index, merkle.perfect_root(hashes))

    def read(self, level: int, index: int, width: int) -> bytes:
        """Read a tile as it will be."""
        tile = self._tiles.get((level, index))
        if tile is None:
            return tiles.read_tile(self._folder, level, index, width)
        return bytes(tile[: width * tiles.HASH])

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Yield path and contents of every file that the new size needs."""
        for index, bundle in self._bundles.items():
            width = tiles.tile_width(0, index, self.size)
            yield tiles.tile_path("entries", index, width), bytes(bundle)
        for (level, index), tile in self._tiles.items():
            yield tiles.tile_path(level, index, len(tile) // tiles.HASH), bytes(tile)

    def remove_partials(self) -> None:
        """Remove the partial tiles of tiles that this append completed.

        A full tile on disk is no proof of that: a killed append may have left one behind that
        no checkpoint ever covered.
        """
        complete = [tiles.tile_path(*key) for key, tile in self._tiles.items() if _full(tile)]
        complete += [
            tiles.tile_path("entries", index)
            for index in self._bundles
            if tiles.tile_width(0, index, self.size) == tiles.WIDTH
        ]
        for path in complete:
            shutil.rmtree(self._folder / f"{path}.p", ignore_errors=True)


def _full(tile: bytearray) -> bool:
    return len(tile) == tiles.WIDTH * tiles.HASH


class Batch:
    """Files written aside, made durable together, and put in place by rename."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._aside = folder / ".tmp"
        self._folders: set[Path] = set()
        try:
            self._aside.mkdir(exist_ok=True, mode=0o700)
            for leftover in self._aside.iterdir():
                leftover.unlink()
        except OSError as exc:
            raise storage_error(exc, self._aside) from exc

    def write(self, name: str, data: bytes) -> None:
        """Put one file in place; its rename is durable after :meth:`sync`."""
        path = self._folder / name
        temporary = self._aside / "new"
        try:
            self._make_folder(path.parent)
            fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(fd, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(path)
        except OSError as exc:
            raise storage_error(exc, path) from exc
        self._folders.add(path.parent)

    def sync(self) -> None:
        """Make the renames durable."""
        for folder in self._folders:
            fsync_folder(folder)
        self._folders.clear()

    def publish(self, name: str, data: bytes) -> None:
        """Write one file and make its rename durable at once."""
        self.write(name, data)
        self.sync()

    def _make_folder(self, folder: Path) -> None:
        if folder.exists():
            return
        self._make_folder(folder.parent)
        folder.mkdir(exist_ok=True, mode=0o700)
        self._folders.add(folder.parent)
