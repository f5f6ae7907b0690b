"""What each kind of log entry means for the database.

Projected when it is appended, and again when the database has to catch up with the log: after a
crash, or when an older database was restored. Everything here follows from the entry and from
the rows that exist; nothing may be counted twice, for no entry is projected twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import Any

from sqlmodel import Session, col, select

from consent.registry.grant import effects, reservations
from consent.registry.job import authorizations, openings
from consent.registry.party import erasure
from consent.registry.storage import timekeeping
from consent.registry.storage.core import Core
from consent.registry.storage.tables import (
    AuthorizationRow,
    GrantRow,
    MetaRow,
    ReceiptRow,
    VoiceUseRow,
)

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
        "clock": _clock,
        **effects.PROJECTIONS,
        **erasure.PROJECTIONS,
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
        _use(core, session, owner, entry["output_id"], voice)
    _count(core, session, owner, +1, entry["duration_ms"])


def _use(
    core: Core,
    session: Session,
    owner: AuthorizationRow | None,
    output_id: str,
    voice: dict[str, Any],
) -> None:
    """Put on record how long one voice speaks, and take it off its grant if it has one."""
    opened = None
    if "grant" in voice:
        trusted = owner is not None and authorizations.intact(core, owner)
        authorization = authorizations.open_authorization(owner) if trusted and owner else None
        opened = openings.find(core, session, authorization, output_id, voice)
    review = bool(voice.get("review"))
    session.add(
        VoiceUseRow(
            output_id=output_id,
            voice=voice["voice"] if opened is None else opened.voice,
            basis=voice["basis"],
            licence=voice["licence"],
            duration_ms=voice["duration_ms"],
            grant_id=None if opened is None else opened.grant_id,
            review=review,
        )
    )
    if opened is not None and not review:
        reservations.spend(
            core,
            session,
            None if owner is None else owner.id,
            opened.grant_id,
            voice["duration_ms"],
        )


def adopt(core: Core, session: Session, grant: GrantRow) -> None:
    """Count what was used of a grant that was lost with a database and has come in again.

    Its receipts were taken in from the log while nobody could tell whose they were.
    """
    for use in session.exec(
        select(VoiceUseRow).where(VoiceUseRow.basis == "grant", col(VoiceUseRow.grant_id).is_(None))
    ).all():
        receipt = session.get_one(ReceiptRow, use.output_id)
        opened = openings.opening(core, use.output_id, grant.voice, grant.id, grant.digest)
        logged = json.loads(core.log.entry(receipt.leaf_index))
        if not any("grant" in voice and openings.fits(opened, voice) for voice in logged["voices"]):
            continue
        use.voice, use.grant_id = grant.voice, grant.id
        session.add(use)
        if receipt.state != "abandoned" and not use.review:
            reservations.spend(core, session, receipt.authorization_id, grant.id, use.duration_ms)


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
    _give_back(core, session, receipt)
    if receipt.authorization_id is not None:
        owner = session.get(AuthorizationRow, receipt.authorization_id)
        _count(core, session, owner, -1, -receipt.duration_ms)


def _give_back(core: Core, session: Session, receipt: ReceiptRow) -> None:
    """Give the minutes of an output back to its grants: those of the log, not of the row."""
    found = openings.of_output(core, session, receipt.output_id)
    if not found:
        return
    logged = json.loads(core.log.entry(receipt.leaf_index))
    if logged.get("output_id") != receipt.output_id:
        return  # the row was changed: what was used stays used
    for opened in found:
        for voice in logged["voices"]:
            if "grant" in voice and openings.fits(opened, voice) and not voice.get("review"):
                reservations.spend(
                    core,
                    session,
                    receipt.authorization_id,
                    opened.grant_id,
                    -voice["duration_ms"],
                )


def _settled(core: Core, session: Session, _index: int, _leaf: str, entry: dict[str, Any]) -> None:
    row = _authorization(session, entry)
    if row is not None and authorizations.intact(core, row):
        authorizations.end(core, row, "closed")
        session.add(row)
        reservations.release(core, session, row.id)


def _clock(_core: Core, session: Session, _index: int, _leaf: str, entry: dict[str, Any]) -> None:
    timekeeping.put(session, datetime.fromisoformat(entry["time"]))


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
