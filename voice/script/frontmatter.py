"""What an audiobook leaves out, and how it is recognised.

The choice is an audiobook producer's: prologue, epilogue, preface, introduction, foreword,
afterword and epigraph are read; what only makes sense on paper is not. Everything left out is
listed as :class:`~voice.script.model.Skipped` with a key that puts it back.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from consent.errors import InputError
from voice.script.characters import word_set
from voice.script.model import Skipped

KINDS: dict[str, str] = {
    "cover": "cover page",
    "title-page": "title page",
    "half-title": "half title",
    "dedication": "dedication",
    "imprint": "imprint",
    "copyright": "copyright page",
    "colophon": "colophon",
    "contents": "contents",
    "lists": "list of illustrations, maps or tables",
    "index": "index",
    "bibliography": "bibliography",
    "glossary": "glossary",
    "endnotes": "endnotes",
    "footnotes": "footnote",
    "note-marks": "footnote mark",
    "page-numbers": "page number",
    "line-numbers": "line number",
    "annotations": "annotation",
    "advertisements": "advertisement",
    "transcriber-notes": "transcriber's note",
    "gutenberg": "Project Gutenberg notice",
    "images": "image",
    "tables": "table of figures",
    "ruby": "reading aid above the text",
    "hidden": "hidden text",
    "nonlinear": "page outside the reading order",
    "navigation": "navigation page",
    "unspeakable": "unspeakable text",
    "missing": "missing file",
    "damaged": "damaged markup",
    "empty": "empty chapter",
}
"""Key for ``--keep`` -> what it is called in lists."""

LOST = frozenset({"missing", "damaged", "unspeakable"})
"""Not left out on purpose: the book has it, or should, and it cannot be read."""

UNKEEPABLE = LOST | {"empty"}
"""Reported, but there is nothing that could be put back."""

READ_TYPES = word_set(
    "abstract acknowledgments afterword appendix bodymatter chapter conclusion epigraph "
    "epilogue foreword introduction part preamble preface prologue volume division"
)
"""epub:type values that are read, even inside something that is skipped (a title page)."""

_SKIP_TYPES: dict[str, str] = {
    "cover": "cover",
    "titlepage": "title-page",
    "title-page": "title-page",
    "halftitlepage": "half-title",
    "halftitle": "half-title",
    "dedication": "dedication",
    "imprint": "imprint",
    "imprimatur": "imprint",
    "copyright-page": "copyright",
    "seriespage": "advertisements",
    "other-credits": "imprint",
    "contributors": "imprint",
    "errata": "annotations",
    "colophon": "colophon",
    "toc": "contents",
    "toc-brief": "contents",
    "landmarks": "navigation",
    "page-list": "navigation",
    "loi": "lists",
    "lot": "lists",
    "loa": "lists",
    "lov": "lists",
    "index": "index",
    "bibliography": "bibliography",
    "glossary": "glossary",
    "endnotes": "endnotes",
    "rearnotes": "endnotes",
    "endnote": "endnotes",
    "rearnote": "endnotes",
    "footnotes": "footnotes",
    "footnote": "footnotes",
    "note": "footnotes",
    "annotation": "annotations",
    "noteref": "note-marks",
    "annoref": "note-marks",
    "backlink": "note-marks",
    "referrer": "note-marks",
    "pagebreak": "page-numbers",
    # guide types of EPUB 2
    "copyright": "copyright",
    "notes": "endnotes",
    "biblio": "bibliography",
    # role attributes
    "doc-cover": "cover",
    "doc-dedication": "dedication",
    "doc-colophon": "colophon",
    "doc-toc": "contents",
    "doc-index": "index",
    "doc-bibliography": "bibliography",
    "doc-glossary": "glossary",
    "doc-endnotes": "endnotes",
    "doc-endnote": "endnotes",
    "doc-footnote": "footnotes",
    "doc-noteref": "note-marks",
    "doc-backlink": "note-marks",
    "doc-pagebreak": "page-numbers",
}

_SKIP_CLASSES: dict[str, str] = {
    "lnum": "line-numbers",
    "linenum": "line-numbers",
    "line-number": "line-numbers",
    "linenumber": "line-numbers",
    "linenumb": "line-numbers",
    "poemnum": "line-numbers",
    "pagenum": "page-numbers",
    "pageno": "page-numbers",
    "page-number": "page-numbers",
    "pagebreak": "page-numbers",
    "x-ebookmaker-pageno": "page-numbers",
    "fnanchor": "note-marks",
    "fnref": "note-marks",
    "footnote-ref": "note-marks",
    "noteref": "note-marks",
    "footnote": "footnotes",
    "footnotes": "footnotes",
    "endnotes": "endnotes",
    "pg-boilerplate": "gutenberg",
    "transnote": "transcriber-notes",
    "transcriber-note": "transcriber-notes",
}
_MARGIN = re.compile(r"[\[({]?[\dIVXLCivxlc*†‡§¶a-z. ]{0,10}[\])}]?")
_NUMBERED = frozenset({"line-numbers", "page-numbers", "note-marks"})

_TITLES: dict[str, str] = {
    "contents": "contents",
    "table of contents": "contents",
    "brief contents": "contents",
    "list of illustrations": "lists",
    "illustrations": "lists",
    "list of figures": "lists",
    "list of maps": "lists",
    "list of tables": "lists",
    "list of plates": "lists",
    "copyright": "copyright",
    "copyright page": "copyright",
    "copyright notice": "copyright",
    "uncopyright": "copyright",
    "imprint": "imprint",
    "colophon": "colophon",
    "title page": "title-page",
    "titlepage": "title-page",
    "half title": "half-title",
    "halftitle": "half-title",
    "half-title page": "half-title",
    "cover": "cover",
    "cover page": "cover",
    "dedication": "dedication",
    "also by the author": "advertisements",
    "by the same author": "advertisements",
    "books by the same author": "advertisements",
    "newsletter": "advertisements",
    "newsletter sign-up": "advertisements",
    "about the publisher": "advertisements",
    "praise": "advertisements",
    "index": "index",
    "general index": "index",
    "endnotes": "endnotes",
    "footnotes": "footnotes",
    "notes": "endnotes",
    "notes and references": "endnotes",
    "references": "bibliography",
    "bibliography": "bibliography",
    "works cited": "bibliography",
    "further reading": "bibliography",
    "glossary": "glossary",
    "transcriber's note": "transcriber-notes",
    "transcriber's notes": "transcriber-notes",
    "transcriber notes": "transcriber-notes",
    "transcribers' notes": "transcriber-notes",
    "the full project gutenberg license": "gutenberg",
}
_TITLE_PREFIXES = (
    ("also by ", "advertisements"),
    ("books by ", "advertisements"),
    ("other books by ", "advertisements"),
    ("praise for ", "advertisements"),
)
_BACK_ONLY = frozenset({"endnotes", "footnotes", "index", "bibliography", "glossary"})

_FILE_NAMES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(rf"(?:^|[-_.\d]){pattern}(?:$|[-_.\d])", re.I), key)
    for pattern, key in (
        ("cover(?:page)?", "cover"),
        ("title-?page", "title-page"),
        ("half-?title(?:page)?", "half-title"),
        ("(?:un)?copyright(?:page)?", "copyright"),
        ("imprint", "imprint"),
        ("colophon", "colophon"),
        ("dedication", "dedication"),
        ("(?:toc|contents|tableofcontents|nav)", "contents"),
        ("(?:endnotes|rearnotes)", "endnotes"),
        ("footnotes", "footnotes"),
        ("loi", "lists"),
    )
)
SHORT_PAGE = 400
"""Words: a file is only skipped for its name alone when it is shorter than this."""


@dataclass
class Ledger:
    """What was left out so far, and what the user asked to keep.

    Parameters
    ----------
    keep
        Keys of :data:`KINDS`, ``"all"``, or the path of a file inside the book.
    """

    keep: frozenset[str] = frozenset()
    entries: list[Skipped] = field(default_factory=list)

    @classmethod
    def of(cls, keep: Iterable[str]) -> Ledger:
        """Make a ledger, refusing keys that mean nothing.

        Raises
        ------
        InputError
            A key is neither known nor looks like a path inside the book.
        """
        wanted = frozenset(key.strip() for key in keep if key.strip())
        for key in wanted:
            known = key == "all" or (key in KINDS and key not in UNKEEPABLE)
            if not known and "." not in key and "/" not in key:
                choices = ", ".join(sorted(set(KINDS) - UNKEEPABLE))
                raise InputError(
                    f"keep: there is nothing called {key!r}",
                    hint=f"Use all, the path of a file inside the book, or one of: {choices}.",
                )
        return cls(keep=wanted)

    def keeps(self, key: str, path: str = "") -> bool:
        """Say whether the user asked for this kind, or for this file."""
        if key in UNKEEPABLE:
            return False
        return "all" in self.keep or key in self.keep or (bool(path) and path in self.keep)

    def skip(self, key: str, where: str, text: str) -> None:
        """List something as left out."""
        words = text.split()
        excerpt = " ".join(words[:12])[:80]
        self.entries.append(
            Skipped(
                what=KINDS[key],
                where=where,
                excerpt=excerpt + (" …" if len(words) > 12 else ""),
                words=len(words),
                key=key,
            )
        )


def key_of_types(types: str) -> str | None:
    """Return the skip key for an ``epub:type``, ``role`` or guide type, or None if it is read."""
    for token in types.lower().split():
        bare = token.rpartition(":")[2] if token.startswith(("z3998:", "se:")) else token
        if key := _SKIP_TYPES.get(bare):
            return key
    return None


def is_read_type(types: str) -> bool:
    """Say whether an ``epub:type`` names something that is read aloud."""
    return not READ_TYPES.isdisjoint(types.lower().replace("doc-", "").split())


def key_of_classes(classes: str, text: str) -> str | None:
    """Return the skip key for a ``class`` attribute whose meaning is well known.

    Numbers in the margin are only believed when `text` is short and holds no real words.
    """
    for token in classes.lower().split():
        key = _SKIP_CLASSES.get(token)
        if key is None:
            continue
        if key in _NUMBERED and not _MARGIN.fullmatch(text):
            continue
        return key
    return None


def key_of_title(title: str, *, position: float) -> str | None:
    """Return the skip key for a chapter's title.

    Parameters
    ----------
    title
        As in the navigation document or heading.
    position
        Where in the book it starts, 0 to 1: "Notes" is only the notes near the end.
    """
    folded = " ".join(title.replace("’", "'").casefold().strip(" .:*").split())
    key = _TITLES.get(folded)
    if key is None:
        key = next((k for prefix, k in _TITLE_PREFIXES if folded.startswith(prefix)), None)
    if key in _BACK_ONLY and position < 0.6:
        return None
    if key in {"dedication", "contents", "lists"} and 0.2 < position < 0.8:
        return None
    return key


def key_of_file(path: str) -> str | None:
    """Return the skip key suggested by a file's name."""
    stem = path.rpartition("/")[2].rpartition(".")[0]
    return next((key for pattern, key in _FILE_NAMES if pattern.search(stem)), None)


_PG_START = re.compile(r"\*\*\* ?START OF (?:THE|THIS) PROJECT GUTENBERG E(?:BOOK|TEXT)", re.I)
_PG_START_OLD = re.compile(r"\*END[* ]*THE SMALL PRINT", re.I)
_PG_END = re.compile(
    r"\*\*\* ?END OF (?:THE|THIS) PROJECT GUTENBERG E(?:BOOK|TEXT)"
    r"|^End of (?:the |this )?Project Gutenberg",
    re.I,
)


def gutenberg_bounds(texts: Collection[str]) -> tuple[int, int]:
    """Find Project Gutenberg's notices around a book.

    Returns
    -------
    start, stop
        The book's own part of `texts`: ``texts[start:stop]``.
    """
    start, stop = 0, len(texts)
    for index, text in enumerate(texts):
        if "utenberg" not in text and "UTENBERG" not in text and "SMALL PRINT" not in text:
            continue
        head = text[:400]
        if index < 600 and (_PG_START.search(head) or _PG_START_OLD.search(head)):
            start = index + 1
        elif _PG_END.search(head):
            stop = index
            break
    return (start, stop) if start <= stop else (start, len(texts))
