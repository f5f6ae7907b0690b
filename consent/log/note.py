"""Signed notes (c2sp.org/signed-note) with Ed25519 keys.

A note is a text, a blank line and signature lines. Keys are written as verifier keys
("vkeys"): ``name+hash+key``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from consent.errors import InputError, VerificationError
from consent.keys import raw_public

_ED25519 = b"\x01"
_MAX_NOTE = 1_000_000
_MAX_SIGNATURES = 100
_SIGNATURE_LINE = re.compile(r"— ([^\s+]+) ([A-Za-z0-9+/]+={0,2})")


@dataclass(frozen=True, slots=True)
class Verifier:
    """A key that notes are checked with.

    Attributes
    ----------
    name
        The key's name; for a log, its origin.
    public
        The 32 bytes of the Ed25519 public key.
    """

    name: str
    public: bytes

    def __post_init__(self) -> None:
        if not self.name or "+" in self.name or any(c.isspace() for c in self.name):
            raise InputError(f"{self.name!r} is not a key name: no spaces, no plus")
        if len(self.public) != 32:
            raise InputError(f"an Ed25519 key has 32 bytes, not {len(self.public)}")

    @property
    def key_id(self) -> bytes:
        """The four bytes that name the key in a signature."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.public).digest()[:4]

    @property
    def vkey(self) -> str:
        """The key in text form, ``name+hash+key``."""
        encoded = base64.b64encode(_ED25519 + self.public).decode()
        return f"{self.name}+{self.key_id.hex()}+{encoded}"

    @classmethod
    def parse(cls, vkey: str) -> Verifier:
        """Read a vkey.

        Raises
        ------
        InputError
            It is malformed, of another algorithm, or its hash does not fit.
        """
        parts = vkey.strip().split("+", 2)
        if len(parts) != 3 or not re.fullmatch(r"[0-9a-f]{8}", parts[1]):
            raise InputError(f"{vkey[:120]!r} is not a verifier key (name+hash+key)")
        try:
            encoded = base64.b64decode(parts[2], validate=True)
        except (binascii.Error, ValueError) as exc:
            raise InputError(f"the verifier key of {parts[0]!r} is not base64") from exc
        if encoded[:1] != _ED25519:
            raise InputError(f"the verifier key of {parts[0]!r} is not an Ed25519 key")
        verifier = cls(parts[0], encoded[1:])
        if verifier.key_id.hex() != parts[1]:
            raise InputError(f"the verifier key of {parts[0]!r} does not fit its own hash")
        return verifier


@dataclass(frozen=True)
class Signer:
    """A named key that signs notes."""

    name: str
    key: Ed25519PrivateKey

    @property
    def verifier(self) -> Verifier:
        """The public half."""
        return Verifier(self.name, raw_public(self.key))

    def sign(self, text: str) -> str:
        """Return `text`, which must end in a newline, as a signed note."""
        _check_text(text)
        if not text.endswith("\n"):
            raise ValueError("the text of a note ends in a newline")
        signature = self.verifier.key_id + self.key.sign(text.encode())
        return f"{text}\n— {self.name} {base64.b64encode(signature).decode()}\n"


def open_note(note: str, *verifiers: Verifier) -> str:
    """Check a note against known keys and return its text.

    Signatures by unknown keys are ignored, as the specification asks; a bad signature by a
    known key, or no good one, fails.

    Raises
    ------
    VerificationError
        The note is malformed or not signed by any of `verifiers`.
    """
    if len(note) > _MAX_NOTE:
        raise VerificationError(f"the note is too large ({len(note)} characters)")
    _check_text(note)
    end = note.rfind("\n\n")
    if end < 0 or not note.endswith("\n"):
        raise VerificationError("the note has no signatures")
    text, lines = note[: end + 1], note[end + 2 : -1].split("\n")
    if len(lines) > _MAX_SIGNATURES:
        raise VerificationError(f"the note has {len(lines)} signatures, more than allowed")
    known = {(v.name, v.key_id): v for v in verifiers}
    verified = False
    for line in lines:
        match = _SIGNATURE_LINE.fullmatch(line)
        if match is None:
            raise VerificationError(f"malformed signature line in the note: {line[:80]!r}")
        try:
            raw = base64.b64decode(match[2], validate=True)
        except (binascii.Error, ValueError) as exc:
            raise VerificationError("a signature of the note is not base64") from exc
        if len(raw) < 5:
            raise VerificationError("a signature of the note is too short")
        verifier = known.get((match[1], raw[:4]))
        if verifier is None:
            continue
        try:
            Ed25519PublicKey.from_public_bytes(verifier.public).verify(raw[4:], text.encode())
        except InvalidSignature as exc:
            raise VerificationError(
                f"the signature of {verifier.name} on the note is wrong"
            ) from exc
        verified = True
    if not verified:
        names = ", ".join(v.name for v in verifiers) or "any known key"
        raise VerificationError(f"the note is not signed by {names}")
    return text


def _check_text(text: str) -> None:
    if any(c < " " and c != "\n" for c in text):
        raise VerificationError("the note holds control characters")
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        raise VerificationError("the note is not valid UTF-8") from exc
