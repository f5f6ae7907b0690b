"""Names show what they are: nothing hidden, turned round, endless or leading out of a folder."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.errors import InputError
from consent.identity import checked_handle, checked_name, checked_voice


@pytest.mark.parametrize(
    "name",
    ["Anna Meyer", "Zoë Łukasz-Ångström", "李小龍", "محمد علي", "Ἀριστοτέλης", "O’Brien & Sons, 3"],
)
def test_names_of_all_writing_systems_are_kept(name: str) -> None:
    assert checked_name(name, "the name") == name


def test_a_decomposed_name_becomes_the_composed_one() -> None:
    assert checked_name("Zoe\u0308", "the name") == "Zo\u00eb"


@pytest.mark.parametrize(
    ("name", "code", "place"),
    [
        ("Anna\u202emoc.live", "U+202E", 5),
        ("\u2066Anna", "U+2066", 1),
        ("An\u200bna", "U+200B", 3),
        ("An\u200dna", "U+200D", 3),
        ("Anna\ufeff", "U+FEFF", 5),
        ("Anna\x00", "U+0000", 5),
        ("Anna\nMeyer", "U+000A", 5),
        ("Anna\x1b[2J", "U+001B", 5),
        ("Anna\u2028", "U+2028", 5),
        ("An\u00adna", "U+00AD", 3),
        ("Anna\ue000", "U+E000", 5),
        ("Anna\ud800", "U+D800", 5),
        ("Anna\u0378", "U+0378", 5),
        ("\u3164", "U+3164", 1),
        ("Anna \u2800", "U+2800", 6),
    ],
)
def test_a_hidden_or_turning_character_is_named_with_its_place(
    name: str, code: str, place: int
) -> None:
    with pytest.raises(InputError) as caught:
        checked_name(name, "the display name")
    assert code in str(caught.value)
    assert f"place {place}:" in str(caught.value)
    assert "the display name" in str(caught.value)
    str(caught.value).encode()


@pytest.mark.parametrize("name", ["", " ", "\u00a0", " Anna", "Anna ", "\u0301Anna"])
def test_a_name_has_a_beginning_and_an_end(name: str) -> None:
    with pytest.raises(InputError):
        checked_name(name, "the name")


def test_a_megabyte_of_name_is_refused_at_once_and_not_repeated_in_the_message() -> None:
    start = time.perf_counter()
    with pytest.raises(InputError, match="200 is the most") as caught:
        checked_name("A" * 1_000_000, "the display name")
    assert time.perf_counter() - start < 5  # not in proportion to the text
    assert len(str(caught.value)) < 200


def test_a_name_may_not_grow_too_long_by_composing() -> None:
    with pytest.raises(InputError, match="is the most"):
        # One character that NFC writes as three.
        checked_name("\ufb2c" * 100, "the name")


def test_marks_piled_on_one_letter_are_refused() -> None:
    with pytest.raises(InputError, match="combining mark"):
        checked_name("A" + "\u0323\u0330" * 20, "the name")


@given(st.text(max_size=60))
def test_a_checked_name_is_stable_printable_and_on_one_line(text: str) -> None:
    try:
        name = checked_name(text, "the name")
    except InputError:
        return
    assert checked_name(name, "the name") == name
    assert len(name.splitlines()) == 1
    assert all(character.isprintable() or character.isspace() for character in name)


@pytest.mark.parametrize("handle", ["anna", "anna-meyer", "4", "a" * 63])
def test_a_handle_is_a_short_plain_word(handle: str) -> None:
    assert checked_handle(handle) == handle


@pytest.mark.parametrize("handle", ["", "-a", "Anna", "anna_m", "a" * 64, "anna\n", "аnna", "../a"])
def test_anything_else_is_no_handle(handle: str) -> None:
    with pytest.raises(InputError, match="not a handle"):
        checked_handle(handle)


@pytest.mark.parametrize("voice", ["kokoro:af_heart", "coqui:thorsten", "coqui:anna-v1.2"])
def test_a_voice_is_named_by_engine_and_name(voice: str) -> None:
    assert checked_voice(voice) == voice


@pytest.mark.parametrize(
    "voice",
    [
        "af_heart", "kokoro:", ":x", "kokoro:../keys", "kokoro:..", "kokoro:a/../b", "kokoro:a/b",
        "kokoro:a..b", "kokoro:.hidden", "../kokoro:a", "kokoro:a\\b", "kokoro:a\x00", "kokoro:a\n",
        "kokoro:a b", "C:\\x", "file:///x", "kokoro:" + "a" * 1_000_000, "kokoro:ａ",
    ],
)  # fmt: skip
def test_a_voice_name_cannot_lead_out_of_a_folder(voice: str) -> None:
    with pytest.raises(InputError, match="not the name of a voice") as caught:
        checked_voice(voice)
    assert len(str(caught.value)) < 200
