"""Listen to what was rendered, and render again what is not as written.

The listening itself is :mod:`voice.narration.checks`; here it is spread over the workers, its
verdicts are remembered, and segments judged wrong get up to three other renderings. The best
one is used and reported.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from voice.narration.cache import SegmentCache
from voice.narration.events import Listener, SegmentRejected
from voice.narration.job import Job, Utterance
from voice.narration.pool import Outcome, Task, WorkerPool
from voice.narration.rendering import Meter, Renderings, look_up_variation, render
from voice.narration.result import CheckReport, SegmentDoubt
from voice.narration.state import JobState
from voice.script.model import BlockKind, Segment

if TYPE_CHECKING:
    from voice.narration.worker import Service

#: Renderings tried after the first one.
REPAIRS = 3
#: Audio given to the recogniser at once, gaps included; it costs the same up to 30 s.
_WINDOW_S = 26.0
_GAP_S = 0.5
#: Changes when verdicts of earlier versions can no longer be used.
_VERSION = 1
WRONG = ("missing", "repeated", "garbled")
#: A segment is implausible if its pace differs from the voice's own by more than this factor;
#: short ones vary more and are left alone.
_PACE_FACTOR = 2.2
_PACE_CHARACTERS = 25
#: Fewer segments than this do not tell a voice's pace.
_PACE_SEGMENTS = 5
_FAINT_DB = 15.0


def hear(service: Service, task: dict[str, Any]) -> list[dict[str, Any]]:
    """Check a window of segments (in a worker)."""
    from provenance.listening.asr import Transcriber
    from voice.narration.checks import check_segments

    listener = service.keep("transcriber", lambda: Transcriber.load(service.home, threads=1))
    items = []
    for item in task["items"]:
        entry = service.cache.get(item["key"])
        if entry is None:
            raise RuntimeError(f"segment {item['segment']['id']} is not in the cache")
        start, stop = item["used"]
        segment = Segment(**{**item["segment"], "kind": BlockKind(item["segment"]["kind"])})
        items.append((segment, entry[0][start:stop]))
    checks = check_segments(items, task["rate"], listener)
    return [{**check.to_json(), "words": check.expected_words} for check in checks]


class _Ear:
    """Gets verdicts on renderings, from memory or from the workers."""

    def __init__(
        self,
        renderings: Renderings,
        pool: WorkerPool,
        state: JobState,
        *,
        mode: str,
        listener: Listener,
        lease_check: Callable[[], None],
        titles: Mapping[int, str],
    ) -> None:
        self._renderings = renderings
        self._pool = pool
        self._state = state
        self._mode = mode
        self._listener = listener
        self._lease_check = lease_check
        self._titles = titles
        self._pace: dict[str, float] = {}
        self._level: dict[str, float] = {}
        self.verdicts: dict[str, dict[str, Any]] = {}

    def learn(self, utterances: Sequence[Utterance]) -> None:
        """Learn each voice's own pace and level: what is far from it is implausible."""
        pace: dict[str, list[float]] = {}
        level: dict[str, list[float]] = {}
        for utterance in utterances:
            stats = self._renderings.of(utterance)
            name = utterance.speaker.name
            if len(utterance.segment.spoken) >= _PACE_CHARACTERS and stats.samples:
                pace.setdefault(name, []).append(stats.seconds / utterance.seconds)
            if stats.active_samples:
                level.setdefault(name, []).append(stats.active_energy / stats.active_samples)
        self._pace = {
            name: statistics.median(values)
            for name, values in pace.items()
            if len(values) >= _PACE_SEGMENTS
        }
        self._level = {name: statistics.median(values) for name, values in level.items()}

    def judge(self, wanted: Iterable[tuple[Utterance, int]], *, phase: str) -> None:
        """Get a verdict on each of these renderings into :attr:`verdicts`."""
        pending: dict[str, tuple[Utterance, int]] = {}
        total = 0
        for utterance, variation in wanted:
            total += 1
            pending.setdefault(utterance.key(variation), (utterance, variation))
        remembered = self._state.verdicts(f"{self._mode}{_VERSION}:{key}" for key in pending)
        for name, verdict in remembered.items():
            key = name.partition(":")[2]
            self.verdicts[key] = verdict
            pending.pop(key)
        meter = Meter(phase, total, self._listener, done=total - len(pending))
        for key in [key for key, (u, _) in pending.items() if self._implausible(u, key)]:
            utterance, _ = pending.pop(key)
            self._settle(key, self._implausible(utterance, key) or {})
            self._advance(meter, [utterance])
        if self._mode == "fast":
            for key, (utterance, _) in pending.items():
                self._settle(key, _verdict("ok"))
                self._advance(meter, [utterance])
            return
        windows = {f"{phase} {i}": w for i, w in enumerate(self._windows(pending))}
        tasks = [
            Task(name, round(sum(self._seconds(key) for key, _ in window)), self._message(window))
            for name, window in windows.items()
        ]

        def finished(outcome: Outcome) -> None:
            if outcome.error is not None:
                raise outcome.error
            window = windows[outcome.task.ident]
            for (key, _), verdict in zip(window, outcome.result, strict=True):
                self._settle(key, verdict)
            self._advance(meter, [utterance for _, utterance in window])

        for _ in self._pool.run(tasks, admit=lambda _t: self._lease_check(), finished=finished):
            pass

    def _settle(self, key: str, verdict: dict[str, Any]) -> None:
        self.verdicts[key] = verdict
        self._state.remember_verdict(f"{self._mode}{_VERSION}:{key}", verdict)

    def _advance(self, meter: Meter, utterances: Sequence[Utterance]) -> None:
        last = utterances[-1]
        meter.advance(
            units=len(utterances),
            weight=float(len(utterances)),
            audio=sum(self._renderings.of(u).seconds for u in utterances),
            chapter=last.chapter,
            title=self._titles.get(last.chapter, ""),
            segment=last.id,
        )

    def _seconds(self, key: str) -> float:
        return self._renderings.stats[key].seconds

    def _implausible(self, utterance: Utterance, key: str) -> dict[str, Any] | None:
        """Judge by length and level alone; None if nothing is odd."""
        stats = self._renderings.stats[key]
        name = utterance.speaker.name
        if stats.samples == 0 or stats.active_samples == 0:
            return _verdict("missing", "There is no sound.")
        faint = self._level.get(name, 0.0) * 10 ** (-_FAINT_DB / 10)
        if stats.active_energy / stats.active_samples < faint:
            return _verdict("garbled", f"It is more than {_FAINT_DB:.0f} dB too faint.")
        if len(utterance.segment.spoken) < _PACE_CHARACTERS or name not in self._pace:
            return None
        pace = stats.seconds / utterance.seconds / self._pace[name]
        if pace < 1 / _PACE_FACTOR:
            return _verdict("missing", f"It is {1 / pace:.1f} times too short for its text.")
        if pace > _PACE_FACTOR:
            return _verdict("garbled", f"It is {pace:.1f} times too long for its text.")
        return None

    def _windows(
        self, pending: Mapping[str, tuple[Utterance, int]]
    ) -> Iterable[list[tuple[str, Utterance]]]:
        """Group neighbours of one language and sample rate up to a window's length."""
        window: list[tuple[str, Utterance]] = []
        size, kind = 0.0, None
        for key, (utterance, _) in pending.items():
            seconds = self._seconds(key) + _GAP_S
            own = (utterance.segment.language, self._renderings.stats[key].rate)
            if window and (own != kind or size + seconds > _WINDOW_S):
                yield window
                window, size = [], 0.0
            window.append((key, utterance))
            size, kind = size + seconds, own
        if window:
            yield window

    def _message(self, window: list[tuple[str, Utterance]]) -> dict[str, Any]:
        items = []
        for key, utterance in window:
            stats = self._renderings.stats[key]
            items.append(
                {
                    "key": key,
                    "segment": asdict(utterance.segment),
                    "used": [stats.start, stats.stop],
                }
            )
        rate = self._renderings.stats[window[0][0]].rate
        return {"do": f"{__name__}:hear", "items": items, "rate": rate}


