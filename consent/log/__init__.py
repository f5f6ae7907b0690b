"""A transparency log as plain files: C2SP tiles, signed checkpoints, offline proofs.

Reading and checking needs the log's public key and nothing else::

    from consent.log import verify_proof
    verify_proof(proof_text, leaf, "vivavoce/4f1c…+c74f20a3+ARpc…")

Witnesses are in :mod:`consent.log.witness`, remembered checkpoints in
:mod:`consent.log.remembered`.
"""

from consent.log.checkpoint import Checkpoint, open_checkpoint
from consent.log.consistency import Extension
from consent.log.cosignature import Cosignature, WitnessSigner, WitnessVerifier
from consent.log.log import Log
from consent.log.note import Signer, Verifier, open_note
from consent.log.proof import Proof, format_proof, parse_proof, verify_proof
from consent.log.quorum import WitnessPolicy
from consent.log.reader import LogReader
from consent.log.writer import Writer

__all__ = [
    "Checkpoint",
    "Cosignature",
    "Extension",
    "Log",
    "LogReader",
    "Proof",
    "Signer",
    "Verifier",
    "WitnessPolicy",
    "WitnessSigner",
    "WitnessVerifier",
    "Writer",
    "format_proof",
    "open_checkpoint",
    "open_note",
    "parse_proof",
    "verify_proof",
]
