"""The package of an EPUB: container, metadata, manifest, spine, encryption."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from consent.errors import InputError
from provenance.audio.tags import picture_size, picture_type
from voice.script.archive import Archive, resolve
from voice.script.characters import clean
from voice.script.xml import Element, attribute, children, descendants, parse_xml, text_of

CONTAINER = "META-INF/container.xml"
ENCRYPTION = "META-INF/encryption.xml"
FONT_OBFUSCATION = frozenset(
    {"http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC"}
)
"""Obfuscated fonts are ordinary in free books and hide no text."""

MAX_COVER_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Item:
    """A manifest entry; `path` is the member name."""

    id: str
    path: str
    media_type: str
    properties: frozenset[str]


@dataclass(frozen=True, slots=True)
class SpineItem:
    """A place in the reading order."""

    item: Item
    linear: bool


@dataclass(frozen=True, slots=True)
class Package:
    """What the package document says."""

    path: str
    root: Element
    items: dict[str, Item]
    spine: tuple[SpineItem, ...]
    toc_id: str
    title: str
    authors: tuple[str, ...]
    language: str
    identifier: str
    publisher: str
    date: str


def refuse_drm(archive: Archive) -> None:
    """Refuse books with encrypted content, naming the algorithm.

    Raises
    ------
    InputError
        The book is protected.
    """
    if archive.find("META-INF/rights.xml") and archive.find("META-INF/sinf.xml"):
        raise InputError(
            f"{archive.name}: the book is protected by Apple FairPlay DRM",
            hint="Use an edition without DRM.",
        )
    if not archive.find(ENCRYPTION):
        return
    root = parse_xml(archive.read(ENCRYPTION), f"{archive.name}: {ENCRYPTION}")
    for data in descendants(root, "encrypteddata"):
        method = next(descendants(data, "encryptionmethod"), None)
        algorithm = attribute(method, "Algorithm") if method is not None else ""
        if algorithm in FONT_OBFUSCATION:
            continue
        reference = next(descendants(data, "cipherreference"), None)
        member = attribute(reference, "URI") if reference is not None else "its content"
        raise InputError(
            f"{archive.name}: the book is protected by DRM ({member} is encrypted with "
            f"{algorithm or 'an unnamed algorithm'}, see {ENCRYPTION})",
            hint="Use an edition without DRM: encrypted text cannot be read.",
        )


def read_package(archive: Archive) -> Package:
    """Find and read the package document.

    Raises
    ------
    InputError
        There is no container or package document, or its spine is empty.
    """
    path = _package_path(archive)
    root = parse_xml(archive.read(path), f"{archive.name}: {path}")
    metadata = next(descendants(root, "metadata"), None)
    manifest = next(descendants(root, "manifest"), None)
    spine = next(descendants(root, "spine"), None)
    if manifest is None or spine is None:
        lacking = "manifest" if manifest is None else "spine"
        raise InputError(
            f"{archive.name}: {path} has no {lacking}",
            hint="The EPUB is damaged: without it the reading order is unknown.",
        )
    items = _items(manifest, path)
    places = tuple(
        SpineItem(items[idref], attribute(ref, "linear").lower() != "no")
        for ref in children(spine, "itemref")
        if (idref := attribute(ref, "idref")) in items
    )
    unknown = [
        attribute(ref, "idref")
        for ref in children(spine, "itemref")
        if attribute(ref, "idref") not in items
    ]
    # A place in the reading order whose item does not exist is kept, to be listed as missing.
    places += tuple(
        SpineItem(Item(idref, idref, "application/xhtml+xml", frozenset()), True)
        for idref in unknown
    )
    if not places:
        raise InputError(f"{archive.name}: the spine in {path} is empty: nothing to read")
    return Package(
        path=path,
        root=root,
        items=items,
        spine=places,
        toc_id=attribute(spine, "toc"),
        title=_title(metadata),
        authors=_authors(metadata),
        language=_first(metadata, "language") or attribute(root, "xml:lang") or "en",
        identifier=_identifier(root, metadata),
        publisher=_first(metadata, "publisher"),
        date=_date(metadata),
    )


def _package_path(archive: Archive) -> str:
    if archive.find(CONTAINER):
        root = parse_xml(archive.read(CONTAINER), f"{archive.name}: {CONTAINER}")
        for rootfile in descendants(root, "rootfile"):
            path = attribute(rootfile, "full-path").lstrip("/")
            if path and archive.find(path):
                return archive.find(path) or path
        raise InputError(
            f"{archive.name}: the package document named in {CONTAINER} is missing",
            hint="The EPUB is damaged or incomplete.",
        )
    candidates = [name for name in archive.names() if name.lower().endswith(".opf")]
    if len(candidates) == 1:
        return candidates[0]
    raise InputError(
        f"{archive.name}: not an EPUB: {CONTAINER} is missing",
        hint="Give an EPUB, a Markdown or a plain text file.",
    )


def _items(manifest: Element, path: str) -> dict[str, Item]:
    items: dict[str, Item] = {}
    for entry in children(manifest, "item"):
        member, _ = resolve(path, attribute(entry, "href"))
        identifier = attribute(entry, "id")
        if member and identifier:
            items.setdefault(
                identifier,
                Item(
                    identifier,
                    member,
                    attribute(entry, "media-type").strip().lower(),
                    frozenset(attribute(entry, "properties").split()),
                ),
            )
    return items


def _values(metadata: Element | None, name: str) -> list[Element]:
    if metadata is None:
        return []
    return [element for element in descendants(metadata, name) if text_of(element)]


def _first(metadata: Element | None, name: str) -> str:
    values = _values(metadata, name)
    return clean(text_of(values[0])).strip() if values else ""


def _refinements(metadata: Element, identifier: str, name: str) -> list[str]:
    return [
        text_of(meta)
        for meta in descendants(metadata, "meta")
        if attribute(meta, "refines") == f"#{identifier}" and attribute(meta, "property") == name
    ]


def _title(metadata: Element | None) -> str:
    titles = _values(metadata, "title")
    for title in titles:
        identifier = attribute(title, "id")
        if identifier and "main" in _refinements(metadata, identifier, "title-type"):
            return clean(text_of(title)).strip()
    return clean(text_of(titles[0])).strip() if titles else ""


def _authors(metadata: Element | None) -> tuple[str, ...]:
    names: list[str] = []
    for creator in _values(metadata, "creator"):
        identifier = attribute(creator, "id")
        roles = _refinements(metadata, identifier, "role") if identifier else []
        roles.append(attribute(creator, "opf:role") or _opf_role(creator))
        given = [role for role in roles if role]
        if not given or "aut" in given:
            names.append(clean(text_of(creator)).strip())
    return tuple(dict.fromkeys(names))


def _opf_role(element: Element) -> str:
    return str(element.get("{http://www.idpf.org/2007/opf}role") or "")


def _identifier(root: Element, metadata: Element | None) -> str:
    wanted = attribute(root, "unique-identifier")
    for element in _values(metadata, "identifier"):
        if not wanted or attribute(element, "id") == wanted:
            return text_of(element)
    return _first(metadata, "identifier")


def _date(metadata: Element | None) -> str:
    for element in _values(metadata, "date"):
        if match := re.match(r"\d{4}(?:-\d\d(?:-\d\d)?)?", text_of(element)):
            return match.group()
    return ""


def find_cover(archive: Archive, package: Package) -> tuple[bytes | None, str]:
    """Return the cover picture and its media type, as JPEG or PNG, or ``(None, "")``.

    A cover drawn in SVG around one embedded picture gives that picture.
    """
    chosen = next((i for i in package.items.values() if "cover-image" in i.properties), None)
    if chosen is None:
        for meta in descendants(package.root, "meta"):
            if attribute(meta, "name") == "cover":
                chosen = package.items.get(attribute(meta, "content"))
    if chosen is None or not archive.find(chosen.path):
        return None, ""
    data = archive.read(chosen.path)
    if chosen.media_type == "image/svg+xml":
        embedded = re.search(rb'href\s*=\s*"data:image/(?:jpeg|png);base64,([^"]+)"', data)
        if embedded is None:
            return None, ""
        try:
            data = base64.b64decode(re.sub(rb"&#\w+;|\s", b"", embedded.group(1)))
        except (binascii.Error, ValueError):
            return None, ""
    # A damaged picture is no reason to leave the book unread.
    kind = picture_type(data)
    if kind is None or picture_size(data) is None or len(data) > MAX_COVER_BYTES:
        return None, ""
    return data, kind
