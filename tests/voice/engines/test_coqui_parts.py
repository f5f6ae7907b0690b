"""Tokens, splitting, the torchaudio shim, and Piper files that are not what they claim."""

from __future__ import annotations

import json
import subprocess
import sys
import wave
from pathlib import Path

import pytest

from consent.errors import InputError, ModelError
from consent.home import Home
from voice.engines.coqui import import_piper_voice, tokens
from voice.engines.coqui.splitting import split

IDS = {"_": (0,), "^": (1,), "$": (2,), " ": (3,), ".": (4,), "a": (5,), "b": (6,), "̃": (7,)}


def test_phonemes_become_ids_with_pads_between_start_and_end() -> None:
    assert tokens.encode("ab.", IDS) == [1, 0, 5, 0, 6, 0, 4, 0, 2]


def test_composed_letters_are_taken_apart_and_unknown_symbols_left_out() -> None:
    assert tokens.encode("aξã", IDS) == [1, 0, 5, 0, 5, 0, 7, 0, 2]


def test_punctuation_alone_is_nothing_to_speak() -> None:
    assert tokens.encode(" . ", IDS) == []


def test_an_english_voice_keeps_its_accent() -> None:
    assert "ɹ" in tokens.pronounce("car", language="en-US", espeak_voice="en-us")
    assert "ɹ" not in tokens.pronounce("car", language="en-GB", espeak_voice="en-gb-x-rp")


def test_a_voice_trained_on_letters_reads_letters() -> None:
    assert tokens.pronounce("[Kyiv](/kɪiv/) É", language="uk", espeak_voice="") == "kyiv e\u0301"


def test_without_espeak_a_german_voice_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "")
    tokens.espeak_program.cache_clear()
    with pytest.raises(ModelError, match="espeak-ng") as caught:
        tokens.pronounce("Guten Tag", language="de-DE", espeak_voice="de")
    tokens.espeak_program.cache_clear()
    assert caught.value.hint is not None and "install" in caught.value.hint


