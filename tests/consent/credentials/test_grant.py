"""A grant says one thing, all of it is read, and nothing is taken for granted."""

from __future__ import annotations

import copy
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from credentials_kit import (
    ANNA,
    ENTRY,
    MANDATE,
    NOW,
    REGISTRY,
    STUDIO,
    STUDIO_ID,
    did_of,
    forged,
    grant_token,
    payload,
    terms,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from consent.credentials.grant import (
    Basis,
    Compensation,
    GrantTerms,
    StatusEntry,
    Work,
    draft_grant,
    open_grant,
)
from consent.credentials.jws import sign_compact
from consent.credentials.schema import context, generate, schema
from consent.credentials.statement import TYP as STATEMENT_TYP
from consent.errors import InputError, RefusedError, VerificationError


def refused(members: dict[str, Any], match: str) -> None:
    with pytest.raises(VerificationError, match=match) as caught:
        open_grant(forged(members))
    assert len(str(caught.value)) < 1500


def subject(**changes: Any) -> dict[str, Any]:
    members = copy.deepcopy(payload())
    members["credentialSubject"] |= changes
    return members


def test_a_signed_grant_says_what_its_terms_said() -> None:
    grant = open_grant(grant_token())
    assert grant.terms == terms()
    assert (grant.issuer_did, grant.issued_at, grant.status_entry) == (did_of(ANNA), NOW, ENTRY)


def test_the_credential_is_a_verifiable_credential_of_the_second_data_model() -> None:
    members = payload()
    assert members["@context"][0] == "https://www.w3.org/ns/credentials/v2"
    assert members["type"] == ["VerifiableCredential", "VoiceGrantCredential"]
    assert members["validFrom"] == "2026-11-21T12:00:00Z"
    assert not {"vc", "vp", "issuanceDate"} & members.keys()
    assert [entry["statusPurpose"] for entry in members["credentialStatus"]] == [
        "revocation",
        "suspension",
    ]


OPTIONAL = {
    "works": st.lists(
        st.builds(Work, title=st.sampled_from(["Émile", "東京", "A B"]),
                  identifier=st.sampled_from(["", "urn:isbn:9780141439518"])),
        max_size=3, unique=True).map(tuple),
    "minutes": st.none() | st.integers(1, 10_000_000),
    "languages": st.sampled_from([("*",), ("en", "de-AT"), ("zh-Hant-TW",)]),
    "territories": st.sampled_from([("world",), ("DE", "AT", "CH")]),
    "channels": st.sampled_from([("*",), ("store", "private")]),
    "commercial": st.booleans(),
    "performer_approval": st.booleans(),
    "compensation": st.none() | st.builds(
        Compensation, currency=st.sampled_from(["EUR", "JPY"]),
        rate=st.sampled_from(["0", "0.05", "12.5000"]), unit=st.just("flat")),
    "status_interval_s": st.integers(0, 90 * 86_400),
    "supersedes": st.sampled_from([None, MANDATE]),
    "valid_until": st.integers(1, 9 * 365 * 86_400).map(lambda s: NOW + timedelta(seconds=s)),
}  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.fixed_dictionaries({}, optional=OPTIONAL))
def test_all_terms_come_back_as_they_were(changes: dict[str, Any]) -> None:
    wanted = terms(**changes)
    token = draft_grant(wanted, issuer_did=did_of(ANNA), status=ENTRY, now=NOW).sign(ANNA)
    assert open_grant(token).terms == wanted


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("iss", did_of(STUDIO)),
        ("issuer", did_of(STUDIO)),
        ("issuer", {"id": did_of(ANNA)}),
        ("jti", "urn:uuid:0f3b7a52-1111-4111-8111-00000000ffff"),
        ("id", "urn:uuid:0f3b7a52-1111-4111-8111-00000000ffff"),
        ("sub", did_of(REGISTRY)),
        ("aud", did_of(STUDIO)),
        ("aud", [did_of(REGISTRY)]),
        ("nbf", int(NOW.timestamp()) - 1),
        ("exp", int(NOW.timestamp()) + 1),
        ("exp", str(int(NOW.timestamp()))),
        ("nbf", float(NOW.timestamp())),
        ("iat", True),
        ("validUntil", "2027-11-21T12:00:01Z"),
        ("validFrom", "2025-11-21T12:00:00Z"),
        ("validFrom", "2026-11-21T12:00:00"),
        ("validFrom", "2026-11-21 12:00:00Z"),
        ("validFrom", "2026-11-21T12:00:00.5Z"),
        ("validFrom", "2026-11-21T12:00:60Z"),
        ("validFrom", "2026-02-29T12:00:00Z"),
        ("validFrom", 1795262400),
        ("validUntil", None),
        ("exp", None),
        ("credentialStatus", None),
        ("credentialStatus", []),
        ("vc", {}),
        ("name", "A grant"),
        ("exp", 10**30),
        ("iat", -(10**30)),
    ],
)
def test_what_is_said_twice_must_agree_and_nothing_may_be_added_or_left_out(
    name: str, value: object
) -> None:
    refused(payload(**{name: value}), "grant|signed it")


