"""What Kokoro needs around its network: tokens, voices, edges, kernels."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.errors import InputError, ModelError, StorageError
from consent.home import Home
from voice.engines.base import SpeechEngine
from voice.engines.kokoro import KokoroEngine, edges, machine, tokens, voices
from voice.phonemes import KOKORO_SYMBOLS

RATE = 24_000


def test_every_symbol_that_the_phonemizer_may_write_has_one_token():
    assert set(tokens.IDS) == KOKORO_SYMBOLS
    assert len(set(tokens.IDS.values())) == len(tokens.IDS)
    # Spot checks against the model's published configuration.
    assert [tokens.IDS[c] for c in ";.—… Aa\u0303ɹˈːᵻʎ"] == [
        *(1, 4, 9, 10, 16, 24, 43, 17, 123, 156, 158, 177, 143)
    ]


@given(st.text(st.sampled_from("abɹˈ ,.;:!?—…”“"), max_size=400), st.integers(8, 120))
def test_splitting_loses_no_sound_and_keeps_the_limit(phonemes, limit):
    whole = tokens.known(phonemes)
    pieces = tokens.split(whole, limit)
    assert all(0 < len(piece.phonemes) <= limit for piece in pieces)
    assert all(tokens.speakable(piece.phonemes) for piece in pieces)
    sound = [c for c in whole if c in "abɹˈ"]
    assert [c for piece in pieces for c in piece.phonemes if c in "abɹˈ"] == sound


def test_long_text_is_cut_at_sentences_rather_than_words():
    sentence = "ðə kˈæt sˈæt, ɔn ðə mˈæt. "
    pieces = tokens.split(tokens.known(sentence * 6), 60)
    assert all(piece.phonemes.endswith(".") for piece in pieces)
    assert all(piece.pause > 0.2 for piece in pieces[:-1])
    assert pieces[-1].pause == 0.0


def test_a_word_without_end_is_still_spoken():
    assert [len(p.phonemes) for p in tokens.split("a" * 25, 10)] == [6, 6, 6, 7]


@pytest.mark.parametrize(
    ("given_", "expected"),
    [("sˌɜɹ?", "sˈɜɹ?"), ("ˌI.", "ˈI."), ("nˈO.", "nˈO."), ("ðə", "ðə"), ("ˌaˌb", "ˌaˈb")],
)
def test_an_utterance_alone_has_a_primary_stress(given_, expected):
    assert tokens.stressed(given_) == expected


def test_there_are_voices_of_both_accents_and_genders():
    engine = KokoroEngine()
    assert isinstance(engine, SpeechEngine)
    offered = engine.voices()
    assert len(offered) >= 20
    kinds = {(v.languages[0], v.gender) for v in offered}
    assert kinds == {(a, g) for a in ("en-US", "en-GB") for g in ("female", "male")}
    assert all(v.commercial and v.licence == "Apache-2.0" and v.basis == "stock" for v in offered)
    assert engine.cards()[0].id == offered[0].model


def test_voices_are_whole_and_differ():
    digests = set()
    for name in voices.names():
        rows = voices.style(name)
        assert rows.shape == (510, 256) and rows.dtype == np.float32
        assert np.isfinite(rows).all() and 0.05 < rows.std() < 1
        assert np.abs(np.diff(rows, axis=0)).mean() < 0.01  # neighbouring lengths sound alike
        digests.add(voices.style_digest(name))
    assert len(digests) == len(voices.names())
    with pytest.raises(InputError, match="no voice 'nobody'"):
        voices.style("nobody")


def test_listing_voices_imports_nothing_heavy():
    code = (
        "import sys; from voice.engines.kokoro import KokoroEngine as K; K().voices(); K().cards();"
        "heavy = {'torch', 'onnx', 'onnxruntime', 'scipy', 'safetensors'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_edges_keep_speech_and_little_silence():
    tone = 0.3 * np.sin(np.arange(RATE) * 0.2).astype(np.float32)
    quiet = np.full(RATE // 2, 1e-5, dtype=np.float32)
    trimmed = edges.trim(np.concatenate([quiet, tone, quiet]))
    assert RATE <= len(trimmed) <= RATE + 0.12 * RATE
    assert abs(trimmed[0]) < 1e-4 and abs(trimmed[-1]) < 1e-4
    assert np.abs(trimmed).max() == pytest.approx(0.3, rel=1e-2)
    assert len(edges.trim(np.zeros(RATE, dtype=np.float32))) == 0


def test_joining_puts_pauses_between_and_not_after():
    one = np.ones(100, dtype=np.float32)
    joined = edges.join([(one, 0.1), (one, 0.1)])
    assert len(joined) == 200 + int(0.1 * RATE)
    assert len(edges.join([])) == 0


def test_without_a_compiler_the_reason_is_said(tmp_path: Path, monkeypatch):
    from voice.engines.kokoro import native

    monkeypatch.setattr(machine, "compiler", lambda: None)
    with pytest.raises(ModelError, match=r"no C\+\+ compiler"):
        native.library(Home.open(tmp_path))


def test_a_compiler_that_fails_is_reported(tmp_path: Path, monkeypatch):
    from voice.engines.kokoro import native

    monkeypatch.setattr(machine, "compiler", lambda: "/bin/false")
    with pytest.raises(ModelError, match="cannot compile"):
        native.library(Home.open(tmp_path))
    assert not list((tmp_path / "cache" / "kokoro").iterdir())


def test_a_full_disk_is_said_and_not_taken_for_a_missing_compiler(tmp_path: Path, monkeypatch):
    from voice.engines.kokoro import native, tuning

    compiler = tmp_path / "g++"
    compiler.write_text(
        "#!/bin/sh\necho 'ld: final link failed: No space left on device' >&2\nexit 1\n"
    )
    compiler.chmod(0o755)
    monkeypatch.setattr(machine, "compiler", lambda: str(compiler))
    home = Home.open(tmp_path / "home")
    with pytest.raises(StorageError, match="disk is full"):
        native.library(home)
    with pytest.raises(StorageError, match="disk is full"):
        tuning.choose(home)
    assert not list((home.cache / "kokoro").glob("*.json")), "a full disk is no lasting choice"


@pytest.mark.parametrize(
    "text",
    [
        '{"precision": "int3", "kernels": false}',
        '{"precision": "float32", "kernels": 7}',
        "[1]",
        "",
    ],
)
def test_a_remembered_choice_that_is_none_is_measured_again(tmp_path: Path, text):
    from voice.engines.kokoro import tuning

    file = tmp_path / "choice.json"
    file.write_text(text)
    assert tuning._read(file) is None
