"""How commands speak: tables and sentences for people, JSON for programs, errors for both.

Results go to standard output, everything else (progress, warnings, errors) to standard error,
so that ``--json`` can be piped.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from consent.errors import VivavoceError

# Piped, there is no edge to wrap at; and "did:key:" is no picture of a key.
stdout = Console(
    highlight=False, soft_wrap=False, emoji=False, width=None if sys.stdout.isatty() else 240
)
stderr = Console(stderr=True, highlight=False, emoji=False)

# Titles, file names and messages come from strangers. Escape sequences and direction overrides
# in them could make a terminal show something else than what is there, or obey them; half
# characters (of file names that are not UTF-8) could not be written at all.
_HOSTILE = r"\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff"
_UNSHOWABLE = re.compile(f"[{_HOSTILE}]")


def shown(text: str) -> str:
    r"""Return `text` ready for a console: no control characters, square brackets as they are.

    >>> shown("[bold]\x1b[31m red")
    '\\[bold]�[31m red'
    """
    return escape(_UNSHOWABLE.sub("\ufffd", text))


def emit_json(data: Any) -> None:
    """Print `data` as one JSON document on standard output."""
    sys.stdout.write(_json(data) + "\n")


def _json(data: Any) -> str:
    text = json.dumps(data, ensure_ascii=False, indent=2, default=str)
    return _UNSHOWABLE.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


def say(text: str = "", *, style: str | None = None) -> None:
    """Print a sentence of the result; square brackets in it are plain text."""
    stdout.print(shown(text), style=style)


def note(text: str, *, style: str | None = None) -> None:
    """Print a remark on standard error."""
    stderr.print(shown(text), style=style)


def warn(text: str) -> None:
    """Print a warning on standard error."""
    stderr.print(f"[yellow]warning:[/yellow] {shown(text)}")


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = "") -> None:
    """Print rows under column heads; a head ending in ``>`` is right-aligned."""
    grid = Table(title=title or None, title_justify="left", box=None, pad_edge=False)
    for name in columns:
        right = name.endswith(">")
        grid.add_column(name.rstrip(">"), justify="right" if right else "left", overflow="fold")
    for row in rows:
        grid.add_row(*(shown(str(cell)) for cell in row))
    stdout.print(grid)


def fail(error: VivavoceError, *, as_json: bool) -> None:
    """Print an error on standard error: sentences, or a JSON object."""
    if as_json:
        detail = {
            "error": type(error).__name__,
            "message": error.message,
            "hint": error.hint,
            "exit_code": error.exit_code,
        }
        stderr.print(_json(detail), markup=False, soft_wrap=True)
        return
    stderr.print(f"[bold red]error:[/bold red] {shown(error.message)}")
    if error.hint:
        stderr.print(shown(f"  {error.hint}"))


def duration(seconds: float) -> str:
    """Write seconds as ``4:07`` or ``1:02:33``.

    >>> duration(247.2), duration(3753)
    ('4:07', '1:02:33')
    """
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, secs = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{secs:02}" if hours else f"{minutes}:{secs:02}"


def size(count: int) -> str:
    """Write a number of bytes for people.

    >>> size(92361271)
    '92.4 MB'
    """
    value = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1000
    raise AssertionError("unreachable")