@pytest.mark.parametrize(
    "change",
    [
        {"registry": did_of(STUDIO)},
        {"id": did_of(ANNA)},
        {"minutes": None},
        {"minutes": "600"},
        {"minutes": 600.0},
        {"minutes": 0},
        {"minutes": True},
        {"minutes": "Unlimited"},
        {"commercial": 1},
        {"commercial": "true"},
        {"purposes": []},
        {"purposes": ["everything"]},
        {"purposes": "audiobook"},
        {"purposes": ["audiobook", "audiobook"]},
        {"permissions": ["synthesis", "cloning "]},
        {"languages": ["*", "en"]},
        {"languages": ["e"]},
        {"territories": ["world", "DE"]},
        {"territories": ["de"]},
        {"territories": ["XX"]},
        {"voice": "coqui:../../etc"},
        {"owner": "p1"},
        {"works": [{"title": "A\u202eB", "identifier": ""}]},
        {"works": [{"title": "A", "identifier": "a b"}]},
        {"works": [{"title": "A"}]},
        {"works": [{"title": "Zoe\u0308", "identifier": ""}]},
        {"credit": "A" * 1_000},
        {"credit": "\u200b"},
        {"statusInterval": -1},
        {"statusInterval": 10**9},
        {"supersedes": None},
        {"supersedes": ""},
        {"compensation": {"currency": "EUR", "rate": 2.5, "unit": "flat", "note": ""}},
        {"compensation": {"currency": "XXX", "rate": "2.50", "unit": "flat", "note": ""}},
        {"compensation": {"currency": "EUR", "rate": "-1", "unit": "flat", "note": ""}},
        {"compensation": {"currency": "EUR", "rate": "1e9", "unit": "flat", "note": ""}},
        {"minorUntil": "2030-02-30"},
        {"registry_did": did_of(REGISTRY)},
        {"statusIntervalS": 5},
        {"unknown": 1},
    ],
)
def test_a_term_that_is_not_one_is_refused(change: dict[str, Any]) -> None:
    refused(subject(**change), "grant")


def test_the_message_names_the_member() -> None:
    refused(subject(territories=["Narnia"]), "territories.0: 'Narnia' is not a territory")
    refused(subject(credit="a\u202eb"), "credit: the credit holds U\\+202E at place 2")


def test_a_status_entry_that_points_elsewhere_is_refused() -> None:
    for change in (
        {"statusListIndex": "7"},
        {"statusListIndex": 94567},
        {"statusListIndex": "094567"},
        {"statusListIndex": "-1"},
        {"statusListCredential": "urn:uuid:0f3b7a52-2222-4222-8222-00000000aaaa"},
        {"statusPurpose": "suspension"},
        {"id": "urn:x:other#1"},
    ):
        members = copy.deepcopy(payload())
        members["credentialStatus"][0] |= change
        refused(members, "grant")


def test_a_time_in_another_zone_is_the_same_time() -> None:
    for text in ("2026-11-21T13:00:00+01:00", "2026-11-21T07:00:00-05:00", "2026-11-21T12:00:00Z"):
        assert open_grant(forged(payload(validFrom=text))).terms.valid_from == NOW
    zone = timezone(timedelta(hours=-5))
    assert terms(valid_from=datetime(2026, 11, 21, 7, tzinfo=zone)) == terms()


