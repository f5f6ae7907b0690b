"""Finding where in a stretch of sound the words begin, which of the cycle they are, and the id."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from provenance.watermark.coding import WORD_BITS, Code, Decoded, code

WORD_FRAMES = 25
"""Frames of 20 ms per word: half a second."""

SPEEDS = (1.0, 0.995, 1.005, 0.99, 1.01, 0.985, 1.015, 0.98, 1.02)
"""Lengths of a word, as shares of the true one: sound may have been played a little off."""

# Speeds, how many offsets of them are decoded, and how thoroughly; quick and likely ones first.
_PASSES = ((SPEEDS[:1], 6, 2), (SPEEDS[:1], 5, 3), (SPEEDS[1:], 6, 2))
_APART = 3  # frames between offsets that count as two
_SURE = -45.0  # log p below which nothing else need be tried

Array = NDArray[np.float32]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Alignment:
    """Where words lie.

    Attributes
    ----------
    start
        Frame, counted from the beginning of the stream, at which a cycle begins; may lie before
        the stretch.
    word
        Length of a word in frames.
    """

    start: float
    word: float

    def words(self, first: int, last: int, cycle: int) -> NDArray[np.intp]:
        """Return the number in the cycle of the word at each frame from `first` to `last`."""
        at = (np.arange(first, last) + 0.5 - self.start) / self.word
        numbers: NDArray[np.intp] = np.floor(at).astype(np.intp) % cycle
        return numbers

    def near(self, other: Alignment, at: float, cycle: int) -> bool:
        """Tell whether two place the words alike, within 60 ms, around frame `at`."""
        one, two = ((at - a.start) / a.word % cycle for a in (self, other))
        apart = abs(one - two)
        return min(apart, cycle - apart) * self.word <= _APART


@dataclass(frozen=True, slots=True)
class Found:
    """An id that was decoded from a stretch.

    Attributes
    ----------
    log_p
        Logarithm of the chance of finding any id in this stretch if it had none; every
        alignment and speed tried is counted in.
    """

    decoded: Decoded
    alignment: Alignment
    log_p: float


def alignments_tried(words: int) -> int:
    """Return how many alignments :func:`search` chooses from."""
    return WORD_FRAMES * len(SPEEDS) * words


def search(soft: Array, first: int, *, book: Code | None = None) -> Found | None:
    """Decode the most likely id of a stretch.

    Parameters
    ----------
    soft : ndarray, shape (frames, 16)
        Logit of each bit, times how much the frame counts; 0 for frames to be passed over.
    first
        Frame of the stream at which the stretch begins.

    Returns
    -------
    Found or None
        None if nothing was heard at all. What is found in sound without an id has a `log_p`
        of about 0.
    """
    book = book or code()
    if not soft.any():
        return None
    total = np.concatenate([np.zeros((1, WORD_BITS)), np.cumsum(soft, axis=0, dtype=np.float64)])
    ranked: list[tuple[float, int, float, float]] = []
    for speeds, count, order in _PASSES:
        for offset, word in _promising(total, speeds, count):
            sums = word_sums(total, offset, word)
            for shift in range(book.words):
                close = book.closeness(fold(sums, shift, book.words), order=order)
                ranked.append((close, shift, offset, word))
        _, shift, offset, word = max(ranked)
        decoded = book.decode(fold(word_sums(total, offset, word), shift, book.words))
        if decoded.log_p < _SURE:
            break
    tries = math.log(alignments_tried(book.words))
    alignment = _refined(soft, first, Alignment(first + offset - shift * word, word), decoded, book)
    return Found(decoded, alignment, min(0.0, decoded.log_p + tries))


def _refined(soft: Array, first: int, rough: Alignment, decoded: Decoded, book: Code) -> Alignment:
    """Return the alignment near `rough` under which the decoded words fit best.

    The middle of the stretch is where a wrong speed still fits, so it is the pivot.
    """
    signs = 2.0 * book.encode(decoded.output_id) - 1
    middle = first + len(soft) / 2
    best, chosen = -math.inf, rough
    for word in WORD_FRAMES * np.arange(0.976, 1.0241, 0.002):
        pivot = middle - (middle - rough.start) / rough.word * word
        for moved in range(-4, 5):
            alignment = Alignment(float(pivot + moved), float(word))
            at = alignment.words(first, first + len(soft), book.words)
            fit = float(np.einsum("ij,ij->", soft, signs[at]))
            if fit > best:
                best, chosen = fit, alignment
    return chosen


def _promising(
    total: FloatArray, speeds: tuple[float, ...], count: int
) -> list[tuple[float, float]]:
    """Return the (offset, word length) under which the words stand out most.

    Between the wrong boundaries, frames of two words are summed and cancel where these differ.
    """
    scored: list[tuple[float, float, float]] = []
    for speed in speeds:
        word = WORD_FRAMES * speed
        for start in range(WORD_FRAMES):
            energy = float(np.square(word_sums(total, start, word)).sum())
            scored.append((energy, float(start), word))
    scored.sort(reverse=True)
    chosen: list[tuple[float, float]] = []
    for _, offset, word in scored:
        if all(
            word != other or min(abs(offset - o), WORD_FRAMES - abs(offset - o)) >= _APART
            for o, other in chosen
        ):
            chosen.append((offset, word))
        if len(chosen) == count:
            break
    return chosen


def word_sums(total: FloatArray, offset: float, word: float) -> FloatArray:
    """Return the sum of each word from running totals of the frames, shape (words, 16).

    Words start at ``offset + k * word``; the first is the one that ends at or before `offset`,
    cut by the beginning of the stretch, and the last is cut by its end.
    """
    last = total.shape[0] - 1
    count = math.ceil(max(last - offset, 0) / word)
    edges = np.clip(offset + word * np.arange(-1, count + 1), 0, last)
    low = np.floor(edges).astype(np.intp)
    high = np.minimum(low + 1, last)
    share = (edges - low)[:, None]
    at_edges = total[low] * (1 - share) + total[high] * share
    sums: FloatArray = np.diff(at_edges, axis=0)
    return sums


def fold(sums: FloatArray, shift: int, words: int) -> FloatArray:
    """Add up repetitions: the word after the first (cut) one is number `shift` of the cycle."""
    folded = np.zeros((words, WORD_BITS))
    np.add.at(folded, (np.arange(len(sums)) - 1 + shift) % words, sums)
    return folded
