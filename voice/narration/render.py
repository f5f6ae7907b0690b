"""Narrate a plan: the whole way from segments to sealed files.

The order: look at the destination, resolve voices, authorize (or take up the job that was
interrupted), render what the cache lacks, listen and repair, master, seal, measure the encoded
files, write subtitles. Everything finished is remembered at once, so after a kill at any moment
the same command goes on.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from consent.errors import InputError, ModelError
from consent.files import storage_error
from voice.narration import publish
from voice.narration.cache import SegmentCache
from voice.narration.events import Listener, Notice, PhaseStarted, silent
from voice.narration.hearing import listen
from voice.narration.job import Job, losses, make_job, parse_orders
from voice.narration.pool import WorkerPool, default_workers
from voice.narration.produce import Options, Producer
from voice.narration.rendering import Renderings, look_up, render
from voice.narration.result import CheckReport, NarrationResult, OutputReport
from voice.narration.speed import remember_rtf
from voice.narration.state import JobState
from voice.narration.subtitles import check_formats, subtitle_path
from voice.narration.usage import Usage

if TYPE_CHECKING:
    from consent.home import Home
    from consent.registry import Lease, Registry
    from voice.script.model import Plan

Check = bool | Literal["fast"]
#: The cache is brought down to this after a job; entries used longest ago go first.
CACHE_BYTES = 20 * 2**30


def narrate(
    plan: Plan,
    *,
    output: Path,
    home: Home,
    registry: Registry,
    container: str | None = None,
    chapters: str | None = None,
    usage: Usage | None = None,
    workers: int | None = None,
    check: Check = True,
    per_chapter: bool = False,
    bitrate: int | None = None,
    require_watermark: bool = False,
    overwrite: bool = False,
    subtitles: Sequence[str] = (),
    speed: float = 1.0,
    rerender: Sequence[str] = (),
    progress: Listener | None = None,
) -> NarrationResult:
    """Narrate a plan into one sealed file, or one per chapter.

    Interrupted or killed, the same call goes on where it ended: finished segments come from
    the cache, finished checks are remembered, published files are recognised.

    Parameters
    ----------
    output
        The file to make, or with `per_chapter` the folder; it is created, its parent must exist.
    container
        ``"m4b"``, ``"m4a"``, ``"mp3"``, ``"wav"`` or ``"flac"``; None takes it from the suffix
        of `output` (``"mp3"`` with `per_chapter`).
    chapters
        Only these, for instance ``"1-3,7"``.
    usage
        What the work is for; None is an audiobook for private use.
    workers
        Rendering processes; None is one per core, as far as memory allows.
    check
        Listen to every segment and render again what is not as written. ``"fast"`` measures
        without recognising words. False does neither.
    bitrate
        Bits per second of AAC or MP3; None takes the container's default.
    require_watermark
        Refuse if the sound cannot be watermarked.
    subtitles
        ``"srt"``, ``"vtt"``, both or none; written beside each file.
    speed
        Factor on the pace of every segment.
    rerender
        Segments to be spoken anew: ``"3.12"`` (the next variation) or ``"3.12=2"``.
    progress
        Called with every event; see :mod:`voice.narration.events`.

    Raises
    ------
    InputError
        The plan, an option or the destination cannot be used.
    RefusedError
        Licence or policy forbids it, or the authorization ended.
    ModelError
        A model is missing or damaged, or an engine keeps failing.
    StorageError
        The disk is full, a folder is read-only, or the same job runs already.
    KeyboardInterrupt
        Ctrl-C or SIGTERM; no process is left behind, what is finished is kept.
    """
    begin = time.monotonic()
    formats = check_formats(subtitles)
    if workers is not None and workers < 1:
        raise InputError(f"workers is {workers}", hint="At least one process is needed.")
    kind = publish.choose_container(Path(output), container, per_chapter=per_chapter)
    if chapters:
        from voice.script import select_chapters

        plan = select_chapters(plan, chapters)
    job = make_job(plan, usage=usage, speed=speed, registry=registry)
    orders = parse_orders(rerender, job.utterances)
    files = publish.targets(job, Path(output), kind, per_chapter=per_chapter)
    publish.check_possible(
        job, kind, bitrate=bitrate, require_watermark=require_watermark, home=home
    )
    run = _Run(home, registry, job, progress or silent)
    for sentence in losses(plan):
        run.warn(sentence)
    with ExitStack() as stack:
        stack.enter_context(_terminable())
        state = stack.enter_context(JobState(home, job.digest))
        run.prepare(
            files,
            state,
            overwrite=overwrite,
            folder=Path(output) if per_chapter else None,
            subtitles=formats,
        )
        lease = stack.enter_context(run.lease(state))
        for segment, variation in orders.items():
            state.order(segment, variation)
        run.speak(state, lease, workers or default_workers(), check)
        outputs = run.produce(
            files,
            state,
            lease,
            Options(
                bitrate=bitrate,
                require_watermark=require_watermark,
                overwrite=overwrite,
                subtitles=formats,
            ),
        )
        state.finish()
    return run.result(outputs, time.monotonic() - begin)


@contextmanager
def _terminable() -> Iterator[None]:
    """Turn SIGTERM into KeyboardInterrupt, so that it cleans up as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_signal: int, _frame: Any) -> None:
        raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGTERM)
    if before is not signal.SIG_DFL:
        yield  # the application has its own idea
        return
    signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@dataclass
