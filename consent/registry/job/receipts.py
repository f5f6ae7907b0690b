"""Receipts: every file's share of an authorization, in the door's order.

``issue`` before the file is signed, ``mark_sealed`` when its bytes are final, ``abandon``
when there will be no file. Each is one log entry and one database transaction.
"""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, func, select

from consent.clock import rfc3339
from consent.errors import InputError, RefusedError, VerificationError
from consent.registry.grant import reservations
from consent.registry.grant.standing import refuse_ended_grants
from consent.registry.job import authorizations, openings
from consent.registry.job.records import (
    GRACE_MS,
    Authorization,
    GrantUse,
    Receipt,
    ReceiptDraft,
    VoiceUse,
)
from consent.registry.storage import timekeeping
from consent.registry.storage.core import Core
from consent.registry.storage.ledger import Ledger, writing
from consent.registry.storage.tables import AuthorizationRow, GrantRow, ReceiptRow

# The share of a file that must be somebody's speech: a person's minutes are not to be lost in
# silence. Pauses count as the speech before them.
_LEAST_SPEECH = 0.5


def new_output_id(core: Core) -> str:
    """Return an unused output id: the registry's tag and 32 random bits, 12 hex digits."""
    with core.database.read() as session:
        while True:
            output_id = core.tag + secrets.token_hex(4)
            if session.get(ReceiptRow, output_id) is None:
                return output_id


def issue(core: Core, draft: ReceiptDraft) -> Receipt:
    """Put one output on record; see ``Registry.issue_receipt``."""
    draft.check()
    if not draft.output_id.startswith(core.tag):
        raise InputError(
            f"the output id {draft.output_id} is not of this registry (tag {core.tag})",
            hint="Take it from Registry.new_output_id().",
        )
    with writing(core) as ledger:
        session = ledger.session
        now = timekeeping.checked_now(core, session)
        row = ledger.row(draft.authorization_id)
        authorization = authorizations.open_authorization(row)
        if row.state == "issued":
            raise RefusedError(
                f"the authorization {row.id} was not started",
                hint="Open its lease first: with registry.lease(authorization.id) as lease: ...",
            )
        authorizations.refuse_ended(row, now)
        grants = refuse_ended_grants(core, session, authorization, now)
        _check_counters(session, row)
        _check_scope(authorization, draft)
        _check_minutes(authorization, row, draft)
        _check_grants(core, session, authorization, row, grants, draft)
        if session.get(ReceiptRow, draft.output_id) is not None:
            raise RefusedError(
                f"the output id {draft.output_id} is already used",
                hint="Take a new one from Registry.new_output_id().",
            )
        index, _ = ledger.append(_entry(core, authorization, draft, now))
        receipt = session.get(ReceiptRow, draft.output_id)
        assert receipt is not None
        receipt.title = draft.title
        receipt.tlog_proof = core.log.proof(index)
        session.add(receipt)
        return _read(core, session, receipt)


def mark_sealed(core: Core, output_id: str, sha256: str, size: int, published_as: str) -> None:
    """Put the final bytes on record; see ``Registry.mark_sealed``."""
    if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
        raise InputError(f"sha256 is {sha256[:80]!r}, expected 64 lower-case hex digits")
    if size <= 0:
        raise InputError(f"the file's size is {size}")
    if not published_as or "/" in published_as or "\\" in published_as:
        raise InputError(f"{published_as[:200]!r} is not a file name", hint="Leave folders out.")
    with writing(core) as ledger:
        now = timekeeping.checked_now(core, ledger.session)
        receipt = _existing(ledger, output_id)
        if receipt.state == "sealed" and (receipt.sha256, receipt.size) == (sha256, size):
            return
        if receipt.state != "issued":
            raise RefusedError(f"the output {output_id} is already {receipt.state}")
        if receipt.authorization_id is None:
            raise RefusedError(f"the authorization of the output {output_id} is not on record")
        row = ledger.row(receipt.authorization_id)
        authorizations.refuse_ended(row, now)
        authorization = authorizations.open_authorization(row)
        refuse_ended_grants(core, ledger.session, authorization, now)
        ledger.append(
            {
                "kind": "sealed",
                "version": 1,
                "output_id": output_id,
                "sha256": sha256,
                "size": size,
                "time": rfc3339(now),
            }
        )
        receipt.published_as = published_as
        ledger.session.add(receipt)


