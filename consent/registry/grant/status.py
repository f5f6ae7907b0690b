"""Status lists: where other programs see that a grant was revoked or suspended.

Lists of this registry say what its grants' rows say. Grants whose status somebody else keeps
are as fresh as the newest list that was imported.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, col, select

from consent.clock import rfc3339
from consent.credentials.grant import SUSPENSION_SUFFIX, StatusEntry, suspension_list_id
from consent.credentials.status import MIN_BITS, StatusList, open_status_list, purpose_of
from consent.errors import InputError, RefusedError
from consent.registry.grant import effects, grant_rows
from consent.registry.grant.moments import Received, next_place, refuse_future
from consent.registry.party import keyring
from consent.registry.storage import rows
from consent.registry.storage.core import Core
from consent.registry.storage.ledger import Ledger, writing
from consent.registry.storage.tables import GrantRow, StatusEntryRow, StatusListRow

#: A list is left when it is so full: places in it stay random, and tell nobody how many grants
#: came before.
_FULL = MIN_BITS // 2
#: How long an exported list may be taken for news.
LIST_LIFETIME = timedelta(days=7)
_CHANGES_PER_ENTRY = 500
#: Which grants have their bit set, by what the list tells.
_SET = {"revocation": ("revoked", "superseded"), "suspension": ("suspended",)}


@dataclass(frozen=True, slots=True)
class StatusChange:
    """What an imported list brought.

    Attributes
    ----------
    listed_at
        The list's own date.
    grants, changed
        How many grants it speaks of with authority, and how many stand differently now.
    """

    list_id: str
    listed_at: datetime
    grants: int
    changed: int


def new_entries(core: Core, count: int) -> list[StatusEntry]:
    """Give out `count` places for grants that are about to be drafted, at random."""
    if not 1 <= count <= 1_000_000:
        raise InputError(f"{count} places in a status list were asked for")
    given: list[StatusEntry] = []
    with writing(core) as ledger:
        while len(given) < count:
            given += _places(ledger, count - len(given))
    return given


def _places(ledger: Ledger, count: int) -> list[StatusEntry]:
    session, now = ledger.session, ledger.core.now()
    list_id, taken = _open_list(ledger)
    chosen: list[StatusEntry] = []
    for _ in range(min(count, _FULL - len(taken))):
        while (place := secrets.randbelow(MIN_BITS)) in taken:
            pass
        taken.add(place)
        chosen.append(StatusEntry(list_id, place))
        session.add(StatusEntryRow(list_id=list_id, position=place, created_at=now))
    session.flush()
    return chosen


def _open_list(ledger: Ledger) -> tuple[str, set[int]]:
    """Return a list of ours with room, and the places in it that are taken."""
    session = ledger.session
    newest = session.exec(
        select(StatusListRow)
        .where(StatusListRow.origin == "own")
        .order_by(col(StatusListRow.leaf_index).desc())
    ).first()
    if newest is not None:
        rows.verify_row(ledger.core, newest, f"the status list {newest.list_id}")
        # A grant may sit where the note of giving the place out was lost with an old database.
        taken = set(
            session.exec(
                select(StatusEntryRow.position).where(StatusEntryRow.list_id == newest.list_id)
            ).all()
        ) | set(
            session.exec(
                select(GrantRow.status_index).where(GrantRow.status_list == newest.list_id)
            ).all()
        )
        if len(taken) < _FULL:
            return newest.list_id, taken
    list_id = f"urn:uuid:{uuid.uuid4()}"
    ledger.append(_entry(ledger.core, "own", list_id))
    return list_id, set()


def export(core: Core, list_id: str) -> str:
    """Return a list of this registry as a signed credential; see ``Registry``."""
    own_id = list_id.removesuffix(SUSPENSION_SUFFIX)
    purpose = purpose_of(list_id)
    with writing(core) as ledger:
        session = ledger.session
        if not is_own(core, session, own_id):
            raise RefusedError(
                f"{list_id[:200]!r} is not a status list of this registry",
                hint="Its lists are named in the grants drafted for it.",
            )
        listed = StatusList(MIN_BITS)
        for grant in session.exec(select(GrantRow).where(GrantRow.status_list == own_id)).all():
            rows.verify_row(core, grant, f"the grant {grant.id}")
            if grant.status in _SET[purpose]:
                listed.set(grant.status_index)
        now = core.now()
        token = listed.to_credential(core.did, list_id, now, now + LIST_LIFETIME).sign(core.key)
        subject = core.ref("status-list", list_id)
        document = core.ref("document", hashlib.sha256(token.encode()).hexdigest())
        ledger.append(_entry(core, "export", subject) | {"document": document})
    return token


def import_list(core: Core, token: str) -> StatusChange:
    """Take in the newest word on grants whose status is kept elsewhere; see ``Registry``."""
    listed = open_status_list(token)
    base = listed.list_id.removesuffix(SUSPENSION_SUFFIX)
    what = f"the status list {listed.list_id}"
    with writing(core) as ledger:
        session, now = ledger.session, core.now()
        assert listed.valid_from is not None
        refuse_future(listed.valid_from, now, what)
        if listed.valid_until is not None and listed.valid_until <= now:
            raise RefusedError(
                f"{what} may not be used since {rfc3339(listed.valid_until)}",
                hint="Get the newest one from whoever keeps it.",
            )
        if is_own(core, session, base):
            raise RefusedError(f"{what} is of this registry, which knows better")
        _refuse_older(core, session, listed, what)
        found = _grants(core, session, listed, base, next_place(ledger))
        if not found:
            raise RefusedError(f"no grant on record names {what}", hint="Import the grants first.")
        changes = [
            (row.ref, event)
            for row in found
            if (event := _event(core, session, row, listed)) is not None
        ]
        place = _log_changes(ledger, listed, changes)
        _keep(core, session, listed, token, place)
        _note_dates(core, session, found, base)
    return StatusChange(listed.list_id, listed.valid_from, len(found), len(changes))


def is_own(core: Core, session: Session, list_id: str) -> bool:
    """Whether the status in that list is kept here."""
    row = session.get(StatusListRow, list_id)
    if row is None:
        return False
    rows.verify_row(core, row, f"the status list {list_id}")
    return row.origin == "own"


def _refuse_older(core: Core, session: Session, listed: StatusList, what: str) -> None:
    kept = session.get(StatusListRow, listed.list_id)
    if kept is None:
        return
    rows.verify_row(core, kept, what)
    keeper = keyring.key_of(core, session, kept.issuer_did)
    sender = keyring.key_of(core, session, listed.issuer_did)
    if keeper is None or sender is None or keeper.party_id != sender.party_id:
        raise RefusedError(f"{what} is kept by {kept.issuer_did}, and {listed.issuer_did} sent it")
    assert kept.listed_at is not None and listed.valid_from is not None
    if listed.valid_from < kept.listed_at:
        raise RefusedError(
            f"{what} is of {rfc3339(listed.valid_from)}; one of {rfc3339(kept.listed_at)} is known",
            hint="Get the newest one from whoever keeps it.",
        )


def _grants(
    core: Core, session: Session, listed: StatusList, base: str, received: Received
) -> list[GrantRow]:
    """Return the grants in a list whose rights holders its issuer may speak for."""
    found, refusal = [], None
    entitled: dict[str, bool] = {}
    for row in session.exec(
        select(GrantRow).where(GrantRow.status_list == base).with_for_update()
    ).all():
        if row.owner not in entitled:
            try:
                keyring.entitled(
                    core,
                    session,
                    listed.issuer_did,
                    row.owner,
                    "revoke",
                    f"the status list {listed.list_id}",
                    received,
                )
                entitled[row.owner] = True
            except RefusedError as exc:
                entitled[row.owner], refusal = False, exc
        if entitled[row.owner] and row.status_index < len(listed):
            rows.verify_row(core, row, f"the grant {row.id}")
            found.append(row)
    if not found and refusal is not None:
        raise refusal
    return found


def _event(core: Core, session: Session, row: GrantRow, listed: StatusList) -> str | None:
    """Return what a list changes for a grant."""
    is_set = listed.get(row.status_index)
    if listed.purpose == "revocation":
        event = "revocation" if is_set else None
    elif is_set:
        event = "suspension"
    else:
        # A suspension that was sent here by itself is not lifted by a list that knows nothing
        # of it.
        stated = grant_rows.stated_status(core, session, row.ref)
        event = None if stated == "suspended" else "reinstatement"
    if event is None or effects.status_after(row.status, event) == row.status:
        return None
    return event


def _log_changes(ledger: Ledger, listed: StatusList, changes: list[tuple[str, str]]) -> int:
    """Append the entries of an import; return the place of the first."""
    core = ledger.core
    subject = core.ref("status-list", listed.list_id)
    document = core.ref("document", listed.digest)
    parts = [
        changes[start : start + _CHANGES_PER_ENTRY]
        for start in range(0, len(changes), _CHANGES_PER_ENTRY)
    ]
    entries = [
        _entry(core, "import", subject)
        | {"document": document, "changes": [list(change) for change in part]}
        for part in parts or [[]]
    ]
    return ledger.append_all(entries)[0][0]


def _keep(core: Core, session: Session, listed: StatusList, token: str, place: int) -> None:
    row = session.get(StatusListRow, listed.list_id) or StatusListRow(
        list_id=listed.list_id,
        origin="foreign",
        issuer_did="",
        document="",
        leaf_index=place,
        signature="",
    )
    row.issuer_did = listed.issuer_did
    row.listed_at = listed.valid_from
    row.document = token
    row.leaf_index = place
    rows.sign_row(core, row)
    session.add(row)
    session.flush()


def _note_dates(core: Core, session: Session, found: list[GrantRow], base: str) -> None:
    """Put into the grants how old the word on them is: as old as the older of their two lists."""
    dates = []
    for list_id in (base, suspension_list_id(base)):
        row = session.get(StatusListRow, list_id)
        if row is None or row.listed_at is None:
            return
        dates.append(row.listed_at)
    for grant in found:
        grant.status_checked_at = min(dates)
        rows.sign_state(core, grant)
        session.add(grant)


def _entry(core: Core, kind: str, subject: str) -> dict[str, Any]:
    return {
        "kind": "status-list",
        "version": 1,
        "type": kind,
        "subject": subject,
        "time": rfc3339(core.now()),
    }
