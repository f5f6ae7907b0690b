"""Checking the receipt in a manifest: against the log's key, the manifest and the registry."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from consent.canonical import canonical, commitment
from consent.clock import rfc3339
from consent.errors import InputError, VerificationError
from consent.log.checkpoint import Checkpoint
from consent.log.proof import verify_proof
from consent.log.quorum import WitnessPolicy
from provenance.audio.decode import AudioInfo, opened_blocks
from provenance.manifest.read import ManifestReading
from provenance.manifest.trust import TrustEntry
from provenance.report import CONFIRMED, CONTRADICTED, INCONCLUSIVE, Finding, plain

if TYPE_CHECKING:
    from consent.registry import Registry

# A player's idea of a length and the receipt's may differ by codec padding.
_DURATION_MS = 500
_VOICE = ("voice", "basis", "licence", "grant")
_MODEL = ("model", "engine", "engine_version", "sha256", "licence")


def check_receipt(
    reading: ManifestReading,
    consent: Mapping[str, Any],
    entries: Sequence[TrustEntry],
    info: AudioInfo | None,
    witnesses: WitnessPolicy,
) -> Finding:
    """Check the log entry in the manifest and its proof.

    A receipt is public and can be copied into any manifest. It counts only under the signature of
    the one whose log it is in, and only if it describes this file. Cosignatures are told, not
    asked for: a file is as a rule finished before a witness has seen its entry.
    """
    known = replace(witnesses, quorum="none")

    def found(status: str, sentence: str) -> Finding:
        return Finding("receipt", status, sentence)

    embedded = consent.get("receipt")
    embedded = embedded if isinstance(embedded, Mapping) else {}
    leaf_text, proof = embedded.get("leaf"), embedded.get("proof")
    if not isinstance(leaf_text, str) or not isinstance(proof, str):
        return found(CONTRADICTED, "The manifest holds no readable receipt.")
    if reading.trusted_by is None:
        return found(
            INCONCLUSIVE,
            "There is a receipt, but receipts can be copied: under a signature that does not hold "
            "or is not trusted it proves nothing.",
        )
    logs = reading.trusted_by.logs
    if not logs:
        return found(
            INCONCLUSIVE,
            f"There is a receipt; no log key of {reading.trusted_by.name} is known here to check "
            "it with.",
        )
    problem = ""
    for vkey in logs:
        try:
            checkpoint = verify_proof(proof, leaf_text, vkey, witnesses=known)
            break
        except VerificationError as exc:
            problem = exc.message
    else:
        elsewhere = [e.name for e in entries if _proves(proof, leaf_text, e)]
        if elsewhere:
            problem = f"it is in the log of {elsewhere[0]}, who did not sign this file"
        return found(CONTRADICTED, f"The receipt does not hold: {plain(problem)}.")
    differences = _differences(leaf_text, consent, info)
    if differences:
        return found(
            CONTRADICTED,
            "The receipt is in the log, but describes another file: "
            f"{', '.join(differences)} differ.",
        )
    return found(
        CONFIRMED,
        f"Receipt {plain(consent.get('output'))} is in the log {plain(checkpoint.origin)} "
        f"(checked offline against its key, at size {checkpoint.size}). {_witnessed(checkpoint)}",
    )


def _witnessed(checkpoint: Checkpoint) -> str:
    """Say who, of those this home believes, has cosigned."""
    if checkpoint.cosignatures:
        names = ", ".join(
            f"{plain(c.witness.name)} ({rfc3339(c.time)})" for c in checkpoint.cosignatures
        )
        return f"Cosigned by {names}, who saw no other log of that name."
    return (
        "No outside witness has signed that log: it proves what its operator committed to, not "
        "that there is no other."
    )


def is_draft(consent: Mapping[str, Any]) -> bool:
    """Whether the receipt in a manifest, which has been checked, is one of a draft."""
    leaf = json.loads(consent["receipt"]["leaf"])
    return any(voice.get("review") is True for voice in leaf["voices"])


def _proves(proof: str, leaf: str, entry: TrustEntry) -> bool:
    for vkey in entry.logs:
        try:
            verify_proof(proof, leaf, vkey)
            return True
        except VerificationError:
            continue
    return False


def _differences(leaf_text: str, consent: Mapping[str, Any], info: AudioInfo | None) -> list[str]:
    """Return what the log entry and the manifest say differently."""
    try:
        leaf = json.loads(leaf_text)
    except (ValueError, RecursionError):
        return ["everything (it is not JSON)"]
    if not isinstance(leaf, dict) or leaf.get("kind") != "receipt":
        return ["the kind of entry"]
    pcm = consent.get("pcm")
    authorization = consent.get("authorization")
    said = {
        "output_id": consent.get("output"),
        "container": consent.get("container"),
        "watermark": consent.get("watermark"),
        "source_pcm_sha256": pcm.get("sha256") if isinstance(pcm, Mapping) else None,
        "authorization": (
            authorization.get("sha256") if isinstance(authorization, Mapping) else None
        ),
    }
    different = [name for name, value in said.items() if leaf.get(name) != value]
    if _rows(leaf, "voices", _VOICE) != _committed_voices(consent):
        different.append("voices")
    if _rows(leaf, "models", _MODEL) != _rows(consent, "models", _MODEL):
        different.append("models")
    length = leaf.get("duration_ms")
    heard = 0.0 if info is None else info.duration_s * 1000
    if heard and not (isinstance(length, int) and abs(length - heard) <= _DURATION_MS):
        different.append("duration_ms")
    return different


def _committed_voices(consent: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Return the manifest's voices as the log entry must have them.

    Of a person's voice the entry holds commitments to its name and its grant; the manifest
    holds what opens them.
    """
    rows = consent.get("voices")
    made: list[tuple[Any, ...]] = []
    for row in rows if isinstance(rows, list) else []:
        if not isinstance(row, Mapping):
            made.append(())
            continue
        name, grant = row.get("voice"), row.get("grant")
        if row.get("basis") == "grant":
            name, grant = _commitments(str(name), grant if isinstance(grant, Mapping) else {})
        made.append((name, row.get("basis"), row.get("licence"), grant))
    return made


