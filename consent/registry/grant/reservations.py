"""Minutes of a grant: held when a job is authorized, used by receipts, given back at its end.

For every grant with a limit, at every moment::

    used + held <= granted        held: what open reservations have not used yet

There is one writer at a time, so jobs that ask at one moment are answered one after the other.
A reservation ends with its authorization; one that expired in
silence is ended by the next who asks for minutes of that grant.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import bindparam
from sqlmodel import Session, col, func, select

from consent.errors import RefusedError, VerificationError
from consent.registry.job import authorizations
from consent.registry.job.records import GrantUse, VoiceUse
from consent.registry.storage import rows
from consent.registry.storage.core import Core
from consent.registry.storage.tables import (
    AuthorizationRow,
    GrantRow,
    ReceiptRow,
    ReservationRow,
    VoiceUseRow,
)

# Built once, for this is asked at every authorization.
_OPEN = select(
    ReservationRow,
    AuthorizationRow.state,
    AuthorizationRow.issued_at,
    AuthorizationRow.renewed_at,
).where(
    ReservationRow.grant_id == bindparam("grant"),
    col(ReservationRow.released).is_(False),
    AuthorizationRow.id == ReservationRow.authorization_id,
)
# An authorization that another machine is about to start or renew by its own clock is left
# alone for a moment.
_COURTESY = timedelta(minutes=1)


def left_ms(core: Core, session: Session, grant: GrantRow, now: datetime) -> int | None:
    """Return how much of a grant can be reserved, in milliseconds; None without a limit.

    The row `grant` has been checked. Reservations of jobs that have ended are given back on
    the way.

    Raises
    ------
    VerificationError
        A reservation was changed.
    """
    if grant.granted_ms is None:
        return None
    held = 0
    for row, state, issued, renewed in session.execute(_OPEN, {"grant": grant.id}).all():
        _verify(core, row)
        if _over(core, session, row.authorization_id, state, issued, renewed, now):
            _release(core, session, row)
        else:
            held += row.reserved_ms - row.used_ms
    return max(0, grant.granted_ms - grant.used_ms - held)


def reserve(grant: GrantRow, voice: VoiceUse, left: int | None) -> GrantUse:
    """Return what is to be held for `voice`, tolerance included as far as the grant reaches.

    Parameters
    ----------
    left
        What :func:`left_ms` said in this transaction.

    Raises
    ------
    RefusedError
        The grant has not so many minutes left.
    """
    if left is not None and left < voice.duration_ms:
        raise RefusedError(
            f"the grant {grant.id} has {left / 60_000:.2f} minutes left, {voice.voice} needs "
            f"{voice.minutes:.2f}",
            hint="Ask for fewer minutes, or for a new grant.",
        )
    held = voice.allowed_ms if left is None else min(voice.allowed_ms, left)
    return GrantUse(voice.voice, grant.id, grant.digest, held, review=False)


def hold(core: Core, session: Session, authorization_id: str, use: GrantUse) -> None:
    """Put on record what :func:`reserve` found; the authorization's row is there already."""
    row = ReservationRow(
        authorization_id=authorization_id,
        grant_id=use.grant_id,
        voice=use.voice,
        reserved_ms=use.reserved_ms,
        signature="",
    )
    rows.sign_row(core, row)
    rows.insert(session, row)


def check(
    core: Core, session: Session, authorization: AuthorizationRow, grant: GrantRow, wanted_ms: int
) -> None:
    """Make sure that a receipt may use `wanted_ms` of what the authorization holds.

    Both counters are compared with the receipts: whoever deletes a receipt or puts an old row
    back is noticed here, before anything is spent.

    Raises
    ------
    RefusedError
        The reservation has ended or is too small, or the grant is used up.
    VerificationError
        Reservation, grant and receipts do not fit each other.
    """
    row = session.get(ReservationRow, (authorization.id, grant.id))
    if row is None:
        raise VerificationError(
            f"the minutes that the authorization {authorization.id} holds of the grant "
            f"{grant.id} were deleted in the registry",
            hint="Authorize anew, or restore the registry from a backup.",
        )
    _verify(core, row)
    if row.released:
        raise RefusedError(
            f"the authorization {authorization.id} holds no minutes of the grant {grant.id} any "
            "more: they were given back",
            hint="Ask for a new one by starting the job again.",
        )
    _compare(session, grant, row)
    if row.used_ms + wanted_ms > row.reserved_ms:
        raise RefusedError(
            f"{row.reserved_ms / 60_000:.2f} minutes of the grant {grant.id} are held for the "
            f"voice {row.voice}, {row.used_ms / 60_000:.2f} are used; {wanted_ms / 60_000:.2f} "
            "more are too many",
            hint="Ask for a new authorization with the minutes the work really needs.",
        )
    if grant.granted_ms is not None and grant.used_ms + wanted_ms > grant.granted_ms:
        raise RefusedError(
            f"the grant {grant.id} is for {grant.granted_ms / 60_000:.2f} minutes, "
            f"{grant.used_ms / 60_000:.2f} are used; {wanted_ms / 60_000:.2f} more are too many",
            hint="Ask the rights holder for a new grant.",
        )


