"""EPUBs: reading order, chapters, structure, pronunciations, what is left out."""

# ruff: noqa: E501  (cases read better on one line)
from __future__ import annotations

import io

import pytest

from voice.script import BlockKind, Cast, make_plan, read_book


def read(data: bytes, **options):
    return read_book(None, stream=io.BytesIO(data), **options)


def texts(book):
    return [[block.text for block in chapter.blocks if block.text] for chapter in book.chapters]


def keys(book):
    return [skipped.key for skipped in book.skipped]


def test_the_spine_gives_the_order_and_the_contents_the_chapters(make_epub, xhtml):
    pages = {
        "b.xhtml": xhtml("<h1>Two</h1><p>Second.</p>"),
        "a.xhtml": xhtml("<h1>One</h1><p>First.</p>"),
        "c.xhtml": xhtml("<p>Still first.</p>"),
    }
    book = read(
        make_epub(
            pages,
            spine=["a.xhtml", "c.xhtml", "b.xhtml"],
            toc=[("Two", "b.xhtml"), ("One", "a.xhtml")],
        )
    )
    assert [chapter.title for chapter in book.chapters] == ["One", "Two"]
    assert texts(book) == [["One", "First.", "Still first."], ["Two", "Second."]]


def test_metadata_is_read(make_epub, xhtml):
    data = make_epub(
        {"a.xhtml": xhtml("<p>Text.</p>")}, metadata_extra="<dc:date>1921-05</dc:date>"
    )
    book = read(data)
    assert (book.title, book.authors, book.language) == ("A Small Book", ("Ann Author",), "en-GB")
    assert (book.identifier, book.date) == ("urn:isbn:123", "1921-05")
    assert len(book.sha256) == 64


def test_one_file_with_many_chapters_is_cut_at_fragments(make_epub, xhtml):
    body = (
        "<p>Before.</p><section id='one'><h2>I. ONE</h2><p>A.</p></section>"
        "<section id='two'><h2>II. TWO</h2><p>B.</p></section>"
    )
    toc = [("I. ONE", "all.xhtml#one"), ("II. TWO", "all.xhtml#two")]
    book = read(make_epub({"all.xhtml": xhtml(body)}, toc=toc))
    assert texts(book) == [["Before."], ["I. ONE", "A."], ["II. TWO", "B."]]


def test_an_epub2_with_an_ncx(make_epub, xhtml):
    pages = {"a.xhtml": xhtml("<h1>One</h1><p>A.</p>"), "b.xhtml": xhtml("<h1>Two</h1><p>B.</p>")}
    book = read(make_epub(pages, ncx=[("First", "a.xhtml"), ("Second", "b.xhtml")]))
    assert [chapter.title for chapter in book.chapters] == ["First", "Second"]


def test_without_contents_headings_make_the_chapters(make_epub, xhtml):
    body = "<h1>Book</h1><h2>One</h2><p>A.</p><h2>Two</h2><p>B.</p>"
    book = read(make_epub({"a.xhtml": xhtml(body)}))
    assert texts(book) == [["Book", "One", "A."], ["Two", "B."]]


def test_a_title_only_in_the_contents_is_announced(make_epub, xhtml):
    book = read(make_epub({"a.xhtml": xhtml("<p>Text.</p>")}, toc=[("The Storm", "a.xhtml")]))
    assert texts(book) == [["The Storm", "Text."]]
    assert book.chapters[0].blocks[0].kind is BlockKind.HEADING


def test_a_page_with_only_a_heading_opens_the_next_chapter(make_epub, xhtml):
    pages = {"p.xhtml": xhtml("<h1>Part One</h1>"), "a.xhtml": xhtml("<h2>I</h2><p>A.</p>")}
    book = read(make_epub(pages, toc=[("Part One", "p.xhtml"), ("I", "a.xhtml")]))
    assert texts(book) == [["Part One", "I", "A."]]


