"""Reading grants: the row, the signed document, and that the two say the same."""

from __future__ import annotations

import json
from datetime import timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import bindparam
from sqlmodel import Session, col, select

from consent.credentials.grant import Grant, open_grant
from consent.errors import RefusedError, VerificationError
from consent.registry.grant import effects
from consent.registry.party import keyring
from consent.registry.party.records import GrantRecord
from consent.registry.storage import rows
from consent.registry.storage.core import Core
from consent.registry.storage.database import may_write
from consent.registry.storage.sealing import unseal
from consent.registry.storage.tables import GrantRow, LogIndexRow, StatusListRow

_RESTORE = "Restore the registry from a backup: vivavoce keys restore FILE"


def columns(grant: Grant) -> dict[str, Any]:
    """Return what the row of `grant` must say."""
    terms = grant.terms
    return {
        "id": grant.id,
        "digest": grant.digest,
        "voice": terms.voice,
        "owner": terms.owner,
        "licensee": terms.licensee,
        "valid_from": terms.valid_from,
        "valid_until": terms.valid_until,
        "granted_ms": None if terms.minutes is None else terms.minutes * 60_000,
        "review": terms.performer_approval,
        "status_list": grant.status_entry.list_id,
        "status_index": grant.status_entry.index,
    }


def load(core: Core, session: Session, row: GrantRow) -> GrantRecord:
    """Return the grant in a row: signatures checked, document opened, both compared.

    Raises
    ------
    VerificationError
        The row or the document was changed, or swapped with another's.
    RefusedError
        The rights holder was erased, and the document with them.
    """
    rows.verify_row(core, row, f"the grant {row.id}")
    token = unseal(core, session, row.owner, row.document, f"grant:{row.id}").decode()
    grant = _opened(token)
    for name, value in columns(grant).items():
        if getattr(row, name) != value:
            raise VerificationError(
                f"the row of the grant {row.id} says {name} is {getattr(row, name)!r}, "
                f"its signed document says {value!r}",
                hint=_RESTORE,
            )
    _check_status(core, session, row)
    return record(core, session, row, grant)


@lru_cache(maxsize=4096)
def _opened(token: str) -> Grant:
    """Open a document whose row was checked; what a token says never changes."""
    return open_grant(token)


def record(
    core: Core, session: Session, row: GrantRow, grant: Grant | None, problem: str = ""
) -> GrantRecord:
    """Return row and document together; the caller has checked both."""
    fault = ""
    if grant is not None:
        key = keyring.key_of(core, session, grant.issuer_did)
        if key is None:
            fault = "it is no party's key here"
        else:
            fault = key.fault_at(row.leaf_index, row.created_at) or ""
    status_list = rows.held(session, StatusListRow, row.status_list)
    return GrantRecord(
        id=row.id,
        digest=row.digest,
        voice=row.voice,
        owner=row.owner,
        licensee=row.licensee,
        valid_from=row.valid_from,
        valid_until=row.valid_until,
        granted_ms=row.granted_ms,
        review=row.review,
        status=row.status,
        status_since=row.status_since,
        superseded_by=row.superseded_by or "",
        used_ms=row.used_ms,
        created_at=row.created_at,
        leaf_index=row.leaf_index,
        status_list=row.status_list,
        status_index=row.status_index,
        status_checked_at=row.status_checked_at,
        own_list=status_list is not None and status_list.origin == "own",
        grant=grant,
        status_interval=timedelta(seconds=grant.terms.status_interval_s if grant else 0),
        key_fault=fault,
        problem=problem,
    )


def fetch(core: Core, session: Session, grant_id: str) -> GrantRow:
    """Return the row of a grant, its signatures checked; locked, if the session may change it.

    Raises
    ------
    RefusedError
        There is none on record.
    VerificationError
        It was changed, or deleted.
    """
    query = select(GrantRow).where(GrantRow.id == grant_id)
    row = session.exec(query.with_for_update() if may_write(session) else query).one_or_none()
    if row is None:
        logged = logged_at(core, session, grant_id)
        if logged is not None:
            raise VerificationError(
                f"document lost: the grant {grant_id} is entry {logged} of the log, "
                "and its row is gone from the registry",
                hint="Import the grant again, or restore the registry from a backup.",
            )
        raise RefusedError(
            f"there is no grant {grant_id[:80]!r} on record",
            hint="See what is: vivavoce consent list",
        )
    rows.verify_row(core, row, f"the grant {row.id}")
    return row


def logged_at(core: Core, session: Session, grant_id: str) -> int | None:
    """Return the log entry of a grant, None if there is none."""
    return session.exec(
        select(LogIndexRow.leaf_index).where(
            LogIndexRow.kind == "grant", LogIndexRow.subject == core.ref("grant", grant_id)
        )
    ).first()


def get(core: Core, grant_id: str) -> GrantRecord:
    """Return a grant; see ``Registry.grant``."""
    with core.database.read() as session:
        return load(core, session, fetch(core, session, grant_id))


def listed(
    core: Core, *, voice: str | None, owner: str | None, licensee: str | None, status: str | None
) -> list[GrantRecord]:
    """Return grants, newest first; see ``Registry.grants``."""
    with core.database.read() as session:
        found = session.exec(newest_first(voice=voice, owner=owner, licensee=licensee)).all()
        records = [_listed(core, session, row) for row in found]
    now = core.now()
    return [r for r in records if status in (None, r.status, r.standing(now))]


def newest_first(
    *, voice: str | None = None, owner: str | None = None, licensee: str | None = None
) -> Any:
    """Return the query for the grants of a voice, an owner, a licensee, newest first."""
    query = select(GrantRow).order_by(col(GrantRow.leaf_index).desc())
    if voice is not None:
        query = query.where(GrantRow.voice == voice)
    if owner is not None:
        query = query.where(GrantRow.owner == owner)
    if licensee is not None:
        query = query.where(GrantRow.licensee == licensee)
    return query


# Built once, for this is asked at every authorization.
_STATED = (
    select(LogIndexRow.leaf_index)
    .where(LogIndexRow.kind == "statement", LogIndexRow.subject == bindparam("ref"))
    .order_by(col(LogIndexRow.leaf_index))
)


def stated_status(core: Core, session: Session, ref: str) -> str:
    """Return how a grant stands by the statements in the log alone."""
    places = session.execute(_STATED, {"ref": ref}).scalars()
    status = "active"
    for place in places:
        entry = json.loads(core.log.entry(place))
        if not entry["pending"]:
            status = effects.status_after(status, entry["type"])
    return status


def _check_status(core: Core, session: Session, row: GrantRow) -> None:
    """Refuse a state that the log's statements rule out: an older signed one, put back."""
    status = stated_status(core, session, row.ref)
    allowed = {"revoked": ("revoked",), "suspended": ("suspended", "superseded", "revoked")}
    if row.status not in allowed.get(status, (row.status,)):
        raise VerificationError(
            f"the grant {row.id} is {status} by the log, and {row.status} in the registry",
            hint=_RESTORE,
        )


def _listed(core: Core, session: Session, row: GrantRow) -> GrantRecord:
    """Return a grant for a list, where one bad row must not hide the others."""
    try:
        return load(core, session, row)
    except RefusedError:
        return record(core, session, row, None, "erased")
    except VerificationError as exc:
        return record(core, session, row, None, exc.message)
