"""Whether the grants of an authorization still hold: asked at every step until the file is out."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session

from consent.clock import rfc3339
from consent.errors import RefusedError, VerificationError
from consent.registry.grant import grant_rows
from consent.registry.grant.facts import approved, mandate_fault
from consent.registry.job.records import Authorization, GrantUse
from consent.registry.party.records import GrantRecord
from consent.registry.storage.core import Core
from consent.registry.storage.tables import GrantRow

_AGAIN = "Ask for a new authorization by starting the job again."


def refuse_ended_grants(
    core: Core, session: Session, authorization: Authorization, now: datetime
) -> dict[str, GrantRow]:
    """Make sure that every grant an authorization rests on holds; return their rows by id.

    Raises
    ------
    RefusedError
        One was revoked, suspended, superseded, has expired or has no recent word of its
        status; its key or mandate is no longer good; or the performer wants a retake.
    VerificationError
        One was changed or deleted in the registry.
    """
    found = {}
    for use in authorization.grants:
        row = grant_rows.fetch(core, session, use.grant_id)
        record = grant_rows.load(core, session, row)
        if record.digest != use.grant_digest:
            raise VerificationError(
                f"the grant {use.grant_id} is not the document that was authorized",
                hint="Restore the registry from a backup: vivavoce keys restore FILE",
            )
        _refuse(core, session, authorization, use, record, now)
        found[row.id] = row
    return found


def _refuse(
    core: Core,
    session: Session,
    authorization: Authorization,
    use: GrantUse,
    record: GrantRecord,
    now: datetime,
) -> None:
    assert record.grant is not None
    standing = record.standing(now)
    if standing != "active":
        raise _refusal(record, now, *_WORDS[standing])
    fault = mandate_fault(core, session, record, now)
    if fault is not None:
        raise _refusal(record, now, "base/mandate", f"rests on a mandate: {fault}", _AGAIN)
    needs_approval = record.grant.terms.performer_approval and not use.review
    digest = authorization.request.approval_digest
    if needs_approval and not approved(core, session, record.id, digest):
        raise _refusal(
            record,
            now,
            "base/performer-approval",
            "needs the performer's approval, and the performer has asked for a retake",
            "Make what they asked for, and let them hear it again.",
        )


#: By standing: the rule, in words, and what to do.
_WORDS = {
    "key-not-valid": (
        "base/grant-signature",
        "is no longer good: of the key that signed it, {key_fault}",
        "Ask the rights holder to sign it anew.",
    ),
    "revoked": (
        "base/grant-revoked",
        "was revoked on {status_since}",
        "Nothing more can be made under it. Ask the rights holder for a new grant.",
    ),
    "superseded": ("base/grant-superseded", "was replaced by {superseded_by}", _AGAIN),
    "suspended": (
        "base/grant-suspended",
        "is suspended since {status_since}",
        "Ask the rights holder to reinstate it, then run again.",
    ),
    "expired": (
        "base/grant-expired",
        "ended on {valid_until}",
        "Ask the rights holder to renew it.",
    ),
    "not-yet-valid": ("base/grant-not-yet-valid", "begins on {valid_from}", "Wait until then."),
    "status-stale": (
        "base/grant-status-recent",
        "has no recent word of its status: the last is of {status_checked_at}, and it may be "
        "{status_interval} old",
        "Get the rights holder's newest status list and import it.",
    ),
}


def _refusal(record: GrantRecord, now: datetime, rule: str, words: str, hint: str) -> RefusedError:
    checked = record.status_checked_at
    told = words.format(
        key_fault=record.key_fault,
        status_since=rfc3339(record.status_since),
        superseded_by=record.superseded_by,
        valid_from=rfc3339(record.valid_from),
        valid_until=rfc3339(record.valid_until),
        status_checked_at="never" if checked is None else rfc3339(checked),
        status_interval=record.status_interval,
    )
    return RefusedError(f"the grant {record.id} {told} [{rule}]", hint=hint)
