"""Parts of speech, only as far as pronunciation needs them.

A linear model looks at a word and two words on either side, and at whether the sentence tells of
the past. It tags a word on its own, not a sentence, so that the few words whose
pronunciation depends on it are all that is paid for. Trained by
``python -m voice.phonemes.train tagger``.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib import resources
from typing import Any

from voice.phonemes.characters import words as word_set

#: What is told apart: Penn tags, merged where nothing in the lexicons depends on the difference.
TAGS = ("NN", "NNP", "VB", "VBD", "VBN", "VBG", "JJ", "RB", "IN", "RP", "DT", "TO", "PRP", "O")
_MERGED = {"NNS": "NN", "NNPS": "NNP", "VBP": "VB", "VBZ": "VB", "JJR": "JJ", "JJS": "JJ"}
_MERGED |= {"RBR": "RB", "RBS": "RB", "WDT": "IN", "PDT": "DT", "PRP$": "PRP"}
EDGE = "|"
_STOPS = frozenset(".!?")
_PAST = word_set(
    "was were had did said went came took saw knew thought told got made gave found "
    "felt stood left began looked seemed asked turned heard kept sat ran spoke wrote"
)


def merged(tag: str) -> str:
    """Return the class of `TAGS` that a Penn tag belongs to."""
    tag = _MERGED.get(tag, tag)
    return tag if tag in TAGS else "O"


def shape(word: str) -> str:
    """Return the ending of a word and whether it is capitalised."""
    return ("^" if word[:1].isupper() else "") + word[-3:].lower()


def features(words: Sequence[str], index: int, usual: dict[str, str]) -> Iterator[str]:
    """Yield the names of what the model looks at.

    Parameters
    ----------
    words
        Words and punctuation of the text.
    usual
        Most frequent tag of frequent words.
    """

    def at(i: int) -> str:
        return words[i] if 0 <= i < len(words) else EDGE

    word = words[index]
    lower = word.lower()
    before, before2 = at(index - 1), at(index - 2)
    after, after2 = at(index + 1), at(index + 2)
    if before in _STOPS:
        before2 = EDGE
    if after in _STOPS:
        after2 = EDGE
    b, b2, a, a2 = before.lower(), before2.lower(), after.lower(), after2.lower()
    tb, tb2 = usual.get(b) or shape(before), usual.get(b2) or shape(before2)
    ta, ta2 = usual.get(a) or shape(after), usual.get(a2) or shape(after2)
    start = "^" if word[:1].isupper() and before not in _STOPS and before != EDGE else ""
    yield "w=" + lower
    yield "s=" + start + lower[-3:]
    yield "x=" + lower[-2:] + "," + tb
    yield "b=" + b
    yield "a=" + a
    yield "b2=" + b2
    yield "a2=" + a2
    yield "tb=" + tb2 + "," + tb
    yield "ta=" + ta + "," + ta2
    yield "tt=" + tb + "," + ta
    yield "wb=" + lower + "," + b
    yield "wa=" + lower + "," + a
    yield "wtb=" + lower + "," + tb
    yield "wta=" + lower + "," + ta
    yield "wtt=" + lower + "," + tb + "," + ta
    yield "wb2=" + lower + "," + tb2 + "," + tb
    yield "wp=" + lower + "," + _tense(words, index)


def _tense(words: Sequence[str], index: int) -> str:
    """Say whether a verb of the past is within reach in the same sentence."""
    for step in (-1, 1):
        i = index + step
        while 0 <= i < len(words) and abs(i - index) < 12:
            word = words[i].lower()
            if word in _STOPS:
                break
            if word in _PAST or (len(word) > 4 and word.endswith("ed")):
                return "past"
            i += step
    return ""


class Tagger:
    """The trained model.

    Parameters
    ----------
    weights
        Feature -> weight of each tag of `TAGS` that is not zero, as {index: weight}.
    usual
        Most frequent tag of frequent words.
    """

    def __init__(self, weights: dict[str, dict[int, int]], usual: dict[str, str]) -> None:
        self.weights = weights
        self.usual = usual

    @classmethod
    @lru_cache(maxsize=1)
    def load(cls) -> Tagger:
        """Load the model that is shipped with the package."""
        packed = resources.files("voice.phonemes").joinpath("data/tagger.json.gz").read_bytes()
        return cls.from_json(json.loads(gzip.decompress(packed)))

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Tagger:
        """Build the model from its file's contents."""
        weights = {
            feature: {ord(tag) - ord("a"): int(value) for tag, value in _PAIR.findall(row)}
            for feature, row in data["weights"].items()
        }
        return cls(weights, data["usual"])

    def tag(self, words: Sequence[str], index: int) -> str:
        """Return the tag of ``words[index]``, one of `TAGS`."""
        totals = [0] * len(TAGS)
        for feature in features(words, index, self.usual):
            row = self.weights.get(feature)
            if row:
                for tag, value in row.items():
                    totals[tag] += value
        return TAGS[totals.index(max(totals))]


_PAIR = re.compile(r"([a-z])(-?\d+)")
