"""Checking an evidence bundle with nothing but keys known from elsewhere.

Needs no home, no database and no network. Nothing in the bundle is believed before it is
checked, and the report keeps apart what the log proves, what only the registry's signature
says, and what nothing in the file can show.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from consent.audit.bundle import FORMAT, MAX_BYTES, Bundle, Entry, parse_bundle
from consent.audit.completeness import check_completeness
from consent.audit.documents import check_document, read_json
from consent.audit.evidence import check_evidence
from consent.audit.findings import (
    CONSISTENT,
    CONTRADICTED,
    FILE,
    LOG,
    PROVED,
    REGISTRY,
    UNPROVED,
    BundleReport,
    Finding,
    Proofs,
    Proven,
    say_what_is_not_covered,
)
from consent.errors import InputError, StorageError, VerificationError
from consent.files import read_limited
from consent.identity.did import did_from_public, public_from_did
from consent.log import Verifier, open_checkpoint, parse_proof, verify_proof
from consent.log.checkpoint import Checkpoint
from consent.log.cosignature import WitnessVerifier

__all__ = [
    "CONSISTENT",
    "CONTRADICTED",
    "PROVED",
    "UNPROVED",
    "BundleReport",
    "Finding",
    "Trust",
    "read_bundle",
    "verify_bundle",
]

_MAX_LEAF = 64 << 10


@dataclass(frozen=True, slots=True)
class Trust:
    """What the reader knows from elsewhere; empty where they know nothing.

    Attributes
    ----------
    log_key
        The log's verifier key, ``name+hash+key``.
    registry_key
        The registry's ``did:key``, or the 64 hex digits of its public key.
    witnesses
        Verifier keys of witnesses that must have cosigned.
    """

    log_key: str = ""
    registry_key: str = ""
    witnesses: tuple[str, ...] = ()


def read_bundle(path: Path) -> dict[str, Any]:
    """Read a bundle from a file, bounded; nothing in it is checked yet.

    Raises
    ------
    StorageError
        The file cannot be read.
    VerificationError
        It is not JSON that could be checked.
    """
    try:
        data = read_limited(path, MAX_BYTES)
    except OSError as exc:
        raise StorageError(f"cannot read the bundle {path}: {exc.strerror or exc}") from exc
    return read_json(data, max_bytes=MAX_BYTES, what=f"the bundle {path}")


def verify_bundle(
    document: dict[str, Any],
    trust: Trust | None = None,
    *,
    file: Path | None = None,
    log: Path | None = None,
) -> BundleReport:
    """Check a bundle, and optionally that an audio file is one of its outputs.

    Parameters
    ----------
    document
        From :func:`read_bundle`.
    trust
        Keys known from elsewhere. Without any, the report says at most "consistent in itself":
        whoever made up everything could have made up the keys as well.
    file
        A file that is said to be one of the outputs.
    log
        A copy of the log: shows whether anything was left out, and what happened since.

    Raises
    ------
    InputError
        A key in `trust` is none.
    StorageError
        `file` cannot be read.
    """
    trust = trust or Trust()
    expected = _Expected.of(trust)
    report = BundleReport()
    try:
        bundle = parse_bundle(document)
        proven = _check_frame(document, bundle, expected, report)
    except VerificationError as exc:
        report.problems.append(_sentence(exc.message))
        return report
    grants = check_evidence(bundle, proven, report)
    if file is not None:
        _check_file(file, bundle, proven, report)
    if log is not None and not report.problems:
        check_completeness(log, bundle, proven, grants, report)
    say_what_is_not_covered(bundle, report, file=file, log=log)
    return report


@dataclass(frozen=True, slots=True)
class _Expected:
    """The reader's keys, read."""

    log: Verifier | None
    registry: str
    witnesses: tuple[WitnessVerifier, ...]

    @classmethod
    def of(cls, trust: Trust) -> _Expected:
        did = trust.registry_key
        if did and not did.startswith("did:"):
            try:
                did = did_from_public(bytes.fromhex(did))
            except ValueError as exc:
                raise InputError(
                    f"{trust.registry_key[:80]!r} is not a registry's key",
                    hint="Give its did:key, or the 64 hex digits of its public key.",
                ) from exc
        if did:
            public_from_did(did)
        return cls(
            log=Verifier.parse(trust.log_key) if trust.log_key else None,
            registry=did,
            witnesses=tuple(WitnessVerifier.parse(vkey) for vkey in trust.witnesses),
        )


