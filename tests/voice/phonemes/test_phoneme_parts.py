"""Numbers, inflection, alignment and the network, each on its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from voice.phonemes.alphabets import stressed
from voice.phonemes.lexicon import Lexicon
from voice.phonemes.network import Network, spelled
from voice.phonemes.numbers import cardinal, number_words, ordinal, roman_value
from voice.phonemes.tagger import Tagger
from voice.phonemes.train.align import Aligner, units
from voice.phonemes.train.tagger import read_tagged, save, train


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("0", "zero"),
        ("7", "seven"),
        ("110", "one hundred ten"),
        ("1000000", "one million"),
        ("1900", "nineteen hundred"),
        ("2000", "two thousand"),
        ("2005", "two thousand five"),
        ("1066", "one thousand sixty six"),
        ("1920s", "nineteen twenties"),
        ("6s", "sixes"),
        ("3rd", "third"),
        ("12th", "twelfth"),
        ("20th", "twentieth"),
        ("0.05", "zero point zero five"),
        ("007", "zero zero seven"),
        ("£1.01", "one pound and one penny"),
        ("£0.50", "fifty pence"),
        ("-3", "minus three"),
    ],
)
def test_numbers(written: str, spoken: str) -> None:
    assert " ".join(number_words(written)) == spoken


def test_british_numbers_say_and() -> None:
    assert " ".join(cardinal(1101, british=True)) == "one thousand one hundred and one"
    assert " ".join(cardinal(1001, british=True)) == "one thousand and one"
    assert " ".join(ordinal(101, british=True)) == "one hundred and first"


def test_roman_numerals() -> None:
    assert [roman_value(t) for t in ("I", "IV", "XIV", "MCMVI", "IIX", "", "MIX")] == [
        1, 4, 14, 1906, None, None, 1009,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("word", "american", "british"),
    [
        ("blorp", None, None),
        ("ukases", "jˈukəsᵻz", "jˈuːkəsɪz"),
        ("snaffling", "snˈæflɪŋ", "snˈaflɪŋ"),
    ],
)
def test_inflection_needs_a_known_stem(
    word: str, american: str | None, british: str | None
) -> None:
    for accent, expected in ((False, american), (True, british)):
        found = Lexicon.load(british=accent).inflected(word)
        if expected is None:
            assert found is None
        else:
            assert found is not None and found[0] == expected[0]


def test_endings_are_voiced_as_their_stem_is() -> None:
    lexicon = Lexicon.load(british=False)
    assert [lexicon.add_s(s)[-1] for s in ("kˈæt", "dˈɔɡ", "ɹˈOz")] == ["s", "z", "z"]
    assert lexicon.add_s("ɹˈOz") == "ɹˈOzᵻz"
    assert [lexicon.add_ed(s) for s in ("wˈɔk", "hˈʌɡ", "nˈid", "wˈAt")] == [
        "wˈɔkt", "hˈʌɡd", "nˈidᵻd", "wˈAɾᵻd",
    ]  # fmt: skip
    assert Lexicon.load(british=True).add_ed("wˈAt") == "wˈAtɪd"


def test_stress_levels() -> None:
    assert stressed("kˈæt", -1) == "kˌæt"
    assert stressed("kˈæt", -2) == "kæt"
    assert stressed("ðæt", 2) == "ðˈæt"
    assert stressed("ðæt", 1) == "ðˌæt"
    assert stressed("ðˌæt", 1) == "ðˈæt"
    assert stressed("pst", 2) == "pst"


def test_alignment_gives_each_letter_its_phonemes() -> None:
    pairs = [
        ("cat", "kˈæt"),
        ("cot", "kˈɑt"),
        ("tack", "tˈæk"),
        ("taco", "tˈɑkO"),
        ("fox", "fˈɑks"),
    ]
    aligner = Aligner.fit(pairs)
    aligned = aligner.align("cat", units("kˈæt"))
    assert aligned == ["k", "ˈæ", "t"]
    fox = aligner.align("fox", units("fˈɑks"))
    assert fox is not None and "".join(fox) == "fˈɑks"
    assert aligner.align("a", units("kˈætkˈæt")) is None


def test_spelling_keeps_letters_only() -> None:
    assert spelled("Brontë") == "bronte"
    assert spelled("Straße Œuvre Łódź") == "strasseoeuvrelodz"
    assert spelled("中") == ""


def test_the_network_pronounces_and_puts_stress_on_names() -> None:
    network = Network.load()
    for accent in ("us", "gb"):
        for name in ("Ukridge", "Featherstonehaugh", "Xylopholous", "Mkrtchyan"):
            spoken = network.pronounce(name, accent=accent, name=True)
            assert spoken and spoken.count("ˈ") <= 3
    assert network.pronounce("", accent="us") == ""
    assert network.pronounce("blick", accent="us") == "blˈɪk"


def test_the_tagger_learns_what_it_is_shown(tmp_path: Path) -> None:
    import gzip
    import json

    lines = ("they\tPRP\nrun\tVBP\nhome\tRB\n\nthe\tDT\nrun\tNN\nended\tVBD\n\n") * 60
    path = tmp_path / "tagged.tsv"
    path.write_text(lines, "utf-8")
    model = train(read_tagged(path), rounds=2, focus=frozenset({"run"}))
    save(model, tmp_path / "tagger.json.gz")
    tagger = Tagger.from_json(
        json.loads(gzip.decompress((tmp_path / "tagger.json.gz").read_bytes()))
    )
    assert tagger.tag(["they", "run", "home"], 1) == "VB"
    assert tagger.tag(["the", "run", "ended"], 1) == "NN"
