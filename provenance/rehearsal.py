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
                return _peaks(blocks, [c.samples for c in chapters], heard_rate / sample_rate)
    except OSError as exc:
        raise storage_error(exc, home.cache) from exc


def _peaks(blocks: Iterator[FloatArray], lengths: Sequence[int], ratio: float) -> list[float]:
    """Return the peak of each stretch; what comes after the last belongs to the last."""
    ends = np.round(np.cumsum(lengths) * ratio).astype(int)
    peaks = np.zeros(len(lengths))
    place = position = 0
    for whole in blocks:
        block = whole
        while block.size:
            last = place == len(lengths) - 1
            part = block if last else block[: max(0, ends[place] - position)]
            peaks[place] = max(peaks[place], float(np.abs(part).max(initial=0.0)))
            position += part.size
            block = block[part.size :]
            if not last and position >= ends[place]:
                place += 1
    return [20 * math.log10(max(float(peak), 1e-7)) for peak in peaks]
