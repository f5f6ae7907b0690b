"""``vivavoce audit`` as an operator, an actor and a stranger use it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

sys.path[:0] = [
    str(Path(__file__).resolve().parents[1] / "consent" / name) for name in ("", "audit")
]

from grants_kit import Stage  # noqa: E402
from stage_kit import EURO_A_MINUTE, begin, publish  # noqa: E402

from consent.home import Home  # noqa: E402
from consent.registry import Registry  # noqa: E402


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

    def call(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["vivavoce", "audit", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return Result(int(ended.value.code or 0), captured.out, captured.err)

    return call


@pytest.fixture
def stage(run: Run) -> Iterator[Stage]:
    now = datetime.now(UTC)
    with Registry.open(Home.open()) as registry:
        stage = Stage(registry)
        stage.grant(
            compensation=EURO_A_MINUTE,
            valid_from=now - timedelta(days=1),
            valid_until=now + timedelta(days=300),
        )
        yield stage


def test_an_actor_is_told_what_was_made_in_every_format(
    stage: Stage, run: Run, tmp_path: Path
) -> None:
    output_id = publish(stage)
    shown = run("statement", "anna")
    assert (shown.code, "3.00 EUR" in shown.out, output_id in shown.out) == (0, True, True)
    assert "Love Among the Chickens" in shown.out
    data = json.loads(run("statement", "anna", "--json").out)
    assert data["amounts"] == {"EUR": "3.00"}
    assert output_id in run("statement", "anna", "--format", "csv").out
    page = tmp_path / "anna.html"
    assert run("statement", "anna", "--format", "html", "-o", page).code == 0
    assert "<h1>Statement of use: Anna Example</h1>" in page.read_text("utf-8")
    signed = json.loads(run("statement", "studio", "--format", "json", "--signed").out)
    assert signed["signature"]["did"] == stage.registry.did
    assert json.loads(run("statement", "anna", "--until", "2020-01-01", "--json").out)[
        "amounts"
    ] == {"EUR": "0"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("statement", "nobody"), "no party"),
        (("statement", "anna", "--format", "pdf"), "the format is 'pdf'"),
        (("statement", "anna", "--format", "csv", "--signed"), "cannot be signed"),
        (("statement", "anna", "--since", "yesterday"), "--since is 'yesterday'"),
        (("statement", "anna", "--since", "2026-01-01T12:00:00"), "without a zone"),
        (("statement", "anna", "--since", "2026-02-01", "--until", "2026-01-01"), "is empty"),
        (("statement", "anna", "--format", "table", "-o", "x.txt"), "for the screen"),
        (("log", "--kind", "gossip"), "no kind of entry 'gossip'"),
        (("log", "--about", "ab"), "too short"),
        (("outputs", "--folder", "nowhere"), "not a folder"),
        (("outputs", "--grant", "urn:uuid:none"), "no grant"),
        (("bundle", "000000000000", "-o", "x.json"), "no receipt"),
        (("verify-bundle", "missing.json"), "cannot read the bundle"),
        (("check", "--proof", "missing.txt"), "cannot read the proof"),
    ],
)
def test_what_cannot_be_done_is_said_in_words(
    stage: Stage, run: Run, arguments: tuple[str, ...], words: str
) -> None:
    result = run(*arguments)
    assert result.code in (3, 4, 7)
    assert words in " ".join(result.err.split())
    assert "Traceback" not in result.err


def test_the_log_is_shown_in_words_and_filtered(stage: Stage, run: Run) -> None:
    output_id = publish(stage)
    assert "A voice belongs to the party" in run("log").out
    lines = json.loads(run("log", "--about", output_id, "--json").out)
    assert [line["kind"] for line in lines] == ["receipt", "sealed"]
    assert len(json.loads(run("log", "--last", 2, "--json").out)) == 2
    assert json.loads(run("log", "--since", "2999-01-01", "--json").out) == []
    assert "are in force" in run("log", "--kind", "policy").out
    assert len(json.loads(run("policies", "--json").out)) == 1


def test_the_check_says_what_it_saw_and_ends_with_five_where_something_is_wrong(
    stage: Stage, run: Run
) -> None:
    publish(stage)
    result = run("check")
    assert (result.code, "Nothing is wrong." in result.out) == (0, True)
    assert "No outside witness" in result.out
    from consent_kit import sql

    sql(stage.registry.home, "UPDATE receipts SET size = 1")
    result = run("check", "--json")
    assert result.code == 5
    report = json.loads(result.out)
    assert not report["ok"]
    assert any(section["problems"] for section in report["sections"])


def test_outputs_and_orphans_are_listed(stage: Stage, run: Run, tmp_path: Path) -> None:
    output_id, pending = publish(stage), begin(stage)
    (grant,) = stage.registry.grants()
    under = json.loads(run("outputs", "--grant", grant.id, "--json").out)
    assert [entry["output_id"] for entry in under] == [output_id, pending]
    (tmp_path / "books").mkdir()
    (tmp_path / "books" / "song.mp3").write_bytes(b"\xff\xfb\x90\x00" * 100)
    result = run("outputs", "--folder", tmp_path / "books")
    assert result.code == 0
    assert f"{pending} has a receipt and no file yet" in result.out
    assert "claims no output" in result.out


def test_a_stranger_checks_a_bundle_without_a_home(
    stage: Stage, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output_id = publish(stage)
    bundle = tmp_path / "evidence.json"
    made = run("bundle", output_id, "-o", bundle, "--redacted")
    vkey = stage.registry.log.vkey
    assert made.code == 0
    assert vkey in made.out.replace("\n", "")
    (tmp_path / "studio.vkey").write_text(f"{vkey}\n")
    elsewhere = tmp_path / "elsewhere"
    monkeypatch.setenv("VIVAVOCE_HOME", str(elsewhere))
    result = run("verify-bundle", bundle, "--log-key", "studio.vkey")
    assert (result.code, "proved" in result.out) == (0, True)
    assert "Not shown by this bundle" in result.out
    assert run("verify-bundle", bundle).code == 10
    assert run("verify-bundle", bundle, "--log", stage.registry.home.log).code == 10
    assert json.loads(run("verify-bundle", bundle, "--json").out)["verdict"] == (
        "consistent in itself"
    )
    data = json.loads(bundle.read_text("utf-8"))
    data["made_at"] = "2020-01-01T00:00:00.000Z"
    bundle.write_text(json.dumps(data))
    result = run("verify-bundle", bundle, "--log-key", vkey)
    assert result.code == 5
    assert "does not fit" in result.out
    assert not elsewhere.exists(), "no home was made"


def test_an_auditor_gets_a_folder(stage: Stage, run: Run, tmp_path: Path) -> None:
    publish(stage)
    assert run("export", tmp_path / "audit").code == 0
    assert (tmp_path / "audit" / "log" / "checkpoint").is_file()
    assert run("export", tmp_path / "audit").code == 4
