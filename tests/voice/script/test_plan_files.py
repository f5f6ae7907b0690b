"""Plans: segments and pauses, choosing chapters, estimates, the file to edit by hand."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent.errors import InputError, StorageError
from voice.script import (
    BlockKind,
    Plan,
    PlanChapter,
    Segment,
    Skipped,
    dump_plan,
    estimate,
    load_plan,
    make_plan,
    read_book,
    save_plan,
    select_chapters,
)
from voice.script.planfile import parse_plan

TEXT = """CHAPTER I

A Beginning

Mr. Smith said "no". He left! It was 1914.

* * *

Roses are red,
Violets are blue,
Sugar is sweet.

CHAPTER II

Short.

CHAPTER III

Last 你好.
"""


@pytest.fixture
def plan():
    return make_plan(read_book(None, stream=io.BytesIO(TEXT.encode())), narrator="kokoro:af_heart")


def test_segments_are_numbered_and_paused_by_structure(plan):
    first = plan.chapters[0].segments
    assert [(s.id, s.kind.value, s.text, s.pause_after) for s in first] == [
        ("1.1", "heading", "CHAPTER I", 1.5),
        ("1.2", "paragraph", "A Beginning", 0.6),
        ("1.3", "paragraph", 'Mr. Smith said "no".', 0.3),
        ("1.4", "paragraph", "He left! It was 1914.", 1.6),
        ("1.5", "verse", "Roses are red,", 0.3),
        ("1.6", "verse", "Violets are blue,", 0.3),
        ("1.7", "verse", "Sugar is sweet.", 1.0),
    ]
    assert first[3].spoken == "He left! It was nineteen fourteen."


def test_unspeakable_text_is_listed(plan):
    assert plan.chapters[2].segments[1].spoken == "Last."
    (dropped,) = [s for s in plan.skipped if s.key == "unspeakable"]
    assert (dropped.what, dropped.excerpt) == ("unspeakable text", "你好")


def test_a_plan_file_gives_the_same_plan_back(plan, tmp_path):
    path = tmp_path / "book.plan.toml"
    save_plan(plan, path)
    assert load_plan(path) == plan


def test_what_is_edited_by_hand_is_taken(plan):
    text = dump_plan(plan)
    text = text.replace("\n[cast]\n", '\n[cast]\nbob = "am_puck"\n')
    text = text.replace(
        '[[chapter.segment]]\nid = "1.4"',
        '[[chapter.segment]]\nid = "1.3b"\ntext = "Inserted in 1914."\nvoice = "bob"\n\n'
        '[[chapter.segment]]\nid = "1.4"',
    )
    edited = parse_plan(text)
    segment = edited.chapters[0].segments[3]
    assert segment.spoken == "Inserted in nineteen fourteen."
    assert edited.voice_of(segment) == "am_puck"


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ('id = "1.4"', 'id = "1.3"', r"line \d+: segment 1\.3: there are two segments"),
        ('text = "Short."', "text = 5", r"line \d+: segment 2\.2: text is 5"),
        ('text = "Short."', 'text = ""', r"segment 2\.2: there is nothing to speak"),
        ('text = "Short."', 'test = "Short."', r"segment 2\.2: unknown entry 'test'"),
        ('text = "Short."', 'text = "Short.', r"line \d+"),
        ('kind = "verse"', 'kind = "poem"', "kind is 'poem'"),
        ("pause = 1.6", "pause = -1", r"segment 1\.4: pause is -1; it may be 0 to 60"),
        ("pause = 1.6", 'pause = "long"', "pause is 'long'"),
        ("number = 2", "number = 1", "two chapters with number 1"),
        ("number = 2", "number = 0", "number is 0"),
        ("format = 1", "format = 9", "format is 9"),
        ('narrator = "kokoro:af_heart"', "", "narrator is None"),
        ("\n[cast]\n", "\n[cast]\na = 1\n", "'a' is 1"),
        ("\n[cast]\n", "\n[kast]\n", "unknown entry 'kast'"),
        ("number = 2", "number = " + "9" * 400, r"number is 9+, not a whole number from 1 to"),
        ("number = 2", "number = " + "9" * 5000, "not valid TOML"),
        ("\n[cast]\n", "\n[cast]\na = " + "[" * 20_000, "nested too deeply"),
    ],
)
def test_mistakes_are_named_with_line_and_segment(plan, old, new, match):
    text = dump_plan(plan)
    assert old in text
    with pytest.raises(InputError, match=match):
        parse_plan(text.replace(old, new, 1))


def test_the_line_of_a_mistake_is_right(plan):
    lines = dump_plan(plan).replace('id = "2.2"', 'id = "2.1"').split("\n")
    second = [n for n, line in enumerate(lines, 1) if 'id = "2.1"' in line][1]
    with pytest.raises(InputError, match=f"line {second - 1}: segment 2.1"):
        parse_plan("\n".join(lines))


def test_files_that_are_no_plans(tmp_path):
    with pytest.raises(InputError, match="skipped is 5"):
        parse_plan('skipped = 5\n[plan]\ntitle = "x"\nnarrator = "y"\n[[chapter]]\n')
    with pytest.raises(InputError, match="cannot be read"):
        load_plan(tmp_path / "none.toml")
    with pytest.raises(StorageError, match="folder does not exist"):
        save_plan(Plan("t", (), "en", "v", ()), tmp_path / "no" / "plan.toml")
    with pytest.raises(InputError, match=r"no \[\[chapter\]\]"):
        parse_plan('[plan]\ntitle = "x"\nnarrator = "y"\n')


words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


@given(
    st.lists(
        st.builds(
            Segment,
            id=words,
            kind=st.sampled_from(BlockKind),
            text=words,
            spoken=words.filter(lambda text: bool(text.strip())),
            language=st.sampled_from(["en", "en-GB", "fr"]),
            voice=st.none() | words,
            pause_after=st.integers(0, 60_000).map(lambda ms: ms / 1000),
            speed=st.sampled_from([0.5, 1.0, 1.25]),
        ),
        min_size=1,
        max_size=5,
        unique_by=lambda segment: segment.id.strip(),
    ),
    words,
    st.dictionaries(words, words, max_size=3),
    st.none() | st.binary(min_size=1, max_size=300),
)
@settings(max_examples=200, deadline=None)
def test_any_plan_survives_the_file(segments, title, cast, cover):
    segments = [s for s in segments if s.id.strip()]
    plan = Plan(
        title=title,
        authors=(title, "b"),
        language="en",
        narrator="v",
        chapters=(PlanChapter(3, title, tuple(segments)),),
        cast=cast,
        skipped=(Skipped(title, "w", "e", 3, "k"),),
        cover=cover,
        cover_type="image/png" if cover else "",
    )
    assert parse_plan(dump_plan(plan)) == plan


@pytest.mark.parametrize(
    ("choice", "numbers"),
    [
        ("1", [1]),
        ("1-2", [1, 2]),
        ("1,3", [1, 3]),
        ("2-", [2, 3]),
        ("-2", [1, 2]),
        (" 3 , 1 ", [1, 3]),
    ],
)
def test_chapters_can_be_chosen(plan, choice, numbers):
    assert [chapter.number for chapter in select_chapters(plan, choice).chapters] == numbers


@pytest.mark.parametrize("choice", ["", "x", "4", "0", "1-9", "3-1", "1,,2", "-", "1-2-3"])
def test_choices_that_make_no_sense(plan, choice):
    with pytest.raises(InputError, match="chapter"):
        select_chapters(plan, choice)


def test_the_estimate_adds_up(plan):
    whole = estimate(plan, words_per_minute=60, rtf=0.5, workers=2)
    assert whole.words == sum(chapter.words for chapter in plan.chapters)
    pauses = sum(s.pause_after for c in plan.chapters for s in c.segments) / 60
    assert whole.minutes == pytest.approx(whole.words / 60 + pauses)
    assert whole.render_minutes == pytest.approx(whole.words / 60 * 0.5 / 2)
    assert estimate(plan).render_minutes is None
