"""Cosignatures (c2sp.org/tlog-cosignature): a witness says when it saw a checkpoint.

A cosignature is a signature line of its own type (0x04) under a checkpoint. It states that at
that time this was the largest tree the witness had seen of this log, and that every smaller one
it had seen is part of it. Ed25519 only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from consent.clock import rfc3339
from consent.errors import VerificationError
from consent.keys import raw_public
from consent.log.note import NoteKey, SignatureLine, format_note, parse_note, signatures_by

_LENGTH = 8 + 64  # time in seconds, Ed25519 signature
_LATEST = 253402300799  # the last second of the year 9999: what a datetime can hold


@dataclass(frozen=True, slots=True)
class WitnessVerifier(NoteKey):
    """A witness's public key (type 0x04)."""

    TYPE: ClassVar[bytes] = b"\x04"

    def check(self, text: str, signature: bytes) -> None:
        """Check a cosignature of the checkpoint `text`; see :meth:`NoteKey.check`."""
        if len(signature) != _LENGTH:
            raise InvalidSignature
        key = Ed25519PublicKey.from_public_bytes(self.public)
        key.verify(signature[8:], _message(text, _seconds(signature)))


@dataclass(frozen=True, slots=True)
class Cosignature:
    """A cosignature that was checked.

    Attributes
    ----------
    witness
        The witness's key.
    time
        When the witness made it, as it says.
    """

    witness: WitnessVerifier
    time: datetime

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {
            "witness": self.witness.name,
            "vkey": self.witness.vkey,
            "time": rfc3339(self.time),
        }


@dataclass(frozen=True)
class WitnessSigner:
    """A named key that cosigns checkpoints.

    The message does not name the witness: one key must never serve under two names.
    """

    name: str
    key: Ed25519PrivateKey

    @property
    def verifier(self) -> WitnessVerifier:
        """The public half."""
        return WitnessVerifier(self.name, raw_public(self.key))

    def cosign(self, text: str, when: datetime) -> str:
        """Return the signature line for the checkpoint `text`, seen at the aware time `when`."""
        seconds = int(when.timestamp())
        signature = seconds.to_bytes(8, "big") + self.key.sign(_message(text, seconds))
        return SignatureLine(self.name, self.verifier.key_id, signature).text


def cosignatures(note: str, witnesses: Iterable[WitnessVerifier]) -> tuple[Cosignature, ...]:
    """Return the cosignatures that `witnesses` made, the latest of each; others are ignored.

    Raises
    ------
    VerificationError
        The note is malformed, or a cosignature by one of `witnesses` is wrong.
    """
    text, lines = parse_note(note)
    found = []
    for witness in witnesses:
        times = [_seconds(line.signature) for line in signatures_by(witness, text, lines)]
        if times:
            found.append(Cosignature(witness, datetime.fromtimestamp(max(times), UTC)))
    return tuple(found)


def merge(note: str, added: Iterable[SignatureLine]) -> str:
    """Return `note` with more signatures; one by the same key replaces what was there."""
    text, lines = parse_note(note)
    by_key = {(line.name, line.key_id): line for line in (*lines, *added)}
    return format_note(text, by_key.values())


def _message(text: str, seconds: int) -> bytes:
    return f"cosignature/v1\ntime {seconds}\n{text}".encode()


def _seconds(signature: bytes) -> int:
    seconds = int.from_bytes(signature[:8], "big")
    if seconds > _LATEST:
        raise VerificationError(f"a cosignature is dated {seconds} seconds after 1970")
    return seconds
