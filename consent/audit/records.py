"""What an audit works on: grants and uses of voices, as plain values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from consent.audit.amounts import Price
from consent.clock import rfc3339

REVOCATION = "revocation"
SUSPENSION = "suspension"
REINSTATEMENT = "reinstatement"
SUPERSEDED = "superseded"
COMPROMISE = "compromise"
MANDATE_END = "mandate-end"
ERASURE = "erasure"

#: After these nothing more may be made under a grant.
_ENDS = {
    REVOCATION: "revoked",
    SUPERSEDED: "superseded",
    COMPROMISE: "signed by a key that was reported stolen",
    MANDATE_END: "left without the mandate it was signed under",
    ERASURE: "ended by the erasure of a party's data",
}


@dataclass(frozen=True, slots=True)
class Event:
    """Something that changed what a grant allows.

    Attributes
    ----------
    kind
        ``"revocation"``, ``"suspension"``, ``"reinstatement"``, ``"superseded"``,
        ``"compromise"``, ``"mandate-end"`` or ``"erasure"``.
    index
        Its place in the log: what came first is decided by this, not by a date somebody wrote.
    at
        When the registry received it.
    """

    kind: str
    index: int
    at: datetime


@dataclass(frozen=True, slots=True)
class GrantEntry:
    """A grant as the audit needs it.

    Attributes
    ----------
    owner, licensee
        Party ids; `owner_name` and `licensee_name` are for people and may be empty.
    granted_ms
        Sound it covers, in milliseconds; None where it sets no limit.
    index
        Place of its log entry.
    price
        None where the grant asks for no money, or nobody can read any more what it asks for.
    readable
        Whether its document can be read; not after the erasure of the rights holder.
    events
        What ended or interrupted it, in the order of the log.
    """

    id: str
    digest: str
    voice: str
    owner: str
    licensee: str
    valid_from: datetime
    valid_until: datetime
    granted_ms: int | None
    status: str
    index: int
    price: Price | None = None
    events: tuple[Event, ...] = ()
    owner_name: str = ""
    licensee_name: str = ""
    readable: bool = True

    @property
    def price_words(self) -> str:
        """What it pays, for people."""
        if self.price is not None:
            return self.price.words()
        return "no payment agreed" if self.readable else "what it pays cannot be read any more"


@dataclass(frozen=True, slots=True)
class Use:
    """One voice in one output.

    Attributes
    ----------
    grant_id
        Empty for a stock voice.
    duration_ms
        How long this voice speaks in the output, in milliseconds.
    state
        ``"issued"``, ``"sealed"`` or ``"abandoned"``.
    review
        A draft for the performer's ears: on record, and free.
    index, sealed_index
        Places of the log entries; -1 for an output that was not sealed.
    made_at, sealed_at
        Times of those entries.
    work, identifier, title
        Of the work, and of this file, as the job named them.
    problems
        What is wrong with the record itself, one sentence each.
    """

    output_id: str
    voice: str
    grant_id: str
    duration_ms: int
    state: str
    index: int
    made_at: datetime
    review: bool = False
    sealed_index: int = -1
    sealed_at: datetime | None = None
    work: str = ""
    identifier: str = ""
    title: str = ""
    container: str = ""
    purpose: str = ""
    sha256: str = ""
    problems: tuple[str, ...] = ()

    @property
    def counts(self) -> bool:
        """Whether it is a published use that is paid for."""
        return self.state == "sealed" and not self.review


def use_json(use: Use) -> dict[str, Any]:
    """Return a use as JSON values."""
    return {
        "output_id": use.output_id,
        "state": use.state,
        "review": use.review,
        "work": use.work,
        "identifier": use.identifier,
        "title": use.title,
        "container": use.container,
        "purpose": use.purpose,
        "voice": use.voice,
        "grant": use.grant_id,
        "made_at": rfc3339(use.made_at),
        "sealed_at": None if use.sealed_at is None else rfc3339(use.sealed_at),
        "receipt_index": use.index,
        "sealed_index": None if use.sealed_index < 0 else use.sealed_index,
        "sha256": use.sha256,
        "duration_ms": use.duration_ms,
    }


def outside(grant: GrantEntry | None, use: Use) -> list[str]:
    """Say why `use` was not covered by `grant`; empty where it was.

    What decides is the order of the log and the times this registry wrote, not what a document
    claims about itself. A use that was abandoned published nothing and is not judged.
    """
    if use.state == "abandoned" or not use.grant_id:
        return []
    if grant is None:
        return [f"the grant {use.grant_id} is not on record"]
    index, at = (use.sealed_index, use.sealed_at) if use.sealed_at else (use.index, use.made_at)
    assert at is not None
    found = []
    if use.voice != grant.voice:
        found.append(f"the grant is for the voice {grant.voice}")
    if use.index < grant.index:
        found.append("it was made before the grant was on record")
    if use.made_at < grant.valid_from:
        found.append(f"the grant begins on {rfc3339(grant.valid_from)}")
    if at >= grant.valid_until:
        found.append(f"the grant had expired on {rfc3339(grant.valid_until)}")
    ended = [e for e in grant.events if e.kind in _ENDS and e.index < index]
    if ended:
        found.append(f"the grant had been {_ENDS[ended[0].kind]} on {rfc3339(ended[0].at)}")
    elif (since := suspended_since(grant.events, index)) is not None:
        found.append(f"the grant was suspended since {rfc3339(since)}")
    return found


def suspended_since(events: Iterable[Event], index: int) -> datetime | None:
    """Return since when a grant was suspended at place `index` of the log, None if it was not."""
    since = None
    for event in events:
        if event.index > index:
            break
        if event.kind == SUSPENSION and since is None:
            since = event.at
        elif event.kind == REINSTATEMENT:
            since = None
    return since


def overspent(grant: GrantEntry, uses: Iterable[Use]) -> int:
    """Return by how many milliseconds published outputs exceed what the grant covers."""
    if grant.granted_ms is None:
        return 0
    return max(0, sum(use.duration_ms for use in uses if use.counts) - grant.granted_ms)
