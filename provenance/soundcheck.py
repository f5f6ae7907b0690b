"""Listening to what was encoded before it is signed: as long, as loud, and marked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import IO

import numpy as np

from consent.errors import VerificationError
from provenance.audio.decode import opened_blocks
from provenance.audio.pcm import FloatArray
from provenance.watermark import WatermarkModel

# How far the decoded file may be from what was put in. Codecs filter; they do not halve.
DURATION_S = 0.1
LEVEL_DB = 6.0
QUIET = 10 ** (-70 / 20)


class Level:
    """Root mean square of the sound that passes through."""

    def __init__(self) -> None:
        self.sum = 0.0
        self.samples = 0

    def through(self, blocks: Iterator[FloatArray]) -> Iterator[FloatArray]:
        """Yield `blocks` unchanged, measuring them."""
        for block in blocks:
            self.sum += float(np.dot(block, block))
            self.samples += len(block)
            yield block

    @property
    def rms(self) -> float:
        """0 to 1; 0 for no sound."""
        return float(np.sqrt(self.sum / self.samples)) if self.samples else 0.0


def check_sound(
    file: IO[bytes], duration_s: float, level: Level, progress: Callable[[float], None]
) -> None:
    """Decode `file` to its end; it must be as long and as loud as what was put in.

    Raises
    ------
    VerificationError
        It is not.
    InputError
        It cannot be decoded.
    """
    heard = Level()
    with opened_blocks(file, mono=True) as (blocks, rate):
        expected = duration_s * rate
        for _ in heard.through(blocks):
            progress(min(1.0, heard.samples / expected))
    duration = heard.samples / rate
    if abs(duration - duration_s) > DURATION_S:
        raise VerificationError(
            f"the encoded file plays {duration:.2f} s, {duration_s:.2f} s were put in"
        )
    if level.rms > QUIET:
        change = 20 * float(np.log10(max(heard.rms, 1e-9) / level.rms))
        if abs(change) > LEVEL_DB:
            raise VerificationError(
                f"the encoded file is {change:+.1f} dB louder than what was put in"
            )


def check_mark(file: IO[bytes], mark: WatermarkModel, output_id: str) -> None:
    """Read the mark back from `file`; a file too short for the id carries the mark alone.

    Raises
    ------
    VerificationError
        No mark can be heard, or it says another id.
    """
    with opened_blocks(file, mono=True) as (blocks, rate):
        reading = mark.read(blocks, rate)
    if not reading.present or reading.output_id not in (None, output_id):
        raise VerificationError("the watermark cannot be read back from the encoded file")
