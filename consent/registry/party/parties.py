"""Parties: people and organisations, and the keys they sign with."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlmodel import Session, col, select

from consent import keys
from consent.canonical import canonical
from consent.clock import rfc3339
from consent.errors import InputError, RefusedError
from consent.identity.did import did_from_public, public_from_did
from consent.identity.names import checked_handle, checked_name
from consent.registry.party import keyring
from consent.registry.party.records import PARTY_KINDS, Party
from consent.registry.storage import rows, salts
from consent.registry.storage.core import Core
from consent.registry.storage.ledger import writing
from consent.registry.storage.sealing import unseal
from consent.registry.storage.tables import PartyKeyRow, PartyRow, PersonKeyRow, Table

_ID = re.compile(r"p[0-9a-f]{16}")
_COUNTRY = re.compile(r"[A-Z]{2}")
_OLDEST = date(1850, 1, 1)


def create(
    core: Core,
    kind: str,
    handle: str,
    display_name: str,
    *,
    legal_name: str,
    contact: str,
    country: str,
    birth_date: date | None,
    did: str | None,
    with_key: bool,
) -> Party:
    """Put a party on record; see ``Registry.create_party``."""
    if kind not in PARTY_KINDS:
        raise InputError(f"a party is a {' or an '.join(PARTY_KINDS)}, not {kind[:40]!r}")
    profile = _profile(core, kind, handle, display_name, legal_name, contact, country, birth_date)
    if did is not None:
        public_from_did(did)
    party_id = "p" + secrets.token_hex(8)
    index = core.vault.index(profile["handle"], "handle")
    with writing(core) as ledger:
        session = ledger.session
        salts.check(core, session)
        if _row_of_handle(session, index) is not None:
            raise RefusedError(
                f"there is already a party called {handle!r}", hint="Choose another handle."
            )
        held = "elsewhere"
        if did is None and with_key:
            held, did = "here", prepare_key(core, party_id, 1)
        if did is not None:
            refuse_known_key(core, session, did)
        now = core.now()
        entries = [_entry(core, party_id, kind, now)]
        if did is not None:
            entries.append(key_entry(core, party_id, did, held, now))
        wrapped = core.vault.new_person_key()

        def made(places: Sequence[int]) -> list[Table]:
            row = PartyRow(
                id=party_id,
                ref=core.ref("party", party_id),
                kind=kind,
                state="active",
                handle_index=index,
                profile=core.vault.seal(wrapped, canonical(profile), context=f"profile:{party_id}"),
                created_at=now,
                leaf_index=places[0],
                signature="",
            )
            rows.sign_row(core, row)
            person = PersonKeyRow(party_id=party_id, wrapped=wrapped, created_at=now)
            if did is None:
                return [row, person]
            return [row, person, new_key_row(core, party_id, did, held, now, places[1], number=1)]

        ledger.append_all(entries, made)
        return read(core, session, fetch(core, session, party_id))


def get(core: Core, id_or_handle: str) -> Party:
    """Return a party; see ``Registry.party``."""
    with core.database.read() as session:
        return read(core, session, fetch(core, session, id_or_handle))


def every(core: Core) -> list[Party]:
    """Return all parties, oldest first."""
    with core.database.read() as session:
        found = session.exec(select(PartyRow).order_by(col(PartyRow.leaf_index))).all()
        return [read(core, session, row) for row in found]


def fetch(core: Core, session: Session, id_or_handle: str) -> PartyRow:
    """Return the row of a party, its signature checked.

    Raises
    ------
    RefusedError
        There is none of that id or handle.
    """
    if _ID.fullmatch(id_or_handle):
        row = session.get(PartyRow, id_or_handle)
    else:
        handle = checked_handle(id_or_handle)
        row = _row_of_handle(session, core.vault.index(handle, "handle"))
    if row is None:
        raise RefusedError(
            f"there is no party {id_or_handle[:80]!r} on record",
            hint="See who is: vivavoce party list",
        )
    rows.verify_row(core, row, f"the party {row.id}")
    return row


def active(core: Core, session: Session, party_id: str) -> PartyRow:
    """Return the row of a party that was not erased.

    Raises
    ------
    RefusedError
        There is none, or it was erased.
    """
    row = fetch(core, session, party_id)
    if row.state != "active":
        raise RefusedError(f"the party {row.id} is {row.state}")
    return row


def read(core: Core, session: Session, row: PartyRow) -> Party:
    """Return the party in a row."""
    rows.verify_row(core, row, f"the party {row.id}")
    profile: dict[str, Any] = {}
    if row.state == "active":
        profile = json.loads(unseal(core, session, row.id, row.profile, f"profile:{row.id}"))
    birth = profile.get("birth_date")
    return Party(
        id=row.id,
        kind=row.kind,
        state=row.state,
        handle=profile.get("handle", ""),
        display_name=profile.get("display_name", ""),
        legal_name=profile.get("legal_name", ""),
        contact=profile.get("contact", ""),
        country=profile.get("country", ""),
        birth_date=None if birth is None else date.fromisoformat(birth),
        created_at=row.created_at,
        keys=keyring.keys_of(core, session, row.id),
    )


def signing_key(core: Core, party_id: str) -> Ed25519PrivateKey | None:
    """Return the key a party signs with now, None where it is not held here."""
    with core.database.read() as session:
        row = fetch(core, session, party_id)
        held = session.exec(
            select(PartyKeyRow)
            .where(
                PartyKeyRow.party_id == row.id,
                PartyKeyRow.state == "active",
                PartyKeyRow.held == "here",
            )
            .order_by(col(PartyKeyRow.leaf_index).desc())
        ).first()
        if held is None:
            return None
        rows.verify_row(core, held, f"the key {held.did}")
    key = keys.load(core.home, held.key_name, "ed25519")
    if did_from_public(keys.raw_public(key)) != held.did:
        raise RefusedError(
            f"keys/{held.key_name}.pem is not the key {held.did} of the party {row.id}",
            hint="Restore the keys from a backup: vivavoce keys restore FILE",
        )
    return key


def prepare_key(core: Core, party_id: str, number: int) -> str:
    """Make the party's key of that number here, and return its did; twice is harmless."""
    key = keys.load_or_create(core.home, key_name(party_id, number), "ed25519")
    return did_from_public(keys.raw_public(key))


