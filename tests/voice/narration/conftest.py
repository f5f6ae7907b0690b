"""A tiny engine that hums, installed the way any third party installs one."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from consent.home import Home
from consent.registry import Registry
from voice import engines

ENGINE = '''
"""Speaks by humming: every syllable a pulse, the pitch made from the text."""
import hashlib, os, signal, time
from pathlib import Path
import numpy as np
from consent.errors import InputError
from voice.engines.base import Voice
from voice.models.card import ModelCard

RATES = {"alto": 24000, "bass": 22050, "quiet": 24000}


class Synthesizer:
    sample_rate = 24000

    def synthesize(self, text, *, voice, language, speed=1.0, variation=0):
        folder = Path(os.environ["TONE_FOLDER"])
        with (folder / "started.log").open("a") as log:
            log.write(f"{os.getpid()}\\t{variation}\\t{text}\\n")
        time.sleep(float(os.environ.get("TONE_DELAY", "0")))
        if "[hang]" in text:
            time.sleep(1000)
        if "[refuse]" in text:
            raise InputError(f"cannot speak {text!r}")
        if "[raise]" in text:
            raise RuntimeError("boom")
        if "[die]" in text or ("[die once]" in text and not (folder / "died").exists()):
            (folder / "died").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if "[mute]" in text:
            return np.zeros(0, dtype=np.float32)
        rate = self.sample_rate
        count = int(rate * (0.3 + 0.06 * len(text)) / speed)
        pitch = 110 + int(hashlib.sha256(text.encode()).hexdigest()[:4], 16) % 110 + 7 * variation
        time_s = np.arange(count) / rate
        tone = sum(np.sin(2 * np.pi * pitch * k * time_s) / k for k in (1, 2, 3, 5))
        hum = 0.15 * tone * (0.55 - 0.45 * np.cos(2 * np.pi * 4 * time_s))
        edge = np.zeros(rate // 5)
        gain = 0.1 if voice == "quiet" else 1.0
        return np.concatenate([edge, gain * hum, edge]).astype(np.float32)


class Low(Synthesizer):
    sample_rate = 22050


class Engine:
    name = "tone"
    version = "1"

    def cards(self):
        return [ModelCard(id="tone", name="Tone", engine="tone", licence="Apache-2.0",
                licence_url="", commercial="yes", languages=("en",), sha256="", size=0,
                sources=(), training_data="none: it hums")]

    def voices(self):
        return [Voice(n, self.name, ("en-US",), "unspecified", self.model, "Apache-2.0", True)
                for n in ("alto", "quiet")]

    model = "tone"

    def fingerprint(self, voice):
        return f"tone-{os.environ.get('TONE_VERSION', '1')}-{voice}"

    def load(self, *, threads=1):
        return Synthesizer()


class LowEngine(Engine):
    name = "low"
    model = "low-tone"

    def cards(self):
        return [ModelCard(id="low-tone", name="Low tone", engine="low", licence="CC-BY-NC-4.0",
                licence_url="", commercial="no", languages=("en",), sha256="", size=0,
                sources=(), training_data="none: it hums")]

    def voices(self):
        return [Voice("bass", "low", ("en-US",), "unspecified", "low-tone", "CC-BY-NC-4.0", False)]

    def load(self, *, threads=1):
        return Low()
'''


@pytest.fixture(scope="session")
def tone_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    (folder / "tone_engine.py").write_text(textwrap.dedent(ENGINE))
    info = folder / "tone_engine-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tone-engine\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[vivavoce.engines]\ntone = tone_engine:Engine\nlow = tone_engine:LowEngine\n"
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


class ToneFolder:
    """Where the engine logs what it was asked."""

    def __init__(self, path: Path, package: Path) -> None:
        self.path = path
        self.package = package

    def spoken(self) -> list[tuple[int, str]]:
        """(variation, text) of every rendering begun so far."""
        log = self.path / "started.log"
        if not log.exists():
            return []
        rows = [line.split("\t", 2) for line in log.read_text().splitlines()]
        return [(int(variation), text) for _, variation, text in rows]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("VIVAVOCE_HOME", str(tmp_path / "home"))
    return Home.open()


@pytest.fixture
def registry(home: Home) -> Iterator[Registry]:
    with Registry.open(home) as opened:
        yield opened