def test_espeak_is_run_as_a_program_clause_by_clause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "espeak-ng"
    program.write_text(f'#!{sys.executable}\nimport sys\nprint(" <" + sys.stdin.read() + ">")\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    tokens.espeak_program.cache_clear()
    spoken = tokens.pronounce(
        "Guten Tag, [Jörg](/jœʁk/)! Wie geht's?", language="de-DE", espeak_voice="de"
    )
    tokens.espeak_program.cache_clear()
    assert spoken == "<Guten Tag>, jœʁk! <Wie geht's>?"


def test_short_text_stays_whole() -> None:
    assert [piece.text for piece in split("Sir? No, sir.", 100)] == ["Sir? No, sir."]
    assert split("   ", 100) == []


@pytest.mark.parametrize("largest", [40, 60, 100, 220])
def test_long_text_is_cut_where_one_breathes_and_nothing_is_lost(largest: int) -> None:
    text = (
        "It was Mr. Garnet who spoke first, slowly, as if each word cost him something; then "
        "Ukridge, who had said nothing for a full minute, rose. “Chickens!” he cried. "
    ) * 6
    pieces = split(text, largest)
    assert " ".join(piece.text for piece in pieces).split() == text.split()
    assert all(len(piece.text) <= largest for piece in pieces)
    assert not any(piece.text.endswith("Mr.") for piece in pieces if largest > 40)
    assert pieces[-1].pause == 0.0


def test_a_sentence_of_four_thousand_characters_without_a_comma_is_cut() -> None:
    pieces = split("word " * 800, 400)
    assert max(len(piece.text) for piece in pieces) <= 400
    assert min(len(piece.text) for piece in pieces) > 100


def test_an_inline_pronunciation_is_never_cut() -> None:
    markup = "[St. John Rivers](/sɪndʒən ɹɪvəz/)"
    pieces = split(f"He met {markup}, then left. " * 10, 60)
    assert sum(piece.text.count(markup) for piece in pieces) == 10


# -- the shim -------------------------------------------------------------------------------


def run_python(code: str, *paths: Path) -> str:
    path = ",".join(repr(str(p)) for p in paths)
    prefix = f"import sys; sys.path[:0] = [{path}]\n" if paths else ""
    result = subprocess.run(
        [sys.executable, "-c", prefix + code], capture_output=True, text=True, check=True
    )
    return result.stdout.strip()


SHIM = "from voice.engines.coqui.shim import import_torchaudio as shim\n"


@pytest.mark.slow
def test_torchaudio_resamples_whether_or_not_its_extension_loads() -> None:
    code = (
        SHIM + "shimmed = shim()\n"
        "import torch, torchaudio\n"
        "resampled = torchaudio.transforms.Resample(16000, 8000)(torch.zeros(1, 1600))\n"
        "print(tuple(resampled.shape), shim() == shimmed)\n"
    )
    assert run_python(code) == "(1, 800) True"


FAKE_TORCHAUDIO = """
from . import _extension
"""
FAKE_EXTENSION = """
from .utils import _load_lib
loaded = _load_lib("libtorchaudio")
"""
FAKE_UTILS = """
def _load_lib(lib):
    {body}
"""


def fake_torchaudio(site: Path, body: str) -> Path:
    package = site / "torchaudio" / "_extension"
    package.mkdir(parents=True)
    (site / "torchaudio" / "__init__.py").write_text(FAKE_TORCHAUDIO)
    (package / "__init__.py").write_text(FAKE_EXTENSION)
    (package / "utils.py").write_text(FAKE_UTILS.format(body=body))
    return site


def fake_torch(site: Path, cuda: str | None) -> Path:
    (site / "torch").mkdir(parents=True)
    (site / "torch" / "__init__.py").write_text("from . import version\n")
    (site / "torch" / "version.py").write_text(f"cuda = {cuda!r}\n")
    return site


def test_a_torchaudio_that_works_is_left_alone(tmp_path: Path) -> None:
    site = fake_torchaudio(fake_torch(tmp_path, None), "return True")
    code = SHIM + "print(shim()); import torchaudio; print(torchaudio._extension.loaded)"
    assert run_python(code, site).split() == ["False", "True"]


def test_a_torchaudio_built_for_cuda_works_beside_a_torch_without(tmp_path: Path) -> None:
    site = fake_torchaudio(fake_torch(tmp_path, None), "raise OSError('libc10_cuda.so')")
    code = SHIM + "print(shim()); import torchaudio; print(torchaudio._extension.loaded)"
    assert run_python(code, site).split() == ["True", "False"]


def test_a_mismatch_with_a_torch_that_has_cuda_is_not_papered_over(tmp_path: Path) -> None:
    site = fake_torchaudio(fake_torch(tmp_path, "12.8"), "raise OSError('libc10_cuda.so')")
    code = (
        SHIM + "from consent.errors import ModelError\n"
        "try:\n    shim()\nexcept ModelError as exc:\n    print(exc.diagnostics())\n"
        "print('torchaudio' in sys.modules)\n"
    )
    output = run_python(code, site)
    assert "libc10_cuda.so" in output and "matches your torch" in output
    assert output.endswith("False")


# -- what is not a Piper voice --------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.open(tmp_path / "home")


def settings(path: Path, **changes: object) -> Path:
    data: dict[str, object] = {
        "audio": {"sample_rate": 22050},
        "espeak": {"voice": "en-us"},
        "phoneme_id_map": {"_": [0], "^": [1], "$": [2], "a": [3]},
    }
    path.write_text(json.dumps(data | changes))
    return path


def empty_graph(path: Path) -> Path:
    import onnx

    graph = onnx.helper.make_graph([], "empty", [], [])
    onnx.save(onnx.helper.make_model(graph), str(path))
    return path


def outside_weights(path: Path) -> Path:
    import onnx

    tensor = onnx.TensorProto(name="enc_p.emb.weight", data_type=1, dims=[4, 4])
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../../etc/passwd")
    graph = onnx.helper.make_graph([], "outside", [], [], initializer=[tensor])
    path.write_bytes(onnx.helper.make_model(graph).SerializeToString())
    return path


def a_wav(path: Path) -> Path:
    with wave.open(str(path), "wb") as stream:
        stream.setnchannels(1)
        stream.setsampwidth(2)
        stream.setframerate(8000)
        stream.writeframes(b"\0" * 3000)
    return path


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (a_wav, "is not an ONNX file|is not a Piper voice"),
        (lambda path: path, "cannot read"),
        (empty_graph, "is not a Piper voice"),
        (outside_weights, "other files; that is refused"),
    ],
)
def test_what_is_no_piper_voice_is_refused_and_leaves_nothing(
    tmp_path: Path, home: Home, make: object, message: str
) -> None:
    assert callable(make)
    onnx_path = make(tmp_path / "x.onnx")
    with pytest.raises(InputError, match=message):
        import_piper_voice(onnx_path, settings(tmp_path / "x.json"), home, name="x")
    assert not (home.models / "piper-x").exists()


@pytest.mark.parametrize("content", [b"{", b"[1]", b"\xff\xfe", b"[" * 100_000])
def test_broken_settings_are_refused(tmp_path: Path, home: Home, content: bytes) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"x\.json is not"):
        import_piper_voice(empty_graph(tmp_path / "x.onnx"), path, home, name="x")


@pytest.mark.parametrize("name", ["../up", "", "a/b", "joe", ".hidden", "x" * 80])
def test_a_name_that_is_no_name_is_refused(tmp_path: Path, home: Home, name: str) -> None:
    path = tmp_path / "x"
    with pytest.raises(InputError, match="cannot be the name"):
        import_piper_voice(path, path, home, name=name)


def test_commercial_use_cannot_be_claimed_against_the_licence(tmp_path: Path, home: Home) -> None:
    path = tmp_path / "x.onnx"
    with pytest.raises(InputError, match=r"CC-BY-NC-SA-4\.0, which forbids it"):
        import_piper_voice(path, path, home, name="x", licence="CC-BY-NC-SA-4.0", commercial=True)


def test_commercial_use_cannot_be_claimed_without_a_licence(tmp_path: Path, home: Home) -> None:
    path = tmp_path / "x"
    with pytest.raises(InputError, match="licence is not known"):
        import_piper_voice(path, path, home, name="x", licence="unknown", commercial=True)
