"""Tables that people open in a spreadsheet, without the surprises spreadsheets are known for."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterable, Sequence

#: A cell that begins so is a formula to one spreadsheet or another, full-width forms included.
_FORMULA = frozenset("=+-@|%＝＋－＠")


def safe_cell(value: object) -> str:
    """Return `value` as the text of a cell that no spreadsheet takes for a formula.

    Titles and names come from others. A text that begins like a formula gets an apostrophe in
    front; control characters, which can hide such a beginning or break the table, become blanks.

    >>> safe_cell("=HYPERLINK(1)"), safe_cell("Emma"), safe_cell(2.5)
    ("'=HYPERLINK(1)", 'Emma', '2.5')
    """
    text = "".join(
        " " if unicodedata.category(char) in ("Cc", "Cs", "Cf", "Zl", "Zp") else char
        for char in str(value)
    )
    return f"'{text}" if text.lstrip()[:1] in _FORMULA else text


def to_csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table as CSV (RFC 4180): every cell quoted and safe, lines ending in CR LF."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow([safe_cell(column) for column in columns])
    for row in rows:
        writer.writerow([safe_cell(cell) for cell in row])
    return stream.getvalue()
