"""What may happen to the sound between marking and reading, as far as it can be trained on.

Everything is differentiable or passed straight through: what a codec or a quantiser did is
added as a constant, the gradient goes by.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from provenance.watermark.training.network import RATE

Noise = Callable[[int, int], "np.typing.NDArray[np.float32]"]

_PAD = 4096  # room for tails, so that filtering by FFT does not wrap around


@dataclass
class Chances:
    """How likely each family is for one clip; they combine.

    Attributes
    ----------
    filtered
        Low-pass, high-pass, band-pass or telephone band.
    tilted
        Random equaliser, up to 9 dB.
    reverb
        Echo or room.
    noise, music
        Noise or music mixed in, at an SNR from `noise_db`.
    rounded
        8-bit mu-law, or linear quantisation to 6 to 12 bits.
    squeezed
        Compressor, soft clipping.
    gain, polarity, gaps
        Level by up to 15 dB; sign; short drop-outs.
    codec
        MP3, AAC, Opus at low rates.
    speed
        Of a whole batch: up to 0.4 %; more moves a tone to its neighbour's place.
    """

    clean: float = 0.2
    filtered: float = 0.5
    tilted: float = 0.0
    reverb: float = 0.0
    noise: float = 0.0
    music: float = 0.0
    rounded: float = 0.0
    squeezed: float = 0.0
    gain: float = 0.0
    polarity: float = 0.0
    gaps: float = 0.0
    codec: float = 0.0
    speed: float = 0.0
    noise_db: list[float] = field(default_factory=lambda: [20.0, 40.0])


def edge(frequency: Tensor, cutoff: float, width: float = 0.08) -> Tensor:
    """Return a low-pass response: 1 below `cutoff` Hz, 0 above, a smooth edge between."""
    response: Tensor = torch.sigmoid((cutoff - frequency) / (cutoff * width) * 4)
    return response


def band(frequency: Tensor, low: float | None, high: float | None, width: float = 0.08) -> Tensor:
    """Return the response that keeps `low` to `high` Hz."""
    response = torch.ones_like(frequency)
    if low is not None:
        response = response * (1 - edge(frequency, low, width * 2))
    if high is not None:
        response = response * edge(frequency, high, width)
    return response


def filtered(y: Tensor, response: Tensor) -> Tensor:
    """Filter by a frequency response for ``samples + 4096`` points, shape (batch or 1, bins)."""
    count = y.shape[-1]
    spectrum = torch.fft.rfft(y, count + _PAD)
    wave: Tensor = torch.fft.irfft(spectrum * response[:, None], count + _PAD)
    return wave[..., :count]


def bins(count: int) -> Tensor:
    """Return the frequencies in Hz of :func:`filtered`'s response for `count` samples."""
    frequency: Tensor = torch.fft.rfftfreq(count + _PAD, 1 / RATE)
    return frequency


def room(rng: np.random.Generator, count: int) -> Tensor:
    """Return the response of a random room or echo, for :func:`filtered` of `count` samples."""
    tail = np.zeros(_PAD)
    if rng.random() < 0.4:  # an echo or two
        for _ in range(int(rng.integers(1, 3))):
            tail[int(rng.integers(160, _PAD - 1))] = rng.uniform(0.1, 0.5)
    else:
        time = np.arange(_PAD) / RATE
        decay = 10 ** (-3 * time / rng.uniform(0.1, 0.5))
        tail = rng.standard_normal(_PAD) * decay
        tail *= 10 ** (-rng.uniform(2, 12) / 20) / np.sqrt(np.sum(tail**2))
    tail[0] = 1.0
    response: Tensor = torch.fft.rfft(torch.from_numpy(tail.astype(np.float32)), count + _PAD)
    return response


def straight_through(y: Tensor, changed: Tensor) -> Tensor:
    """Return the value of `changed` with the gradient of `y`."""
    return y + (changed - y).detach()


def mu_law(y: Tensor) -> Tensor:
    """Round to 8 bits on G.711's mu-law curve."""
    clipped = y.clamp(-1, 1)
    companded = torch.sign(clipped) * torch.log1p(255 * clipped.abs()) / np.log(256)
    rounded = torch.round(companded * 127) / 127
    return torch.sign(rounded) * (256 ** rounded.abs() - 1) / 255


def mixed(y: Tensor, noise: Tensor, snr_db: float | Tensor) -> Tensor:
    """Add `noise` at an SNR in decibels of the whole clip."""
    power = y.detach().square().mean(-1, keepdim=True)
    gain = power / (noise.square().mean(-1, keepdim=True) + 1e-12)
    scale = 10 ** (-torch.as_tensor(snr_db, dtype=y.dtype) / 20)
    return y + noise * gain.sqrt() * scale


