"""Lossy codecs in memory: encode, decode, line up with the original."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from provenance.watermark.training.network import RATE

FloatArray = NDArray[np.float32]

_CODECS: dict[str, tuple[str, str, str]] = {
    "mp3": ("libmp3lame", "mp3float", "fltp"),
    "aac": ("aac", "aac", "fltp"),
    "opus": ("libopus", "libopus", "flt"),
}
_RATES = {"mp3": (32, 128), "aac": (24, 96), "opus": (12, 48)}
_SPARE = RATE // 4


def transcode(samples: FloatArray, name: str, kbit: int) -> FloatArray:
    """Return `samples` (mono, 16 kHz) after one generation of a codec, equally long.

    Parameters
    ----------
    name
        ``mp3``, ``aac`` or ``opus``.
    kbit
        Bit rate in kbit/s.
    """
    delay = _delay(name, kbit)
    decoded = _round_trip(samples, name, kbit)[delay:]
    out = np.zeros(samples.size, np.float32)
    count = min(samples.size, decoded.size)
    out[:count] = decoded[:count]
    return out


def random_codec(rng: np.random.Generator, samples: FloatArray) -> FloatArray:
    """Return `samples` through a codec and rate drawn by chance."""
    name = str(rng.choice(["mp3", "aac", "opus"], p=[0.45, 0.25, 0.3]))
    low, high = _RATES[name]
    steps = np.arange(low, high + 1, 8 if name != "opus" else 4)
    return transcode(samples, name, int(rng.choice(steps)))


@lru_cache
def _delay(name: str, kbit: int) -> int:
    """Measure how many samples a codec adds at the front."""
    rng = np.random.default_rng(0)
    time = np.arange(RATE) / RATE
    probe = (0.2 * np.sin(2 * np.pi * (200 + 800 * time) * time)).astype(np.float32)
    probe += 0.02 * rng.standard_normal(RATE).astype(np.float32)
    decoded = _round_trip(probe, name, kbit)
    size = 1 << (decoded.size + probe.size).bit_length()
    match = np.fft.irfft(np.fft.rfft(decoded, size) * np.conj(np.fft.rfft(probe, size)), size)
    return int(np.argmax(match[: RATE // 2]))


def _round_trip(samples: FloatArray, name: str, kbit: int) -> FloatArray:
    import av

    encoder_name, decoder_name, layout = _CODECS[name]
    encoder: Any = av.CodecContext.create(encoder_name, "w")
    encoder.sample_rate = RATE
    encoder.layout = "mono"
    encoder.format = layout
    encoder.bit_rate = kbit * 1000
    encoder.open()
    decoder: Any = av.CodecContext.create(decoder_name, "r")
    padded = np.concatenate([samples, np.zeros(_SPARE, np.float32)])
    size = encoder.frame_size or 1024
    packets = []
    for position, start in enumerate(range(0, padded.size - size + 1, size)):
        block = np.ascontiguousarray(padded[None, start : start + size], dtype=np.float32)
        frame = av.AudioFrame.from_ndarray(block, format=layout, layout="mono")
        frame.sample_rate = RATE
        frame.pts = position * size
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    if encoder.extradata:
        decoder.extradata = encoder.extradata
    decoder.sample_rate = RATE
    decoder.layout = "mono"
    frames = [frame for packet in packets for frame in decoder.decode(packet)]
    frames += decoder.decode(None)
    pieces = [frame.to_ndarray().reshape(-1) for frame in frames]
    decoded = np.concatenate(pieces) if pieces else np.zeros(0, np.float32)
    if decoded.dtype == np.int16:
        decoded = decoded.astype(np.float32) / 32768
    rate = frames[0].sample_rate if frames else RATE
    if rate != RATE:
        from provenance.listening.activity import resample

        decoded = resample(decoded.astype(np.float32), rate, RATE)
    return decoded.astype(np.float32)
