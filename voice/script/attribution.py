"""Whose words are these? Attribute quoted speech, conservatively.

A paragraph's quotations go to a character only when the words outside them say so: "said X" or
"X said" beside a quotation, with X an alias of exactly one character. In doubt the narrator
reads.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from voice.script.model import Block, BlockKind, Span
from voice.script.sentences import RULES

_QUOTED = re.compile(r"“[^“”]*(?:”|$)|\"[^\"]*(?:\"|$)")
_SINGLE = re.compile(r"(?:(?<=^)|(?<=[\s(—–]))‘(?:[^‘’]|’(?=\w))*(?:’(?!\w)|$)")
_SENTENCE_END = re.compile(r"(?:(?<!Mr)(?<!Mrs)(?<!Ms)(?<!Dr)\.|[!?])\s+(?=[A-Z“\"])")
_NEAR = 60
"""Characters beside a quotation in which its speaker must be named."""

_VERBS = "|".join(sorted(RULES["en"].sayings - {"put", "thought", "went"}, key=len, reverse=True))
_TITLE = r"(?:(?:Mr|Mrs|Ms|Miss|Dr|Sir|Lady|Lord|Mister|Professor|Captain|Colonel)\.?\s+)?"


@dataclass(frozen=True)
class Attributor:
    """Attributes quotations to characters.

    Parameters
    ----------
    aliases
        Name in the text -> character.
    """

    aliases: Mapping[str, str]

    def attribute(self, blocks: Sequence[Block]) -> list[Block]:
        """Return the blocks with the voices of attributed quotations set."""
        single = _single_quoted(blocks)
        pattern = self._pattern()
        result: list[Block] = []
        open_speaker: str | None = None
        for block in blocks:
            if block.kind not in {BlockKind.PARAGRAPH, BlockKind.QUOTE}:
                result.append(block)
                open_speaker = None
                continue
            text = block.text
            quotes = [m.span() for m in (_SINGLE if single else _QUOTED).finditer(text)]
            carried = open_speaker if quotes and quotes[0][0] == 0 else None
            speaker = self._speaker(text, quotes, pattern) or carried
            if speaker is None:
                result.append(block)
                open_speaker = None
                continue
            result.append(_voiced(block, quotes, speaker))
            closed = text[quotes[-1][1] - 1] in '”"’' and quotes[-1][1] - quotes[-1][0] > 1
            open_speaker = speaker if quotes[-1][1] == len(text) and not closed else None
        return result

    def _pattern(self) -> re.Pattern[str]:
        names = "|".join(re.escape(a) for a in sorted(self.aliases, key=len, reverse=True))
        name = rf"{_TITLE}(?:{names})"
        return re.compile(
            rf"\b(?:{_VERBS})\s+(?P<after>{name})\b(?!['’])|(?<![\w’'])(?P<before>{name})\s+"
            rf"(?:\w+ly\s+)?(?:{_VERBS})\b"
        )

    def _speaker(
        self, text: str, quotes: Sequence[tuple[int, int]], pattern: re.Pattern[str]
    ) -> str | None:
        """Return the one character named as speaker beside the quotations, or None."""
        found: set[str] = set()
        for index, (start, end) in enumerate(quotes):
            before = quotes[index - 1][1] if index else 0
            after = quotes[index + 1][0] if index + 1 < len(quotes) else len(text)
            left = text[max(before, start - _NEAR) : start]
            right = text[end : min(after, end + _NEAR)]
            if re.search(r"[.!?]\s*$", left):
                left = ""  # a finished sentence in front tells of someone else
            for near in (left, _SENTENCE_END.split(right, maxsplit=1)[0]):
                for match in pattern.finditer(near):
                    found.add(self._character(match["after"] or match["before"]))
        return found.pop() if len(found) == 1 else None

    def _character(self, named: str) -> str:
        if named in self.aliases:
            return self.aliases[named]
        bare = re.sub(f"^{_TITLE}", "", named)
        return self.aliases[bare]


def _single_quoted(blocks: Sequence[Block]) -> bool:
    """Say whether the book sets speech in single quotation marks."""
    double = single = 0
    for block in blocks:
        text = block.text
        double += text.startswith(("“", '"'))
        single += text.startswith("‘")
    return single > double


def _voiced(block: Block, quotes: Sequence[tuple[int, int]], speaker: str) -> Block:
    """Set the voice of the quoted stretches; markup that names a voice already wins."""
    spans: list[Span] = []
    position = 0
    queue = list(reversed(quotes))
    for span in block.spans:
        start, end = position, position + len(span.text)
        position = end
        if span.voice is not None or span.phonemes is not None:
            inside = any(a <= start < b for a, b in quotes)
            spans.append(replace(span, voice=span.voice or (speaker if inside else None)))
            continue
        at = start
        while at < end:
            while queue and queue[-1][1] <= at:
                queue.pop()
            if queue and queue[-1][0] <= at:
                stop, voice = min(end, queue[-1][1]), speaker
            else:
                stop, voice = min(end, queue[-1][0]) if queue else end, None
            last = stop == end
            piece = replace(span, text=span.text[at - start : stop - start], voice=voice)
            spans.append(piece if last else replace(piece, pause=0.0))
            at = stop
    return replace(block, spans=tuple(spans))
