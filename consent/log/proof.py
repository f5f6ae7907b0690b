"""Offline proofs (c2sp.org/tlog-proof@v1): an entry's place in a log, in a page of text."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass

from consent.errors import VerificationError
from consent.log import merkle
from consent.log.checkpoint import Checkpoint, open_checkpoint
from consent.log.note import Verifier
from consent.log.quorum import WitnessPolicy

_HEADER = "c2sp.org/tlog-proof@v1"
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})")
_MAX_HASHES = 64


@dataclass(frozen=True, slots=True)
class Proof:
    """A parsed, unverified proof.

    Attributes
    ----------
    index
        0-based place of the entry.
    hashes
        The audit path, the leaf's sibling first.
    checkpoint
        The signed checkpoint, verbatim.
    extra
        Opaque, unauthenticated data.
    """

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: str
    extra: bytes | None = None


def format_proof(
    index: int, hashes: Sequence[bytes], checkpoint: str, *, extra: bytes | None = None
) -> str:
    """Return the proof as text; `checkpoint` is the signed note."""
    lines = [_HEADER]
    if extra is not None:
        lines.append(f"extra {base64.b64encode(extra).decode()}")
    lines.append(f"index {index}")
    lines.extend(base64.b64encode(h).decode() for h in hashes)
    return "\n".join(lines) + "\n\n" + checkpoint


def parse_proof(text: str) -> Proof:
    """Read a proof without checking it.

    Raises
    ------
    VerificationError
        It is not a tlog-proof.
    """
    head, blank, checkpoint = text.partition("\n\n")
    lines = head.split("\n")
    if not blank or lines.pop(0) != _HEADER:
        raise VerificationError(f"not a proof: the first line must be {_HEADER!r}")
    extra = None
    if lines and lines[0].startswith("extra "):
        extra = _decode(lines.pop(0).removeprefix("extra "))
    match = _INDEX.fullmatch(lines.pop(0)) if lines else None
    if match is None:
        raise VerificationError("the proof names no index")
    if len(lines) > _MAX_HASHES:
        raise VerificationError(f"the proof has {len(lines)} hashes, more than any tree needs")
    hashes = tuple(_decode(line) for line in lines)
    if any(len(h) != 32 for h in hashes):
        raise VerificationError("a hash of the proof does not have 32 bytes")
    return Proof(int(match[1]), hashes, checkpoint, extra)


def verify_proof(
    proof_text: str,
    leaf: bytes | str,
    vkey: str | Verifier,
    *,
    witnesses: WitnessPolicy | None = None,
) -> Checkpoint:
    """Check, with nothing but public keys, that the log holds `leaf`.

    1. the proof is well formed; 2. its checkpoint is signed by `vkey` and of that log;
    3. it is cosigned by the quorum of `witnesses`; 4. the audit path leads from the leaf's hash
    to the checkpoint's root.

    Parameters
    ----------
    proof_text
        Text of the form c2sp.org/tlog-proof@v1.
    leaf
        The entry itself (text is taken as UTF-8).
    vkey
        The log's verifier key, ``name+hash+key``.
    witnesses
        Whose cosignatures to check and how many to ask for. Without it nobody is asked for, and
        the log could show somebody else another tree.

    Returns
    -------
    Checkpoint
        The checkpoint that the proof stands on; ``.cosignatures`` says who cosigned it.

    Raises
    ------
    VerificationError
        Any of the steps failed.
    InputError
        `vkey` is not a verifier key.
    """
    verifier = Verifier.parse(vkey) if isinstance(vkey, str) else vkey
    policy = witnesses or WitnessPolicy()
    proof = parse_proof(proof_text)
    checkpoint = open_checkpoint(proof.checkpoint, verifier, policy.keys)
    if not policy.satisfied(checkpoint.cosignatures):
        by = ", ".join(c.witness.name for c in checkpoint.cosignatures) or "none of them"
        raise VerificationError(
            f"the checkpoint of {checkpoint.origin} is not cosigned by {policy.describe()} "
            f"(but by {by})",
            hint="Ask for a proof under a checkpoint that the witnesses have seen.",
        )
    data = leaf.encode() if isinstance(leaf, str) else leaf
    merkle.verify_inclusion(
        merkle.leaf_hash(data), proof.index, checkpoint.size, proof.hashes, checkpoint.root
    )
    return checkpoint


def _decode(line: str) -> bytes:
    try:
        return base64.b64decode(line, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise VerificationError(
            f"the proof holds a line that is not base64: {line[:60]!r}"
        ) from exc
