"""Words are aligned as a listener would, in bounded time."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice.narration.alignment import (
    Agreement,
    align,
    edit_distance,
    sounds_alike,
    word_error_rate,
    word_errors,
)

WORDS = st.lists(
    st.sampled_from(["a", "hen", "fowl", "ran", "ukridge", "mister", "twenty"]), max_size=25
)


@pytest.mark.parametrize(
    ("reference", "hypothesis", "strict", "tolerant"),
    [
        ("The hens ran away.", "the hens ran away", 0.0, 0.0),
        ("The hens ran away.", "The hens ran", 0.25, 0.25),
        ("The hens ran away.", "The hens all ran away", 0.25, 0.25),
        ("The hens ran away.", "", 1.0, 1.0),
        ("Ukridge ran away now", "Youkridge ran away now", 0.25, 0.0),
        ("A post script to-day", "A postscript today.", 0.0, 0.0),
        ("nineteen hundred and six it was", "1906 it was", 0.0, 0.0),
        ("The [hens](/hɛnz/) ran away.", "the hens ran away", 0.0, 0.0),
        ("", "", 0.0, 0.0),
        ("", "you", 1.0, 1.0),
    ],
)
def test_word_error_rate_counts_what_is_wrong(
    reference: str, hypothesis: str, strict: float, tolerant: float
) -> None:
    assert word_error_rate(reference, hypothesis) == pytest.approx(strict)
    assert word_error_rate(reference, hypothesis, tolerant=True) == pytest.approx(tolerant)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ukridge", "uckridge"), ("ukridge", "accridged"), ("whiteleys", "whitleys"),
        ("featherstonehaugh", "featherstonehaw"), ("phyllis", "phillys"), ("borne", "born"),
        ("fowl", "foul"), ("derrick", "derek"), ("wyandottes", "wyandots"),
    ],
)  # fmt: skip
def test_spellings_of_one_sound_are_alike(one: str, other: str) -> None:
    assert sounds_alike(one, other)
    assert sounds_alike(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("hens", "house"), ("yes", "no"), ("morning", "evening"), ("he", "she"), ("came", "went"),
        ("ukridge", "garnet"), ("thirteen", "fifty"), ("never", "always"), ("sir", "tea"),
    ],
)  # fmt: skip
def test_different_words_are_not_alike(one: str, other: str) -> None:
    assert not sounds_alike(one, other)


def levenshtein(one: list[str], two: list[str]) -> int:
    """Word errors by the textbook."""
    previous = list(range(len(two) + 1))
    for i, a in enumerate(one, 1):
        current = [i]
        for j, b in enumerate(two, 1):
            current.append(min(previous[j] + 1, current[-1] + 1, previous[j - 1] + (a != b)))
        previous = current
    return previous[-1]


@given(WORDS, WORDS)
def test_stretches_cover_both_texts_in_order_and_equal_ones_are_equal(
    script: list[str], heard: list[str]
) -> None:
    stretches = align(script, heard)
    i = j = 0
    for one in stretches:
        assert (one.script_start, one.heard_start) == (i, j)
        i, j = one.script_end, one.heard_end
        if one.agreement is Agreement.SAME:
            assert "".join(script[one.script_start : i]) == "".join(heard[one.heard_start : j])
    assert (i, j) == (len(script), len(heard))


@given(st.lists(st.sampled_from(["kzq", "bzf", "mwr", "tpl"]), max_size=15),
       st.lists(st.sampled_from(["kzq", "bzf", "mwr", "tpl"]), max_size=15))  # fmt: skip
def test_errors_of_short_texts_are_the_least_possible(one: list[str], two: list[str]) -> None:
    # Words that are neither alike nor joinable, so that strict errors are plain Levenshtein.
    if "".join(one) != "".join(two):
        assert word_errors(align(one, two)) >= levenshtein(one, two) - 1
        assert word_errors(align(one, two)) <= levenshtein(one, two) + 1


@given(st.text("abcd", max_size=8), st.text("abcd", max_size=8))
def test_edit_distance_is_symmetric_and_bounded(one: str, two: str) -> None:
    assert edit_distance(one, two) == edit_distance(two, one) <= max(len(one), len(two))
    assert edit_distance(one, one) == 0


def test_a_whole_book_is_aligned_in_seconds_with_its_faults_found() -> None:
    random.seed(4)
    vocabulary = [f"w{number}x" for number in range(4000)]
    script = random.choices(vocabulary, [1 / (k + 1) for k in range(4000)], k=50_000)
    heard = list(script)
    for place in random.sample(range(50_000), 1500):
        heard[place] = "zz"
    del heard[30_000:31_200]
    heard[10_000:10_000] = heard[9_700:10_000]
    started = time.perf_counter()
    stretches = align(script, heard)
    assert time.perf_counter() - started < 20
    lost = max(stretches, key=lambda one: one.lost)
    assert lost.lost == pytest.approx(1200, abs=4)
    assert lost.script_start == pytest.approx(30_000, abs=4)
    added = sum(max(0, one.added - one.lost) for one in stretches)
    assert added == pytest.approx(300, abs=4)
