"""Status lists as the standard has them, and lists that try to be something else."""

from __future__ import annotations

import base64
import gzip
from datetime import timedelta
from typing import Any

import pytest
from credentials_kit import ANNA, ENTRY, NOW, STUDIO, did_of, encode, forged, grant_token
from hypothesis import given, settings
from hypothesis import strategies as st

from consent.credentials.grant import open_grant, suspension_list_id
from consent.credentials.status import (
    MAX_BITS,
    MIN_BITS,
    StatusList,
    open_status_list,
    purpose_of,
)
from consent.errors import InputError, VerificationError

# The encodedList of the examples in Bitstring Status List v1.0: 131,072 bits, none set.
STANDARD = "uH4sIAAAAAAAAA-3BMQEAAADCoPVPbQwfoAAAAAAAAAAAAAAAAAAAAIC3AYbSVKsAQAAA"
LIST = ENTRY.list_id
DAY = timedelta(days=1)


def a_token(*indexes: int, list_id: str = LIST) -> str:
    made = StatusList()
    for index in indexes:
        made.set(index)
    return made.to_credential(did_of(ANNA), list_id, NOW, NOW + DAY).sign(ANNA)


def members(**changes: Any) -> dict[str, Any]:
    waiting = StatusList().to_credential(did_of(ANNA), LIST, NOW, NOW + DAY)
    found = waiting.payload | changes
    return {name: value for name, value in found.items() if value is not None}


def subject(**changes: Any) -> dict[str, Any]:
    found = members()
    found["credentialSubject"] = found["credentialSubject"] | changes
    return found


def packed(data: bytes) -> str:
    return "u" + encode(data)


def test_the_list_of_the_standard_is_read() -> None:
    found = StatusList.from_encoded(STANDARD)
    assert len(found) == MIN_BITS == 131_072
    assert found.indexes() == []


def test_an_empty_list_of_ours_is_the_one_of_the_standard() -> None:
    ours, theirs = (
        base64.urlsafe_b64decode(text[1:] + "==") for text in (StatusList().encoded(), STANDARD)
    )
    # The ninth byte of a GZIP header tells how hard the packer tried.
    assert ours[:8] + ours[9:] == theirs[:8] + theirs[9:]


def test_the_first_index_is_the_left_most_bit() -> None:
    made = StatusList()
    made.set(0)
    made.set(10)
    made.set(131_071)
    bits = gzip.decompress(base64.urlsafe_b64decode(made.encoded()[1:] + "=="))
    assert bits[:2] == bytes([0b1000_0000, 0b0010_0000])
    assert bits[-1] == 0b0000_0001


@settings(max_examples=30, deadline=None)
@given(st.sets(st.integers(0, MIN_BITS - 1), max_size=40))
def test_the_bits_that_were_set_come_back(places: set[int]) -> None:
    found = open_status_list(a_token(*places))
    assert found.indexes() == sorted(places)
    assert all(found.get(place) for place in places)


def test_a_bit_can_be_cleared() -> None:
    made = StatusList()
    made.set(7)
    made.set(7, False)
    assert made.indexes() == []


def test_the_list_tells_its_dates_issuer_and_purpose() -> None:
    found = open_status_list(a_token(94567))
    assert (found.list_id, found.issuer_did, found.purpose) == (LIST, did_of(ANNA), "revocation")
    assert (found.valid_from, found.valid_until) == (NOW, NOW + DAY)


def test_suspension_has_a_list_of_its_own_that_the_grant_names() -> None:
    names = suspension_list_id(LIST)
    assert (purpose_of(LIST), purpose_of(names)) == ("revocation", "suspension")
    assert open_status_list(a_token(list_id=names)).purpose == "suspension"
    grant = open_grant(grant_token())
    assert grant.status_entry.list_id == LIST


@pytest.mark.parametrize("index", [-1, MIN_BITS, 10**12])
def test_a_place_outside_the_list_is_an_error_not_a_no(index: int) -> None:
    with pytest.raises(InputError, match="no place"):
        StatusList().get(index)
    with pytest.raises(InputError, match="no place"):
        StatusList().set(index)


@pytest.mark.parametrize("length", [0, 8, MIN_BITS - 8, MIN_BITS + 1, MAX_BITS + 8])
def test_a_list_is_neither_too_small_nor_too_large(length: int) -> None:
    with pytest.raises(InputError):
        StatusList(length)


@pytest.mark.parametrize(
    "text",
    [
        "",
        STANDARD[1:],
        "z" + STANDARD[1:],
        "u",
        "u!!!!",
        STANDARD[:-8],
        packed(bytes(MIN_BITS // 8)),
        packed(gzip.compress(bytes(MIN_BITS // 8 - 1))),
        packed(gzip.compress(bytes(MIN_BITS // 8)) + b"more"),
        packed(gzip.compress(bytes(MIN_BITS // 8)) * 2),
        packed(gzip.compress(bytes(MIN_BITS // 8))[:-4]),
    ],
)
def test_what_cannot_be_unpacked_whole_is_refused(text: str) -> None:
    with pytest.raises(VerificationError):
        StatusList.from_encoded(text)


def test_a_list_that_unpacks_without_end_is_stopped() -> None:
    bomb = packed(gzip.compress(bytes(32 << 20), 9))
    with pytest.raises(VerificationError, match="more than"):
        StatusList.from_encoded(bomb)


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": did_of(STUDIO)},
        {"jti": "urn:x:other"},
        {"nbf": 5},
        {"exp": int(NOW.timestamp())},
        {"exp": True},
        {"validUntil": None},
        {"validFrom": None},
        {"validFrom": "yesterday"},
        {"id": None},
        {"id": "x"},
        {"type": ["VerifiableCredential", "VoiceGrantCredential"]},
        {"type": "BitstringStatusListCredential"},
        {"credentialSubject": None},
        {"credentialSubject": []},
    ],
)
def test_a_list_that_contradicts_itself_or_is_none_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(VerificationError):
        open_status_list(forged(members(**change)))


@pytest.mark.parametrize(
    "change",
    [
        {"statusPurpose": "message"},
        {"statusPurpose": ["revocation"]},
        {"statusSize": 2},
        {"type": "StatusList2021"},
        {"encodedList": 5},
    ],
)
def test_a_list_of_another_kind_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(VerificationError):
        open_status_list(forged(subject(**change)))


def test_a_list_of_another_program_may_say_more() -> None:
    more = subject(ttl=300_000)
    more |= {"name": "Our list", "issuer": {"id": did_of(ANNA), "name": "Anna"}}
    assert open_status_list(forged(more)).list_id == LIST


def test_a_grant_is_no_status_list() -> None:
    with pytest.raises(VerificationError, match="not BitstringStatusListCredential"):
        open_status_list(grant_token())


def test_a_full_random_list_can_still_be_signed_and_read() -> None:
    made = StatusList(1 << 20)
    for index in range(0, 1 << 20, 3):
        made.set(index)
    token = made.to_credential(did_of(ANNA), LIST, NOW, NOW + DAY).sign(ANNA)
    assert open_status_list(token).get(999_999)


def test_a_list_ends_after_it_begins() -> None:
    with pytest.raises(InputError, match="before it begins"):
        StatusList().to_credential(did_of(ANNA), LIST, NOW, NOW)
