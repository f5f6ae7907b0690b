"""What a document says, in a few plain English lines, for whoever is to sign it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from consent.credentials.grant import TYPES, Credential
from consent.credentials.receipt import plain_sentences
from consent.credentials.terms import Conditions, GrantTerms
from consent.errors import InputError

_SENTENCES = {
    "revocation": "You end {sub} for good.",
    "suspension": "You suspend the grant {sub}: it may not be used until you reinstate it.",
    "reinstatement": "You reinstate the grant {sub}: it may be used again.",
    "approval": "You approve the work with the digest {sub} for publication.",
    "retake": "You ask for places of the work with the digest {sub} to be spoken again.",
    "override": "You decide against the result of a check of {sub}.",
    "rotation": "The party {sub} changes its key.",
    "compromise": "You declare that the key {sub} is in the wrong hands.",
    "mandate": "Somebody may act for the party {sub}.",
}


#: Members of a grant that its sentences tell in full; the others are listed below them.
_SAID = frozenset(
    {
        "voice", "purposes", "works", "languages", "territories", "channels", "minutes",
        "commercial", "permissions", "exclusions", "performerApproval", "disclosure", "credit",
        "compensation", "minorUntil", "locale", "ownerName", "licenseeName",
    }
)  # fmt: skip


def summary(payload: dict[str, Any], names: Mapping[str, str] | None = None) -> list[str]:
    """Return what `payload` says; every member of it, if its kind is not known.

    Parameters
    ----------
    payload
        Of a grant, a statement or a status list.
    names
        Of parties by id, as far as they are known where it is signed.
    """
    kinds = payload.get("type")
    if kinds == list(TYPES):
        return _grant(payload, names or {})
    if isinstance(kinds, list) and "BitstringStatusListCredential" in kinds:
        subject = payload.get("credentialSubject")
        purpose = subject.get("statusPurpose") if isinstance(subject, dict) else None
        return [
            f"The status list {payload.get('id')} ({purpose}) as of {payload.get('validFrom')}."
        ]
    sentence = _SENTENCES.get(str(payload.get("kind")))
    if sentence is None:
        return _members(payload)
    body = payload.get("body")
    return [
        sentence.format(sub=payload.get("sub")),
        *_members(body if isinstance(body, dict) else {"body": body}),
    ]


def _grant(payload: dict[str, Any], names: Mapping[str, str]) -> list[str]:
    try:
        credential = Credential.model_validate(payload, by_alias=True, by_name=False)
    except InputError:
        return _members(payload)
    subject = credential.credential_subject
    terms = GrantTerms.model_construct(
        **{name: getattr(subject, name) for name in Conditions.model_fields},
        licensee_did=subject.id,
        valid_from=credential.valid_from,
        valid_until=credential.valid_until,
    )
    unsaid = {k: v for k, v in payload["credentialSubject"].items() if k not in _SAID and v}
    if terms.basis.kind == "self":
        unsaid.pop("basis", None)
    return [*plain_sentences(terms, names), *_members(unsaid)]


def _members(members: dict[str, Any]) -> list[str]:
    return [
        f"{name}: {json.dumps(value, ensure_ascii=False)}"
        for name, value in sorted(members.items())
    ]
