"""Putting an id into a stream of sound."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from consent.errors import InputError
from provenance.audio.pcm import FloatArray
from provenance.watermark import WatermarkModel
from provenance.watermark.alignment import WORD_FRAMES
from provenance.watermark.chunks import CONTEXT_S, RATE, Chunk, chunks, fitted, resampled
from provenance.watermark.coding import WORD_BITS, code
from provenance.watermark.model import HOP, Networks

STRENGTH = (0.25, 4.0)

_FADE_S = 0.05  # either side of a seam between two pieces
_ROUND_S = 0.004  # over which the mark is turned down before it would clip
_SILENCE = 1e-5  # -100 dBFS: what is fainter gets a fainter mark, digital zero none


def embed(
    networks: Networks,
    blocks: Iterable[FloatArray],
    rate: int,
    output_id: str,
    *,
    strength: float = 1.0,
) -> Iterator[FloatArray]:
    """Yield `blocks` with a mark added that says `output_id`.

    The mark is made from the sound at 16 kHz, brought to the sound's own rate and added to the
    sound as it came: nothing else is changed. It follows the level of the sound, is zero in
    digital silence, and is turned down where the sum would pass full scale.

    Parameters
    ----------
    blocks
        Mono float32 arrays of any length, full scale 1.0.
    rate
        In Hz.
    output_id
        12 hex digits.
    strength
        Factor on the level of the mark, 0.25 to 4.

    Yields
    ------
    ndarray of float32
        Together as long as `blocks`; about ten seconds each.

    Raises
    ------
    InputError
        The id, rate or strength is not one, or a sample is NaN or infinite.
    """
    if not STRENGTH[0] <= strength <= STRENGTH[1]:
        raise InputError(f"a mark of strength {strength:g} is out of range {STRENGTH}")
    words = code().encode(output_id).astype(np.float32)
    fade = round(_FADE_S * rate)
    rising = (np.arange(2 * fade, dtype=np.float32) + 0.5) / (2 * fade)
    overhang: FloatArray = np.zeros(
        2 * fade, np.float32
    )  # of the last piece's mark, around the seam
    held: FloatArray = np.zeros(
        0, np.float32
    )  # sound of the last piece that the next mark reaches into
    for chunk in chunks(blocks, rate):
        if not np.isfinite(chunk.samples).all():
            raise InputError(
                f"a sample near {chunk.start / rate:.1f} s is NaN or infinite",
                hint="Repair the audio first; nothing was marked.",
            )
        mark = _mark(networks, chunk, rate, words, strength)
        begin, end = chunk.before, chunk.before + chunk.length
        if chunk.start:
            seam = mark[begin - fade : begin + fade]
            made = mark[begin - fade : end - (0 if chunk.last else fade)].copy()
            count = min(2 * fade, made.size, seam.size)
            made[:count] = overhang[:count] + rising[:count] * made[:count]
        else:
            made = mark[begin : end - (0 if chunk.last else fade)]
        sound = np.concatenate([held, chunk.samples[begin:end]])
        if chunk.last:
            yield _added(sound, made)
            return
        tail = mark[end - fade : end + fade]
        overhang = (fitted(tail, 2 * fade) * rising[::-1]).astype(np.float32)
        held = np.asarray(sound[made.size :], np.float32)
        yield _added(sound[: made.size], made)


def _mark(
    networks: Networks, chunk: Chunk, rate: int, words: FloatArray, strength: float
) -> FloatArray:
    """Return the mark of a piece and its context, at `rate`."""
    if not chunk.samples.any():
        return np.zeros_like(chunk.samples)
    narrow = resampled(chunk.samples, rate, RATE)
    first = (chunk.start // rate - CONTEXT_S) * RATE // HOP if chunk.before else 0
    frames = max(-(-narrow.size // HOP), CONTEXT_S * RATE // HOP)
    at = (first + np.arange(frames)) // WORD_FRAMES % len(words)
    made = networks.mark(narrow, words[at].reshape(-1, WORD_BITS), strength)
    made = made * np.minimum(np.float32(1), _level(narrow) / np.float32(_SILENCE))
    return fitted(resampled(made, RATE, rate), chunk.samples.size)


def _level(samples: FloatArray, window: int = 1024) -> FloatArray:
    """Return the RMS level around each sample."""
    power = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=np.float64))])
    right = np.minimum(np.arange(samples.size) + window // 2, samples.size)
    left = np.maximum(np.arange(samples.size) - window // 2, 0)
    level: FloatArray = np.sqrt(np.maximum(power[right] - power[left], 0) / window).astype(
        np.float32
    )
    return level


def _added(sound: FloatArray, mark: FloatArray) -> FloatArray:
    """Return the sum, the mark turned down smoothly where it would pass full scale."""
    made: FloatArray = sound + mark
    if np.abs(made).max(initial=0) <= 1:
        return made
    from scipy.ndimage import minimum_filter1d, uniform_filter1d

    room = np.maximum(0, 1 - np.abs(sound))
    over = (np.abs(made) > 1) | (np.abs(sound) > 1)
    gain = np.where(over, room / np.maximum(np.abs(mark), 1e-12), 1)
    window = 2 * (max(1, round(_ROUND_S * 24_000)) // 2) + 1
    # The mean of the minima over a window is nowhere above what is allowed.
    gain = uniform_filter1d(minimum_filter1d(gain, window), window)
    gain = np.where(gain < 1e-6, 0, np.minimum(gain, 1))  # free of the filter's rounding
    made = (sound + mark * gain).astype(np.float32)
    # What was within full scale stays there to the last bit.
    return np.where(np.abs(sound) <= 1, np.clip(made, -1, 1), made)


def embed_channels(
    model: WatermarkModel,
    blocks: Iterable[FloatArray],
    rate: int,
    output_id: str,
    *,
    strength: float = 1.0,
) -> Iterator[FloatArray]:
    """Yield blocks of several channels with one mark, made from their mean, in each channel.

    Parameters
    ----------
    model
        Makes the mark.
    blocks
        Float32 arrays of shape (n, channels).

    Raises
    ------
    InputError
        As :func:`embed`.
    """
    waiting: list[FloatArray] = []

    def middle() -> Iterator[FloatArray]:
        for block in blocks:
            waiting.append(block)
            yield block.mean(axis=1, dtype=np.float32)

    for made in model.embed(middle(), rate, output_id, strength):
        sound = np.concatenate(waiting)
        waiting[:] = [sound[len(made) :]]
        sound = sound[: len(made)]
        mark = made - sound.mean(axis=1, dtype=np.float32)
        yield np.stack([_added(channel, mark) for channel in sound.T], axis=1)
