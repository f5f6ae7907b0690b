"""Tiles (c2sp.org/tlog-tiles): a log's hashes and entries as plain, immutable files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from pathlib import Path

from consent.errors import VerificationError
from consent.log import merkle

WIDTH = 256
HASH = 32
MAX_ENTRY = 0xFFFF

#: (level, tile index, width) -> the tile's bytes
TileReader = Callable[[int, int, int], bytes]


def index_path(index: int) -> str:
    """Return a tile index in path form: 1234067 is ``x001/x234/067``."""
    groups = [f"{index % 1000:03d}"]
    while index >= 1000:
        index //= 1000
        groups.append(f"x{index % 1000:03d}")
    return "/".join(reversed(groups))


def tile_path(level: int | str, index: int, width: int = WIDTH) -> str:
    """Return the path of a tile below the log's folder; `level` ``"entries"`` is a bundle."""
    partial = "" if width == WIDTH else f".p/{width}"
    return f"tile/{level}/{index_path(index)}{partial}"


def tile_width(level: int, index: int, size: int) -> int:
    """Return how many hashes tile `index` of `level` has in a tree of `size` (0 if none)."""
    return max(0, min(WIDTH, (size >> (8 * level)) - index * WIDTH))


def tiles_of(size: int) -> Iterable[tuple[int, int, int]]:
    """Yield (level, index, width) of every hash tile of a tree of `size` leaves."""
    level = 0
    while (count := size >> (8 * level)) > 0:
        for index in range((count + WIDTH - 1) // WIDTH):
            yield level, index, tile_width(level, index, size)
        level += 1


def pack_entries(entries: Sequence[bytes]) -> bytes:
    """Return an entry bundle: each entry behind its length in two bytes."""
    return b"".join(len(e).to_bytes(2, "big") + e for e in entries)


def unpack_entries(bundle: bytes, count: int, *, where: str) -> list[bytes]:
    """Return the `count` entries of a bundle; `where` names it in errors.

    A longer bundle is a later state of the same one; its first entries are taken.

    Raises
    ------
    VerificationError
        The bundle is cut short.
    """
    entries: list[bytes] = []
    position = 0
    for number in range(count):
        end = position + 2 + int.from_bytes(bundle[position : position + 2], "big")
        if position + 2 > len(bundle) or end > len(bundle):
            raise VerificationError(f"{where} is cut short: entry {number} of {count} is missing")
        entries.append(bundle[position + 2 : end])
        position = end
    return entries


def node_reader(read: TileReader, size: int) -> merkle.NodeHash:
    """Return the tree of `size` leaves whose tiles `read` gives."""
    tile = lru_cache(maxsize=1024)(read)

    def node(level: int, index: int) -> bytes:
        tile_level, height = divmod(level, 8)
        first = index << height  # among the hashes of the tile level
        tile_index, offset = divmod(first, WIDTH)
        data = tile(tile_level, tile_index, tile_width(tile_level, tile_index, size))
        hashes = [data[HASH * i : HASH * (i + 1)] for i in range(offset, offset + (1 << height))]
        if len(hashes[-1]) != HASH:
            raise VerificationError(f"no node {level}/{index} in a log of {size} entries")
        return merkle.perfect_root(hashes)

    return node


def read_tile(folder: Path, level: int | str, index: int, width: int) -> bytes:
    """Read a tile or bundle, the full one where the partial one is gone.

    Raises
    ------
    VerificationError
        Neither is there, or a hash tile does not have the length it must have.
    """
    for candidate in dict.fromkeys((width, WIDTH)):
        path = folder / tile_path(level, index, candidate)
        try:
            data = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as exc:
            raise VerificationError(f"cannot read {path}: {exc.strerror}") from exc
        if level != "entries" and len(data) != HASH * candidate:
            raise VerificationError(
                f"the log file {path} has {len(data)} bytes, expected {HASH * candidate}",
                hint="It was cut short or changed. Restore the log from a backup.",
            )
        return data if level == "entries" else data[: HASH * width]
    raise VerificationError(
        f"the log file {folder / tile_path(level, index, width)} is missing",
        hint="Restore the log from a backup: vivavoce keys restore FILE",
    )
