"""Signed statements: what somebody says later about a grant, a key, a work or a mandate.

A statement is a JWS of type ``vivavoce-statement+jwt``. It counts from when a registry
received and logged it, not from the date it claims::

    waiting = draft_statement(
        "revocation", issuer_did=did, subject=grant.id,
        body={"reason": "I have changed my mind", "reason_code": "withdrawn"}, now=clock.now(),
    )
    statement = open_statement(waiting.sign(key))
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import Field, model_validator

from consent.canonical import canonical
from consent.credentials.jws import ToSign, open_compact
from consent.credentials.model import (
    DIGEST_PATTERN,
    PARTY_PATTERN,
    URN_PATTERN,
    Did,
    Digest,
    DigestOrNone,
    Label,
    Line,
    Model,
    Moment,
    PartyId,
    Urn,
    from_epoch,
    matching,
    moment_text,
    parse_moment,
)
from consent.errors import InputError, VerificationError
from consent.identity.did import public_from_did

TYP = "vivavoce-statement+jwt"

StatementKind = Literal[
    "revocation", "suspension", "reinstatement", "approval", "retake", "override", "rotation",
    "compromise", "mandate",
]  # fmt: skip
KINDS: tuple[str, ...] = get_args(StatementKind)

ReasonCode = Literal[
    "withdrawn", "contract-ended", "misuse", "unpaid", "key-compromised", "party-died",
    "superseded", "other",
]  # fmt: skip
Scope = Literal["grant", "revoke", "approve", "register-voice"]
#: What a mandate may cover: sign grants, end or suspend them, approve works, register voices.
SCOPES: tuple[str, ...] = get_args(Scope)


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement whose signature and form hold.

    Whether the issuer may say it, and what follows, is the registry's to know.

    Attributes
    ----------
    id
        ``urn:uuid:…``.
    kind
        One of :data:`KINDS`.
    issuer_did
        The key that signed.
    issued_at
        When it says it was signed.
    effective_at
        From when it is meant to count, if later than its receipt; else None.
    subject
        What it is about; :data:`SUBJECTS` says what that is for each kind.
    body
        Checked members, JSON values.
    token
        The signed document.
    digest
        SHA-256 of `token`, lower-case hex.
    """

    id: str
    kind: str
    issuer_did: str
    issued_at: datetime
    effective_at: datetime | None
    subject: str
    body: dict[str, Any]
    token: str
    digest: str


class _Body(Model):
    noun: ClassVar[str] = "the statement"


class Revocation(_Body):
    """The grant, or the mandate, ends for good."""

    reason: Line = ""
    reason_code: ReasonCode = "withdrawn"


class Suspension(_Body):
    """The grant rests until it is reinstated."""

    reason: Line = ""
    reason_code: ReasonCode = "other"


class Reinstatement(_Body):
    """A suspended grant holds again."""

    reason: Line = ""


class ApprovedOutput(_Body):
    """A draft the performer has heard: its id and the digest of its samples."""

    output_id: Annotated[str, Field(pattern=r"^[0-9a-f]{12}$")]
    pcm_sha256: Digest


class Approval(_Body):
    """The performer has listened and says yes to this work."""

    grant: Urn
    outputs: Annotated[tuple[ApprovedOutput, ...], Field(max_length=2000)] = ()
    note: Line = ""


class RetakeSegment(_Body):
    """One place to speak again."""

    segment: Label
    note: Line = ""


class Retake(_Body):
    """The performer asks for places to be spoken again."""

    grant: Urn
    segments: Annotated[tuple[RetakeSegment, ...], Field(max_length=500)] = ()
    note: Line = ""


class Override(_Body):
    """A named person decides against the result of a check, and says why."""

    check: Annotated[str, Field(pattern=r"^[a-z][a-z0-9./-]{0,79}$")]
    score: Annotated[float, Field(allow_inf_nan=False)]
    threshold: Annotated[float, Field(allow_inf_nan=False)]
    reason: Label
    by: Label


class Rotation(_Body):
    """A party changes its key; signed with the old one."""

    old_did: Did
    new_did: Did

    @model_validator(mode="after")
    def _two_keys(self) -> Self:
        if self.old_did == self.new_did:
            raise InputError("a rotation names two different keys")
        return self


class Compromise(_Body):
    """A key is in the wrong hands since a time; what was received before stays good."""

    since: Moment
    new_did: Did | None = None
    reason: Line = ""


class Mandate(_Body):
    """Somebody may act for the principal, who is the subject of the statement."""

    kind: Literal["agent", "guardian", "estate"]
    representative: PartyId
    representative_did: Did
    scope: Annotated[tuple[Scope, ...], Field(min_length=1)]
    valid_from: Moment
    valid_until: Moment | None = None
    proof: DigestOrNone = ""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if len(set(self.scope)) != len(self.scope):
            raise InputError(f"scope names something twice: {', '.join(self.scope)}")
        if self.valid_until is not None and self.valid_until <= self.valid_from:
            raise InputError("the mandate ends before it begins")
        if self.kind != "agent" and not self.proof:
            raise InputError(
                f"a mandate of the kind {self.kind!r} rests on a document; it names no proof",
                hint="Put the court order, certificate or will in the vault and name it.",
            )
        return self


