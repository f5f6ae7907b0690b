"""Pronunciations as people write them."""

from __future__ import annotations

import pytest

from consent.errors import InputError
from voice.phonemes.alphabets import KOKORO_SYMBOLS
from voice.phonemes.ipa import from_ipa


@pytest.mark.parametrize(
    ("ipa", "american", "british"),
    [
        ("ˈjuːkrɪdʒ", "jˈukɹɪʤ", "jˈuːkɹɪʤ"),
        ("ˈstraɪk", "stɹˈIk", "stɹˈIk"),
        ("stɹˈaɪk", "stɹˈIk", "stɹˈIk"),
        ("ˈwʊd.haʊs", "wˈʊdhWs", "wˈʊdhWs"),
        ("ˈt͡ʃɛɹi", "ʧˈɛɹi", "ʧˈɛɹi"),
        ("ˈd͜ʒoʊnz", "ʤˈOnz", "ʤˈQnz"),
        ("ɡəʊt", "ɡOt", "ɡQt"),
        ("hɒt", "hɑt", "hɒt"),
        ("ˈbʌtn̩", "bˈʌtᵊn", "bˈʌtᵊn"),
        ("skwɛə", "skwɛɹ", "skwɛː"),
        ("skwɛəɹ", "skwɛɹ", "skwɛː"),
        ("nɜːs", "nɜɹs", "nɜːs"),
        ("nɜːɹs", "nɜɹs", "nɜːs"),
        ("nɝs", "nɜɹs", "nɜːs"),
        ("ˈlɛtɚ", "lˈɛtəɹ", "lˈɛtə"),
        ("kæt", "kæt", "kat"),
        ("ˈɑːrtʃɪbɔːld", "ˈɑɹʧɪbɔld", "ˈɑːʧɪbɔːld"),
        ("ˈmjʊəriəl", "mjˈʊɹiəl", "mjˈʊəɹɪəl"),
        ("ˌɪn.təˈnæʃ.ən.əl", "ˌɪntənˈæʃənəl", "ˌɪntənˈaʃənəl"),
        ("gəʊ", "ɡO", "ɡQ"),
        ("'haus", "hˈWs", "hˈWs"),
        ("lɒx", "lɑx", "lɒx"),
        ("ˈkɑːˈbɑː kæt", "kˈɑbˈɑ kæt", "kˈɑːbˈɑː kat"),
        ("kˈOkəɹO", "kˈOkəɹO", "kˈQkəɹQ"),
        ("fasad", "fɑsɑd", "fasad"),
        ("façade".replace("ç", "s"), "fɑsɑdɛ", "fasadɛ"),
    ],
)
def test_ipa_becomes_the_alphabet_of_the_accent(ipa: str, american: str, british: str) -> None:
    assert from_ipa(ipa, british=False) == american
    assert from_ipa(ipa, british=True) == british


def test_every_ipa_vowel_and_consonant_stays_within_the_vocabulary() -> None:
    for (
        symbol
    ) in "aeiouyɑɐɒæɔəɘɛɜɝɚɞɪɨʉʊʌɯɤøœɶɵbcdfɡhjklmnpqrstvwxzβçðħɟɣɥɦɬɫɭɱɳɲŋɴɸɹɻɽɾʀʁʃʂʈʋʎʍʐʑʒʔθχ":
        for british in (False, True):
            spoken = from_ipa(symbol + "ˈa", british=british)
            assert set(spoken) <= KOKORO_SYMBOLS, symbol


@pytest.mark.parametrize("written", ["jʘk", "ju1", "jЖ", "a,b", "中"])
def test_unknown_symbols_are_named_with_their_word(written: str) -> None:
    with pytest.raises(InputError, match="'Ukridge'"):
        from_ipa(written, british=False, word="Ukridge")
