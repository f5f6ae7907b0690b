"""Whose voice it is, who speaks for them, and what they agreed to, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from consent.credentials.grant import Grant
    from consent.credentials.statement import Statement

PARTY_KINDS = ("person", "organisation")
MANDATE_KINDS = ("agent", "guardian", "estate")


@dataclass(frozen=True, slots=True)
class PartyKey:
    """One key in the history of a party's keys.

    Attributes
    ----------
    did
        The ``did:key``.
    held
        ``"here"`` or ``"elsewhere"``.
    state
        ``"active"``, ``"rotated"`` or ``"compromised"``.
    valid_from, valid_until
        When the log learned of it, and of its end.
    compromised_since
        From then on somebody else may have signed with it.
    leaf_index, ended_leaf
        Entries of the log between which documents must lie that it may have signed.
    """

    did: str
    party_id: str
    held: str
    state: str
    valid_from: datetime
    valid_until: datetime | None
    compromised_since: datetime | None
    leaf_index: int
    ended_leaf: int | None

    def fault_at(self, leaf_index: int, received_at: datetime) -> str | None:
        """Return why the key was not good for a document, None if it was.

        Parameters
        ----------
        leaf_index, received_at
            Where and when the document entered this log. The date it claims proves nothing:
            whoever has the key can write any.
        """
        if leaf_index < self.leaf_index:
            return "it was not known yet"
        if self.compromised_since is not None and received_at >= self.compromised_since:
            return f"it is compromised since {self.compromised_since:%Y-%m-%d %H:%M} UTC"
        if self.ended_leaf is not None and leaf_index > self.ended_leaf:
            return "it was replaced before"
        return None


@dataclass(frozen=True, slots=True)
class Party:
    """A person or an organisation.

    Attributes
    ----------
    id
        ``"p"`` and 16 hex digits, random and for ever.
    kind
        ``"person"`` or ``"organisation"``.
    state
        ``"active"`` or ``"erased"``; what an erased party was called is gone.
    handle
        Short name to type.
    birth_date
        Told by the party; what is agreed for a minor depends on it.
    keys
        Their history, oldest first.
    """

    id: str
    kind: str
    state: str
    handle: str
    display_name: str
    legal_name: str
    contact: str
    country: str
    birth_date: date | None
    created_at: datetime
    keys: tuple[PartyKey, ...] = ()

    @property
    def did(self) -> str:
        """The newest key that is good now; empty where there is none."""
        return next((key.did for key in reversed(self.keys) if key.state == "active"), "")


@dataclass(frozen=True, slots=True)
class Mandate:
    """Why one party may act for another.

    Attributes
    ----------
    id
        Of the statement that gave it.
    principal, representative
        Party ids: for whom, and who acts.
    kind
        ``"agent"``, ``"guardian"`` or ``"estate"``.
    scope
        What the representative may do.
    proof
        Commitment to the document it rests on, hex; empty where there is none, or where only
        the row was read.
    """

    id: str
    principal: str
    representative: str
    kind: str
    scope: tuple[str, ...]
    valid_from: datetime
    valid_until: datetime | None
    revoked_at: datetime | None
    leaf_index: int
    proof: str = ""

    def fault_at(self, scope: str, now: datetime) -> str | None:
        """Return why it does not cover `scope` at `now`, None if it does."""
        if scope not in self.scope:
            return f"it covers {', '.join(self.scope)}, not {scope}"
        if self.revoked_at is not None and now >= self.revoked_at:
            return f"it was revoked on {self.revoked_at:%Y-%m-%d}"
        if now < self.valid_from:
            return f"it begins on {self.valid_from:%Y-%m-%d}"
        if self.valid_until is not None and now >= self.valid_until:
            return f"it ended on {self.valid_until:%Y-%m-%d}"
        return None


@dataclass(frozen=True, slots=True)
class RegisteredVoice:
    """A voice that belongs to a party: it speaks by a grant or not at all.

    Attributes
    ----------
    name
        Qualified name, ``engine:name``.
    owner
        Party id of the rights holder.
    alias
        What the owner calls it; may be empty.
    state
        ``"active"`` or ``"erased"``.
    """

    name: str
    owner: str
    alias: str
    state: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class GrantRecord:
    """A grant and how it stands in this registry.

    Attributes
    ----------
    grant
        The signed document, opened and compared with its row; None where it cannot be used.
    status
        ``"active"``, ``"suspended"``, ``"revoked"`` or ``"superseded"``: what was said of it.
        Dates are a matter of :meth:`standing`.
    superseded_by
        Id of the grant that took its place.
    used_ms, granted_ms
        Milliseconds used, and granted (None: no limit).
    status_interval
        How old word of its status may be.
    status_checked_at
        Date of the newest status list of somebody else's that speaks of it.
    own_list
        Whether its status is kept here: then word of it is never old.
    key_fault
        Why the key that signed it was not good for it, empty if it was.
    problem
        Why `grant` is None: ``"erased"``, ``"document lost"`` or what was changed.
    """

    id: str
    digest: str
    voice: str
    owner: str
    licensee: str
    valid_from: datetime
    valid_until: datetime
    granted_ms: int | None
    review: bool
    status: str
    status_since: datetime
    superseded_by: str
    used_ms: int
    created_at: datetime
    leaf_index: int
    status_list: str
    status_index: int
    status_checked_at: datetime | None
    own_list: bool
    grant: Grant | None = None
    status_interval: timedelta = timedelta(0)
    key_fault: str = ""
    problem: str = ""

    def status_age(self, now: datetime) -> timedelta | None:
        """Return how old the newest word of its status is; None if there never was any."""
        if self.own_list:
            return timedelta(0)
        return None if self.status_checked_at is None else now - self.status_checked_at

    def standing(self, now: datetime) -> str:
        """Return what counts at `now`: a status, or what else is the matter with it.

        One of ``"active"``, ``"key-not-valid"``, ``"revoked"``, ``"superseded"``,
        ``"suspended"``, ``"expired"``, ``"not-yet-valid"``, ``"status-stale"``. Where several
        apply, the first of them in that order.
        """
        if self.key_fault:
            return "key-not-valid"
        if self.status != "active":
            return self.status
        if now >= self.valid_until:
            return "expired"
        if now < self.valid_from:
            return "not-yet-valid"
        age = self.status_age(now)
        if age is None or age > self.status_interval:
            return "status-stale"
        return "active"

    @property
    def left_ms(self) -> int | None:
        """What is granted and not used, reservations not counted; None without a limit."""
        return None if self.granted_ms is None else max(0, self.granted_ms - self.used_ms)


@dataclass(frozen=True, slots=True)
class StatementRecord:
    """A signed statement as this registry received it.

    Attributes
    ----------
    issuer_party
        Who signed; empty for the registry itself.
    received_at
        From when it counts.
    statement
        The signed document, compared with its row; None where it cannot be used.
    problem
        Why `statement` is None: ``"erased"`` or what was changed.
    """

    id: str
    kind: str
    subject: str
    grant_id: str
    issuer_party: str
    received_at: datetime
    leaf_index: int
    statement: Statement | None = None
    problem: str = ""
