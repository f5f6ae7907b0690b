"""Engines come from any installed distribution; a broken one harms nobody else."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest

from consent.errors import InputError, ModelError
from voice import engines, models
from voice.engines import ClippedWarning, checked, registry

THIRD_PARTY = """
from dataclasses import replace
import numpy as np
from voice.engines.base import Voice
from voice.models.card import ModelCard, Source


class BeepSynthesizer:
    sample_rate = 16_000

    def synthesize(self, text, *, voice, language, speed=1.0, variation=0):
        n = int(len(text) * 800 / speed)
        wave = 0.3 * np.sin(2 * np.pi * 440 * np.arange(n) / self.sample_rate)
        return wave.astype(np.float32)


class BeepEngine:
    name = "beep"

    def cards(self):
        return [
            ModelCard(
                id="beep-1", name="Beep", engine="beep", licence="CC0-1.0", licence_url="",
                commercial="yes", languages=("en",), sha256="", size=0,
                sources=(Source("file", "none", ()),), training_data="none",
            )
        ]

    def voices(self):
        return [
            Voice("high", "beep", ("en",), "unspecified", "beep-1", "CC0-1.0", True),
            Voice("joe", "beep", ("en",), "unspecified", "beep-1", "CC0-1.0", True),
        ]

    def fingerprint(self, voice):
        return "beep-1"

    def load(self, *, threads=1):
        return BeepSynthesizer()


class Usurper(BeepEngine):
    name = "coqui"


class Mute:
    name = "mute"


class Leaving:
    def __init__(self):
        raise SystemExit(0)


class Odd(BeepEngine):
    name = "odd"

    def voices(self):
        good = Voice("good", "odd", ("en",), "unspecified", "beep-1", "CC0-1.0", True)
        return [good, replace(good, name="wordless", languages=None)]


class Liar(BeepEngine):
    name = "liar"

    def voices(self):
        return [Voice("x", "liar", ("en",), "unspecified", "beep-1", "CC-BY-NC-4.0", True)]


class Stumbling(BeepEngine):
    name = "stumbling"

    def voices(self):
        raise RuntimeError("no sound card")
