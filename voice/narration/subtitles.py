"""Subtitles of what is spoken: SRT and WebVTT from the timeline.

A cue holds at most two lines of 42 characters, the limit broadcasters and streaming services
set for Latin scripts (Netflix Timed Text Style Guide, General Requirements; BBC Subtitle
Guidelines use 37 to 42). A longer segment becomes several cues; its time is shared in
proportion to their characters, as speech is.
"""

from __future__ import annotations

import html
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from consent.errors import InputError
from consent.files import write_atomic
from voice.narration.timeline import Span, Timeline

LINE_CHARACTERS = 42
LINES = 2
FORMATS = ("srt", "vtt")


@dataclass(frozen=True, slots=True)
class Cue:
    """One subtitle: seconds from the start of the file, and its one or two lines."""

    start: float
    stop: float
    lines: tuple[str, ...]


def cues(timeline: Timeline) -> Iterator[Cue]:
    """Yield the cues of a file in order; they never overlap."""
    for span in timeline.segments():
        yield from _cues_of(span, timeline.rate)


def _cues_of(span: Span, rate: int) -> Iterator[Cue]:
    groups = _split(" ".join(span.text.split()))
    weights = [sum(map(len, group)) for group in groups]
    total = sum(weights)
    spoken = 0
    for group, weight in zip(groups, weights, strict=True):
        start = span.start + (span.stop - span.start) * spoken / total
        spoken += weight
        stop = span.start + (span.stop - span.start) * spoken / total
        yield Cue(start / rate, stop / rate, group)


def _split(text: str) -> list[tuple[str, ...]]:
    """Split text into cues of at most two lines, the lines of a cue of even length."""
    lines = textwrap.wrap(text, LINE_CHARACTERS, break_on_hyphens=False)
    groups = []
    for index in range(0, len(lines), LINES):
        joined = " ".join(lines[index : index + LINES])
        groups.append(_balance(joined, tuple(lines[index : index + LINES])))
    return groups


def _balance(text: str, greedy: tuple[str, ...]) -> tuple[str, ...]:
    """Break two lines near the middle instead of filling the first one."""
    if len(greedy) < 2:
        return greedy
    best = greedy
    for place, character in enumerate(text):
        if character != " ":
            continue
        pair = (text[:place], text[place + 1 :])
        if max(map(len, pair)) < max(map(len, best)):
            best = pair
    return best


def _clock(seconds: float, separator: str) -> str:
    milliseconds = round(seconds * 1000)
    hours, rest = divmod(milliseconds, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{hours:02d}:{minutes:02d}:{rest // 1000:02d}{separator}{rest % 1000:03d}"


def to_srt(timeline: Timeline) -> str:
    """Return the subtitles as SubRip text."""
    blocks = [
        f"{number}\n{_clock(cue.start, ',')} --> {_clock(cue.stop, ',')}\n" + "\n".join(cue.lines)
        for number, cue in enumerate(cues(timeline), start=1)
    ]
    return "\n\n".join(blocks) + "\n"


def to_vtt(timeline: Timeline) -> str:
    """Return the subtitles as WebVTT (W3C), UTF-8 text."""
    blocks = ["WEBVTT"]
    for cue in cues(timeline):
        text = "\n".join(html.escape(line, quote=False) for line in cue.lines)
        blocks.append(f"{_clock(cue.start, '.')} --> {_clock(cue.stop, '.')}\n{text}")
    return "\n\n".join(blocks) + "\n"


def check_formats(formats: Sequence[str]) -> tuple[str, ...]:
    """Return `formats` without repetitions; refuse unknown ones."""
    for name in formats:
        if name not in FORMATS:
            raise InputError(
                f"unknown subtitle format {name!r}", hint=f"Use {' or '.join(FORMATS)}."
            )
    return tuple(dict.fromkeys(formats))


def subtitle_path(audio: Path, name: str) -> Path:
    """Return where the subtitles of `audio` in the format `name` belong."""
    return audio.with_suffix(f".{name}")


def write_subtitles(timeline: Timeline, audio: Path, formats: Sequence[str]) -> tuple[Path, ...]:
    """Write subtitle files beside `audio`, with its name and the format's suffix.

    Returns
    -------
    tuple of Path
        The files written, in the order of `formats`.

    Raises
    ------
    StorageError
        The folder cannot be written.
    """
    written = []
    for name in check_formats(formats):
        text = to_srt(timeline) if name == "srt" else to_vtt(timeline)
        path = subtitle_path(audio, name)
        write_atomic(path, text.encode("utf-8"))
        written.append(path)
    return tuple(written)
