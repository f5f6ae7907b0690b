"""A chapter as a stream: segments from the cache with the pauses of the script between them.

Only one segment is in memory at a time. The silences are zeros here; mastering lays continuous
room tone under the whole chapter, so no background switches on and off around the sentences.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from consent.errors import StorageError
from voice.narration.cache import SegmentCache
from voice.narration.speech import SpeechStats
from voice.narration.timeline import ChapterSpan, Span

FloatArray = NDArray[np.float32]

#: Silence before and after each chapter, in seconds. ACX asks for 0.5 to 1 s at the head and
#: 1 to 5 s at the tail of every file.
HEAD_S = 0.75
TAIL_S = 2.0
#: Raised-cosine fade at both edges of a segment, in seconds; it lies in the guard silence.
FADE_S = 0.005
#: Largest correction of a voice's level in a cast (dB).
MAX_MATCH_DB = 12.0


class SegmentLost(StorageError):
    """An entry of the cache vanished or was damaged while the chapter was being assembled."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A rendered segment in a chapter.

    Attributes
    ----------
    segment, text
        Id and text as written.
    key
        Its entry in the cache; None for a segment that is only a pause.
    stats
        Its measurements; None when `key` is None.
    pause_after
        Seconds of silence after it.
    gain
        Factor that brings its voice to the level of the cast.
    """

    segment: str
    text: str
    key: str | None
    stats: SpeechStats | None
    pause_after: float
    gain: float = 1.0


def resampled_length(samples: int, rate: int, target: int) -> int:
    """Return how many samples :func:`resample` makes of `samples`."""
    divisor = math.gcd(rate, target)
    return -(-samples * (target // divisor) // (rate // divisor))


def resample(samples: FloatArray, rate: int, target: int) -> FloatArray:
    """Convert the sample rate with a polyphase filter (``scipy.signal.resample_poly``)."""
    if rate == target or samples.size == 0:
        return samples
    from scipy.signal import resample_poly

    divisor = math.gcd(rate, target)
    converted: FloatArray = resample_poly(samples, target // divisor, rate // divisor).astype(
        np.float32
    )
    return converted


class ChapterTrack:
    """One chapter, laid out: how long it is, where each segment lies, and its audio.

    Parameters
    ----------
    pieces
        In the order in which they are spoken.
    rate
        Sample rate of the output; every segment is converted to it.
    """

    def __init__(
        self, number: int, title: str, pieces: Sequence[Piece], *, rate: int, cache: SegmentCache
    ) -> None:
        self.number = number
        self.title = title
        self.rate = rate
        self._pieces = tuple(pieces)
        self._cache = cache
        self.span = self._lay_out()
        self.samples = self.span.stop

    def _lay_out(self) -> ChapterSpan:
        position = round(HEAD_S * self.rate)
        spans = []
        pause = 0
        for piece in self._pieces:
            position += pause
            length = 0
            if piece.stats is not None:
                used = piece.stats.stop - piece.stats.start
                length = resampled_length(used, piece.stats.rate, self.rate)
            if length:
                spans.append(Span(piece.segment, piece.text, position, position + length))
            position += length
            pause = round(max(0.0, piece.pause_after) * self.rate)
        # The pause after the last segment gives way to the tail.
        position += round(TAIL_S * self.rate)
        return ChapterSpan(self.number, self.title, 0, position, tuple(spans))

    def blocks(self) -> Iterator[FloatArray]:
        """Yield the chapter's audio, from the start at every call.

        Blocks are as long as the segments and pauses; together they hold `samples` samples.

        Raises
        ------
        SegmentLost
            A segment is no longer in the cache.
        """
        places = {span.segment: span for span in self.span.segments}
        position = 0
        for piece in self._pieces:
            place = places.get(piece.segment)
            if place is None:
                continue
            yield from self._silence(place.start - position)
            yield self._load(piece, place.stop - place.start)
            position = place.stop
        yield from self._silence(self.samples - position)

    def _silence(self, samples: int) -> Iterator[FloatArray]:
        while samples > 0:
            part = min(samples, self.rate)
            yield np.zeros(part, dtype=np.float32)
            samples -= part

    def _load(self, piece: Piece, length: int) -> FloatArray:
        entry = None if piece.key is None else self._cache.get(piece.key)
        if entry is None or piece.stats is None:
            raise SegmentLost(
                f"segment {piece.segment} is no longer in the segment cache "
                f"({self._cache.folder}): it was removed or damaged while the book was assembled",
                hint="Run the same command again: only what is missing is rendered.",
            )
        samples, rate = entry
        used = samples[piece.stats.start : piece.stats.stop] * np.float32(piece.gain)
        _fade_edges(used, max(1, round(FADE_S * rate)))
        return resample(used, rate, self.rate)[:length]


def _fade_edges(samples: FloatArray, length: int) -> None:
    """Fade in and out in place, so that no edge clicks."""
    length = min(length, samples.size // 2)
    if length == 0:
        return
    ramp = (0.5 - 0.5 * np.cos(np.pi * (np.arange(length) + 0.5) / length)).astype(np.float32)
    samples[:length] *= ramp
    samples[-length:] *= ramp[::-1]


def voice_gains(stats: Mapping[str, Iterable[SpeechStats]], reference: str) -> dict[str, float]:
    """Return, for each voice, the factor that brings it to the level of `reference`.

    Parameters
    ----------
    stats
        The measurements of the segments of each voice.
    reference
        The voice whose level counts, the narrator; if it does not speak, the first that does.
    """
    levels: dict[str, float] = {}
    for voice, items in stats.items():
        energy = samples = 0.0
        for item in items:
            energy += item.active_energy
            samples += item.active_samples
        if energy > 0.0:
            levels[voice] = energy / samples
    if not levels:
        return dict.fromkeys(stats, 1.0)
    wanted = levels.get(reference, next(iter(levels.values())))
    limit = 10 ** (MAX_MATCH_DB / 20)
    return {
        voice: min(limit, max(1 / limit, math.sqrt(wanted / levels[voice])))
        if voice in levels
        else 1.0
        for voice in stats
    }
