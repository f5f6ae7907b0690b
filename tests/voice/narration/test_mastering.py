from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest

from provenance.listening.levels import acx_problems, measure
from voice.narration.master import (
    ACX,
    Limiter,
    MasteredChapter,
    level,
    rechunk,
    room_tone,
    set_gains,
)

RATE = 24000


def babble(seconds: float, *, loud: float = 0.1, seed: int = 1) -> np.ndarray:
    """Noise with the envelope of speech: syllables, pauses, a high crest factor."""
    rng = np.random.default_rng(seed)
    count = int(seconds * RATE)
    envelope = np.repeat(rng.uniform(0, 1, count // 1200 + 1) ** 1.5, 1200)[:count]
    pauses = np.repeat(rng.random(count // 12000 + 1) > 0.2, 12000)[:count]
    sound = rng.standard_normal(count).clip(-2.2, 2.2) * envelope * pauses * loud
    edge = np.zeros(int(0.75 * RATE)), np.zeros(2 * RATE)
    return np.concatenate([edge[0], sound, edge[1]]).astype(np.float32)


def chapter(samples: np.ndarray, *, block: int = 24000, rate: int = RATE) -> MasteredChapter:
    def blocks() -> Iterator[np.ndarray]:
        return iter([samples[i : i + block] for i in range(0, samples.size, block)])

    return MasteredChapter(blocks, samples.size, rate)


def finished(made: MasteredChapter) -> np.ndarray:
    return np.concatenate(list(made.blocks()))


@pytest.mark.parametrize("block", [1, 480, 777, 24000, 10**7])
def test_the_result_does_not_depend_on_the_blocks(block: int) -> None:
    samples = babble(1.5 if block == 1 else 8.0, loud=0.8)
    whole = finished(chapter(samples, block=samples.size))
    assert np.array_equal(finished(chapter(samples, block=block)), whole)


def test_the_same_twice() -> None:
    made = chapter(babble(5.0))
    assert np.array_equal(finished(made), finished(made))


@pytest.mark.parametrize("loud", [0.02, 0.05, 0.5, 3.0])
def test_any_level_comes_out_within_the_limits_of_acx(loud: float) -> None:
    (made,) = set_gains([chapter(babble(20.0, loud=loud))])
    out = finished(made)
    assert out.size == made.samples
    levels = measure([out], RATE)
    assert acx_problems(levels) == []
    assert levels.rms_dbfs == pytest.approx(ACX.rms, abs=0.6)
    assert levels.noise_floor_dbfs == pytest.approx(ACX.room_tone, abs=2.0)


def test_chapters_keep_their_relation_unless_one_would_break_the_limits() -> None:
    parts = [babble(20, loud=0.1, seed=1), babble(20, loud=0.12, seed=2), babble(20, loud=0.4)]
    gains = [made.gain for made in set_gains([chapter(part) for part in parts])]
    assert gains[0] == pytest.approx(gains[1], abs=0.75)
    assert gains[2] < gains[1] - 3
    for part, gain in zip(parts, gains, strict=True):
        made = MasteredChapter(chapter(part).source, part.size, RATE, gain)
        rms = level(made.energy(limited=True), part.size)
        assert -23.0 <= rms <= -18.0


def test_silence_is_not_raised() -> None:
    (made,) = set_gains([chapter(np.zeros(RATE * 5, dtype=np.float32))])
    assert made.gain == 0.0
    assert measure([finished(made)], RATE).rms_dbfs == pytest.approx(ACX.room_tone, abs=0.5)


@pytest.mark.parametrize("rate", [22050, 24000, 44100])
def test_the_limiter_never_exceeds_its_ceiling_and_is_only_late(rate: int) -> None:
    rng = np.random.default_rng(5)
    sound = rng.standard_normal(rate * 2) * rng.choice([0.05, 0.3, 2.0], rate * 2)
    limiter = Limiter(rate, ceiling=-4.0, lookahead_s=0.005, release_db_per_s=40.0)
    out = np.concatenate([limiter.process(b) for b in rechunk([sound], 1000)] + [limiter.flush()])
    assert np.abs(out).max() <= 10 ** (-4 / 20)
    quiet = sound * 1e-2
    limiter = Limiter(rate, ceiling=-4.0, lookahead_s=0.005, release_db_per_s=40.0)
    out = np.concatenate([limiter.process(quiet), limiter.flush()])
    assert np.array_equal(out[limiter.delay :], quiet)


def test_the_limiter_needs_no_clipping_at_the_peak() -> None:
    """A lone peak is turned down smoothly: its neighbours are turned down with it."""
    sound = np.full(4800, 0.5)
    sound[2400] = 2.0
    limiter = Limiter(RATE, ceiling=-6.0, lookahead_s=0.005, release_db_per_s=40.0)
    out = np.concatenate([limiter.process(sound), limiter.flush()])[limiter.delay :]
    gain = out / sound
    assert out[2400] == pytest.approx(10 ** (-6 / 20), rel=1e-6)
    steps = np.abs(np.diff(20 * np.log10(gain)))
    assert steps.max() < 0.4  # dB per sample, 12 dB over 120 samples
    assert gain[2400 - limiter.delay - 2] == pytest.approx(1.0, abs=0.01)


def test_rumble_is_removed_and_voices_are_left() -> None:
    time = np.arange(RATE * 4) / RATE
    for frequency, low, high in ((15, -60, -40), (100, -0.5, 0.1), (1000, -0.1, 0.1)):
        tone = (0.1 * np.sin(2 * np.pi * frequency * time)).astype(np.float32)
        made = chapter(tone)
        change = level(made.energy(limited=False), tone.size) - level(
            float(np.dot(tone.astype(float), tone)), tone.size
        )
        assert low <= change <= high, frequency


def test_room_tone_is_a_seamless_loop_at_its_level() -> None:
    tone = room_tone(RATE, -72.0)
    assert 10 * np.log10(np.mean(tone.astype(float) ** 2)) == pytest.approx(-72, abs=0.01)
    inside = np.abs(np.diff(tone)).max()
    assert abs(tone[0] - tone[-1]) <= inside
    assert not tone.flags.writeable


def test_pauses_are_never_digital_silence() -> None:
    out = finished(chapter(np.zeros(RATE * 40, dtype=np.float32)))
    longest = (
        max(len(list(run)) for value, run in itertools.groupby(out == 0) if value)
        if (out == 0).any()
        else 0
    )
    assert longest < 10


def test_mastering_streams() -> None:
    """Only a block or two may be asked for before the first one comes out."""
    asked = 0

    def endless() -> Iterator[np.ndarray]:
        nonlocal asked
        while True:
            asked += 1
            yield np.zeros(4800, dtype=np.float32)

    next(MasteredChapter(endless, 10**12, RATE).blocks())
    assert asked <= 12
