"""Plain text and Markdown to books, and the markup inside them."""

# ruff: noqa: E501  (cases read better on one line)
from __future__ import annotations

import io

import pytest

from consent.errors import InputError
from voice.script import BlockKind, make_plan, read_book


def read(text, format="text", **options):
    data = text if isinstance(text, bytes) else text.encode()
    return read_book(None, stream=io.BytesIO(data), format=format, **options)


def blocks(book, chapter=0):
    return [(block.kind.value, block.text) for block in book.chapters[chapter].blocks]


def test_paragraphs_headings_breaks_and_verse():
    book = read(
        "CHAPTER I\n\nThe first paragraph is wrapped over\ntwo lines, with a well-\nknown word.\n\n"
        "* * *\n\nRoses are red,\nViolets are blue,\nSugar is sweet.\n\nCHAPTER II\n\nThe end.\n\nFin."
    )
    assert [chapter.title for chapter in book.chapters] == ["CHAPTER I", "CHAPTER II"]
    assert blocks(book) == [
        ("heading", "CHAPTER I"),
        ("paragraph", "The first paragraph is wrapped over two lines, with a well-known word."),
        ("break", "* * *"),
        ("verse", "Roses are red,"),
        ("verse", "Violets are blue,"),
        ("verse", "Sugar is sweet."),
    ]


def test_short_prose_is_no_verse():
    assert blocks(read('Mr. Smith left. "Why?" asked Bob.\nIt was 1914.'))[0][0] == "paragraph"


def test_every_line_is_a_paragraph_where_lines_are_long():
    assert len(blocks(read("word " * 40 + "\n" + "more " * 40 + "\n"))) == 2


def test_project_gutenberg_texts():
    book = read(
        "The Project Gutenberg eBook of Emma\n\nTitle: Emma\n\nAuthor: Jane Austen\n\n"
        "Language: English\n\n*** START OF THE PROJECT GUTENBERG EBOOK EMMA ***\n\n\n\n"
        "CONTENTS\n\nChapter I\n\nChapter II\n\n\nChapter I\n\nEmma was _very_ clever.[1]\n\n"
        "[Illustration: Emma]\n\n[Footnote 1: So they said.]\n\n[Pg 12]\n\nChapter II\n\nMore.\n\n"
        "*** END OF THE PROJECT GUTENBERG EBOOK EMMA ***\n\nLicence text."
    )
    assert (book.title, book.authors, book.language) == ("Emma", ("Jane Austen",), "en")
    assert [[text for _, text in blocks(book, n)] for n in range(len(book.chapters))] == [
        ["Chapter I", "Emma was very clever."],
        ["Chapter II", "More."],
    ]
    assert sorted({s.key for s in book.skipped}) == [
        "contents", "footnotes", "gutenberg", "images", "note-marks", "page-numbers",
    ]  # fmt: skip


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_encodings_are_recognised(encoding):
    text = "“Café,” he said – for £5. " * 9
    assert blocks(read(text.encode(encoding)))[0][1] == text.strip()


def test_markdown_structure():
    book = read(
        "---\ntitle: My Book\nauthor: A. B.\nlanguage: en-GB\n---\n# One\n\nText *very* **good**  \n"
        "next `code`.\n\n> Quoted.\n\n1. First\n2. Second\n\n---\n\n| A | B |\n|---|---|\n| c | d |\n\n"
        "![A map](m.png)\n\nA note[^1].\n\n[^1]: Hidden.\n\n# Two\n\n[Link](http://x.org) end.\n",
        "markdown",
    )
    assert (book.title, book.authors, book.language) == ("My Book", ("A. B.",), "en-GB")
    assert blocks(book) == [
        ("heading", "One"),
        ("verse", "Text very good"),
        ("verse", "next code."),
        ("quote", "Quoted."),
        ("list-item", "First"),
        ("list-item", "Second"),
        ("break", ""),
        ("list-item", "A, B"),
        ("list-item", "c, d"),
        ("paragraph", "A note."),
    ]
    assert blocks(book, 1)[1] == ("paragraph", "Link end.")
    assert sorted(s.key for s in book.skipped) == ["footnotes", "images", "note-marks"]


@pytest.mark.parametrize("format", ["text", "markdown"])
def test_voices_pauses_and_pronunciations_by_markup(format):
    book = read(
        "He wrote: [voice:letter]Dear Bill, come.\n\nYours, Stan.[/voice] Then [pause:2.5]silence "
        "about [Ukridge](/ˈjuːkrɪdʒ/).\n\n[pause:3]\n\nThe end.",
        format,
    )
    segments = make_plan(book, narrator="n").chapters[0].segments
    assert [(s.voice, s.text, s.pause_after) for s in segments] == [
        (None, "He wrote:", 0.12),
        ("letter", "Dear Bill, come.", 0.6),
        ("letter", "Yours, Stan.", 0.3),
        (None, "Then", 2.62),
        (None, "silence about Ukridge.", 3.0),
        (None, "The end.", 1.0),
    ]
    assert segments[4].spoken == "silence about [Ukridge](/ˈjuːkrɪdʒ/)."


@pytest.mark.parametrize("format", ["text", "markdown"])
@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("One.\n\n[voice:bob]Two.", r"line 3: \[voice:bob\] is never closed"),
        ("One.\n\nTwo.[/voice]", r"line 3: \[/voice\] closes nothing"),
        ("One [pause:soon] two.", r"line 1: \[pause:soon\] is not a pause"),
        ("One [pause:900] two.", "is not a pause"),
    ],
)
def test_wrong_markup_is_named_with_its_line(format, text, match):
    with pytest.raises(InputError, match=match):
        read(text, format)


def test_brackets_of_the_text_cannot_forge_markup():
    book = read("He read [sic] and [x] (/y/) aloud. See [note](+1) now.")
    spoken = make_plan(book, narrator="n").chapters[0].segments
    assert not any(mark in s.spoken for s in spoken for mark in "[]")


def test_standard_input_and_files_give_the_same(tmp_path):
    path = tmp_path / "story.md"
    path.write_text("# T\n\nText.")
    assert blocks(read_book(path)) == blocks(read("# T\n\nText.", "markdown"))
    assert read_book("-", stream=io.BytesIO(b"Text.")).chapters[0].blocks[0].kind is (
        BlockKind.PARAGRAPH
    )
