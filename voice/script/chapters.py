"""From documents in reading order and a table of contents to the chapters of a book.

Every block of every document lands in exactly one chapter; what belongs to a chapter that is
not read is listed as skipped.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from voice.script.frontmatter import Ledger, gutenberg_bounds, key_of_title
from voice.script.model import Block, BlockKind, BookChapter, Span
from voice.script.navigation import NavPoint
from voice.script.xhtml import Document

MIN_MEAN_WORDS = 150
"""Deeper levels of the contents become chapters only if those hold this many words on average."""
MAX_DEPTH = 3
OPENING_WORDS = 40
"""A chapter shorter than this that is all headings opens the next one ("Part One")."""

_NUMBERED = re.compile(
    r"(?:chapter|part|book|canto|act|scene|letter|volume|section|stave)\s+"
    r"(?:\d+|[ivxlcdm]+|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|"
    r"(?:thir|four|fif|six|seven|eigh|nine)teen|twenty|thirty|the\s+\w+)\b.{0,80}",
    re.I,
)


@dataclass
class _Draft:
    title: str
    source: str
    named: bool
    blocks: list[Block] = field(default_factory=list)
    role: str = ""

    @property
    def words(self) -> int:
        return sum(len(block.text.split()) for block in self.blocks)


def assemble(
    documents: Sequence[Document], points: Sequence[NavPoint], ledger: Ledger, *, book_title: str
) -> tuple[BookChapter, ...]:
    """Cut the documents into chapters.

    Parameters
    ----------
    documents
        In reading order.
    points
        The table of contents, in its own order; may be empty or incomplete.
    ledger
        Takes the chapters that are skipped by title.
    book_title
        Names what stands before the first chapter.
    """
    documents = _without_gutenberg(documents, ledger)
    starts = _starts(documents, points)
    drafts = _cut(documents, starts, book_title)
    drafts = _leave_out(drafts, ledger)
    drafts = _join_openings(drafts)
    return tuple(_finish(draft) for draft in drafts)


def _without_gutenberg(documents: Sequence[Document], ledger: Ledger) -> Sequence[Document]:
    """Take Project Gutenberg's notices away where they stand in ordinary paragraphs."""
    if ledger.keeps("gutenberg"):
        return documents
    flat = [(d, b) for d, document in enumerate(documents) for b in range(len(document.blocks))]
    texts = [documents[d].blocks[b].text for d, b in flat]
    start, stop = gutenberg_bounds(texts)
    if (start, stop) == (0, len(texts)):
        return documents
    kept = set(flat[start:stop])
    result = []
    for number, document in enumerate(documents):
        keep = [index for index in range(len(document.blocks)) if (number, index) in kept]
        if len(keep) == len(document.blocks):
            result.append(document)
            continue
        gone = [b.text for i, b in enumerate(document.blocks) if (number, i) not in kept]
        ledger.skip("gutenberg", document.path, " ".join(gone))
        first = keep[0] if keep else len(document.blocks)
        result.append(
            replace(
                document,
                blocks=[document.blocks[i] for i in keep],
                roles=[document.roles[i] for i in keep],
                anchors={k: max(0, v - first) for k, v in document.anchors.items()},
            )
        )
    return result


@dataclass(frozen=True, slots=True)
class _Start:
    document: int
    block: int
    title: str
    listed: bool = True
    """The title stands in the table of contents or in a heading, not only in the file."""


def _starts(documents: Sequence[Document], points: Sequence[NavPoint]) -> list[_Start]:
    """Find where chapters start, in reading order, one per place."""
    by_path = {document.path: index for index, document in reversed(list(enumerate(documents)))}
    located: list[tuple[NavPoint, _Start]] = []
    for point in points:
        index = by_path.get(point.path)
        if index is None:
            continue
        document = documents[index]
        block = document.anchors.get(point.fragment, 0) if point.fragment else 0
        block = min(block, len(document.blocks))
        located.append((point, _Start(index, block, point.title)))
    chosen = _choose_depth(located, documents)
    if not chosen:
        return _from_headings(documents)
    return _with_unlisted(chosen, documents)


def _choose_depth(
    located: list[tuple[NavPoint, _Start]], documents: Sequence[Document]
) -> list[_Start]:
    words = sum(len(b.text.split()) for document in documents for b in document.blocks)
    chosen: list[_Start] = []
    for depth in range(1, MAX_DEPTH + 1):
        starts = _unique([start for point, start in located if point.depth <= depth])
        if chosen and (len(starts) == len(chosen) or words / len(starts) < MIN_MEAN_WORDS):
            break
        chosen = starts
    return chosen


def _unique(starts: list[_Start]) -> list[_Start]:
    """Sort into reading order; of several entries for one place the deepest, last one stays."""
    places: dict[tuple[int, int], _Start] = {}
    for start in starts:
        places[(start.document, start.block)] = start
    return [places[place] for place in sorted(places)]


def _with_unlisted(chosen: list[_Start], documents: Sequence[Document]) -> list[_Start]:
    """Add files the contents forgot, if they open with a heading like the listed ones do."""
    listed = {start.document for start in chosen}
    levels = []
    for start in chosen:
        blocks = documents[start.document].blocks
        if start.block < len(blocks) and blocks[start.block].kind is BlockKind.HEADING:
            levels.append(blocks[start.block].level)
    if not levels:
        return chosen
    extra = []
    for index, document in enumerate(documents):
        if index in listed or not document.blocks:
            continue
        first = document.blocks[0]
        if first.kind is BlockKind.HEADING and first.level <= max(levels):
            extra.append(_Start(index, 0, first.text))
    return _unique([*extra, *chosen])


