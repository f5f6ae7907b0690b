"""The whole file against the whole script: whether all is there, once, and in order.

This check hears the finished file, as a listener would, and knows nothing of how it was made.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from provenance.listening.activity import LISTENING_RATE
from provenance.listening.asr import Transcript, Word
from voice.narration.alignment import Agreement, Stretch, align, word_errors
from voice.narration.wording import words_of
from voice.script.model import Plan

FloatArray = NDArray[np.float32]

LEAST_RUN = 4
"""Shorter runs of lost or repeated words are left to the recogniser's own errors."""


class StreamListener(Protocol):
    """What the check needs of :class:`provenance.listening.asr.Transcriber`."""

    def stream(
        self, blocks: Iterable[FloatArray], rate: int, language: str | None = None
    ) -> Iterator[Transcript]:
        """Transcribe window by window."""


@dataclass(frozen=True, slots=True)
class Span:
    """A run of words that lack or that are said twice.

    Attributes
    ----------
    first, last
        Ids of the first and last segment concerned.
    text
        The words.
    words
        How many.
    at_s
        Where in the file, in seconds.
    """

    first: str
    last: str
    text: str
    words: int
    at_s: float

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {
            "first": self.first,
            "last": self.last,
            "text": self.text,
            "words": self.words,
            "at_s": round(self.at_s, 2),
        }


@dataclass(frozen=True, slots=True)
class FileCheck:
    """How much of a script a file says.

    Attributes
    ----------
    coverage
        Share of the script's words heard in order, 0 to 1; words that sound alike count.
    wer, tolerant_wer
        Word error rate, strict and tolerant.
    missing, repeated
        Runs of at least `LEAST_RUN` words.
    """

    words: int
    heard_words: int
    coverage: float
    wer: float
    tolerant_wer: float
    missing: tuple[Span, ...]
    repeated: tuple[Span, ...]
    audio_seconds: float
    seconds: float

    @property
    def complete(self) -> bool:
        """Whether nothing lacks and nothing is said twice."""
        return not self.missing and not self.repeated

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {
            "complete": self.complete,
            "words": self.words,
            "heard_words": self.heard_words,
            "coverage": round(self.coverage, 5),
            "wer": round(self.wer, 5),
            "tolerant_wer": round(self.tolerant_wer, 5),
            "missing": [span.to_json() for span in self.missing],
            "repeated": [span.to_json() for span in self.repeated],
            "audio_seconds": round(self.audio_seconds, 2),
            "seconds": round(self.seconds, 2),
        }

    def sentences(self) -> list[str]:
        """Say the result in plain sentences, the summary first."""
        lines = [
            f"{self.coverage:.2%} of the script's {self.words} words were heard in order "
            f"(word error rate {self.wer:.1%}, {self.tolerant_wer:.1%} without words that merely "
            "sound alike)."
        ]
        for kind, spans in (("Missing", self.missing), ("Said twice", self.repeated)):
            lines += [
                f"{kind} near {int(span.at_s // 60)}:{span.at_s % 60:04.1f}, segment {span.first}"
                f"{'' if span.last == span.first else ' to ' + span.last}: “{_short(span.text)}” "
                f"({span.words} words)."
                for span in spans
            ]
        return lines


def _short(text: str, limit: int = 120) -> str:
    return text if len(text) <= limit else text[: limit - 1].rsplit(" ", 1)[0] + " …"


@dataclass(slots=True)
class _Heard:
    """Words in normal form with their times; one word as heard may give several."""

    words: list[str]
    times: list[tuple[float, float]]

    def add(self, heard: Iterable[Word], language: str) -> None:
        for word in heard:
            parts = words_of(word.text, language)
            self.words += parts
            self.times += [(word.start, word.end)] * len(parts)


def check_file(
    path: Path,
    plan: Plan,
    transcriber: StreamListener,
    *,
    chapters: Iterable[int] | None = None,
) -> FileCheck:
    """Hear a finished file and compare it with the plan it was made from.

    Memory is bounded by the window of the recogniser and the words of the plan. Where words
    lack, that part of the file is heard a second time, cut otherwise, before they are reported.

    Parameters
    ----------
    path
        Any file that :func:`provenance.audio.decode` reads.
    plan
        What should be said.
    transcriber
        :class:`provenance.listening.asr.Transcriber`.
    chapters
        Numbers of the chapters that the file holds; None means all.

    Raises
    ------
    InputError
        The file cannot be read or the plan's language is not one of the recogniser's.
    """
    started = time.perf_counter()
    wanted = None if chapters is None else set(chapters)
    script: list[str] = []
    owners: list[str] = []
    for chapter in plan.chapters:
        if wanted is not None and chapter.number not in wanted:
            continue
        for segment in chapter.segments:
            words = words_of(segment.spoken, plan.language)
            script += words
            owners += [segment.id] * len(words)
    reader = _Reader(path)
    heard = _Heard([], [])
    for part in transcriber.stream(reader.blocks(), reader.rate, plan.language):
        heard.add(part.words, plan.language)
    stretches = align(script, heard.words)
    doubts = [_time_of(one, heard, reader.seconds) for one in _gaps(stretches)]
    if doubts:
        heard = _heard_again(reader, doubts, heard, transcriber, plan.language)
        stretches = align(script, heard.words)
    agreed = sum(one.lost for one in stretches if one.agreement is not Agreement.DIFFERENT)
    return FileCheck(
        words=len(script),
        heard_words=len(heard.words),
        coverage=agreed / len(script) if script else 1.0,
        wer=word_errors(stretches) / max(1, len(script)),
        tolerant_wer=word_errors(stretches, tolerant=True) / max(1, len(script)),
        missing=tuple(
            Span(
                owners[one.script_start],
                owners[one.script_end - 1],
                " ".join(script[one.script_start : one.script_end]),
                one.lost,
                _time_of(one, heard, reader.seconds)[0],
            )
            for one in _gaps(stretches)
        ),
        repeated=tuple(_repeated(stretches, script, owners, heard)),
        audio_seconds=reader.seconds,
        seconds=time.perf_counter() - started,
    )


