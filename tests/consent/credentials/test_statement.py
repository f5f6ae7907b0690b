"""Statements: each kind with its members, and nothing else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from credentials_kit import (
    ANNA,
    ANNA_ID,
    MANDATE,
    NOW,
    STUDIO,
    STUDIO_ID,
    did_of,
    forged,
    grant_token,
)

from consent.credentials.statement import KINDS, TYP, draft_statement, open_statement
from consent.errors import InputError, VerificationError

DID = did_of(ANNA)
JOB = "b" * 64
BODIES: dict[str, tuple[str, dict[str, Any]]] = {
    "revocation": (MANDATE, {"reason": "I changed my mind", "reason_code": "withdrawn"}),
    "suspension": (MANDATE, {"reason": "unpaid since March", "reason_code": "unpaid"}),
    "reinstatement": (MANDATE, {"reason": ""}),
    "approval": (
        JOB,
        {"grant": MANDATE, "outputs": [{"output_id": "a" * 12, "pcm_sha256": "c" * 64}],
         "note": "lovely"},
    ),
    "retake": (
        JOB,
        {"grant": MANDATE, "segments": [{"segment": "3.14", "note": "too fast"}], "note": ""},
    ),
    "override": (
        "voice:coqui:anna",
        {"check": "same-speaker", "score": 0.61, "threshold": 0.7, "reason": "listened myself",
         "by": "Anna Meyer"},
    ),
    "rotation": (ANNA_ID, {"old_did": DID, "new_did": did_of(STUDIO)}),
    "compromise": (
        DID,
        {"since": "2026-11-20T08:00:00Z", "new_did": did_of(STUDIO), "reason": "stolen laptop"},
    ),
    "mandate": (
        ANNA_ID,
        {"kind": "agent", "representative": STUDIO_ID, "representative_did": did_of(STUDIO),
         "scope": ["grant", "revoke"], "valid_from": "2026-11-21T12:00:00Z",
         "valid_until": "2028-11-21T12:00:00Z", "proof": ""},
    ),
}  # fmt: skip


def token(kind: str, /, **changes: Any) -> str:
    sub, body = BODIES[kind]
    waiting = draft_statement(kind, issuer_did=DID, subject=sub, body=body | changes, now=NOW)
    return waiting.sign(ANNA)


def members(kind: str = "revocation", **changes: Any) -> dict[str, Any]:
    sub, body = BODIES[kind]
    waiting = draft_statement(kind, issuer_did=DID, subject=sub, body=body, now=NOW)
    found = waiting.payload | changes
    return {name: value for name, value in found.items() if value is not None}


def refused(payload: dict[str, Any], match: str = "statement") -> None:
    with pytest.raises(VerificationError, match=match):
        open_statement(forged(payload, header=_header()))


def _header() -> dict[str, Any]:
    return {"alg": "EdDSA", "typ": TYP, "kid": f"{DID}#{DID[8:]}"}


def test_there_is_a_body_here_for_every_kind() -> None:
    assert set(BODIES) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_comes_back_as_it_was_said(kind: str) -> None:
    statement = open_statement(token(kind))
    assert (statement.kind, statement.subject) == (kind, BODIES[kind][0])
    assert statement.body == BODIES[kind][1]
    assert (statement.issuer_did, statement.issued_at) == (DID, NOW)
    assert statement.effective_at is None


def test_the_id_is_new_each_time_and_the_digest_is_of_the_token() -> None:
    one, two = open_statement(token("revocation")), open_statement(token("revocation"))
    assert one.id != two.id and one.digest != two.digest


def test_whole_numbers_and_decimals_are_both_scores() -> None:
    assert open_statement(token("override", score=1, threshold=1.0)).body["threshold"] == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_body_with_an_unknown_member_is_refused(kind: str) -> None:
    sub, body = BODIES[kind]
    with pytest.raises(InputError, match="no place here"):
        draft_statement(kind, issuer_did=DID, subject=sub, body=body | {"extra": 1}, now=NOW)
    payload = members(kind)
    payload["body"] = payload["body"] | {"extra": 1}
    refused(payload)


@pytest.mark.parametrize("kind", KINDS)
def test_a_statement_about_the_wrong_kind_of_thing_is_refused(kind: str) -> None:
    for wrong in ("", "x y", "x\ny", "a" * 300):
        refused(members(kind, sub=wrong))


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("revocation", {"reason_code": "because"}),
        ("revocation", {"reason": "a\u202eb"}),
        ("approval", {"grant": "g1"}),
        ("approval", {"outputs": [{"output_id": "A" * 12, "pcm_sha256": "c" * 64}]}),
        ("override", {"score": float("nan")}),
        ("override", {"reason": ""}),
        ("override", {"by": ""}),
        ("rotation", {"new_did": DID}),
        ("rotation", {"new_did": "did:web:x"}),
        ("compromise", {"since": "yesterday"}),
        ("mandate", {"scope": []}),
        ("mandate", {"scope": ["everything"]}),
        ("mandate", {"scope": ["grant", "grant"]}),
        ("mandate", {"kind": "guardian"}),
        ("mandate", {"kind": "self"}),
        ("mandate", {"valid_until": "2026-11-21T12:00:00Z"}),
        ("mandate", {"representative": "bob"}),
    ],
)
def test_a_member_that_cannot_be_meant_is_refused(kind: str, change: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        token(kind, **change)


def test_an_unknown_kind_is_refused_with_those_there_are() -> None:
    with pytest.raises(InputError, match="'divorce'") as caught:
        draft_statement("divorce", issuer_did=DID, subject=MANDATE, body={}, now=NOW)
    assert caught.value.hint and "revocation" in caught.value.hint
    refused(members(kind="revocation") | {"kind": "divorce"})


def test_the_envelope_has_no_room_for_more_or_less() -> None:
    for change in ({"exp": 1}, {"issuer": DID}, {"jti": None}, {"iat": None}, {"iat": "1"},
                   {"iat": True}, {"sub": None}, {"body": None}, {"body": "text"},
                   {"jti": "urn:uuid:x"}):  # fmt: skip
        refused(members() | change if None not in change.values() else members(**change))


def test_a_member_spelt_in_the_python_way_is_refused_in_a_signed_body() -> None:
    payload = members()
    payload["body"] = {"reason": "", "reason_code": "withdrawn"}
    refused(payload)


def test_a_default_left_out_of_a_signed_body_is_refused() -> None:
    payload = members()
    payload["body"] = {"reason": "x"}
    refused(payload, "unusual")


def test_a_statement_may_count_later_but_not_earlier() -> None:
    later = NOW + timedelta(days=30)
    waiting = draft_statement(
        "revocation", issuer_did=DID, subject=MANDATE, body={}, now=NOW, effective_at=later
    )
    assert open_statement(waiting.sign(ANNA)).effective_at == later
    with pytest.raises(InputError, match="before it was signed"):
        draft_statement(
            "revocation", issuer_did=DID, subject=MANDATE, body={}, now=later, effective_at=NOW
        )
    refused(members(effectiveAt="2026-11-21T11:59:59Z"))


def test_a_grant_is_not_a_statement() -> None:
    with pytest.raises(VerificationError, match="type"):
        open_statement(grant_token())


def test_a_statement_signed_by_somebody_else_than_it_says_is_refused() -> None:
    with pytest.raises(VerificationError, match=r"signed it|signature"):
        open_statement(forged(members(iss=did_of(STUDIO)), header=_header()))