def test_structure_becomes_blocks(make_epub, xhtml):
    body = (
        "<h2>H</h2><p>P <em>stressed</em> and <strong>loud</strong>.</p><hr/>"
        "<blockquote><p>Quoted.</p></blockquote><ul><li>Item.</li></ul>"
        '<div class="poem"><p>Line one<br/>Line two</p></div>'
        "<table><tr><td>Name</td><td>Age</td></tr><tr><td>Bob</td><td>9</td></tr></table>"
        "<p>* * *</p><pre>def f():\n  pass</pre>"
    )
    blocks = read(make_epub({"a.xhtml": xhtml(body)})).chapters[0].blocks
    assert [(block.kind.value, block.text) for block in blocks] == [
        ("heading", "H"),
        ("paragraph", "P stressed and loud."),
        ("break", ""),
        ("quote", "Quoted."),
        ("list-item", "Item."),
        ("verse", "Line one"),
        ("verse", "Line two"),
        ("list-item", "Name, Age"),
        ("list-item", "Bob, 9"),
        ("break", "* * *"),
        ("verse", "def f(): pass"),
    ]
    assert [span.emphasis for span in blocks[1].spans] == [0, 1, 0, 2, 0]
    assert blocks[6].level == 1, "the last line ends the stanza"


def test_letters_set_apart_do_not_cut_words(make_epub, xhtml):
    body = "<p><span class='dropcap'>O</span>nce co\u00adop\u200berate <b>bo</b>ld</p>"
    assert texts(read(make_epub({"a.xhtml": xhtml(body)}))) == [["Once cooperate bold"]]


FRONT = {
    "cover.xhtml": "<p>Cover words</p>",
    "title.xhtml": '<section epub:type="titlepage"><h1>T</h1>'
    '<div epub:type="epigraph"><p>A motto.</p></div>'
    '<p epub:type="dedication">For you.</p></section>',
    "copyright.xhtml": "<p>All rights reserved.</p>",
    "pref.xhtml": '<section epub:type="preface"><h2>Preface</h2><p>Why.</p></section>',
    "c1.xhtml": '<section epub:type="chapter"><h2>One</h2><p>Body<a epub:type="noteref" '
    'href="n.xhtml#n1">1</a> text.<span epub:type="pagebreak">12</span></p>'
    '<aside epub:type="footnote"><p>A note.</p></aside></section>',
    "n.xhtml": '<section epub:type="endnotes"><h2>Notes</h2><p id="n1">1. Note.</p></section>',
    "colophon.xhtml": '<section epub:type="colophon"><p>Set in type.</p></section>',
}


@pytest.fixture
def framed(make_epub, xhtml):
    pages = {name: xhtml(body) for name, body in FRONT.items()}
    return make_epub(pages, toc=[("Preface", "pref.xhtml"), ("One", "c1.xhtml")])


def test_front_and_back_matter_is_left_out_and_listed(framed):
    book = read(framed)
    assert texts(book) == [["A motto."], ["Preface", "Why."], ["One", "Body text."]]
    assert sorted(keys(book)) == [
        "colophon", "copyright", "cover", "dedication", "endnotes", "footnotes",
        "note-marks", "page-numbers", "title-page",
    ]  # fmt: skip
    note = next(s for s in book.skipped if s.key == "footnotes")
    assert (note.excerpt, note.words, note.what) == ("A note.", 2, "footnote")
    assert "c1.xhtml" in note.where


@pytest.mark.parametrize(
    ("keep", "word"),
    [
        ("dedication", "For you."),
        ("footnotes", "A note."),
        ("copyright", "All rights reserved."),
        ("OEBPS/colophon.xhtml", "Set in type."),
        ("all", "12"),
    ],
)
def test_keep_puts_things_back(framed, keep, word):
    before = sum(text.count(word) for chapter in texts(read(framed)) for text in chapter)
    after = read(framed, keep=[keep])
    assert before == 0
    assert sum(word in text for chapter in texts(after) for text in chapter) == 1
    assert keep not in keys(after)


def test_keeping_what_does_not_exist_is_refused(framed):
    with pytest.raises(Exception, match="nothing called 'dedikation'") as caught:
        read(framed, keep=["dedikation"])
    assert "dedication" in caught.value.hint


