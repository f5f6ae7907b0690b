"""Parse XML and XHTML from strangers: no entities, no network, no document type tricks."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any

from lxml import etree
from lxml import html as lxml_html

from consent.errors import InputError
from voice.script.decoding import decode

Element = Any  # lxml's elements; its types are not installed everywhere

OPS = "http://www.idpf.org/2007/ops"
SSML = "http://www.w3.org/2001/10/synthesis"
XML = "http://www.w3.org/XML/1998/namespace"
XLINK = "http://www.w3.org/1999/xlink"

_PREFIXES = {"epub": OPS, "ssml": SSML, "xml": XML, "xlink": XLINK}
_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
_DOCTYPE = re.compile(r"<!DOCTYPE[^\[>]*(?:\[(?:[^\]\"']|\"[^\"]*\"|'[^']*')*\]\s*)?>", re.I)
_HEAD = 65_536
"""The document type is looked for here, at the start of the file."""
_ENTITY = re.compile(r"&([A-Za-z][A-Za-z0-9]{1,31});")
_XML_ENTITIES = frozenset({"amp", "lt", "gt", "quot", "apos"})
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")


def parse_xml(data: bytes, where: str) -> Element:
    """Parse a package, container, navigation or lexicon file; tolerate small damage.

    Raises
    ------
    InputError
        Nothing that looks like XML is left even in recovery.
    """
    text = _prepare(data, where)
    root = _try(text, recover=False)
    if root is None:
        root = _try(text, recover=True)
    if root is None:
        raise InputError(f"{where}: not XML", hint="The file inside the book is damaged.")
    return root


def parse_xhtml(data: bytes, where: str) -> tuple[Element, str]:
    """Parse a content document.

    Returns
    -------
    root
        The document's element.
    problem
        ``""``, or what was wrong with the markup; it was then read as HTML, which loses no text.
    """
    text = _prepare(data, where)
    try:
        return etree.fromstring(text.encode("utf-8"), _parser(recover=False)), ""
    except (etree.XMLSyntaxError, ValueError) as exc:
        problem = str(exc)
    if not text.strip():
        return etree.Element("html"), "the file is empty"
    try:
        parser = lxml_html.HTMLParser(encoding="utf-8", huge_tree=True, no_network=True)
        root = lxml_html.document_fromstring(text.encode("utf-8"), parser=parser)
    except etree.ParserError:  # nothing but a declaration or comments
        return etree.Element("html"), problem
    except (etree.XMLSyntaxError, ValueError) as exc:
        raise InputError(f"{where}: not XHTML: {exc}") from exc
    return root, problem


def _prepare(data: bytes, where: str) -> str:
    text = decode(data, where, markup=True)
    text = _DECLARATION.sub("", text, count=1)
    text = _DOCTYPE.sub("", text[:_HEAD], count=1) + text[_HEAD:]
    # A declaration that is still there (a huge or misplaced document type) must not take effect.
    text = text.replace("<!ENTITY", "<!--ENTITY")
    if "&" in text:
        text = _ENTITY.sub(_expand, text)
    return _FORBIDDEN.sub("", text)


def _expand(match: re.Match[str]) -> str:
    name = match.group(1)
    if name in _XML_ENTITIES:
        return match.group(0)
    # Unknown names are shown as they stand: the words around them must not be lost.
    character = html.unescape(match.group(0))
    return character if character != match.group(0) else f"&amp;{name};"


def _parser(*, recover: bool) -> Any:
    # huge_tree only lifts libxml2's limits on depth and text size; entities are gone with the
    # document type, and the size of every member is bounded by the archive.
    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=True,
        recover=recover,
        remove_pis=True,
        remove_comments=True,
        encoding="utf-8",
    )


def _try(text: str, *, recover: bool) -> Element | None:
    try:
        return etree.fromstring(text.encode("utf-8"), _parser(recover=recover))
    except (etree.XMLSyntaxError, ValueError):
        return None


def local(element: Element) -> str:
    """Return an element's name without its namespace, in lower case; ``""`` for comments."""
    tag = element.tag
    if not isinstance(tag, str):
        return ""
    return tag.rpartition("}")[2].rpartition(":")[2].lower()


def attribute(element: Element, name: str) -> str:
    """Return an attribute by its usual prefixed name (``"epub:type"``), or ``""``.

    Finds it in its namespace and, for documents read as HTML, under its literal name.
    """
    value = element.get(name)
    if value is None and ":" in name:
        prefix, _, bare = name.partition(":")
        namespace = _PREFIXES.get(prefix)
        if namespace:
            value = element.get(f"{{{namespace}}}{bare}")
    return str(value) if value is not None else ""


def children(element: Element, name: str) -> Iterator[Element]:
    """Yield the child elements called `name`, whatever their namespace."""
    for child in element:
        if local(child) == name:
            yield child


def descendants(element: Element, name: str) -> Iterator[Element]:
    """Yield the descendants called `name` in document order, whatever their namespace."""
    for child in element.iter():
        if local(child) == name:
            yield child


def text_of(element: Element) -> str:
    """Return all the text inside `element`, spaces collapsed."""
    return " ".join("".join(element.itertext()).split())
