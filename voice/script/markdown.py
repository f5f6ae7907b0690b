"""Markdown (CommonMark with tables) to a book."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from consent.errors import InputError
from voice.script.blocks import LINE_BREAK, make_blocks
from voice.script.chapters import assemble
from voice.script.decoding import decode
from voice.script.frontmatter import Ledger
from voice.script.markup import MarkupReader
from voice.script.model import Block, BlockKind, Book, Span
from voice.script.phonetic import to_ipa
from voice.script.xhtml import Document

if TYPE_CHECKING:
    from markdown_it.token import Token

MAX_PARAGRAPH = 200_000
"""Characters: a longer paragraph is cut at spaces before it is parsed, as plain paragraphs."""

_FRONT = re.compile(r"\A---[ \t]*\n(.*?\n)(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.S)
_FIELD = re.compile(r"^(\w[\w-]*):\s*(.*?)\s*$", re.M)
_NOTE_REF = re.compile(r"\[\^[^\]\s]{1,40}\](?!:)")
_NOTE_TEXT = re.compile(r"^\[\^[^\]\s]{1,40}\]:[^\n]*(?:\n(?:[ \t]+[^\n]*))*", re.M)
_COMMENT = re.compile(r"<!--.*?-->", re.S)
_TAG = re.compile(r"<[^>]{0,500}>")


def read_markdown(data: bytes, name: str, *, keep: Sequence[str] = (), language: str = "") -> Book:
    """Read Markdown.

    Title, author and language come from a front matter block (``--- title: ... ---``), else the
    title from the first heading.

    Raises
    ------
    InputError
        Not text, empty, or its markup is wrong.
    """
    text = decode(data, name).replace("\r\n", "\n").replace("\r", "\n")
    ledger = Ledger.of(keep)
    fields: dict[str, str] = {}
    if front := _FRONT.match(text):
        fields = {key.lower(): value.strip("\"'") for key, value in _FIELD.findall(front.group(1))}
        text = "\n" * front.group().count("\n") + text[front.end() :]
    text = _without_notes(text, ledger, name)
    document = _Builder(name, ledger).build(text)
    title = fields.get("title") or _first_heading(document) or _stem(name)
    chapters = assemble([document], (), ledger, book_title=title)
    if not chapters:
        raise InputError(f"{name}: no text to read", hint="There is nothing to read aloud.")
    author = fields.get("author", "")
    return Book(
        title=title,
        authors=tuple(part.strip() for part in author.strip("[]").split(",") if part.strip()),
        language=language or fields.get("language") or fields.get("lang") or "en",
        chapters=chapters,
        skipped=tuple(ledger.entries),
        identifier=fields.get("identifier", ""),
        publisher=fields.get("publisher", ""),
        date=fields.get("date", ""),
        sha256=hashlib.sha256(data).hexdigest(),
    )


def _stem(name: str) -> str:
    return name.rpartition("/")[2].rpartition(".")[0] or name


def _first_heading(document: Document) -> str:
    heads = (block.text for block in document.blocks[:2] if block.kind is BlockKind.HEADING)
    return next(heads, "")


def _without_notes(text: str, ledger: Ledger, name: str) -> str:
    """Take out footnotes (``[^1]: ...``) and their marks (``[^1]``)."""
    if "[^" not in text:
        return text
    if not ledger.keeps("footnotes"):
        for match in _NOTE_TEXT.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            ledger.skip("footnotes", f"{name}: line {line}", match.group())
        text = _NOTE_TEXT.sub(lambda match: "\n" * match.group().count("\n"), text)
    if not ledger.keeps("note-marks"):
        marks = _NOTE_REF.findall(text)
        if marks:
            ledger.skip("note-marks", name, " ".join(marks))
        text = _NOTE_REF.sub("", text)
    return text


class _Builder:
    def __init__(self, name: str, ledger: Ledger) -> None:
        self.name = name
        self.ledger = ledger
        self.reader = MarkupReader(name)
        self.document = Document(name)
        self.kinds: list[BlockKind] = [BlockKind.PARAGRAPH]

    def build(self, text: str) -> Document:
        from markdown_it import MarkdownIt

        parser = MarkdownIt("commonmark", {"html": True}).enable("table")
        for part, offset in _parts(text):
            tokens = parser.parse(part)
            position = 0
            while position < len(tokens):
                position = self.block(tokens, position, offset)
        self.reader.finish()
        return self.document

    def add(self, blocks: Sequence[Block]) -> None:
        self.document.blocks.extend(blocks)
        self.document.roles.extend([""] * len(blocks))

    def block(self, tokens: Sequence[Token], position: int, offset: int) -> int:
        """Take the block token at `position`; return where the next one is."""
        token = tokens[position]
        line = (token.map[0] if token.map else 0) + offset + 1
        if token.type == "blockquote_open":
            self.kinds.append(BlockKind.QUOTE)
        elif token.type == "list_item_open":
            self.kinds.append(BlockKind.LIST_ITEM)
        elif token.type in {"blockquote_close", "list_item_close"}:
            self.kinds.pop()
        elif token.type == "hr":
            self.add([Block(BlockKind.BREAK)])
        elif token.type == "heading_open":
            level = int(token.tag[1])
            self.inline(tokens[position + 1], BlockKind.HEADING, line, level=level)
            return position + 3
        elif token.type == "inline":
            self.inline(token, self.kinds[-1], line)
        elif token.type in {"fence", "code_block"}:
            self.code(token, line)
        elif token.type == "html_block":
            self.html(token, line)
        elif token.type == "tr_open":
            return self.row(tokens, position, line)
        return position + 1

    def inline(self, token: Token, kind: BlockKind, line: int, *, level: int = 0) -> None:
        spans = list(self.spans(token.children or [], line))
        self.paragraph(spans, kind, line, level=level)

    def paragraph(
        self, spans: Sequence[Span], kind: BlockKind, line: int, *, level: int = 0
    ) -> None:
        marked: list[Span] = []
        group: list[Span] = []
        for span in [*spans, LINE_BREAK]:
            if span is not LINE_BREAK:
                group.append(span)
                continue
            marked.extend(self.reader.read(_merged(group), f"line {line}"))
            marked.append(LINE_BREAK)
            group = []
        marked.pop()
        if any(span.text.strip() for span in marked):
            self.add(make_blocks(marked, kind, level=level))
        elif pause := sum(span.pause for span in marked):
            self.add([Block(BlockKind.BREAK, (Span("", pause=pause),))])

    def spans(self, tokens: Sequence[Token], line: int) -> Iterator[Span]:
        emphasis: list[int] = [0]
        phonemes: list[str | None] = []
        for token in tokens:
            if token.type == "text":
                yield Span(token.content, emphasis[-1], phonemes=phonemes[-1] if phonemes else None)
            elif token.type == "code_inline":
                yield Span(token.content)
            elif token.type == "softbreak":
                yield Span(" ")
            elif token.type == "hardbreak":
                yield LINE_BREAK
            elif token.type in {"em_open", "strong_open"}:
                emphasis.append(max(emphasis[-1], 2 if token.type == "strong_open" else 1))
            elif token.type in {"em_close", "strong_close"}:
                emphasis.pop()
            elif token.type == "link_open":
                phonemes.append(_pronunciation(str(token.attrGet("href") or "")))
            elif token.type == "link_close":
                phonemes.pop()
            elif token.type == "image":
                if self.ledger.keeps("images"):
                    yield Span(token.content)
                elif token.content.strip():
                    self.ledger.skip("images", f"{self.name}: line {line}", token.content)
            elif token.type == "html_inline" and re.match(r"<br\b", token.content, re.I):
                yield LINE_BREAK

    def code(self, token: Token, line: int) -> None:
        for text in token.content.split("\n"):
            if text.strip():
                self.paragraph([Span(text)], self.kinds[-1], line)

    def html(self, token: Token, line: int) -> None:
        text = _TAG.sub(" ", _COMMENT.sub(" ", token.content))
        if re.match(r"\s*<hr\b", token.content, re.I):
            self.add([Block(BlockKind.BREAK)])
        elif text.strip():
            self.paragraph([Span(text)], self.kinds[-1], line)

    def row(self, tokens: Sequence[Token], position: int, line: int) -> int:
        spans: list[Span] = []
        while tokens[position].type != "tr_close":
            token = tokens[position]
            if token.type == "inline" and token.content.strip():
                if spans:
                    spans.append(Span(", "))
                spans.extend(self.spans(token.children or [], line))
            position += 1
        if spans:
            self.paragraph(spans, BlockKind.LIST_ITEM, line)
        return position + 1


def _merged(spans: Sequence[Span]) -> list[Span]:
    """Join neighbouring plain spans, so that markup is not cut in two."""
    result: list[Span] = []
    for span in spans:
        last = result[-1] if result else None
        if last is not None and last.emphasis == span.emphasis and last.phonemes == span.phonemes:
            result[-1] = Span(last.text + span.text, span.emphasis, phonemes=span.phonemes)
        else:
            result.append(span)
    return result


def _pronunciation(href: str) -> str | None:
    """Return the pronunciation in ``[word](/IPA/)``, or None for an ordinary link."""
    from urllib.parse import unquote

    decoded = unquote(href)
    if len(decoded) > 2 and decoded[0] == decoded[-1] == "/" and "/" not in decoded[1:-1]:
        return to_ipa(decoded)
    return None


def _parts(text: str) -> Iterator[tuple[str, int]]:
    """Yield the text and its line offset; paragraphs of extreme length apart, in pieces."""
    if len(text) <= MAX_PARAGRAPH:
        yield text, 0
        return
    ordinary: list[str] = []
    start = line = 0
    for block in re.split(r"(\n[ \t]*\n)", text):
        if len(block) > MAX_PARAGRAPH:
            if ordinary:
                yield "".join(ordinary), start
            for piece in _pieces(block):
                yield piece, line
            ordinary, start = [], line + block.count("\n")
        else:
            ordinary.append(block)
        line += block.count("\n")
    if ordinary:
        yield "".join(ordinary), start


def _pieces(block: str) -> Iterator[str]:
    at = 0
    while at < len(block):
        cut = min(len(block), at + 20_000)
        if cut < len(block):
            space = max(block.rfind(". ", at, cut), block.rfind("! ", at, cut)) + 1
            cut = space if space > at else max(block.rfind(" ", at, cut), at) or cut
            cut = cut if cut > at else min(len(block), at + 20_000)
        yield block[at:cut]
        at = cut
