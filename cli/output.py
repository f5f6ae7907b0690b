"""How commands speak: tables and sentences for people, JSON for programs, errors for both.

Results go to standard output, everything else (progress, warnings, errors) to standard error,
so that ``--json`` can be piped.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from consent.errors import VivavoceError

stdout = Console(highlight=False, soft_wrap=False)
stderr = Console(stderr=True, highlight=False)


def emit_json(data: Any) -> None:
    """Print `data` as one JSON document on standard output."""
    json.dump(data, sys.stdout, ensure_ascii=False, indent=2, default=str)
    sys.stdout.write("\n")


def say(text: str = "", *, style: str | None = None) -> None:
    """Print a sentence of the result; square brackets in it are plain text."""
    stdout.print(escape(text), style=style)


def note(text: str, *, style: str | None = None) -> None:
    """Print a remark on standard error."""
    stderr.print(escape(text), style=style)


def warn(text: str) -> None:
    """Print a warning on standard error."""
    stderr.print(f"[yellow]warning:[/yellow] {escape(text)}")


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = "") -> None:
    """Print rows under column heads; a head ending in ``>`` is right-aligned."""
    grid = Table(title=title or None, title_justify="left", box=None, pad_edge=False)
    for name in columns:
        right = name.endswith(">")
        grid.add_column(name.rstrip(">"), justify="right" if right else "left", overflow="fold")
    for row in rows:
        grid.add_row(*(escape(str(cell)) for cell in row))
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
        stderr.print_json(data=detail)
        return
    stderr.print(f"[bold red]error:[/bold red] {escape(error.message)}")
    if error.hint:
        stderr.print(escape(f"  {error.hint}"))


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
