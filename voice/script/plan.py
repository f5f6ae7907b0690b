"""From a book to a plan: voices, segments, pauses; and choosing chapters of a plan."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from consent.errors import InputError
from voice.script.cast import Cast
from voice.script.characters import primary
from voice.script.frontmatter import KINDS
from voice.script.lexicon import Lexicon
from voice.script.model import (
    Block,
    BlockKind,
    Book,
    BookChapter,
    Plan,
    PlanChapter,
    Segment,
    Skipped,
)
from voice.script.pauses import Pauses
from voice.script.segments import Piece, SpanIndex, pieces_of
from voice.script.speech import Speaker

NUMBERED_CHAPTER_WORDS = 500
"""A lone numeral is announced as "Chapter five" only in books whose chapters are this long."""


def make_plan(
    book: Book, *, narrator: str = "", cast: Cast | None = None, lexicon: Lexicon | None = None
) -> Plan:
    """Make the plan of a reading.

    Parameters
    ----------
    book
        As read by :func:`voice.script.read_book`.
    narrator
        Voice of everything that has no other; may be left out when the cast names one.
    cast
        Voices of chapters, roles and characters, and pauses.
    lexicon
        The user's pronunciations; they win over the book's own.

    Raises
    ------
    InputError
        No narrator, or nothing in the book can be spoken.
    """
    cast = cast or Cast()
    chosen = narrator or cast.narrator
    if not chosen:
        raise InputError(
            "no narrator's voice was given",
            hint="Name one with --voice, or write narrator = ... in the cast file.",
        )
    words = (lexicon or Lexicon()).over(book.lexicon)
    speaker = Speaker(book.language, words)
    total = sum(len(b.text.split()) for chapter in book.chapters for b in chapter.blocks)
    numbered = total >= NUMBERED_CHAPTER_WORDS * max(1, len(book.chapters))
    skipped = list(book.skipped)
    chapters: list[PlanChapter] = []
    cast.check_chapters(len(book.chapters))
    for number, chapter in enumerate(book.chapters, 1):
        builder = _ChapterBuilder(book, number, chapter, cast, speaker, numbered, skipped)
        segments = builder.build()
        if segments:
            chapters.append(PlanChapter(number, chapter.title, segments))
        else:
            skipped.append(Skipped(KINDS["empty"], chapter.title, "", 0, "empty"))
    if not chapters:
        raise InputError(
            f"{book.title}: nothing in it can be spoken in {book.language}",
            hint="Check the language of the book.",
        )
    return Plan(
        title=book.title,
        authors=book.authors,
        language=book.language,
        narrator=chosen,
        chapters=tuple(chapters),
        cast=cast.voices(),
        skipped=tuple(skipped),
        identifier=book.identifier,
        publisher=book.publisher,
        date=book.date,
        cover=book.cover,
        cover_type=book.cover_type,
        source_sha256=book.sha256,
    )


class _ChapterBuilder:
    def __init__(
        self,
        book: Book,
        number: int,
        chapter: BookChapter,
        cast: Cast,
        speaker: Speaker,
        numbered: bool,
        skipped: list[Skipped],
    ) -> None:
        self.book = book
        self.number = number
        self.chapter = chapter
        self.cast = cast
        self.speaker = speaker
        self.numbered = numbered and chapter.role in {"", "chapter", "bodymatter"}
        self.skipped = skipped
        self.segments: list[Segment] = []

    def build(self) -> tuple[Segment, ...]:
        blocks = self.cast.attribute(self.chapter.blocks)
        default = self.cast.chapter_voice(self.number)
        opening = True
        for index, block in enumerate(blocks):
            if block.kind is BlockKind.BREAK:
                self.lengthen(_break_pause(block, self.cast.pauses))
                continue
            after = next((b for b in blocks[index + 1 :] if b.kind is not BlockKind.BREAK), None)
            heading = block.kind is BlockKind.HEADING
            opens = opening and heading
            pause = _pause_between(block, after, opens, self.cast.pauses)
            self.add_block(block, pause, default, announce=opens and not self.segments)
            opening = opening and heading
        return tuple(self.segments)

    def add_block(self, block: Block, pause: float, default: str | None, *, announce: bool) -> None:
        text = block.text
        index = SpanIndex(block.spans)
        pieces = pieces_of(block, self.book.language)
        made = False
        for position, piece in enumerate(pieces):
            after = pause if position == len(pieces) - 1 else _inner_pause(piece, self.cast.pauses)
            made = self.add_piece(block, text, index, piece, after, default, announce) or made
        if not made:
            self.lengthen(pause)

    def add_piece(
        self,
        block: Block,
        text: str,
        index: SpanIndex,
        piece: Piece,
        pause: float,
        default: str | None,
        announce: bool,
    ) -> bool:
        spans = index.cut(piece.start, piece.end)
        languages = {span.language for span in spans if span.text.strip()}
        language = languages.pop() if len(languages) == 1 else None
        if language is not None and primary(language) == primary(self.book.language):
            language = None
        spoken = self.speaker.speak(
            spans,
            language=language,
            heading=block.kind is BlockKind.HEADING,
            opens_chapter=announce and self.numbered,
        )
        where = f"chapter {self.number}, {self.chapter.title}"
        for run in spoken.dropped:
            words = max(1, len(run.split()))
            self.skipped.append(
                Skipped(KINDS["unspeakable"], where, run[:80], words, "unspeakable")
            )
        if not spoken.text:
            self.lengthen(pause)
            return False
        # A voice reads foreign words as its own language's, unless one was cast for them.
        polyglot = self.cast.language_voice(language) if language and not piece.voice else None
        voice = piece.voice or polyglot or default
        self.segments.append(
            Segment(
                id=f"{self.number}.{len(self.segments) + 1}",
                kind=block.kind,
                text=text[piece.start : piece.end],
                spoken=spoken.text,
                language=(language if polyglot else None) or self.book.language,
                voice=voice,
                pause_after=round(pause + piece.pause, 3),
                speed=self.cast.speed_of(voice),
            )
        )
        return True

    def lengthen(self, pause: float) -> None:
        """Make the last pause at least this long."""
        if self.segments and self.segments[-1].pause_after < pause:
            self.segments[-1] = replace(self.segments[-1], pause_after=pause)


def _break_pause(block: Block, pauses: Pauses) -> float:
    asked = sum(span.pause for span in block.spans)
    if asked:
        return asked
    return pauses.section if block.level == 0 else pauses.silence


def _inner_pause(piece: Piece, pauses: Pauses) -> float:
    if piece.ending == "clause":
        return pauses.clause
    return pauses.turn if piece.ending == "turn" else pauses.sentence


def _pause_between(block: Block, after: Block | None, opens: bool, pauses: Pauses) -> float:
    """Return the silence between two blocks, by what they are."""
    if after is None:
        return pauses.chapter_end
    if block.kind is BlockKind.HEADING:
        more = after.kind is BlockKind.HEADING
        return pauses.chapter_heading if opens and not more else pauses.heading
    base = {
        BlockKind.PARAGRAPH: pauses.paragraph,
        BlockKind.QUOTE: pauses.paragraph if after.kind is BlockKind.QUOTE else pauses.quote,
        BlockKind.LIST_ITEM: pauses.list_item,
        BlockKind.VERSE: _verse_pause(block, pauses),
        BlockKind.BREAK: pauses.section,
    }[block.kind]
    if after.kind is BlockKind.HEADING:
        return max(base, pauses.before_heading)
    if block.kind is BlockKind.VERSE and after.kind is not BlockKind.VERSE:
        return max(base, pauses.stanza)
    if after.kind in {BlockKind.QUOTE, BlockKind.VERSE} and after.kind is not block.kind:
        return max(base, pauses.quote)
    return base


def _verse_pause(block: Block, pauses: Pauses) -> float:
    if block.level:
        return pauses.stanza
    ends = block.text.rstrip(" \"'”’)")[-1:]
    # A line that runs on into the next is only just set off from it.
    return pauses.verse_line if ends in ".,;:!?…—–" else pauses.verse_line / 2


_CHOICE = re.compile(r"(?P<first>\d*)\s*(?P<dash>-|–)?\s*(?P<last>\d*)")


def select_chapters(plan: Plan, chapters: str) -> Plan:
    """Return the plan with only some of its chapters.

    Parameters
    ----------
    chapters
        Numbers and ranges, as in ``"1-3,7"``, ``"5-"`` or ``"-2"``.

    Raises
    ------
    InputError
        The choice is not of that form or names a chapter that does not exist.
    """
    numbers = [chapter.number for chapter in plan.chapters]
    wanted = parse_choice(chapters, numbers)
    return replace(
        plan, chapters=tuple(chapter for chapter in plan.chapters if chapter.number in wanted)
    )


def parse_choice(choice: str, numbers: Sequence[int]) -> set[int]:
    """Return the chapter numbers a choice such as ``"1-3,7"`` names; see select_chapters."""
    wanted: set[int] = set()
    lowest, highest = min(numbers), max(numbers)
    for part in choice.split(","):
        match = _CHOICE.fullmatch(part.strip())
        if match is None or not (match["first"] or match["last"]):
            raise InputError(
                f"chapters: {part.strip()!r} is not a chapter or a range of chapters",
                hint='Write numbers and ranges like "1-3,7".',
            )
        first = int(match["first"] or lowest)
        last = int(match["last"] or highest) if match["dash"] else first
        found = {number for number in numbers if first <= number <= last}
        if not found or first not in numbers or (match["last"] and last not in numbers):
            raise InputError(
                f"chapters: there is no chapter {part.strip()}",
                hint=f"The chapters are {lowest} to {highest}; see vivavoce plan.",
            )
        wanted |= found
    return wanted
