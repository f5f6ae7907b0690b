"""EPUB 2 and 3 to a book."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from consent.errors import InputError
from voice.script.archive import Archive, resolve
from voice.script.chapters import assemble
from voice.script.characters import primary
from voice.script.frontmatter import SHORT_PAGE, Ledger, is_read_type, key_of_file, key_of_types
from voice.script.lexicon import parse_pls
from voice.script.model import Book
from voice.script.navigation import Navigation, read_guide, read_nav, read_ncx
from voice.script.package import Package, SpineItem, find_cover, read_package, refuse_drm
from voice.script.xhtml import Document, convert
from voice.script.xml import Element, attribute, descendants, parse_xhtml, parse_xml, text_of

CONTENT_TYPES = frozenset(
    {"application/xhtml+xml", "text/html", "application/xml", "text/xml", "text/x-oeb1-document"}
)


def read_epub(data: bytes, name: str, *, keep: Sequence[str] = ()) -> Book:
    """Read an EPUB.

    Parameters
    ----------
    data
        The whole file.
    name
        What to call it in errors.
    keep
        Keys of :data:`voice.script.frontmatter.KINDS`, ``"all"``, or paths inside the book.

    Raises
    ------
    InputError
        Not an EPUB, damaged, hostile, protected, or nothing in it can be read.
    """
    ledger = Ledger.of(keep)
    with Archive(data, name) as archive:
        refuse_drm(archive)
        package = read_package(archive)
        navigation = _navigation(archive, package)
        kinds = {**read_guide(package.root, package.path), **navigation.landmarks}
        documents: list[Document] = []
        lexicons = [
            item.path
            for item in package.items.values()
            if item.media_type == "application/pls+xml" or item.path.endswith(".pls")
        ]
        for place in package.spine:
            document = _document(archive, package, place, kinds, ledger, lexicons)
            if document is not None:
                documents.append(document)
        chapters = assemble(documents, navigation.points, ledger, book_title=package.title)
        cover, cover_type = find_cover(archive, package)
        lexicon: dict[str, str] = {}
        for path in dict.fromkeys(lexicons):
            if archive.find(path):
                entries = parse_pls(archive.read(path), f"{name}: {path}", package.language)
                lexicon.update(entries)
    if not chapters:
        raise InputError(
            f"{name}: no text to read: "
            + ("everything in it is left out by default" if ledger.entries else "it is empty"),
            hint="Keep parts with --keep KEY (or --keep all); a book of pictures cannot be read.",
        )
    return Book(
        title=package.title or name,
        authors=package.authors,
        language=package.language,
        chapters=chapters,
        skipped=tuple(ledger.entries),
        identifier=package.identifier,
        publisher=package.publisher,
        date=package.date,
        cover=cover,
        cover_type=cover_type,
        lexicon=lexicon,
        sha256=hashlib.sha256(data).hexdigest(),
    )


def _navigation(archive: Archive, package: Package) -> Navigation:
    nav = Navigation((), {})
    item = next((i for i in package.items.values() if "nav" in i.properties), None)
    if item is not None and archive.find(item.path):
        root, _ = parse_xhtml(archive.read(item.path), f"{archive.name}: {item.path}")
        nav = read_nav(root, item.path)
    if nav.points:
        return nav
    ncx = package.items.get(package.toc_id) or next(
        (i for i in package.items.values() if i.media_type == "application/x-dtbncx+xml"), None
    )
    if ncx is not None and archive.find(ncx.path):
        try:
            root = parse_xml(archive.read(ncx.path), f"{archive.name}: {ncx.path}")
        except InputError:
            return nav  # chapters are then found by headings
        return Navigation(read_ncx(root, ncx.path).points, nav.landmarks)
    return nav


def _document(
    archive: Archive,
    package: Package,
    place: SpineItem,
    kinds: dict[str, str],
    ledger: Ledger,
    lexicons: list[str],
) -> Document | None:
    item = place.item
    if item.media_type and item.media_type not in CONTENT_TYPES:
        ledger.skip("images", item.path, "")
        return None
    if not archive.find(item.path):
        ledger.skip("missing", f"{archive.name}: {item.path}", "")
        return None
    root, problem = parse_xhtml(archive.read(item.path), f"{archive.name}: {item.path}")
    if problem:
        ledger.skip("damaged", f"{item.path}: {problem}", "")
    for link in descendants(root, "link"):
        if attribute(link, "rel").lower() == "pronunciation":
            path, _ = resolve(item.path, attribute(link, "href"))
            language = attribute(link, "hreflang")
            if path and (not language or primary(language) == primary(package.language)):
                lexicons.append(path)
    key = _document_key(root, item.path, item.properties, kinds, ledger)
    if not place.linear and key is None:
        key = "nonlinear"
    document = convert(root, item.path, language=package.language, ledger=ledger, key=key)
    if not document.blocks and not text_of(_body(root)):
        ledger.skip("empty", item.path, "")
    return document


def _body(root: Element) -> Element:
    return next(descendants(root, "body"), root)


def _document_key(
    root: Element, path: str, properties: frozenset[str], kinds: dict[str, str], ledger: Ledger
) -> str | None:
    """Decide whether a whole file is skipped, by guide, landmarks, properties and name."""
    if "nav" in properties:
        return "contents"
    listed = kinds.get(path, "")
    if listed and (key := key_of_types(listed)):
        return key
    types = " ".join(
        attribute(element, "epub:type") for element in (_body(root), *list(_body(root))[:3])
    )
    if is_read_type(types.replace("bodymatter", "") + " " + listed):
        return None
    key = key_of_file(path)
    if key is not None and len(text_of(_body(root)).split()) <= SHORT_PAGE:
        return key
    return (
        key if key in {"contents", "endnotes", "footnotes"} and "bodymatter" not in types else None
    )
