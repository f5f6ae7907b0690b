"""A tiny engine that hums, installed the way any third party installs one."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from narration_kit import ENGINE, ToneFolder

from consent.home import Home
from consent.registry import Registry
from voice import engines


@pytest.fixture(scope="session")
def tone_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    (folder / "tone_engine.py").write_text(textwrap.dedent(ENGINE))
    info = folder / "tone_engine-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tone-engine\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[vivavoce.engines]\ntone = tone_engine:Engine\nlow = tone_engine:LowEngine\n"
        "usurper = tone_engine:Usurper\n"
    )
    return folder


@pytest.fixture
def tone(
    tone_package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ToneFolder]:
    folder = tmp_path / "tone"
    folder.mkdir()
    monkeypatch.setenv("TONE_FOLDER", str(folder))
    monkeypatch.syspath_prepend(str(tone_package))
    engines.refresh()
    yield ToneFolder(folder, tone_package)
    engines.refresh()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("VIVAVOCE_HOME", str(tmp_path / "home"))
    return Home.open()


@pytest.fixture
def registry(home: Home) -> Iterator[Registry]:
    with Registry.open(home) as opened:
        yield opened
