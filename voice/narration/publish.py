"""From renderings to sealed files: assemble, master, seal, measure, write subtitles."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from consent.canonical import canonical, commitment, new_salt
from consent.errors import InputError, RefusedError
from voice.narration.assemble import ChapterTrack, Piece, voice_gains
from voice.narration.cache import SegmentCache
from voice.narration.job import Job
from voice.narration.master import ACX, MasteredChapter
from voice.narration.proof import prove
from voice.narration.rendering import Renderings
from voice.narration.result import ChapterReport
from voice.narration.speech import SpeechStats
from voice.narration.timeline import Timeline, join
from voice.script.model import PlanChapter

if TYPE_CHECKING:
    from consent.home import Home
    from consent.registry import Registry
    from provenance.seal import SealedOutput, SealRequest

FloatArray = NDArray[np.float32]

CONTAINERS = ("m4b", "m4a", "mp3", "wav", "flac")
_UNSAFE = re.compile(r"[\x00-\x1f/\\:*?\"<>|]+")
_NAME_BYTES = 120
#: Sample rate that bit rates are checked against before anything is rendered.
_USUAL_RATE = 24_000


@dataclass(frozen=True)
class Target:
    """A file to make and the chapters it holds."""

    path: Path
    container: str
    chapters: tuple[PlanChapter, ...]
    title: str
    track: tuple[int, int] | None = None


def choose_container(output: Path, container: str | None, *, per_chapter: bool) -> str:
    """Return the container asked for, or the one the file name says.

    Raises
    ------
    InputError
        Unknown, or the name says none.
    """
    chosen = container or ("mp3" if per_chapter else output.suffix.lstrip(".").lower())
    if chosen not in CONTAINERS:
        raise InputError(
            f"cannot tell the format of {output}" if not chosen else f"unknown format {chosen!r}",
            hint=f"End the name in one of {', '.join('.' + c for c in CONTAINERS)}.",
        )
    return chosen


def check_possible(
    job: Job, kind: str, *, bitrate: int | None, require_watermark: bool, home: Home
) -> None:
    """Refuse before hours of rendering what the seal would refuse after them.

    Raises
    ------
    InputError
        The bit rate is not one of the codec's, or the cover is not a picture.
    RefusedError
        A watermark is required and there is no model to make one.
    ModelError
        The watermark model of the configuration is not there.
    StorageError, VerificationError
        The keys that sign cannot be used.
    """
    from provenance import watermark
    from provenance.audio.containers import checked_bitrate, container
    from provenance.audio.tags import checked_cover
    from provenance.manifest import certificates
    from provenance.seal import Tags

    encoder = container(kind)
    checked_bitrate(encoder, encoder.output_rate(_USUAL_RATE), bitrate)
    checked_cover(Tags(title="", cover=job.plan.cover, cover_type=job.plan.cover_type))
    certificates.signing_identity(home)  # made on first use; a damaged or open key is said now
    required = require_watermark or home.setting("seal", "require_watermark")
    if watermark.active(home) is None and required:
        raise RefusedError(
            "a watermark is required, and no model is set to make one",
            hint="Leave the requirement out: manifest and receipt are made all the same.",
        )


def targets(job: Job, output: Path, container: str, *, per_chapter: bool) -> tuple[Target, ...]:
    """Return the files to make: one, or one per chapter in the folder `output`."""
    chapters = job.plan.chapters
    if not per_chapter:
        return (Target(output, container, chapters, job.plan.title or output.stem),)
    digits = max(2, len(str(max(chapter.number for chapter in chapters))))
    return tuple(
        Target(
            output / f"{chapter.number:0{digits}d} {file_name(title_of(chapter))}.{container}",
            container,
            (chapter,),
            title_of(chapter),
            (place, len(chapters)),
        )
        for place, chapter in enumerate(chapters, start=1)
    )


def title_of(chapter: PlanChapter) -> str:
    """Return the title of a chapter, made up from its number if it has none."""
    return chapter.title.strip() or f"Chapter {chapter.number}"


def file_name(title: str) -> str:
    """Return `title` as a name that every file system takes."""
    name = _UNSAFE.sub(" ", unicodedata.normalize("NFC", title))
    name = " ".join(name.split()).strip(". ")
    return name.encode()[:_NAME_BYTES].decode("utf-8", "ignore").strip(". ") or "untitled"


class Studio:
    """Assembles and masters chapters of one job.

    Parameters
    ----------
    rate
        Sample rate of the files.
    """

    def __init__(self, job: Job, renderings: Renderings, cache: SegmentCache, *, rate: int) -> None:
        self.rate = rate
        self._job = job
        self._renderings = renderings
        self._cache = cache
        self._spoken = {utterance.id: utterance for utterance in job.utterances}
        by_voice: dict[str, list[SpeechStats]] = {}
        for utterance in job.utterances:
            by_voice.setdefault(utterance.speaker.name, []).append(renderings.of(utterance))
        self._gains = voice_gains(by_voice, job.utterances[0].speaker.name)

    def track(self, chapter: PlanChapter) -> ChapterTrack:
        """Lay out a chapter."""
        pieces = [self._piece(chapter, place) for place in range(len(chapter.segments))]
        return ChapterTrack(
            chapter.number, title_of(chapter), pieces, rate=self.rate, cache=self._cache
        )

    def _piece(self, chapter: PlanChapter, place: int) -> Piece:
        segment = chapter.segments[place]
        utterance = self._spoken.get(segment.id)
        if utterance is None:
            return Piece(segment.id, segment.text, None, None, segment.pause_after)
        return Piece(
            segment.id,
            segment.text,
            self._renderings.key(utterance),
            self._renderings.of(utterance),
            segment.pause_after,
            self._gains[utterance.speaker.name],
        )

    def mastered(self, track: ChapterTrack) -> MasteredChapter:
        """Return the chapter before its gain is known."""
        return MasteredChapter(track.blocks, track.samples, self.rate, target=ACX)


def natural_rate(renderings: Renderings) -> int:
    """Return the highest sample rate of the renderings: nothing an engine made is lost."""
    return max(stats.rate for stats in renderings.stats.values())


class Sealing:
    """What one file is made of, and the request to seal it.

    Parameters
    ----------
    tracks, mastered
        The chapters of `target`, laid out and with their gains.
    """

    def __init__(
        self,
        job: Job,
        target: Target,
        renderings: Renderings,
        tracks: Sequence[ChapterTrack],
        mastered: Sequence[MasteredChapter],
        *,
        bitrate: int | None,
    ) -> None:
        self.target = target
        self._job = job
        self._bitrate = bitrate
        self._tracks = tracks
        self._mastered = list(mastered)
        numbers = {chapter.number for chapter in target.chapters}
        self._utterances = [u for u in job.utterances if u.chapter in numbers]
        self._keys = [renderings.key(utterance) for utterance in self._utterances]
        self.timeline: Timeline = join(tracks[0].rate, tuple(track.span for track in tracks))
        self._text = canonical([[u.id, u.segment.spoken] for u in self._utterances])

    def content(self) -> str:
        """Return a digest of all that shapes the file: it tells the same file from another."""
        described = {
            "keys": self._keys,
            "spans": [[s.segment, s.start, s.stop] for s in self.timeline.segments()],
            "rate": self.timeline.rate,
            "container": self.target.container,
            "bitrate": self._bitrate,
            "titles": [self.target.title, *(track.title for track in self._tracks)],
        }
        return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()

    def intent(self) -> dict[str, Any]:
        """Return what is noted before sealing, so that a finished file is known again."""
        salt = new_salt()
        return {
            "content": self.content(),
            "salt": salt.hex(),
            "text": commitment(self._text, salt),
        }

    def prove(self, home: Home, *, progress: Callable[[float], None]) -> None:
        """Lower the ceilings of chapters whose peaks the codec would push over the limit."""
        from provenance.audio.containers import container

        kind = container(self.target.container)
        self._mastered = prove(
            self._mastered, kind=kind, bitrate=self._bitrate, home=home, progress=progress
        )

    def request(
        self,
        authorization_id: str,
        text_digest: str,
        *,
        require_watermark: bool,
        overwrite: bool,
    ) -> SealRequest:
        """Return the request to seal the file."""
        from provenance.seal import ChapterAudio, SealRequest

        chapters = tuple(
            ChapterAudio(track.title, track.samples, mastered.blocks)
            for track, mastered in zip(self._tracks, self._mastered, strict=True)
        )
        minutes = self._minutes()
        speakers = [s for s in self._job.speakers.values() if s.name in minutes]
        models = {speaker.card.id: speaker.model_use() for speaker in speakers}
        return SealRequest(
            destination=self.target.path,
            container=self.target.container,
            sample_rate=self.timeline.rate,
            chapters=chapters,
            tags=self._tags(),
            authorization_id=authorization_id,
            text_digest=text_digest,
            voices=tuple(speaker.voice_use(minutes[speaker.name]) for speaker in speakers),
            models=tuple(models.values()),
            bitrate=self._bitrate,
            require_watermark=require_watermark,
            overwrite=overwrite,
        )

    def _minutes(self) -> dict[str, float]:
        """Return the finished minutes of each voice in this file.

        Narrators are paid by the finished hour, pauses included: together the voices have the
        length of the file, each in proportion to what it speaks.
        """
        by_id = {utterance.id: utterance.speaker.name for utterance in self._utterances}
        spoken: dict[str, int] = {}
        for span in self.timeline.segments():
            name = by_id[span.segment]
            spoken[name] = spoken.get(name, 0) + span.stop - span.start
        share = self.timeline.seconds / 60 / max(1, sum(spoken.values()))
        return {name: samples * share for name, samples in spoken.items()}

    def _tags(self) -> Any:
        from provenance.seal import Tags

        plan = self._job.plan
        authors = ", ".join(plan.authors)
        return Tags(
            title=self.target.title,
            artist=authors,
            album=plan.title,
            album_artist=authors,
            composer=", ".join(self._job.speakers),
            genre="Audiobook" if self._job.request.purpose == "audiobook" else "Speech",
            date=plan.date,
            language=plan.language,
            track=self.target.track,
            cover=plan.cover,
            cover_type=plan.cover_type,
        )


def adopt(path: Path, intent: dict[str, Any], registry: Registry) -> SealedOutput | None:
    """Recognise a file that an interrupted run of this job had already published.

    It is taken if its manifest names a receipt of this registry, sealed for exactly these bytes
    and for the salted text that the job noted before sealing.
    """
    from provenance.audio.containers import container
    from provenance.manifest import build
    from provenance.manifest.read import read_manifest
    from provenance.seal import SealedOutput

    try:
        with path.open("rb") as stream:
            kind = container(path.suffix)
            reading = read_manifest(stream, kind.mime)
            stream.seek(0)
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        held = (reading.assertion(build.CONSENT) or {}).get("receipt") or {}
        leaf = json.loads(held["leaf"])
        receipt = registry.receipt(str(leaf["output_id"]))
    except (OSError, InputError, KeyError, TypeError, ValueError):
        return None
    if (
        receipt is None
        or receipt.state != "sealed"
        or receipt.sha256 != sha256
        or leaf.get("text") != intent["text"]
    ):
        return None
    return SealedOutput(
        path=path,
        output_id=receipt.output_id,
        sha256=sha256,
        duration_s=receipt.duration_ms / 1000,
        container=receipt.container,
        watermark=str(leaf.get("watermark", "none")),
        manifest_label=reading.label,
        warnings=(),
    )


def measure(path: Path, timeline: Timeline) -> tuple[ChapterReport, ...]:
    """Decode a finished file and measure each chapter as a player would hear it."""
    from provenance.audio.cutting import Cutter
    from provenance.audio.decode import opened_blocks
    from provenance.listening.levels import acx_problems
    from provenance.listening.levels import measure as measure_levels

    reports = []
    with opened_blocks(path, mono=True) as (blocks, rate):
        stream = Cutter(blocks)
        for place, chapter in enumerate(timeline.chapters):
            last = place == len(timeline.chapters) - 1
            stop = None if last else round(chapter.stop * rate / timeline.rate)
            levels = measure_levels(stream.until(stop), rate)
            reports.append(
                ChapterReport(
                    number=chapter.number,
                    title=chapter.title,
                    start_s=chapter.start / timeline.rate,
                    duration_s=(chapter.stop - chapter.start) / timeline.rate,
                    levels=levels,
                    problems=tuple(acx_problems(levels)),
                )
            )
    return tuple(reports)
