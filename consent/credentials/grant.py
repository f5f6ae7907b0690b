"""The grant: somebody's signed yes to the use of a voice, as a W3C Verifiable Credential 2.0.

It is secured with JOSE (``vc+jwt``). What the credential and the JWT both say (issuer, subject
of the grant, id, times, audience) must agree, and nothing in it may go unread::

    waiting = draft_grant(terms, issuer_did=did, status=entry, now=clock.now())
    token = waiting.sign(key)              # or waiting.attach(signature made elsewhere)
    grant = open_grant(token)
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from consent.credentials.jws import Opened, ToSign, open_compact
from consent.credentials.model import (
    Did,
    Model,
    Moment,
    Urn,
    from_epoch,
    matching,
    moment_text,
    parse_moment,
    same_json,
)
from consent.credentials.rules import RuleError, add_years, check_rules
from consent.credentials.terms import (
    Basis,
    Compensation,
    Conditions,
    ContentCategory,
    Disclosure,
    Evidence,
    GrantTerms,
    Permission,
    Purpose,
    Work,
)
from consent.errors import InputError, RefusedError, VerificationError

__all__ = [
    "Basis",
    "Compensation",
    "ContentCategory",
    "Disclosure",
    "Evidence",
    "Grant",
    "GrantTerms",
    "Permission",
    "Purpose",
    "RuleError",
    "StatusEntry",
    "Work",
    "add_years",
    "check_rules",
    "draft_grant",
    "open_grant",
]

TYP = "vc+jwt"
CREDENTIALS_V2 = "https://www.w3.org/ns/credentials/v2"
#: Names, not addresses: the context and the schema are part of this package.
CONTEXT = "urn:vivavoce:context:grant:v1"
TYPES = ("VerifiableCredential", "VoiceGrantCredential")
#: RFC 3986 without spaces or a fragment, which names the entry.
LIST_ID_PATTERN = r"[a-z][a-z0-9+.-]*:[A-Za-z0-9:/?@!$&'()*+,;=._~%-]{1,300}"
SUSPENSION_SUFFIX = ":suspension"
MAX_INDEX = 2**31 - 1


@dataclass(frozen=True, slots=True)
class StatusEntry:
    """Where a grant stands in a status list.

    Attributes
    ----------
    list_id
        URL or URN of the list that tells revocation; that of suspension is
        :func:`suspension_list_id`.
    index
        0-based bit in both.
    """

    list_id: str
    index: int

    def __post_init__(self) -> None:
        matching(self.list_id, LIST_ID_PATTERN, "the URL or URN of a status list")
        if self.list_id.endswith(SUSPENSION_SUFFIX):
            raise InputError(
                f"{self.list_id!r} is the list of suspensions",
                hint="Give the id of the list of revocations beside it.",
            )
        if not 0 <= self.index <= MAX_INDEX:
            raise InputError(f"{self.index} is no place in a status list")


@dataclass(frozen=True, slots=True)
class Grant:
    """A grant whose signature, form and rules hold.

    Whether it holds *now* (status, dates, whose key it was) is the registry's to say.

    Attributes
    ----------
    id
        ``urn:uuid:…``.
    issuer_did
        The key that signed.
    issued_at
        When it says it was signed.
    token
        The credential, ``vc+jwt``.
    digest
        SHA-256 of `token`, lower-case hex.
    """

    id: str
    terms: GrantTerms
    issuer_did: str
    issued_at: datetime
    token: str
    digest: str
    status_entry: StatusEntry


def suspension_list_id(list_id: str) -> str:
    """Return the id of the list that tells suspension, beside the one that tells revocation.

    Two lists, because a revocation never ends and a suspension may.
    """
    return list_id + SUSPENSION_SUFFIX


def draft_grant(
    terms: GrantTerms, *, issuer_did: str, status: StatusEntry, now: datetime
) -> ToSign:
    """Return a grant that waits for its signature.

    Parameters
    ----------
    issuer_did
        The key that will sign: of the rights holder or of who acts for them.
    status
        A place in a status list of the registry, nobody else's.
    now
        The time it is issued.

    Raises
    ------
    RuleError
        The terms break a rule; the message names it.
    """
    check_rules(terms, now)
    _check_issuer(terms, issuer_did)
    payload = _payload(
        terms,
        grant_id=f"urn:uuid:{uuid.uuid4()}",
        issuer_did=issuer_did,
        issued_at=parse_moment(now),
        status=status,
    )
    Credential.model_validate(payload)
    return ToSign(TYP, payload, issuer_did)


def open_grant(token: str) -> Grant:
    """Check a grant and return what it says.

    Raises
    ------
    VerificationError
        The signature does not hold, it is not a grant, it says something twice and differently,
        or something that has no place in a grant.
    RuleError
        It breaks a rule of :mod:`consent.credentials.rules`.
    """
    opened = open_compact(token, typ=TYP)
    kinds = opened.payload.get("type")
    if kinds != list(TYPES):
        raise VerificationError(
            f"the credential is of type {str(kinds)[:120]}, not {TYPES[1]}",
            hint="Give the file of a grant.",
        )
    try:
        return _read(token, opened)
    except InputError as exc:
        raise VerificationError(f"this is not a grant: {exc.message}", hint=exc.hint) from exc


class StatusReference(Model):
    """An entry of a Bitstring Status List v1.0."""

    noun: ClassVar[str] = "credentialStatus"
    id: str
    type: Literal["BitstringStatusListEntry"]
    status_purpose: Literal["revocation", "suspension"]
    status_list_index: Annotated[str, Field(pattern=r"^(?:0|[1-9][0-9]{0,9})$")]
    status_list_credential: Annotated[str, Field(pattern=f"^{LIST_ID_PATTERN}$")]


class Subject(Conditions):
    """The subject of the credential: the licensee, and what they may do."""

    noun: ClassVar[str] = "credentialSubject"
    id: Did


class Credential(Model):
    """The whole payload of a grant, as the published JSON schema describes it."""

    noun: ClassVar[str] = "the credential"
    context: Annotated[
        tuple[
            Literal["https://www.w3.org/ns/credentials/v2"],
            Literal["urn:vivavoce:context:grant:v1"],
        ],
        Field(alias="@context"),
    ]
    id: Urn
    type: tuple[Literal["VerifiableCredential"], Literal["VoiceGrantCredential"]]
    issuer: Did
    valid_from: Moment
    valid_until: Moment
    credential_subject: Subject
    credential_status: tuple[StatusReference, StatusReference]
    iss: Did
    sub: Did
    aud: Did
    jti: Urn
    iat: Annotated[int, Field(strict=True)]
    nbf: Annotated[int, Field(strict=True)]
    exp: Annotated[int, Field(strict=True)]


def _read(token: str, opened: Opened) -> Grant:
    credential = Credential.model_validate(opened.payload, by_alias=True, by_name=False)
    _check_agreement(credential)
    subject = credential.credential_subject
    values = {name: getattr(subject, name) for name in Conditions.model_fields}
    # The subject has been checked value by value; the same again would double the time.
    terms = GrantTerms.model_construct(
        **values,
        licensee_did=subject.id,
        valid_from=credential.valid_from,
        valid_until=credential.valid_until,
    )
    entry = credential.credential_status[0]
    grant = Grant(
        id=credential.id,
        terms=terms,
        issuer_did=opened.did,
        issued_at=from_epoch(credential.iat, "iat"),
        token=token,
        digest=opened.digest,
        status_entry=StatusEntry(entry.status_list_credential, int(entry.status_list_index)),
    )
    _check_issuer(terms, grant.issuer_did)
    check_rules(terms, grant.issued_at)
    _check_said_plainly(opened.payload, grant)
    return grant


def _check_agreement(credential: Credential) -> None:
    """Refuse a credential whose two halves differ: each reader would believe another one."""
    subject = credential.credential_subject
    pairs = (
        ("iss", credential.iss, "issuer", credential.issuer),
        ("jti", credential.jti, "id", credential.id),
        ("sub", credential.sub, "credentialSubject.id", subject.id),
        ("aud", credential.aud, "credentialSubject.registry", subject.registry_did),
        ("nbf", credential.nbf, "validFrom", int(credential.valid_from.timestamp())),
        ("exp", credential.exp, "validUntil", int(credential.valid_until.timestamp())),
    )
    for claim, one, member, other in pairs:
        if one != other:
            raise VerificationError(
                f"the grant says {one} in {claim} and {other} in {member}",
                hint="Have it drafted and signed again; a grant must say one thing.",
            )


def _check_said_plainly(payload: dict[str, Any], grant: Grant) -> None:
    """Refuse a payload that is not exactly what its terms say when written again.

    So nothing signed goes unread, and every value has one spelling.
    """
    again = _payload(
        grant.terms,
        grant_id=grant.id,
        issuer_did=grant.issuer_did,
        issued_at=grant.issued_at,
        status=grant.status_entry,
    )
    # The one freedom: a foreign issuer may write a time in its own zone.
    given = payload | {
        name: moment_text(parse_moment(payload[name])) for name in ("validFrom", "validUntil")
    }
    if same_json(given, again):
        return
    differing = [name for name in again if not same_json(given.get(name), again[name])]
    if differing == ["credentialSubject"]:
        subject, other = given["credentialSubject"], again["credentialSubject"]
        differing = [
            f"credentialSubject.{name}"
            for name in sorted(subject.keys() | other.keys())
            if not same_json(subject.get(name), other.get(name))
        ]
    raise VerificationError(
        f"the grant spells {', '.join(differing) or 'something'} in an unusual way",
        hint="Have it drafted again with this program or after its published schema.",
    )


def _check_issuer(terms: GrantTerms, issuer_did: str) -> None:
    if issuer_did == terms.licensee_did and terms.licensee != terms.owner:
        raise RefusedError(
            "the grant is signed with the key of the licensee: nobody grants themselves "
            "somebody else's voice [issuer/licensee]",
            hint="The rights holder, or somebody they have mandated, has to sign.",
        )


def _payload(
    terms: GrantTerms,
    *,
    grant_id: str,
    issuer_did: str,
    issued_at: datetime,
    status: StatusEntry,
) -> dict[str, Any]:
    said = terms.to_json()
    ends = {name: said.pop(name) for name in ("validFrom", "validUntil")}
    subject_did = said.pop("licenseeDid")
    return {
        "@context": [CREDENTIALS_V2, CONTEXT],
        "id": grant_id,
        "type": list(TYPES),
        "issuer": issuer_did,
        **ends,
        "credentialSubject": {"id": subject_did, **said},
        "credentialStatus": [
            _reference("revocation", status.list_id, status.index),
            _reference("suspension", suspension_list_id(status.list_id), status.index),
        ],
        "iss": issuer_did,
        "sub": subject_did,
        "aud": terms.registry_did,
        "jti": grant_id,
        "iat": int(issued_at.timestamp()),
        "nbf": int(terms.valid_from.timestamp()),
        "exp": int(terms.valid_until.timestamp()),
    }


def _reference(purpose: str, list_id: str, index: int) -> dict[str, str]:
    return {
        "id": f"{list_id}#{index}",
        "type": "BitstringStatusListEntry",
        "statusPurpose": purpose,
        "statusListIndex": str(index),
        "statusListCredential": list_id,
    }
