"""did:key: the published vector, one spelling, and only keys that belong to one owner."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from consent.errors import InputError
from consent.identity import did_from_public, public_from_did
from consent.keys import raw_public

# The key of the all-zero seed in the did:key method's test vectors.
ZERO_SEED_DID = "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp"
SMALL_ORDER = [
    "01" + "00" * 31,
    "00" * 32,
    "ec" + "ff" * 30 + "7f",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
]


def test_the_published_vector_is_read_and_written() -> None:
    raw = raw_public(Ed25519PrivateKey.from_private_bytes(b"\0" * 32))
    assert did_from_public(raw) == ZERO_SEED_DID
    assert public_from_did(ZERO_SEED_DID) == raw


@given(st.binary(min_size=32, max_size=32))
def test_every_key_survives_the_way_there_and_back(seed: bytes) -> None:
    raw = raw_public(Ed25519PrivateKey.from_private_bytes(seed))
    assert public_from_did(did_from_public(raw)) == raw


@pytest.mark.parametrize(
    "did",
    [
        "",
        "did:key:",
        "did:web:example.com",
        ZERO_SEED_DID.upper(),
        ZERO_SEED_DID + "#" + ZERO_SEED_DID[8:],
        ZERO_SEED_DID[:-1],
        ZERO_SEED_DID + "1",
        ZERO_SEED_DID.replace("z6", "z16"),
        ZERO_SEED_DID.replace("o", "0"),
        ZERO_SEED_DID + "\n",
        "did:key:z" + "1" * 1_000_000,
        # A P-256 key and an X25519 key of the method's test vectors.
        "did:key:zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169",
        "did:key:z6LSeu9HkTHSfLLeUs2nnzUSNedgDUevfNQgQjQC23ZCit6F",
    ],
)
def test_anything_else_is_refused_with_its_reason(did: str) -> None:
    with pytest.raises(InputError, match=r"did:key|key"):
        public_from_did(did)


@pytest.mark.parametrize("point", SMALL_ORDER)
@pytest.mark.parametrize("sign", [0, 0x80])
def test_a_key_of_small_order_is_nobodys_key(point: str, sign: int) -> None:
    raw = bytearray.fromhex(point)
    raw[31] |= sign
    with pytest.raises(InputError, match="only its owner"):
        did_from_public(bytes(raw))


def test_such_a_key_would_accept_one_signature_for_every_message() -> None:
    # Why they are refused: this signature was made by nobody and holds for any text.
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(SMALL_ORDER[0]))
    for message in (b"I grant everything", b"I grant nothing"):
        key.verify(bytes.fromhex(SMALL_ORDER[0]) + bytes(32), message)


def test_a_key_written_with_a_coordinate_out_of_range_is_refused() -> None:
    with pytest.raises(InputError, match="only its owner"):
        did_from_public(((1 << 255) - 19 + 3).to_bytes(32, "little"))