"""


def install(site: Path, entry_points: str, source: str = THIRD_PARTY) -> None:
    """Lay out a small distribution as pip would."""
    info = site / "beep_engine-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: beep-engine\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[vivavoce.engines]\n" + dedent(entry_points))
    (site / "beep_engine.py").write_text(source)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("VIVAVOCE_HOME", str(tmp_path / "home"))
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    registry.refresh()
    yield site
    sys.modules.pop("beep_engine", None)
    registry.refresh()


def test_an_installed_engine_is_found_speaks_and_has_its_card(site: Path) -> None:
    install(site, "beep = beep_engine:BeepEngine\n")
    engine, voice = engines.find_voice("beep:high")
    assert voice.qualified == "beep:high"
    samples = checked(engine.load(), engine.name).synthesize("hello", voice="high", language="en")
    assert samples.shape == (4000,)
    assert models.get("beep-1").licence == "CC0-1.0"
    assert engines.find_voice("high")[0] is engine


def test_the_packages_own_engines_are_there(site: Path) -> None:
    assert {"kokoro", "coqui"} <= set(engines.available())
    assert next(iter(engines.available())) in {"kokoro", "coqui"}


def test_a_short_name_that_two_engines_share_must_be_qualified(site: Path) -> None:
    install(site, "beep = beep_engine:BeepEngine\n")
    with pytest.raises(InputError, match="several engines") as caught:
        engines.find_voice("joe")
    assert caught.value.hint is not None
    assert "coqui:joe" in caught.value.hint and "beep:joe" in caught.value.hint


@pytest.mark.parametrize("name", ["hihg", "beep:hihg"])
def test_an_unknown_voice_gets_near_matches(site: Path, name: str) -> None:
    install(site, "beep = beep_engine:BeepEngine\n")
    with pytest.raises(InputError, match="there is no voice") as caught:
        engines.find_voice(name)
    assert caught.value.hint is not None and "beep:high" in caught.value.hint


@pytest.mark.parametrize(
    ("entry_point", "reason"),
    [
        ("beep = beep_engine:Nothing", "cannot be loaded: AttributeError"),
        ("beep = no_such_module:Engine", "cannot be loaded: ModuleNotFoundError"),
        ("mute = beep_engine:Mute", "it lacks cards, voices, fingerprint, load"),
        ("other = beep_engine:BeepEngine", "calls itself 'beep'"),
        ("coqui = beep_engine:Usurper", "the name 'coqui' is taken by the engine of vivavoce"),
        ("leaving = beep_engine:Leaving", "cannot be loaded: SystemExit: 0"),
        ("odd = beep_engine:Odd", "'wordless' with the languages None"),
        ("liar = beep_engine:Liar", "'x' as free for commerce under CC-BY-NC-4.0"),
        ("stumbling = beep_engine:Stumbling", "voices(): RuntimeError: no sound card"),
    ],
)
def test_a_broken_engine_is_reported_and_the_others_work(
    site: Path, entry_point: str, reason: str
) -> None:
    install(site, entry_point + "\n")
    found = [problem for problem in engines.problems() if problem.distribution == "beep-engine"]
    assert len(found) == 1
    assert reason in found[0].reason
    assert engines.find_voice("coqui:joe")[1].name == "joe"
    assert type(engines.available()["coqui"]).__module__ == "voice.engines.coqui"


def test_a_voice_of_a_broken_engine_says_why_it_is_not_there(site: Path) -> None:
    install(site, "beep = beep_engine:Nothing\n")
    with pytest.raises(InputError, match="which cannot be used: beep_engine:Nothing"):
        engines.find_voice("beep:high")


class Returning:
    """A synthesizer that returns, or raises, whatever it is given."""

    sample_rate = 24_000

    def __init__(self, result: object) -> None:
        self.result = result

    def synthesize(self, text: str, **_: object) -> object:
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ([0.0, 0.1], "returned list, not an array"),
        (np.zeros((2, 5), np.float32), r"shape \(2, 5\)"),
        (np.zeros(5), "type float64"),
        (np.array([0.0, np.nan], np.float32), "not numbers"),
        (np.array([0.0, np.inf], np.float32), "not numbers"),
        (np.zeros(24_000 * 71, np.float32), "returned 71 s of sound for 5 characters"),
        (ValueError("boom"), "failed on 'hello': ValueError: boom"),
    ],
)
def test_what_is_not_sound_is_an_error_that_names_the_engine(result: object, message: str) -> None:
    synthesizer = checked(Returning(result), "beep")  # type: ignore[arg-type]
    with pytest.raises(ModelError, match=message) as caught:
        synthesizer.synthesize("hello", voice="high", language="en")
    assert "'beep'" in caught.value.message


def test_a_peak_beyond_full_scale_is_limited_with_a_warning() -> None:
    loud = np.array([0.5, -1.5], np.float32)
    synthesizer = checked(Returning(loud), "beep")  # type: ignore[arg-type]
    with pytest.warns(ClippedWarning, match=r"peak of 1\.50"):
        samples = synthesizer.synthesize("hello", voice="high", language="en")
    assert samples.tolist() == [0.5, -1.0]


def test_an_engines_own_errors_pass_through() -> None:
    synthesizer = checked(Returning(InputError("not that language")), "beep")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="not that language"):
        synthesizer.synthesize("hello", voice="high", language="en")


def test_a_useless_sample_rate_is_refused() -> None:
    broken = Returning(np.zeros(1, np.float32))
    broken.sample_rate = 0
    with pytest.raises(ModelError, match="sample rate 0"):
        checked(broken, "beep")  # type: ignore[arg-type]


def test_listing_voices_of_coqui_imports_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from voice.engines.coqui import CoquiEngine\n"
        "engine = CoquiEngine()\n"
        "names = [voice.name for voice in engine.voices()]\n"
        "engine.fingerprint('joe')\n"
        "engine.cards()\n"
        "heavy = [m for m in ('numpy', 'torch', 'TTS', 'onnx', 'scipy') if m in sys.modules]\n"
        "print(names, heavy)\n"
    )
    environment = os.environ | {"VIVAVOCE_HOME": str(tmp_path)}
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert result.stdout.strip() == "['joe'] []"


def test_the_engine_in_the_documentation_works(site: Path) -> None:
    page = Path(__file__).parents[3] / "docs" / "models.md"
    blocks = re.findall(r"```(\w+)\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    (project,) = [tomllib.loads(code) for kind, code in blocks if kind == "toml"]
    (source,) = [code for kind, code in blocks if kind == "python"]
    (value,) = project["project"]["entry-points"]["vivavoce.engines"].values()
    (site / f"{value.partition(':')[0]}.py").write_text(source)
    install(site, f"beep = {value}\n")
    try:
        engine, voice = engines.find_voice("beep:low")
        synthesizer = checked(engine.load(), engine.name)
        samples = synthesizer.synthesize("Hello.", voice=voice.name, language="en")
        assert len(samples) == 11_520 and np.abs(samples).max() > 0.2
        assert models.get(voice.model).commercial == "yes"
        assert not [problem for problem in engines.problems() if problem.engine == "beep"]
    finally:
        sys.modules.pop("vivavoce_beep", None)
