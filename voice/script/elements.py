"""Judge single XHTML elements: note marks, link lists, tables, lines of verse."""

from __future__ import annotations

import re

from voice.script.characters import word_set
from voice.script.frontmatter import key_of_classes, key_of_types
from voice.script.xml import Element, attribute, descendants, local

BLOCK_TAGS = word_set(
    "address article aside blockquote body caption center dd details dialog div dl dt "
    "fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr legend "
    "li main menu nav ol optgroup option p pre section summary table tbody td tfoot th "
    "thead tr ul"
)
IGNORED_TAGS = word_set(
    "head script style template audio video object embed iframe input select button "
    "textarea noscript canvas map param source track link meta base"
)
_CONTAINERS = word_set("body section article main div")
_VERSE_TYPES = re.compile(r"(?:^|[\s:])(?:poem|verse|song|hymn|lyrics)(?:$|\s)")
_VERSE_CLASSES = word_set(
    "poem poetry verse stanza linegroup line-group lg poetry-container lyrics song"
)
_STANZA_CLASSES = word_set("stanza linegroup line-group lg verse")
_NOTE_MARK = re.compile(r"[\[({]?\s*(?:\d{1,4}|[*†‡§¶‖]{1,4}|[a-z]|[ivxl]{1,5})\s*[\])}]?\.?")
_UNITS = word_set("m km cm mm dm ft in yd mi s sec x y z n r c mc µm nm a b e i")
_SUPERSCRIPTS = str.maketrans("0123456789+-n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ")


def starts_verse(element: Element) -> bool:
    """Say whether `element` holds verse: its children or lines are lines of a poem."""
    classes = attribute(element, "class").lower().split()
    if not _VERSE_CLASSES.isdisjoint(classes):
        return True
    return bool(_VERSE_TYPES.search(attribute(element, "epub:type").lower()))


def is_stanza(element: Element) -> bool:
    """Say whether the end of `element` is the end of a stanza."""
    classes = attribute(element, "class").lower().split()
    return not _STANZA_CLASSES.isdisjoint(classes)


def skip_key(element: Element, before: str) -> str | None:
    """Return the key under which `element` is left out, or None.

    Parameters
    ----------
    before
        The last character of text in front of it.
    """
    types = f"{attribute(element, 'epub:type')} {attribute(element, 'role')}"
    if key := key_of_types(types):
        return key
    tag = local(element)
    classes = attribute(element, "class")
    if classes and (key := key_of_classes(classes, _short_text(element))):
        return key
    style = attribute(element, "style").replace(" ", "").lower()
    if "display:none" in style or element.get("hidden") is not None:
        return "hidden"
    if tag in {"rt", "rp"}:
        return "ruby"
    if tag == "figcaption":
        return "images"
    if tag == "sup":
        return _sup_key(element, before)
    if tag == "a":
        return _link_key(element, before)
    return None


def _short_text(element: Element, limit: int = 24) -> str:
    """Return the element's text, cut soon after `limit` characters."""
    parts: list[str] = []
    size = 0
    for part in element.itertext():
        parts.append(part)
        size += len(part)
        if size > limit:
            break
    return "".join(parts).strip()


def _sup_key(element: Element, before: str) -> str | None:
    text = _short_text(element)
    if not _NOTE_MARK.fullmatch(text) or text.isalpha():
        linked = any(True for _ in descendants(element, "a"))
        return "note-marks" if linked and _NOTE_MARK.fullmatch(text) else None
    if any(True for _ in descendants(element, "a")):
        return "note-marks"
    return None if is_exponent(text, before) else "note-marks"


def is_exponent(text: str, before: str) -> bool:
    """Say whether a raised number is a power (``10²``, ``km²``) and no note mark."""
    if not text.isdigit() or not before:
        return False
    word = re.search(r"[\wµ]+$", before)
    if word is None:
        return False
    return word.group().isdigit() or word.group().lower() in _UNITS


def superscript(text: str) -> str:
    """Return digits as superscript characters."""
    return text.translate(_SUPERSCRIPTS)


def _link_key(element: Element, before: str) -> str | None:
    href = attribute(element, "href")
    text = _short_text(element)
    if "#" not in href or not _NOTE_MARK.fullmatch(text):
        return None
    bracketed = text[:1] in "[({" or not text.isalnum()
    raised = any(local(child) == "sup" for child in element)
    parent = element.getparent()
    raised = raised or (parent is not None and local(parent) == "sup")
    glued = bool(before) and not before[-1:].isspace() and text.isdigit()
    return "note-marks" if bracketed or raised or glued else None


def link_lists(root: Element) -> set[Element]:
    """Find the elements that are lists of links into the book: contents, lists of plates.

    An element counts when it has at least four internal links and they hold 70 % of its text;
    90 % for a whole page or division, which may hold a list and more.
    """
    counts: dict[Element, tuple[int, int, int]] = {}
    found: set[Element] = set()
    order = [element for element in root.iter() if isinstance(element.tag, str)]
    for element in reversed(order):  # children come before their parents
        tag = local(element)
        if tag in IGNORED_TAGS:
            counts[element] = (0, 0, 0)
            continue
        text = len((element.text or "").strip())
        inside = links = 0
        for child in element:
            child_text, child_inside, child_links = counts.pop(child, (0, 0, 0))
            text += child_text + len((child.tail or "").strip())
            inside += child_inside
            links += child_links
        if tag == "a" and _internal(attribute(element, "href")):
            inside, links = text, 1
        counts[element] = (text, inside, links)
        share = 0.9 if tag in _CONTAINERS else 0.7
        if links >= 4 and inside >= share * text and tag in BLOCK_TAGS:
            found.add(element)
    return found


def _internal(href: str) -> bool:
    return bool(href) and "://" not in href and not href.startswith("mailto:")


def table_mode(table: Element) -> str:
    """Decide how a table is read.

    Returns
    -------
    str
        ``"layout"``: only a frame around prose, read as if it were not there; ``"rows"``: read
        row by row; ``"figures"``: mostly numbers, left out by default.
    """
    rows = cells = numeric = widest = characters = 0
    for row in descendants(table, "tr"):
        rows += 1
        width = 0
        for cell in row:
            if local(cell) not in {"td", "th"}:
                continue
            width += 1
            text = "".join(cell.itertext()).strip()
            characters += len(text)
            if text:
                cells += 1
                digits = sum(character.isdigit() for character in text)
                letters = sum(character.isalpha() for character in text)
                numeric += digits > letters
        widest = max(widest, width)
    if widest < 2 or (cells and characters / cells > 250):
        return "layout"
    if cells >= 12 and rows >= 3 and widest >= 3 and numeric > 0.6 * cells:
        return "figures"
    return "rows"
