"""Sounds that are not speech, made in code: noises, hums, clicks, and something like music.

The detector must not take them for marked, and a mark must survive being mixed with them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

RATE = 16_000


def coloured_noise(rng: np.random.Generator, count: int, slope: float) -> FloatArray:
    """Return Gaussian noise whose power falls with ``frequency ** -slope``; RMS 0.1.

    `slope` 0 is white, 1 pink, 2 brown; negative is blue.
    """
    spectrum = np.fft.rfft(rng.standard_normal(count))
    frequency = np.maximum(np.fft.rfftfreq(count, 1 / RATE), 20.0)
    return _levelled(np.fft.irfft(spectrum * frequency ** (-slope / 2), count))


def hum(rng: np.random.Generator, count: int) -> FloatArray:
    """Return mains hum: a fundamental of 50 or 60 Hz with falling harmonics over faint noise."""
    time = np.arange(count) / RATE
    base = float(rng.choice([50.0, 60.0])) * rng.uniform(0.998, 1.002)
    wave = np.zeros(count)
    for k in range(1, 24):
        wave += np.sin(2 * np.pi * base * k * time + rng.uniform(0, 6.28)) * rng.uniform(0, 1) / k
    return _levelled(_levelled(wave) + 0.1 * coloured_noise(rng, count, 1.0))


def clicks(rng: np.random.Generator, count: int) -> FloatArray:
    """Return crackle: sparse pulses, each with a short ring."""
    pulses = np.zeros(count)
    where = rng.integers(0, count, max(1, count // int(rng.integers(400, 4000))))
    pulses[where] = rng.standard_normal(where.size)
    decay = np.exp(-np.arange(400) / rng.uniform(5, 80))
    ring = decay * np.cos(np.arange(400) * rng.uniform(0.1, 2.5))
    wave = np.convolve(pulses, ring)[:count]
    return _levelled(wave + 0.01 * rng.standard_normal(count))


def modulated(rng: np.random.Generator, count: int) -> FloatArray:
    """Return noise in speech's own rhythm: 3 to 8 Hz syllables, shaped by a few resonances."""
    time = np.arange(count) / RATE
    rate = rng.uniform(3, 8)
    envelope = np.clip(np.sin(2 * np.pi * rate * time + rng.uniform(0, 6.28)), 0, 1) ** 0.7
    spectrum = np.fft.rfft(rng.standard_normal(count))
    frequency = np.fft.rfftfreq(count, 1 / RATE)
    shape = np.full(frequency.size, 0.02)
    for centre in (rng.uniform(300, 900), rng.uniform(900, 2400), rng.uniform(2400, 3800)):
        shape += np.exp(-(((frequency - centre) / rng.uniform(80, 300)) ** 2))
    return _levelled(np.fft.irfft(spectrum * shape, count) * envelope)


def music(rng: np.random.Generator, count: int) -> FloatArray:
    """Return a tune over chords: harmonic tones with attack and decay, and a drum of noise."""
    wave = np.zeros(count)
    beat = int(RATE * 60 / rng.uniform(60, 150) / 2)
    root = 110.0 * 2 ** (rng.integers(0, 12) / 12)
    scale = np.array([0, 2, 4, 5, 7, 9, 11, 12] if rng.random() < 0.5 else [0, 2, 3, 5, 7, 8, 10])
    harmonics = rng.uniform(0, 1, 10) / np.arange(1, 11) ** rng.uniform(0.5, 2.0)
    drum = rng.random() < 0.6
    for start in range(0, count, beat):
        degree = int(rng.integers(0, len(scale)))
        chord = [degree, (degree + 2) % len(scale), (degree + 4) % len(scale)]
        notes = [chord[0]] if rng.random() < 0.5 else chord
        length = min(count - start, beat * int(rng.integers(1, 5)))
        time = np.arange(length) / RATE
        envelope = np.minimum(time / rng.uniform(0.003, 0.05), 1) * np.exp(
            -time * rng.uniform(0.5, 8)
        )
        for note in notes:
            pitch = root * 2 ** (scale[note] / 12 + int(rng.integers(0, 3)))
            for k, weight in enumerate(harmonics, 1):
                if pitch * k < RATE / 2:
                    tone = np.sin(2 * np.pi * pitch * k * time + rng.uniform(0, 6.28))
                    wave[start : start + length] += weight * envelope * tone
        if drum:
            burst = min(count - start, 1600)
            wave[start : start + burst] += (
                rng.standard_normal(burst) * np.exp(-np.arange(burst) / 250) * rng.uniform(0, 2)
            )
    return _levelled(wave)


def bank(seed: int, seconds: float) -> dict[str, FloatArray]:
    """Return a stretch of `seconds` of noises and as much of music, always the same for a seed."""
    rng = np.random.default_rng(seed)
    piece = 4 * RATE
    pieces = max(1, round(seconds * RATE / piece))
    noises = []
    for index in range(pieces):
        kind = index % 7
        if kind < 4:
            noises.append(coloured_noise(rng, piece, (0.0, 1.0, 2.0, rng.uniform(-0.5, 2.5))[kind]))
        else:
            noises.append((hum, clicks, modulated)[kind - 4](rng, piece))
    tunes = [music(rng, piece) for _ in range(pieces)]
    return {"noise": np.concatenate(noises), "music": np.concatenate(tunes)}


def _levelled(wave: NDArray[np.floating]) -> FloatArray:
    """Scale to RMS 0.1, peaks below 1."""
    scaled = wave * (0.1 / max(float(np.sqrt(np.mean(np.square(wave)))), 1e-9))
    clipped: FloatArray = np.clip(scaled, -0.99, 0.99).astype(np.float32)
    return clipped
