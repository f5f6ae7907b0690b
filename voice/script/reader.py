"""Read a book of any supported format from a file or a stream."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from consent.errors import InputError
from voice.script.decoding import foreign_kind
from voice.script.epub import read_epub
from voice.script.markdown import read_markdown
from voice.script.model import Book
from voice.script.plaintext import read_plaintext

MAX_BYTES = 512 << 20
FORMATS = ("epub", "markdown", "text")
_SUFFIXES = {
    ".epub": "epub",
    ".md": "markdown",
    ".markdown": "markdown",
    ".mdown": "markdown",
    ".txt": "text",
    ".text": "text",
    ".asc": "text",
}


def read_book(
    path: Path | str | None,
    *,
    stream: BinaryIO | None = None,
    keep: Sequence[str] = (),
    format: str | None = None,
) -> Book:
    """Read a book.

    Parameters
    ----------
    path
        An EPUB, Markdown or plain text file; None or ``"-"`` reads `stream`.
    stream
        Read when `path` is None; standard input if not given.
    keep
        What of the parts that are left out by default is read after all: keys as listed in
        ``Book.skipped``, ``"all"``, or paths of files inside an EPUB.
    format
        ``"epub"``, ``"markdown"`` or ``"text"``; found out from name and content if not given.

    Returns
    -------
    Book
        Chapters in reading order, and the list of what was left out.

    Raises
    ------
    InputError
        The file cannot be read, is of no supported kind, is damaged or protected, or holds no
        text; the message names the file and the place.
    """
    if format is not None and format not in FORMATS:
        raise InputError(f"format is {format!r}", hint=f"Choose one of: {', '.join(FORMATS)}.")
    if path is None or str(path) == "-":
        name, data = "standard input", _read_stream(stream or sys.stdin.buffer)
    else:
        name, data = str(path), _read_file(Path(path))
    if not data.strip():
        raise InputError(f"{name}: the file is empty", hint="There is nothing to read aloud.")
    kind = format or _kind(name, data)
    if kind == "epub":
        return read_epub(data, name, keep=keep)
    if kind == "markdown":
        return read_markdown(data, name, keep=keep)
    return read_plaintext(data, name, keep=keep)


def _read_file(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder, not a book", hint="Give a file.")
        size = path.stat().st_size
        if size <= MAX_BYTES:
            # A device or a pipe states no size: it is read no further than the limit either.
            with path.open("rb") as stream:
                data = stream.read(MAX_BYTES + 1)
            size = len(data)
        if size > MAX_BYTES:
            raise InputError(
                f"{path}: {size >> 20} MiB is more than a book (the limit is {MAX_BYTES >> 20})"
            )
        return data
    except FileNotFoundError as exc:
        raise InputError(f"{path}: there is no such file", hint="Check the path.") from exc
    except OSError as exc:
        reason = exc.strerror or str(exc)
        raise InputError(f"{path}: cannot be read: {reason}", hint="Check its rights.") from exc


def _read_stream(stream: BinaryIO) -> bytes:
    try:
        data = stream.read(MAX_BYTES + 1)
    except OSError as exc:
        raise InputError(f"standard input cannot be read: {exc.strerror}") from exc
    if len(data) > MAX_BYTES:
        raise InputError(f"standard input: more than {MAX_BYTES >> 20} MiB")
    return data


def _kind(name: str, data: bytes) -> str:
    """Find out the format from the content first, then from the name."""
    suffix = Path(name).suffix.lower()
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        if suffix in {".docx", ".odt", ".zip", ".cbz", ".pages"}:
            raise InputError(
                f"{name}: a {suffix[1:]} file is not supported",
                hint="Export it as EPUB, Markdown or plain text.",
            )
        return "epub"
    foreign = foreign_kind(data)
    if foreign is not None:
        raise InputError(
            f"{name}: this is {foreign}", hint="Give an EPUB, a Markdown or a plain text file."
        )
    if suffix == ".epub":
        raise InputError(
            f"{name}: not an EPUB: it does not start like a ZIP archive",
            hint="The file is damaged, or something else under a wrong name.",
        )
    return _SUFFIXES.get(suffix, "text")
