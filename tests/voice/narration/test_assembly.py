from __future__ import annotations

import numpy as np
import pytest

from consent.home import Home
from voice.narration.assemble import (
    HEAD_S,
    TAIL_S,
    ChapterTrack,
    Piece,
    SegmentLost,
    resample,
    resampled_length,
    voice_gains,
)
from voice.narration.cache import SegmentCache
from voice.narration.speech import LEAD_GUARD_S, TAIL_GUARD_S, analyse


@pytest.fixture
def cache(home: Home) -> SegmentCache:
    return SegmentCache.open(home)


def tone(seconds: float, *, rate: int = 24000, level: float = 0.3, edge: float = 0.2) -> np.ndarray:
    time = np.arange(int(seconds * rate)) / rate
    quiet = np.zeros(int(edge * rate))
    return np.concatenate([quiet, level * np.sin(2 * np.pi * 300 * time), quiet]).astype(np.float32)


def piece(
    cache: SegmentCache, name: str, samples: np.ndarray, *, rate: int = 24000, pause: float = 0.5
) -> Piece:
    key = f"{int(name.replace('.', '')):064x}"
    cache.put(key, samples, rate)
    return Piece(name, f"Text {name}", key, analyse(samples, rate), pause)


def test_the_engines_own_edges_give_way_to_the_pauses_of_the_script() -> None:
    stats = analyse(tone(1.0), 24000)
    assert stats.start == pytest.approx((0.2 - LEAD_GUARD_S) * 24000, abs=480)
    assert stats.stop == pytest.approx((1.2 + TAIL_GUARD_S) * 24000, abs=480)


def test_a_weak_onset_is_not_cut_off() -> None:
    """A fricative 40 dB below the vowel still counts as speech."""
    hiss = np.random.default_rng(1).standard_normal(2400).astype(np.float32) * 0.002
    vowel = tone(0.5, edge=0.0)
    silence = np.zeros(4800, dtype=np.float32)
    stats = analyse(np.concatenate([silence, hiss, vowel, silence]), 24000)
    assert stats.start <= 4800 - LEAD_GUARD_S * 24000 + 240


def test_silence_and_nothing_have_no_speech() -> None:
    assert analyse(np.zeros(0, dtype=np.float32), 24000).samples == 0
    stats = analyse(np.zeros(2400, dtype=np.float32), 24000)
    assert (stats.active_samples, stats.peak) == (0, 0.0)


def test_a_chapter_is_head_segments_pauses_tail_to_the_sample(cache: SegmentCache) -> None:
    pieces = [piece(cache, "1.1", tone(1.0)), piece(cache, "1.2", tone(0.5), pause=3.0)]
    track = ChapterTrack(1, "One", pieces, rate=24000, cache=cache)
    one, two = track.span.segments
    assert one.start == HEAD_S * 24000
    assert two.start - one.stop == 0.5 * 24000
    assert track.samples - two.stop == TAIL_S * 24000  # the last pause gives way to the tail
    audio = np.concatenate(list(track.blocks()))
    assert audio.size == track.samples
    assert not audio[: one.start].any()
    assert not audio[one.stop : two.start].any()
    assert not audio[two.stop :].any()
    assert audio[one.start : one.stop].any()
    assert np.array_equal(audio, np.concatenate(list(track.blocks())))  # again, from the start


def test_edges_do_not_click(cache: SegmentCache) -> None:
    loud = np.full(12000, 0.5, dtype=np.float32)
    track = ChapterTrack(1, "", [piece(cache, "1.1", loud)], rate=24000, cache=cache)
    audio = np.concatenate(list(track.blocks()))
    assert np.abs(np.diff(audio)).max() < 0.02


@pytest.mark.parametrize(("rate", "target"), [(22050, 24000), (24000, 44100), (24000, 24000)])
def test_sample_rates_become_one(cache: SegmentCache, rate: int, target: int) -> None:
    pieces = [piece(cache, "1.1", tone(1.003, rate=rate), rate=rate)]
    track = ChapterTrack(1, "", pieces, rate=target, cache=cache)
    (span,) = track.span.segments
    stats = pieces[0].stats
    assert stats is not None
    assert (span.stop - span.start) / target == pytest.approx(stats.seconds, abs=2 / target)
    audio = np.concatenate(list(track.blocks()))
    assert audio.size == track.samples
    inner = audio[span.start + target // 5 : span.stop - target // 5]
    spectrum = np.abs(np.fft.rfft(inner * np.hanning(inner.size)))
    assert spectrum.argmax() * target / inner.size == pytest.approx(300, abs=2)


@pytest.mark.parametrize("count", [1, 2, 79, 80, 81, 24000, 54321])
def test_the_length_after_resampling_is_known_before(count: int) -> None:
    samples = np.ones(count, dtype=np.float32)
    for rate, target in ((22050, 24000), (24000, 44100), (44100, 24000), (16000, 22050)):
        assert resample(samples, rate, target).size == resampled_length(count, rate, target)


def test_a_segment_that_is_only_a_pause_adds_its_pause(cache: SegmentCache) -> None:
    pieces = [
        piece(cache, "1.1", tone(0.5), pause=0.5),
        Piece("1.2", "", None, None, 1.5),
        piece(cache, "1.3", tone(0.5)),
    ]
    one, three = ChapterTrack(1, "", pieces, rate=24000, cache=cache).span.segments
    assert three.start - one.stop == 2.0 * 24000


def test_a_lost_segment_is_an_error_that_says_what_to_do(cache: SegmentCache) -> None:
    made = piece(cache, "1.1", tone(0.5))
    track = ChapterTrack(1, "", [made], rate=24000, cache=cache)
    assert made.key is not None
    cache.remove(made.key)
    with pytest.raises(SegmentLost, match=r"segment 1\.1 .*") as caught:
        list(track.blocks())
    assert "same command" in str(caught.value.hint)


def test_the_voices_of_a_cast_are_brought_to_the_narrators_level() -> None:
    stats = {
        "a": [analyse(tone(1.0, level=0.3), 24000)],
        "b": [analyse(tone(1.0, level=0.1), 24000), analyse(tone(3.0, level=0.1), 24000)],
        "c": [analyse(tone(1.0, level=0.001), 24000)],
        "mute": [analyse(np.zeros(100, dtype=np.float32), 24000)],
    }
    gains = voice_gains(stats, "a")
    assert gains["a"] == 1.0
    assert gains["b"] == pytest.approx(3.0, rel=0.02)
    assert gains["c"] == pytest.approx(10 ** (12 / 20))  # no more than 12 dB
    assert gains["mute"] == 1.0
