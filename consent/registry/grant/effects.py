"""What log entries about keys, mandates and grants do to the rows they are about.

Everything follows from the entry and from the rows there are, so that a crash or a restored
backup cannot bring a revoked grant or a stolen key back: catching up with the log ends it again.
What an entry names is a commitment (``ref``); the documents themselves are not in the log.

========== ==========================================================================
entry      ``subject``
========== ==========================================================================
party      the party; ``type``
party-key  the key; ``party``
mandate    the mandate; ``type``, ``principal``, ``representative``, ``document``
voice      the voice; ``owner``
grant      the grant; ``voice``, ``document``, ``by``, ``supersedes``, ``status``
statement  what it is about; ``type``, ``statement``, ``document``, ``by``, ``pending``
========== ==========================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

from sqlmodel import Session, select

from consent.registry.storage import rows
from consent.registry.storage.core import Core
from consent.registry.storage.tables import GrantRow, MandateRow, PartyKeyRow, StatusListRow

#: Statements that change how a grant stands, and from which states they do.
TRANSITIONS: Mapping[str, Mapping[str, str]] = {
    "revocation": {"active": "revoked", "suspended": "revoked", "superseded": "revoked"},
    "suspension": {"active": "suspended"},
    "reinstatement": {"suspended": "active"},
    "superseded": {"active": "superseded", "suspended": "superseded"},
}

_Row = TypeVar("_Row", GrantRow, MandateRow, PartyKeyRow)


def status_after(status: str, event: str) -> str:
    """Return how a grant stands after `event`, a statement's kind or ``"superseded"``."""
    return TRANSITIONS[event].get(status, status)


def apply_grant(
    core: Core, session: Session, _index: int, _leaf: str, entry: dict[str, Any]
) -> None:
    """End the grant that this one takes the place of."""
    old = _found(core, session, GrantRow, entry.get("supersedes"))
    if old is not None:
        set_status(core, session, old, "superseded", _time(entry))
        old.superseded_by = entry["subject"]  # whoever knows the document puts the id here
        rows.sign_state(core, old)


def apply_statement(
    core: Core, session: Session, index: int, _leaf: str, entry: dict[str, Any]
) -> None:
    """Do what a statement says, unless it waits for the grant it is about."""
    if entry.get("pending"):
        return
    kind = entry["type"]
    if kind in TRANSITIONS:
        grant = _found(core, session, GrantRow, entry["subject"])
        if grant is not None:
            set_status(core, session, grant, kind, _time(entry))
        elif kind == "revocation":
            _revoke_mandate(core, session, entry)
    elif kind == "rotation":
        _end_key(core, session, entry["old_key"], index, entry)
    elif kind == "compromise":
        _end_key(core, session, entry["subject"], index, entry)


def apply_status_list(
    core: Core, session: Session, index: int, _leaf: str, entry: dict[str, Any]
) -> None:
    """Begin a list of this registry, or do what somebody else's list says."""
    if entry["type"] == "own":
        row = StatusListRow(
            list_id=entry["subject"],
            origin="own",
            issuer_did=core.did,
            document="",
            leaf_index=index,
            signature="",
        )
        rows.sign_row(core, row)
        session.add(row)
    for ref, event in entry.get("changes", ()):
        grant = _found(core, session, GrantRow, ref)
        if grant is not None:
            set_status(core, session, grant, event, _time(entry))


PROJECTIONS = {
    "grant": apply_grant,
    "statement": apply_statement,
    "status-list": apply_status_list,
}


def set_status(core: Core, session: Session, row: GrantRow, event: str, time: datetime) -> None:
    """Change how a grant stands, if `event` changes it."""
    status = status_after(row.status, event)
    if status != row.status:
        row.status = status
        row.status_since = time
        rows.sign_state(core, row)
        session.add(row)


def _revoke_mandate(core: Core, session: Session, entry: dict[str, Any]) -> None:
    mandate = _found(core, session, MandateRow, entry["subject"])
    if mandate is not None and mandate.revoked_at is None:
        mandate.revoked_at = _time(entry)
        rows.sign_row(core, mandate)
        session.add(mandate)


def _end_key(core: Core, session: Session, ref: str, index: int, entry: dict[str, Any]) -> None:
    key = _found(core, session, PartyKeyRow, ref)
    if key is None:
        return
    if entry["type"] == "compromise":
        since = datetime.fromisoformat(entry["since"])
        key.state = "compromised"
        key.compromised_since = min(since, key.compromised_since or since)
    elif key.state == "active":
        key.state = "rotated"
    if key.ended_leaf is None:
        key.ended_leaf = index
        key.valid_until = _time(entry)
    rows.sign_row(core, key)
    session.add(key)


def _found(core: Core, session: Session, table: type[_Row], ref: str | None) -> _Row | None:
    """Return the row of `ref` if there is one to change.

    A row that was tampered with is left as it is: signing it anew would make it good.
    """
    if ref is None:
        return None
    row = session.exec(select(table).where(table.ref == ref).with_for_update()).one_or_none()
    return row if row is not None and rows.intact(core, row) else None


def _time(entry: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(entry["time"])
