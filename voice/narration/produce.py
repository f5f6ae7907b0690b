"""The second half of a job: master the chapters, seal the files, measure what was sealed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from voice.narration import publish
from voice.narration.assemble import ChapterTrack
from voice.narration.cache import SegmentCache
from voice.narration.events import Listener, OutputSealed
from voice.narration.job import Job
from voice.narration.master import MasteredChapter, set_gains
from voice.narration.rendering import Meter, Renderings
from voice.narration.result import OutputReport
from voice.narration.state import JobState
from voice.narration.subtitles import write_subtitles

if TYPE_CHECKING:
    from consent.home import Home
    from consent.registry import Lease, Registry
    from provenance.seal import SealedOutput

#: Where each step of sealing begins, and how long it is, in percent.
_SEAL_STEPS = {
    "prove": (0, 45),
    "encode": (45, 45),
    "check": (90, 5),
    "sign": (95, 4),
    "publish": (99, 1),
}


def _percent(step: str, done: float) -> float:
    begin, length = _SEAL_STEPS.get(step, (0, 0))
    return begin + length * done


@dataclass(frozen=True)
class Options:
    """How the files are to be made; see :func:`voice.narration.narrate`."""

    bitrate: int | None
    require_watermark: bool
    overwrite: bool
    subtitles: tuple[str, ...]


@dataclass(frozen=True)
class Producer:
    """Makes the files of a job whose segments are all rendered.

    Attributes
    ----------
    timed
        Context manager that takes the time of a phase.
    """

    home: Home
    registry: Registry
    job: Job
    renderings: Renderings
    cache: SegmentCache
    state: JobState
    lease: Lease
    options: Options
    tell: Listener
    warn: Callable[[str], None]
    timed: Callable[[str], AbstractContextManager[None]]

    def produce(
        self, files: Sequence[publish.Target]
    ) -> tuple[tuple[OutputReport, ...], dict[str, tuple[str, float]]]:
        """Make the files.

        Returns
        -------
        outputs, places
            The reports, and segment id -> (file name, seconds from its start).
        """
        from provenance.audio.containers import container

        kind = container(files[0].container)
        rate = kind.output_rate(publish.natural_rate(self.renderings))
        with self.timed("master"):
            pairs = self._mastered(rate)
        outputs = []
        places: dict[str, tuple[str, float]] = {}
        sealing = Meter("seal", 100 * len(files), self.tell)
        for place, target in enumerate(files):

            def reached(percent: float, place: int = place, title: str = target.title) -> None:
                self.lease.check()
                sealing.reach(100 * place + percent, title=title)

            chosen = [pairs[chapter.number] for chapter in target.chapters]
            work = publish.Sealing(
                self.job,
                target,
                self.renderings,
                [track for track, _ in chosen],
                [chapter for _, chapter in chosen],
                bitrate=self.options.bitrate,
            )
            with self.timed("seal"):
                sealed, salt = self._seal(work, reached)
            reached(100.0)
            with self.timed("measure"):
                report = OutputReport(
                    sealed,
                    publish.measure(sealed.path, work.timeline),
                    write_subtitles(work.timeline, sealed.path, self.options.subtitles),
                    salt,
                )
            for problem in report.problems:
                self.warn(f"{target.path.name}: {problem}")
            for span in work.timeline.segments():
                places[span.segment] = target.path.name, span.start / work.timeline.rate
            outputs.append(report)
        return tuple(outputs), places

    def _mastered(self, rate: int) -> dict[int, tuple[ChapterTrack, MasteredChapter]]:
        studio = publish.Studio(self.job, self.renderings, self.cache, rate=rate)
        tracks = [studio.track(chapter) for chapter in self.job.plan.chapters]
        meter = Meter("master", len(tracks), self.tell)

        def measured(place: int) -> None:
            self.lease.check()
            meter.advance(chapter=tracks[place].number, title=tracks[place].title)

        mastered = set_gains([studio.mastered(track) for track in tracks], progress=measured)
        return {t.number: (t, m) for t, m in zip(tracks, mastered, strict=True)}

    def _seal(
        self, work: publish.Sealing, reached: Callable[[float], None]
    ) -> tuple[SealedOutput, str]:
        """Seal one file, unless an interrupted run of this job has published it already."""
        from provenance.seal import seal

        path = work.target.path.absolute()
        intent = self.state.outputs().get(str(path))
        if intent is not None and intent["content"] == work.content() and path.is_file():
            found = publish.adopt(path, intent, self.registry)
            if found is not None:
                return found, intent["salt"]
        work.prove(self.home, progress=lambda done: reached(_percent("prove", done)))
        intent = work.intent()
        self.state.remember_output(path, intent)
        sealed = seal(
            work.request(
                self.lease.authorization.id,
                intent["text"],
                require_watermark=self.options.require_watermark,
                overwrite=self.options.overwrite,
            ),
            registry=self.registry,
            home=self.home,
            progress=lambda step, done: reached(_percent(step, done)),
        )
        for warning in sealed.warnings:
            self.warn(warning)
        self.tell(OutputSealed(str(sealed.path), sealed.output_id, sealed.duration_s))
        return sealed, intent["salt"]
