"""What a statement that was checked will leave in the log and in the database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from consent.registry.storage.tables import Table


def _no_rows(_leaf_index: int) -> list[Table]:
    return []


@dataclass(frozen=True, slots=True)
class Plan:
    """The consequences of a statement.

    Attributes
    ----------
    subject
        What the log calls that which it is about.
    issuer_party
        Who signed; empty for the registry itself.
    sealed_for
        Party whose key the document is sealed under.
    grant_id
        The grant it is about.
    members
        Further members of the log entry.
    rows
        Makes the rows that only the document can give, for an entry at that place.
    kind
        Of the log entry.
    """

    subject: str
    issuer_party: str
    sealed_for: str
    grant_id: str | None = None
    members: dict[str, Any] = field(default_factory=dict)
    rows: Callable[[int], list[Table]] = _no_rows
    kind: str = "statement"
