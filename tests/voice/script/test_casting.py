"""Who speaks what."""

# ruff: noqa: E501  (cases read better on one line)
from __future__ import annotations

import io
from dataclasses import replace

import pytest

from consent.errors import InputError
from voice.script import Cast, make_plan, read_book

CAST = """
narrator = "bf_emma"
[roles]
letter = "am_adam"
[chapters]
"2" = "bm_lewis"
[characters.Ukridge]
voice = "am_puck"
aliases = ["Stanley"]
speed = 1.1
[characters.Garnet]
voice = "bm_george"
aliases = ["I"]
[pauses]
paragraph = 0.9
"""


@pytest.fixture
def full_cast(tmp_path):
    path = tmp_path / "cast.toml"
    path.write_text(CAST)
    return Cast.load(path)


@pytest.fixture
def cast(full_cast):
    return replace(full_cast, chapters={})


def voices(text, cast, chapter=0):
    book = read_book(None, stream=io.BytesIO(text.encode()))
    plan = make_plan(book, cast=cast)
    return [(s.voice, s.text) for s in plan.chapters[chapter].segments]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("“Come here,” said Ukridge.", [("Ukridge", "“Come here,”"), (None, "said Ukridge.")]),
        ("Stanley cried, “No!”", [(None, "Stanley cried,"), ("Ukridge", "“No!”")]),
        ("“Yes?” I said. “Go on.”", [("Garnet", "“Yes?”"), (None, "I said."), ("Garnet", "“Go on.”")]),
        ("“Hm,” said Mr. Ukridge softly.", [("Ukridge", "“Hm,”"), (None, "said Mr. Ukridge softly.")]),
        ("“Come,” said Mrs. Medley.", [(None, "“Come,” said Mrs. Medley.")]),
        ("“Come,” said Ukridge’s aunt.", [(None, "“Come,” said Ukridge’s aunt.")]),
        ("“A,” said Ukridge. “B,” I said.", [(None, "“A,” said Ukridge. “B,” I said.")]),
        ("Ukridge said nothing at all.", [(None, "Ukridge said nothing at all.")]),
        ("“Nobody is named here at all.”", [(None, "“Nobody is named here at all.”")]),
    ],
)  # fmt: skip
def test_quotations_go_to_those_the_text_names(cast, text, expected):
    assert voices(text, cast) == expected


def test_a_speech_over_several_paragraphs(cast):
    text = "“One,” said Ukridge. “It goes on\n\n“and on.”\n\n“Who is this?”"
    assert [voice for voice, _ in voices(text, cast)] == [
        "Ukridge",
        None,
        "Ukridge",
        "Ukridge",
        None,
    ]


def test_single_quotation_marks(cast):
    text = "‘Don’t go,’ said Ukridge.\n\n‘What?’ said someone."
    assert voices(text, cast)[0] == ("Ukridge", "‘Don’t go,’")


def test_chapters_pauses_speed_and_narrator(full_cast):
    text = "CHAPTER 1\n\nOne.\n\n“Hi,” said Ukridge.\n\nTwo.\n\nCHAPTER 2\n\nThree."
    plan = make_plan(read_book(None, stream=io.BytesIO(text.encode())), cast=full_cast)
    assert plan.narrator == "bf_emma"
    assert plan.cast == {"letter": "am_adam", "Ukridge": "am_puck", "Garnet": "bm_george"}
    assert {s.voice for s in plan.chapters[1].segments} == {"bm_lewis"}
    by_text = {s.text: s for s in plan.chapters[0].segments}
    assert by_text["One."].pause_after == 0.9
    assert by_text["“Hi,”"].speed == 1.1
    assert plan.voice_of(by_text["“Hi,”"]) == "am_puck"
    assert plan.voices == ("bf_emma", "am_puck", "bm_lewis")


def test_the_narrator_of_the_call_wins(cast):
    book = read_book(None, stream=io.BytesIO(b"Text."))
    assert make_plan(book, narrator="af_heart", cast=cast).narrator == "af_heart"
    with pytest.raises(InputError, match="no narrator"):
        make_plan(book)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("narrator = ", "not valid TOML"),
        ("narator = 'x'", "unknown entry 'narator'"),
        ("narrator = 5", "narrator is 5"),
        ("[roles]\na = 1", "'a' is 1"),
        ("[chapters]\nfirst = 'x'", "'first' is not a chapter number"),
        ("[characters.Bob]\naliases = ['B']", "has no voice"),
        ("[characters.Bob]\nvoice = 'x'\naliases = 'B'", "not a list of names"),
        ("[characters.Bob]\nvoice = 'x'\nspeed = 9", "speed is 9"),
        ("[pauses]\nparagraf = 1", "no pause called 'paragraf'"),
        ("[pauses]\nparagraph = -1", "0 to 30"),
        ("roles = 5", "not a table"),
    ],
)
def test_wrong_casts_are_explained(tmp_path, content, match):
    path = tmp_path / "cast.toml"
    path.write_text(content)
    with pytest.raises(InputError, match=match) as caught:
        Cast.load(path)
    assert "cast.toml" in caught.value.message


def test_a_voice_for_a_chapter_that_does_not_exist(tmp_path):
    path = tmp_path / "cast.toml"
    path.write_text("narrator = 'x'\n[chapters]\n'3-9' = 'y'")
    book = read_book(None, stream=io.BytesIO(b"Text."))
    with pytest.raises(InputError, match="no chapter 3"):
        make_plan(book, cast=Cast.load(path))
