"""A document goes to another machine as a file and comes back as a signature."""

from __future__ import annotations

import json
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from credentials_kit import ANNA, ENTRY, MANDATE, NOW, STUDIO, did_of, terms
from cryptography.hazmat.primitives import serialization

from consent.credentials.grant import draft_grant, open_grant
from consent.credentials.jws import ToSign
from consent.credentials.statement import draft_statement, open_statement
from consent.credentials.status import StatusList
from consent.credentials.summary import summary
from consent.errors import StorageError, VerificationError


@pytest.fixture
def waiting() -> ToSign:
    return draft_grant(terms(), issuer_did=did_of(ANNA), status=ENTRY, now=NOW)


def edited(path: Path, **changes: Any) -> Path:
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | changes), "utf-8")
    return path


def test_the_file_comes_back_as_the_same_document(tmp_path: Path, waiting: ToSign) -> None:
    path = tmp_path / "grant.to-sign.json"
    waiting.to_file(path)
    again = ToSign.from_file(path)
    assert again.signing_input == waiting.signing_input
    assert open_grant(again.sign(ANNA)).terms == terms()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_foreign_tool_can_sign_the_bytes_in_the_file(tmp_path: Path, waiting: ToSign) -> None:
    waiting.to_file(tmp_path / "document.json")
    content = json.loads((tmp_path / "document.json").read_text("utf-8"))
    (tmp_path / "input").write_text(content["signing_input"], "ascii")
    (tmp_path / "key.pem").write_bytes(
        ANNA.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    command = ["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", "key.pem", "-in", "input",
               "-out", "signature"]  # fmt: skip
    try:
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    token = ToSign.from_file(tmp_path / "document.json").attach(
        (tmp_path / "signature").read_bytes()
    )
    assert open_grant(token).issuer_did == did_of(ANNA)


def test_the_file_tells_in_words_what_is_signed(tmp_path: Path, waiting: ToSign) -> None:
    path = tmp_path / "grant.json"
    waiting.to_file(path)
    lines = json.loads(path.read_text("utf-8"))["summary"]
    assert any("use your voice, coqui:anna, for audiobooks" in line for line in lines)
    assert "Allowed: Making speech; nothing else." in lines


@pytest.mark.parametrize(
    "change",
    [
        {"format": "vivavoce-to-sign/2"},
        {"payload": {"iss": did_of(ANNA)}},
        {"payload": []},
        {"signing_input": "e30.e30"},
        {"signer": did_of(STUDIO)},
        {"signer": "did:web:x"},
        {"typ": "vivavoce-statement+jwt"},
        {"typ": 5},
    ],
)
def test_a_file_whose_parts_do_not_belong_together_is_refused(
    tmp_path: Path, waiting: ToSign, change: dict[str, Any]
) -> None:
    path = tmp_path / "grant.json"
    waiting.to_file(path)
    with pytest.raises(VerificationError):
        ToSign.from_file(edited(path, **change))


def test_a_summary_that_lies_is_not_believed(tmp_path: Path, waiting: ToSign) -> None:
    path = tmp_path / "grant.json"
    waiting.to_file(path)
    again = ToSign.from_file(edited(path, summary=["You allow nothing."]))
    assert "audiobooks" in summary(again.payload)[0]


def test_what_is_no_such_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    with pytest.raises(StorageError):
        ToSign.from_file(path)
    for content in (b"", b"[]", b"{}", b"\xff", b'{"a":1,"a":2}'):
        path.write_bytes(content)
        with pytest.raises(VerificationError):
            ToSign.from_file(path)


def test_statements_and_lists_have_a_summary_and_unknown_documents_show_everything() -> None:
    revocation = draft_statement(
        "revocation", issuer_did=did_of(ANNA), subject=MANDATE, body={"reason": "x"}, now=NOW
    )
    assert summary(revocation.payload)[0] == f"You end {MANDATE} for good."
    assert open_statement(revocation.sign(ANNA)).kind == "revocation"
    listed = StatusList().to_credential(did_of(ANNA), ENTRY.list_id, NOW, NOW.replace(year=2027))
    assert "revocation" in summary(listed.payload)[0]
    assert summary({"kind": "odd", "a": 1}) == ["a: 1", 'kind: "odd"']
    for odd in ({"type": []}, {"type": ["VerifiableCredential", "VoiceGrantCredential"]},
                {"kind": ["revocation"]}, {"kind": "approval", "body": 5}):  # fmt: skip
        assert summary(odd)
