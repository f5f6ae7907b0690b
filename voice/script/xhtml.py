"""XHTML content documents to blocks.

The tree is walked with an explicit stack, so that depth costs memory and never the
interpreter's recursion limit, and every character of text goes to exactly one place: a block,
or something listed as skipped.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from voice.script import elements
from voice.script.blocks import LINE_BREAK, make_blocks
from voice.script.characters import clean, primary, word_set
from voice.script.frontmatter import Ledger, is_read_type, key_of_title
from voice.script.model import Block, BlockKind, Span
from voice.script.phonetic import to_ipa
from voice.script.xml import Element, attribute, descendants, local, text_of

_HEADINGS = {f"h{n}": n for n in range(1, 7)}
_HEADING_TYPES = word_set("title subtitle fulltitle halftitle bridgehead label ordinal")
_AGGREGATED = frozenset({"note-marks", "page-numbers", "line-numbers", "ruby"})


@dataclass
class Document:
    """A content document as blocks.

    Attributes
    ----------
    anchors
        Element id -> index of the block at or after which it stands.
    roles
        For each block, the nearest ``epub:type`` that is read (``"epigraph"``), else ``""``.
    """

    path: str
    blocks: list[Block] = field(default_factory=list)
    anchors: dict[str, int] = field(default_factory=dict)
    roles: list[str] = field(default_factory=list)
    title: str = ""


@dataclass(slots=True)
class _Record:
    key: str
    parts: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Frame:
    kind: BlockKind
    level: int
    emphasis: int
    language: str | None
    alphabet: str
    verse: bool
    row: bool
    role: str
    skip: _Record | None
    block: bool = False
    owns_skip: bool = False
    ends_stanza: bool = False
    closing: str = ""


def convert(
    root: Element, path: str, *, language: str, ledger: Ledger, key: str | None = None
) -> Document:
    """Convert a parsed document.

    Parameters
    ----------
    root
        The ``html`` element.
    path
        Member name, for places and anchors.
    language
        The book's language.
    ledger
        Takes what is skipped, and knows what to keep.
    key
        Skip the whole document under this key (parts with a readable type are still read).
    """
    return _Converter(path, language, ledger, key).run(root)


class _Converter:
    def __init__(self, path: str, language: str, ledger: Ledger, key: str | None) -> None:
        self.document = Document(path)
        self.language = language
        self.ledger = ledger
        self.runs: list[Span] = []
        self.frames = [_Frame(BlockKind.PARAGRAPH, 0, 0, None, "ipa", False, False, "", None)]
        self.marks: dict[str, list[str]] = {}
        self.pending_key = key
        self.link_lists: set[Element] = set()

    def run(self, root: Element) -> Document:
        title = next(descendants(root, "title"), None)
        self.document.title = text_of(title) if title is not None else ""
        self.link_lists = elements.link_lists(root)
        pending = [iter((root,))]
        opened: list[Element] = []
        while pending:
            element = next(pending[-1], None)
            if element is None:
                pending.pop()
                if opened:
                    element = opened.pop()
                    self.close(element)
                    self.text(element.tail)
            elif self.open(element):
                opened.append(element)
                pending.append(iter(element))
                self.text(element.text)
            else:
                self.text(element.tail)
        self.flush()
        for key, parts in self.marks.items():
            self.ledger.skip(key, self.document.path, " ".join(parts))
        return self.document

    # -- text ---------------------------------------------------------------------------------

    def text(self, text: str | None) -> None:
        if not text:
            return
        frame = self.frames[-1]
        if frame.skip is not None:
            frame.skip.parts.append(text)
        elif text.isspace() and not self.runs:
            return
        else:
            self.runs.append(Span(text, emphasis=frame.emphasis, language=frame.language))

    def before(self) -> str:
        """Return the last characters of the paragraph so far."""
        return self.runs[-1].text[-12:] if self.runs else ""

    def said(self) -> str:
        """Return the last run of the paragraph that is not only space."""
        runs = (run.text.rstrip() for run in reversed(self.runs))
        return next((text for text in runs if text), "")

    def flush(self) -> None:
        if not self.runs:
            return
        frame = self.frames[-1]
        made = make_blocks(self.runs, frame.kind, level=frame.level, verse=frame.verse)
        self.runs = []
        self.document.blocks.extend(made)
        self.document.roles.extend([frame.role] * len(made))

    # -- elements -----------------------------------------------------------------------------

    def open(self, element: Element) -> bool:
        """Enter `element`; False when its inside needs no walk."""
        tag = local(element)
        if not tag or tag in elements.IGNORED_TAGS:
            return False
        parent = self.frames[-1]
        is_block = tag in elements.BLOCK_TAGS and not parent.row
        if is_block:
            self.flush()
        self.anchor(element)
        if tag in {"img", "svg", "image", "math"}:
            self.picture(element, tag)
            return False
        if tag == "hr" and parent.skip is None:
            self.document.blocks.append(Block(BlockKind.BREAK))
            self.document.roles.append(parent.role)
            return False
        if tag == "br":
            if parent.skip is not None:
                parent.skip.parts.append(" ")
            elif parent.row:
                self.text(" ")
            else:
                self.runs.append(LINE_BREAK)
            return False
        frame = self.frame_for(element, tag, parent)
        frame.block = is_block
        if frame.skip is None and self.pronounced(element, frame):
            return False
        if frame.skip is None and tag == "sup":
            raised = text_of(element)
            if elements.is_exponent(raised, self.before()):
                self.text(elements.superscript(raised))
                return False
        self.frames.append(frame)
        if parent.row and tag in {"td", "th"} and any(run.text.strip() for run in self.runs):
            ended = self.said().endswith((",", ";", ":", ".", "!", "?"))
            self.runs.append(Span(" " if ended else ", "))
        if parent.row and tag in elements.BLOCK_TAGS:
            self.text(" ")
        if tag == "q" and not text_of(element).startswith(("“", '"', "‘", "'", "«", "„")):
            self.text("“")
            frame.closing = "”"
        return True

    def frame_for(self, element: Element, tag: str, parent: _Frame) -> _Frame:
        frame = replace(parent, block=False, owns_skip=False, ends_stanza=False, closing="")
        types = f"{attribute(element, 'epub:type')} {attribute(element, 'role')}".lower()
        self.classify(element, tag, types, parent, frame)
        language = attribute(element, "xml:lang") or attribute(element, "lang")
        if language:
            same = primary(language) == primary(self.language)
            frame.language = None if same else language
        if alphabet := attribute(element, "ssml:alphabet"):
            frame.alphabet = alphabet
        if tag in _HEADINGS:
            frame.kind, frame.level = BlockKind.HEADING, _HEADINGS[tag]
        elif tag == "hgroup" or (tag == "p" and not _HEADING_TYPES.isdisjoint(types.split())):
            frame.kind, frame.level = BlockKind.HEADING, _hgroup_level(element)
        elif tag == "blockquote":
            frame.kind = BlockKind.QUOTE
        elif tag in {"li", "dt", "dd"}:
            frame.kind = BlockKind.LIST_ITEM
        elif tag == "tr" and parent.kind is BlockKind.LIST_ITEM:
            frame.row = True
        elif tag == "table":
            mode = elements.table_mode(element)
            if mode != "layout":
                frame.kind = BlockKind.LIST_ITEM
            if mode == "figures" and frame.skip is None and not self.ledger.keeps("tables"):
                frame.skip, frame.owns_skip = _Record("tables"), True
        elif tag == "pre":
            frame.verse = True
        elif tag == "em":
            frame.emphasis = max(frame.emphasis, 1)
        elif tag == "strong":
            frame.emphasis = 2
        if elements.starts_verse(element) and frame.kind is not BlockKind.HEADING:
            frame.verse = True
        frame.ends_stanza = frame.verse and (
            elements.is_stanza(element) or not parent.verse or tag == "p"
        )
        if frame.kind is BlockKind.HEADING:
            frame.verse = False
        return frame

    def classify(
        self, element: Element, tag: str, types: str, parent: _Frame, frame: _Frame
    ) -> None:
        """Decide whether the element is read or skipped, and under which key."""
        path = self.document.path
        key = elements.skip_key(element, self.before())
        if tag == "body" and self.pending_key and key is None:
            key = self.pending_key
        if key is None and element in self.link_lists:
            key = "contents"
            if parent.skip is None and not self.ledger.keeps(key, path):
                self.take_back_heading()
        if key is None:
            if is_read_type(types):
                frame.role = next(t for t in types.split() if is_read_type(t)).replace("doc-", "")
                if parent.skip is not None and frame.role != "bodymatter":
                    frame.skip = None
            return
        if self.ledger.keeps(key, path):
            frame.skip = None
        elif parent.skip is None or parent.skip.key != key:
            frame.skip, frame.owns_skip = _Record(key), True

    def take_back_heading(self) -> None:
        """Skip the heading ("Contents") of a list of links with it."""
        blocks = self.document.blocks
        if not blocks or blocks[-1].kind is not BlockKind.HEADING:
            return
        if key := key_of_title(blocks[-1].text, position=0.0):
            self.ledger.skip(key, self.document.path, blocks.pop().text)
            self.document.roles.pop()

    def close(self, element: Element) -> None:
        frame = self.frames[-1]
        if frame.closing:
            self.text(frame.closing)
        if frame.block:
            self.flush()
        self.frames.pop()
        blocks = self.document.blocks
        if frame.ends_stanza and blocks and blocks[-1].kind is BlockKind.VERSE:
            parent = element.getparent()
            one_line = local(element) == "p" and len(element) == 0
            if not (one_line and parent is not None and elements.starts_verse(parent)):
                blocks[-1] = replace(blocks[-1], level=1)
        if frame.owns_skip and frame.skip is not None:
            self.settle(frame.skip)
        elif frame.skip is not None and frame.block:
            frame.skip.parts.append(" ")

    def settle(self, record: _Record) -> None:
        text = clean("".join(record.parts)).strip()
        if not text:
            return
        if record.key in _AGGREGATED:
            self.marks.setdefault(record.key, []).append(text)
        else:
            self.ledger.skip(record.key, self.document.path, text)

    # -- details ------------------------------------------------------------------------------

    def anchor(self, element: Element) -> None:
        name = element.get("id") or attribute(element, "xml:id") or element.get("name")
        if not name:
            return
        index = len(self.document.blocks)
        tail = (element.tail or "").strip()
        if self.runs and not tail and element.getnext() is None and not text_of(element):
            index += 1  # at the very end of a paragraph: what it names comes next
        self.document.anchors.setdefault(str(name), index)

    def picture(self, element: Element, tag: str) -> None:
        """List a picture by its description; read a formula by its own."""
        if tag == "math":
            spoken = attribute(element, "alttext") or text_of(element)
            self.text(f" {spoken} ")
            return
        described = attribute(element, "alt")
        if tag == "svg":
            title = next(descendants(element, "title"), None)
            described = text_of(title) if title is not None else text_of(element)
        if not described.strip():
            return
        if self.ledger.keeps("images", self.document.path) and self.frames[-1].skip is None:
            self.text(f" {described} ")
        else:
            where = attribute(element, "src") or tag
            self.ledger.skip("images", f"{self.document.path}: {where}", described)

    def pronounced(self, element: Element, frame: _Frame) -> bool:
        """Take an element with ``ssml:ph`` as one run with its own pronunciation."""
        phonemes = attribute(element, "ssml:ph").strip()
        if not phonemes:
            return False
        ipa = to_ipa(phonemes, frame.alphabet)
        written = text_of(element)
        if ipa is None or not written:
            return False
        self.runs.append(
            Span(written, emphasis=frame.emphasis, language=frame.language, phonemes=ipa)
        )
        if frame.block:
            self.frames.append(frame)
            self.flush()
            self.frames.pop()
        return True


def _hgroup_level(element: Element) -> int:
    """Return the level of the headings around or inside `element`, 2 if there is none."""
    if local(element) == "hgroup":
        levels = [_HEADINGS[tag] for child in element if (tag := local(child)) in _HEADINGS]
        return min(levels, default=2)
    return 2
