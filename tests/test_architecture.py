"""The shape of the house: who may import whom, and who may write audio."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("consent", "policies", "provenance", "voice", "cli")
MAY_IMPORT = {
    "policies": {"policies"},
    "consent": {"consent", "policies"},
    "provenance": {"provenance", "consent"},
    "voice": {"voice", "provenance", "consent"},
    "cli": {"cli", "voice", "provenance", "consent"},
}
# Benchmarks, training and data builders are run by hand with `python -m` and may do more.
HEAVY = {"torch", "TTS", "torchaudio", "faster_whisper", "av", "onnx", "onnxruntime", "scipy",
         "librosa", "numba", "sqlmodel", "cedarpy", "c2pa", "transformers", "misaki"}  # fmt: skip


def modules() -> list[Path]:
    return [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]


def imported_rooms(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.split(".")[0])
    return names & set(ROOMS)


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_one_way(path: Path) -> None:
    room = path.relative_to(ROOT).parts[0]
    wrong = imported_rooms(path) - MAY_IMPORT[room]
    assert not wrong, f"{path.relative_to(ROOT)} must not import {', '.join(sorted(wrong))}"


def writes_audio(tree: ast.AST) -> list[int]:
    """Return the lines that open audio for writing with PyAV, soundfile, wave or torchaudio."""
    lines = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        owner = ast.unparse(node.func.value)
        name = node.func.attr
        arguments = [ast.unparse(a) for a in node.args] + [ast.unparse(k) for k in node.keywords]
        writing = any(text in {"'w'", "mode='w'", "'wb'", "mode='wb'"} for text in arguments)
        if (
            (owner in {"av", "wave"} and name == "open" and writing)
            or (owner in {"sf", "soundfile"} and name == "write")
            or (owner in {"sf", "soundfile"} and name == "SoundFile" and writing)
            or (owner == "torchaudio" and name == "save")
            or (owner.endswith("wavfile") and name == "write")
        ):
            lines.append(node.lineno)
    return lines


def test_only_the_encoder_behind_the_door_writes_audio() -> None:
    offenders = {
        str(path.relative_to(ROOT)): lines
        for path in modules()
        if (lines := writes_audio(ast.parse(path.read_text("utf-8"))))
    }
    assert set(offenders) <= {"provenance/audio/encode.py"}, offenders


def imports_encoder(tree: ast.AST) -> bool:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = {alias.name for alias in node.names}
            if node.module == "provenance.audio.encode":
                return True
            if node.module == "provenance.audio" and names & {"encode", "*"}:
                return True
        if isinstance(node, ast.Import) and any(
            alias.name.startswith("provenance.audio") for alias in node.names
        ):
            return True
    return False


def test_only_the_door_and_its_rehearsal_call_the_encoder() -> None:
    callers = {
        str(path.relative_to(ROOT))
        for path in modules()
        if imports_encoder(ast.parse(path.read_text("utf-8")))
    }
    # The rehearsal writes into a file without a name and returns numbers alone.
    allowed = {"provenance/seal.py", "provenance/rehearsal.py", "provenance/audio/__init__.py"}
    assert callers <= allowed, callers


def test_help_does_not_load_heavy_libraries() -> None:
    code = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from cli.main import app\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        "print(' '.join(sorted({name.split('.')[0] for name in sys.modules})))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    loaded = HEAVY & set(result.stdout.split())
    assert not loaded, f"`vivavoce --help` imports {', '.join(sorted(loaded))}"
