"""The promise: every sentence of the book is spoken once, in order."""

from __future__ import annotations

import contextlib
import html
import io
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consent.errors import InputError
from voice.script import BlockKind, make_plan, read_book
from voice.script.model import Block, Span
from voice.script.segments import MAX_CHARACTERS, pieces_of

WORDS = st.sampled_from(
    [
        "the",
        "Mr.",
        "a.m.",
        "said",
        "I",
        "“Yes,”",
        "‘no’",
        "London.",
        "Why?",
        "1914",
        "£5",
        "e.g.",
        "(so)",
        "well—",
        "J.",
        "R.",
        "U.S.",
        "No.",
        "…",
        "it's",
        "“What?”",
        "end!",
        "and;",
        "but,",
        "XIV.",
        "www.x.org",
        "3.14",
        "Dr.",
        "St.",
        "etc.",
        "“…",
        "NASA",
        "co-op",
    ]
)
SENTENCES = st.lists(WORDS, min_size=1, max_size=40).map(" ".join)
INLINE = st.sampled_from(["{}", "<em>{}</em>", "<i>{}</i>", "<span>{}</span>", "<b><a>{}</a></b>"])
BLOCKS = st.sampled_from(
    [
        "<p>{}</p>",
        "<blockquote><p>{}</p></blockquote>",
        "<ul><li>{}</li></ul>",
        "<div>{}</div>",
        "<h3>{}</h3>",
        '<div class="poem"><p>{}</p></div>',
        "<div><div><p>{}</p></div></div>",
        "<table><tr><td>{}</td></tr></table>",
    ]
)


def squeezed(text: str) -> str:
    return "".join(text.split())


@given(st.lists(st.tuples(BLOCKS, INLINE, SENTENCES), min_size=1, max_size=12))
@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_every_word_of_an_epub_is_in_the_plan_once_and_in_order(make_epub, xhtml, parts):
    parts = [(block, inline, f"So {text}") for block, inline, text in parts]
    body = "".join(block.format(inline.format(html.escape(text))) for block, inline, text in parts)
    data = make_epub({"a.xhtml": xhtml(body)})
    book = read_book(None, stream=io.BytesIO(data), keep=["all"])
    expected = squeezed("".join(text for _, _, text in parts))
    in_blocks = squeezed("".join(b.text for c in book.chapters for b in c.blocks))
    assert in_blocks == expected
    spoken_blocks = [b for c in book.chapters for b in c.blocks if b.kind is not BlockKind.BREAK]
    plan = make_plan(book, narrator="v")
    in_plan = squeezed("".join(s.text for c in plan.chapters for s in c.segments))
    assert in_plan == squeezed("".join(b.text for b in spoken_blocks))


@given(st.lists(SENTENCES, min_size=1, max_size=30))
@settings(max_examples=120, deadline=None)
def test_every_word_of_a_text_is_in_the_plan_once_and_in_order(paragraphs):
    text = "\n\n".join(f"So {paragraph} it went on" for paragraph in paragraphs)
    plan = make_plan(read_book(None, stream=io.BytesIO(text.encode())), narrator="v")
    assert squeezed("".join(s.text for c in plan.chapters for s in c.segments)) == squeezed(text)


@given(st.text(max_size=600), st.sampled_from(["text", "markdown"]))
@settings(max_examples=300, deadline=None)
def test_random_text_never_crashes(text, format):
    try:
        book = read_book(None, stream=io.BytesIO(text.encode("utf-8", "ignore")), format=format)
        plan = make_plan(book, narrator="v")
    except InputError:
        return
    for chapter in plan.chapters:
        for segment in chapter.segments:
            assert segment.spoken.strip()
            assert segment.text.strip()


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_random_bytes_never_crash(data):
    with contextlib.suppress(InputError):
        make_plan(read_book(None, stream=io.BytesIO(data)), narrator="v")


@given(st.lists(st.sampled_from(["and so on", ", ", "; ", "x" * 90, " ", "é́", "— "]), max_size=300))
@settings(max_examples=100, deadline=None)
def test_long_sentences_are_cut_and_lose_nothing(parts):
    text = "".join(parts).strip()
    pieces = pieces_of(Block(BlockKind.PARAGRAPH, (Span(text),)), "en")
    said = "".join(text[piece.start : piece.end] for piece in pieces)
    if any(character.isalnum() for character in text):
        assert squeezed(said) == squeezed(text)
    long = [p for p in pieces if p.end - p.start > MAX_CHARACTERS]
    assert not [p for p in long if sum(c.isalnum() for c in text[p.start : p.end]) > MAX_CHARACTERS]


def test_a_sentence_of_four_thousand_characters():
    sentence = "and he went on and on, past the house; " * 103
    pieces = pieces_of(Block(BlockKind.PARAGRAPH, (Span(sentence),)), "en")
    lengths = [piece.end - piece.start for piece in pieces]
    assert max(lengths) <= MAX_CHARACTERS
    assert min(lengths) > 60
    assert all(sentence[p.start : p.end].endswith((";", ",")) for p in pieces[:-1])
    assert {piece.ending for piece in pieces[:-1]} == {"clause"}


@pytest.mark.parametrize("format", ["text", "markdown"])
def test_megabytes_in_one_paragraph(format):
    text = "It was a bright cold day, and the clocks were striking, said the old man. " * 14_000
    started = time.perf_counter()
    book = read_book(None, stream=io.BytesIO(text.encode()), format=format)
    plan = make_plan(book, narrator="v")
    seconds = time.perf_counter() - started
    assert len(text) > 1_000_000
    assert seconds < 15
    assert squeezed("".join(s.text for c in plan.chapters for s in c.segments)) == squeezed(text)
