"""What a running narration tells its display.

Every event is a small frozen dataclass; a display handles the kinds it knows and ignores the
rest. Events arrive in the thread that called :func:`voice.narration.narrate`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

#: The phases of a job in their order. ``repair`` appears only when a check rejected segments;
#: ``seal`` includes measuring what was sealed.
PHASES = ("prepare", "render", "check", "repair", "master", "seal")


@dataclass(frozen=True, slots=True)
class Event:
    """Base of all events."""


@dataclass(frozen=True, slots=True)
class PhaseStarted(Event):
    """A phase begins.

    Attributes
    ----------
    phase
        One of :data:`PHASES`.
    total
        Units of work in it: segments; chapters for ``master``; percent for ``seal``, 100 for
        each file.
    done
        Units that were found finished (from the cache or an earlier run).
    """

    phase: str
    total: int
    done: int = 0


@dataclass(frozen=True, slots=True)
class Progress(Event):
    """A unit of a phase is finished.

    Attributes
    ----------
    chapter, chapter_title
        The chapter the unit belongs to; 0 when it belongs to none.
    segment
        Segment id, or an empty string.
    audio_seconds
        Speech finished in this phase of this run, without what the cache held.
    wall_seconds
        Time since the phase began.
    real_time_factor
        ``wall_seconds / audio_seconds``: 0.1 means ten times faster than real time; None
        before anything is finished.
    seconds_left
        Estimate for the rest of the phase; None until one can be made.
    """

    phase: str
    done: int
    total: int
    chapter: int = 0
    chapter_title: str = ""
    segment: str = ""
    audio_seconds: float = 0.0
    wall_seconds: float = 0.0
    real_time_factor: float | None = None
    seconds_left: float | None = None


@dataclass(frozen=True, slots=True)
class SegmentRejected(Event):
    """The check heard something else than the text; the segment is rendered again."""

    segment: str
    reason: str
    variation: int


@dataclass(frozen=True, slots=True)
class OutputSealed(Event):
    """A finished file is at its place."""

    path: str
    output_id: str
    duration_s: float


@dataclass(frozen=True, slots=True)
class Notice(Event):
    """Something the user should know; also collected in the result's warnings."""

    message: str


Listener = Callable[[Event], None]


def silent(_event: Event) -> None:
    """Ignore the event."""
