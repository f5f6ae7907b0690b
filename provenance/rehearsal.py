"""A trial encoding: what a codec would make of the sound, measured and thrown away.

The file it writes has no name and never gets one; only numbers come back. So it is no second
door: nothing that can be played leaves this module.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from consent.files import storage_error
from provenance.audio.containers import Container
from provenance.audio.cutting import Cutter
from provenance.audio.encode import ChapterSpan, encode
from provenance.audio.pcm import FloatArray
from provenance.audio.tags import Tags
from provenance.scratch import unnamed

if TYPE_CHECKING:
    from consent.home import Home
    from provenance.request import ChapterAudio


def encoded_peaks(
    chapters: Sequence[ChapterAudio],
    *,
    sample_rate: int,
    kind: Container,
    bitrate: int | None,
    home: Home,
    progress: Callable[[float], None] | None = None,
) -> list[float]:
    """Return the largest sample of every chapter after encoding and decoding, in dBFS.

    Parameters
    ----------
    chapters
        All chapters of the file, in order; read once.
    bitrate
        Bits per second; None is the container's default.
    progress
        Called with how much is encoded, 0 to 1.

    Raises
    ------
    StorageError
        The home's disk is full.
    """
    from provenance.audio.decode import opened_blocks

    try:
        with unnamed(home.cache) as file:
            encode(
                (block for chapter in chapters for block in chapter.blocks()),
                file,
                kind=kind,
                sample_rate=sample_rate,
                chapters=[ChapterSpan("", chapter.samples) for chapter in chapters],
                tags=Tags(title=""),
                bitrate=bitrate,
                progress=progress,
            )
            with opened_blocks(file, mono=True) as (blocks, heard_rate):
                cutter = Cutter(blocks)
                # What the codec adds after the end belongs to the last chapter.
                ends = np.round(np.cumsum([c.samples for c in chapters]) * heard_rate / sample_rate)
                cuts = [*map(int, ends[:-1]), None]
                return [_peak(cutter.until(cut)) for cut in cuts]
    except OSError as exc:
        raise storage_error(exc, home.cache) from exc


def _peak(blocks: Iterator[FloatArray]) -> float:
    peak = max((float(np.abs(block).max(initial=0.0)) for block in blocks), default=0.0)
    return 20 * math.log10(max(peak, 1e-7))
