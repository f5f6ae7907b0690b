"""Canonical JSON (JCS, RFC 8785) and the digests and commitments built on it."""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

from consent.errors import InputError


def canonical(value: Any) -> bytes:
    """Return `value` as JCS JSON, the same bytes everywhere.

    Raises
    ------
    InputError
        It holds something JSON cannot say (NaN, an integer beyond 2**53, a lone surrogate).
    """
    import rfc8785

    try:
        data: bytes = rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as exc:
        raise InputError(f"the record cannot be written as canonical JSON: {exc}") from exc
    return data


def digest(value: Any) -> str:
    """Return the SHA-256 of `value` as JCS JSON, lower-case hex."""
    return hashlib.sha256(canonical(value)).hexdigest()


def new_salt() -> bytes:
    """Return 16 random bytes for :func:`commitment`."""
    return secrets.token_bytes(16)


def commitment(data: bytes, salt: bytes) -> str:
    """Return a hiding commitment to `data`: SHA-256 of `salt` and `data`, lower-case hex.

    A bare hash of guessable data (a public-domain text, a name) gives the data away to anyone
    who guesses it; the salt, kept outside the log, prevents that.

    Parameters
    ----------
    data
        Any bytes.
    salt
        16 bytes or more, from :func:`new_salt`, kept where `data` is kept.
    """
    if len(salt) < 16:
        raise ValueError(f"salt of {len(salt)} bytes, expected 16 or more")
    return hashlib.sha256(len(salt).to_bytes(1, "big") + salt + data).hexdigest()