def _verdict(verdict: str, detail: str = "") -> dict[str, Any]:
    rate = 0.0 if verdict == "ok" else 1.0
    return {
        "verdict": verdict,
        "detail": detail,
        "heard": "",
        "wer": rate,
        "tolerant_wer": rate,
        "words": 0,
    }


def listen(
    job: Job,
    renderings: Renderings,
    pool: WorkerPool,
    cache: SegmentCache,
    state: JobState,
    *,
    mode: str,
    listener: Listener,
    timed: Callable[[str], AbstractContextManager[None]],
    lease_check: Callable[[], None],
    titles: Mapping[int, str],
) -> CheckReport:
    """Check every segment, repair what is wrong, and choose the best renderings.

    Segments for which the user ordered a certain rendering are checked and not repaired.

    Parameters
    ----------
    mode
        ``"full"`` recognises the words; ``"fast"`` judges by length and level alone.
    timed
        Context manager that takes the time of a phase.
    """
    ear = _Ear(
        renderings,
        pool,
        state,
        mode=mode,
        listener=listener,
        lease_check=lease_check,
        titles=titles,
    )
    ordered = dict(renderings.chosen)
    with timed("check"):
        ear.learn(job.utterances)
        ear.judge([(u, ordered.get(u.id, 0)) for u in job.utterances], phase="check")
    wrong = [u for u in job.utterances if u.id not in ordered and _is_wrong(ear, u.key(0))]
    with timed("repair"):
        for variation in range(1, REPAIRS + 1):
            open_ = [u for u in wrong if all(_is_wrong(ear, u.key(v)) for v in range(variation))]
            if not open_:
                break
            for utterance in open_:
                reason = ear.verdicts[utterance.key(variation - 1)]["detail"]
                listener(SegmentRejected(utterance.id, reason, variation))
            pairs = [(utterance, variation) for utterance in open_]
            look_up_variation(pairs, renderings, cache)
            render(
                pairs,
                renderings,
                pool,
                phase="repair",
                listener=listener,
                titles=titles,
                check=lease_check,
            )
            ear.judge(pairs, phase="repair")
    for utterance in wrong:
        tried = [v for v in range(REPAIRS + 1) if utterance.key(v) in ear.verdicts]
        renderings.chosen[utterance.id] = min(tried, key=lambda v: _rank(ear, utterance.key(v), v))
    return _report(job, renderings, ear, ordered)