_BODIES: Mapping[str, type[_Body]] = {
    "revocation": Revocation,
    "suspension": Suspension,
    "reinstatement": Reinstatement,
    "approval": Approval,
    "retake": Retake,
    "override": Override,
    "rotation": Rotation,
    "compromise": Compromise,
    "mandate": Mandate,
}
_GRANT_ID = (URN_PATTERN, "the id of a grant (urn:uuid:…)")
_JOB = (DIGEST_PATTERN, "the digest of a job (64 hex digits)")
_PARTY = (PARTY_PATTERN, "the id of a party (p and 16 hex digits)")
#: What each kind is about: pattern and words.
SUBJECTS: Mapping[str, tuple[str, str]] = {
    "revocation": (URN_PATTERN, "the id of a grant or of a mandate (urn:uuid:…)"),
    "suspension": _GRANT_ID,
    "reinstatement": _GRANT_ID,
    "approval": _JOB,
    "retake": _JOB,
    "override": (r"[!-~]{1,200}", "what the check was about (no spaces, 200 characters)"),
    "rotation": _PARTY,
    "compromise": (r"did:key:z[1-9A-HJ-NP-Za-km-z]+", "the did:key of the key"),
    "mandate": _PARTY,
}


class _Envelope(Model):
    noun: ClassVar[str] = "the statement"
    iss: Did
    jti: Urn
    iat: Annotated[int, Field(strict=True)]
    sub: Annotated[str, Field(max_length=200)]
    kind: StatementKind
    effective_at: Moment | None = None
    body: dict[str, Any]


def draft_statement(
    kind: str,
    *,
    issuer_did: str,
    subject: str,
    body: Mapping[str, Any],
    now: datetime,
    effective_at: datetime | None = None,
) -> ToSign:
    """Return a statement that waits for its signature.

    Parameters
    ----------
    kind
        One of :data:`KINDS`.
    issuer_did
        The key that will sign.
    subject
        What it is about (:data:`SUBJECTS`).
    body
        The members of the kind's class here, by their Python or JSON names.
    now
        The time it is issued.
    effective_at
        Leave it out for "at once"; no earlier than `now`.

    Raises
    ------
    InputError
        A member is missing, unknown or ill-formed.
    """
    public_from_did(issuer_did)
    parts = _checked(kind, subject, body)
    issued = parse_moment(now)
    payload: dict[str, Any] = {
        "iss": issuer_did,
        "jti": f"urn:uuid:{uuid.uuid4()}",
        "iat": int(issued.timestamp()),
        "sub": subject,
        "kind": kind,
        "body": parts.to_json(),
    }
    if effective_at is not None:
        moment = parse_moment(effective_at)
        _check_effective(moment, issued)
        payload["effectiveAt"] = moment_text(moment)
    return ToSign(TYP, payload, issuer_did)


def open_statement(token: str) -> Statement:
    """Check a statement and return what it says.

    Raises
    ------
    VerificationError
        The signature does not hold, or it is not a statement of a known kind and form.
    """
    opened = open_compact(token, typ=TYP)
    try:
        envelope = _Envelope.model_validate(opened.payload, by_alias=True, by_name=False)
        body = _BODIES[envelope.kind].model_validate(envelope.body, by_alias=True, by_name=False)
        _check_subject(envelope.kind, envelope.sub)
        issued = from_epoch(envelope.iat, "iat")
        if envelope.effective_at is not None:
            _check_effective(envelope.effective_at, issued)
    except InputError as exc:
        raise VerificationError(f"this is not a statement: {exc.message}", hint=exc.hint) from exc
    # Canonical JSON, because one number may be written 1 and 1.0.
    if canonical(envelope.body) != canonical(body.to_json()):
        raise VerificationError("the statement spells a member of its body in an unusual way")
    return Statement(
        id=envelope.jti,
        kind=envelope.kind,
        issuer_did=opened.did,
        issued_at=issued,
        effective_at=envelope.effective_at,
        subject=envelope.sub,
        body=body.model_dump(mode="json", by_alias=False),
        token=token,
        digest=opened.digest,
    )


def _checked(kind: str, subject: str, body: Mapping[str, Any]) -> _Body:
    if kind not in _BODIES:
        raise InputError(
            f"{kind[:40]!r} is not a kind of statement", hint=f"Known: {', '.join(KINDS)}."
        )
    _check_subject(kind, subject)
    return _BODIES[kind].model_validate(dict(body))


def _check_subject(kind: str, subject: str) -> None:
    pattern, words = SUBJECTS[kind]
    matching(subject, pattern, words)
    if kind == "compromise":
        public_from_did(subject)


def _check_effective(moment: datetime, issued: datetime) -> None:
    if moment < issued:
        raise InputError(
            f"the statement is to count from {moment_text(moment)}, before it was signed",
            hint="Leave the time out: it counts as soon as it is received.",
        )