class _Run:
    """One call of :func:`narrate`."""

    home: Home
    registry: Registry
    job: Job
    tell: Listener
    phases: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    workers: int = 0
    check: CheckReport | None = None
    _renderings: Renderings = field(default_factory=lambda: Renderings({}))
    _cache: SegmentCache | None = None

    @property
    def cache(self) -> SegmentCache:
        if self._cache is None:
            self._cache = SegmentCache.open(self.home)
        return self._cache

    @contextmanager
    def _timed(self, phase: str) -> Iterator[None]:
        begin = time.monotonic()
        try:
            yield
        finally:
            spent = time.monotonic() - begin
            self.phases[phase] = self.phases.get(phase, 0.0) + spent

    def warn(self, message: str) -> None:
        if message not in self.warnings:
            self.warnings.append(message)
            self.tell(Notice(message))

    def prepare(
        self,
        files: Sequence[publish.Target],
        state: JobState,
        *,
        overwrite: bool,
        folder: Path | None,
        subtitles: Sequence[str],
    ) -> None:
        """Look at the destinations before any work is done."""
        from provenance.seal import check_destination, recover

        self.tell(PhaseStarted("prepare", 0))
        for sentence in recover(self.registry, self.home):
            self.tell(Notice(sentence))
        if folder is not None:
            if folder.exists() and not folder.is_dir():
                raise InputError(
                    f"{folder} is a file", hint="Per-chapter files need the name of a folder."
                )
            try:
                folder.mkdir(exist_ok=True)
            except OSError as exc:
                raise storage_error(exc, folder) from exc
        begun = state.outputs()
        for target in files:
            # A file that this job may have published before it was killed is looked at later.
            known = str(target.path.absolute()) in begun
            check_destination(target.path, target.container, overwrite=overwrite or known)
            for name in subtitles:
                check_destination(subtitle_path(target.path, name), overwrite=overwrite or known)

    def lease(self, state: JobState) -> Lease:
        """Take up the interrupted job, or ask for a new authorization."""
        found = self.registry.find_authorization(self.job.digest)
        if (
            found is not None
            and not state.outputs()
            and self.registry.minutes_left(found.id) < found.request.minutes
        ):
            # A job that was killed between its last file and its end: nothing to take up.
            self.registry.lease(found.id).close()
            found = None
        authorization = found or self.registry.authorize(self.job.request)
        return self.registry.lease(authorization.id)

    def speak(self, state: JobState, lease: Lease, workers: int, check: Check) -> None:
        """Render, listen and repair."""
        self.workers = workers
        utterances = self.job.utterances
        renderings = self._renderings
        renderings.chosen.update(state.variations())
        titles = {c.number: publish.title_of(c) for c in self.job.plan.chapters}
        with self._timed("prepare"):
            look_up(utterances, renderings, self.cache)
        with WorkerPool(self.home.root, workers=workers) as pool:
            with self._timed("render"):
                render(
                    [(u, renderings.chosen.get(u.id, 0)) for u in utterances],
                    renderings,
                    pool,
                    phase="render",
                    listener=self.tell,
                    titles=titles,
                    check=lease.check,
                )
            silent_ones = [u.id for u in utterances if renderings.of(u).samples == 0]
            if len(silent_ones) == len(utterances):
                raise ModelError(
                    "the voice made no sound at all: there is nothing to put into a file",
                    hint="Is there anything to say in the text? Try another voice.",
                )
            if silent_ones:
                self.warn(f"the voice made no sound for {', '.join(silent_ones[:10])}")
            if check:
                self.check = listen(
                    self.job,
                    renderings,
                    pool,
                    self.cache,
                    state,
                    mode="fast" if check == "fast" else "full",
                    listener=self.tell,
                    timed=self._timed,
                    lease_check=lease.check,
                    titles=titles,
                )
            if pool.died:
                self.warn(f"{pool.died} rendering processes died and were replaced")
        spent = sum(self.phases.get(phase, 0.0) for phase in ("render", "check", "repair"))
        remember_rtf(
            self.home,
            self.job.utterances[0].speaker.name,
            audio_seconds=renderings.speech_seconds,
            wall_seconds=spent,
        )

    def produce(
        self, files: Sequence[publish.Target], state: JobState, lease: Lease, options: Options
    ) -> tuple[OutputReport, ...]:
        """Master, seal and measure."""
        producer = Producer(
            home=self.home,
            registry=self.registry,
            job=self.job,
            renderings=self._renderings,
            cache=self.cache,
            state=state,
            lease=lease,
            options=options,
            tell=self.tell,
            warn=self.warn,
            timed=self._timed,
        )
        outputs, places = producer.produce(files)
        if self.check is not None:
            self.check = self.check.located(places)
        self.cache.prune(CACHE_BYTES, keep=set(self._renderings.stats))
        return outputs

    def result(self, outputs: tuple[OutputReport, ...], wall: float) -> NarrationResult:
        """Put the report together."""
        return NarrationResult(
            outputs=outputs,
            check=self.check,
            segments=len(self.job.utterances),
            rendered=self._renderings.rendered,
            audio_seconds=sum(output.sealed.duration_s for output in outputs),
            speech_seconds=self._renderings.speech_seconds,
            wall_seconds=wall,
            workers=self.workers,
            phases=dict(self.phases),
            warnings=tuple(self.warnings),
        )
