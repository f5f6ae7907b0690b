"""When everything is spoken, exact to the sample.

All positions are whole samples from the start of the file, so chapter marks and subtitles
cannot drift away from the audio, however long the book.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Span:
    """A segment's place: samples ``start`` to ``stop`` (exclusive)."""

    segment: str
    text: str
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class ChapterSpan:
    """A chapter's place, its head and tail silence included, and its segments."""

    number: int
    title: str
    start: int
    stop: int
    segments: tuple[Span, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Timeline:
    """The chapters of one audio file.

    Attributes
    ----------
    rate
        Samples per second.
    """

    rate: int
    chapters: tuple[ChapterSpan, ...]

    @property
    def samples(self) -> int:
        """Length of the file in samples."""
        return self.chapters[-1].stop if self.chapters else 0

    @property
    def seconds(self) -> float:
        """Length of the file in seconds."""
        return self.samples / self.rate

    def segments(self) -> Iterator[Span]:
        """Yield every segment in the order in which it is spoken."""
        for chapter in self.chapters:
            yield from chapter.segments


def join(rate: int, chapters: tuple[ChapterSpan, ...]) -> Timeline:
    """Lay chapters that each start at sample 0 one after the other."""
    placed = []
    offset = 0
    for chapter in chapters:
        shifted = tuple(
            Span(s.segment, s.text, s.start + offset, s.stop + offset) for s in chapter.segments
        )
        length = chapter.stop - chapter.start
        placed.append(ChapterSpan(chapter.number, chapter.title, offset, offset + length, shifted))
        offset += length
    return Timeline(rate, tuple(placed))
