"""What docs/markup.md shows is true."""

from __future__ import annotations

import io
import re
from dataclasses import fields
from pathlib import Path

import pytest

from voice.script import KINDS, Cast, Lexicon, make_plan, read_book
from voice.script.frontmatter import UNKEEPABLE
from voice.script.pauses import Pauses
from voice.script.planfile import parse_plan

DOCS = (Path(__file__).parents[3] / "docs" / "markup.md").read_text("utf-8")


def example(name: str) -> str:
    match = re.search(rf"<!-- example: {name} -->\n```\w+\n(.*?)```", DOCS, re.S)
    assert match is not None
    return match.group(1)


@pytest.mark.parametrize("format", ["text", "markdown"])
def test_the_markup_example(format):
    book = read_book(None, stream=io.BytesIO(example("text").encode()), format=format)
    segments = make_plan(book, narrator="n").chapters[0].segments
    assert [s.text for s in segments if s.voice == "letter"] == [
        "Dear Bill, come at once.",
        "Yours, Stanley.",
    ]
    assert [s.pause_after for s in segments if s.text == "He read it twice."] == [1.8]
    assert segments[-1].spoken.endswith("[Featherstonehaugh](/ˈfænʃɔː/).")


def test_the_cast_example(tmp_path):
    path = tmp_path / "cast.toml"
    path.write_text(example("cast"), "utf-8")
    cast = Cast.load(path)
    assert cast.narrator == "kokoro:bf_emma"
    assert cast.chapter_voice(6) == "kokoro:bm_lewis"
    assert cast.language_voice("de-AT") == "coqui:thorsten"
    assert cast.pauses == Pauses(), "the example shows the defaults"


def test_the_lexicon_example(tmp_path):
    path = tmp_path / "words.toml"
    path.write_text(example("lexicon"), "utf-8")
    lexicon = Lexicon.load(path)
    assert [m.spoken for m in lexicon.find("Data on Featherstonehaugh in Buenos Aires")] == [
        "/ˈdeɪtə/",
        "Fanshaw",
        "/ˌbweɪnəs ˈaɪrɪz/",
    ]


def test_the_plan_example():
    plan = parse_plan(example("plan"))
    heading, shout, sentence = plan.chapters[0].segments
    assert heading.spoken == "Chapter one."
    assert plan.voice_of(shout) == "kokoro:am_puck"
    assert sentence.spoken == "It was five AM on the third of May, nineteen fourteen."


def test_every_key_and_every_pause_is_documented():
    for key in set(KINDS):
        assert f"`{key}`" in DOCS, key
    assert "missing" in UNKEEPABLE
    for field in fields(Pauses):
        assert re.search(rf"`{field.name}` {field.default:g}\b", DOCS), field.name