class Augmenter:
    """Draws what happens to each clip of a batch.

    Parameters
    ----------
    rng
        The only source of chance.
    noise, music
        Functions ``(count, length) -> clips``.
    """

    def __init__(self, rng: np.random.Generator, noise: Noise, music: Noise) -> None:
        self.rng = rng
        self.noise = noise
        self.music = music

    def __call__(self, y: Tensor, chances: Chances) -> Tensor:
        """Return `y`, shape (batch, 1, samples), after what happened to it."""
        batch, _, count = y.shape
        touched = torch.tensor(self.rng.random(batch) >= chances.clean)
        y = self._coloured(y, chances, touched)
        for kind, source in ((chances.noise, self.noise), (chances.music, self.music)):
            rows = self._rows(kind, touched)
            if rows.any():
                low, high = chances.noise_db
                snr = torch.tensor(self.rng.uniform(low, high, (batch, 1, 1)), dtype=y.dtype)
                added = torch.from_numpy(source(batch, count))[:, None]
                y = torch.where(rows[:, None, None], mixed(y, added, snr), y)
        y = self._levelled(y, chances, touched)
        rows = self._rows(chances.codec, touched)
        if rows.any():
            from provenance.watermark.training.codecs import random_codec

            coded = y.detach().clone()
            for index in torch.nonzero(rows)[:, 0].tolist():
                coded[index, 0] = torch.from_numpy(random_codec(self.rng, coded[index, 0].numpy()))
            y = straight_through(y, coded)
        return y

    def speed(self, y: Tensor, chances: Chances) -> tuple[Tensor, float]:
        """Return the batch played at another speed, and the ratio of new to old time."""
        if self.rng.random() >= chances.speed:
            return y, 1.0
        length = round(y.shape[-1] * self.rng.uniform(0.996, 1.004))
        # Twice the samples first: linear interpolation alone would dull the sound.
        fine = F.interpolate(y, scale_factor=2, mode="linear", align_corners=False)
        faster = F.interpolate(fine, size=length, mode="linear", align_corners=False)
        return faster, length / y.shape[-1]

    def _rows(self, chance: float, touched: Tensor) -> Tensor:
        return torch.tensor(self.rng.random(touched.shape[0]) < chance) & touched

    def _coloured(self, y: Tensor, chances: Chances, touched: Tensor) -> Tensor:
        """Apply filters, equaliser and room as one response per clip."""
        rng = self.rng
        batch, _, count = y.shape
        cut, tilt, echo = (
            self._rows(chance, touched)
            for chance in (chances.filtered, chances.tilted, chances.reverb)
        )
        if not (cut | tilt | echo).any():
            return y
        frequency = bins(count)
        responses = torch.ones(batch, frequency.shape[0], dtype=torch.complex64)
        for row in range(batch):
            if cut[row]:
                responses[row] *= self._cut(frequency)
            if tilt[row]:
                points = rng.uniform(-9, 9, 7)
                hertz = [0, 150, 500, 1200, 2500, 4500, 8000]
                gains = np.interp(frequency.numpy(), hertz, points)
                responses[row] *= torch.from_numpy(10 ** (gains / 20)).to(torch.complex64)
            if echo[row]:
                responses[row] *= room(rng, count)
        return filtered(y, responses)

    def _cut(self, frequency: Tensor) -> Tensor:
        """Draw a filter that leaves at least what a narrow telephone band leaves."""
        rng = self.rng
        kind = rng.random()
        width = float(rng.uniform(0.02, 0.15))
        if kind < 0.4:
            return band(frequency, None, float(rng.uniform(3300, 4500)), width)
        if kind < 0.65:
            return band(frequency, float(rng.uniform(150, 1000)), None, width)
        if kind < 0.8:
            return band(frequency, 300.0, 3400.0, width)
        if kind < 0.9:
            return band(frequency, None, float(rng.uniform(4500, 7500)), width)
        low = float(rng.uniform(200, 700))
        return band(frequency, low, float(rng.uniform(3300, 5000)), width)

    def _levelled(self, y: Tensor, chances: Chances, touched: Tensor) -> Tensor:
        rng = self.rng
        batch, _, count = y.shape
        rows = self._rows(chances.squeezed, touched)
        if rows.any():
            peak = y.detach().abs().amax(-1, keepdim=True) + 1e-6
            drive = torch.tensor(rng.uniform(1, 4, (batch, 1, 1)), dtype=y.dtype)
            y = torch.where(rows[:, None, None], torch.tanh(y / peak * drive) * peak / drive, y)
        rows = self._rows(chances.gain, touched)
        gain = torch.tensor(10 ** (rng.uniform(-15, 6, (batch, 1, 1)) / 20), dtype=y.dtype)
        y = torch.where(rows[:, None, None], y * gain, y)
        rows = self._rows(chances.polarity, touched)
        y = torch.where(rows[:, None, None], -y, y)
        rows = self._rows(chances.gaps, touched)
        if rows.any():
            kept = torch.ones(batch, 1, count)
            for index in torch.nonzero(rows)[:, 0].tolist():
                for _ in range(int(rng.integers(1, 4))):
                    start = int(rng.integers(0, count))
                    kept[index, 0, start : start + int(rng.integers(80, 800))] = 0
            y = y * kept
        rows = self._rows(chances.rounded, touched)
        if rows.any():
            steps = torch.tensor(2.0 ** rng.integers(5, 12, (batch, 1, 1)), dtype=y.dtype)
            coarse = torch.round(y * steps) / steps
            telephone = torch.tensor(rng.random((batch, 1, 1)) < 0.5)
            changed = torch.where(telephone, mu_law(y), coarse)
            y = torch.where(rows[:, None, None], straight_through(y, changed), y)
        return y
