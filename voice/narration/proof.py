"""A trial encoding: what the codec makes of the peaks, heard before the file is sealed.

A lossy codec adds noise at the peaks; AAC at 64 kbit/s raised them by up to 1.6 dB in our own
narrations. Instead of keeping every chapter far below the limit, the encoding is rehearsed
(:mod:`provenance.rehearsal`), and the chapters that came out above the limit get a lower
ceiling. The codec is deterministic, so the sealed file measures the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from voice.narration.master import MasteredChapter

if TYPE_CHECKING:
    from consent.home import Home
    from provenance.audio.containers import Container

#: Peak that the encoded file may reach (dB); stores allow -3.
LIMIT = -3.1
#: Codecs with more bits than this do not move peaks enough to matter (MP3 at 192 kbit/s: 0.3 dB).
_TRANSPARENT_BITS = 128_000
_TRIALS = 4
_MARGIN_DB = 0.3


def prove(
    chapters: Sequence[MasteredChapter],
    *,
    kind: Container,
    bitrate: int | None,
    home: Home,
    progress: Callable[[float], None],
) -> list[MasteredChapter]:
    """Lower the ceilings of chapters that the codec would push over the limit.

    Parameters
    ----------
    chapters
        All chapters of the file, in order.
    bitrate
        Bits per second; None is the container's default.
    progress
        Called with how much of a trial is done, 0 to 1.

    Raises
    ------
    StorageError
        The home's disk is full.
    """
    from provenance.rehearsal import encoded_peaks
    from provenance.request import ChapterAudio

    made = list(chapters)
    rate = made[0].rate
    bits = bitrate or kind.default_bitrate(kind.output_rate(rate))
    if bits is None or bits >= _TRANSPARENT_BITS:
        return made
    for _ in range(_TRIALS):
        peaks = encoded_peaks(
            [ChapterAudio("", chapter.samples, chapter.blocks) for chapter in made],
            sample_rate=rate,
            kind=kind,
            bitrate=bitrate,
            home=home,
            progress=progress,
        )
        if max(peaks) <= LIMIT:
            break
        for place, peak in enumerate(peaks):
            if peak > LIMIT:
                target = made[place].target
                lower = target.ceiling - (peak - LIMIT) - _MARGIN_DB
                made[place] = replace(made[place], target=replace(target, ceiling=lower))
    return made
