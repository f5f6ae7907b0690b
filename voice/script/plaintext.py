"""Plain text to a book: paragraphs, headings, verse, breaks, Project Gutenberg's frame."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from consent.errors import InputError
from voice.script.blocks import LINE_BREAK, is_ornament, make_blocks
from voice.script.chapters import assemble
from voice.script.decoding import decode
from voice.script.frontmatter import Ledger, gutenberg_bounds
from voice.script.markup import MarkupReader
from voice.script.model import Block, BlockKind, Book, Span
from voice.script.xhtml import Document

_NUMBER = (
    r"(?:\d{1,3}|[IVXLC]{1,8}|(?:the\s+)?(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|"
    r"twelve|(?:thir|four|fif|six|seven|eigh|nine)teen|(?:twenty|thirty|forty|fifty)(?:-\w+)?|"
    r"first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|last))"
)
_CHAPTER = re.compile(
    rf"(?:chapter|part|book|canto|act|scene|letter|volume|stave|kapitel|chapitre|capítulo|capitolo)"
    rf"\s+{_NUMBER}\b(?:\s*[.:—–-]\s*.{{0,90}}|\.?\s.{{0,70}})?",
    re.I,
)
_NAMED = re.compile(
    r"(?:prologue|epilogue|preface|introduction|foreword|afterword|conclusion|contents|"
    r"table of contents|dedication|index|notes|footnotes|bibliography|appendix(?:\s+\w+)?|"
    r"list of illustrations|the end|finis)\.?",
    re.I,
)
_LONE_NUMBER = re.compile(r"(?:[IVXLC]{1,8}|\d{1,3})\.?")
_NUMBERED_CAPS = re.compile(r"[IVXLC]{1,8}\.\s+[^a-z]{3,70}")
_PAGE = re.compile(r"[\[{]?(?:pg\.?|page)\s*\d{1,4}[\]}]?|[\[{]\d{1,4}[\]}]", re.I)
_INLINE_PAGE = re.compile(r"\s?[\[{](?:pg\.?|page)\s*\d{1,4}[\]}]\s?", re.I)
_NOTE_MARK = re.compile(r"(?<=[\w.,;:!?”\"'’)])\[(?:\d{1,3}|[A-Z*†])\]")
_NOTE = re.compile(r"\[?(?:footnote\s+(?:\d+|[A-Z*†]):|\d{1,3}\]\s)", re.I)
_PICTURE = re.compile(r"\[illustration\b", re.I)
_EMPHASIS = re.compile(r"(?<![\w_])_(?=\S)([^_]{1,400}?)(?<=\S)_(?![\w_])")
_NEW_SENTENCE = re.compile(r"[.!?][\"”’']?\s+[A-Z\"“‘]")
_FIELD = re.compile(r"(Title|Author|Language|Release Date):\s*(.+)")
_LANGUAGES = {"english": "en", "german": "de", "french": "fr", "spanish": "es", "italian": "it"}


@dataclass(frozen=True, slots=True)
class _Paragraph:
    """Lines of the file between blank ones; `line` is 1-based, `gap` the blank lines before."""

    lines: tuple[str, ...]
    line: int
    gap: int


def read_plaintext(data: bytes, name: str, *, keep: Sequence[str] = (), language: str = "") -> Book:
    """Read plain text.

    Raises
    ------
    InputError
        Not text, empty, or its markup is wrong.
    """
    text = decode(data, name)
    paragraphs = _paragraphs(text)
    if not paragraphs:
        raise InputError(f"{name}: the file is empty", hint="There is nothing to read aloud.")
    ledger = Ledger.of(keep)
    fields = _fields(paragraphs)
    paragraphs = _within_gutenberg(paragraphs, ledger, name)
    document = Document(name)
    reader = MarkupReader(name)
    for position, paragraph in enumerate(paragraphs):
        following = paragraphs[position + 1] if position + 1 < len(paragraphs) else None
        for block in _blocks(paragraph, following, position == 0, reader, ledger, name):
            document.blocks.append(block)
            document.roles.append("")
    reader.finish()
    _drop_contents(document, ledger)
    title = fields.get("Title") or name.rpartition("/")[2].rpartition(".")[0] or name
    chapters = assemble([document], (), ledger, book_title=title)
    if not chapters:
        raise InputError(f"{name}: no text to read: everything in it is left out")
    author = fields.get("Author", "")
    found = _LANGUAGES.get(fields.get("Language", "").strip().lower(), "")
    return Book(
        title=title,
        authors=(author,) if author else (),
        language=language or found or "en",
        chapters=chapters,
        skipped=tuple(ledger.entries),
        sha256=hashlib.sha256(data).hexdigest(),
    )


def _paragraphs(text: str) -> list[_Paragraph]:
    """Split at blank lines; in files without any, every line is a paragraph."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n\n").split("\n")
    filled = [line for line in lines if line.strip()]
    blank = len(lines) - len(filled)
    long_lines = sum(len(line) > 100 for line in filled)
    every_line = len(filled) > 1 and (
        long_lines > 0.3 * len(filled) or (blank <= 1 and long_lines > 0)
    )
    result: list[_Paragraph] = []
    current: list[str] = []
    start = gap = 0
    previous_gap = 0
    for number, line in enumerate(lines, 1):
        if line.strip():
            if not current:
                start, previous_gap, gap = number, gap, 0
            current.append(line.rstrip())
            if not every_line:
                continue
        else:
            gap += 1
        if current:
            result.append(_Paragraph(tuple(current), start, previous_gap))
            current = []
            gap = 0 if line.strip() else 1
    if current:
        result.append(_Paragraph(tuple(current), start, previous_gap))
    return result


