"""Mastering: level, rumble filter, peak limiter and room tone, to what audiobook stores ask.

The target is ACX's submission standard (acx.com, "ACX Audio Submission Requirements"): each
file between -23 and -18 dB RMS, peaks at most -3 dB, noise floor at most -60 dB RMS, room tone
at head and tail. RMS is the plain root mean square of the whole file, pauses included, with a
full-scale square wave at 0 dB; that is how ACX Check and this program's report measure.

The chain, in streaming blocks and bounded memory:

1. high-pass, 4th-order Butterworth at 60 Hz: rumble and offsets, below the lowest voice;
2. gain;
3. look-ahead peak limiter. The reduction that each sample needs is spread over the look-ahead
   by a sliding maximum, released linearly in decibels, and smoothed by an FIR kernel no longer
   than the look-ahead; as the kernel averages only values that satisfy the peak, the output
   never exceeds the ceiling (the construction of D. Giannoulis, M. Massberg and J. D. Reiss,
   "Digital Dynamic Range Compressor Design", JAES 60(6), 2012, section 3.2, and of the
   look-ahead limiters described by G. W. McNally, JAES 32(5), 1984);
4. room tone: a faint pink noise under the whole file. Stores reject digital silence between
   sentences, and a constant floor hides the edges of the segments.

No gate or expander: the pauses are made here, so the floor is the room tone's.

The result depends only on the samples, not on how they were cut into blocks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
DoubleArray = NDArray[np.float64]
Source = Callable[[], Iterator[FloatArray]]

_LOOP_S = 30
#: Passes that correct for the limiter, and the change that makes the next one needless.
_CORRECTIONS = 3
_CLOSE_DB = 0.2
#: Below this a chapter holds no speech.
_SILENCE = -119.0


@dataclass(frozen=True, slots=True)
class Target:
    """What mastering aims at; all levels in dB relative to full scale.

    Attributes
    ----------
    rms
        RMS of a typical chapter (the median, weighted by length).
    rms_low, rms_high
        Where each chapter must lie; a chapter is moved only if the book's gain leaves it
        outside, so that chapters keep their natural relation.
    ceiling
        Largest sample after limiting; codecs add to it (:mod:`voice.narration.proof`).
    room_tone
        RMS of the room tone.
    max_gain
        Most that a quiet book is raised.
    """

    rms: float = -20.0
    rms_low: float = -22.0
    rms_high: float = -18.8
    ceiling: float = -4.5
    room_tone: float = -72.0
    max_gain: float = 30.0
    highpass_hz: float = 60.0
    lookahead_s: float = 0.005
    release_db_per_s: float = 40.0


ACX = Target()


def rechunk(blocks: Iterable[FloatArray], size: int) -> Iterator[FloatArray]:
    """Cut a stream into blocks of `size` samples, the last one possibly shorter."""
    waiting: list[FloatArray] = []
    held = 0
    for block in blocks:
        start = 0
        while held + block.size - start >= size:
            stop = start + size - held
            waiting.append(block[start:stop])
            yield np.concatenate(waiting)
            waiting, held, start = [], 0, stop
        if start < block.size:
            waiting.append(block[start:])
            held += block.size - start
    if held:
        yield np.concatenate(waiting)


class Limiter:
    """Look-ahead peak limiter with state; feed it blocks, then :meth:`flush`.

    Parameters
    ----------
    rate
        Samples per second.
    ceiling
        Largest absolute sample of the output, in dB relative to full scale.
    lookahead_s
        Attack time in seconds; the output is delayed by it.
    release_db_per_s
        Speed at which the reduction ends.
    """

    def __init__(
        self, rate: int, *, ceiling: float, lookahead_s: float, release_db_per_s: float
    ) -> None:
        # The smoothing kernel is two boxes of half the length each, with a centre.
        self.delay = 4 * max(1, round(lookahead_s * rate / 4))
        self._ceiling = 10 ** (ceiling / 20)
        self._release = release_db_per_s / rate
        self._held = np.zeros(self.delay)
        self._previous = np.zeros(self.delay)

    def process(self, block: DoubleArray) -> DoubleArray:
        """Return as many samples as given, `delay` samples late."""
        from scipy.ndimage import maximum_filter1d, uniform_filter1d

        count, delay = block.size, self.delay
        samples = np.concatenate([self._held, block])
        self._held = samples[count:]
        peaks = np.abs(samples)
        if peaks.max(initial=0.0) <= self._ceiling and not self._previous.any():
            return samples[:count]
        needed = 20.0 * np.log10(np.maximum(peaks / self._ceiling, 1.0))
        ahead = maximum_filter1d(needed, delay + 1, mode="constant", origin=-(delay // 2))[:count]
        # Linear release: the maximum over the past of (reduction - release * time since).
        slope = self._release * np.arange(1, count + 1)
        released = np.maximum.accumulate(ahead + slope)
        released = np.maximum(released, self._previous[-1]) - slope
        np.maximum(released, 0.0, out=released)
        history = np.concatenate([self._previous, released])
        self._previous = history[count:]
        half = delay // 2
        # Each box looks back only: with `origin` shifted, entry n averages n - half ... n.
        smooth = history
        for _ in range(2):
            smooth = uniform_filter1d(smooth, half + 1, mode="nearest", origin=half // 2)
        reduction = smooth[delay:]
        limited: DoubleArray = samples[:count] * 10 ** (-reduction / 20)
        return np.clip(limited, -self._ceiling, self._ceiling)

    def flush(self) -> DoubleArray:
        """Return the last `delay` samples."""
        return self.process(np.zeros(self.delay))


@lru_cache(maxsize=4)
def room_tone(rate: int, level: float) -> FloatArray:
    """Return a seamless loop of pink noise between 60 Hz and 8 kHz.

    Parameters
    ----------
    level
        RMS in dB relative to full scale.

    Returns
    -------
    ndarray, shape (30 * rate,), float32
        Read-only; the same at every call.
    """
    count = _LOOP_S * rate
    frequency = np.fft.rfftfreq(count, 1 / rate)
    band = (frequency >= 60.0) & (frequency <= min(8000.0, 0.45 * rate))
    phase = np.random.default_rng(20_000).uniform(0.0, 2 * np.pi, frequency.size)
    spectrum = np.zeros(frequency.size, dtype=np.complex128)
    spectrum[band] = np.exp(1j * phase[band]) / np.sqrt(frequency[band])
    noise = np.fft.irfft(spectrum, count)
    noise *= 10 ** (level / 20) / math.sqrt(float(np.mean(np.square(noise))))
    loop = noise.astype(np.float32)
    loop.flags.writeable = False
    return loop


@dataclass(frozen=True, slots=True)
class MasteredChapter:
    """A chapter with its gain: a re-iterable stream of finished audio.

    Attributes
    ----------
    source
        The assembled chapter; called for a new stream at every pass.
    samples
        Length, the same before and after.
    gain
        In dB.
    """

    source: Source
    samples: int
    rate: int
    gain: float = 0.0
    target: Target = ACX

    def blocks(self) -> Iterator[FloatArray]:
        """Yield the finished audio in blocks of one second (the last one shorter)."""
        tone = room_tone(self.rate, self.target.room_tone)
        position = 0
        for block in self._limited():
            index = np.arange(position, position + block.size) % tone.size
            position += block.size
            yield (block + tone[index]).astype(np.float32)

    def _limited(self) -> Iterator[DoubleArray]:
        """Yield the audio after filter, gain and limiter, in time with the source."""
        limiter = Limiter(
            self.rate,
            ceiling=self.target.ceiling,
            lookahead_s=self.target.lookahead_s,
            release_db_per_s=self.target.release_db_per_s,
        )
        late = limiter.delay
        factor = 10 ** (self.gain / 20)
        for block in self._filtered():
            out = limiter.process(block * factor)
            skip = min(late, out.size)
            late -= skip
            if skip < out.size:
                yield out[skip:]
        yield limiter.flush()[late:]

    def _filtered(self) -> Iterator[DoubleArray]:
        from scipy.signal import butter, sosfilt

        sections = butter(4, self.target.highpass_hz, "highpass", fs=self.rate, output="sos")
        state = np.zeros((sections.shape[0], 2))
        for block in rechunk(self.source(), self.rate):
            out, state = sosfilt(sections, block.astype(np.float64), zi=state)
            yield out

    def energy(self, *, limited: bool) -> float:
        """Return the sum of squares, before gain and limiter or after them."""
        stream = self._limited() if limited else self._filtered()
        return sum(float(np.dot(block, block)) for block in stream)


def level(energy: float, samples: int) -> float:
    """Return RMS in dB relative to full scale; -120 for silence."""
    return 10 * math.log10(max(energy / max(1, samples), 1e-12))


def set_gains(
    chapters: Sequence[MasteredChapter], *, progress: Callable[[int], None] | None = None
) -> list[MasteredChapter]:
    """Find the gains that bring a book to the target.

    One pass over the audio measures it, one to three more hear what the limiter took away and
    correct for it.

    Parameters
    ----------
    progress
        Called with the index of each chapter when it is measured.

    Returns
    -------
    list of MasteredChapter
        In the order given.
    """
    if not chapters:
        return []
    target = chapters[0].target
    lengths = [chapter.samples for chapter in chapters]
    levels = []
    for index, chapter in enumerate(chapters):
        levels.append(level(chapter.energy(limited=False), chapter.samples))
        if progress is not None:
            progress(index)
    gains = _corrected([0.0] * len(chapters), levels, lengths, target)
    for _ in range(_CORRECTIONS):
        levels = [
            level(replace(chapter, gain=gain).energy(limited=True), chapter.samples)
            for chapter, gain in zip(chapters, gains, strict=True)
        ]
        before, gains = gains, _corrected(gains, levels, lengths, target)
        if max(abs(a - b) for a, b in zip(before, gains, strict=True)) < _CLOSE_DB:
            break
    return [replace(c, gain=gain) for c, gain in zip(chapters, gains, strict=True)]


def _corrected(
    gains: Sequence[float], levels: Sequence[float], lengths: Sequence[int], target: Target
) -> list[float]:
    """Move all chapters together to the target, and those left outside the window further."""
    spoken = [(heard, n) for heard, n in zip(levels, lengths, strict=True) if heard > _SILENCE]
    if not spoken:
        return [min(gain, 0.0) for gain in gains]
    typical = _weighted_median(spoken)
    corrected = []
    for gain, heard in zip(gains, levels, strict=True):
        if heard <= _SILENCE:
            corrected.append(min(gain, 0.0))  # nothing is spoken: do not raise the noise
            continue
        wanted = min(target.rms_high, max(target.rms_low, heard + target.rms - typical))
        corrected.append(min(target.max_gain, gain + wanted - heard))
    return corrected


def _weighted_median(values: Sequence[tuple[float, int]]) -> float:
    half = sum(weight for _, weight in values) / 2
    passed = 0.0
    for value, weight in sorted(values):
        passed += weight
        if passed >= half:
            return value
    raise ValueError("no values")
