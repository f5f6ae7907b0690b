"""Builds small EPUBs, good and bad, for the tests of the script package."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

XHTML = """<?xml version="1.0" encoding="utf-8"?>
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"
 xmlns:ssml="http://www.w3.org/2001/10/synthesis" xml:lang="{language}">
<head><title>{title}</title>{head}</head><body{body_attributes}>{body}</body></html>"""

CONTAINER = """<?xml version="1.0"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>
<rootfile full-path="OEBPS/content.opf" media-type="application/oebps-package+xml"/>
</rootfiles></container>"""


def page(body: str, *, title: str = "", head: str = "", types: str = "", language: str = "en"):
    attributes = f' epub:type="{types}"' if types else ""
    return XHTML.format(
        body=body, title=title, head=head, body_attributes=attributes, language=language
    )


def epub_bytes(
    pages: Mapping[str, str],
    *,
    toc: Sequence[tuple[str, str]] | None = None,
    ncx: Sequence[tuple[str, str]] | None = None,
    spine: Sequence[str] | None = None,
    nonlinear: Sequence[str] = (),
    manifest_extra: str = "",
    guide: str = "",
    metadata_extra: str = "",
    language: str = "en-GB",
    members: Mapping[str, bytes] | None = None,
    landmarks: Sequence[tuple[str, str]] = (),
) -> bytes:
    """Make an EPUB: `pages` are whole documents by file name, in spine order."""
    items = "".join(
        f'<item id="i{n}" href="{name}" media-type="application/xhtml+xml"/>'
        for n, name in enumerate(pages)
    )
    ids = {name: f"i{n}" for n, name in enumerate(pages)}
    refs = "".join(
        f'<itemref idref="{ids.get(name, name)}"'
        + (' linear="no"' if name in nonlinear else "")
        + "/>"
        for name in (spine if spine is not None else pages)
    )
    files: dict[str, bytes] = {f"OEBPS/{name}": text.encode() for name, text in pages.items()}
    if toc is not None:
        entries = "".join(f'<li><a href="{href}">{title}</a></li>' for title, href in toc)
        marks = "".join(f'<li><a epub:type="{t}" href="{href}">x</a></li>' for t, href in landmarks)
        nav = f'<nav epub:type="toc"><ol>{entries}</ol></nav>'
        nav += f'<nav epub:type="landmarks"><ol>{marks}</ol></nav>' if marks else ""
        files["OEBPS/nav.xhtml"] = page(nav).encode()
        items += (
            '<item id="nav" href="nav.xhtml" properties="nav" media-type="application/xhtml+xml"/>'
        )
    if ncx is not None:
        points = "".join(
            f'<navPoint><navLabel><text>{title}</text></navLabel><content src="{href}"/></navPoint>'
            for title, href in ncx
        )
        files["OEBPS/toc.ncx"] = (
            f'<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/"><navMap>{points}</navMap></ncx>'
        ).encode()
        items += '<item id="ncx" href="toc.ncx" media-type="application/x-dtbncx+xml"/>'
    files["OEBPS/content.opf"] = (
        '<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="uid">'
        '<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">'
        '<dc:identifier id="uid">urn:isbn:123</dc:identifier><dc:title>A Small Book</dc:title>'
        f"<dc:creator>Ann Author</dc:creator><dc:language>{language}</dc:language>"
        f"{metadata_extra}</metadata><manifest>{items}{manifest_extra}</manifest>"
        f"<spine{' toc=' + chr(34) + 'ncx' + chr(34) if ncx is not None else ''}>{refs}</spine>"
        f"{guide}</package>"
    ).encode()
    files.update(members or {})
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/epub+zip", zipfile.ZIP_STORED)
        archive.writestr("META-INF/container.xml", CONTAINER)
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


@pytest.fixture
def make_epub() -> Callable[..., bytes]:
    return epub_bytes


@pytest.fixture
def xhtml() -> Callable[..., Any]:
    return page
