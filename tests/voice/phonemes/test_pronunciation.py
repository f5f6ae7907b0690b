"""What English text sounds like, in both accents."""

from __future__ import annotations

import pytest

from consent.errors import InputError
from voice.phonemes import Phonemizer, phonemize


def us(text: str) -> str:
    return phonemize(text, "en-US")


def gb(text: str) -> str:
    return phonemize(text, "en-GB")


def distance(a: str, b: str) -> int:
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        previous, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (x != y))
    return row[-1]


@pytest.mark.parametrize(
    ("text", "american", "british"),
    [
        ("water", "wˈɔTəɹ", "wˈɔːtə"),
        ("bath", "bˈæθ", "bˈɑːθ"),
        ("go home", "ɡˌO hˈOm", "ɡˌQ hˈQm"),
        ("hot", "hˈɑt", "hˈɒt"),
        ("car", "kˈɑɹ", "kˈɑː"),
        ("tomato", "təmˈATO", "təmˈɑːtQ"),
        ("square", "skwˈɛɹ", "skwˈɛː"),
        ("kitten", "kˈɪtn", "kˈɪtᵊn"),
    ],
)
def test_accents_differ_as_they_should(text: str, american: str, british: str) -> None:
    assert (us(text), gb(text)) == (american, british)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the apple", "ði ˈæpᵊl"),
        ("the pear", "ðə pˈɛɹ"),
        ("the hour", "ði ˈWəɹ"),
        ("a pear", "ɐ pˈɛɹ"),
        ("an apple", "ɐn ˈæpᵊl"),
        ("to eat", "tʊ ˈit"),
        ("to sleep", "tə slˈip"),
        ("letter A", "lˈɛTəɹ ˈA"),
        ("He can.", "hˌi kˈæn."),
        ("He can go.", "hˌi kæn ɡˌO."),
    ],
)
def test_small_words_take_the_form_their_neighbours_ask_for(text: str, expected: str) -> None:
    assert us(text) == expected


@pytest.mark.parametrize(
    ("word", "american", "british"),
    [
        ("Phyllis", "fˈɪlɪs", "fˈɪlɪs"),
        ("Derrick", "dˈɛɹɪk", "dˈɛɹɪk"),
        ("Beale", "bˈil", "bˈiːl"),
        ("Wodehouse", "wˈʊdhWs", "wˈʊdhWs"),
        ("Ukridge", "jˈukɹɪʤ", "jˈuːkɹɪʤ"),
        ("Hugh", "hjˈu", "hjˈuː"),
        ("McDougal", "məkdˈuɡᵊl", "məkdˈuːɡᵊl"),
        ("O'Hara", "OhˈɑɹA", "QhˈɑːɹA"),
        ("Margaret", "mˈɑɹɡɹɪt", "mˈɑːɡɹɪt"),
        ("Theodore", "θˈiədɔɹ", "θˈiːədɔː"),
        ("Garnet", "ɡˈɑɹnət", "ɡˈɑːnɪt"),
        ("Stevenson", "stˈivənsən", "stˈiːvᵊnsᵊn"),
    ],
)
def test_names_are_close(word: str, american: str, british: str) -> None:
    assert distance(us(word), american) <= 3
    assert distance(gb(word), british) <= 3


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("1906", "nineteen oh six"),
        ("1999", "nineteen ninety nine"),
        ("$2.50", "two dollars and fifty cents"),
        ("the 21st", "the twenty first"),
        ("3.14", "three point one four"),
        ("1,250", "one thousand two hundred fifty"),
        ("-5", "minus five"),
        ("50%", "fifty percent"),
        ("Chapter XIV", "Chapter fourteen"),
        ("page xiv", "page fourteen"),
        ("St James", "Saint James"),
        ("Henry VIII", "Henry the eighth"),
        ("e.g. this", "for example this"),
        ("salt & pepper", "salt and pepper"),
        ("٣", "three"),
    ],
)
def test_numbers_and_symbols_are_read_as_their_words(written: str, spoken: str) -> None:
    assert us(written).replace(" ", "") == us(spoken).replace(" ", "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("NASA", "nˈæsə"),
        ("the BBC", "ðə bˌibˌisˈi"),
        ("in the US", "ɪn ði jˌuˈɛs"),
        ("Mr. Smith", "mˈɪstəɹ smˈɪθ"),
        ("Dr. Jones", "dˈɑktəɹ ʤˈOnz"),
        ("THE END", "ði ˈɛnd"),
        ("i.e. tea", "ðˈæt ɪz tˈi"),
        ("BBQ", "bˈɑɹbəkjˌu"),
    ],
)
def test_abbreviations(text: str, expected: str) -> None:
    assert us(text).replace("ðə jˌu", "ði jˌu") == expected