def _check_frame(
    document: dict[str, Any], bundle: Bundle, expected: _Expected, report: BundleReport
) -> Proofs:
    """Check signature, log, registry and every proof; what is said comes after.

    Raises
    ------
    VerificationError
        One of them does not hold.
    """
    did = check_document(document, (FORMAT,))
    report.holds("registry", REGISTRY, f"The bundle is as the key {did} signed it.")
    try:
        verifier = Verifier.parse(bundle.log.vkey)
    except InputError as exc:
        raise VerificationError(exc.message) from exc
    if expected.log is not None and expected.log != verifier:
        raise VerificationError(
            f"the bundle is from the log {verifier.vkey}, not from the one expected"
        )
    if expected.registry and expected.registry != did:
        raise VerificationError(f"the bundle is signed by {did}, not by the registry expected")
    report.trusted.update(log=expected.log is not None, registry=bool(expected.registry))
    checkpoint = open_checkpoint(bundle.log.checkpoint, verifier, expected.witnesses)
    _check_witnesses(checkpoint, expected.witnesses, report)
    proven: Proofs = {}
    for entry in bundle.entries():
        key = (entry.leaf, entry.proof)
        if key not in proven:
            proven[key] = _prove(entry, bundle.log.checkpoint, verifier)
    report.holds(
        "log",
        LOG,
        f"{len(proven)} entries are in the log {checkpoint.origin} at size {checkpoint.size}.",
    )
    _check_registry(proven[bundle.registry.leaf, bundle.registry.proof], did, report)
    return proven


def _check_witnesses(
    checkpoint: Checkpoint, wanted: Iterable[WitnessVerifier], report: BundleReport
) -> None:
    signed = {cosignature.witness: cosignature for cosignature in checkpoint.cosignatures}
    for witness in wanted:
        if witness not in signed:
            report.problems.append(
                f"The checkpoint of the log is not cosigned by the witness {witness.name}."
            )
            continue
        report.witnesses.append(witness.name)
        report.holds(
            "log",
            LOG,
            f"The witness {witness.name} cosigned this state of the log on "
            f"{signed[witness].time:%Y-%m-%d %H:%M} UTC.",
        )


def _prove(entry: Entry, note: str, verifier: Verifier) -> Proven:
    verify_proof(entry.proof, entry.leaf, verifier)
    proof = parse_proof(entry.proof)
    if proof.checkpoint != note:
        raise VerificationError(
            f"the proof of entry {proof.index} stands on another checkpoint than the bundle"
        )
    leaf = read_json(
        entry.leaf.encode(), max_bytes=_MAX_LEAF, what=f"entry {proof.index} of the log"
    )
    return Proven(proof.index, leaf)


def _check_registry(first: Proven, did: str, report: BundleReport) -> None:
    public = public_from_did(did)
    tag = hashlib.sha256(public).hexdigest()[:4]
    if (first.index, first.kind) != (0, "registry"):
        raise VerificationError("the bundle does not begin with the registry's entry")
    if (first.text("public_key"), first.text("tag")) != (public.hex(), tag):
        raise VerificationError("the log belongs to another registry than the one that signed")
    report.holds("registry", LOG, f"The log names this key as its registry's, with the tag {tag}.")


def _check_file(path: Path, bundle: Bundle, proven: Proofs, report: BundleReport) -> None:
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as exc:
        raise StorageError(f"cannot read {path}: {exc.strerror or exc}") from exc
    for output in bundle.outputs:
        if output.outcome is None:
            continue
        sealed = proven[output.outcome.leaf, output.outcome.proof]
        if sealed.kind == "sealed" and sealed.text("sha256") == digest:
            output_id = sealed.text("output_id")
            report.holds(
                "file", FILE, f"{path.name} is byte for byte the output {output_id} of this bundle."
            )
            return
    report.problems.append(
        f"{path.name} is none of the outputs in this bundle (SHA-256 {digest}): "
        "it is another file, or was changed after it was sealed."
    )


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
