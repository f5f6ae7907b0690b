"""Align the letters of words with the phonemes of their pronunciations.

Each letter is given none, one, two or three phoneme units, in order, so that a pronunciation
becomes one label per letter. The probabilities are found by Viterbi training: align, count,
align again.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence

UNIT = re.compile(r"[ˈˌ]?[^ˈˌː]ː?")
MOST_UNITS = 3
UNSEEN = -14.0


def units(phonemes: str) -> tuple[str, ...]:
    """Cut a pronunciation into units: a phoneme with its stress and length mark."""
    return tuple(UNIT.findall(phonemes))


class Aligner:
    """Letter-to-phonemes alignment model.

    Parameters
    ----------
    scores
        (letter, units as one string) -> natural log of the probability.
    """

    def __init__(self, scores: dict[tuple[str, str], float] | None = None) -> None:
        self.scores = scores

    def _score(self, letter: str, chunk: str, length: int) -> float:
        if self.scores is None:
            # Before anything is known: one unit per letter is likely; vowels go with vowels.
            plain = chunk.strip("ˈˌ")
            fits = (letter in "aeiouy") == (plain[:1] in "AIOQWYaiuæɑɒɔəɛɜɪʊʌᵊᵻj")
            return (0.0, -2.0, -4.0)[abs(length - 1)] + (0.0 if fits or not chunk else -2.0)
        return self.scores.get((letter, chunk), UNSEEN - 3.0 * length)

    def align(self, word: str, phonemes: Sequence[str]) -> list[str] | None:
        """Return one string of phonemes per letter, or None where there is no alignment."""
        letters, count = len(word), len(phonemes)
        if count > letters * MOST_UNITS:
            return None
        best = [[-math.inf] * (count + 1) for _ in range(letters + 1)]
        back = [[0] * (count + 1) for _ in range(letters + 1)]
        best[0][0] = 0.0
        for i in range(letters):
            row, following, letter = best[i], best[i + 1], word[i]
            for j in range(count + 1):
                so_far = row[j]
                if so_far == -math.inf:
                    continue
                chunk = ""
                for length in range(min(MOST_UNITS, count - j) + 1):
                    if length:
                        chunk += phonemes[j + length - 1]
                    score = so_far + self._score(letter, chunk, length)
                    if score > following[j + length]:
                        following[j + length] = score
                        back[i + 1][j + length] = length
        if best[letters][count] == -math.inf:
            return None
        result, j = [], count
        for i in range(letters, 0, -1):
            length = back[i][j]
            result.append("".join(phonemes[j - length : j]))
            j -= length
        return result[::-1]

    @classmethod
    def fit(cls, pairs: Iterable[tuple[str, str]], *, rounds: int = 5) -> Aligner:
        """Learn the probabilities from (word, phonemes) pairs."""
        split = [(word, units(phonemes)) for word, phonemes in pairs]
        aligner = cls()
        for _ in range(rounds):
            counts: Counter[tuple[str, str]] = Counter()
            for word, phonemes in split:
                for letter, chunk in zip(word, aligner.align(word, phonemes) or (), strict=False):
                    counts[letter, chunk] += 1
            totals: Counter[str] = Counter()
            for (letter, _), count in counts.items():
                totals[letter] += count
            aligner = cls({key: math.log(count / totals[key[0]]) for key, count in counts.items()})
        return aligner
