"""The data of a script: a book as read, and the plan of what will be spoken.

``Book`` is what the readers produce (structure, as written). ``Plan`` is what narration takes:
chapters of segments, each one sentence with the words to speak, a voice and a pause. A plan
can be exported, edited by hand and fed back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class BlockKind(StrEnum):
    """What a block of text is on the page."""

    HEADING = "heading"
    PARAGRAPH = "paragraph"
    QUOTE = "quote"
    VERSE = "verse"
    LIST_ITEM = "list-item"
    BREAK = "break"


@dataclass(frozen=True, slots=True)
class Span:
    """A run of text with one set of properties; a block is a sequence of spans.

    Attributes
    ----------
    text
        As written.
    emphasis
        0 none, 1 emphasis, 2 strong.
    language
        BCP 47 tag where it differs from the book's, else None.
    phonemes
        IPA to speak instead of `text`, else None (SSML ``ssml:ph``, PLS).
    voice
        Role or voice named by markup, else None.
    pause
        Seconds of silence to add after the span, by markup.
    """

    text: str
    emphasis: int = 0
    language: str | None = None
    phonemes: str | None = None
    voice: str | None = None
    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class Block:
    """A heading, paragraph, stanza line, list item or section break."""

    kind: BlockKind
    spans: tuple[Span, ...] = ()
    level: int = 0

    @property
    def text(self) -> str:
        """The block's text as written."""
        return "".join(span.text for span in self.spans)


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something of the book that is not read aloud.

    Attributes
    ----------
    what
        ``"front matter"``, ``"contents"``, ``"colophon"``, ``"footnote"``, ``"page number"``, ...
    where
        File and place inside the book.
    excerpt
        The first words.
    words
        How many words it holds.
    key
        What ``--keep`` takes to put it back.
    """

    what: str
    where: str
    excerpt: str
    words: int
    key: str


@dataclass(frozen=True, slots=True)
class BookChapter:
    """A chapter as read; `title` is the navigation document's or the heading's.

    Attributes
    ----------
    source
        Where in the book it starts (a file of the EPUB), else ``""``.
    role
        Its ``epub:type`` where that is known (``"chapter"``, ``"prologue"``), else ``""``.
    """

    title: str
    blocks: tuple[Block, ...]
    source: str = ""
    role: str = ""


@dataclass(frozen=True, slots=True)
class Book:
    """A book as read, in reading order."""

    title: str
    authors: tuple[str, ...]
    language: str
    chapters: tuple[BookChapter, ...]
    skipped: tuple[Skipped, ...] = ()
    identifier: str = ""
    publisher: str = ""
    date: str = ""
    cover: bytes | None = None
    cover_type: str = ""
    lexicon: Mapping[str, str] = field(default_factory=dict)
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Segment:
    """One sentence (or a part of an over-long one): the unit of rendering, cache and check.

    Attributes
    ----------
    id
        ``"<chapter>.<ordinal>"``, for instance ``"3.12"``; unique in the plan, 1-based.
    text
        As written.
    spoken
        What the engine is given: normalised, with inline pronunciations ``[word](/IPA/)``
        and stress ``[word](+1)``.
    voice
        Role or voice; None is the narrator.
    pause_after
        Seconds of silence after it.
    """

    id: str
    kind: BlockKind
    text: str
    spoken: str
    language: str
    voice: str | None = None
    pause_after: float = 0.0
    speed: float = 1.0


@dataclass(frozen=True, slots=True)
class PlanChapter:
    """A chapter to speak; `number` is 1-based in the order of the book."""

    number: int
    title: str
    segments: tuple[Segment, ...]

    @property
    def words(self) -> int:
        """Words as spoken."""
        return sum(len(segment.spoken.split()) for segment in self.segments)


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be spoken, by whom, with which pauses.

    Attributes
    ----------
    narrator
        Voice of every segment without a role.
    cast
        Role -> voice name.
    """

    title: str
    authors: tuple[str, ...]
    language: str
    narrator: str
    chapters: tuple[PlanChapter, ...]
    cast: Mapping[str, str] = field(default_factory=dict)
    skipped: tuple[Skipped, ...] = ()
    identifier: str = ""
    publisher: str = ""
    date: str = ""
    cover: bytes | None = None
    cover_type: str = ""
    source_sha256: str = ""

    def voice_of(self, segment: Segment) -> str:
        """Return the voice that speaks `segment`, its role resolved through the cast."""
        if segment.voice is None:
            return self.narrator
        return self.cast.get(segment.voice, segment.voice)

    @property
    def voices(self) -> tuple[str, ...]:
        """Every voice the plan uses, the narrator first."""
        seen = dict.fromkeys([self.narrator])
        for chapter in self.chapters:
            for segment in chapter.segments:
                seen.setdefault(self.voice_of(segment))
        return tuple(seen)
