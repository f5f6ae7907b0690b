"""How long a reading will be, and how long it takes to make."""

from __future__ import annotations

from dataclasses import dataclass

from voice.script.model import Plan, PlanChapter

WORDS_PER_MINUTE = 165.0
"""Pace of speech without the pauses, which are counted apart."""


@dataclass(frozen=True, slots=True)
class ChapterEstimate:
    """One chapter: `words` and `characters` as spoken, `minutes` of finished audio."""

    number: int
    title: str
    segments: int
    words: int
    characters: int
    minutes: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """A whole plan.

    Attributes
    ----------
    minutes
        Of finished audio.
    render_minutes
        Of waiting, if a real-time factor was given.
    """

    chapters: tuple[ChapterEstimate, ...]
    words: int
    characters: int
    minutes: float
    render_minutes: float | None


def estimate(
    plan: Plan,
    *,
    words_per_minute: float = WORDS_PER_MINUTE,
    rtf: float | None = None,
    workers: int = 1,
) -> Estimate:
    """Estimate length and cost of a plan.

    Parameters
    ----------
    words_per_minute
        Pace of the voice without pauses.
    rtf
        Measured real-time factor of the engine: seconds of work per second of speech, per
        worker.
    workers
        How many workers render at once.
    """
    chapters = tuple(_chapter(chapter, words_per_minute) for chapter in plan.chapters)
    speech = sum(_speech_minutes(chapter, words_per_minute) for chapter in plan.chapters)
    return Estimate(
        chapters=chapters,
        words=sum(chapter.words for chapter in chapters),
        characters=sum(chapter.characters for chapter in chapters),
        minutes=sum(chapter.minutes for chapter in chapters),
        render_minutes=None if rtf is None else speech * rtf / max(1, workers),
    )


def _speech_minutes(chapter: PlanChapter, words_per_minute: float) -> float:
    return sum(
        len(segment.spoken.split()) / words_per_minute / segment.speed
        for segment in chapter.segments
    )


def _chapter(chapter: PlanChapter, words_per_minute: float) -> ChapterEstimate:
    pauses = sum(segment.pause_after for segment in chapter.segments) / 60
    return ChapterEstimate(
        number=chapter.number,
        title=chapter.title,
        segments=len(chapter.segments),
        words=chapter.words,
        characters=sum(len(segment.spoken) for segment in chapter.segments),
        minutes=_speech_minutes(chapter, words_per_minute) + pauses,
    )
