"""Script and transcript reach the same normal form, however they are written."""

from __future__ import annotations

import pytest

from voice.narration.wording import number_value, plain_text, words_of


@pytest.mark.parametrize(
    ("spoken", "plain"),
    [
        ("[Ukridge](/ˈjuːkɹɪʤ/) came.", "Ukridge came."),
        ("I [never](+1) said [that](-0.5).", "I never said that."),
        ("See [the note] (below).", "See [the note] (below)."),
        ("[New York](/nuː jˈɔːɹk/), [twice](+2)", "New York, twice"),
    ],
)
def test_markup_is_taken_away_and_nothing_else(spoken: str, plain: str) -> None:
    assert plain_text(spoken) == plain


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Number twenty, Mr. Smith", "number 20 mister smith"),
        ("It cost five pounds.", "It cost £5"),
        ("two million dollars", "$2 million"),
        ("one thousand two hundred and thirty-four", "1,234"),
        ("nineteen oh six", "1906"),
        ("the twenty-first of May", "the 21st of May"),
        ("ten percent", "10%"),
        ("ten thirty", "10:30"),
        ("I’m sure they won't; we can't", "I am sure they will not we cannot"),
        ("The neighbour realised the colour of the theatre", "the neighbor realized the color of "
         "the theater"),
        ("café naïve", "cafe naive"),
        ("grey waggons travelled towards", "gray wagons traveled toward"),
        ("Mrs. Beale", "missus beale"),
        ("“Yes?” — he said…", "yes he said"),
        ("Chapter IV", "chapter four"),
        ("ALL RIGHT", "alright"),
    ],
)  # fmt: skip
def test_two_ways_to_write_the_same_words_agree(one: str, other: str) -> None:
    assert words_of(one) == words_of(other)


def test_words_that_differ_stay_different() -> None:
    assert words_of("thirteen men") != words_of("thirty men")
    assert words_of("he came") != words_of("she came")
    assert words_of("I wish it") == ["i", "wish", "it"]
    assert words_of("arise, wise, precise, exercise")[:2] != ["arize", "wize"]


@pytest.mark.parametrize("text", ["", "…", "— !", "😀"])
def test_text_without_words_has_none(text: str) -> None:
    assert words_of(text) == []


@pytest.mark.parametrize(
    ("text", "language", "words"),
    [
        ("L'été 21", "fr", ["lete", "vingt", "et", "un"]),
        ("Ёлка, 2!", "ru", ["елка", "два"]),
        ("中文字", "zh", ["中", "文", "字"]),
        ("drei Äpfel", "de-DE", ["drei", "apfel"]),
    ],
)
def test_other_languages_have_a_normal_form(text: str, language: str, words: list[str]) -> None:
    assert words_of(text, language) == words


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("nineteen oh six", 1906),
        ("nineteen hundred and six", 1906),
        ("nineteen twenty", 1920),
        ("two thousand and six", 2006),
        ("the twenty first", 21),
        ("one million two hundred thousand", 1_200_000),
        ("five hens", None),
        ("and the", None),
    ],
)
def test_numbers_are_read_however_they_are_said(words: str, value: int | None) -> None:
    assert number_value(tuple(words.split())) == value
