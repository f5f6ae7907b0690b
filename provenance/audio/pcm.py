"""Samples: their type, checks, 16-bit with dither, and a digest over what was encoded."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from consent.errors import InputError

FloatArray = NDArray[np.float32]
Int16Array = NDArray[np.int16]

BLOCK = 1 << 15


def checked_blocks(blocks: Iterable[FloatArray], *, where: str = "audio") -> Iterator[FloatArray]:
    """Cut `blocks` into pieces of at most ``BLOCK`` samples, checked and clipped to [-1, 1].

    Parameters
    ----------
    blocks
        Mono float32 arrays of any length.
    where
        Names the source in errors.

    Raises
    ------
    InputError
        A block is not one-dimensional or holds NaN or infinity.
    """
    for block in blocks:
        samples = np.asarray(block, dtype=np.float32)
        if samples.ndim != 1:
            raise InputError(
                f"{where}: a block of shape {samples.shape} is not mono",
                hint="Give one-dimensional arrays of samples.",
            )
        for start in range(0, len(samples), BLOCK):
            piece = samples[start : start + BLOCK]
            if not np.isfinite(piece).all():
                raise InputError(f"{where}: a sample is NaN or infinite; nothing was written")
            yield np.clip(piece, -1.0, 1.0)


class Dither:
    """Float to 16 bit with triangular (TPDF) dither of one step either side.

    The error becomes noise that does not follow the signal, at about -96 dBFS (Lipshitz,
    Wannamaker, Vanderkooy, "Quantization and Dither", JAES 40, 1992). The generator starts from
    a fixed seed, so that the same samples give the same file.
    """

    def __init__(self, seed: int = 0x7670) -> None:
        self._random = np.random.default_rng(seed)

    def __call__(self, samples: FloatArray) -> Int16Array:
        """Return `samples` (in [-1, 1]) as int16 of the same shape."""
        noise = self._random.random((2, len(samples)), dtype=np.float32)
        steps = samples * np.float32(32767.0) + (noise[0] - noise[1])
        quantised: Int16Array = np.clip(np.rint(steps), -32768, 32767).astype(np.int16)
        return quantised


class PcmDigest:
    """SHA-256 over the little-endian samples that an encoder was given.

    For ``s16le`` of a lossless file anyone can recompute it from the decoded file.
    """

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.samples = 0

    def update(self, samples: FloatArray | Int16Array) -> None:
        """Add samples (float32 or int16, hashed as little-endian)."""
        self._hash.update(samples.astype(samples.dtype.newbyteorder("<"), copy=False).tobytes())
        self.samples += len(samples)

    def hexdigest(self) -> str:
        """Return the digest so far."""
        return self._hash.hexdigest()