def test_raised_numbers_are_marks_or_powers(make_epub, xhtml):
    body = (
        "<p>He came.<sup>3</sup> It was 5 m<sup>2</sup> and 10<sup>6</sup>, the 4<sup>th</sup>.</p>"
    )
    book = read(make_epub({"a.xhtml": xhtml(body)}))
    assert texts(book) == [["He came. It was 5 m² and 10⁶, the 4th."]]
    assert keys(book) == ["note-marks"]


def test_a_list_of_links_is_contents(make_epub, xhtml):
    links = "".join(f'<li><a href="a.xhtml#c{n}">Chapter {n}</a></li>' for n in range(5))
    body = f"<h2>Contents</h2><ul>{links}</ul><h2>One</h2><p>Text.</p>"
    book = read(make_epub({"a.xhtml": xhtml(body)}))
    assert texts(book) == [["One", "Text."]]
    assert keys(book) == ["contents", "contents"]


def test_pages_outside_the_reading_order_are_listed(make_epub, xhtml):
    pages = {"a.xhtml": xhtml("<p>In.</p>"), "x.xhtml": xhtml("<p>Aside.</p>")}
    book = read(make_epub(pages, nonlinear=["x.xhtml"]))
    assert texts(book) == [["In."]]
    assert keys(book) == ["nonlinear"]


def test_pictures_are_listed_by_their_description(make_epub, xhtml):
    book = read(make_epub({"a.xhtml": xhtml('<p>T.</p><img src="m.png" alt="A map"/>')}))
    assert [(s.key, s.excerpt) for s in book.skipped] == [("images", "A map")]


def test_the_guide_of_an_epub2_is_honoured(make_epub, xhtml):
    pages = {"x1.xhtml": xhtml("<p>Legal.</p>"), "x2.xhtml": xhtml("<p>Story.</p>")}
    guide = '<guide><reference type="copyright-page" href="x1.xhtml"/></guide>'
    book = read(make_epub(pages, guide=guide))
    assert (texts(book), keys(book)) == ([["Story."]], ["copyright"])


def test_project_gutenberg_notices_are_left_out(make_epub, xhtml):
    body = (
        "<p>The Project Gutenberg eBook of X</p><p>*** START OF THE PROJECT GUTENBERG EBOOK X ***"
        "</p><h2>One</h2><p>Story.</p><p>*** END OF THE PROJECT GUTENBERG EBOOK X ***</p><p>Law.</p>"
    )
    book = read(make_epub({"a.xhtml": xhtml(body)}))
    assert (texts(book), keys(book)) == ([["One", "Story."]], ["gutenberg"])


def test_a_missing_file_is_listed_loudly_and_the_rest_is_read(make_epub, xhtml):
    data = make_epub(
        {"a.xhtml": xhtml("<p>Here.</p>")},
        spine=["a.xhtml", "gone", "nowhere"],
        manifest_extra='<item id="gone" href="gone.xhtml" media-type="application/xhtml+xml"/>',
    )
    book = read(data)
    assert texts(book) == [["Here."]]
    missing = [s for s in book.skipped if s.key == "missing"]
    assert len(missing) == 2
    assert "OEBPS/gone.xhtml" in missing[0].where


def test_broken_markup_loses_no_words(make_epub, xhtml):
    broken = "<html><body><p>One <b>two</p><p>three & four < five</p>&nosuch; six&nbsp;seven"
    book = read(make_epub({"a.xhtml": broken}))
    words = " ".join(text for chapter in texts(book) for text in chapter).split()
    assert [w for w in words if w.isalpha()] == [
        "One",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
    ]
    assert "damaged" in keys(book)


def test_entities_and_document_types_do_no_harm(make_epub, xhtml):
    bomb = (
        '<?xml version="1.0"?><!DOCTYPE html [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">'
        '<!ENTITY x SYSTEM "file:///etc/passwd">]>'
        '<html xmlns="http://www.w3.org/1999/xhtml"><body><p>Safe&nbsp;&mdash; &b; &x;</p></body></html>'
    )
    (text,) = texts(read(make_epub({"a.xhtml": bomb})))[0]
    assert text.startswith("Safe — ")
    assert "aaaa" not in text
    assert "root" not in text


