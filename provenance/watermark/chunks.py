"""Sound in overlapping pieces at another rate: what lets networks work through a stream.

A piece covers ``CHUNK_S`` seconds and is handed on with ``CONTEXT_S`` seconds of what lies before
and after it, so that what is computed in its middle does not depend on where it was cut.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from consent.errors import InputError
from provenance.audio.pcm import FloatArray

RATE = 16_000
"""Rate the networks work at, in Hz."""

CHUNK_S = 10
CONTEXT_S = 1
RATES = (4_000, 384_000)


@dataclass(frozen=True, slots=True)
class Chunk:
    """One piece of a stream.

    Attributes
    ----------
    start
        Sample of the stream at which the piece proper begins.
    samples : ndarray of float32, shape (before + length + after,)
        The piece with its context.
    before
        Samples of context before it.
    length
        Samples of the piece proper.
    last
        Whether the stream ends with it.
    """

    start: int
    samples: FloatArray
    before: int
    length: int
    last: bool


def check_rate(rate: int) -> None:
    """Refuse a sample rate that no recording has.

    Raises
    ------
    InputError
        It is out of range.
    """
    if not RATES[0] <= rate <= RATES[1]:
        raise InputError(
            f"a sample rate of {rate} Hz is out of range",
            hint=f"Give sound at {RATES[0]} to {RATES[1]} Hz.",
        )


def chunks(blocks: Iterable[FloatArray], rate: int) -> Iterator[Chunk]:
    """Cut a stream of mono blocks into pieces with context.

    Never holds more than two pieces, however long the stream or its blocks.
    """
    check_rate(rate)
    size, margin = CHUNK_S * rate, CONTEXT_S * rate
    held = np.zeros(0, np.float32)
    start = before = 0
    waiting: list[FloatArray] = []
    count = 0
    for block in blocks:
        if block.ndim != 1:
            raise InputError(
                f"a block of shape {block.shape} is not mono", hint="Mix its channels first."
            )
        waiting.append(block.astype(np.float32, copy=False))
        count += block.size
        # A piece is complete when its context is; what ends with the context is the last one.
        while held.size + count > before + size + margin:
            held = np.concatenate([held, *waiting])
            waiting, count = [], 0
            yield Chunk(start, held[: before + size + margin], before, size, last=False)
            start += size
            held = held[before + size - margin :]
            before = margin
    held = np.concatenate([held, *waiting])
    while held.size - before > size:
        yield Chunk(start, held[: before + size + margin], before, size, last=False)
        start += size
        held = held[before + size - margin :]
        before = margin
    if held.size > before or start == 0:
        yield Chunk(start, held, before, held.size - before, last=True)


def resampled(samples: FloatArray, rate: int, target: int) -> FloatArray:
    """Return mono `samples` at another rate (polyphase, linear phase, no delay)."""
    if rate == target or not samples.size:
        return samples.astype(np.float32, copy=False)
    from scipy.signal import resample_poly

    common = math.gcd(rate, target)
    made: FloatArray = resample_poly(samples, target // common, rate // common).astype(np.float32)
    return made


def fitted(samples: FloatArray, length: int) -> FloatArray:
    """Return `samples` cut or filled with silence to `length`."""
    if samples.size >= length:
        return samples[:length]
    return np.pad(samples, (0, length - samples.size))
