"""Cutting long text into pieces that a model speaks well in one breath."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

_UNIT = re.compile(r"(?:\[[^\]\[]*\]\([^()]*\)|\S)+")
_SENTENCE = re.compile(r"[.!?…]+[\"'”’»)\]]*$")
_CLAUSE = re.compile(r"[,;:—–]+[\"'”’»)\]]*$")
_ABBREVIATION = re.compile(
    r"^[\"'“‘«(\[]*(?:[A-Z]|Mr|Mrs|Ms|Dr|St|Prof|Rev|Hon|Capt|Col|Gen|Lt|Sgt|No|vs|etc)\.$"
)


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of text and the silence after it.

    Attributes
    ----------
    pause
        In seconds; 0 after the last piece.
    """

    text: str
    pause: float


def split(text: str, largest: int) -> list[Piece]:
    """Cut `text` at sentence ends, then at clause marks, then between words.

    Text up to `largest` characters stays whole. Inline pronunciations are never cut. A single
    word longer than `largest` stays whole, too.

    Parameters
    ----------
    largest
        In characters.
    """
    text = " ".join(text.split())
    if not text:
        return []
    if len(text) <= largest:
        return [Piece(text, 0.0)]
    pieces: list[Piece] = []
    for sentence in _groups(text, _ends_sentence):
        if len(sentence) <= largest:
            pieces.append(Piece(sentence, 0.2))
            continue
        for clause in _packed(_groups(sentence, _ends_clause), largest):
            if len(clause) <= largest:
                pieces.append(Piece(clause, 0.1))
            else:
                words = _UNIT.findall(clause)
                pieces += [Piece(part, 0.0) for part in _packed(words, largest)]
                pieces[-1] = Piece(pieces[-1].text, 0.1)
        pieces[-1] = Piece(pieces[-1].text, 0.2)
    pieces[-1] = Piece(pieces[-1].text, 0.0)
    return pieces


def _ends_sentence(unit: str) -> bool:
    return bool(_SENTENCE.search(unit)) and not _ABBREVIATION.match(unit)


def _ends_clause(unit: str) -> bool:
    return bool(_CLAUSE.search(unit))


def _groups(text: str, ends: Callable[[str], bool]) -> list[str]:
    groups: list[str] = []
    current: list[str] = []
    for unit in _UNIT.findall(text):
        current.append(unit)
        if ends(unit):
            groups.append(" ".join(current))
            current = []
    if current:
        groups.append(" ".join(current))
    return groups


def _packed(parts: list[str], largest: int) -> list[str]:
    """Join neighbours while they fit, the parts staying about equally long."""
    total = sum(len(part) + 1 for part in parts)
    wanted = min(largest, -(-total // -(-total // largest)) + largest // 8)
    packed: list[str] = []
    for part in parts:
        if packed and len(packed[-1]) + 1 + len(part) <= wanted:
            packed[-1] += " " + part
        else:
            packed.append(part)
    return packed
