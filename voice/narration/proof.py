"""A trial encoding: what the codec makes of the peaks, heard before the file is sealed.

A lossy codec adds noise at the peaks; AAC at 64 kbit/s raised them by up to 1.6 dB in our own
narrations. Instead of keeping every chapter far below the limit, the file is encoded once into
a file without a name, decoded, and the chapters that came out above the limit get a lower
ceiling. The codec is deterministic, so the sealed file measures the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from voice.narration.cutting import Cutter
from voice.narration.master import MasteredChapter

if TYPE_CHECKING:
    from consent.home import Home
    from provenance.audio.containers import Container

FloatArray = NDArray[np.float32]

#: Peak that the encoded file may reach (dB); stores allow -3.
LIMIT = -3.1
#: Codecs with more bits than this do not move peaks enough to matter (MP3 at 192 kbit/s: 0.3 dB).
_TRANSPARENT_BITS = 128_000
_TRIALS = 4
_MARGIN_DB = 0.3


def prove(
    chapters: Sequence[MasteredChapter], *, kind: Container, bitrate: int | None, home: Home
) -> list[MasteredChapter]:
    """Lower the ceilings of chapters that the codec would push over the limit.

    Parameters
    ----------
    chapters
        All chapters of the file, in order.
    bitrate
        Bits per second; None is the container's default.

    Raises
    ------
    StorageError
        The home's disk is full.
    """
    made = list(chapters)
    rate = made[0].rate
    bits = bitrate or kind.default_bitrate(kind.output_rate(rate))
    if bits is None or bits >= _TRANSPARENT_BITS:
        return made
    for _ in range(_TRIALS):
        peaks = _encoded_peaks(made, kind, bitrate, home)
        if max(peaks) <= LIMIT:
            break
        for place, peak in enumerate(peaks):
            if peak > LIMIT:
                target = made[place].target
                lower = target.ceiling - (peak - LIMIT) - _MARGIN_DB
                made[place] = replace(made[place], target=replace(target, ceiling=lower))
    return made


def _encoded_peaks(
    chapters: Sequence[MasteredChapter], kind: Container, bitrate: int | None, home: Home
) -> list[float]:
    """Encode, decode, and return each chapter's largest sample in dB."""
    from consent.files import storage_error
    from provenance.audio.decode import opened_blocks
    from provenance.audio.encode import ChapterSpan, encode
    from provenance.scratch import unnamed
    from provenance.seal import Tags

    rate = chapters[0].rate
    try:
        with unnamed(home.cache) as file:
            encode(
                _joined(chapters),
                file,
                kind=kind,
                sample_rate=rate,
                chapters=[ChapterSpan("", chapter.samples) for chapter in chapters],
                tags=Tags(title=""),
                bitrate=bitrate,
            )
            with opened_blocks(file, mono=True) as (blocks, heard_rate):
                cutter = Cutter(blocks)
                peaks = []
                stop = 0
                for chapter in chapters:
                    stop += chapter.samples
                    end = None if chapter is chapters[-1] else round(stop * heard_rate / rate)
                    peaks.append(_peak(cutter.until(end)))
    except OSError as exc:
        raise storage_error(exc, home.cache) from exc
    return peaks


def _joined(chapters: Sequence[MasteredChapter]) -> Iterator[FloatArray]:
    for chapter in chapters:
        yield from chapter.blocks()


def _peak(blocks: Iterator[FloatArray]) -> float:
    peak = max((float(np.abs(block).max(initial=0.0)) for block in blocks), default=0.0)
    return 20 * math.log10(max(peak, 1e-7))
