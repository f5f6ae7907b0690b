"""The two ends of Kokoro's generator: the harmonic source and the inverse Fourier transform."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

SAMPLE_RATE = 24_000
#: Samples per value of the pitch curve (80 Hz), and per frame of the text (40 Hz).
SAMPLES_PER_PITCH = 300
SAMPLES_PER_FRAME = 600

_SIZE = 20
_HOP = 5
_BINS = _SIZE // 2 + 1
_HARMONICS = 9
_AMPLITUDE = 0.1
_VOICED_ABOVE_HZ = 10.0


class Fourier:
    """Short-time transform of 20 samples, hop 5, as matrix products."""

    def __init__(self) -> None:
        n, k = torch.arange(_SIZE), torch.arange(_BINS)
        window = torch.hann_window(_SIZE, periodic=True)
        angle = 2 * math.pi * torch.outer(n, k) / _SIZE
        self._forward = torch.cat(
            [torch.cos(angle) * window[:, None], -torch.sin(angle) * window[:, None]], 1
        )
        twice = torch.full((_BINS, 1), 2.0)
        twice[0] = twice[-1] = 1.0
        inverse = torch.cat([twice * torch.cos(angle.T), -twice * torch.sin(angle.T)], 0)
        # The squared windows of a 4-fold overlap sum to 1.5.
        self._inverse = inverse / _SIZE * window / 1.5

    def analyse(self, samples: Tensor) -> Tensor:
        """Return magnitudes and phases, shape (frames, 22), of (n,) samples.

        Frames are centred, the ends reflected. The bins at zero and at half the rate are real;
        a negative one has phase +pi, as `torch.stft` gives and as the network was trained: -pi
        is the same signal but another input, and audible.
        """
        padded = F.pad(samples[None, None], (_SIZE // 2, _SIZE // 2), mode="reflect")[0, 0]
        spectrum = padded.unfold(0, _SIZE, _HOP) @ self._forward
        real, imaginary = spectrum[:, :_BINS], spectrum[:, _BINS:]
        magnitude = torch.sqrt(real * real + imaginary * imaginary)
        phase = torch.atan2(imaginary, real)
        for edge in (0, _BINS - 1):
            phase[:, edge] = torch.where(real[:, edge] < 0, math.pi, 0.0)
        return torch.cat([magnitude, phase], 1)

    def synthesise(self, logits: Tensor) -> Tensor:
        """Return the samples of (frames, 22) log magnitudes and phase arguments."""
        magnitude = torch.exp(logits[:, :_BINS])
        phase = torch.sin(logits[:, _BINS:])
        spectrum = torch.cat([magnitude * torch.cos(phase), magnitude * torch.sin(phase)], 1)
        overlap = _SIZE // _HOP
        pieces = (spectrum @ self._inverse).view(-1, overlap, _HOP)
        total = pieces.new_zeros(pieces.shape[0] + overlap - 1, _HOP)
        for shift in range(overlap):
            total[shift : shift + pieces.shape[0]] += pieces[:, shift]
        return total.view(-1)[_SIZE // 2 : -(_SIZE // 2)]


def harmonic_source(pitch: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return the excitation of a pitch curve: nine harmonics, mixed.

    Parameters
    ----------
    pitch
        (n,) Hz at 80 Hz; below 10 Hz is unvoiced and silent.
    weight, bias
        (1, 9) and (1,): the mixture.

    Returns
    -------
    Tensor, shape (300 n,)
        Without the random noise that training added: the same input gives the same sound.
    """
    # Phases at 80 Hz, interpolated, as in training; doubles, for they grow without bound.
    cycles = torch.cumsum(pitch.double() / SAMPLE_RATE, 0) * 2 * math.pi * SAMPLES_PER_PITCH
    phase = F.interpolate(cycles[None, None], scale_factor=SAMPLES_PER_PITCH, mode="linear")[0, 0]
    phase = torch.remainder(phase, 2 * math.pi).float()
    harmonics = torch.arange(1, _HARMONICS + 1, dtype=torch.float32)
    voiced = (pitch > _VOICED_ABOVE_HZ).float().repeat_interleave(SAMPLES_PER_PITCH)
    waves = torch.sin(phase[:, None] * harmonics) * (_AMPLITUDE * voiced)[:, None]
    return torch.tanh(F.linear(waves, weight, bias))[:, 0]
