"""Whether the minutes of every grant add up: receipts, reservations, counters, limits."""

from __future__ import annotations

from sqlmodel import Session, select

from consent.registry.grant import reservations
from consent.registry.storage import rows
from consent.registry.storage.core import Core
from consent.registry.storage.tables import GrantRow, ReservationRow


def check(core: Core, session: Session) -> list[str]:
    """Return one sentence for every grant or reservation that is not as it was."""
    problems: list[str] = []
    used = reservations.used(session)
    by_grant: dict[str, int] = {}
    for (grant_id, _), total in used.items():
        by_grant[grant_id] = by_grant.get(grant_id, 0) + total
    held: dict[str, int] = {}
    for reservation in session.exec(select(ReservationRow)):
        owner, grant_id = reservation.authorization_id, reservation.grant_id
        what = f"what the authorization {owner} holds of the grant {grant_id}"
        if not rows.intact(core, reservation):
            problems.append(f"{_capital(what)} was changed: its signature does not fit.")
            continue
        if used.get((grant_id, owner), 0) != reservation.used_ms:
            problems.append(f"The minutes used of {what} do not fit the receipts.")
        if reservation.used_ms > reservation.reserved_ms:
            problems.append(f"More was used than {what}.")
        if not reservation.released:
            open_ms = reservation.reserved_ms - reservation.used_ms
            held[grant_id] = held.get(grant_id, 0) + open_ms
    for grant in session.exec(select(GrantRow)):
        if not rows.intact(core, grant):
            problems.append(f"The grant {grant.id} was changed: its signature does not fit.")
            continue
        if by_grant.get(grant.id, 0) != grant.used_ms:
            problems.append(f"The minutes of the grant {grant.id} do not fit its receipts.")
        if grant.granted_ms is None:
            continue
        if grant.used_ms > grant.granted_ms:
            problems.append(f"The grant {grant.id} was overspent.")
        elif grant.used_ms + held.get(grant.id, 0) > grant.granted_ms:
            problems.append(f"More minutes are held of the grant {grant.id} than it has left.")
    return problems


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
