"""The live display of a narration: phase, chapter, segment, real-time factor, time left.

On a terminal one bar per phase; otherwise (a log file, CI) a line at the start and end of a phase
and one every half minute.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from cli.output import duration, note, shown, stderr, warn

if TYPE_CHECKING:
    from voice.narration import events

WORDS = {
    "prepare": "preparing",
    "render": "speaking",
    "check": "listening",
    "repair": "repairing",
    "master": "mastering",
    "seal": "sealing",
    "measure": "measuring",
}
LINE_EVERY_S = 30.0


@contextmanager
def display(*, quiet: bool = False) -> Iterator[events.Listener]:
    """Yield a listener for :func:`voice.narration.narrate`; warnings are shown in any case."""
    if quiet:
        yield _remark
    elif stderr.is_terminal:
        with _Bars() as bars:
            yield bars.on_event
    else:
        yield _Lines().on_event


def _state(event: events.Progress) -> str:
    parts = []
    if event.chapter:
        parts.append(f"chapter {event.chapter} {event.chapter_title}".strip()[:44])
    if event.real_time_factor:
        parts.append(f"{1 / event.real_time_factor:.1f}x real time")
    if event.seconds_left is not None:
        parts.append(f"{duration(event.seconds_left)} left")
    return ", ".join(parts)


class _Bars:
    """Bars for a terminal."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description:<10}"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TextColumn("{task.fields[state]}"),
            console=stderr,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> _Bars:
        self._progress.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._progress.stop()

    def on_event(self, event: events.Event) -> None:
        from voice.narration import events as kinds

        if isinstance(event, kinds.PhaseStarted):
            words = WORDS.get(event.phase, event.phase)
            if event.phase in self._tasks:
                self._progress.reset(
                    self._tasks[event.phase], total=event.total, completed=event.done
                )
            elif event.total:
                self._tasks[event.phase] = self._progress.add_task(
                    words, total=event.total, completed=event.done, state=""
                )
        elif isinstance(event, kinds.Progress) and event.phase in self._tasks:
            self._progress.update(
                self._tasks[event.phase],
                completed=event.done,
                total=event.total,
                state=shown(_state(event)),
            )
        else:
            _remark(event)


class _Lines:
    """Lines for everything that is not a terminal."""

    def __init__(self) -> None:
        self._last = 0.0

    def on_event(self, event: events.Event) -> None:
        from voice.narration import events as kinds

        now = time.monotonic()
        if isinstance(event, kinds.PhaseStarted):
            if event.phase == "seal":
                note(WORDS[event.phase])  # counted in percent, of no use in a log
            elif event.total:
                kept = f", {event.done} kept from before" if event.done else ""
                note(f"{WORDS.get(event.phase, event.phase)}: {event.total}{kept}")
            self._last = now
        elif isinstance(event, kinds.Progress):
            if now - self._last >= LINE_EVERY_S:
                note(f"  {event.done}/{event.total} {_state(event)}")
                self._last = now
        else:
            _remark(event)


def _remark(event: events.Event) -> None:
    from voice.narration import events as kinds

    if isinstance(event, kinds.SegmentRejected):
        note(f"  segment {event.segment} is spoken again: {event.reason}")
    elif isinstance(event, kinds.Notice):
        warn(event.message)
