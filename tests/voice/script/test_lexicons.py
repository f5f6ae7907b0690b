"""Pronunciations by lexicon, and the phonetic alphabets."""

from __future__ import annotations

import pytest

from consent.errors import InputError
from voice.script import Lexicon, Span
from voice.script.phonetic import from_xsampa, to_ipa
from voice.script.speech import Speaker


def speak(text, entries, language="en-GB"):
    return Speaker(language, Lexicon(entries)).speak([Span(text)]).text


@pytest.mark.parametrize(
    ("text", "entries", "spoken"),
    [
        ("Polish the Polish.", {"Polish": "/a/"}, "[Polish](/a/) the [Polish](/a/)."),
        ("I polish it.", {"Polish": "/a/"}, "I polish it."),
        ("Data and data.", {"data": "/dɑtə/"}, "[Data](/dɑtə/) and [data](/dɑtə/)."),
        ("New York New", {"New York": "/nj/", "New": "/n/"}, "[New York](/nj/) [New](/n/)"),
        ("Featherstonehaugh’s hat", {"Featherstonehaugh": "Fanshaw"}, "Fanshaw's hat"),
        ("St. John's wort", {"St. John": "/sɪndʒən/"}, "[St. John's](/sɪndʒənz/) wort"),
        ("a Ukridge-like man", {"Ukridge": "/juː/"}, "a Ukridge-like man"),
        ("the cats’ bowl", {"cats": "/kæts/"}, "the [cats](/kæts/)' bowl"),
        ("No match here", {"nowhere": "/x/"}, "No match here"),
        ("5 km", {"km": "klicks"}, "five klicks"),
    ],
)
def test_entries_are_found_where_they_should_be(text, entries, spoken):
    assert speak(text, entries) == spoken


def test_the_users_lexicon_wins_over_the_books():
    both = Lexicon({"a b": "/x/"}).over({"a b": "/y/", "c": "/z/"})
    assert both.entries == {"a b": "/x/", "c": "/z/"}


def test_a_lexicon_file(tmp_path):
    path = tmp_path / "words.toml"
    path.write_text('"Buenos Aires" = "bway-noss eye-ress"\n[words]\nUkridge = "/\'juːkrɪdʒ/"\n')
    assert Lexicon.load(path).entries == {
        "Buenos Aires": "bway-noss eye-ress",
        "Ukridge": "/ˈjuːkrɪdʒ/",
    }
    path.write_text('alphabet = "x-sampa"\n[words]\nUkridge = "/\\"ju:krIdZ/"\n')
    assert Lexicon.load(path).entries == {"Ukridge": "/ˈjuːkrɪdʒ/"}


def test_a_pls_file(tmp_path):
    path = tmp_path / "words.pls"
    path.write_text(
        '<lexicon alphabet="x-sampa"><lexeme><grapheme>tea</grapheme><grapheme>tee</grapheme>'
        '<phoneme>ti:</phoneme><phoneme prefer="true">"ti:</phoneme></lexeme></lexicon>'
    )
    assert Lexicon.load(path).entries == {"tea": "/ˈtiː/", "tee": "/ˈtiː/"}


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("Ukridge = ", "not valid TOML"),
        ("Ukridge = 5", "'Ukridge' has no pronunciation"),
        ('Ukridge = ""', "has no pronunciation"),
        ('Ukridge = "/a](/b/"', "is not a pronunciation"),
        ('Ukridge = "/abc"', "is not a pronunciation"),
        ('Ukridge = "a [b]"', "square brackets"),
        ('"a b c d e f g h i" = "x"', "not a word or a phrase"),
        ("<html/>", "not a PLS lexicon"),
    ],
)
def test_wrong_lexicons_are_explained(tmp_path, content, match):
    path = tmp_path / "lexicon.toml"
    path.write_text(content)
    with pytest.raises(InputError, match=match) as caught:
        Lexicon.load(path)
    assert "lexicon.toml" in caught.value.message


def test_a_missing_lexicon(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        Lexicon.load(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("sampa", "ipa"),
    [('"hE.l@U', "ˈhɛ.ləʊ"), ("%{p@l'eItS@n", "ˌæpəlʲeɪtʃən"), ("r\\e:d_h", "ɹeːdʰ"), ("§", None)],
)
def test_xsampa(sampa, ipa):
    assert from_xsampa(sampa) == ipa


def test_unknown_alphabets_and_odd_text_are_no_pronunciation():
    assert to_ipa("x", "x-microsoft-sapi") is None
    assert to_ipa("](/evil/)") is None
    assert to_ipa("ˈ") is None


@pytest.mark.parametrize(
    ("spans", "spoken"),
    [
        ([Span("Thank "), Span("you", 1), Span(", sir.")], "Thank [you](+1), sir."),
        ([Span("I NEVER", 2)], "I never"),
        ([Span("so "), Span("NEVER", 2), Span(" again")], "so [never](+1) again"),
        ([Span("in "), Span("Who’s Who", 1), Span(" once")], "in Who's Who once"),
        (
            [Span("the "), Span("very best of all", 1), Span(" men are")],
            "the very best of all men are",
        ),
        ([Span("a "), Span("3", 1), Span(" b")], "a three b"),
    ],
)
def test_emphasis_stresses_single_words(spans, spoken):
    assert Speaker("en-GB").speak(spans).text == spoken


def test_what_cannot_be_spoken_is_dropped_and_told():
    spoken = Speaker("en").speak([Span("He said 你好 世界 and שלום 😀 to α and Σίβυλλα.")])
    assert spoken.text == "He said and to alpha and."
    assert spoken.dropped == ("你好 世界", "שלום 😀", "Σίβυλλα")
    assert Speaker("el").speak([Span("Σίβυλλα τί")]).dropped == ()
    assert Speaker("zh").speak([Span("你好 OK")]).text == "你好 OK"
