"""Read tables that somebody wrote by hand: every field known, every value of its kind."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, date, datetime, time
from typing import Any

from consent.errors import InputError

#: Takes a value and what to call it in errors, and returns it as it is used.
Reader = Callable[[Any, str], Any]


def text(value: Any, where: str) -> str:
    """Return a text."""
    if not isinstance(value, str):
        raise InputError(f"{where} is {value!r}, expected text")
    return value


def flag(value: Any, where: str) -> bool:
    """Return a yes or no."""
    if not isinstance(value, bool):
        raise InputError(f"{where} is {value!r}, expected true or false")
    return value


def number(value: Any, where: str) -> float:
    """Return a number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{where} is {value!r}, expected a number")
    return float(value)


def texts(value: Any, where: str) -> tuple[str, ...]:
    """Return a list of texts."""
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InputError(f"{where} is {value!r}, expected a list of texts")
    return tuple(value)


def moment(value: Any, where: str) -> datetime:
    """Return an aware moment: a TOML or ISO 8601 date or time; UTC where no zone is given."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            value = None
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime.combine(value, time(), UTC)
    raise InputError(f"{where} is not a date, expected one such as 2026-11-22")


def read(
    readers: Mapping[str, Reader], base: Mapping[str, Any], changes: Any, where: str
) -> dict[str, Any]:
    """Return `base` with `changes`, every field read by its reader.

    Raises
    ------
    InputError
        A field is unknown, or a value not of its kind.
    """
    if not isinstance(changes, Mapping):
        raise InputError(f"{where} is {changes!r}, expected a table")
    refuse_unknown(changes, readers, where, "it")
    return {
        name: readers[name](value, f"{where}.{name}") for name, value in {**base, **changes}.items()
    }


def refuse_unknown(data: Mapping[str, Any], known: Collection[str], where: str, what: str) -> None:
    """Refuse fields that are not among `known`."""
    for name in data:
        if name not in known:
            raise InputError(
                f"{where}: {what} has no {str(name)[:80]!r}", hint=f"Known: {', '.join(known)}."
            )
