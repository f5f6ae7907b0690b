"""Bytes to text: find the encoding, refuse what is not text."""

from __future__ import annotations

import codecs
import re

from consent.errors import InputError

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DECLARED = re.compile(rb"<\?xml[^>]*encoding\s*=\s*[\"']([A-Za-z0-9._-]+)[\"']")
_META = re.compile(rb"<meta[^>]*charset\s*=\s*[\"']?([A-Za-z0-9._-]+)", re.I)
_CONTROLS = bytes(b for b in range(32) if b not in b"\t\n\r\f\v\x1a\x1b\x1c\x1d\x1e\x1f")

FOREIGN = (
    (b"%PDF-", "a PDF"),
    (b"\xd0\xcf\x11\xe0", "an old Microsoft Office file"),
    (b"{\\rtf", "an RTF document"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"ID3", "an MP3 file"),
    (b"RIFF", "a WAV file"),
    (b"fLaC", "a FLAC file"),
    (b"OggS", "an Ogg file"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x7fELF", "a program"),
)


def foreign_kind(data: bytes) -> str | None:
    """Say what `data` is if it is a well-known kind of file that holds no plain text."""
    if data[60:68] in {b"BOOKMOBI", b"TEXtREAd"}:
        return "a Kindle book (MOBI)"
    if data[4:8] == b"ftyp":
        return "an MP4 file"
    return next((kind for magic, kind in FOREIGN if data.startswith(magic)), None)


def decode(data: bytes, where: str, *, markup: bool = False) -> str:
    """Decode text: by its byte order mark, declaration, as UTF-8, UTF-16, else Windows-1252.

    Parameters
    ----------
    data
        The bytes.
    where
        What to call them in errors.
    markup
        Honour an XML declaration or HTML ``charset``.

    Raises
    ------
    InputError
        The bytes are not text in any of these encodings.
    """
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            return _strictly(data, encoding, where)
    if encoding := _utf16_without_mark(data):
        return _strictly(data, encoding, where)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as exc:
        return _legacy(data, where, exc, markup=markup)
    _refuse_binary(data, where)
    return text


def _strictly(data: bytes, encoding: str, where: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as exc:
        raise InputError(
            f"{where}: not valid {encoding}: {exc.reason} at byte {exc.start}",
            hint="Save the text as UTF-8 and try again.",
        ) from exc


def _utf16_without_mark(data: bytes) -> str:
    """Return the byte order if every other byte is mostly zero, else ``""``."""
    head = data[:2000]
    if len(head) < 4 or len(data) % 2:
        return ""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    half = len(head) / 2
    if odd > 0.6 * half and even < 0.1 * half:
        return "utf-16-le"
    return "utf-16-be" if even > 0.6 * half and odd < 0.1 * half else ""


def _legacy(data: bytes, where: str, error: UnicodeDecodeError, *, markup: bool) -> str:
    _refuse_binary(data, where)
    candidates = ["cp1252", "latin-1"]
    if markup:
        declared = _DECLARED.search(data[:400]) or _META.search(data[:4000])
        if declared:
            candidates.insert(0, declared.group(1).decode("ascii"))
    for encoding in candidates:
        try:
            if encoding.lower().replace("-", "") in {"utf8", "utf16"}:
                continue
            return data.decode(encoding)
        except (UnicodeError, LookupError):  # some codecs fail in ways of their own
            continue
    raise InputError(  # pragma: no cover - latin-1 decodes everything
        f"{where}: not valid UTF-8: {error.reason} at byte {error.start}"
    )


def _refuse_binary(data: bytes, where: str) -> None:
    sample = data[:200_000]
    controls = len(sample) - len(sample.translate(None, _CONTROLS))
    if sample and (sample.count(0) > len(sample) / 100 or controls > len(sample) / 20):
        raise InputError(
            f"{where}: this is not text ({controls} control characters in the first "
            f"{len(sample)} bytes)",
            hint="Give an EPUB, a Markdown or a plain text file.",
        )
