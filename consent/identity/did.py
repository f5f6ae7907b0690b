"""The ``did:key`` of an Ed25519 key: an identifier that holds the public key itself.

``did:key:z`` and the base58btc text of the multicodec prefix ``0xed 0x01`` and the 32 bytes of
the key (w3c-ccg.github.io/did-key-spec). Nothing has to be looked up to check a signature.
"""

from __future__ import annotations

from functools import lru_cache

from consent.errors import InputError

_PREFIX = "did:key:z"
_MULTICODEC = b"\xed\x01"
_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_DIGITS = {character: value for value, character in enumerate(_ALPHABET)}
# 34 bytes starting with 0xed always have 47 or 48 digits.
_MAX_DIGITS = 48

_P = 2**255 - 19
# The y coordinates of the eight points of small order on edwards25519. A key that is one of
# them has signatures that hold for every message: anybody could sign in its name.
_SMALL_ORDER = frozenset(
    {
        0,
        1,
        _P - 1,
        0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,
        0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7,
    }
)


def did_from_public(raw32: bytes) -> str:
    """Return the ``did:key`` of an Ed25519 public key.

    Parameters
    ----------
    raw32
        The 32 bytes of the key (:func:`consent.keys.raw_public`).

    Raises
    ------
    InputError
        They are not 32 bytes, or no key that can be trusted to be somebody's own.
    """
    _check_public(raw32)
    return _PREFIX + _encode(_MULTICODEC + raw32)


@lru_cache(maxsize=4096)
def public_from_did(did: str) -> bytes:
    """Return the 32 bytes of the public key in `did`.

    Raises
    ------
    InputError
        It is anything but the ``did:key`` of an Ed25519 key in its one right spelling.
    """
    if not did.startswith(_PREFIX):
        raise InputError(
            f"{did[:80]!r} is not a did:key", hint="An Ed25519 key reads did:key:z6Mk…"
        )
    digits = did[len(_PREFIX) :]
    if len(digits) > _MAX_DIGITS or not set(digits) <= _DIGITS.keys():
        raise InputError(f"{did[:80]!r} is not a did:key: the key is not base58btc text")
    data = _decode(digits)
    if len(data) != 34 or data[:2] != _MULTICODEC:
        raise InputError(f"{did[:80]!r} is not the did:key of an Ed25519 key (did:key:z6Mk…)")
    _check_public(data[2:])
    if _encode(data) != digits:
        raise InputError(f"{did[:80]!r} spells its key in an unusual way")
    return data[2:]


def _check_public(raw32: bytes) -> None:
    if len(raw32) != 32:
        raise InputError(f"an Ed25519 public key has 32 bytes, not {len(raw32)}")
    y = int.from_bytes(raw32, "little") & (2**255 - 1)
    if y >= _P or y in _SMALL_ORDER:
        raise InputError(
            f"the key {raw32.hex()} is not one that only its owner can sign with",
            hint="Create a new Ed25519 key.",
        )


def _encode(data: bytes) -> str:
    number = int.from_bytes(data, "big")
    digits = []
    while number:
        number, digit = divmod(number, 58)
        digits.append(_ALPHABET[digit])
    zeros = len(data) - len(data.lstrip(b"\0"))
    return "1" * zeros + "".join(reversed(digits))


def _decode(text: str) -> bytes:
    number = 0
    for character in text:
        number = number * 58 + _DIGITS[character]
    zeros = len(text) - len(text.lstrip("1"))
    return b"\0" * zeros + number.to_bytes((number.bit_length() + 7) // 8, "big")
