"""The completeness check: whether the sound says what the script says.

Every segment is heard by a speech recogniser and compared with its text. A recogniser errs too,
so a segment that looks wrong is heard again, alone and in two other ways, and last the
recogniser is asked how far the sound bears out each word that it did not write down by itself.
Only what fails all of it is called wrong.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from provenance.listening.asr import Transcript, Word
from voice.narration.alignment import word_error_rate, word_errors
from voice.narration.coverage import FileCheck, Span, check_file
from voice.narration.judgement import Hearing, borne_out_words, judge
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
    heard: list[list[str]] = [[] for _ in window]
    place = 0
    for word in words:
        while place < len(ends) - 1 and (word.start + word.end) / 2 > ends[place]:
            place += 1
        heard[place].append(word.text)
    for (segment, samples), said in zip(window, heard, strict=True):
        yield _check_one(segment, samples, " ".join(said), rate, listener, language)


def _check_one(
    segment: Segment, samples: FloatArray, text: str, rate: int, listener: Listener, language: str
) -> SegmentCheck:
    expected = plain_text(segment.spoken)
    script = words_of(expected, language)
    hearings = [Hearing.of(script, text, language)]
    texts = [text]
    if not script:
        extra = len(hearings[0].heard) > 1
        return SegmentCheck(
            segment.id, 0, expected, text, 0.0, 0.0, "garbled" if extra else "ok",
            "Something is said where the script has no words." if extra else "",
        )  # fmt: skip
    borne_out: set[int] = set()
    if hearings[0].doubtful():
        pad = np.zeros(round(0.3 * rate), np.float32)
        alone = np.concatenate([pad, samples, pad])
        for beam in (1, 5):
            texts.append(listener.transcribe(alone, rate, language, beam=beam).text)
            hearings.append(Hearing.of(script, texts[-1], language))
            if not hearings[-1].doubtful():
                break
        else:
            missed = set.intersection(*(hearing.missed() for hearing in hearings))
            if missed and alone.size <= 30 * rate:
                asked = listener.support(alone, rate, expected, language)
                borne_out = borne_out_words(hearings, asked, language)
    best = min(range(len(hearings)), key=lambda index: (hearings[index].errors, -index))
    verdict, detail = judge(hearings, best, borne_out)
    chosen = hearings[best]
    forgiven = len(chosen.missed() & borne_out)
    return SegmentCheck(
        segment_id=segment.id,
        expected_words=len(script),
        expected=expected,
        heard=texts[best].strip(),
        wer=word_errors(chosen.stretches) / len(script),
        tolerant_wer=max(0, chosen.errors - forgiven) / len(script),
        verdict=verdict,
        detail=detail,
        hearings=len(hearings),
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
