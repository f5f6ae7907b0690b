"""``vivavoce audit witness``, from both sides of the table."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from consent.home import Home
from consent.log import Log
from consent.log.witness import Witness
from consent.log.witness_http import serve
from consent.registry import Registry

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    from cli.main import main

    monkeypatch.setenv("COLUMNS", "250")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("VIVAVOCE_REGISTRY", raising=False)
    monkeypatch.chdir(tmp_path)

    def call(home: str, *arguments: object) -> tuple[int, str]:
        monkeypatch.setenv("VIVAVOCE_HOME", str(tmp_path / home))
        monkeypatch.setattr(sys, "argv", ["vivavoce", "audit", "witness", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out + captured.err

    return call


def log_of(home: Path) -> Log:
    with Registry.open(Home.open(home)) as registry:
        return registry.log


def begin(run: Run, tmp_path: Path) -> str:
    """A witness that watches the studio's log and is trusted by the studio; return its key."""
    code, out = run("witness", "init", "example.org/w1")
    assert code == 0
    vkey = out.splitlines()[-1]
    assert run("witness", "watch", log_of(tmp_path / "studio").vkey)[0] == 0
    assert run("studio", "trust", vkey)[0] == 0
    return vkey


def test_a_log_is_witnessed_by_exchanging_files(run: Run, tmp_path: Path) -> None:
    vkey = begin(run, tmp_path)
    assert "Nobody has witnessed this log" in run("studio", "list")[1]
    assert run("studio", "request", "-o", "request.txt")[0] == 0
    assert run("witness", "sign", "request.txt", "-o", "cosigned.txt")[0] == 0
    code, out = run("studio", "attach", "cosigned.txt")
    assert (code, "example.org/w1 cosigned the first" in out) == (0, True)
    listed = json.loads(run("studio", "list", "--json")[1])
    assert listed["witnesses"] == [{"name": "example.org/w1", "vkey": vkey}]
    assert listed["witnessed_entries"] == listed["entries"]
    assert listed["cosignatures"][0]["vkey"] == vkey
    with Registry.open(Home.open(tmp_path / "studio")) as registry:
        assert registry.status().witnesses == ("example.org/w1",)
        assert registry.status().witnessed_size == registry.status().log_size
    assert log_of(tmp_path / "studio").checkpoint_note().count("— ") == 2


def test_a_witness_with_a_copy_of_the_log_needs_no_request(run: Run, tmp_path: Path) -> None:
    begin(run, tmp_path)
    checkpoint = tmp_path / "studio" / "log" / "checkpoint"
    code, out = run("witness", "sign", checkpoint)
    assert (code, "without a proof" in out) == (3, True)
    code, out = run("witness", "sign", checkpoint, "--log", tmp_path / "studio" / "log")
    assert code == 0
    (tmp_path / "cosigned").write_text(out, "utf-8")
    assert run("studio", "attach", "cosigned")[0] == 0


def test_a_witness_refuses_with_its_reason_and_signs_nothing(run: Run, tmp_path: Path) -> None:
    begin(run, tmp_path)
    assert run("stranger", "request", "-o", "unknown.txt")[0] == 0
    code, out = run("witness", "sign", "unknown.txt")
    assert (code, "is not watched here" in out) == (4, True)
    assert run("studio", "request", "-o", "first.txt")[0] == 0
    assert run("witness", "sign", "first.txt", "-o", "cosigned.txt")[0] == 0
    code, out = run("witness", "sign", "first.txt", "-o", "again.txt")
    assert (code, "--old" in out) == (4, True)
    assert not (tmp_path / "again.txt").exists()
    assert run("nobody", "sign", "first.txt")[0] == 3
    assert run("studio", "attach", "first.txt")[0] == 5


def test_a_log_is_witnessed_over_the_network(run: Run, tmp_path: Path) -> None:
    begin(run, tmp_path)
    server = serve(Witness.open(Home.open(tmp_path / "witness")))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        code, out = run("studio", "ask", f"http://127.0.0.1:{server.server_address[1]}")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert (code, "example.org/w1 cosigned" in out) == (0, True)
    code, out = run("witness", "watched", "--json")
    assert json.loads(out)["logs"][0]["size"] == log_of(tmp_path / "studio").checkpoint().size


def test_the_quorum_is_set_and_a_witness_dropped(run: Run, tmp_path: Path) -> None:
    begin(run, tmp_path)
    assert run("studio", "require", "2")[0] == 3
    assert "with no witness" in run("studio", "require", "0")[1]
    assert "1 of example.org/w1" in run("studio", "require", "1")[1]
    assert run("studio", "untrust", "example.org/w2")[0] == 3
    assert "with no witness" in run("studio", "untrust", "example.org/w1")[1]


def test_what_is_remembered_is_shown_and_forgotten(run: Run, tmp_path: Path) -> None:
    from consent.log.remembered import remember

    log = log_of(tmp_path / "studio")
    remember(Home.open(tmp_path / "other"), log.checkpoint_note(), log.vkey)
    assert json.loads(run("other", "remembered", "--json")[1])[0]["vkey"] == log.vkey
    assert log.verifier.name in run("other", "remembered")[1]
    assert run("other", "forget", log.verifier.name)[0] == 0
    assert run("other", "forget", log.verifier.name)[0] == 3
