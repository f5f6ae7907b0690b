"""What the detector hears in a stream, frame by frame, small enough to keep for hours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from provenance.audio.pcm import FloatArray
from provenance.watermark.chunks import RATE, Chunk, chunks, resampled
from provenance.watermark.model import HOP, Networks
from provenance.watermark.presence import CLIP

STEP = 20.0
"""Bits are kept as 8-bit numbers, in steps of 1/20."""

_LOUDNESS = 0.06  # RMS at which the detector is asked
_MOST_GAIN = 100.0
_SILENCE = 1e-5  # -100 dBFS


@dataclass(frozen=True, slots=True)
class Heard:
    """A stream as the detector heard it: 20 bytes per frame of 20 ms, 36 MB for ten hours.

    Attributes
    ----------
    presence : ndarray of float16, shape (frames,)
        Logit of being marked.
    bits : ndarray of int8, shape (frames, 16)
        Logit of each bit of the word, clipped, times 20.
    level : ndarray of float16, shape (frames,)
        RMS of the frame, in units of 1/1000 of full scale.
    duration_s
        Of the stream.
    damaged
        Samples that were NaN or infinite and were read as silence.
    """

    presence: NDArray[np.float16]
    bits: NDArray[np.int8]
    level: NDArray[np.float16]
    duration_s: float
    damaged: int

    @property
    def frames(self) -> int:
        """Number of frames of 20 ms."""
        return self.presence.size


def listen(networks: Networks, blocks: Iterable[FloatArray], rate: int) -> Heard:
    """Run the detector over a stream of mono blocks, in bounded memory but for the result.

    Raises
    ------
    InputError
        The blocks are not mono or the rate is none.
    """
    parts: list[tuple[NDArray[np.float16], NDArray[np.int8], NDArray[np.float16]]] = []
    damaged = samples = 0
    for chunk in chunks(_mono(blocks), rate):
        begin = chunk.before
        proper = chunk.samples[begin : begin + chunk.length]
        damaged += proper.size - int(np.count_nonzero(np.isfinite(proper)))
        samples += chunk.length
        parts.append(_hear(networks, chunk, rate))
    return Heard(
        presence=np.concatenate([part[0] for part in parts]),
        bits=np.concatenate([part[1] for part in parts]),
        level=np.concatenate([part[2] for part in parts]),
        duration_s=samples / rate,
        damaged=damaged,
    )


def _mono(blocks: Iterable[FloatArray]) -> Iterator[FloatArray]:
    for block in blocks:
        yield block.mean(axis=1, dtype=np.float32) if block.ndim == 2 else block


def _hear(
    networks: Networks, chunk: Chunk, rate: int
) -> tuple[NDArray[np.float16], NDArray[np.int8], NDArray[np.float16]]:
    sound = np.clip(np.nan_to_num(chunk.samples, nan=0.0, posinf=0.0, neginf=0.0), -8, 8)
    before = chunk.before * RATE // rate // HOP
    count = chunk.length * RATE // rate // HOP
    silent = (np.full(count, -CLIP, np.float16), np.zeros((count, 16), np.int8),
              np.zeros(count, np.float16))  # fmt: skip
    if not count:
        return silent
    narrow = resampled(sound, rate, RATE)
    narrow = narrow - narrow.mean()  # a constant offset says nothing and disturbs the networks
    loud = float(np.sqrt(np.mean(np.square(narrow, dtype=np.float64))))
    if loud < _SILENCE:
        return silent
    presence, bits = networks.hear(narrow * min(_LOUDNESS / loud, _MOST_GAIN))
    whole = narrow[: narrow.size // HOP * HOP].reshape(-1, HOP)
    level = np.sqrt(np.mean(np.square(whole, dtype=np.float64), axis=1))
    part = slice(before, before + count)
    return (
        np.clip(np.nan_to_num(presence[part]), -60, 60).astype(np.float16),
        np.rint(np.clip(np.nan_to_num(bits[part]), -CLIP, CLIP) * STEP).astype(np.int8),
        (level[part] * 1000).astype(np.float16),
    )
