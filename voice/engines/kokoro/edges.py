"""Silence at the edges of utterances, and how they are joined."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from voice.engines.base import FloatArray
from voice.engines.kokoro.spectral import SAMPLE_RATE

_WINDOW = SAMPLE_RATE // 100
#: Below this fraction of the loudest window (-46 dB) there is no speech.
_FAINT = 0.005
#: Kept before and after what is heard, in samples: onsets and decays are fainter than that.
_BEFORE = int(0.030 * SAMPLE_RATE)
_AFTER = int(0.070 * SAMPLE_RATE)
_FADE_IN = int(0.005 * SAMPLE_RATE)
_FADE_OUT = int(0.020 * SAMPLE_RATE)


def trim(samples: FloatArray) -> FloatArray:
    """Cut head and tail down to a few hundredths of a second, and fade the edges."""
    count = len(samples) // _WINDOW
    if count == 0:
        return fade(samples)
    windows = samples[: count * _WINDOW].reshape(count, _WINDOW)
    levels = np.sqrt(np.square(windows, dtype=np.float64).mean(1))
    heard = np.flatnonzero(levels > _FAINT * levels.max())
    if len(heard) == 0:
        return samples[:0]
    start = max(int(heard[0]) * _WINDOW - _BEFORE, 0)
    stop = min(int(heard[-1] + 1) * _WINDOW + _AFTER, len(samples))
    return fade(samples[start:stop])


def fade(samples: FloatArray) -> FloatArray:
    """Return a copy whose first and last samples are silent, without a click."""
    faded = np.array(samples, dtype=np.float32)
    rise, fall = min(_FADE_IN, len(faded) // 2), min(_FADE_OUT, len(faded) // 2)
    faded[:rise] *= _ramp(rise)
    faded[len(faded) - fall :] *= _ramp(fall)[::-1]
    return faded


def join(parts: Sequence[tuple[FloatArray, float]]) -> FloatArray:
    """Join utterances with the pauses, in seconds, that follow them; none after the last."""
    pieces: list[FloatArray] = []
    for place, (samples, pause) in enumerate(parts):
        pieces.append(samples)
        if pause and place < len(parts) - 1:
            pieces.append(np.zeros(int(pause * SAMPLE_RATE), dtype=np.float32))
    return np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.float32)


def _ramp(length: int) -> FloatArray:
    places = (np.arange(length) + 0.5) / max(length, 1)
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * places), dtype=np.float32)