def _commitments(voice: str, grant: Mapping[str, Any]) -> tuple[str, str]:
    salts = grant.get("salts")
    salts = salts if isinstance(salts, Mapping) else {}
    named = {"id": str(grant.get("id")), "digest": str(grant.get("sha256"))}
    try:
        return (
            commitment(voice.encode(), bytes.fromhex(str(salts.get("voice")))),
            commitment(canonical(named), bytes.fromhex(str(salts.get("grant")))),
        )
    except (ValueError, InputError):  # not hex, too short, not Unicode
        return "", ""


def _rows(data: Mapping[str, Any], table: str, keys: tuple[str, ...]) -> list[tuple[Any, ...]]:
    rows = data.get(table)
    if not isinstance(rows, list):
        return []
    return [tuple(r.get(k) for k in keys) if isinstance(r, Mapping) else () for r in rows]


def check_registry(registry: Registry, consent: Mapping[str, Any], stream: IO[bytes]) -> Finding:
    """Ask this home's registry about an output it is said to have made."""

    def found(status: str, sentence: str) -> Finding:
        return Finding("registry", status, sentence)

    output = str(consent.get("output", ""))
    receipt = registry.receipt(output)
    if receipt is None:
        return found(
            INCONCLUSIVE,
            f"This registry does not know the output {plain(output)}: was it restored?",
        )
    if receipt.state == "abandoned":
        return found(
            CONTRADICTED,
            f"According to this registry the output {output} was abandoned, never published.",
        )
    if receipt.state != "sealed":
        return found(
            INCONCLUSIVE, f"This registry is not done with the output {output} ({receipt.state})."
        )
    stream.seek(0)
    if hashlib.file_digest(stream, "sha256").hexdigest() == receipt.sha256:  # type: ignore[arg-type]
        return found(CONFIRMED, f"The file is byte for byte the one sealed as {output}.")
    return found(
        INCONCLUSIVE,
        f"The output {output} was sealed with other bytes. The signature covers everything but "
        "padding and its own envelope, and it holds: the sound and its tags are unchanged.",
    )


def same_sound(
    consent: Mapping[str, Any], stream: IO[bytes], info: AudioInfo | None
) -> Finding | None:
    """For a changed lossless file: compare its samples with the digest that was signed."""
    pcm = consent.get("pcm")
    if info is None or not isinstance(pcm, Mapping) or pcm.get("format") != "s16le":
        return None
    if info.codec not in ("pcm_s16le", "flac") or info.channels != 1:
        return None
    digest = hashlib.sha256()
    try:
        with opened_blocks(stream) as (blocks, _):
            for block in blocks:
                digest.update(np.rint(block * 32768).astype("<i2").tobytes())
    except InputError:
        return Finding("sound", CONTRADICTED, "The sound cannot be decoded to its end.")
    if digest.hexdigest() == pcm.get("sha256"):
        return Finding(
            "sound",
            CONFIRMED,
            "The samples themselves are those that were signed; tags, pictures or chapters were "
            "changed.",
        )
    return Finding("sound", CONTRADICTED, "The samples are not those that were signed.")
