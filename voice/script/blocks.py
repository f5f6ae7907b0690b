"""Build blocks from runs of text: join, collapse spaces, recognise verse and ornaments."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from voice.script.characters import clean
from voice.script.model import Block, BlockKind, Span

LINE_BREAK = Span("\n")
"""Stands for ``<br>`` among the runs of a block."""

VERSE_MAX_LINE = 80
VERSE_MEAN_LINE = 60
"""Characters: a paragraph broken into lines no longer than this is read as verse."""

_ORNAMENT = re.compile(r"[*⁂•◆◇❦❧~#·✻✽∗＊†—–_=+.\-\s]{1,40}")


def is_ornament(text: str) -> bool:
    """Say whether a paragraph is a printer's ornament: ``* * *``, ``⁂``, ``---``."""
    stripped = text.strip()
    return bool(stripped) and bool(_ORNAMENT.fullmatch(stripped)) and stripped not in {".", "-"}


def tidy(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Clean the text of `spans`, collapse spaces across them and merge equal neighbours."""
    result: list[Span] = []
    space = True  # at the start, and after a space, another space is dropped
    for span in spans:
        text = clean(span.text)
        if space:
            text = text.lstrip(" ")
        if not text:
            if result and span.pause:
                result[-1] = replace(result[-1], pause=result[-1].pause + span.pause)
            continue
        space = text.endswith(" ")
        if result and _alike(result[-1], span):
            result[-1] = replace(result[-1], text=result[-1].text + text, pause=span.pause)
        else:
            result.append(replace(span, text=text))
    while result and not result[-1].text.strip():
        pause = result.pop().pause
        if result and pause:
            result[-1] = replace(result[-1], pause=result[-1].pause + pause)
    if result and result[-1].text.endswith(" "):
        result[-1] = replace(result[-1], text=result[-1].text.rstrip(" "))
    return tuple(result)


def _alike(left: Span, right: Span) -> bool:
    return (
        left.emphasis == right.emphasis
        and left.language == right.language
        and left.phonemes is None
        and right.phonemes is None
        and left.voice == right.voice
        and not left.pause
    )


def make_blocks(
    runs: Sequence[Span], kind: BlockKind, *, level: int = 0, verse: bool = False
) -> list[Block]:
    """Turn the runs of one paragraph into blocks.

    Usually that is one block. Line breaks make lines of verse, or several headings, where the
    lines are short; elsewhere they are spaces.
    """
    lines = [tidy(line) for line in _split_lines(runs)]
    lines = [line for line in lines if line]
    if not lines:
        return []
    if len(lines) > 1 and kind is BlockKind.HEADING:
        return [_block(kind, line, level) for line in lines]
    lengths = [sum(len(span.text) for span in line) for line in lines]
    short = max(lengths) <= VERSE_MAX_LINE and sum(lengths) / len(lengths) <= VERSE_MEAN_LINE
    if verse or (len(lines) > 1 and short and kind is not BlockKind.LIST_ITEM):
        made = [_block(BlockKind.VERSE, line, 0) for line in lines]
        if len(made) > 1 and made[-1].kind is BlockKind.VERSE:
            made[-1] = replace(made[-1], level=1)
        return made
    joined: list[Span] = []
    for line in lines:
        if joined:
            joined.append(Span(" "))
        joined.extend(line)
    return [_block(kind, tidy(joined), level)]


def _block(kind: BlockKind, spans: tuple[Span, ...], level: int) -> Block:
    text = "".join(span.text for span in spans)
    if not any(character.isalnum() for character in text):
        # Nothing to say: an ornament is a section break, "…" alone a short silence.
        ornament = is_ornament(text) and not set(text) <= set(" .…")
        return Block(BlockKind.BREAK, spans, level=0 if ornament else 1)
    return Block(kind, spans, level)


def _split_lines(runs: Sequence[Span]) -> list[list[Span]]:
    lines: list[list[Span]] = [[]]
    for run in runs:
        if run is LINE_BREAK:
            lines.append([])
        else:
            lines[-1].append(run)
    return lines
