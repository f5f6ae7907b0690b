"""The completeness check: whether the sound says what the script says.

Every segment is heard by a speech recogniser and compared with its text. A recogniser errs too,
so a segment that looks wrong is heard again, alone and in two other ways, and last the
recogniser is asked how far the sound bears out each word that it did not write down by itself.
Only what fails all of it is called wrong.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from provenance.listening.asr import Transcript, Word
from voice.narration.alignment import word_error_rate, word_errors
from voice.narration.coverage import FileCheck, Span, check_file
from voice.narration.judgement import (
    SECONDS_PER_LETTER,
    UNEXPLAINED_SECONDS,
    Hearing,
    borne_out_words,
    judge,
    missed_by_all,
    unexplained,
)
from voice.narration.wording import plain_text, words_of
from voice.script.model import Segment

__all__ = [
    "CheckReport",
    "FileCheck",
    "SegmentCheck",
    "Span",
    "check_file",
    "check_segments",
    "iter_checks",
    "word_error_rate",
]

FloatArray = NDArray[np.float32]

WINDOW_SECONDS = 27.0
"""Segments are joined up to this length, as the recogniser takes 30 s at a time at one price."""

GAP_SECONDS = 0.5
"""Silence between joined segments."""


class Listener(Protocol):
    """What the check needs of :class:`provenance.listening.asr.Transcriber`."""

    def transcribe(
        self, samples: FloatArray, rate: int, language: str | None = None, *, beam: int = 1
    ) -> Transcript:
        """Write down what is said."""

    def support(
        self, samples: FloatArray, rate: int, text: str, language: str | None = None
    ) -> list[Word]:
        """Say how far the samples bear out `text`."""


@dataclass(frozen=True, slots=True)
class SegmentCheck:
    """What was heard in one segment.

    Attributes
    ----------
    expected_words
        Number of words in normal form.
    expected, heard
        What should have been said, and what was written down (the best of all hearings).
    wer
        Strict word error rate of `heard`.
    tolerant_wer
        The same, words that sound alike or that the sound bears out forgiven.
    verdict
        ``"ok"``, ``"missing"`` (words lacking), ``"repeated"`` (words said twice), ``"garbled"``
        (other words or none that can be made out) or ``"unsure"`` (too little to tell).
    detail
        Which words, in a plain sentence; empty for ``"ok"``.
    hearings
        How often it was heard: 1, or up to 4 for one that looked wrong.
    """

    segment_id: str
    expected_words: int
    expected: str
    heard: str
    wer: float
    tolerant_wer: float
    verdict: str
    detail: str = ""
    hearings: int = 1

    @property
    def wrong(self) -> bool:
        """Whether it should be rendered again."""
        return self.verdict in {"missing", "repeated", "garbled"}

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {
            "segment": self.segment_id,
            "verdict": self.verdict,
            "detail": self.detail,
            "expected": self.expected,
            "heard": self.heard,
            "wer": round(self.wer, 4),
            "tolerant_wer": round(self.tolerant_wer, 4),
            "hearings": self.hearings,
        }


def check_segments(
    items: Iterable[tuple[Segment, FloatArray]],
    sample_rate: int,
    transcriber: Listener,
    *,
    language: str | None = None,
) -> list[SegmentCheck]:
    """Check each segment's audio against its text; see :func:`iter_checks`."""
    return list(iter_checks(items, sample_rate, transcriber, language=language))


