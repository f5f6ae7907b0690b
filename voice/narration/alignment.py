"""Alignment of what was heard with what should have been said, word by word.

Two grades of agreement are told apart. *Strict*: the same words, but for how they are joined
("post script", "postscript") and how numbers are said. *Tolerant*: words that sound alike count
too, since a recogniser spells a name it has never seen as best it can.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from voice.narration.wording import number_value, words_of

_FUZZY_CELLS = 60_000  # alignments up to this many cells weigh likeness, larger ones equality
_MOST_CELLS = 16_000_000  # larger gaps without one common run of words are not aligned at all


class Agreement(StrEnum):
    """How a stretch of the script compares with what was heard."""

    SAME = "same"
    ALIKE = "alike"
    DIFFERENT = "different"


@dataclass(frozen=True, slots=True)
class Stretch:
    """A run of script words and the heard words aligned with it; either may be empty.

    ``script[script_start:script_end]`` against ``heard[heard_start:heard_end]``.
    """

    agreement: Agreement
    script_start: int
    script_end: int
    heard_start: int
    heard_end: int

    @property
    def lost(self) -> int:
        """Number of script words."""
        return self.script_end - self.script_start

    @property
    def added(self) -> int:
        """Number of heard words."""
        return self.heard_end - self.heard_start

    @property
    def errors(self) -> int:
        """Word errors as the word error rate counts them."""
        return 0 if self.agreement is Agreement.SAME else max(self.lost, self.added)


_SOUND_RULES = tuple(
    (re.compile(pattern), to)
    for pattern, to in (
        (r"^(kn|gn|pn|mn)", "n"), (r"^wr", "r"), (r"^ps", "s"), (r"^wh", "w"), (r"^x", "z"),
        (r"mb$", "m"), (r"sch", "sk"), (r"t?ch", "1"),
        (r"(sh|ti(?=[ao])|ssi(?=o)|ci(?=[ao]))", "2"), (r"ph", "f"),
        (r"(?<=[aeiou])gh(?=t|$)", ""), (r"gh", "g"), (r"th", "3"),
        (r"dg(?=[eiy])", "j"), (r"g(?=[eiy])", "j"), (r"c(?=[eiy])", "s"), (r"[ckq]+", "k"),
        (r"x", "ks"), (r"z", "s"), (r"v", "f"), (r"(?<=[aeiou])h|h(?![aeiou])", ""),
        (r"(?<=.)[wy]", "a"), (r"d$", "t"), (r"[aeiouy]+", "a"), (r"(.)\1+", r"\1"),
    )
)  # fmt: skip


@lru_cache(maxsize=65_536)
def sound_key(word: str) -> str:
    """Return a rough phonetic key: consonants by kind, each run of vowels as ``a``."""
    for pattern, to in _SOUND_RULES:
        word = pattern.sub(to, word)
    return word


def edit_distance(one: str, two: str) -> int:
    """Return the Levenshtein distance of two short strings."""
    previous = list(range(len(two) + 1))
    for i, a in enumerate(one, 1):
        current = [i]
        for j, b in enumerate(two, 1):
            current.append(min(previous[j] + 1, current[-1] + 1, previous[j - 1] + (a != b)))
        previous = current
    return previous[-1]


@lru_cache(maxsize=262_144)
def sounds_alike(one: str, two: str) -> bool:
    """Say whether two words, or runs of words joined, could be spellings of the same sound."""
    if one == two:
        return True
    if not one or not two:
        return False
    key_one, key_two = sound_key(one), sound_key(two)
    if key_one == key_two:
        return len(key_one) > 2 or edit_distance(one, two) <= 2
    longest = max(len(key_one), len(key_two))
    if longest >= 4 and edit_distance(key_one, key_two) <= longest * 0.34:
        return True
    longest = max(len(one), len(two))
    return longest > 3 and edit_distance(one, two) <= longest * 0.34


def _likeness(script: Sequence[str], heard: Sequence[str]) -> NDArray[np.float32]:
    """Cost of aligning each word with each: 0 the same, 0.3 alike, 1 different."""
    if len(script) * len(heard) > _FUZZY_CELLS:
        ids = {word: number for number, word in enumerate({*script, *heard})}
        left = np.array([ids[word] for word in script])
        right = np.array([ids[word] for word in heard])
        unequal: NDArray[np.float32] = (left[:, None] != right[None, :]).astype(np.float32)
        return unequal
    cost: NDArray[np.float32] = np.array(
        [[0.0 if a == b else 0.3 if sounds_alike(a, b) else 1.0 for b in heard] for a in script],
        dtype=np.float32,
    )
    return cost


def _pairs(script: Sequence[str], heard: Sequence[str]) -> list[tuple[int, int]]:
    """Least-cost alignment: index pairs in order, -1 where a word has no partner."""
    rows, columns = len(script), len(heard)
    if not rows or not columns or rows * columns > _MOST_CELLS:
        return [(i, -1) for i in range(rows)] + [(-1, j) for j in range(columns)]
    cost = _likeness(script, heard)
    ramp = np.arange(columns + 1, dtype=np.float32)
    table = np.empty((rows + 1, columns + 1), np.float32)
    table[0] = ramp
    for i in range(rows):
        table[i + 1, 0] = i + 1
        table[i + 1, 1:] = np.minimum(table[i, 1:] + 1, table[i, :-1] + cost[i])
        table[i + 1] = np.minimum.accumulate(table[i + 1] - ramp) + ramp
    found, i, j = [], rows, columns
    while i or j:
        here = table[i, j]
        if i and j and abs(table[i - 1, j - 1] + cost[i - 1, j - 1] - here) < 1e-3:
            i, j = i - 1, j - 1
            found.append((i, j))
        elif i and abs(table[i - 1, j] + 1 - here) < 1e-3:
            i -= 1
            found.append((i, -1))
        else:
            j -= 1
            found.append((-1, j))
    return found[::-1]


def _anchors(script: Sequence[str], heard: Sequence[str], run: int) -> list[tuple[int, int]]:
    """Find runs of words that occur once in each, in the longest order common to both."""

    def unique(words: Sequence[str]) -> dict[tuple[str, ...], int]:
        grams = [tuple(words[i : i + run]) for i in range(len(words) - run + 1)]
        counts = Counter(grams)
        return {gram: i for i, gram in enumerate(grams) if counts[gram] == 1}

    there = unique(heard)
    pairs = [(i, there[gram]) for gram, i in unique(script).items() if gram in there]
    # Longest increasing subsequence of the heard positions (patience sorting).
    tails: list[int] = []
    ends: list[int] = []
    before: list[int] = []
    for index, (_, j) in enumerate(pairs):
        place = bisect_left(tails, j)
        before.append(ends[place - 1] if place else -1)
        if place == len(tails):
            tails.append(j)
            ends.append(index)
        else:
            tails[place], ends[place] = j, index
    chain, index = [], ends[-1] if ends else -1
    while index >= 0:
        chain.append(pairs[index])
        index = before[index]
    return chain[::-1]


def _align(script: Sequence[str], heard: Sequence[str], run: int) -> list[tuple[int, int]]:
    if len(script) * len(heard) <= _FUZZY_CELLS // 100 or run < 1:
        return _pairs(script, heard)
    # What agrees at both ends is taken first: a gap then starts where something lacks, and the
    # few words near it are not strewn over it.
    most = min(len(script), len(heard))
    head = next((k for k in range(most) if script[k] != heard[k]), most)
    tail = next((k for k in range(most - head) if script[-1 - k] != heard[-1 - k]), most - head)
    if head or tail:
        inner = _align(script[head : len(script) - tail], heard[head : len(heard) - tail], run)
        shifted = [(a + head if a >= 0 else -1, b + head if b >= 0 else -1) for a, b in inner]
        ends = [(len(script) - k, len(heard) - k) for k in range(tail, 0, -1)]
        return [(k, k) for k in range(head)] + shifted + ends
    if len(script) * len(heard) <= _FUZZY_CELLS:
        return _pairs(script, heard)
    found: list[tuple[int, int]] = []
    i = j = 0

    def bridge(to_i: int, to_j: int) -> None:
        inner = _align(script[i:to_i], heard[j:to_j], run - 1)
        found.extend((a + i if a >= 0 else -1, b + j if b >= 0 else -1) for a, b in inner)

    for a, b in _anchors(script, heard, run):
        if a < i or b < j:  # inside the run of the anchor before
            continue
        bridge(a, b)
        found.extend((a + k, b + k) for k in range(run))
        i, j = a + run, b + run
    bridge(len(script), len(heard))
    return found


def align(script: Sequence[str], heard: Sequence[str]) -> list[Stretch]:
    """Align two lists of words in normal form.

    Long lists are first tied together where a run of five words occurs once in each (then four,
    and so on, in the gaps), so that time and memory grow about linearly.

    Returns
    -------
    list of Stretch
        In order, covering both lists, neighbours of different agreement.
    """
    stretches: list[Stretch] = []
    start = 0
    pairs = _align(script, heard, 5)
    i = j = 0
    while start < len(pairs):
        same = _equal(script, heard, pairs[start])
        end = start
        while end < len(pairs) and _equal(script, heard, pairs[end]) == same:
            end += 1
        lost = sum(a >= 0 for a, _ in pairs[start:end])
        added = sum(b >= 0 for _, b in pairs[start:end])
        if same:
            stretches.append(Stretch(Agreement.SAME, i, i + lost, j, j + added))
        else:
            stretches += _grade(script, heard, pairs[start:end], i, j)
        i, j, start = i + lost, j + added, end
    return _merged(stretches)


def _equal(script: Sequence[str], heard: Sequence[str], pair: tuple[int, int]) -> bool:
    return pair[0] >= 0 and pair[1] >= 0 and script[pair[0]] == heard[pair[1]]


def _agreement(script: Sequence[str], heard: Sequence[str]) -> Agreement:
    joined, as_heard = "".join(script), "".join(heard)
    if joined == as_heard:
        return Agreement.SAME
    said = number_value(tuple(script))
    if said is not None and said == number_value(tuple(heard)):
        return Agreement.SAME
    # Runs of very different length are not one word written as several.
    if script and heard and sounds_alike(joined, as_heard):
        return Agreement.ALIKE
    return Agreement.DIFFERENT


def _grade(
    script: Sequence[str], heard: Sequence[str], pairs: list[tuple[int, int]], i: int, j: int
) -> list[Stretch]:
    """Grade a run without equal pairs: as a whole if it agrees so, else pair by pair."""
    lost = sum(a >= 0 for a, _ in pairs)
    added = sum(b >= 0 for _, b in pairs)
    whole = _agreement(script[i : i + lost], heard[j : j + added])
    if whole is not Agreement.DIFFERENT:
        return [Stretch(whole, i, i + lost, j, j + added)]
    graded = []
    for a, b in pairs:
        left, right = i + (a >= 0), j + (b >= 0)
        grade = _agreement(script[i:left], heard[j:right])
        graded.append(Stretch(grade, i, left, j, right))
        i, j = left, right
    return graded


def _merged(stretches: list[Stretch]) -> list[Stretch]:
    merged: list[Stretch] = []
    for one in stretches:
        if merged and merged[-1].agreement is one.agreement:
            last = merged[-1]
            merged[-1] = Stretch(
                one.agreement, last.script_start, one.script_end, last.heard_start, one.heard_end
            )
        else:
            merged.append(one)
    return merged


def word_errors(stretches: Sequence[Stretch], *, tolerant: bool = False) -> int:
    """Return substitutions, deletions and insertions; `tolerant` forgives what sounds alike."""
    forgiven = {Agreement.SAME, Agreement.ALIKE} if tolerant else {Agreement.SAME}
    return sum(one.errors for one in stretches if one.agreement not in forgiven)


def word_error_rate(
    reference: str, hypothesis: str, *, language: str = "en", tolerant: bool = False
) -> float:
    """Return the word error rate of `hypothesis`, 0 for a perfect one; it can exceed 1.

    Parameters
    ----------
    reference
        What should have been said; inline pronunciations are passed over.
    hypothesis
        What was heard.
    tolerant
        Do not count words that sound alike, such as a name in another spelling.
    """
    script, heard = words_of(reference, language), words_of(hypothesis, language)
    errors = word_errors(align(script, heard), tolerant=tolerant)
    return errors / len(script) if script else float(bool(heard))
