"""``vivavoce keys`` as people and scripts use it."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography.hazmat.primitives import serialization

from cli.main import main
from consent import keys, passphrase, protection
from consent.credentials.jws import ToSign, open_compact
from consent.credentials.statement import TYP, draft_statement
from consent.home import Home
from consent.identity.did import did_from_public

ROOT = Path(__file__).resolve().parents[2]
SECRET = "correct horse battery staple"


class Said(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    monkeypatch.setenv("VIVAVOCE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("VIVAVOCE_REGISTRY", raising=False)
    monkeypatch.delenv("VIVAVOCE_PASSPHRASE", raising=False)
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.setenv("NO_COLOR", "1")
    for module in ("backup", "protection"):
        monkeypatch.setattr(f"consent.{module}._SCRYPT", {"n": 1 << 12, "r": 8, "p": 1})
    monkeypatch.chdir(tmp_path)
    handler = signal.getsignal(signal.SIGTERM)
    yield Home.open()
    signal.signal(signal.SIGTERM, handler)
    protection.forget()
    passphrase.ask_with(None)


@pytest.fixture
def run(
    home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Said]:
    def call(*arguments: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["vivavoce", "keys", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.StringIO(""))
        protection.forget()  # every command is a process of its own
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return Said(int(ended.value.code or 0), said.out, said.err)

    return call


def with_keys(home: Home) -> None:
    keys.load_or_create(home, "registry", "ed25519")
    keys.load_or_create(home, "ca", "ec-p256")
    keys.secret(home, "cache")


def test_without_a_terminal_a_backup_says_what_is_missing(tmp_path: Path) -> None:
    # As in a cron job: no terminal to ask at, and none to be found either.
    code = "import sys; sys.argv[1:] = ['keys', 'backup', 'b']; from cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        cwd=tmp_path,
        env={k: v for k, v in os.environ.items() if k != "VIVAVOCE_PASSPHRASE"}
        | {"VIVAVOCE_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT), "COLUMNS": "400"},
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert "no terminal" in done.stderr
    assert "VIVAVOCE_PASSPHRASE" in done.stderr
    assert "stopped" not in done.stderr
    assert not (tmp_path / "b").exists()


def test_a_backup_goes_there_and_back(
    run: Callable[..., Said], home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_keys(home)
    (tmp_path / "phrase").write_text(SECRET + "\n")
    said = run("backup", "b", "--passphrase-file", "phrase")
    assert said.code == 0, said.err
    assert "Wrote 3 files" in said.out
    again = run("backup", "b", "--passphrase-file", "phrase")
    assert again.code == 3
    assert "b exists" in again.err
    monkeypatch.setenv("VIVAVOCE_HOME", str(tmp_path / "fresh"))
    wrong = run("restore", "b", "--passphrase-file", "/dev/null")
    assert wrong.code == 3
    assert "empty" in wrong.err
    said = run("restore", "b", "--passphrase-file", "phrase")
    assert said.code == 0, said.err
    assert "Restored 3 files" in said.out
    assert keys.secret(Home.open(), "cache") == keys.secret(home, "cache")
    assert run("restore", "b", "--passphrase-file", "phrase").code == 4


def test_keys_are_protected_and_listed_and_unprotected(
    run: Callable[..., Said], home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_keys(home)
    before = json.loads(run("list", "--json").out)
    (tmp_path / "phrase").write_text(SECRET)
    said = run("protect", "--passphrase-file", "phrase")
    assert said.code == 0, said.err
    assert "3 files were encrypted" in said.out
    closed = run("list")
    assert closed.code == 3
    assert "no terminal to ask at" in closed.err
    monkeypatch.setenv("VIVAVOCE_PASSPHRASE", "wrong")
    assert run("list").code == 5
    monkeypatch.setenv("VIVAVOCE_PASSPHRASE", SECRET)
    listed = json.loads(run("list", "--json").out)
    assert [key.pop("protected") for key in listed] == [True] * 3
    assert [key.pop("protected") for key in before] == [False] * 3
    assert listed == before
    assert run("unprotect").code == 3, "without a terminal, it needs --yes"
    assert protection.kind(home) == "passphrase"
    assert run("unprotect", "--yes").code == 0
    assert protection.kind(home) == "none"
    assert SECRET not in said.out + said.err


def test_a_person_is_asked_at_the_terminal(
    run: Callable[..., Said], home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_keys(home)
    asked: list[str] = []

    def answer(question: str, **_: object) -> str:
        asked.append(question)
        return SECRET

    monkeypatch.setattr("cli.asking.typer.prompt", answer)
    monkeypatch.setattr("cli.asking._terminal", lambda: True)
    assert run("protect").code == 0
    assert run("list").code == 0
    assert asked == ["New passphrase", f"Passphrase for the keys in {home.root}"]


def a_document(home: Home, path: Path, name: str = "anna") -> ToSign:
    key = keys.load_or_create(home, name, "ed25519")
    waiting = draft_statement(
        "revocation",
        issuer_did=did_from_public(keys.raw_public(key)),
        subject="urn:uuid:6f1c1a0e-8a52-4d0f-9d3a-0f2a54d5b1aa",
        body={"reason": "I have changed my mind", "reason_code": "withdrawn"},
        now=datetime(2026, 11, 21, tzinfo=UTC),
    )
    waiting.to_file(path)
    return waiting


def test_a_document_drafted_elsewhere_is_shown_and_signed(
    run: Callable[..., Said], home: Home, tmp_path: Path
) -> None:
    waiting = a_document(home, tmp_path / "revocation.json")
    unasked = run("sign", "revocation.json")
    assert unasked.code == 3
    assert not (tmp_path / "revocation.signature").exists()
    said = run("sign", "revocation.json", "--yes")
    assert said.code == 0, said.err
    assert "You end urn:uuid:6f1c1a0e-8a52-4d0f-9d3a-0f2a54d5b1aa for good." in said.err
    assert "I have changed my mind" in said.err
    token = waiting.attach((tmp_path / "revocation.signature").read_bytes())
    assert open_compact(token, typ=TYP).did == waiting.did
    again = run("sign", "revocation.json", "--yes")
    assert again.code == 3
    assert "exists" in again.err


def test_what_is_shown_is_what_is_signed(
    run: Callable[..., Said], home: Home, tmp_path: Path
) -> None:
    path = tmp_path / "revocation.json"
    a_document(home, path)
    honest = json.loads(path.read_text())
    path.write_text(json.dumps(honest | {"summary": ["You get a million."]}))
    said = run("sign", "revocation.json", "--yes", "-o", "s")
    assert "a million" not in said.out + said.err
    for change in (
        {"payload": honest["payload"] | {"sub": "urn:uuid:00000000-0000-4000-8000-000000000000"}},
        {"signing_input": honest["signing_input"][:-4] + "AAAA"},
        {"signer": did_from_public(bytes(31) + b"\1")},
    ):
        path.write_text(json.dumps(honest | change))
        said = run("sign", "revocation.json", "--yes")
        assert said.code == 5, change
        assert not (tmp_path / "revocation.signature").exists()


def test_signing_without_the_right_key_is_refused(
    run: Callable[..., Said], home: Home, tmp_path: Path
) -> None:
    a_document(home, tmp_path / "revocation.json")
    pem = tmp_path / "anna.pem"
    keys.key_path(home, "anna").rename(pem)
    said = run("sign", "revocation.json", "--yes")
    assert said.code == 4
    assert "--key FILE" in said.err
    assert run("sign", "revocation.json", "--yes", "--key", "revocation.json").code == 3
    assert run("sign", "revocation.json", "--yes", "--key", "anna.pem").code == 0


def test_keys_are_made_and_their_public_part_is_shown(run: Callable[..., Said], home: Home) -> None:
    made = run("new", "anna")
    assert made.code == 0
    assert made.out.strip() == run("export-public", "anna").out.strip()
    assert made.out.startswith("did:key:z6Mk")
    assert run("new", "anna").code == 3
    assert run("new", "../anna").code == 3
    assert run("export-public", "nobody").code == 3
    shown = json.loads(run("export-public", "anna", "--json").out)
    public = serialization.load_pem_public_key(shown["pem"].encode())
    assert public == keys.load(home, "anna", "ed25519").public_key()
    keys.load_or_create(home, "ca", "ec-p256")
    assert run("export-public", "ca").out.startswith("-----BEGIN PUBLIC KEY-----")