def _fields(paragraphs: Sequence[_Paragraph]) -> dict[str, str]:
    """Read title, author and language from Project Gutenberg's header."""
    found: dict[str, str] = {}
    if not any("Gutenberg" in line for p in paragraphs[:6] for line in p.lines):
        return found
    for paragraph in paragraphs[:40]:
        for line in paragraph.lines:
            if match := _FIELD.match(line):
                found.setdefault(match.group(1), match.group(2).strip())
    return found


def _within_gutenberg(paragraphs: list[_Paragraph], ledger: Ledger, name: str) -> list[_Paragraph]:
    start, stop = gutenberg_bounds([" ".join(p.lines) for p in paragraphs])
    if (start, stop) == (0, len(paragraphs)) or ledger.keeps("gutenberg"):
        return paragraphs
    for part in (paragraphs[:start], paragraphs[stop:]):
        if part:
            text = " ".join(line for p in part for line in p.lines)
            ledger.skip("gutenberg", f"{name}: line {part[0].line}", text)
    return paragraphs[start:stop]


def _blocks(
    paragraph: _Paragraph,
    following: _Paragraph | None,
    first: bool,
    reader: MarkupReader,
    ledger: Ledger,
    name: str,
) -> list[Block]:
    where = f"{name}: line {paragraph.line}"
    whole = " ".join(line.strip() for line in paragraph.lines)
    key = _apart(whole)
    if key is not None and not ledger.keeps(key):
        ledger.skip(key, where, whole)
        return []
    if is_ornament(whole):
        return [Block(BlockKind.BREAK, (Span(whole),))]
    if _is_heading(paragraph, following, first):
        runs: list[Span] = []
        for line in paragraph.lines:
            runs += [Span(line.strip()), LINE_BREAK]
        spans = [s for run in runs for s in _marked([run], reader, paragraph.line)]
        return make_blocks(spans, BlockKind.HEADING, level=_level(whole))
    verse = _is_verse(paragraph)
    lines = [_without_marks(line, ledger, where) for line in paragraph.lines]
    result: list[Span] = []
    for line in _joined(lines) if not verse else lines:
        if result:
            result.append(LINE_BREAK)
        result.extend(_marked(_emphasised(line.strip()), reader, paragraph.line))
    if not any(span.text.strip() for span in result):
        pause = sum(span.pause for span in result)
        return [Block(BlockKind.BREAK, (Span("", pause=pause),))] if pause else []
    quote = (
        not verse
        and len(paragraph.lines) > 1
        and all(line.startswith(("    ", "\t")) for line in paragraph.lines)
    )
    kind = BlockKind.QUOTE if quote else BlockKind.PARAGRAPH
    return make_blocks(result, kind, verse=verse)


def _apart(whole: str) -> str | None:
    """Return the key of a paragraph that is not part of the text."""
    if _PAGE.fullmatch(whole):
        return "page-numbers"
    if _PICTURE.match(whole) and whole.endswith("]"):
        return "images"
    if _NOTE.match(whole) and (whole.startswith("[") or whole.lower().startswith("footnote")):
        return "footnotes"
    return None