def key_name(party_id: str, number: int) -> str:
    """Return the name of a party's key among this home's keys."""
    return f"party-{party_id}" if number == 1 else f"party-{party_id}-{number}"


def new_key_row(
    core: Core, party_id: str, did: str, held: str, now: datetime, leaf_index: int, *, number: int
) -> PartyKeyRow:
    """Return the signed row of a party's new key."""
    row = PartyKeyRow(
        did=did,
        ref=core.ref("party-key", did),
        party_id=party_id,
        held=held,
        key_name=key_name(party_id, number) if held == "here" else "",
        state="active",
        valid_from=now,
        leaf_index=leaf_index,
        signature="",
    )
    rows.sign_row(core, row)
    return row


def refuse_known_key(core: Core, session: Session, did: str) -> None:
    """Refuse a key that somebody already has: one key, one party, once.

    Raises
    ------
    RefusedError
        It is, or was, a party's or the registry's.
    """
    # By what the log calls it: the did itself may have been erased.
    known = session.exec(
        select(PartyKeyRow.ref).where(PartyKeyRow.ref == core.ref("party-key", did))
    ).first()
    if did == core.did or known is not None:
        raise RefusedError(
            f"the key {did} is already on record", hint="Every party needs a key of its own."
        )


def _profile(
    core: Core,
    kind: str,
    handle: str,
    display_name: str,
    legal_name: str,
    contact: str,
    country: str,
    birth_date: date | None,
) -> dict[str, Any]:
    handle = checked_handle(handle)
    if _ID.fullmatch(handle):
        raise InputError(f"the handle {handle!r} looks like a party's id", hint="Choose another.")
    profile = {"handle": handle, "display_name": checked_name(display_name, "the display name")}
    if legal_name:
        profile["legal_name"] = checked_name(legal_name, "the legal name")
    if contact:
        profile["contact"] = checked_name(contact, "the contact", 500)
    if country:
        if not _COUNTRY.fullmatch(country):
            raise InputError(
                f"the country is {country[:20]!r}", hint="Two letters as in ISO 3166: DE, US."
            )
        profile["country"] = country
    if birth_date is not None:
        if kind != "person":
            raise InputError("an organisation has no date of birth")
        if not _OLDEST <= birth_date <= core.now().date():
            raise InputError(f"nobody who speaks here was born on {birth_date}")
        profile["birth_date"] = birth_date.isoformat()
    return profile


def _row_of_handle(session: Session, index: str) -> PartyRow | None:
    return session.exec(select(PartyRow).where(PartyRow.handle_index == index)).one_or_none()


def _entry(core: Core, party_id: str, kind: str, now: datetime) -> dict[str, Any]:
    return {
        "kind": "party",
        "version": 1,
        "subject": core.ref("party", party_id),
        "type": kind,
        "time": rfc3339(now),
    }


def key_entry(core: Core, party_id: str, did: str, held: str, now: datetime) -> dict[str, Any]:
    """Return the log entry of a key that comes with no statement."""
    return {
        "kind": "party-key",
        "version": 1,
        "subject": core.ref("party-key", did),
        "party": core.ref("party", party_id),
        "held": held,
        "time": rfc3339(now),
    }