class _Reader:
    """A file's audio as blocks, as often as needed."""

    rate = LISTENING_RATE

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seconds = 0.0

    def blocks(self) -> Iterator[FloatArray]:
        from provenance.audio import opened_blocks

        count = 0
        with opened_blocks(self.path, mono=True, rate=self.rate) as (blocks, _):
            for block in blocks:
                count += block.size
                yield block
        self.seconds = count / self.rate

    def piece(self, start: float, end: float) -> FloatArray:
        """Return the samples of one stretch of the file."""
        from provenance.audio import opened_blocks

        first, last, count = int(start * self.rate), int(end * self.rate), 0
        kept: list[FloatArray] = [np.zeros(0, np.float32)]
        with opened_blocks(self.path, mono=True, rate=self.rate) as (blocks, _):
            for block in blocks:
                if count + block.size > first:
                    kept.append(block[max(0, first - count) : max(0, last - count)])
                count += block.size
                if count >= last:
                    break
        return np.concatenate(kept)


def _gaps(stretches: Iterable[Stretch]) -> list[Stretch]:
    """Return the stretches where at least `LEAST_RUN` words more lack than were heard.

    One or two words that happen to agree in the middle of a long gap do not divide it.
    """
    gaps: list[Stretch] = []
    for one in stretches:
        if one.agreement is not Agreement.DIFFERENT or one.lost - one.added < LEAST_RUN:
            continue
        last = gaps[-1] if gaps else None
        if last and one.script_start - last.script_end <= min(last.lost, one.lost) // 4:
            gaps[-1] = _joined(last, one)
        else:
            gaps.append(one)
    return gaps


def _time_of(one: Stretch, heard: _Heard, length: float) -> tuple[float, float]:
    """Return start and end, in the file, of what lies between the heard neighbours."""
    start = heard.times[one.heard_start - 1][1] if one.heard_start else 0.0
    end = heard.times[one.heard_end][0] if one.heard_end < len(heard.times) else length
    return start, max(start, end)


def _heard_again(
    reader: _Reader,
    doubts: list[tuple[float, float]],
    heard: _Heard,
    transcriber: StreamListener,
    language: str,
) -> _Heard:
    """Hear the doubtful parts again and put what is found in the place of what was."""
    words, times = list(heard.words), list(heard.times)
    for start, end in reversed(doubts):
        if end - start < 0.4:  # nothing can have been said there
            continue
        lead = max(0.0, start - 0.2)
        found = _Heard([], [])
        for part in transcriber.stream(
            [reader.piece(lead, min(reader.seconds, end + 0.2))], reader.rate, language
        ):
            found.add(part.words, language)
        shifted = [(a + lead, b + lead) for a, b in found.times]
        inside = [k for k, (a, b) in enumerate(times) if start - 1e-6 <= (a + b) / 2 <= end + 1e-6]
        first = inside[0] if inside else sum(b <= start + 1e-6 for _, b in times)
        last = inside[-1] + 1 if inside else first
        keep = [k for k, (a, b) in enumerate(shifted) if start <= (a + b) / 2 <= end]
        if len(keep) > last - first:
            words[first:last] = [found.words[k] for k in keep]
            times[first:last] = [shifted[k] for k in keep]
    return _Heard(words, times)


def _repeated(
    stretches: list[Stretch], script: list[str], owners: list[str], heard: _Heard
) -> list[Span]:
    """Find added words that the script has within the last or next few hundred words."""
    found: list[tuple[int, int, Stretch]] = []
    for one in stretches:
        if one.agreement is not Agreement.DIFFERENT or one.added - one.lost < LEAST_RUN:
            continue
        added = heard.words[one.heard_start : one.heard_end]
        low = max(0, one.script_start - 3 * len(added) - 200)
        high = min(len(script), one.script_end + 3 * len(added) + 200)
        # Runs of three or more: single common words agree anywhere in so wide a range.
        agreed = [
            part
            for part in align(script[low:high], added)
            if part.agreement is Agreement.SAME and part.lost >= 3
        ]
        if sum(part.lost for part in agreed) < max(LEAST_RUN, len(added) // 2):
            continue
        first, last = low + agreed[0].script_start, low + agreed[-1].script_end
        # A repetition aligns as well with the second saying as with the first, or in parts with
        # both: parts that lie close together are one.
        if found and first - found[-1][1] <= LEAST_RUN * 2:
            first, last = min(first, found[-1][0]), max(last, found[-1][1])
            one = _joined(found.pop()[2], one)
        found.append((first, last, one))
    return [
        Span(
            owners[first],
            owners[last - 1],
            " ".join(script[first:last]),
            last - first,
            heard.times[one.heard_start][0],
        )
        for first, last, one in found
    ]


def _joined(one: Stretch, two: Stretch) -> Stretch:
    return Stretch(one.agreement, one.script_start, two.script_end, one.heard_start, two.heard_end)
