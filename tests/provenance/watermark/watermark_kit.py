"""Networks of tones in NumPy, for tests of everything around the real ones."""

from __future__ import annotations

import numpy as np

from provenance.audio.pcm import FloatArray
from provenance.watermark.model import HOP, AudioSealModel, Networks
from provenance.watermark.presence import Calibration, Window

RATE = 16_000
LOWEST, STEP_HZ = 1000, 150
CALIBRATION = Calibration(
    unmarked=-3.0, marked=3.0, spread=1.5,
    windows=(Window(25, -3.0, -2.0, -1.0), Window(50, -3.0, -2.5, -2.2),
             Window(100, -3.0, -2.7, -2.5)),
)  # fmt: skip


class ToneNetworks(Networks):
    """A mark of 16 tones out of 32, a hundredth of the sound's level; heard by their energy."""

    def __init__(self) -> None:
        object.__setattr__(self, "generator", None)
        object.__setattr__(self, "detector", None)
        object.__setattr__(self, "margin_db", None)

    def mark(self, samples: FloatArray, words: FloatArray, strength: float) -> FloatArray:
        time = np.arange(len(words) * HOP) / RATE
        each = np.repeat(words, HOP, axis=0)
        made = sum(
            np.sin(2 * np.pi * (LOWEST + STEP_HZ * (2 * bit + each[:, bit])) * time + bit * bit)
            for bit in range(16)
        )
        size = np.sqrt(np.convolve(samples**2, np.ones(640) / 640, "same"))
        return (strength * 0.03 * size * made[: samples.size]).astype(np.float32)

    def hear(self, samples: FloatArray) -> tuple[FloatArray, FloatArray]:
        frames = samples[: samples.size // HOP * HOP].reshape(-1, HOP)
        time = np.arange(HOP) / RATE
        hertz = LOWEST + STEP_HZ * np.arange(32)
        window = np.hanning(HOP)[:, None]
        tones = window * np.exp(2j * np.pi * time[:, None] * hertz)
        between = window * np.exp(2j * np.pi * time[:, None] * (hertz + STEP_HZ / 2))
        energy = np.abs(frames @ tones) + 1e-6
        rest = np.abs(frames @ between) + 1e-6
        bits = 4 * np.log(energy[:, 1::2] / energy[:, 0::2])
        loudest = np.maximum(energy[:, 1::2], energy[:, 0::2]).mean(1)
        presence = 12 * (np.log(loudest / rest.mean(1)) - 0.7)
        return presence.astype(np.float32), bits.astype(np.float32)


def tones() -> AudioSealModel:
    """Return a model of tones."""
    return AudioSealModel("tones", ToneNetworks(), CALIBRATION)


def lowpassed_noise(seed: int, seconds: float, rate: int = RATE) -> FloatArray:
    """Return sound with nothing above 800 Hz, with the rhythm of speech."""
    rng = np.random.default_rng(seed)
    count = round(seconds * rate)
    spectrum = np.fft.rfft(rng.standard_normal(count))
    spectrum[np.fft.rfftfreq(count, 1 / rate) > 800] = 0
    wave = np.fft.irfft(spectrum, count)
    time = np.arange(count) / rate
    wave *= 0.55 + 0.45 * np.sin(2 * np.pi * 3 * time)
    wave += 1e-3 * rng.standard_normal(count)
    return (0.1 * wave / wave.std()).astype(np.float32)
