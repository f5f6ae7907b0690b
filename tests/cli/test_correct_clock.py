"""A clock that ran ahead is put right by a person's word, on record."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from consent.clock import FixedClock
from consent.home import Home
from consent.registry import Registry


def test_a_clock_that_was_ahead_is_corrected_on_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIVAVOCE_HOME", str(tmp_path / "home"))
    ahead = FixedClock(datetime.now(UTC) + timedelta(days=2))
    with Registry.open(Home.open(), clock=ahead) as registry:
        registry.create_party("person", "anna", "Anna Example")
    done = CliRunner().invoke(app, ["audit", "correct-clock", "--yes"])
    assert done.exit_code == 0, done.output
    with Registry.open(Home.open()) as registry:
        last = json.loads(list(registry.log.entries())[-1])
    assert last["kind"] == "clock"
