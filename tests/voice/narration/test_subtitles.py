from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.errors import InputError, StorageError
from voice.narration.subtitles import cues, to_srt, to_vtt, write_subtitles
from voice.narration.timeline import ChapterSpan, Span, Timeline, join

LONG = (
    "It was the best of times, it was the worst of times, it was the age of wisdom, it was the "
    "age of foolishness, it was the epoch of belief, it was the epoch of incredulity."
)


def timeline(*texts: str, rate: int = 24000) -> Timeline:
    spans, at = [], 18000
    for number, text in enumerate(texts, start=1):
        length = 1500 * len(text)
        spans.append(Span(f"1.{number}", text, at, at + length))
        at += length + 9600
    return Timeline(rate, (ChapterSpan(1, "One", 0, at, tuple(spans)),))


def test_a_short_segment_is_one_cue_at_its_place() -> None:
    (cue,) = cues(timeline("Sir?"))
    assert (cue.start, cue.stop, cue.lines) == (0.75, 1.0, ("Sir?",))


@given(
    st.lists(
        st.text(st.characters(categories=("L", "P", "Zs")), min_size=1, max_size=400).filter(
            lambda t: t.strip()
        ),
        min_size=1,
        max_size=5,
    )
)
def test_cues_keep_all_text_in_order_within_two_lines_of_42(texts: list[str]) -> None:
    made = list(cues(timeline(*texts)))
    assert all(1 <= len(cue.lines) <= 2 for cue in made)
    assert all(len(line) <= 42 for cue in made for line in cue.lines)
    said = "".join(line for cue in made for line in cue.lines)
    assert re.sub(r"\s", "", said) == re.sub(r"\s", "", "".join(texts))
    for one, two in itertools.pairwise(made):
        assert one.start < one.stop <= two.start


def test_a_long_segment_shares_its_time_by_characters_without_gaps() -> None:
    line = timeline(LONG)
    made = list(cues(line))
    assert len(made) > 1
    assert made[0].start == line.chapters[0].segments[0].start / 24000
    assert made[-1].stop == line.chapters[0].segments[0].stop / 24000
    speeds = [sum(map(len, c.lines)) / (c.stop - c.start) for c in made]
    assert max(speeds) / min(speeds) < 1.001
    assert all(one.stop == two.start for one, two in itertools.pairwise(made))


def test_srt_and_vtt_say_the_same_in_their_own_syntax() -> None:
    line = timeline("He said <Go!> & left.", "Sir?")
    assert to_srt(line) == (
        "1\n00:00:00,750 --> 00:00:02,062\nHe said <Go!> & left.\n\n"
        "2\n00:00:02,462 --> 00:00:02,712\nSir?\n"
    )
    assert to_vtt(line) == (
        "WEBVTT\n\n00:00:00.750 --> 00:00:02.062\nHe said &lt;Go!&gt; &amp; left.\n\n"
        "00:00:02.462 --> 00:00:02.712\nSir?\n"
    )


def test_times_beyond_an_hour_are_written_right() -> None:
    span = Span("1.1", "Late.", 24000 * 36_061, 24000 * 36_062)
    assert "10:01:01,000 --> 10:01:02,000" in to_srt(
        Timeline(24000, (ChapterSpan(1, "", 0, 24000 * 36_070, (span,)),))
    )


def test_the_second_chapter_starts_where_the_first_one_ends() -> None:
    one, two = timeline("One.").chapters[0], timeline("Two two.").chapters[0]
    book = join(24000, (one, two))
    assert book.chapters[1].start == one.stop
    assert book.chapters[1].segments[0].start == one.stop + 18000
    assert book.samples == one.stop + two.stop


def test_files_are_written_beside_the_audio(tmp_path: Path) -> None:
    written = write_subtitles(timeline("Hé?"), tmp_path / "book.m4b", ("srt", "vtt", "srt"))
    assert [path.name for path in written] == ["book.srt", "book.vtt"]
    assert "Hé?" in written[0].read_text("utf-8")


def test_unknown_formats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'ass'"):
        write_subtitles(timeline("Hé?"), tmp_path / "book.m4b", ("ass",))


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="does not exist"):
        write_subtitles(timeline("Hé?"), tmp_path / "no" / "book.m4b", ("srt",))