def test_phonemes_in_the_text_and_in_lexicons_are_used(make_epub, xhtml):
    head = '<link rel="pronunciation" type="application/pls+xml" href="en.pls" hreflang="en"/>'
    body = (
        '<p>See <span ssml:ph="nɔrθ">N.</span> and <span ssml:alphabet="x-sampa">'
        '<b ssml:ph="&quot;hE.l@U">hello</b></span> by Ukridge’s Polish polish.</p>'
    )
    pls = (
        '<lexicon version="1.0" alphabet="ipa" xml:lang="en" '
        'xmlns="http://www.w3.org/2005/01/pronunciation-lexicon">'
        "<lexeme><grapheme>Ukridge</grapheme><phoneme>ˈjuːkrɪdʒ</phoneme></lexeme>"
        "<lexeme><grapheme>Polish</grapheme><phoneme>ˈpoʊlɪʃ</phoneme></lexeme>"
        "<lexeme><grapheme>W3C</grapheme><alias>Web Consortium</alias></lexeme></lexicon>"
    )
    data = make_epub({"a.xhtml": xhtml(body, head=head)}, members={"OEBPS/en.pls": pls.encode()})
    book = read(data)
    assert book.lexicon["W3C"] == "Web Consortium"
    spoken = make_plan(book, narrator="v").chapters[0].segments[0].spoken
    assert spoken == (
        "See [N.](/nɔrθ/) and [hello](/ˈhɛ.ləʊ/) by [Ukridge's](/ˈjuːkrɪdʒɪz/) "
        "[Polish](/ˈpoʊlɪʃ/) polish."
    )


def test_a_lexicon_for_another_language_is_left_alone(make_epub, xhtml):
    pls = '<lexicon xml:lang="fr"><lexeme><grapheme>chat</grapheme><phoneme>ʃa</phoneme></lexeme></lexicon>'
    item = '<item id="p" href="fr.pls" media-type="application/pls+xml"/>'
    data = make_epub(
        {"a.xhtml": xhtml("<p>A chat.</p>")},
        members={"OEBPS/fr.pls": pls.encode()},
        manifest_extra=item,
    )
    assert read(data).lexicon == {}


def test_the_language_of_a_passage_is_kept(make_epub, xhtml):
    body = '<p>He said.</p><p xml:lang="de">Es waren 21 Vögel.</p><p xml:lang="en-US">Gray.</p>'
    book = read(make_epub({"a.xhtml": xhtml(body)}))
    assert [block.spans[0].language for block in book.chapters[0].blocks] == [None, "de", None]
    segments = make_plan(book, narrator="v").chapters[0].segments
    assert "einundzwanzig" in segments[1].spoken
    assert {s.language for s in segments} == {"en-GB"}, "the narrator reads it too"
    cast = Cast(languages={"de": "thorsten"})
    segments = make_plan(book, narrator="v", cast=cast).chapters[0].segments
    assert [s.language for s in segments] == ["en-GB", "de", "en-GB"]
    assert [s.voice for s in segments] == [None, "thorsten", None]


def test_a_cover_inside_a_drawing_is_found(make_epub, xhtml):
    import base64

    jpeg = b"\xff\xd8\xff\xc0\x00\x0b\x08\x00\x09\x00\x06\x01\x01\x11\x00" + bytes(40)
    svg = f'<svg xmlns:xlink="x"><image xlink:href="data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"/></svg>'
    item = '<item id="c" href="c.svg" media-type="image/svg+xml" properties="cover-image"/>'
    book = read(
        make_epub(
            {"a.xhtml": xhtml("<p>T.</p>")},
            manifest_extra=item,
            members={"OEBPS/c.svg": svg.encode()},
        )
    )
    assert (book.cover, book.cover_type) == (jpeg, "image/jpeg")
