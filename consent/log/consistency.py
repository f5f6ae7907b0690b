"""Consistency proofs as text: that a later checkpoint holds all an earlier one promised.

The form is the request of c2sp.org/tlog-witness (``add-checkpoint``)::

    old 20852014
    PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
    (more hashes)

    example.com/behind-the-sofa
    20852163
    (the rest of the signed checkpoint)

A witness gets it over the network or as a file; anybody else can check it with the log's key.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass

from consent.errors import InputError, VerificationError
from consent.log import merkle
from consent.log.checkpoint import Checkpoint, open_checkpoint
from consent.log.note import Verifier

_OLD = re.compile(r"old (0|[1-9][0-9]{0,18})")
MAX_HASHES = 63


@dataclass(frozen=True, slots=True)
class Extension:
    """A later checkpoint and the proof that it extends an earlier size; nothing is checked yet.

    Attributes
    ----------
    old
        Size of the earlier tree; 0 if there is none.
    hashes
        The consistency proof of RFC 6962; empty for ``old`` 0.
    checkpoint
        The later, signed checkpoint, verbatim.
    """

    old: int
    hashes: tuple[bytes, ...]
    checkpoint: str

    @property
    def text(self) -> str:
        """The text form."""
        lines = [f"old {self.old}", *(base64.b64encode(h).decode() for h in self.hashes)]
        return "\n".join(lines) + "\n\n" + self.checkpoint

    @classmethod
    def parse(cls, text: str) -> Extension:
        """Read the text form.

        Raises
        ------
        InputError
            It is not one.
        """
        head, blank, checkpoint = text.partition("\n\n")
        lines = head.split("\n")
        match = _OLD.fullmatch(lines[0])
        if not blank or match is None:
            raise InputError(
                f"not a consistency proof: it begins {text[:40]!r}, expected 'old SIZE'",
                hint="It is made by: vivavoce audit witness request",
            )
        if len(lines) - 1 > MAX_HASHES:
            raise InputError(f"the consistency proof has {len(lines) - 1} hashes, 63 are the most")
        try:
            hashes = tuple(base64.b64decode(line, validate=True) for line in lines[1:])
        except (binascii.Error, ValueError) as exc:
            raise InputError("the consistency proof holds a line that is not base64") from exc
        if any(len(h) != 32 for h in hashes):
            raise InputError("a hash of the consistency proof does not have 32 bytes")
        return cls(int(match[1]), hashes, checkpoint)

    def verify(self, older: Checkpoint, verifier: Verifier) -> Checkpoint:
        """Check that the later checkpoint is the log's and extends `older`; return it.

        Raises
        ------
        VerificationError
            The signature does not hold, the proof is for another size, or the log was rolled
            back or rewritten.
        """
        newer = open_checkpoint(self.checkpoint, verifier)
        check_extends(older, newer, self.hashes if self.old == older.size else None)
        return newer


def check_extends(
    older: Checkpoint, newer: Checkpoint, proof: Sequence[bytes] | None = None
) -> None:
    """Check that `newer` holds everything `older` promised.

    Parameters
    ----------
    older, newer
        Checkpoints whose signatures have been checked.
    proof
        The consistency proof between their sizes; None where there is none.

    Raises
    ------
    VerificationError
        It is not shown to.
    """
    if older.origin != newer.origin:
        raise VerificationError(
            f"the remembered checkpoint is of {older.origin!r}, the log is {newer.origin!r}"
        )
    if proof is None and older.size < newer.size:
        raise VerificationError(
            f"nothing shows that the log of {newer.size} entries extends that of {older.size}",
            hint=f"Ask the log for a proof from {older.size}: vivavoce audit witness request "
            f"--old {older.size}",
        )
    merkle.verify_consistency(older.size, newer.size, older.root, newer.root, proof or ())
