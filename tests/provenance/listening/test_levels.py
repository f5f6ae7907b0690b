"""Levels are measured as the standards define them, whatever the blocks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from consent.errors import InputError
from provenance.listening.levels import SILENCE_DBFS, Levels, acx_problems, measure


def sine(
    peak_dbfs: float, seconds: float, rate: int = 48_000, frequency: float = 997.0, phase: float = 0
) -> np.ndarray:
    time = np.arange(round(seconds * rate)) / rate
    wave = 10 ** (peak_dbfs / 20) * np.sin(2 * np.pi * frequency * time + phase)
    return wave.astype(np.float32)


def chopped(samples: np.ndarray, seed: int = 1) -> Iterator[np.ndarray]:
    random, start = np.random.default_rng(seed), 0
    while start < samples.size:
        size = int(random.choice([0, 1, 7, 480, 4411, 65_537]))
        yield samples[start : start + size]
        start += size


def by_ffmpeg(samples: np.ndarray, rate: int) -> tuple[float, float]:
    """Integrated loudness and true peak by the ebur128 filter of FFmpeg."""
    av = pytest.importorskip("av")
    graph = av.filter.Graph()
    source = graph.add_abuffer(sample_rate=rate, format="flt", layout="mono", time_base=f"1/{rate}")
    meter = graph.add("ebur128", "peak=true:metadata=1")
    sink = graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    loudness, peak = float("nan"), float("-inf")

    def drain() -> None:
        nonlocal loudness, peak
        while True:
            try:
                frame = sink.pull()
            except (av.BlockingIOError, av.EOFError):
                return
            tags = dict(frame.metadata) if hasattr(frame, "metadata") else {}
            loudness = float(tags.get("lavfi.r128.I", loudness))
            peak = max(peak, float(tags.get("lavfi.r128.true_peaks_ch0", peak)))

    for start in range(0, samples.size, 4800):
        piece = samples[start : start + 4800]
        frame = av.AudioFrame.from_ndarray(piece[None, :], format="flt", layout="mono")
        frame.sample_rate, frame.pts = rate, start
        source.push(frame)
        drain()
    source.push(None)
    drain()
    if math.isnan(loudness):
        pytest.skip("this PyAV does not give the metadata of a frame")
    return loudness, peak


@pytest.mark.parametrize("rate", [22_050, 24_000, 44_100, 48_000])
def test_a_sine_of_known_level_measures_that_level(rate: int) -> None:
    found = measure([sine(-20.0 + 3.0103, 5.0, rate)], rate)
    assert found.rms_dbfs == pytest.approx(-20.0, abs=0.01)
    assert found.peak_dbfs == pytest.approx(-16.99, abs=0.02)
    assert found.true_peak_dbfs == pytest.approx(-16.99, abs=0.06)
    assert found.noise_floor_dbfs == pytest.approx(-20.0, abs=0.02)
    assert found.duration_s == pytest.approx(5.0)


@pytest.mark.parametrize("rate", [22_050, 24_000, 44_100, 48_000])
@pytest.mark.parametrize("peak_dbfs", [-20.0, -37.0])
def test_997_hz_sine_has_the_loudness_of_the_recommendation(rate: int, peak_dbfs: float) -> None:
    # BS.1770: a 0 dB FS sine of 997 Hz in one channel gives -3.01 LKFS.
    found = measure([sine(peak_dbfs, 20.0, rate)], rate)
    assert found.integrated_lufs == pytest.approx(peak_dbfs - 3.01, abs=0.05)


def test_loudness_gate_ignores_quiet_passages() -> None:
    # EBU Tech 3341 case 3: -36, -23, -36 LUFS; the quiet ends lie below the relative gate.
    parts = [sine(-33.0, 10.0), sine(-20.0, 60.0), sine(-33.0, 10.0)]
    assert measure(parts, 48_000).integrated_lufs == pytest.approx(-23.0, abs=0.1)
    # Case 4: with -72 LUFS added at both ends, below the absolute gate.
    parts = [sine(-69.0, 10.0), *parts, sine(-69.0, 10.0)]
    assert measure(parts, 48_000).integrated_lufs == pytest.approx(-23.0, abs=0.1)


def test_loudness_and_true_peak_agree_with_ffmpeg() -> None:
    random = np.random.default_rng(5)
    noise = (
        np.cumsum(random.normal(size=48_000 * 8)) % 1.0 - 0.5 + 0.2 * random.normal(size=384_000)
    )
    samples = (0.2 * noise * np.repeat(random.uniform(0.05, 1.0, 16), 24_000)).astype(np.float32)
    loudness, peak = by_ffmpeg(samples, 48_000)
    found = measure(chopped(samples), 48_000)
    assert found.integrated_lufs == pytest.approx(loudness, abs=0.1)
    assert found.true_peak_dbfs == pytest.approx(20 * math.log10(peak), abs=0.3)


def test_true_peak_finds_what_lies_between_samples() -> None:
    # A quarter of the sample rate at 45 degrees: every sample is 3 dB below the wave's top.
    wave = sine(-6.0, 1.0, frequency=12_000.0, phase=math.pi / 4)
    found = measure(chopped(wave), 48_000)
    assert found.peak_dbfs == pytest.approx(-9.01, abs=0.02)
    assert found.true_peak_dbfs == pytest.approx(-6.0, abs=0.2)


def test_size_of_blocks_does_not_matter() -> None:
    random = np.random.default_rng(3)
    samples = (0.1 * random.normal(size=150_000)).astype(np.float32)
    samples[60_000:90_000] *= 0.001
    whole, pieces = measure([samples], 44_100), measure(chopped(samples), 44_100)
    for field in (
        "rms_dbfs",
        "peak_dbfs",
        "true_peak_dbfs",
        "noise_floor_dbfs",
        "integrated_lufs",
        "duration_s",
        "head_silence_s",
        "tail_silence_s",
    ):
        assert getattr(pieces, field) == pytest.approx(getattr(whole, field), abs=1e-6), field


def test_noise_floor_is_the_quietest_half_second() -> None:
    tone = sine(-70.0 + 3.0103, 0.7, 44_100)
    samples = np.concatenate([sine(-20.0, 3.0, 44_100), tone, sine(-20.0, 3.0, 44_100)])
    assert measure([samples], 44_100).noise_floor_dbfs == pytest.approx(-70.0, abs=0.1)
    short = np.concatenate([sine(-20.0, 3.0, 44_100), tone[:4410], sine(-20.0, 3.0, 44_100)])
    assert measure([short], 44_100).noise_floor_dbfs > -25.0


def test_head_and_tail_are_timed_and_a_click_is_not_sound() -> None:
    samples = np.zeros(44_100 * 6, np.float32)
    samples[44_100 * 3 // 4 : 44_100 * 4] = sine(-20.0, 3.25, 44_100)
    samples[1000] = 0.5
    found = measure([samples], 44_100)
    assert found.head_silence_s == pytest.approx(0.75, abs=0.011)
    assert found.tail_silence_s == pytest.approx(2.0, abs=0.011)


def test_digital_silence_has_finite_levels() -> None:
    found = measure([np.zeros(24_000, np.float32)], 24_000)
    assert found.rms_dbfs == found.peak_dbfs == found.noise_floor_dbfs == SILENCE_DBFS
    assert found.integrated_lufs == SILENCE_DBFS
    assert found.head_silence_s == found.tail_silence_s == 1.0


@pytest.mark.parametrize(
    ("blocks", "rate", "said"),
    [
        ([], 24_000, "no audio"),
        ([np.zeros((4, 2), np.float32)], 24_000, "give mono"),
        ([np.array([0.0, np.nan], np.float32)], 24_000, "sample 1 is not a finite number"),
        ([np.zeros(10, np.float32)], 100, "sample rate of 100 Hz"),
    ],
)
def test_what_cannot_be_measured_is_named(blocks: list, rate: int, said: str) -> None:
    with pytest.raises(InputError, match=said):
        measure(blocks, rate)


GOOD = Levels(-20.0, -3.5, -3.4, -65.0, -19.5, 600.0, 0.7, 2.0, 44_100)


def test_a_file_within_the_limits_has_no_problems() -> None:
    assert acx_problems(GOOD) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rms_dbfs": -24.2}, "RMS -24.2 dB, at least -23 dB"),
        ({"rms_dbfs": -15.0}, "RMS -15.0 dB, at most -18 dB"),
        ({"peak_dbfs": -1.0}, "peak is -1.0 dB, at most -3 dB"),
        ({"noise_floor_dbfs": -55.0}, "noise floor is -55.0 dB RMS, at most -60 dB"),
        ({"head_silence_s": 0.2}, "starts with 0.20 s of room tone, 0.5 to 1 s"),
        ({"tail_silence_s": 6.0}, "ends with 6.00 s of room tone, 1 to 5 s"),
        ({"duration_s": 7300.0}, "lasts 122 minutes, at most 120"),
    ],
)
def test_each_limit_is_named_with_value(change: dict[str, float], said: str) -> None:
    problems = acx_problems(replace(GOOD, **change))
    assert len(problems) == 1
    assert said in problems[0]
