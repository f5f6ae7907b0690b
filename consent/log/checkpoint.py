"""Checkpoints (c2sp.org/tlog-checkpoint): what a log says it holds, signed."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from consent.errors import VerificationError
from consent.log.cosignature import Cosignature, WitnessVerifier, cosignatures
from consent.log.note import Signer, Verifier, open_note

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Size and root of a log at one moment.

    Attributes
    ----------
    origin
        Which log.
    size
        Number of entries.
    root
        Merkle tree hash over them, 32 bytes.
    cosignatures
        Of the witnesses that were asked for when it was opened.
    """

    origin: str
    size: int
    root: bytes
    cosignatures: tuple[Cosignature, ...] = field(default=(), compare=False)

    @property
    def text(self) -> str:
        """The body that is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    def sign(self, signer: Signer) -> str:
        """Return the checkpoint as a signed note."""
        return signer.sign(self.text)

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Read the body of a note whose signature has been checked.

        Raises
        ------
        VerificationError
            It is not a checkpoint.
        """
        lines = text.split("\n")
        if len(lines) < 4 or lines[-1] != "" or not all(lines[:-1]):
            raise VerificationError("the note is not a checkpoint: origin, size and root expected")
        if not _SIZE.fullmatch(lines[1]):
            raise VerificationError(f"the checkpoint has the size {lines[1][:40]!r}")
        try:
            root = base64.b64decode(lines[2], validate=True)
        except (binascii.Error, ValueError) as exc:
            raise VerificationError("the root of the checkpoint is not base64") from exc
        if len(root) != 32:
            raise VerificationError(f"the root of the checkpoint has {len(root)} bytes, not 32")
        return cls(lines[0], int(lines[1]), root)


def open_checkpoint(
    note: str, verifier: Verifier, witnesses: Iterable[WitnessVerifier] = ()
) -> Checkpoint:
    """Check a signed checkpoint of the log `verifier` names, and return it.

    Parameters
    ----------
    note
        The signed checkpoint.
    verifier
        The log's key.
    witnesses
        Whose cosignatures to check and report.

    Raises
    ------
    VerificationError
        The signature is missing or wrong, the checkpoint is another log's, or a cosignature by
        one of `witnesses` is wrong.
    """
    checkpoint = Checkpoint.parse(open_note(note, verifier))
    if checkpoint.origin != verifier.name:
        raise VerificationError(
            f"the checkpoint is of the log {checkpoint.origin!r}, not of {verifier.name!r}"
        )
    return replace(checkpoint, cosignatures=cosignatures(note, witnesses))