def _without_marks(line: str, ledger: Ledger, where: str) -> str:
    if "[" not in line and "{" not in line:
        return line
    for pattern, key in ((_INLINE_PAGE, "page-numbers"), (_NOTE_MARK, "note-marks")):
        if ledger.keeps(key):
            continue
        for match in pattern.finditer(line):
            ledger.skip(key, where, match.group().strip())
        line = pattern.sub(" " if key == "page-numbers" else "", line)
    return line


def _joined(lines: Sequence[str]) -> list[str]:
    """Join hard-wrapped lines; a word divided at a hyphen stays hyphenated."""
    text = "\n".join(line.strip() for line in lines)
    return [re.sub(r"(?<=[^\W\d_])-\n(?=[^\W\d_])", "-", text).replace("\n", " ")]


def _emphasised(text: str) -> list[Span]:
    if "_" not in text:
        return [Span(text)]
    spans: list[Span] = []
    position = 0
    for match in _EMPHASIS.finditer(text):
        spans.append(Span(text[position : match.start()]))
        spans.append(Span(match.group(1), emphasis=1))
        position = match.end()
    spans.append(Span(text[position:]))
    return [span for span in spans if span.text]


def _marked(spans: Sequence[Span], reader: MarkupReader, line: int) -> list[Span]:
    if len(spans) == 1 and spans[0] is LINE_BREAK:
        return [LINE_BREAK]
    return reader.read(spans, f"line {line}")


def _is_heading(paragraph: _Paragraph, following: _Paragraph | None, first: bool) -> bool:
    if len(paragraph.lines) > 3 or following is None:
        return False
    line = paragraph.lines[0].strip()
    whole = " ".join(text.strip() for text in paragraph.lines)
    if len(whole) > 120:
        return False
    if len(paragraph.lines) == 1 and _NAMED.fullmatch(line):
        return True
    if _CHAPTER.fullmatch(line) and not re.search(r"[a-z],?$", line[:0]):
        return not whole.endswith((",", ";")) and whole.count(".") <= 3
    if _LONE_NUMBER.fullmatch(whole) or _NUMBERED_CAPS.fullmatch(whole):
        return paragraph.gap >= 1 or first
    capitals = whole.isupper() and any(character.isalpha() for character in whole)
    return capitals and len(whole) <= 70 and (paragraph.gap >= 2 or first) and following.gap >= 1


def _level(whole: str) -> int:
    return 1 if re.match(r"(?:part|book|volume)\s", whole, re.I) else 2


def _is_verse(paragraph: _Paragraph) -> bool:
    """Say whether a paragraph is verse: indented or short lines that start with capitals."""
    lines = paragraph.lines
    if len(lines) < 2 or max(len(line) for line in lines) > 80:
        return False
    lengths = [len(line.strip()) for line in lines[:-1]]
    mean = sum(lengths) / len(lengths)
    indented = all(line.startswith((" ", "\t")) for line in lines)
    if sum(bool(_NEW_SENTENCE.search(line)) for line in lines) > len(lines) / 3:
        return False  # prose runs on in the middle of its lines
    capitals = sum(line.strip(" \t\"'“‘(_[")[:1].isupper() for line in lines)
    return mean <= (60 if indented else 45) and capitals >= 0.7 * len(lines)


def _drop_contents(document: Document, ledger: Ledger) -> None:
    """Skip a contents list near the start: headings that come again later."""
    if ledger.keeps("contents"):
        return
    blocks = document.blocks
    folded = [re.sub(r"\W+", " ", block.text.casefold()).strip() for block in blocks]
    start = next(
        (i for i in range(min(len(blocks), 60)) if folded[i] in {"contents", "table of contents"}),
        None,
    )
    if start is None:
        return
    later = "\x00".join(folded[start + 1 :])
    stop = start + 1
    while stop < len(blocks):
        block = blocks[stop]
        entry = re.sub(r"\s\d+$", "", folded[stop])
        again = entry and later.count(entry) > 1 and entry in folded[stop + 1 :]
        listed = block.kind is BlockKind.VERSE or (len(block.text) < 90 and again)
        if not listed and not again:
            break
        if block.kind is BlockKind.HEADING and entry not in folded[stop + 1 :]:
            break
        stop += 1
    text = " ".join(block.text for block in blocks[start:stop])
    ledger.skip("contents", document.path, text)
    document.blocks = blocks[:start] + [replace(b) for b in blocks[stop:]]
    document.roles = [""] * len(document.blocks)
