"""Blocks to segments: one sentence each, short neighbours joined, over-long sentences cut."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace

from voice.script.model import Block, BlockKind, Span
from voice.script.sentences import split_sentences

MAX_CHARACTERS = 350
"""A sentence longer than this is cut at a clause."""
TARGET_CHARACTERS = 240
"""Length of the parts of a cut sentence, if there is a choice."""
SHORT_CHARACTERS = 16
"""A sentence shorter than this is joined with its neighbour in the paragraph."""
JOINED_CHARACTERS = 200

_STRONG = re.compile(r"[;:—–][”’\"')]*\s*|[!?…][”’\"')]*\s+")
_WEAK = re.compile(
    r",[”’\"')]*\s+(?=(?:and|but|or|nor|for|so|yet|which|who|whom|whose|that|while|when|where|"
    r"because|since|although|though|if|as|until|unless|before|after|with|without|und|aber|oder|"
    r"et|mais|ou|qui|que|y|pero|o|e|ma|che)\b)"
)
_COMMA = re.compile(r",[”’\"')]*\s+|\)\s+")
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a block that becomes one segment.

    Attributes
    ----------
    start, end
        In the block's text.
    voice
        Role or voice by markup or cast, else None.
    ending
        ``"sentence"``, ``"clause"`` (an over-long sentence goes on) or ``"turn"`` (the voice
        changes inside the sentence).
    pause
        Extra seconds asked for by markup.
    """

    start: int
    end: int
    voice: str | None = None
    ending: str = "sentence"
    pause: float = 0.0


def pieces_of(block: Block, language: str) -> list[Piece]:
    """Cut a block into pieces; together they hold all of its text but the space between."""
    text = block.text
    whole_line = block.kind in {BlockKind.HEADING, BlockKind.VERSE}
    if whole_line:
        sentences = [(0, len(text))] if text.strip() else []
    else:
        sentences = split_sentences(text, language)
    pieces = _at_turns(text, sentences, block.spans)
    pieces = _join_mute(text, pieces)
    if not whole_line:
        pieces = _join_short(text, pieces)
    return [part for piece in pieces for part in _cut_long(text, piece)]


def _at_turns(
    text: str, sentences: Sequence[tuple[int, int]], spans: Sequence[Span]
) -> list[Piece]:
    """Cut sentences where the voice changes or a pause is asked for."""
    cuts: list[tuple[int, float]] = []
    voices: list[tuple[int, str | None]] = []
    position = 0
    for index, span in enumerate(spans):
        if not voices or voices[-1][1] != span.voice:
            voices.append((position, span.voice))
            if position:
                cuts.append((position, 0.0))
        position += len(span.text)
        if span.pause and (index < len(spans) - 1 or span.text):
            cuts.append((position, span.pause))
    starts = [start for start, _ in voices]
    pieces: list[Piece] = []
    queue = list(reversed(cuts))
    for start, end in sentences:
        at = start
        while queue and queue[-1][0] <= at:
            _, pause = queue.pop()
            if pause and pieces:
                pieces[-1] = replace(pieces[-1], pause=pieces[-1].pause + pause)
        while queue and queue[-1][0] < end:
            cut, pause = queue.pop()
            if cut > at and text[at:cut].strip():
                voice = voices[bisect_right(starts, at) - 1][1]
                pieces.append(_trim(text, Piece(at, cut, voice, "turn", pause)))
                at = cut
            elif pause and pieces:
                pieces[-1] = replace(pieces[-1], pause=pieces[-1].pause + pause)
        if text[at:end].strip():
            voice = voices[bisect_right(starts, at) - 1][1] if voices else None
            pieces.append(_trim(text, Piece(at, end, voice)))
    for _, pause in reversed(queue):
        if pause and pieces:
            pieces[-1] = replace(pieces[-1], pause=pieces[-1].pause + pause)
    return pieces


def _trim(text: str, piece: Piece) -> Piece:
    start, end = piece.start, piece.end
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return replace(piece, start=start, end=end)


def _says_something(text: str, piece: Piece) -> bool:
    return any(text[at].isalnum() for at in range(piece.start, piece.end))


