"""Whose key a key is, whether it was good, and whether its holder may do what was signed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam
from sqlmodel import Session, col, select

from consent.errors import RefusedError, VerificationError
from consent.registry.grant.moments import Received
from consent.registry.party.records import Mandate, PartyKey
from consent.registry.storage import rows
from consent.registry.storage.core import Core
from consent.registry.storage.tables import LogIndexRow, MandateRow, PartyKeyRow

_RESTORE = "Restore the registry from a backup: vivavoce keys restore FILE"
# Built once, for this is asked with every document.
_STATED = (
    select(LogIndexRow.leaf_index)
    .where(
        LogIndexRow.kind == "statement",
        col(LogIndexRow.subject).in_(bindparam("refs", expanding=True)),
    )
    .order_by(col(LogIndexRow.leaf_index))
)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who signed, and why they may: as the party itself, or with a mandate."""

    party_id: str
    key: PartyKey
    mandate: Mandate | None = None


def key_of(core: Core, session: Session, did: str) -> PartyKey | None:
    """Return a key's place in its party's history, None for an unknown key.

    Raises
    ------
    VerificationError
        Its row was changed.
    """
    row = rows.held(session, PartyKeyRow, did)
    if row is None:
        return None
    key = read_key(core, row)
    _refuse_put_back(core, session, row)
    return key


def did_of_ref(session: Session, ref: str) -> str | None:
    """Return the key that the log calls `ref`, None if the registry does not know it."""
    return session.exec(select(PartyKeyRow.did).where(PartyKeyRow.ref == ref)).one_or_none()


def keys_of(core: Core, session: Session, party_id: str) -> tuple[PartyKey, ...]:
    """Return the history of a party's keys, oldest first."""
    found = session.exec(
        select(PartyKeyRow)
        .where(PartyKeyRow.party_id == party_id)
        .order_by(col(PartyKeyRow.leaf_index))
    ).all()
    return tuple(read_key(core, row) for row in found)


def good_key(core: Core, session: Session, did: str, what: str, received: Received) -> PartyKey:
    """Return the key `did` if it was good for a document that came in then.

    Parameters
    ----------
    what
        What it signed, for the message.

    Raises
    ------
    RefusedError
        It is no party's, was replaced before, or is compromised.
    """
    key = key_of(core, session, did)
    if key is None:
        raise RefusedError(
            f"{what} is signed with {did}, which is no party's key here",
            hint="Enter the party with this key first: vivavoce party add --did DID",
        )
    fault = key.fault_at(received.leaf_index, received.time)
    if fault is not None:
        raise RefusedError(
            f"{what} is signed with {did}, which is not good for it: {fault}",
            hint="What a key signed counts only if it came in before. Sign anew with the new key.",
        )
    return key


def mandates_for(core: Core, session: Session, principal: str) -> list[Mandate]:
    """Return every mandate to act for a party, oldest first."""
    return [
        mandate(core, session, row)
        for row in session.exec(
            select(MandateRow)
            .where(MandateRow.principal == principal)
            .order_by(col(MandateRow.leaf_index))
        ).all()
    ]


def entitled(
    core: Core,
    session: Session,
    did: str,
    principal: str,
    scope: str,
    what: str,
    received: Received,
    *,
    mandate_id: str = "",
) -> Actor:
    """Return who signed, if they could do `scope` for `principal` then.

    Parameters
    ----------
    what
        What was signed, for the message.
    mandate_id
        The one mandate that counts; empty takes any.

    Raises
    ------
    RefusedError
        The key is not good, or its holder is neither the principal nor mandated.
    VerificationError
        A row of the key or of a mandate was changed.
    """
    key = good_key(core, session, did, what, received)
    if key.party_id == principal:
        return Actor(principal, key)
    fault = "and has no mandate from them"
    for given in mandates_for(core, session, principal):
        if given.representative != key.party_id or mandate_id not in ("", given.id):
            continue
        reason = given.fault_at(scope, received.time)
        if reason is None and given.leaf_index < received.leaf_index:
            return Actor(key.party_id, key, given)
        fault = f"and the mandate {given.id} does not help: {reason or 'it came in later'}"
    raise RefusedError(
        f"{what} is signed by {key.party_id}, who is not the rights holder {principal} {fault}",
        hint="It needs the signature of the rights holder, or of somebody they mandated.",
    )


def mandate(core: Core, session: Session, row: MandateRow) -> Mandate:
    """Return the mandate in a row, its signature checked.

    Raises
    ------
    VerificationError
        It was changed, or an older state was put back.
    """
    rows.verify_row(core, row, f"the mandate {row.id}")
    if row.revoked_at is None and any(_said(core, session, row.ref)):
        raise VerificationError(
            f"the mandate {row.id} is revoked by the log, and not in the registry", hint=_RESTORE
        )
    return Mandate(
        id=row.id,
        principal=row.principal,
        representative=row.representative,
        kind=row.kind,
        scope=tuple(row.scope.split()),
        valid_from=row.valid_from,
        valid_until=row.valid_until,
        revoked_at=row.revoked_at,
        leaf_index=row.leaf_index,
    )


def read_key(core: Core, row: PartyKeyRow) -> PartyKey:
    """Return the key in a row, its signature checked."""
    rows.verify_row(core, row, f"the key {row.did}")
    return PartyKey(
        did=row.did,
        party_id=row.party_id,
        held=row.held,
        state=row.state,
        valid_from=row.valid_from,
        valid_until=row.valid_until,
        compromised_since=row.compromised_since,
        leaf_index=row.leaf_index,
        ended_leaf=row.ended_leaf,
    )


def _refuse_put_back(core: Core, session: Session, row: PartyKeyRow) -> None:
    """Refuse a key whose older, signed state was put back after the log had ended it."""
    for entry in _said(core, session, row.ref, core.ref("party", row.party_id)):
        compromised = entry["type"] == "compromise" and entry["subject"] == row.ref
        rotated = entry["type"] == "rotation" and entry["old_key"] == row.ref
        if (compromised and row.state != "compromised") or (rotated and row.state == "active"):
            raise VerificationError(
                f"the key {row.did} has ended by the log, and is {row.state} in the registry",
                hint=_RESTORE,
            )


def _said(core: Core, session: Session, *refs: str) -> Iterator[dict[str, Any]]:
    """Yield the statements of the log about these."""
    for place in session.execute(_STATED, {"refs": refs}).scalars():
        yield json.loads(core.log.entry(place))
