"""What a reader is told of the witnesses of the log that a file's receipt is in."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent.log import Log, WitnessPolicy, WitnessSigner
from provenance import receipts
from provenance.manifest.read import ManifestReading
from provenance.manifest.trust import TrustEntry

WHEN = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize("believed", [True, False])
def test_a_cosigned_receipt_says_who_saw_the_log_and_only_if_they_are_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, believed: bool
) -> None:
    witness = WitnessSigner("witness.example", Ed25519PrivateKey.generate())
    policy = WitnessPolicy().adding(witness.verifier.vkey)
    log = Log.open(
        tmp_path / "log", Ed25519PrivateKey.generate(), "studio.example", witnesses=policy
    )
    leaf = json.dumps({"kind": "receipt"})
    log.append([leaf.encode()])
    log.attach(log.checkpoint_note() + witness.cosign(log.checkpoint().text, WHEN))
    signer = TrustEntry("studio", "Studio", "", "", (), (log.vkey,))
    consent = {"output": "4f1c00112233", "receipt": {"leaf": leaf, "proof": log.proof(0)}}
    # Whether it describes the file is another matter, tried elsewhere with real files.
    monkeypatch.setattr(receipts, "_differences", lambda *_: [])
    finding = receipts.check_receipt(
        ManifestReading("trusted", trusted_by=signer),
        consent,
        [signer],
        None,
        policy if believed else WitnessPolicy(),
    )
    assert finding.status == "confirmed"
    told = "Cosigned by witness.example (2026-11-22T12:00:00.000Z)" in finding.sentence
    assert told == believed
    assert ("No outside witness" in finding.sentence) == (not believed)