def _join_mute(text: str, pieces: list[Piece]) -> list[Piece]:
    """Join pieces of mere punctuation ("…”") to the one before, or after at the start."""
    result: list[Piece] = []
    lead: Piece | None = None
    for piece in pieces:
        if not _says_something(text, piece):
            if result:
                last = result[-1]
                result[-1] = replace(
                    last, end=piece.end, ending=piece.ending, pause=last.pause + piece.pause
                )
            else:
                lead = piece if lead is None else replace(lead, end=piece.end)
            continue
        if lead is not None:
            piece = replace(piece, start=lead.start)
            lead = None
        result.append(piece)
    return result


def _join_short(text: str, pieces: list[Piece]) -> list[Piece]:
    """Join very short sentences with a neighbour: voices read "No. No!" better in company."""
    result: list[Piece] = []
    for index, piece in enumerate(pieces):
        if result and _may_join(result[-1], piece, last=index == len(pieces) - 1):
            result[-1] = replace(result[-1], end=piece.end, ending=piece.ending, pause=piece.pause)
        else:
            result.append(piece)
    return result


def _may_join(left: Piece, right: Piece, *, last: bool) -> bool:
    if left.voice != right.voice or left.pause or left.ending != "sentence":
        return False
    short = left.end - left.start < SHORT_CHARACTERS
    short = short or (last and right.end - right.start < SHORT_CHARACTERS)
    return short and right.end - left.start <= JOINED_CHARACTERS


def _cut_long(text: str, piece: Piece) -> list[Piece]:
    """Cut an over-long sentence at clauses, else at commas, else at spaces."""
    if piece.end - piece.start <= MAX_CHARACTERS:
        return [piece]
    parts: list[Piece] = []
    start = piece.start
    while piece.end - start > MAX_CHARACTERS:
        cut = _best_cut(text, start, piece.end)
        part = _trim(text, replace(piece, start=start, end=cut, ending="clause", pause=0.0))
        parts.append(part)
        start = cut
        while start < piece.end and text[start].isspace():
            start += 1
    if start < piece.end:
        parts.append(replace(piece, start=start))
    elif parts:
        parts[-1] = replace(parts[-1], ending=piece.ending, pause=piece.pause)
    return _join_mute(text, parts) or parts


def _best_cut(text: str, start: int, end: int) -> int:
    """Return where to cut ``text[start:end]``, at most MAX_CHARACTERS from its start."""
    low, high = start + 60, start + MAX_CHARACTERS
    # Of a rest little longer than allowed, both halves should be worth saying.
    target = min(start + TARGET_CHARACTERS, (start + end) // 2 if end - start < 600 else high)
    for pattern in (_STRONG, _WEAK, _COMMA, _SPACE):
        cuts = [match.end() for match in pattern.finditer(text, low, high)]
        cuts = [cut for cut in cuts if cut < end - 20]
        if cuts:
            return min(cuts, key=lambda cut: abs(cut - target))
    cut = high
    while cut > start + 1 and _combines(text, cut):
        cut -= 1
    return cut


def _combines(text: str, cut: int) -> bool:
    """Say whether the character at `cut` belongs to the one before it."""
    import unicodedata

    return unicodedata.combining(text[cut]) != 0 or text[cut] == "\u200d"


class SpanIndex:
    """Cuts the spans of a block by positions in its text."""

    def __init__(self, spans: Sequence[Span]) -> None:
        self.spans = spans
        self.starts: list[int] = []
        position = 0
        for span in spans:
            self.starts.append(position)
            position += len(span.text)

    def cut(self, start: int, end: int) -> list[Span]:
        """Return the spans of ``text[start:end]``.

        A pronunciation stays with its text only if all of that is inside.
        """
        result: list[Span] = []
        index = max(0, bisect_right(self.starts, start) - 1)
        while index < len(self.spans) and self.starts[index] < end:
            span, at = self.spans[index], self.starts[index]
            low, high = max(0, start - at), min(len(span.text), end - at)
            if high > low:
                text = span.text[low:high]
                whole = text.strip() == span.text.strip()
                result.append(replace(span, text=text, phonemes=span.phonemes if whole else None))
            index += 1
        return result
