"""Rows of authorizations: signed, checked, looked up and ended.

The row holds the signed authorization and, signed apart, its changing state. Both signatures
are checked whenever a row is read: an edited row is noticed before it is used.
"""

from __future__ import annotations

import json
import re
from datetime import datetime

from cryptography.exceptions import InvalidSignature
from sqlmodel import Session, col, select

from consent.canonical import canonical
from consent.clock import rfc3339
from consent.errors import RefusedError, VerificationError
from consent.registry.job.records import LEASE_LIFETIME, START_WITHIN, Authorization
from consent.registry.storage.core import Core
from consent.registry.storage.tables import AuthorizationRow

_ID = re.compile(r"[0-9a-f]{32}")


def sign_state(core: Core, row: AuthorizationRow) -> None:
    """Sign the changing half of `row` anew."""
    row.state_signature = core.key.sign(_state(row)).hex()


def intact(core: Core, row: AuthorizationRow) -> bool:
    """Whether both halves of `row` are as this registry signed them."""
    public = core.key.public_key()
    try:
        public.verify(bytes.fromhex(row.signature), row.payload.encode())
        public.verify(bytes.fromhex(row.state_signature), _state(row))
        authorization = _read(row)
    except (InvalidSignature, ValueError, KeyError, TypeError):
        return False
    return (
        authorization.id == row.id
        and authorization.digest == row.digest
        and authorization.request.job_digest == row.job_digest
        and authorization.issued_at == row.issued_at
    )


def fetch(core: Core, session: Session, authorization_id: str) -> AuthorizationRow:
    """Return the row of an authorization, its signatures checked.

    Raises
    ------
    RefusedError
        There is none.
    VerificationError
        The row was changed by somebody else than this registry.
    """
    row = None
    if _ID.fullmatch(authorization_id):
        row = session.exec(
            select(AuthorizationRow).where(AuthorizationRow.id == authorization_id)
        ).one_or_none()
    if row is None:
        raise RefusedError(
            f"there is no authorization {authorization_id[:64]!r} on record",
            hint="Ask for one first: Registry.authorize(...).",
        )
    if not intact(core, row):
        raise VerificationError(
            f"the authorization {authorization_id} was changed in the registry",
            hint="Its signature does not fit. Authorize anew, or restore a backup.",
        )
    return row


def open_authorization(row: AuthorizationRow) -> Authorization:
    """Return the authorization in a row that has been checked."""
    return _read(row)


def usable(core: Core, session: Session, job_digest: str, now: datetime) -> list[Authorization]:
    """Return the authorizations for a job that can still be used, the newest first."""
    rows = session.exec(
        select(AuthorizationRow)
        .where(
            AuthorizationRow.job_digest == job_digest,
            col(AuthorizationRow.state).in_(("issued", "active")),
        )
        .order_by(col(AuthorizationRow.issued_at).desc())
    ).all()
    return [_read(row) for row in rows if intact(core, row) and why_ended(row, now) is None]


def seems_over(
    state: str, issued_at: datetime, renewed_at: datetime | None, moment: datetime
) -> bool:
    """Whether an authorization had ended at `moment`, as far as these columns of it say."""
    if state == "issued":
        return moment >= issued_at + START_WITHIN
    if state == "active":
        return renewed_at is not None and moment >= renewed_at + LEASE_LIFETIME
    return True


def why_ended(row: AuthorizationRow, now: datetime) -> str | None:
    """Return why the authorization in `row` can no longer be used, None while it can."""
    if row.state == "issued":
        before = _read(row).start_before
        if now >= before:
            return f"it was not started before {rfc3339(before)}"
        return None
    if row.state == "active":
        assert row.renewed_at is not None
        if now >= row.renewed_at + LEASE_LIFETIME:
            return f"its job has been silent since {rfc3339(row.renewed_at)}"
        return None
    told = f": {row.reason}" if row.reason else ""
    return f"it is {row.state}{told}"


def refuse_ended(row: AuthorizationRow, now: datetime) -> None:
    """Refuse an authorization that can no longer be used.

    Raises
    ------
    RefusedError
        It is closed, revoked or expired; the message says which.
    """
    reason = why_ended(row, now)
    if reason is not None:
        raise RefusedError(
            f"the authorization {row.id} has ended: {reason}",
            hint="Ask for a new one by starting the job again.",
        )


def end(core: Core, row: AuthorizationRow, state: str, reason: str = "") -> None:
    """Put the end of an authorization into its row."""
    row.state = state
    row.reason = reason
    row.closed_at = core.now()
    sign_state(core, row)


def _state(row: AuthorizationRow) -> bytes:
    def moment(value: datetime | None) -> str | None:
        return None if value is None else rfc3339(value)

    return canonical(
        {
            "kind": "authorization-state",
            "version": 1,
            "id": row.id,
            "state": row.state,
            "reason": row.reason,
            "started_at": moment(row.started_at),
            "renewed_at": moment(row.renewed_at),
            "closed_at": moment(row.closed_at),
            "receipts": row.receipts,
            "used_ms": row.used_ms,
        }
    )


def _read(row: AuthorizationRow) -> Authorization:
    return Authorization.from_payload(json.loads(row.payload), row.signature)
