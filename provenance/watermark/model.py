"""The runtime side of an AudioSeal checkpoint: networks that mark sound and hear marks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from provenance.audio.pcm import FloatArray
from provenance.watermark import MarkReading
from provenance.watermark.presence import Calibration

HOP = 320
"""Samples of 16 kHz per frame: 20 ms."""


@dataclass(frozen=True, slots=True)
class Networks:
    """What an AudioSeal checkpoint computes, in NumPy arrays at 16 kHz.

    Attributes
    ----------
    generator, detector
        ``audioseal.models.AudioSealWM`` and ``AudioSealDetector``.
    margin_db
        How far below the sound the mark is kept in every cell of time and frequency; None
        leaves it as the generator makes it.
    """

    generator: Any
    detector: Any
    margin_db: float | None

    def mark(self, samples: FloatArray, words: FloatArray, strength: float) -> FloatArray:
        """Return the mark for `samples`.

        Parameters
        ----------
        samples
            Mono at 16 kHz, shape (n,).
        words : ndarray of float32, shape (frames, 16)
            The word of each frame of 20 ms, ``frames * 320 >= n``.
        strength
            Factor on its level, and on the level it may have.
        """
        import torch

        from provenance.watermark.training import network

        padded = np.pad(samples, (0, len(words) * HOP - samples.size))
        with torch.inference_mode():
            x = torch.from_numpy(padded)[None, None]
            made = network.watermark(self.generator, x, torch.from_numpy(words)[None]) * strength
            if self.margin_db is not None:
                made, _ = network.limit(x, made, self.margin_db - 20 * float(np.log10(strength)))
            mark: FloatArray = made[0, 0, : samples.size].numpy()
        return mark

    def hear(self, samples: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return what the detector hears in each whole frame of `samples`.

        Returns
        -------
        presence : ndarray, shape (frames,)
            Logit of being marked.
        bits : ndarray, shape (frames, 16)
            Logit of each bit of the word.
        """
        import torch

        from provenance.watermark.training import network

        with torch.inference_mode():
            presence, bits = network.logits(
                self.detector, torch.from_numpy(np.ascontiguousarray(samples))[None, None]
            )
            return network.frames(presence)[0].numpy(), network.frames(bits)[0].T.numpy()


@dataclass(frozen=True, slots=True)
class AudioSealModel:
    """A watermark model: see :class:`provenance.watermark.WatermarkModel`.

    Attributes
    ----------
    name
        Names the weights.
    networks
        The loaded pair.
    calibration
        What the detector says of sound without a mark.
    """

    name: str
    networks: Networks
    calibration: Calibration

    def embed(
        self, blocks: Iterable[FloatArray], rate: int, output_id: str, strength: float = 1.0
    ) -> Iterator[FloatArray]:
        """Yield `blocks` with the id in them; see :func:`provenance.watermark.embed.embed`."""
        from provenance.watermark.embed import embed

        return embed(self.networks, blocks, rate, output_id, strength=strength)

    def read(self, blocks: Iterable[FloatArray], rate: int) -> MarkReading:
        """Look for marks; see :func:`provenance.watermark.read.read`."""
        from provenance.watermark.read import read

        return read(self.networks, self.calibration, blocks, rate)
