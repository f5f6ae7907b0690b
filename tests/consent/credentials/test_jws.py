"""Signed documents: only what the named key signed, in its one spelling, gets through."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
import warnings
from typing import Any

import pytest
from credentials_kit import ANNA, STUDIO, decode, did_of, encode, forged
from hypothesis import given, settings
from hypothesis import strategies as st

from consent.credentials.jws import MAX_TOKEN, ToSign, open_compact, read_signature, sign_compact
from consent.credentials.strict_json import loads
from consent.errors import InputError, VerificationError
from consent.keys import raw_public

DID = did_of(ANNA)
KID = f"{DID}#{DID[8:]}"
HEADER = {"alg": "EdDSA", "typ": "test+jwt", "kid": KID}
GOOD = {"iss": DID, "say": "yes"}
TOKEN = sign_compact(GOOD, typ="test+jwt", key=ANNA, did=DID)


def refused(token: str, match: str, typ: str = "test+jwt") -> None:
    with pytest.raises(VerificationError, match=match) as caught:
        open_compact(token, typ=typ)
    assert len(str(caught.value)) < 1000


def changed(**members: Any) -> str:
    header = {name: value for name, value in (HEADER | members).items() if value is not None}
    return forged(GOOD, header=header)


def test_a_good_token_is_read_with_its_signer_and_digest() -> None:
    opened = open_compact(TOKEN, typ="test+jwt")
    assert (opened.payload, opened.did, opened.kid) == (GOOD, DID, KID)
    assert opened.digest == hashlib.sha256(TOKEN.encode()).hexdigest()


def test_an_independent_library_reads_ours_and_we_read_its() -> None:
    from joserfc import jws
    from joserfc.jwk import OKPKey

    key = OKPKey.import_key(ANNA)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = jws.deserialize_compact(TOKEN, key, algorithms=["EdDSA"])
        assert json.loads(theirs.payload) == GOOD
        for name in ("EdDSA", "Ed25519"):
            header = {"alg": name, "typ": "test+jwt", "kid": KID}
            made = jws.serialize_compact(header, json.dumps(GOOD), key, algorithms=[name])
            assert open_compact(made, typ="test+jwt").payload == GOOD


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "", None, ["EdDSA"], 1, "eddsa", "ES256"])
def test_no_other_algorithm_is_accepted(alg: object) -> None:
    refused(changed(alg=alg), "only EdDSA")


def test_the_algorithm_none_with_an_empty_signature_is_refused() -> None:
    header = encode(json.dumps(HEADER | {"alg": "none"}).encode())
    refused(f"{header}.{TOKEN.split('.')[1]}.", "only EdDSA")
    refused(f"{TOKEN.split('.')[0]}.{TOKEN.split('.')[1]}.", "signature")


@pytest.mark.parametrize("secret", [raw_public(ANNA), DID.encode()])
def test_a_mac_keyed_with_the_public_key_is_refused(secret: bytes) -> None:
    for alg in ("HS256", "EdDSA"):
        text = f"{encode(json.dumps(HEADER | {'alg': alg}).encode())}.{TOKEN.split('.')[1]}"
        mac = hmac.new(secret, text.encode(), hashlib.sha256).digest()
        refused(f"{text}.{encode(mac)}", "only EdDSA" if alg == "HS256" else "signature")


@pytest.mark.parametrize("typ", ["vc+jwt", "JWT", "TEST+JWT", "application/test+jwt", None, 5])
def test_the_type_must_be_the_one_expected(typ: object) -> None:
    refused(changed(typ=typ), "type")


@pytest.mark.parametrize(
    "member",
    [{"crit": ["exp"]}, {"jku": "https://x"}, {"jwk": {"kty": "OKP"}}, {"x5u": "https://x"},
     {"x5c": []}, {"b64": False}, {"zip": "DEF"}, {"iss": DID}],
)  # fmt: skip
def test_a_header_that_brings_its_own_key_or_rules_is_refused(member: dict[str, Any]) -> None:
    refused(changed(**member), "no place")


@pytest.mark.parametrize(
    "kid",
    [None, "", 1, did_of(STUDIO), f"{DID}#key-1", f"{DID}#", f"{DID}?x", "key-1", f"{DID}#{KID}"],
)
def test_the_key_is_the_one_in_the_did_and_signed_by_it(kid: object) -> None:
    refused(changed(kid=kid), "key|signature")


def test_the_bare_did_names_its_key_too() -> None:
    assert open_compact(changed(kid=DID), typ="test+jwt").kid == DID


def test_the_issuer_must_be_the_signer() -> None:
    for issuer in (did_of(STUDIO), None, DID + " ", [DID]):
        token = forged({"iss": issuer}, header=HEADER)
        refused(token, "signed it")


def test_a_token_of_somebody_else_is_refused_even_when_it_names_our_key() -> None:
    refused(forged(GOOD, header=HEADER, key=STUDIO), "signature")


def test_swapped_parts_of_two_good_tokens_are_refused() -> None:
    other = sign_compact(GOOD | {"say": "no"}, typ="test+jwt", key=ANNA, did=DID).split(".")
    mine = TOKEN.split(".")
    refused(".".join([mine[0], other[1], mine[2]]), "signature")
    refused(".".join([mine[0], mine[1], other[2]]), "signature")
    bare = encode(json.dumps(HEADER | {"kid": DID}).encode())
    refused(".".join([bare, mine[1], mine[2]]), "signature")


def test_a_token_cut_anywhere_is_refused() -> None:
    for length in range(len(TOKEN)):
        with pytest.raises(VerificationError):
            open_compact(TOKEN[:length], typ="test+jwt")


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(TOKEN) - 1), st.integers(1, 127))
def test_no_changed_character_is_ever_accepted(place: int, flip: int) -> None:
    character = chr(ord(TOKEN[place]) ^ flip)
    with pytest.raises(VerificationError):
        open_compact(TOKEN[:place] + character + TOKEN[place + 1 :], typ="test+jwt")


@pytest.mark.parametrize("what", ["\n", " ", "=", "==", ".", "\x00", "AAAA"])
def test_nothing_may_be_added(what: str) -> None:
    for place in (0, TOKEN.index("."), len(TOKEN)):
        with pytest.raises(VerificationError):
            open_compact(TOKEN[:place] + what + TOKEN[place:], typ="test+jwt")


def test_the_same_signature_spelt_otherwise_is_refused() -> None:
    # The last of 86 characters carries four bits that no byte uses.
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = alphabet.index(TOKEN[-1])
    for spare in range(1, 16):
        again = TOKEN[:-1] + alphabet[last ^ spare]
        assert decode(again.split(".")[2]) == decode(TOKEN.split(".")[2])
        refused(again, "unusual way")
    standard = TOKEN.replace("-", "+").replace("_", "/")
    assert standard != TOKEN
    refused(standard, "base64url")


def test_the_second_form_of_a_signature_is_refused() -> None:
    # S + L is the same number modulo the order of the group; RFC 8032 forbids it.
    order = 2**252 + 27742317777372353535851937790883648493
    text, _, signature = TOKEN.rpartition(".")
    raw = decode(signature)
    other = (int.from_bytes(raw[32:], "little") + order).to_bytes(32, "little")
    refused(f"{text}.{encode(raw[:32] + other)}", "signature")


@pytest.mark.parametrize(
    ("payload", "match"),
    [
        (b'{"iss":"%s","say":"yes","say":"no"}' % DID.encode(), "twice"),
        (b'{"iss":"x","iss":"%s"}' % DID.encode(), "twice"),
        (b'{"iss":"%s","a":{"b":1,"b":2}}' % DID.encode(), "twice"),
        (b'{"iss":"%s","a":NaN}' % DID.encode(), "NaN"),
        (b'{"iss":"%s","a":-Infinity}' % DID.encode(), "Infinity"),
        (b'{"iss":"%s","a":"\\ud800"}' % DID.encode(), "surrogate"),
        (b'{"iss":"%s","a":%s}' % (DID.encode(), b"[" * 5000 + b"]" * 5000), "deep"),
        (b'{"iss":"%s","a":%s}' % (DID.encode(), b"9" * 5000), "not JSON"),
        (b'{"iss":"%s"} {}' % DID.encode(), "not JSON"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b"\xff\xfe{}", "UTF-8"),
        (b"[]", "not a JSON object"),
        (b'"text"', "not a JSON object"),
        (b"", "not JSON"),
    ],
)
def test_json_that_two_programs_could_read_differently_is_refused(
    payload: bytes, match: str
) -> None:
    refused(forged(payload, header=HEADER), match)


def test_a_header_that_names_a_member_twice_is_refused() -> None:
    text = json.dumps(HEADER)[:-1] + ', "alg": "EdDSA"}'
    refused(forged(GOOD, header=text.encode()), "twice")


def test_a_huge_token_is_refused_unread() -> None:
    start = time.perf_counter()
    refused("A" * 50_000_000, "is the most")
    assert time.perf_counter() - start < 5  # not in proportion to its length
    members = {"iss": DID, "pad": "x" * MAX_TOKEN}
    refused(forged(members, header=HEADER), "is the most")


def test_brackets_inside_text_are_no_depth() -> None:
    text = json.dumps({"a": '[[[[\\"[[[' * 50}).encode()
    assert loads(text, "it") == json.loads(text)


@settings(max_examples=50, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(1 - 2**53, 2**53 - 1) | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=2)
        ),
        max_leaves=8,
    )
)
def test_every_payload_comes_back_as_it_was(value: object) -> None:
    token = sign_compact({"iss": DID, "value": value}, typ="x", key=ANNA, did=DID)
    assert open_compact(token, typ="x").payload["value"] == value


def test_only_the_named_key_can_sign_a_draft() -> None:
    with pytest.raises(InputError, match="another key"):
        sign_compact(GOOD, typ="test+jwt", key=STUDIO, did=DID)


def test_a_signature_made_elsewhere_is_taken_in_every_usual_form() -> None:
    waiting = ToSign("test+jwt", GOOD, DID)
    raw = ANNA.sign(waiting.signing_input)
    forms = [raw, raw.hex().encode(), raw.hex().upper().encode() + b"\n", encode(raw).encode()]
    for form in forms:
        assert waiting.attach(form) == TOKEN


@pytest.mark.parametrize("data", [b"", b"x", bytes(63), bytes(65), b"ff" * 63, b"\xff" * 86])
def test_what_is_no_signature_is_refused(data: bytes) -> None:
    with pytest.raises(VerificationError):
        read_signature(data)


def test_a_signature_of_something_else_is_not_attached() -> None:
    with pytest.raises(VerificationError, match="signature"):
        ToSign("test+jwt", GOOD, DID).attach(ANNA.sign(b"something else"))
