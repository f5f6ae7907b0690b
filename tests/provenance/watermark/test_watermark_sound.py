"""Marking and reading streams: any cut, any rate, several ids, and everything that is no speech.

The networks here are tones in NumPy (see the kit): what is tested is all that is around the real
ones. test_watermark_models.py has those.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from watermark_kit import RATE, lowpassed_noise, tones

from consent.errors import InputError
from provenance.audio.pcm import FloatArray
from provenance.watermark import MarkReading
from provenance.watermark.chunks import chunks
from provenance.watermark.embed import embed_channels
from provenance.watermark.read import FALSE_ID

ONE, TWO = "0123456789ab", "fedcba987654"


def marked(sound: FloatArray, rate: int = RATE, output_id: str = ONE, **more: float) -> FloatArray:
    return np.concatenate(list(tones().embed([sound], rate, output_id, **more)))


def read(sound: FloatArray, rate: int = RATE) -> MarkReading:
    return tones().read([sound], rate)


# Cutting ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [0.0, 0.01, 9.999, 10.0, 10.001, 21.0, 30.0])
@pytest.mark.parametrize("block", [777, 8000, 10**6])
def test_pieces_cover_a_stream_once_and_in_order(seconds: float, block: int) -> None:
    rate = 8000
    sound = np.arange(round(seconds * rate), dtype=np.float32)
    blocks = [sound[start : start + block] for start in range(0, sound.size, block)]
    pieces = list(chunks(blocks, rate))
    proper = [p.samples[p.before : p.before + p.length] for p in pieces]
    assert np.array_equal(np.concatenate(proper), sound)
    assert [piece.last for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    for piece in pieces:  # the context is what really lies around
        first = piece.start - piece.before
        assert np.array_equal(piece.samples, sound[first : first + piece.samples.size])
        after = min(rate, sound.size - piece.start - piece.length)
        assert piece.samples.size == piece.before + piece.length + after


def test_only_two_pieces_are_ever_held() -> None:
    taken = 0

    def source() -> Iterator[FloatArray]:
        nonlocal taken
        for _ in range(600):
            taken += 8000
            yield np.zeros(8000, np.float32)

    done = 0
    for piece in chunks(source(), 8000):
        done += piece.length
        assert taken - done <= 2 * 10 * 8000


@pytest.mark.parametrize("rate", [0, -1, 3999, 10**6])
def test_a_rate_that_no_recording_has_is_refused(rate: int) -> None:
    with pytest.raises(InputError, match="out of range"):
        list(chunks([np.zeros(10, np.float32)], rate))


# Marking ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [16_000, 24_000, 44_100, 48_000])
def test_an_id_comes_back_at_every_rate_and_however_the_stream_is_cut(rate: int) -> None:
    sound = lowpassed_noise(1, 12.3, rate)
    whole = marked(sound, rate)
    assert whole.size == sound.size
    assert whole.dtype == np.float32
    parts = [sound[start : start + 7001] for start in range(0, sound.size, 7001)]
    assert np.array_equal(np.concatenate(list(tones().embed(parts, rate, ONE))), whole)
    reading = tones().read([whole[:50], whole[50:]], rate)
    assert reading.output_id == ONE
    assert reading.p_value < FALSE_ID


def test_there_is_no_click_where_pieces_meet() -> None:
    sound = lowpassed_noise(2, 21)
    mark = marked(sound) - sound
    steps = np.abs(np.diff(mark))
    for seam in (10 * RATE, 20 * RATE):
        assert steps[seam - 2000 : seam + 2000].max() < 1.5 * np.quantile(steps, 0.999)


def test_digital_silence_stays_digital_silence() -> None:
    sound = lowpassed_noise(3, 6)
    sound[2 * RATE : 4 * RATE] = 0
    made = marked(sound)
    assert not made[2 * RATE + 1000 : 4 * RATE - 1000].any()
    assert not marked(np.zeros(3 * RATE, np.float32)).any()


@pytest.mark.parametrize("peak", [1.0, 0.999])
def test_nothing_is_clipped_and_the_mark_still_reads(peak: float) -> None:
    sound = lowpassed_noise(4, 12)
    sound = np.clip(sound * 12, -peak, peak).astype(np.float32)  # clipped before it came here
    made = marked(sound, strength=2.0)
    assert np.abs(made).max() <= 1
    assert read(made).output_id == ONE


def test_what_is_beyond_full_scale_is_left_alone() -> None:
    sound = (lowpassed_noise(5, 3) * 20).astype(np.float32)
    made = marked(sound)
    beyond = np.abs(sound) > 1
    assert beyond.any()
    assert np.array_equal(made[beyond], sound[beyond])


def test_strength_is_the_level_of_the_mark() -> None:
    sound = lowpassed_noise(6, 3)
    once, twice = (marked(sound, strength=s) - sound for s in (1.0, 2.0))
    assert np.allclose(twice, 2 * once, atol=1e-6)
    with pytest.raises(InputError, match="strength"):
        marked(sound, strength=100.0)


def test_stereo_keeps_its_image_and_carries_the_mark_in_both_channels() -> None:
    sound = np.stack([lowpassed_noise(7, 11), 0.3 * lowpassed_noise(8, 11)], axis=1)
    blocks = [sound[start : start + 5000] for start in range(0, len(sound), 5000)]
    made = np.concatenate(list(embed_channels(tones(), blocks, RATE, ONE)))
    assert made.shape == sound.shape
    difference = made - sound
    assert np.allclose(difference[:, 0], difference[:, 1], atol=1e-6)
    assert tones().read([made], RATE).output_id == ONE
    assert read(made[:, 1]).output_id == ONE


def test_samples_that_are_no_numbers_are_not_marked() -> None:
    sound = lowpassed_noise(9, 2)
    sound[100] = np.nan
    with pytest.raises(InputError, match="NaN"):
        marked(sound)


# Reading ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", [0.0, 0.137, 3.511])
def test_an_id_is_found_at_any_offset(start: float) -> None:
    whole = marked(lowpassed_noise(10, 14))
    reading = read(whole[round(start * RATE) :])
    assert [span.output_id for span in reading.spans] == [ONE]


@pytest.mark.parametrize("speed", [0.985, 1.01])
def test_an_id_is_found_when_the_words_are_a_little_off(speed: float) -> None:
    from provenance.watermark.alignment import search
    from provenance.watermark.coding import code

    rng = np.random.default_rng(11)
    at = np.floor((np.arange(600) + 8) / (25 * speed)).astype(int) % 20
    soft = (2.0 * code().encode(TWO)[at] - 1 + rng.standard_normal((600, 16))).astype(np.float32)
    found = search(soft, 1000)
    assert found is not None
    assert found.decoded.output_id == TWO
    assert abs(found.alignment.word - 25 * speed) < 0.2
    assert (found.alignment.words(1000, 1600, 20) == at).mean() > 0.9


def test_two_ids_and_what_is_unmarked_are_told_apart_within_a_fifth_of_a_second() -> None:
    clean = lowpassed_noise(12, 30)
    sound = clean.copy()
    sound[3 * RATE : 12 * RATE] = marked(clean[3 * RATE : 12 * RATE])
    sound[12 * RATE : 20 * RATE] = marked(clean[12 * RATE : 20 * RATE], output_id=TWO)
    sound[25 * RATE : 27 * RATE] = marked(clean[25 * RATE : 27 * RATE])
    spans = read(sound).spans
    assert [span.output_id for span in spans] == [ONE, TWO, None]
    expected = [(3, 12), (12, 20), (25, 27)]
    for span, (start, end) in zip(spans, expected, strict=True):
        assert abs(span.start_s - start) <= 0.2
        assert abs(span.end_s - end) <= 0.2
    assert all(span.p_value < FALSE_ID for span in spans[:2])


def test_a_short_piece_of_another_id_is_not_given_to_the_one_that_is_known() -> None:
    clean = lowpassed_noise(17, 16)
    sound = clean.copy()
    sound[: 9 * RATE] = marked(clean[: 9 * RATE])
    sound[12 * RATE : 14 * RATE] = marked(clean, output_id=TWO)[2 * RATE : 4 * RATE]
    assert [span.output_id for span in read(sound).spans] == [ONE, None]
    # but a short piece of the same output is known again
    sound[12 * RATE : 14 * RATE] = marked(clean)[12 * RATE : 14 * RATE]
    assert [span.output_id for span in read(sound).spans] == [ONE, ONE]


def test_too_short_for_an_id_says_so() -> None:
    reading = read(marked(lowpassed_noise(13, 2)))
    assert reading.present
    assert reading.output_id is None
    assert "too short for an id" in " ".join(reading.notes)


def test_unmarked_sound_is_unmarked() -> None:
    for seed in range(20, 24):
        reading = read(lowpassed_noise(seed, 12))
        assert not reading.present
        assert reading.spans == ()
        assert reading.output_id is None


BAD = {
    "nothing": np.zeros(0, np.float32),
    "one sample": np.ones(1, np.float32),
    "50 ms": lowpassed_noise(30, 0.05),
    "digital zero": np.zeros(5 * RATE, np.float32),
    "hardly anything": np.full(5 * RATE, 1e-7, np.float32),
    "offset": np.full(5 * RATE, 0.7, np.float32),
    "all NaN": np.full(5 * RATE, np.nan, np.float32),
    "all infinite": np.full(5 * RATE, np.inf, np.float32),
    "square wave": np.tile(np.repeat(np.float32([1, -1]), 40), 1000),
    "impulse": np.eye(1, 5 * RATE, 77, dtype=np.float32)[0],
    "enormous": 1e30 * lowpassed_noise(31, 3),
}


@pytest.mark.parametrize("what", list(BAD))
def test_what_is_no_speech_has_no_id_and_breaks_nothing(what: str) -> None:
    reading = read(BAD[what])
    assert reading.output_id is None
    if what in {"nothing", "one sample", "50 ms", "digital zero", "all NaN", "hardly anything"}:
        assert not reading.present
        assert "nothing can be said" in " ".join(reading.notes)


def test_damaged_samples_are_counted_and_do_not_hide_the_rest() -> None:
    sound = marked(lowpassed_noise(14, 14))
    sound[5 * RATE : 5 * RATE + 99] = np.nan
    reading = read(sound)
    assert reading.output_id == ONE
    assert "99 samples are not numbers" in reading.notes[0]


@pytest.mark.parametrize("change", ["offset", "polarity", "quiet", "clipped"])
def test_offset_polarity_and_level_do_not_matter(change: str) -> None:
    sound = marked(lowpassed_noise(15, 12))
    changed = {
        "offset": sound + 0.4,
        "polarity": -sound,
        "quiet": sound * 0.003,
        "clipped": np.clip(sound, -0.3, 0.3),
    }[change]
    assert read(changed.astype(np.float32)).output_id == ONE


@pytest.mark.parametrize(("rate", "found"), [(8_000, False), (192_000, True)])
def test_a_narrow_band_and_a_wide_one_get_a_clear_answer(rate: int, found: bool) -> None:
    # The tones of the upper bits lie above what 8 kHz can hold; the answer may be "no id".
    sound = lowpassed_noise(16, 11, rate)
    reading = tones().read([np.stack([marked(sound, rate)] * 2, axis=1)], rate)
    assert reading.output_id == (ONE if found else None)
