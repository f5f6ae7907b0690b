"""What the registry's operator does in one step: drafts, signs with a key held here, takes in."""

from __future__ import annotations

from datetime import datetime

from consent import keys
from consent.credentials.statement import Statement, draft_statement
from consent.errors import InputError, RefusedError
from consent.identity.did import did_from_public
from consent.registry.grant import statements
from consent.registry.party import key_changes, parties
from consent.registry.party.records import Party
from consent.registry.storage.core import Core
from consent.registry.storage.ledger import writing


def prepare_key(core: Core, party: str) -> str:
    """Make the party's next key here and return its did; see ``Registry.prepare_key``."""
    found = parties.get(core, party)
    return parties.prepare_key(core, found.id, len(found.keys) + 1)


def rotate_key(core: Core, party: str, did: str | None) -> Statement:
    """Change a key held here for another; see ``Registry.rotate_key``."""
    found = parties.get(core, party)
    key = parties.signing_key(core, found.id)
    if key is None:
        raise RefusedError(
            f"the key of {found.id} is not held here",
            hint="Draft a rotation, have it signed where the old key is, and hand it in.",
        )
    old_did = did_from_public(keys.raw_public(key))
    waiting = draft_statement(
        "rotation",
        issuer_did=old_did,
        subject=found.id,
        body={"old_did": old_did, "new_did": did or prepare_key(core, found.id)},
        now=core.now(),
    )
    return statements.add(core, waiting.sign(key))


def replace_key(
    core: Core, party: str, reason: str, *, did: str | None, since: datetime | None
) -> Party:
    """Give a party a new key on the operator's word; see ``Registry.replace_key``."""
    if not reason.strip():
        raise InputError("no reason is given", hint="Say how the key was lost or stolen.")
    found = parties.get(core, party)
    if found.state != "active":
        raise RefusedError(f"the party {found.id} is {found.state}")
    new_did = did or prepare_key(core, found.id)
    if not found.keys:
        _first_key(core, found.id, new_did)
        return parties.get(core, found.id)
    last = next((key for key in found.keys if key.did == found.did), found.keys[-1])
    waiting = draft_statement(
        "compromise",
        issuer_did=core.did,
        subject=last.did,
        body={
            "since": since or last.compromised_since or core.now(),
            "new_did": new_did,
            "reason": reason,
        },
        now=core.now(),
    )
    statements.add(core, waiting.sign(core.key))
    return parties.get(core, found.id)


def record_mandate(
    core: Core,
    kind: str,
    principal: str,
    representative: str,
    *,
    scope: tuple[str, ...],
    valid_until: datetime | None,
    proof: str,
) -> Statement:
    """Record a guardian or an estate; see ``Registry.record_mandate``."""
    acting = parties.get(core, representative)
    waiting = draft_statement(
        "mandate",
        issuer_did=core.did,
        subject=parties.get(core, principal).id,
        body={
            "kind": kind,
            "representative": acting.id,
            "representative_did": acting.did,
            "scope": scope,
            "valid_from": core.now(),
            "valid_until": valid_until,
            "proof": proof,
        },
        now=core.now(),
    )
    return statements.add(core, waiting.sign(core.key))


def _first_key(core: Core, party_id: str, did: str) -> None:
    """Give a key to a party that has none."""
    with writing(core) as ledger:
        session, now = ledger.session, core.now()
        parties.refuse_known_key(core, session, did)
        held = "here" if key_changes.is_held(core, party_id, 1, did) else "elsewhere"
        ledger.append_all(
            [parties.key_entry(core, party_id, did, held, now)],
            lambda places: [
                parties.new_key_row(core, party_id, did, held, now, places[0], number=1)
            ],
        )
