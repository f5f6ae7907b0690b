"""Whose key a key is, whether it was good, and whether its holder may do what was signed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from consent.errors import RefusedError
from consent.registry import rows
from consent.registry.core import Core
from consent.registry.people import Mandate, PartyKey
from consent.registry.tables import MandateRow, PartyKeyRow

#: What a mandate can let a representative do.
SCOPES = ("grant", "revoke", "approve", "keys")


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
    row = session.get(PartyKeyRow, did)
    return None if row is None else _key(core, row)


def keys_of(core: Core, session: Session, party_id: str) -> tuple[PartyKey, ...]:
    """Return the history of a party's keys, oldest first."""
    found = session.exec(
        select(PartyKeyRow)
        .where(PartyKeyRow.party_id == party_id)
        .order_by(col(PartyKeyRow.leaf_index))
    ).all()
    return tuple(_key(core, row) for row in found)


def active_key(core: Core, session: Session, did: str, what: str) -> PartyKey:
    """Return the key `did` if it is good now.

    Parameters
    ----------
    what
        What it signed, for the message.

    Raises
    ------
    RefusedError
        It is no party's, was replaced, or is compromised.
    """
    key = key_of(core, session, did)
    if key is None:
        raise RefusedError(
            f"{what} is signed with {did}, which is no party's key here",
            hint="Enter the party with this key first: vivavoce party add --did DID",
        )
    if key.state != "active":
        raise RefusedError(
            f"{what} is signed with {did}, which is {key.state}",
            hint="What it signed counts only if it came in before. Sign anew with the new key.",
        )
    return key


def mandates_for(core: Core, session: Session, principal: str) -> list[Mandate]:
    """Return every mandate to act for a party, oldest first."""
    return [
        mandate(core, row)
        for row in session.exec(
            select(MandateRow)
            .where(MandateRow.principal == principal)
            .order_by(col(MandateRow.leaf_index))
        ).all()
    ]


def entitled(
    core: Core, session: Session, did: str, principal: str, scope: str, what: str, now: datetime
) -> Actor:
    """Return who signed, if they may do `scope` for `principal` now.

    Raises
    ------
    RefusedError
        The key is not good, or its holder is neither the principal nor mandated.
    VerificationError
        A row of the key or of a mandate was changed.
    """
    key = active_key(core, session, did, what)
    if key.party_id == principal:
        return Actor(principal, key)
    fault = "and has no mandate from them"
    for given in mandates_for(core, session, principal):
        if given.representative != key.party_id:
            continue
        reason = given.fault_at(scope, now)
        if reason is None:
            return Actor(key.party_id, key, given)
        fault = f"and the mandate {given.id} does not help: {reason}"
    raise RefusedError(
        f"{what} is signed by {key.party_id}, who is not the rights holder {principal} {fault}",
        hint="It needs the signature of the rights holder, or of somebody they mandated.",
    )


def mandate(core: Core, row: MandateRow) -> Mandate:
    """Return the mandate in a row, its signature checked."""
    rows.verify_row(core, row, f"the mandate {row.id}")
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


def _key(core: Core, row: PartyKeyRow) -> PartyKey:
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
