"""What came out of a narration, for people and for programs."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from provenance.listening.levels import Levels
    from provenance.seal import SealedOutput


@dataclass(frozen=True, slots=True)
class ChapterReport:
    """A chapter as measured in the encoded file.

    Attributes
    ----------
    start_s, duration_s
        Where it lies in its file.
    levels
        Measured after encoding and decoding.
    problems
        What keeps it from the ACX limits, one sentence each.
    """

    number: int
    title: str
    start_s: float
    duration_s: float
    levels: Levels
    problems: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {
            "number": self.number,
            "title": self.title,
            "start_s": round(self.start_s, 3),
            "duration_s": round(self.duration_s, 3),
            "levels": self.levels.to_json(),
            "acx_problems": list(self.problems),
        }


@dataclass(frozen=True, slots=True)
class OutputReport:
    """A sealed file with its measurements and its subtitle files."""

    sealed: SealedOutput
    chapters: tuple[ChapterReport, ...]
    subtitles: tuple[Path, ...] = ()
    text_salt: str = ""

    @property
    def path(self) -> Path:
        """Where the file is."""
        return self.sealed.path

    @property
    def problems(self) -> tuple[str, ...]:
        """What keeps the file from the ACX limits, with the chapter named."""
        return tuple(f"{c.title}: {problem}" for c in self.chapters for problem in c.problems)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {
            "path": str(self.sealed.path),
            "output_id": self.sealed.output_id,
            "sha256": self.sealed.sha256,
            "duration_s": round(self.sealed.duration_s, 3),
            "container": self.sealed.container,
            "watermark": self.sealed.watermark,
            "manifest": self.sealed.manifest_label,
            "text_salt": self.text_salt,
            "chapters": [chapter.to_json() for chapter in self.chapters],
            "subtitles": [str(path) for path in self.subtitles],
        }


@dataclass(frozen=True, slots=True)
class SegmentDoubt:
    """A segment that the check did not find as written, in its best rendering.

    Attributes
    ----------
    verdict
        ``"missing"``, ``"repeated"``, ``"garbled"`` or ``"unsure"``.
    text, heard
        As written, and what was heard.
    detail
        Which words, in a plain sentence.
    file, at_s
        Where to listen: name of the file and seconds from its start.
    """

    segment: str
    verdict: str
    text: str
    heard: str
    detail: str
    file: str = ""
    at_s: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {**asdict(self), "at_s": round(self.at_s, 3)}

    def sentence(self) -> str:
        """Say it in one line."""
        where = f" at {_clock(self.at_s)} of {self.file}" if self.file else ""
        return f"Segment {self.segment} ({self.verdict}){where}: {self.detail}"


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What the completeness check found.

    Attributes
    ----------
    segments, words
        Segments heard, in this run or an earlier one, and their words.
    word_error_rate, tolerant_word_error_rate
        Over all words, strict, and without words that merely sound alike; None if words were
        not recognised.
    repaired
        Ids of segments of which a later rendering was taken.
    wrong
        Segments that are wrong in every rendering; the best one is in the file.
    unsure
        Segments with too little in them to tell, or where hearings disagree.
    """

    segments: int
    words: int
    word_error_rate: float | None
    tolerant_word_error_rate: float | None
    repaired: tuple[str, ...]
    wrong: tuple[SegmentDoubt, ...]
    unsure: tuple[SegmentDoubt, ...]

    def located(self, places: dict[str, tuple[str, float]]) -> CheckReport:
        """Return the report with the places, segment id -> (file, seconds), filled in."""

        def place(doubt: SegmentDoubt) -> SegmentDoubt:
            file, at_s = places.get(doubt.segment, ("", 0.0))
            return replace(doubt, file=file, at_s=at_s)

        return replace(
            self, wrong=tuple(map(place, self.wrong)), unsure=tuple(map(place, self.unsure))
        )

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {
            "segments": self.segments,
            "words": self.words,
            "word_error_rate": _rounded(self.word_error_rate),
            "tolerant_word_error_rate": _rounded(self.tolerant_word_error_rate),
            "repaired": list(self.repaired),
            "wrong": [doubt.to_json() for doubt in self.wrong],
            "unsure": [doubt.to_json() for doubt in self.unsure],
        }

    def sentences(self) -> list[str]:
        """Return the report in plain language, the summary first."""
        said = f"Checked {self.segments} segments: "
        if self.word_error_rate is not None:
            said += f"word error rate {self.word_error_rate:.1%} as heard, "
        said += (
            f"{len(self.repaired)} repaired, {len(self.wrong)} wrong, {len(self.unsure)} unsure."
        )
        return [said, *(doubt.sentence() for doubt in (*self.wrong, *self.unsure))]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 5)


@dataclass(frozen=True, slots=True)
class NarrationResult:
    """What came out of a narration.

    Attributes
    ----------
    outputs
        The sealed files, one, or one per chapter.
    check
        None if the check was switched off.
    segments, rendered
        How many segments the text has, and how many renderings this run made.
    audio_seconds
        Length of all outputs.
    speech_seconds
        Speech rendered in this run.
    phases
        Wall seconds of each phase of this run.
    """

    outputs: tuple[OutputReport, ...]
    check: CheckReport | None
    segments: int
    rendered: int
    audio_seconds: float
    speech_seconds: float
    wall_seconds: float
    workers: int
    phases: dict[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether no segment is wrong, as far as the check was asked to listen."""
        return self.check is None or not self.check.wrong

    @property
    def real_time_factor(self) -> float | None:
        """Wall seconds of rendering per second of speech rendered in this run."""
        if self.speech_seconds <= 0.0:
            return None
        return self.phases.get("render", 0.0) / self.speech_seconds

    def sentences(self) -> list[str]:
        """Return the report in plain language, one sentence each."""
        said = []
        for output in self.outputs:
            said.append(
                f"{output.path}: {_clock(output.sealed.duration_s)}, "
                f"{len(output.chapters)} chapter{'s' if len(output.chapters) != 1 else ''}, "
                f"signed as {output.sealed.output_id}, "
                + (
                    "no watermark"
                    if output.sealed.watermark == "none"
                    else f"watermark {output.sealed.watermark}"
                )
                + "."
            )
            said += [f"Outside the ACX limits: {problem}" for problem in output.problems]
        if self.outputs and not any(output.problems for output in self.outputs):
            chapters = [chapter for output in self.outputs for chapter in output.chapters]
            low = min(chapter.levels.rms_dbfs for chapter in chapters)
            high = max(chapter.levels.rms_dbfs for chapter in chapters)
            peak = max(chapter.levels.peak_dbfs for chapter in chapters)
            floor = max(chapter.levels.noise_floor_dbfs for chapter in chapters)
            said.append(
                f"Within the ACX limits as encoded: RMS {low:.1f} to {high:.1f} dB, "
                f"peak {peak:.1f} dB, noise floor {floor:.1f} dB."
            )
        if self.check is not None:
            said += self.check.sentences()
        return said

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        factor = self.real_time_factor
        return {
            "complete": self.complete,
            "outputs": [output.to_json() for output in self.outputs],
            "check": None if self.check is None else self.check.to_json(),
            "segments": self.segments,
            "rendered": self.rendered,
            "audio_seconds": round(self.audio_seconds, 3),
            "speech_seconds": round(self.speech_seconds, 3),
            "wall_seconds": round(self.wall_seconds, 3),
            "real_time_factor": None if factor is None else round(factor, 4),
            "workers": self.workers,
            "phases": {name: round(seconds, 3) for name, seconds in self.phases.items()},
            "warnings": list(self.warnings),
        }


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
