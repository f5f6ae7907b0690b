"""Changing keys: by the old key while it is trusted, by somebody else when it is not.

Whoever has a stolen key can end it, which does no harm, but cannot name its successor.
"""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session

from consent import keys
from consent.clock import rfc3339
from consent.credentials.statement import Statement
from consent.errors import InputError, RefusedError
from consent.identity.did import did_from_public
from consent.registry.grant.moments import Received
from consent.registry.grant.plans import Plan
from consent.registry.party import keyring, parties
from consent.registry.party.records import PartyKey
from consent.registry.storage.core import Core
from consent.registry.storage.tables import Table


def plan_rotation(
    core: Core, session: Session, statement: Statement, what: str, received: Received
) -> Plan:
    """Check that the old key hands over to the new one."""
    old_did, new_did = statement.body["old_did"], statement.body["new_did"]
    if statement.issuer_did != old_did:
        raise RefusedError(
            f"{what} is signed with {statement.issuer_did}, not with the old key {old_did}",
            hint="Where the old key is lost or stolen, say that it is compromised instead.",
        )
    key = keyring.good_key(core, session, old_did, what, received)
    if key.party_id != statement.subject:
        raise RefusedError(f"{what} is about {statement.subject}; the key is {key.party_id}'s")
    parties.active(core, session, key.party_id)
    parties.refuse_known_key(core, session, new_did)
    return Plan(
        subject=core.ref("party", key.party_id),
        issuer_party=key.party_id,
        sealed_for=key.party_id,
        members={
            "old_key": core.ref("party-key", old_did),
            "new_key": core.ref("party-key", new_did),
        },
        rows=lambda place: [_new_key(core, session, key.party_id, new_did, place, received)],
    )


def plan_compromise(
    core: Core, session: Session, statement: Statement, what: str, received: Received
) -> Plan:
    """Check who says that a key is compromised, and who takes its place."""
    did, new_did = statement.subject, statement.body["new_did"]
    since = datetime.fromisoformat(statement.body["since"])
    key = keyring.key_of(core, session, did)
    if key is None:
        raise RefusedError(f"{what} is about {did}, which is no party's key here")
    if since > received.time:
        raise RefusedError(f"{what} is to count from {rfc3339(since)}, which is not yet")
    issuer = _compromise_issuer(core, session, statement, key, what, received)
    if new_did is not None:
        parties.active(core, session, key.party_id)
        parties.refuse_known_key(core, session, new_did)
    new_key = None if new_did is None else core.ref("party-key", new_did)

    def rows(place: int) -> list[Table]:
        if new_did is None:
            return []
        return [_new_key(core, session, key.party_id, new_did, place, received)]

    return Plan(
        subject=core.ref("party-key", did),
        issuer_party=issuer,
        sealed_for=key.party_id,
        members={"since": rfc3339(since), "new_key": new_key},
        rows=rows,
    )


def _compromise_issuer(
    core: Core,
    session: Session,
    statement: Statement,
    key: PartyKey,
    what: str,
    received: Received,
) -> str:
    """Return the party that says it (empty: the registry), if it may."""
    successor = statement.body["new_did"] is not None
    if statement.issuer_did == core.did:
        if not statement.body["reason"]:
            raise InputError(
                f"{what} is signed by the registry and gives no reason",
                hint="Say how it is known that the key is lost or stolen, and by whom.",
            )
        return ""
    if statement.issuer_did == key.did:
        if successor:
            raise RefusedError(
                f"{what} is signed with the compromised key itself, and names its successor: "
                "a thief could do so too",
                hint="Leave the new key out; another key of the party, a guardian or the "
                "registry names it.",
            )
        if key.ended_leaf not in (None, received.leaf_index):
            raise RefusedError(f"{what} is signed with {key.did}, which is {key.state} already")
        return key.party_id
    actor = keyring.entitled(
        core, session, statement.issuer_did, key.party_id, "revoke", what, received
    )
    if successor and actor.mandate is not None and actor.mandate.kind == "agent":
        raise RefusedError(
            f"{what} names a new key; an agent may not",
            hint="Leave the new key out; the party or the registry names it.",
        )
    return actor.party_id


def _new_key(
    core: Core, session: Session, party_id: str, did: str, place: int, received: Received
) -> Table:
    number = len(keyring.keys_of(core, session, party_id)) + 1
    held = "here" if is_held(core, party_id, number, did) else "elsewhere"
    return parties.new_key_row(core, party_id, did, held, received.time, place, number=number)


def is_held(core: Core, party_id: str, number: int, did: str) -> bool:
    """Whether the party's key of that number lies in this home."""
    name = parties.key_name(party_id, number)
    if not keys.key_path(core.home, name).exists():
        return False
    key = keys.load(core.home, name, "ed25519")
    return did_from_public(keys.raw_public(key)) == did