def _is_wrong(ear: _Ear, key: str) -> bool:
    verdict = ear.verdicts.get(key)
    return verdict is not None and verdict["verdict"] in WRONG


def _rank(ear: _Ear, key: str, variation: int) -> tuple[bool, float, float, int]:
    verdict = ear.verdicts[key]
    return verdict["verdict"] in WRONG, verdict["tolerant_wer"], verdict["wer"], variation


def _report(job: Job, renderings: Renderings, ear: _Ear, ordered: Mapping[str, int]) -> CheckReport:
    words = 0
    errors = tolerant = 0.0
    doubts: list[SegmentDoubt] = []
    repaired = []
    for utterance in job.utterances:
        verdict = ear.verdicts[renderings.key(utterance)]
        words += verdict["words"]
        errors += verdict["wer"] * verdict["words"]
        tolerant += verdict["tolerant_wer"] * verdict["words"]
        changed = renderings.chosen.get(utterance.id, 0) != 0 and utterance.id not in ordered
        if changed and verdict["verdict"] not in WRONG:
            repaired.append(utterance.id)
        if verdict["verdict"] != "ok":
            doubts.append(
                SegmentDoubt(
                    segment=utterance.id,
                    verdict=verdict["verdict"],
                    text=utterance.segment.text,
                    heard=verdict["heard"],
                    detail=verdict["detail"],
                )
            )
    return CheckReport(
        segments=len(job.utterances),
        words=words,
        word_error_rate=errors / words if words else None,
        tolerant_word_error_rate=tolerant / words if words else None,
        repaired=tuple(repaired),
        wrong=tuple(doubt for doubt in doubts if doubt.verdict in WRONG),
        unsure=tuple(doubt for doubt in doubts if doubt.verdict not in WRONG),
    )