def spend(
    core: Core, session: Session, authorization_id: str | None, grant_id: str, duration_ms: int
) -> None:
    """Count `duration_ms` as used, or as given back where it is negative.

    A row that was tampered with is left as it is: signing it anew would make it good.
    """
    grant = session.get(GrantRow, grant_id)
    if grant is not None and rows.intact(core, grant):
        grant.used_ms += duration_ms
        rows.sign_state(core, grant)
        session.add(grant)
    if authorization_id is None:
        return
    row = session.get(ReservationRow, (authorization_id, grant_id))
    if row is not None and rows.intact(core, row):
        row.used_ms += duration_ms
        rows.sign_row(core, row)
        session.add(row)


def release(core: Core, session: Session, authorization_id: str) -> None:
    """Give back what an authorization that has ended holds and has not used."""
    for row in session.exec(
        select(ReservationRow).where(
            ReservationRow.authorization_id == authorization_id,
            col(ReservationRow.released).is_(False),
        )
    ).all():
        if rows.intact(core, row):
            _release(core, session, row)


def used(session: Session, grant_ids: Sequence[str] | None = None) -> dict[tuple[str, str], int]:
    """Return what receipts use, in milliseconds, by (grant id, authorization id).

    Outputs that were abandoned and drafts for the performer's ears are left out. The
    authorization is empty where the database was rebuilt and does not know it.
    """
    query = (
        select(
            VoiceUseRow.grant_id,
            ReceiptRow.authorization_id,
            func.sum(VoiceUseRow.duration_ms),
        )
        .where(
            ReceiptRow.output_id == VoiceUseRow.output_id,
            ReceiptRow.state != "abandoned",
            col(VoiceUseRow.review).is_(False),
            col(VoiceUseRow.grant_id).is_not(None),
        )
        .group_by(col(VoiceUseRow.grant_id), col(ReceiptRow.authorization_id))
    )
    if grant_ids is not None:
        query = query.where(col(VoiceUseRow.grant_id).in_(grant_ids))
    return {
        (str(grant_id), owner or ""): int(total)
        for grant_id, owner, total in session.exec(query).all()
    }


def _compare(session: Session, grant: GrantRow, row: ReservationRow) -> None:
    found = used(session, [grant.id])
    here = found.get((grant.id, row.authorization_id), 0)
    for what, counted, signed in (
        (f"grant {grant.id}", sum(found.values()), grant.used_ms),
        (f"authorization {row.authorization_id}", here, row.used_ms),
    ):
        if counted != signed:
            raise VerificationError(
                f"the receipts of the {what} were changed in the registry: they have "
                f"{counted / 60_000:.2f} minutes, signed for {signed / 60_000:.2f}",
                hint="Restore the registry from a backup: vivavoce keys restore FILE",
            )


def _over(
    core: Core,
    session: Session,
    authorization_id: str,
    state: str,
    issued_at: datetime,
    renewed_at: datetime | None,
    now: datetime,
) -> bool:
    """Whether the authorization that holds a reservation has ended; edited ones have not."""
    moment = now - _COURTESY if state in ("issued", "active") else now
    if not authorizations.seems_over(state, issued_at, renewed_at, moment):
        return False
    return authorizations.intact(core, session.get_one(AuthorizationRow, authorization_id))


def _release(core: Core, session: Session, row: ReservationRow) -> None:
    row.released = True
    rows.sign_row(core, row)
    session.add(row)


def _verify(core: Core, row: ReservationRow) -> None:
    rows.verify_row(
        core,
        row,
        f"what the authorization {row.authorization_id} holds of the grant {row.grant_id}",
    )