def abandon(core: Core, output_id: str, reason: str) -> None:
    """Put on record that there is no such file; see ``Registry.abandon``."""
    with writing(core) as ledger:
        receipt = _existing(ledger, output_id)
        if receipt.state != "abandoned":
            _abandon(ledger, receipt, reason)


def abandon_pending(core: Core, authorization_id: str | None, reason: str) -> list[str]:
    """Abandon every receipt of an authorization that has no file; return their output ids.

    The caller makes sure that no process is about to seal one of them.
    """
    if not pending(core, authorization_id):
        return []
    with writing(core) as ledger:
        rows = _pending_rows(ledger.session, authorization_id)
        for row in rows:
            _abandon(ledger, row, reason)
    return [row.output_id for row in rows]


def pending(core: Core, authorization_id: str | None) -> list[Receipt]:
    """Return the receipts of one authorization that have no file yet."""
    with core.database.read() as session:
        return [_read(core, session, row) for row in _pending_rows(session, authorization_id)]


def all_pending(core: Core) -> list[Receipt]:
    """Return every receipt that has no file yet, oldest first."""
    with core.database.read() as session:
        rows = session.exec(
            select(ReceiptRow)
            .where(ReceiptRow.state == "issued")
            .order_by(col(ReceiptRow.leaf_index))
        ).all()
        return [_read(core, session, row) for row in rows]


def get(core: Core, output_id: str) -> Receipt | None:
    """Return a receipt, None if there is none."""
    with core.database.read() as session:
        row = session.get(ReceiptRow, output_id)
        return None if row is None else _read(core, session, row)


def _entry(
    core: Core, authorization: Authorization, draft: ReceiptDraft, now: datetime
) -> dict[str, Any]:
    """Return the log entry of a receipt: commitments and public facts, nothing personal."""
    granted = {use.voice: use for use in authorization.grants}
    return {
        "kind": "receipt",
        "version": 1,
        "output_id": draft.output_id,
        "authorization": authorization.digest,
        "purpose": authorization.request.purpose,
        "commercial": authorization.request.commercial,
        "policy": {
            "rules": list(authorization.policy_decision),
            "digest": authorization.policy_digest,
        },
        "voices": [
            _voice_entry(core, draft.output_id, voice, granted.get(voice.voice))
            for voice in draft.voices
        ],
        "models": [
            {
                "model": model.model,
                "engine": model.engine,
                "engine_version": model.engine_version,
                "sha256": model.sha256,
                "licence": model.licence,
            }
            for model in draft.models
        ],
        "text": draft.text_digest,
        "source_pcm_sha256": draft.source_pcm_sha256,
        "container": draft.container,
        "duration_ms": draft.duration_ms,
        "watermark": draft.watermark,
        "time": rfc3339(now),
    }


def _voice_entry(
    core: Core, output_id: str, voice: VoiceUse, use: GrantUse | None
) -> dict[str, Any]:
    """Return what the log says of one voice; of a person's, only commitments."""
    if use is None:
        return {
            "voice": voice.voice,
            "basis": voice.basis,
            "licence": voice.licence,
            "duration_ms": voice.duration_ms,
        }
    opened = openings.of_use(core, output_id, use)
    entry = {
        "voice": openings.voice_commitment(opened),
        "basis": "grant",
        "licence": "grant",
        "grant": openings.grant_commitment(opened),
        "duration_ms": voice.duration_ms,
    }
    # A draft for the performer's ears: on record, and free.
    return entry | {"review": True} if use.review else entry


def _check_scope(authorization: Authorization, draft: ReceiptDraft) -> None:
    """Refuse voices and models that were not authorized."""
    request = authorization.request
    voices = {_as_such(voice) for voice in request.voices}
    _refuse_foreign("voice", [v.voice for v in draft.voices if _as_such(v) not in voices])
    models = set(request.models)
    _refuse_foreign("model", [m.model for m in draft.models if m not in models])


def _as_such(voice: VoiceUse) -> VoiceUse:
    """Return what a voice is, apart from how long it speaks and by which grant."""
    return dataclasses.replace(voice, minutes=0.0, grant="")