def test_initials_are_letters_and_their_stops_are_no_pauses() -> None:
    assert "." not in us("R. L. Stevenson")
    assert us("P. G. Wodehouse").startswith("pˈi ʤˈi w")
    assert us("It was he. The end.").count(".") == 2


@pytest.mark.parametrize(
    ("form", "stem", "ending"),
    [
        ("[Ukridge](/ˈjuːkrɪdʒ/)'s", "jˈukɹɪʤ", "ᵻz"),
        ("Beale's", "bˈil", "z"),
        ("Phyllis'", "", ""),
    ],
)
def test_possessives_follow_their_name(form: str, stem: str, ending: str) -> None:
    spoken = us(form)
    assert spoken.startswith(stem) and spoken.endswith(ending)
    if not stem:
        assert spoken == us("Phyllis")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("well-known", "wˌɛlnˈOn"),
        ("goin'", "ɡˈOɪn"),
        ("'Tis", "tˈɪz"),
        ("don't", "dˈOnt"),
        ("café", "kæfˈA"),
        ("naïve", "nɑˈiv"),
        ("façade", "fəsˈɑd"),
    ],
)
def test_hyphens_elisions_and_diacritics(text: str, expected: str) -> None:
    assert us(text) == expected


def test_compounds_are_two_words_of_the_lexicon_with_one_main_stress() -> None:
    spoken = us("henhouse keeper's chickenhouse")
    assert "hˌWs" in spoken and spoken.count("ˈ") == 3


def test_punctuation_is_kept_in_the_form_the_voice_knows() -> None:
    assert us('"Yes," he said--"no..."') == "“jˈɛs,” hi sˈɛd—“nˈO…”"
    assert us("Well - yes (no)!") == "wˈɛl— jˈɛs (nˈO)!"


def test_markup_gives_pronunciation_and_stress() -> None:
    assert us("[Ukridge](/ˈjuːkrɪdʒ/) ran") == "jˈukɹɪʤ ɹˈæn"
    assert gb("[Ukridge](/ˈjuːkrɪdʒ/) ran") == "jˈuːkɹɪʤ ɹˈan"
    assert us("[of](+2) course") == "ˈʌv kˈɔɹs"
    assert us("[course](-1)") == "kˌɔɹs"
    assert us("[course](-2)") == "kɔɹs"
    assert us("the [Iago](/iˈɑːɡoʊ/)") == "ði iˈɑɡO"


def test_brackets_that_are_not_markup_are_read() -> None:
    assert us("[see](note) here") == us("(see)(note) here")


def test_markup_with_a_strange_symbol_is_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"'Ukridge'.*'%'.*U\+0025"):
        us("[Ukridge](/ju%k/)")
    with pytest.raises(InputError, match="no sound"):
        us("[Ukridge](/ˈ/)")


def test_nothing_to_say_gives_nothing() -> None:
    for text in ("", "  \n", "...", "—", "* * *", "中文", "😀", "«»", "\u0301"):
        assert us(text) == ""
        assert phonemize(text, "en-GB", alphabet="espeak") == ""


def test_what_cannot_be_said_is_left_out_and_parts_words() -> None:
    assert us("good 中文 hens😀now") == us("good hens now")


def test_only_english_is_accepted() -> None:
    with pytest.raises(InputError, match="'fr-FR'"):
        phonemize("bonjour", "fr-FR")
    with pytest.raises(InputError, match="'sampa'"):
        phonemize("hello", "en-US", alphabet="sampa")
    assert Phonemizer.for_language("en_gb") is Phonemizer.for_language("en-AU")


def test_espeak_alphabet_writes_diphthongs_and_length() -> None:
    assert phonemize("The goose.", "en-US", alphabet="espeak") == "ðə ɡˈuːs."
    assert phonemize("Go now—they say…", "en-US", alphabet="espeak").startswith("ɡˌoʊ nˈaʊ, ð")
    assert phonemize("square", "en-GB", alphabet="espeak") == "skwˈeə"
    assert phonemize("happy letter nurse", "en-US", alphabet="espeak") == "hˈæpi lˈɛɾɚ nˈɜːs"
