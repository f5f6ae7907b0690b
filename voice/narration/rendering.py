"""Every segment's sound into the cache, by the worker pool."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from consent.errors import InputError, VivavoceError
from voice.narration.cache import SegmentCache
from voice.narration.events import Listener, PhaseStarted, Progress
from voice.narration.job import Utterance
from voice.narration.pool import Outcome, Task, WorkerPool
from voice.narration.speech import SpeechStats, analyse

_LISTED = 8


@dataclass
class Renderings:
    """Which rendering of each segment is used, and the measurements of all there are.

    Attributes
    ----------
    chosen
        Segment id -> variation.
    stats
        Cache key -> measurements; a key is here if and only if its rendering is in the cache.
    rendered
        How many renderings this run made, and `speech_seconds` how long they are.
    """

    chosen: dict[str, int]
    stats: dict[str, SpeechStats] = field(default_factory=dict)
    rendered: int = 0
    speech_seconds: float = 0.0

    def key(self, utterance: Utterance) -> str:
        """Return the cache key of the rendering in use."""
        return utterance.key(self.chosen.get(utterance.id, 0))

    def of(self, utterance: Utterance) -> SpeechStats:
        """Return the measurements of the rendering in use."""
        return self.stats[self.key(utterance)]


class Meter:
    """Counts a phase and tells the listener."""

    def __init__(
        self, phase: str, total: int, listener: Listener, *, done: int = 0, weight: float = 0.0
    ) -> None:
        self.phase = phase
        self.total = total
        self.done = done
        self._weight = weight
        self._weight_done = 0.0
        self._audio = 0.0
        self._begin = time.monotonic()
        self._listener = listener
        listener(PhaseStarted(phase, total, done))

    @property
    def seconds(self) -> float:
        """Wall time since the phase began."""
        return time.monotonic() - self._begin

    def reach(self, done: float, *, title: str = "") -> None:
        """Go on to `done` units, if that is further; for phases counted in percent."""
        units = int(done) - self.done
        if units > 0:
            self.advance(units=units, weight=float(units), title=title)

    def advance(
        self,
        *,
        weight: float = 1.0,
        audio: float = 0.0,
        chapter: int = 0,
        title: str = "",
        segment: str = "",
        units: int = 1,
    ) -> None:
        """One more unit is done."""
        self.done += units
        self._weight_done += weight
        self._audio += audio
        left = None
        total = self._weight or float(self.total)
        if self._weight_done > 0.0:
            left = self.seconds / self._weight_done * max(0.0, total - self._weight_done)
        self._listener(
            Progress(
                phase=self.phase,
                done=self.done,
                total=self.total,
                chapter=chapter,
                chapter_title=title,
                segment=segment,
                audio_seconds=self._audio,
                wall_seconds=self.seconds,
                real_time_factor=self.seconds / self._audio if self._audio > 0.0 else None,
                seconds_left=left,
            )
        )


def look_up(utterances: Iterable[Utterance], renderings: Renderings, cache: SegmentCache) -> None:
    """Find what is in the cache, whole, and measure it.

    Every entry is decrypted, so that a damaged one is found now and not while assembling.
    """
    pairs = ((u, renderings.chosen.get(u.id, 0)) for u in utterances)
    look_up_variation(pairs, renderings, cache)


def look_up_variation(
    wanted: Iterable[tuple[Utterance, int]], renderings: Renderings, cache: SegmentCache
) -> None:
    """Do the same for certain variations."""
    for utterance, variation in wanted:
        key = utterance.key(variation)
        if key in renderings.stats:
            continue
        entry = cache.get(key)
        if entry is not None:
            renderings.stats[key] = analyse(*entry)


def render(
    wanted: Iterable[tuple[Utterance, int]],
    renderings: Renderings,
    pool: WorkerPool,
    *,
    phase: str,
    listener: Listener,
    titles: Mapping[int, str],
    check: Callable[[], None],
) -> float:
    """Render what is not in the cache.

    Parameters
    ----------
    wanted
        Segments with their variations. Equal sentences of a voice are rendered once.
    check
        Called before each segment is given out; the lease's.

    Returns
    -------
    float
        Wall seconds.

    Raises
    ------
    InputError
        A voice cannot speak some text; the message lists the segments.
    VivavoceError
        The engine, the disk or the workers failed.
    """
    missing: dict[str, tuple[Utterance, Task]] = {}
    sharing: Counter[str] = Counter()
    done = 0
    for utterance, variation in wanted:
        key = utterance.key(variation)
        if key in renderings.stats:
            done += 1
            continue
        sharing[key] += 1
        if key not in missing:
            missing[key] = utterance, utterance.task(variation)
    owners = {task.ident: utterance for utterance, task in missing.values()}
    tasks = [task for _, task in missing.values()]
    meter = Meter(
        phase,
        done + sharing.total(),
        listener,
        done=done,
        weight=float(sum(task.weight for task in tasks)),
    )
    refused: list[tuple[Utterance, VivavoceError]] = []

    def finished(outcome: Outcome) -> None:
        utterance = owners[outcome.task.ident]
        if isinstance(outcome.error, InputError):
            refused.append((utterance, outcome.error))
            return
        if outcome.error is not None:
            raise _located(outcome.error, utterance)
        key = outcome.task.message["key"]
        stats = SpeechStats.from_json(outcome.result)
        renderings.stats[key] = stats
        renderings.rendered += 1
        renderings.speech_seconds += stats.seconds
        meter.advance(
            units=sharing[key],
            weight=outcome.task.weight,
            audio=stats.seconds,
            chapter=utterance.chapter,
            title=titles.get(utterance.chapter, ""),
            segment=utterance.id,
        )

    for _ in pool.run(tasks, admit=lambda _task: check(), finished=finished):
        pass
    if refused:
        raise _refusal(refused)
    return meter.seconds


def _reading_order(identifier: str) -> list[tuple[bool, int, str]]:
    """Return a key that puts ``1.9`` before ``1.10``; ids of edited plans may hold any text."""
    parts = enumerate(re.split(r"([0-9]{1,9})", identifier))  # every other part is a number
    return [(bool(at % 2), int(part) if at % 2 else 0, part) for at, part in parts]


def _excerpt(text: str) -> str:
    joined = " ".join(text.split())
    return joined if len(joined) <= 60 else joined[:59] + "…"


def _located(error: VivavoceError, utterance: Utterance) -> VivavoceError:
    """Return the error with the segment named."""
    where = f"segment {utterance.id} ({_excerpt(utterance.segment.text)!r})"
    return type(error)(f"{where}: {error.message}", hint=error.hint)


def _refusal(refused: list[tuple[Utterance, VivavoceError]]) -> InputError:
    refused.sort(key=lambda pair: _reading_order(pair[0].id))
    lines = [
        f"  {utterance.id} {_excerpt(utterance.segment.text)!r}: {error.message}"
        for utterance, error in refused[:_LISTED]
    ]
    more = len(refused) - len(lines)
    if more > 0:
        lines.append(f"  and {more} more")
    count = len(refused)
    return InputError(
        f"{count} segment{'s' if count != 1 else ''} cannot be spoken:\n" + "\n".join(lines),
        hint=refused[0][1].hint
        or "Give these passages another voice (--cast), or edit them in a plan: "
        "vivavoce plan BOOK -o FILE. What is finished is kept.",
    )
