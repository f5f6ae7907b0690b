"""When a document came in: its place in the log decides, and the log's time, not its own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from consent.clock import rfc3339
from consent.errors import RefusedError

if TYPE_CHECKING:
    from consent.registry.storage.ledger import Ledger

#: Clocks of others may be ahead by this much.
SKEW = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Received:
    """Where and when a document entered the log, or would now.

    Attributes
    ----------
    leaf_index
        Its place in the log.
    time
        Of that entry.
    """

    leaf_index: int
    time: datetime


def refuse_future(issued_at: datetime, now: datetime, what: str) -> None:
    """Refuse a document that says it was signed later than now.

    Raises
    ------
    RefusedError
        It does, by more than :data:`SKEW`.
    """
    if issued_at > now + SKEW:
        raise RefusedError(
            f"{what} says it was signed {rfc3339(issued_at)}, and it is {rfc3339(now)} now",
            hint="Check the clocks of both machines, then have it signed again.",
        )


def next_place(ledger: Ledger) -> Received:
    """Return where and when a document would enter the log now."""
    return Received(ledger.writer.checkpoint.size, ledger.core.now())