def _refuse_foreign(what: str, names: list[str]) -> None:
    if names:
        raise RefusedError(
            f"the authorization does not cover the {what} {', '.join(names)} "
            "as described in the receipt",
            hint="Name, licence and digest must be those that were authorized.",
        )


def _check_minutes(
    authorization: Authorization, row: AuthorizationRow, draft: ReceiptDraft
) -> None:
    left = authorization.allowed_ms - row.used_ms
    if draft.duration_ms > left:
        raise RefusedError(
            f"the authorization {row.id} covers {authorization.request.minutes:.2f} minutes, "
            f"{row.used_ms / 60_000:.2f} are used; {draft.duration_ms / 60_000:.2f} more are "
            "too many",
            hint="Ask for a new authorization with the minutes the work really needs.",
        )


def _check_grants(
    core: Core,
    session: Session,
    authorization: Authorization,
    row: AuthorizationRow,
    grants: Mapping[str, GrantRow],
    draft: ReceiptDraft,
) -> None:
    """Refuse more of a person's voice than is held for the job, and less than is heard."""
    granted = {use.voice: use for use in authorization.grants}
    if not any(voice.voice in granted for voice in draft.voices):
        return
    attributed = sum(voice.duration_ms for voice in draft.voices)
    if attributed < draft.duration_ms * _LEAST_SPEECH - GRACE_MS:
        raise InputError(
            f"the voices are said to speak {attributed / 60_000:.2f} minutes in a file of "
            f"{draft.duration_ms / 60_000:.2f}",
            hint="Give the minutes each voice speaks in this file, pauses included.",
        )
    for voice in draft.voices:
        use = granted.get(voice.voice)
        if use is not None and not use.review:
            reservations.check(core, session, row, grants[use.grant_id], voice.duration_ms)


def _check_counters(session: Session, row: AuthorizationRow) -> None:
    """Compare the signed counters with the receipts: a deleted or edited receipt is noticed."""
    count, total = session.exec(
        select(func.count(), func.coalesce(func.sum(ReceiptRow.duration_ms), 0)).where(
            ReceiptRow.authorization_id == row.id, ReceiptRow.state != "abandoned"
        )
    ).one()
    if (count, int(total)) != (row.receipts, row.used_ms):
        raise VerificationError(
            f"the receipts of the authorization {row.id} were changed in the registry: "
            f"{count} with {int(total) / 60_000:.2f} minutes, signed for {row.receipts} with "
            f"{row.used_ms / 60_000:.2f}",
            hint="Restore the registry from a backup.",
        )


def _abandon(ledger: Ledger, receipt: ReceiptRow, reason: str) -> None:
    ledger.append(
        {
            "kind": "abandoned",
            "version": 1,
            "output_id": receipt.output_id,
            "time": rfc3339(ledger.core.now()),
        }
    )
    receipt.reason = reason[:2000]
    ledger.session.add(receipt)


def _existing(ledger: Ledger, output_id: str) -> ReceiptRow:
    row = ledger.session.get(ReceiptRow, output_id)
    if row is None:
        raise RefusedError(f"there is no receipt of the output {output_id[:64]!r}")
    return row


def _pending_rows(session: Session, authorization_id: str | None) -> list[ReceiptRow]:
    return list(
        session.exec(
            select(ReceiptRow)
            .where(
                ReceiptRow.state == "issued",
                ReceiptRow.authorization_id == authorization_id,
            )
            .order_by(col(ReceiptRow.leaf_index))
        ).all()
    )


def _read(core: Core, session: Session, row: ReceiptRow) -> Receipt:
    return Receipt(
        output_id=row.output_id,
        authorization_id=row.authorization_id or "",
        leaf_index=row.leaf_index,
        leaf_json=row.leaf_json,
        # A row derived again from the log has no stored proof; any later one is as good.
        tlog_proof=row.tlog_proof or core.log.proof(row.leaf_index),
        created_at=row.created_at,
        state=row.state,
        title=row.title,
        container=row.container,
        duration_ms=row.duration_ms,
        sha256=row.sha256,
        size=row.size,
        published_as=row.published_as,
        reason=row.reason,
        openings=openings.of_output(core, session, row.output_id),
    )
