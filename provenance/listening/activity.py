"""Where somebody speaks: voice activity by the silero model inside faster-whisper."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from consent.errors import InputError

FloatArray = NDArray[np.float32]

LISTENING_RATE = 16_000
"""Sample rate of every model that listens, in Hz."""


def resample(samples: FloatArray, rate: int, target: int = LISTENING_RATE) -> FloatArray:
    """Return mono `samples` at `target` Hz (polyphase, linear phase).

    Raises
    ------
    InputError
        `samples` is not one-dimensional or `rate` is not positive.
    """
    if samples.ndim != 1:
        raise InputError(f"cannot listen to audio of shape {samples.shape}; give mono")
    if rate <= 0:
        raise InputError(f"a sample rate of {rate} Hz makes no sense")
    if rate == target or not samples.size:
        return samples.astype(np.float32, copy=False)
    from scipy.signal import resample_poly

    common = math.gcd(rate, target)
    resampled: FloatArray = resample_poly(
        samples.astype(np.float32, copy=False), target // common, rate // common
    ).astype(np.float32)
    return resampled


def speech_regions(
    samples: FloatArray,
    rate: int,
    *,
    threshold: float = 0.5,
    min_silence: float = 0.1,
    padding: float = 0.03,
) -> list[tuple[float, float]]:
    """Find the stretches in which somebody speaks.

    Parameters
    ----------
    samples
        Mono, shape (n,), full scale 1.0.
    rate
        Sample rate in Hz.
    threshold
        Probability of speech (0 to 1) above which a 32 ms frame counts.
    min_silence
        Shorter gaps, in seconds, do not end a stretch.
    padding
        Seconds added at both ends of a stretch.

    Returns
    -------
    list of (start, end)
        In seconds, in order, not overlapping; empty if nobody speaks.
    """
    listened = resample(samples, rate)
    if not listened.size:
        return []
    from faster_whisper.vad import VadOptions, get_speech_timestamps

    options = VadOptions(
        threshold=threshold,
        min_silence_duration_ms=round(min_silence * 1000),
        speech_pad_ms=round(padding * 1000),
    )
    length = listened.size / LISTENING_RATE
    return [
        (found["start"] / LISTENING_RATE, min(found["end"] / LISTENING_RATE, length))
        for found in get_speech_timestamps(listened, options)
    ]


def quiet_point(samples: FloatArray, rate: int, earliest: float) -> int:
    """Return the sample at which to cut `samples` with least harm, after `earliest` seconds.

    The middle of the last pause of a quarter second or more, else of the longest pause, else
    the quietest 20 ms.
    """
    length = max(1, rate // 50)
    count = samples.size // length
    frames = samples[: count * length].reshape(count, length)
    level = np.sqrt(np.mean(frames * frames, axis=1, dtype=np.float64))
    first = min(int(earliest * rate / length), max(count - 1, 0))
    if not count:
        return samples.size
    quiet = level < max(1e-4, 0.05 * float(np.sqrt(np.mean(level * level))))
    edges = np.flatnonzero(np.diff(np.concatenate([[False], quiet[first:], [False]]).astype(int)))
    runs = [(int(a) + first, int(b) + first) for a, b in edges.reshape(-1, 2)]
    if not runs:
        return (first + int(np.argmin(level[first:]))) * length + length // 2
    long_runs = [run for run in runs if (run[1] - run[0]) * length >= rate // 4]
    start, end = long_runs[-1] if long_runs else max(runs, key=lambda run: run[1] - run[0])
    return (start + end) * length // 2
