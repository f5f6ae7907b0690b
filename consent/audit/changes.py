"""What entries of the log did to grants.

Entries name grants, keys and parties by references: commitments that are always the same for
the same thing. Whoever knows the reference of a grant can find in the log everything that was
ever said of it; nobody else can tell whom an entry is about.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from consent.audit.records import (
    COMPROMISE,
    ERASURE,
    MANDATE_END,
    REINSTATEMENT,
    REVOCATION,
    SUPERSEDED,
    SUSPENSION,
    Event,
)

#: Kinds of entry that can change how a grant stands.
KINDS = ("grant", "statement", "status-list", "erasure")

_STATEMENTS = (REVOCATION, SUSPENSION, REINSTATEMENT)
_AFTER = {
    REVOCATION: "revoked",
    SUPERSEDED: "superseded",
    COMPROMISE: "key-not-valid",
    MANDATE_END: "mandate-ended",
    ERASURE: "revoked",
}
# What cannot get any worse, worst first.
_FINAL = ("key-not-valid", "revoked", "mandate-ended")

#: Parts of the text of such entries, to find them quickly.
MARKS = tuple(f'"kind":"{kind}"'.encode() for kind in KINDS)


@dataclass(frozen=True, slots=True)
class References:
    """What the log calls a grant and what it depends on.

    Attributes
    ----------
    grant, key
        References of the grant and of the key that signed it.
    parties
        Of the party whose voice it is, and of the licensee.
    mandate
        Of the mandate it was signed under; empty for none.
    received
        When the grant came into the log: a key stolen later does not undo it.
    """

    grant: str
    key: str
    parties: tuple[str, ...]
    received: datetime
    mandate: str = ""

    def all(self) -> tuple[str, ...]:
        """Return every reference."""
        return tuple(ref for ref in (self.grant, self.key, *self.parties, self.mandate) if ref)


def change(entry: Mapping[str, Any], about: References) -> str | None:
    """Return what an entry did to a grant: the kind of an :class:`Event`, None for nothing."""
    kind, subject = entry.get("kind"), entry.get("subject")
    if kind == "statement" and not entry.get("pending"):
        return _by_statement(entry, about)
    if kind == "grant" and entry.get("supersedes") == about.grant:
        return SUPERSEDED
    if kind == "status-list":
        found = [event for ref, event in entry.get("changes", ()) if ref == about.grant]
        return str(found[-1]) if found else None
    if kind == "erasure" and subject in about.parties:
        return ERASURE
    return None


def _by_statement(entry: Mapping[str, Any], about: References) -> str | None:
    said, subject = entry.get("type"), entry.get("subject")
    if subject == about.grant and said in _STATEMENTS:
        return str(said)
    if about.mandate and subject == about.mandate and said == REVOCATION:
        return MANDATE_END
    if said == COMPROMISE and subject == about.key:
        since = datetime.fromisoformat(str(entry["since"]))
        return COMPROMISE if since <= about.received else None
    return None


def events(entries: Iterable[tuple[int, Mapping[str, Any]]], about: References) -> Iterator[Event]:
    """Yield what (place, entry) pairs, in the order of the log, did to a grant."""
    for index, entry in entries:
        kind = change(entry, about)
        if kind is not None:
            yield Event(kind, index, datetime.fromisoformat(str(entry["time"])))


def status(history: Iterable[Event], index: int | None = None, *, first: str = "active") -> str:
    """Return how a grant stood before place `index` of the log, at its end by default.

    Dates are another matter: a grant can be ``"active"`` and expired.
    """
    found = first
    for event in history:
        if index is not None and event.index >= index:
            break
        if event.kind == SUSPENSION:
            found = "suspended" if found == "active" else found
        elif event.kind == REINSTATEMENT:
            found = "active" if found == "suspended" else found
        else:
            after = _AFTER[event.kind]
            found = next((worst for worst in _FINAL if worst in (found, after)), after)
    return found


class ChangeIndex:
    """Entries that can change a grant, found by the references they hold."""

    def __init__(self, entries: Iterable[tuple[int, Mapping[str, Any]]]) -> None:
        self._by_ref: dict[str, list[tuple[int, Mapping[str, Any]]]] = {}
        for index, entry in entries:
            for ref in set(_touched(entry)):
                self._by_ref.setdefault(ref, []).append((index, entry))

    def about(self, refs: References) -> list[tuple[int, Mapping[str, Any]]]:
        """Return the (place, entry) pairs that changed a grant, in the order of the log."""
        found = {index: entry for ref in refs.all() for index, entry in self._by_ref.get(ref, ())}
        return [(i, found[i]) for i in sorted(found) if change(found[i], refs) is not None]


def _touched(entry: Mapping[str, Any]) -> Iterator[str]:
    kind = entry.get("kind")
    if kind in ("statement", "erasure"):
        yield str(entry.get("subject"))
    elif kind == "grant" and entry.get("supersedes"):
        yield str(entry["supersedes"])
    elif kind == "status-list":
        for ref, _ in entry.get("changes", ()):
            yield str(ref)