def _from_headings(documents: Sequence[Document]) -> list[_Start]:
    """Without a table of contents: chapters start at the highest common heading level."""
    counts: dict[int, int] = {}
    for document in documents:
        for block in document.blocks:
            if block.kind is BlockKind.HEADING:
                counts[block.level] = counts.get(block.level, 0) + 1
    level = next((lv for lv in sorted(counts) if counts[lv] > 1), min(counts, default=0))
    starts = []
    for index, document in enumerate(documents):
        previous: Block | None = None
        for position, block in enumerate(document.blocks):
            opens = block.kind is BlockKind.HEADING and block.level <= level
            if opens and not (previous is not None and previous.kind is BlockKind.HEADING):
                starts.append(_Start(index, position, block.text))
            previous = block
    if not starts:
        starts = [
            _Start(index, 0, document.title, listed=False)
            for index, document in enumerate(documents)
            if document.blocks
        ]
    return starts


def _cut(documents: Sequence[Document], starts: list[_Start], book_title: str) -> list[_Draft]:
    drafts: list[_Draft] = []
    current = _Draft(title="", source="", named=False)
    queue = list(reversed(starts))
    for index, document in enumerate(documents):
        for position in range(len(document.blocks) + 1):
            while queue and (queue[-1].document, queue[-1].block) <= (index, position):
                start = queue.pop()
                drafts.append(current)
                current = _Draft(title=start.title, source=document.path, named=start.listed)
            if position == len(document.blocks):
                break
            block, role = document.blocks[position], document.roles[position]
            if not current.blocks:
                current.source = current.source or document.path
                current.role = role
            current.blocks.append(block)
    drafts.append(current)
    for draft in drafts:
        if not draft.title:
            draft.title = _title_for(draft, book_title)
    return [draft for draft in drafts if any(b.kind is not BlockKind.BREAK for b in draft.blocks)]


def _title_for(draft: _Draft, book_title: str) -> str:
    headings = [block.text for block in draft.blocks[:3] if block.kind is BlockKind.HEADING]
    if headings:
        return ". ".join(text.rstrip(".:") for text in headings)
    if draft.role and draft.role not in {"bodymatter", "chapter"}:
        return draft.role.capitalize()
    return book_title or "Opening"


def _leave_out(drafts: list[_Draft], ledger: Ledger) -> list[_Draft]:
    """Skip chapters that by their title are contents, notes, index and the like."""
    total = max(1, sum(draft.words for draft in drafts))
    kept: list[_Draft] = []
    before = 0
    for draft in drafts:
        heading = next((b.text for b in draft.blocks if b.kind is BlockKind.HEADING), "")
        position = before / total
        before += draft.words
        key = key_of_title(draft.title, position=position)
        if key is None and draft.words < 2000:
            key = key_of_title(heading, position=position)
        if key is not None and not ledger.keeps(key, draft.source):
            text = " ".join(block.text for block in draft.blocks)
            ledger.skip(key, f"{draft.source}: {draft.title}", text)
        else:
            kept.append(draft)
    return kept


def _join_openings(drafts: list[_Draft]) -> list[_Draft]:
    """Let pages with nothing but a heading ("Part One") open the chapter after them."""
    result: list[_Draft] = []
    carried: list[Block] = []
    for number, draft in enumerate(drafts):
        only_headings = all(
            block.kind in {BlockKind.HEADING, BlockKind.BREAK} for block in draft.blocks
        )
        last = number == len(drafts) - 1
        if only_headings and draft.words < OPENING_WORDS and not last:
            carried.extend(draft.blocks)
            continue
        if carried:
            draft.blocks = carried + draft.blocks
            carried = []
        result.append(draft)
    return result


def _finish(draft: _Draft) -> BookChapter:
    """Give every chapter a heading that can be read aloud."""
    blocks = draft.blocks
    opening = [block for block in blocks[:4] if block.kind is not BlockKind.BREAK]
    has_heading = any(block.kind is BlockKind.HEADING for block in opening)
    if not has_heading and opening:
        first = opening[0]
        looks = _same(first.text, draft.title) or bool(_NUMBERED.fullmatch(first.text.strip()))
        if looks and len(first.text) < 120:
            where = blocks.index(first)
            blocks = [*blocks]
            blocks[where] = replace(first, kind=BlockKind.HEADING, level=2)
        elif draft.named and draft.title and not _same_start(first.text, draft.title):
            # The title stands only in the contents (or in a picture): it is announced.
            blocks = [Block(BlockKind.HEADING, (Span(draft.title),), 2), *blocks]
    return BookChapter(
        title=draft.title, blocks=tuple(blocks), source=draft.source, role=draft.role
    )


def _fold(text: str) -> str:
    return "".join(character for character in text[:1000].casefold() if character.isalnum())


def _same(left: str, right: str) -> bool:
    return bool(_fold(left)) and _fold(left) == _fold(right)


def _same_start(text: str, title: str) -> bool:
    return _fold(text).startswith(_fold(title))
