"""``vivavoce party`` and ``consent`` in careless hands: every slip is named, none passes."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest


class Result(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    from cli.main import main

    monkeypatch.setenv("VIVAVOCE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "250")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("VIVAVOCE_REGISTRY", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.StringIO())

    def call(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["vivavoce", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return Result(int(ended.value.code or 0), captured.out, captured.err)

    return call


@pytest.fixture
def grant(run: Run) -> Callable[..., Result]:
    """Alice's yes for the studio, with other options behind the usual ones."""
    assert run("party", "add", "alice", "--name", "Alice Example").code == 0
    assert run("party", "add", "studio", "--name", "Studio", "--kind", "organisation").code == 0
    assert run("consent", "voice", "kokoro:af_heart", "--owner", "alice").code == 0
    usual = (
        *("consent", "grant", "--voice", "kokoro:af_heart", "--licensee", "studio"),
        *("--purpose", "speech", "--language", "en", "--territory", "world", "--minutes", "60"),
        *("--until", "2030-12-31", "--from", "2026-01-01", "--no-commercial", "--yes"),
    )
    return lambda *options: run(*usual, *options)


def test_what_nobody_is_there_to_be_asked_for_is_named(run: Run) -> None:
    refused = run("party", "add", "alice")
    assert refused.code == 3
    assert "--name is missing" in refused.err
    refused = run("consent", "grant", "--licensee", "studio")
    assert refused.code == 3
    assert "--voice is missing" in refused.err


def test_a_key_of_their_own_and_no_key_at_all_cannot_both_be(run: Run) -> None:
    did = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"
    refused = run("party", "add", "kim", "--name", "Kim", "--did", did, "--no-key")
    assert refused.code == 3
    assert "--no-key" in refused.err
    assert json.loads(run("party", "list", "--json").out) == []


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--status-hours", "nan"), "--status-hours is nan"),
        (("--status-hours", "inf"), "--status-hours is inf"),
        (("--status-hours", "-1"), "--status-hours is -1"),
        (("--until", "2027-W01"), "'2027-W01' is neither a date nor a time"),
        (("--until", "20271231"), "'20271231' is neither a date nor a time"),
        (("--until", "2027-02-30"), "'2027-02-30' is neither a date nor a time"),
        (("--language", "english"), "'english' is not a language"),
        (("--purpose", "audiobok"), "'audiobok' is none of 'audiobook', 'speech'"),
        (("--permission", "clone"), "'clone' is none of 'synthesis', 'cloning'"),
        (("--minutes", "0"), "minutes: 0 is less than the least, 1"),
    ],
)
def test_a_slip_in_a_term_is_named_and_nothing_is_signed(
    run: Run, grant: Callable[..., Result], options: tuple[str, ...], named: str
) -> None:
    refused = grant(*options)
    assert refused.code == 3
    assert named in refused.err
    assert "validation" not in refused.err
    assert json.loads(run("consent", "list", "--json").out) == []


def test_a_voice_may_be_named_as_everywhere_else(run: Run, grant: Callable[..., Result]) -> None:
    assert grant("--voice", "af_heart").code == 0
    assert len(json.loads(run("consent", "list", "--voice", "af_heart", "--json").out)) == 1


def test_a_grant_without_a_price_says_so_in_a_sentence_that_stands_alone(
    grant: Callable[..., Result],
) -> None:
    assert "No payment was agreed in this document." in grant().out


def test_who_takes_back_a_replaced_grant_is_told_which_one_still_holds(
    run: Run, grant: Callable[..., Result]
) -> None:
    assert grant().code == 0
    (first,) = json.loads(run("consent", "list", "--json").out)
    assert run("consent", "amend", first["id"], "--minutes", 90, "--yes").code == 0
    assert run("consent", "amend", first["id"], "--minutes", 95, "--yes").code == 4
    both = json.loads(run("consent", "list", "--json").out)
    (second,) = [known["id"] for known in both if known["id"] != first["id"]]
    revoked = run("consent", "revoke", first["id"], "--yes")
    assert revoked.code == 0
    assert second in revoked.err
    assert "active" in revoked.err
    assert second not in run("consent", "revoke", second, "--yes").err


@pytest.mark.parametrize("options", [(), ("--export-to-sign", "rotation.json")])
def test_a_key_in_its_owners_hands_is_not_changed_for_one_that_the_registry_holds(
    run: Run, options: tuple[str, ...]
) -> None:
    did = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"
    assert run("party", "add", "kim", "--name", "Kim", "--did", did).code == 0
    refused = run("party", "rotate", "kim", *options)
    assert refused.code == 4
    assert "--did" in refused.err
    assert not Path("rotation.json").exists()
    new = "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp"
    export = ("--did", new, "--export-to-sign", "rotation.json")
    assert run("party", "rotate", "kim", *export).code == 0
    assert Path("rotation.json").exists()