def test_other_credentials_and_statements_are_not_grants() -> None:
    kinds = ["VerifiableCredential", "BitstringStatusListCredential"]
    refused(payload(type=kinds), "not VoiceGrantCredential")
    refused(payload(type="VoiceGrantCredential"), "not VoiceGrantCredential")
    token = sign_compact(payload(), typ=STATEMENT_TYP, key=ANNA, did=did_of(ANNA))
    with pytest.raises(VerificationError, match="type"):
        open_grant(token)


def test_a_grant_signed_by_the_licensee_is_refused() -> None:
    with pytest.raises(RefusedError, match="issuer/licensee"):
        draft_grant(terms(), issuer_did=did_of(STUDIO), status=ENTRY, now=NOW)
    members = payload(iss=did_of(STUDIO), issuer=did_of(STUDIO))
    with pytest.raises(RefusedError, match="issuer/licensee"):
        open_grant(forged(members, key=STUDIO))


def test_somebody_may_license_their_own_voice_to_themselves() -> None:
    own = terms(licensee_did=did_of(ANNA), licensee=terms().owner)
    assert open_grant(draft_grant(own, issuer_did=did_of(ANNA), status=ENTRY, now=NOW).sign(ANNA))


@pytest.mark.parametrize(
    "change",
    [
        {"valid_from": datetime(2026, 11, 21, 12)},
        {"works": (Work(title="A"), Work(title="A"))},
        {"locale": "*"},
        {"minutes": 10_000_001},
        {"minor_until": datetime(2030, 1, 1, tzinfo=UTC)},
        {"languages": ()},
        {"nonsense": 1},
        {"evidence": ({"kind": "contract", "commitment": "a" * 64, "salt": "ab"},)},
    ],
)
def test_bad_terms_raise_an_error_for_people(change: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        terms(**change)


def test_missing_terms_are_named() -> None:
    with pytest.raises(InputError, match="voice: Field required"):
        GrantTerms.model_validate({})


@pytest.mark.parametrize(
    ("list_id", "index"),
    [("x", 0), ("urn:x:1#2", 0), ("urn:x: y", 0), ("urn:x:1", -1), ("urn:x:1", 2**31),
     ("urn:x:1:suspension", 0), ("", 0)],
)  # fmt: skip
def test_a_place_in_a_status_list_is_checked(list_id: str, index: int) -> None:
    with pytest.raises(InputError):
        StatusEntry(list_id, index)


def test_the_published_schema_is_the_one_the_model_has() -> None:
    assert schema() == generate(), "python -m consent.credentials.schema > grant-v1.schema.json"


def test_grants_fit_the_published_schema_and_forgeries_do_not() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(schema())
    validator.check_schema(schema())
    estate = terms(
        basis=Basis(kind="estate", mandate=MANDATE, proof="a" * 64),
        compensation=None,
        minutes=None,
        supersedes=MANDATE,
    )
    for each in (terms(), estate):
        validator.validate(
            draft_grant(each, issuer_did=did_of(ANNA), status=ENTRY, now=NOW).payload
        )
    for bad in (subject(minutes=None), subject(unknown=1), payload(exp=None), payload(type=[])):
        assert not validator.is_valid(bad)


def test_every_term_of_a_grant_has_a_meaning_in_the_context() -> None:
    known = context()["@context"]
    full = terms(
        basis=Basis(kind="guardian", mandate=MANDATE, proof="a" * 64),
        minor_until=date(2030, 1, 1),
        evidence=({"kind": "contract", "commitment": "a" * 64, "salt": "ab" * 16},),
        supersedes=MANDATE,
    )
    waiting = draft_grant(full, issuer_did=did_of(ANNA), status=ENTRY, now=NOW)
    for name, value in waiting.payload["credentialSubject"].items():
        if name == "id":
            continue
        assert name in known
        parts = value if isinstance(value, list) else [value]
        inner = {member for part in parts if isinstance(part, dict) for member in part}
        assert inner <= known[name].get("@context", {}).keys() if inner else True
    definitions = schema()["$defs"]["Subject"]["properties"]
    for name in ("purposes", "exclusions", "permissions"):
        assert set(definitions[name]["items"]["enum"]) == known[name]["@context"].keys()


def test_the_licensee_is_the_subject() -> None:
    assert payload()["credentialSubject"]["id"] == did_of(STUDIO)
    assert payload()["credentialSubject"]["licensee"] == STUDIO_ID
