from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from consent_kit import NOON
from postgres_kit import POSTGRES, fresh_schema

from consent.clock import FixedClock
from consent.home import Home
from consent.registry import Registry


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "sqlite_only: about the registry as a file; not for a server"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On PostgreSQL, run what uses a registry; the rest would do the same again."""
    if not POSTGRES:
        return
    mine = [item for item in items if Path(__file__).parent in item.path.parents]
    kept = [
        item
        for item in items
        if item not in mine
        or (
            "home" in getattr(item, "fixturenames", ())
            and not item.get_closest_marker("sqlite_only")
        )
    ]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    monkeypatch.setenv("VIVAVOCE_HOME", str(tmp_path / "home"))
    if not POSTGRES:
        monkeypatch.delenv("VIVAVOCE_REGISTRY", raising=False)
        yield Home.open()
        return
    with fresh_schema() as url:
        monkeypatch.setenv("VIVAVOCE_REGISTRY", url)
        yield Home.open()


@pytest.fixture
def other_home(tmp_path: Path, home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """A second home, its registry apart from that of `home`."""
    if not POSTGRES:
        yield Home.open(tmp_path / "other")
        return
    with fresh_schema() as url:
        with monkeypatch.context() as patch:
            patch.setenv("VIVAVOCE_REGISTRY", url)
            opened = Home.open(tmp_path / "other")
        yield opened


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOON)


@pytest.fixture
def registry(home: Home, clock: FixedClock) -> Iterator[Registry]:
    with Registry.open(home, clock=clock) as opened:
        yield opened
