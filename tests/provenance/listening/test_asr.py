"""The recogniser hears real speech, offline, and says the same each time."""

from __future__ import annotations

import re
import socket
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from consent.errors import InputError
from provenance.listening.activity import quiet_point, resample, speech_regions
from provenance.listening.asr import Transcriber

CLIP = Path(__file__).parent / "data" / "chickens.ogg"
SAID = (
    "oh hang it i had not met him for years and glad as i am as a general thing to see the friends"
    " of my youth when they drop in for a chat"
)


@pytest.fixture(scope="module")
def clip() -> tuple[np.ndarray, int]:
    samples, rate = soundfile.read(CLIP, dtype="float32")
    return samples, rate


@pytest.fixture(scope="module")
def transcriber(tmp_path_factory: pytest.TempPathFactory) -> Transcriber:
    return Transcriber.load(SimpleNamespace(models=tmp_path_factory.mktemp("models")))


def plain(text: str) -> str:
    return re.sub(r"[^a-z ]", "", text.lower())


def test_speech_regions_bound_the_speech(clip: tuple[np.ndarray, int]) -> None:
    samples, rate = clip
    lead = np.zeros(rate, np.float32)
    regions = speech_regions(np.concatenate([lead, samples, lead, lead]), rate)
    total = samples.size / rate
    assert 0.9 < regions[0][0] < 1.3
    assert total + 0.2 < regions[-1][1] < total + 1.2
    assert all(a < b for a, b in regions)
    assert all(one[1] <= two[0] for one, two in pairwise(regions))


def test_noise_and_silence_are_not_speech() -> None:
    noise = (0.05 * np.random.default_rng(2).normal(size=48_000)).astype(np.float32)
    assert speech_regions(noise, 24_000) == []
    assert speech_regions(np.zeros(48_000, np.float32), 24_000) == []
    assert speech_regions(np.zeros(0, np.float32), 24_000) == []


@pytest.mark.parametrize(("rate", "target"), [(24_000, 16_000), (44_100, 16_000), (8_000, 16_000)])
def test_resampling_keeps_a_tone_and_the_length(rate: int, target: int) -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(rate) / rate).astype(np.float32)
    made = resample(tone, rate, target)
    expected = np.sin(2 * np.pi * 440 * np.arange(target) / target)
    assert made.size == target
    assert np.abs(made - expected)[200:-200].max() < 0.01


def test_stereo_is_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"shape \(10, 2\)"):
        resample(np.zeros((10, 2), np.float32), 24_000)


def test_audio_is_cut_in_its_last_pause() -> None:
    samples = np.full(16_000 * 10, 0.1, np.float32)
    for start, end in ((3.0, 3.5), (7.0, 7.4), (8.0, 8.1)):
        samples[int(start * 16_000) : int(end * 16_000)] = 0.0
    assert quiet_point(samples, 16_000, earliest=5.0) / 16_000 == pytest.approx(7.2, abs=0.03)
    assert quiet_point(samples, 16_000, earliest=7.6) / 16_000 == pytest.approx(8.05, abs=0.03)


@pytest.mark.slow
def test_words_and_times_are_heard_without_network(
    clip: tuple[np.ndarray, int], transcriber: Transcriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("something opened a network connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    samples, rate = clip
    heard = transcriber.transcribe(samples, rate, "en-GB")
    assert SAID in plain(heard.text)
    assert heard.language == "en"
    assert [word.text for word in heard.words] == heard.text.split()
    assert all(word.start <= word.end for word in heard.words)
    years = next(word for word in heard.words if word.text.startswith("years"))
    assert 2.0 < years.start < 6.0
    assert years.probability > 0.8
    assert transcriber.transcribe(samples, rate, "en-GB") == heard


@pytest.mark.slow
def test_language_is_detected(clip: tuple[np.ndarray, int], transcriber: Transcriber) -> None:
    assert transcriber.transcribe(*clip).language == "en"


@pytest.mark.slow
def test_an_unknown_language_is_named(
    clip: tuple[np.ndarray, int], transcriber: Transcriber
) -> None:
    with pytest.raises(InputError, match="'tlh'"):
        transcriber.transcribe(*clip, "tlh")


@pytest.mark.slow
def test_silence_has_no_words(transcriber: Transcriber) -> None:
    assert transcriber.transcribe(np.zeros(48_000, np.float32), 24_000, "en").words == ()
    assert transcriber.transcribe(np.zeros(0, np.float32), 24_000, "en").text == ""


@pytest.mark.slow
def test_long_audio_is_heard_window_by_window_with_running_times(
    clip: tuple[np.ndarray, int], transcriber: Transcriber
) -> None:
    samples, rate = clip
    times, length = 4, samples.size / rate
    blocks = (samples[i : i + 5000] for _ in range(times) for i in range(0, samples.size, 5000))
    parts = list(transcriber.stream(blocks, rate, "en"))
    assert len(parts) in {3, 4}
    assert all(part.words for part in parts)
    words = [word for part in parts for word in part.words]
    starts = [word.start for word in words if word.text.lower().startswith("doubted")]
    assert len(starts) == times
    assert np.diff(starts) == pytest.approx([length] * (times - 1), abs=0.5)


@pytest.mark.slow
def test_support_tells_what_was_said_from_what_was_not(
    clip: tuple[np.ndarray, int], transcriber: Transcriber
) -> None:
    samples, rate = clip
    text = (
        "Ukridge! Oh, hang it! I had not met {} for {}years, and, glad as I am, as a general thing"
    )
    true = transcriber.support(samples, rate, text.format("him", ""), "en")
    false = transcriber.support(samples, rate, text.format("Kate", "seventeen "), "en")
    assert {word.probability > 0.5 for word in true if word.text in {"him", "years"}} == {True}
    assert [word.text for word in false if word.probability < 0.01][:2] == ["Kate", "seventeen"]
    assert transcriber.support(samples, rate, "", "en") == []