def iter_checks(
    items: Iterable[tuple[Segment, FloatArray]],
    sample_rate: int,
    transcriber: Listener,
    *,
    language: str | None = None,
) -> Iterator[SegmentCheck]:
    """Check segments one window (some 27 s of audio) at a time.

    Parameters
    ----------
    items
        Segments with their audio: mono, float32, full scale 1.0. Order does not matter, but
        neighbours of the book give the recogniser better context.
    sample_rate
        Of all audio, in Hz.
    transcriber
        :class:`provenance.listening.asr.Transcriber`.
    language
        BCP 47 tag of all segments; None takes each segment's own.

    Yields
    ------
    SegmentCheck
        One for each item, in order.
    """
    window: list[tuple[Segment, FloatArray]] = []
    size, spoken = 0.0, None
    for segment, samples in items:
        seconds = samples.size / sample_rate + GAP_SECONDS
        tongue = language or segment.language
        if window and (size + seconds > WINDOW_SECONDS or tongue != spoken):
            yield from _check_window(window, sample_rate, transcriber, spoken or tongue)
            window, size = [], 0.0
        window.append((segment, samples))
        size, spoken = size + seconds, tongue
    if window:
        yield from _check_window(window, sample_rate, transcriber, spoken or "en")


def _check_window(
    window: list[tuple[Segment, FloatArray]], rate: int, listener: Listener, language: str
) -> Iterator[SegmentCheck]:
    gap = np.zeros(round(GAP_SECONDS * rate), np.float32)
    pieces: list[FloatArray] = [gap[: gap.size // 2]]
    ends: list[float] = []
    length = pieces[0].size
    for _, samples in window:
        pieces += [samples, gap]
        length += samples.size + gap.size
        ends.append((length - gap.size / 2) / rate)
    words = listener.transcribe(np.concatenate(pieces), rate, language).words
    heard: list[list[Word]] = [[] for _ in window]
    place, offset = 0, gap.size / 2 / rate
    for word in words:
        while place < len(ends) - 1 and (word.start + word.end) / 2 > ends[place]:
            offset = ends[place] + gap.size / 2 / rate
            place += 1
        heard[place].append(replace(word, start=word.start - offset, end=word.end - offset))
    for (segment, samples), said in zip(window, heard, strict=True):
        yield _Check(segment, samples, rate, listener, language).run(said)


class _Check:
    """The check of one segment, from its first hearing to the verdict."""

    def __init__(
        self,
        segment: Segment,
        samples: FloatArray,
        rate: int,
        listener: Listener,
        language: str,
    ) -> None:
        self.segment = segment
        self.samples = samples
        self.rate = rate
        self.listener = listener
        self.language = language
        self.expected = plain_text(segment.spoken)
        self.script = words_of(self.expected, language)
        self.hearings: list[Hearing] = []
        self.pad = np.zeros(round(0.3 * rate), np.float32)

    def run(self, first: Sequence[Word]) -> SegmentCheck:
        """Weigh the first hearing and, if it looks wrong, others."""
        self._hear(self.samples, first)
        if not self.script:
            extra = len(self.hearings[0].heard) > 1
            detail = "Something is said where the script has no words." if extra else ""
            return self._result(0, "garbled" if extra else "ok", detail, set())
        borne_out: set[int] = set()
        if self.hearings[0].doubtful():
            alone = np.concatenate([self.pad, self.samples, self.pad])
            for beam in (1, 5):
                said = self.listener.transcribe(alone, self.rate, self.language, beam=beam)
                self._hear(alone, said.words)
                if not self.hearings[-1].doubtful():
                    break
            else:
                if alone.size <= 30 * self.rate and missed_by_all(self.hearings):
                    asked = self.listener.support(alone, self.rate, self.expected, self.language)
                    borne_out = borne_out_words(self.hearings, asked, self.language)
        order = range(len(self.hearings))
        best = min(order, key=lambda k: (self.hearings[k].doubtful(), self.hearings[k].errors, -k))
        verdict, detail = judge(self.hearings, best, borne_out)
        return self._result(best, verdict, detail, borne_out)

    def _hear(self, samples: FloatArray, words: Sequence[Word]) -> None:
        """Take down a hearing; where there is more sound than its words explain, hear that too.

        The recogniser tidies up: of a sentence said twice it may write down one.
        """
        texts = [word.text for word in words]
        slot = unexplained(samples, self.rate, words)
        left = slot.seconds
        if slot.seconds > UNEXPLAINED_SECONDS and words:
            piece = samples[int(slot.start * self.rate) : int(slot.end * self.rate)]
            padded = np.concatenate([self.pad, piece, self.pad])
            found = self.listener.transcribe(padded, self.rate, self.language).text
            here = texts[slot.word]
            if len(words_of(found, self.language)) > len(words_of(here, self.language)):
                texts[slot.word] = found
                left -= SECONDS_PER_LETTER * (len(found) - len(here))
        self.hearings.append(
            Hearing.of(self.script, " ".join(texts), self.language, unexplained=left)
        )

    def _result(self, best: int, verdict: str, detail: str, borne_out: set[int]) -> SegmentCheck:
        chosen, count = self.hearings[best], max(1, len(self.script))
        forgiven = len(chosen.missed() & borne_out)
        return SegmentCheck(
            segment_id=self.segment.id,
            expected_words=len(self.script),
            expected=self.expected,
            heard=chosen.text,
            wer=word_errors(chosen.stretches) / count,
            tolerant_wer=max(0, chosen.errors - forgiven) / count,
            verdict=verdict,
            detail=detail,
            hearings=len(self.hearings),
        )


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What a check of many segments found.

    Attributes
    ----------
    wer, tolerant_wer
        Word errors over all words, strict and tolerant.
    suspicious
        Every check whose verdict is not ``"ok"``.
    seconds
        Time the check took.
    audio_seconds
        Length of what was heard.
    """

    segments: int
    words: int
    wer: float
    tolerant_wer: float
    verdicts: dict[str, int]
    suspicious: tuple[SegmentCheck, ...]
    heard_again: int
    seconds: float
    audio_seconds: float

    @classmethod
    def of(cls, checks: Iterable[SegmentCheck], *, audio_seconds: float = 0.0) -> CheckReport:
        """Consume `checks` (a list, or :func:`iter_checks` itself, whose time is then taken)."""
        started = time.perf_counter()
        segments = words = again = 0
        errors = tolerant = 0.0
        verdicts = dict.fromkeys(("ok", "missing", "repeated", "garbled", "unsure"), 0)
        suspicious = []
        for one in checks:
            segments, words = segments + 1, words + one.expected_words
            errors += one.wer * one.expected_words
            tolerant += one.tolerant_wer * one.expected_words
            verdicts[one.verdict] += 1
            again += one.hearings > 1
            if one.verdict != "ok":
                suspicious.append(one)
        return cls(
            segments=segments,
            words=words,
            wer=errors / words if words else 0.0,
            tolerant_wer=tolerant / words if words else 0.0,
            verdicts=verdicts,
            suspicious=tuple(suspicious),
            heard_again=again,
            seconds=time.perf_counter() - started,
            audio_seconds=audio_seconds,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {
            "segments": self.segments,
            "words": self.words,
            "wer": round(self.wer, 5),
            "tolerant_wer": round(self.tolerant_wer, 5),
            "verdicts": self.verdicts,
            "suspicious": [one.to_json() for one in self.suspicious],
            "heard_again": self.heard_again,
            "seconds": round(self.seconds, 2),
            "audio_seconds": round(self.audio_seconds, 2),
        }

    def sentences(self) -> list[str]:
        """Say the result in plain sentences, the summary first."""
        wrong = sum(one.wrong for one in self.suspicious)
        unsure = len(self.suspicious) - wrong
        lines = [
            f"{self.segments} segments with {self.words} words were heard: {wrong} wrong, "
            f"{unsure} that could not be made out for sure. Word error rate {self.wer:.1%}, "
            f"{self.tolerant_wer:.1%} without words that merely sound alike."
        ]
        lines += [
            f"Segment {one.segment_id} ({one.verdict}): {one.detail}" for one in self.suspicious
        ]
        return lines
