"""Signed notes (c2sp.org/signed-note) with Ed25519 keys.

A note is a text, a blank line and signature lines. Keys are written as verifier keys
("vkeys"): ``name+hash+key``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from consent.errors import InputError, VerificationError
from consent.keys import raw_public

_MAX_NOTE = 1_000_000
#: The specification asks for at least 16.
MAX_SIGNATURES = 100
_SIGNATURE_LINE = re.compile(r"— ([^\s+]+) ([A-Za-z0-9+/]+={0,2})")


@dataclass(frozen=True, slots=True)
class NoteKey:
    """A public Ed25519 key under a name, with a type that says what its signatures mean.

    Attributes
    ----------
    name
        The key's name; for a log, its origin.
    public
        The 32 bytes of the Ed25519 public key.
    """

    name: str
    public: bytes

    #: Signature type of c2sp.org/signed-note.
    TYPE: ClassVar[bytes]

    def __post_init__(self) -> None:
        if not self.name or "+" in self.name or any(c.isspace() for c in self.name):
            raise InputError(f"{self.name!r} is not a key name: no spaces, no plus")
        if any("\ud800" <= c <= "\udfff" or c < " " for c in self.name):
            raise InputError(f"{self.name!r} is not a key name: not UTF-8 text")
        if len(self.public) != 32:
            raise InputError(f"an Ed25519 key has 32 bytes, not {len(self.public)}")

    @property
    def key_id(self) -> bytes:
        """The four bytes that name the key in a signature."""
        return hashlib.sha256(self.name.encode() + b"\n" + self.TYPE + self.public).digest()[:4]

    @property
    def vkey(self) -> str:
        """The key in text form, ``name+hash+key``."""
        encoded = base64.b64encode(self.TYPE + self.public).decode()
        return f"{self.name}+{self.key_id.hex()}+{encoded}"

    @classmethod
    def parse(cls, vkey: str) -> Self:
        """Read a vkey.

        Raises
        ------
        InputError
            It is malformed, of another type, or its hash does not fit.
        """
        parts = vkey.strip().split("+", 2)
        if len(parts) != 3 or not re.fullmatch(r"[0-9a-f]{8}", parts[1]):
            raise InputError(f"{vkey[:120]!r} is not a verifier key (name+hash+key)")
        try:
            encoded = base64.b64decode(parts[2], validate=True)
        except (binascii.Error, ValueError) as exc:
            raise InputError(f"the verifier key of {parts[0]!r} is not base64") from exc
        if encoded[:1] != cls.TYPE:
            raise InputError(
                f"the verifier key of {parts[0]!r} is of the type 0x{encoded[:1].hex() or '??'}, "
                f"expected 0x{cls.TYPE.hex()}",
                hint="0x01 is the key of a log, 0x04 that of a witness (both Ed25519).",
            )
        key = cls(parts[0], encoded[1:])
        if key.key_id.hex() != parts[1]:
            raise InputError(f"the verifier key of {parts[0]!r} does not fit its own hash")
        return key

    def check(self, text: str, signature: bytes) -> None:
        """Check a signature over the text of a note.

        Raises
        ------
        cryptography.exceptions.InvalidSignature
            It is not this key's signature of `text`.
        """
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Verifier(NoteKey):
    """A key that notes are checked with (type 0x01: Ed25519 over the text)."""

    TYPE: ClassVar[bytes] = b"\x01"

    def check(self, text: str, signature: bytes) -> None:
        """Check a signature over the text of a note; see :meth:`NoteKey.check`."""
        Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text.encode())


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


@dataclass(frozen=True, slots=True)
class SignatureLine:
    """One signature of a note, unchecked.

    Attributes
    ----------
    name, key_id
        Which key it claims to be by.
    signature
        What follows the key id; its form depends on the type of the key.
    """

    name: str
    key_id: bytes
    signature: bytes

    @property
    def text(self) -> str:
        """The line as it stands in the note, with its newline."""
        return f"— {self.name} {base64.b64encode(self.key_id + self.signature).decode()}\n"

    def is_by(self, key: NoteKey) -> bool:
        """Whether the line claims to be by `key`."""
        return (self.name, self.key_id) == (key.name, key.key_id)


def parse_note(note: str) -> tuple[str, list[SignatureLine]]:
    """Split a note into its text and its signatures, none of them checked.

    Raises
    ------
    VerificationError
        The note is malformed.
    """
    if len(note) > _MAX_NOTE:
        raise VerificationError(f"the note is too large ({len(note)} characters)")
    _check_text(note)
    end = note.rfind("\n\n")
    if end < 0 or not note.endswith("\n"):
        raise VerificationError("the note has no signatures")
    return note[: end + 1], parse_signatures(note[end + 2 :])


def parse_signatures(block: str) -> list[SignatureLine]:
    """Read signature lines, each ending in a newline.

    Raises
    ------
    VerificationError
        A line is malformed, or there are too many.
    """
    lines = block.removesuffix("\n").split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise VerificationError(f"the note has {len(lines)} signatures, more than allowed")
    found = []
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
        found.append(SignatureLine(match[1], raw[:4], raw[4:]))
    return found


def format_note(text: str, lines: Iterable[SignatureLine]) -> str:
    """Return the note of `text` and signatures."""
    return text + "\n" + "".join(line.text for line in lines)


def open_note(note: str, *keys: NoteKey) -> str:
    """Check a note against known keys and return its text.

    Signatures by unknown keys are ignored, as the specification asks; a bad signature by a
    known key, or no good one, fails.

    Raises
    ------
    VerificationError
        The note is malformed or not signed by any of `keys`.
    """
    text, lines = parse_note(note)
    if not [line for key in keys for line in signatures_by(key, text, lines)]:
        names = ", ".join(key.name for key in keys) or "any known key"
        raise VerificationError(f"the note is not signed by {names}")
    return text


def signatures_by(key: NoteKey, text: str, lines: Sequence[SignatureLine]) -> list[SignatureLine]:
    """Return the signatures that `key` made over `text`; those of other keys are passed over.

    Raises
    ------
    VerificationError
        One claims to be by `key` and is not: the whole note is to be rejected.
    """
    found = [line for line in lines if line.is_by(key)]
    for line in found:
        try:
            key.check(text, line.signature)
        except InvalidSignature as exc:
            raise VerificationError(f"the signature of {key.name} on the note is wrong") from exc
    return found


def _check_text(text: str) -> None:
    if any(c < " " and c != "\n" for c in text):
        raise VerificationError("the note holds control characters")
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        raise VerificationError("the note is not valid UTF-8") from exc
