"""One injected clock: everything in the registry that depends on time asks it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> datetime:
        """Return the present time, aware and in UTC."""
        ...


class SystemClock:
    """The clock of the machine."""

    def now(self) -> datetime:
        """Return the present time, aware and in UTC."""
        return datetime.now(UTC)


class FixedClock:
    """A clock that stands still until it is moved: for tests and for "as of" questions.

    Parameters
    ----------
    start
        An aware time.
    """

    def __init__(self, start: datetime) -> None:
        self._now = to_utc(start)

    def now(self) -> datetime:
        """Return the time the clock was set to."""
        return self._now

    def advance(self, step: timedelta) -> None:
        """Move the clock by `step`."""
        self._now += step


def to_utc(moment: datetime) -> datetime:
    """Return `moment` in UTC.

    Raises
    ------
    ValueError
        It has no time zone: a bare time means something else on every machine.
    """
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no time zone")
    return moment.astimezone(UTC)


def rfc3339(moment: datetime) -> str:
    """Return `moment` in UTC to the millisecond, as in ``2026-11-21T09:30:00.250Z``."""
    text = to_utc(moment).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z"
