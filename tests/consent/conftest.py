from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from consent_kit import NOON

from consent.clock import FixedClock
from consent.home import Home
from consent.registry import Registry


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("VIVAVOCE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("VIVAVOCE_REGISTRY", raising=False)
    return Home.open()


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOON)


@pytest.fixture
def registry(home: Home, clock: FixedClock) -> Iterator[Registry]:
    with Registry.open(home, clock=clock) as opened:
        yield opened
