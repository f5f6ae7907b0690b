"""What each kind of log entry means for the database.

Projected when it is appended, and again when the database has to catch up with the log: after a
crash, or when an older database was restored. Everything here follows from the entry and from
the rows that exist; nothing may be counted twice, for no entry is projected twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import Any

from sqlmodel import Session, select

from consent.registry import authorizations, effects
from consent.registry.core import Core
from consent.registry.tables import AuthorizationRow, MetaRow, ReceiptRow, VoiceUseRow

#: (core, session, place in the log, leaf as text, entry)
Projection = Callable[[Core, Session, int, str, dict[str, Any]], None]


@cache
def projections() -> Mapping[str, Projection]:
    """Return what to do with each kind of entry; other kinds are only indexed."""
    return {
        "registry": _registry,
        "receipt": _receipt,
        "sealed": _sealed,
        "abandoned": _abandoned,
        "settled": _settled,
        **effects.PROJECTIONS,
    }


def _registry(
    _core: Core, session: Session, _index: int, _leaf: str, entry: dict[str, Any]
) -> None:
    session.add(MetaRow(key="registry_key", value=entry["public_key"]))


def _receipt(core: Core, session: Session, index: int, leaf: str, entry: dict[str, Any]) -> None:
    owner = _authorization(session, entry)
    session.add(
        ReceiptRow(
            output_id=entry["output_id"],
            authorization_id=None if owner is None else owner.id,
            leaf_index=index,
            leaf_json=leaf,
            tlog_proof="",
            created_at=datetime.fromisoformat(entry["time"]),
            duration_ms=entry["duration_ms"],
            container=entry["container"],
            state="issued",
        )
    )
    session.flush()
    for voice in entry["voices"]:
        session.add(
            VoiceUseRow(
                output_id=entry["output_id"],
                voice=voice["voice"],
                basis=voice["basis"],
                licence=voice["licence"],
                duration_ms=voice["duration_ms"],
            )
        )
    _count(core, session, owner, +1, entry["duration_ms"])


def _sealed(_core: Core, session: Session, _index: int, _leaf: str, entry: dict[str, Any]) -> None:
    receipt = session.get(ReceiptRow, entry["output_id"])
    if receipt is None:
        return
    receipt.state = "sealed"
    receipt.sha256 = entry["sha256"]
    receipt.size = entry["size"]
    session.add(receipt)


def _abandoned(
    core: Core, session: Session, _index: int, _leaf: str, entry: dict[str, Any]
) -> None:
    receipt = session.get(ReceiptRow, entry["output_id"])
    if receipt is None or receipt.state == "abandoned":
        return
    receipt.state = "abandoned"
    session.add(receipt)
    if receipt.authorization_id is not None:
        owner = session.get(AuthorizationRow, receipt.authorization_id)
        _count(core, session, owner, -1, -receipt.duration_ms)


def _settled(core: Core, session: Session, _index: int, _leaf: str, entry: dict[str, Any]) -> None:
    row = _authorization(session, entry)
    if row is not None and authorizations.intact(core, row):
        authorizations.end(core, row, "closed")
        session.add(row)


def _authorization(session: Session, entry: dict[str, Any]) -> AuthorizationRow | None:
    return session.exec(
        select(AuthorizationRow).where(AuthorizationRow.digest == entry["authorization"])
    ).one_or_none()


def _count(
    core: Core, session: Session, owner: AuthorizationRow | None, outputs: int, duration_ms: int
) -> None:
    # A row that was tampered with is left as it is: signing it anew would make it good.
    if owner is None or not authorizations.intact(core, owner):
        return
    owner.receipts += outputs
    owner.used_ms += duration_ms
    authorizations.sign_state(core, owner)
    session.add(owner)
