"""Faults in rendered segments are found; the recogniser's own errors are forgiven."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from provenance.listening.asr import Transcriber, Transcript, Word
from voice.narration import coverage
from voice.narration.alignment import align
from voice.narration.checks import CheckReport, check_file, check_segments
from voice.script.model import BlockKind, Plan, PlanChapter, Segment

RATE = 16_000
CLIP = Path(__file__).parents[2] / "provenance" / "listening" / "data" / "chickens.ogg"


def segment(number: int, text: str) -> Segment:
    return Segment(f"1.{number}", BlockKind.PARAGRAPH, text, text, "en-US")


class Scripted:
    """A listener that says what it is told, in turn, evenly over the audio it is given."""

    def __init__(self, *hearings: str, support: dict[str, float] | None = None) -> None:
        self.hearings = list(hearings)
        self.probabilities = support or {}
        self.asked = 0

    def transcribe(
        self, samples: np.ndarray, rate: int, language: str | None = None, *, beam: int = 1
    ) -> Transcript:
        text = self.hearings.pop(0)
        words = text.split()
        step = samples.size / rate / max(1, len(words))
        timed = [Word(word, i * step, (i + 1) * step, 0.9) for i, word in enumerate(words)]
        return Transcript(text, tuple(timed), "en")

    def support(
        self, samples: np.ndarray, rate: int, text: str, language: str | None = None
    ) -> list[Word]:
        self.asked += 1
        return [Word(word, 0, 0, self.probabilities.get(word, 0.0)) for word in text.split()]


TEXT = "Ukridge had asked me to come down and help him with the fowls at once"


def verdict(listener: Scripted, text: str = TEXT) -> str:
    [check] = check_segments([(segment(1, text), np.zeros(RATE * 4, np.float32))], RATE, listener)
    return check.verdict


@pytest.mark.parametrize(
    "heard",
    [
        TEXT,
        "Youkridge had asked me to come down and help him with the fouls at once.",
        "Ukridge had asked me to come down and help them with the fowls at once.",
    ],
)
def test_a_sound_segment_is_heard_once(heard: str) -> None:
    listener = Scripted(heard)
    assert verdict(listener) == "ok"
    assert listener.hearings == []


def test_a_second_hearing_overrules_the_first() -> None:
    listener = Scripted("Ukridge had asked.", TEXT)
    assert verdict(listener) == "ok"
    assert listener.asked == 0


@pytest.mark.parametrize(
    ("heard", "expected"),
    [
        ("", "missing"),
        ("Ukridge had asked me to come down and help him", "missing"),
        ("Ukridge had asked me to come down and help him with the fowls at", "missing"),
        ("Ukridge had asked me with the fowls at once", "missing"),
        (f"{TEXT} with the fowls at once", "repeated"),
        (f"{TEXT} {TEXT}", "repeated"),
        ("Blue trains are running over seven distant mountains every other evening", "garbled"),
        (f"{TEXT} the seven blue trains go", "garbled"),
    ],
)
def test_what_every_hearing_finds_wrong_is_wrong(heard: str, expected: str) -> None:
    assert verdict(Scripted(heard, heard, heard)) == expected


def test_hearings_that_err_in_different_places_confirm_each_other() -> None:
    listener = Scripted(
        "Ukridge had asked me to come down and help him with the",
        "had asked me to come down and help him with the fowls at",
        "Come down and help him with the fowls at once",
    )
    assert verdict(listener) == "ok"


def test_words_the_sound_bears_out_are_forgiven_and_counted_in_the_strict_rate() -> None:
    heard = ["Khmer Rejus."] * 3
    sure = {"Combe": 0.4, "Regis.": 0.2}
    audio = np.zeros(RATE, np.float32)
    [check] = check_segments(
        [(segment(1, "Combe Regis."), audio)], RATE, Scripted(*heard, support=sure)
    )
    assert (check.verdict, check.tolerant_wer) == ("ok", 0.0)
    assert check.wer > 0
    assert verdict(Scripted(*["Rain falls."] * 3), "Combe Regis.") == "garbled"


def test_a_lacking_word_needs_more_support_than_a_misheard_one() -> None:
    short = "I refuse to be haunted in this"
    assert verdict(Scripted(short, short, short, support={"way": 0.1}), short + " way") == "missing"
    other = short + " day"
    assert verdict(Scripted(other, other, other, support={"way": 0.1}), short + " way") == "ok"


def test_segments_share_a_window_and_words_go_where_they_were_said() -> None:
    texts = ["one two three four", "five six seven eight", "nine ten eleven twelve"]
    items = [(segment(i, text), np.zeros(RATE * 2, np.float32)) for i, text in enumerate(texts)]
    listener = Scripted(" ".join(texts))
    checks = check_segments(items, RATE, listener)
    assert [check.segment_id for check in checks] == ["1.0", "1.1", "1.2"]
    assert [check.heard for check in checks] == texts


def test_pronunciations_are_compared_as_words_and_wordless_segments_pass() -> None:
    text = "[Ukridge](/ˈjuːkɹɪʤ/) [never](+1) came."
    assert verdict(Scripted("Ukridge never came."), text) == "ok"
    assert verdict(Scripted(""), "…") == "ok"


def test_a_report_counts_and_speaks() -> None:
    audio = np.zeros(RATE * 16, np.float32)
    listener = Scripted("The hens ran away", "", "", "")
    checks = check_segments(
        [(segment(1, "The hens ran away"), audio), (segment(2, "Sir?"), audio)], RATE, listener
    )
    report = CheckReport.of(checks, audio_seconds=32.0)
    assert (report.segments, report.words) == (2, 5)
    assert report.wer == pytest.approx(0.2)
    assert report.verdicts["missing"] == 1
    assert report.to_json()["suspicious"][0]["segment"] == "1.2"
    assert "Segment 1.2 (missing): Not heard: “sir”." in report.sentences()


def test_sound_without_words_is_not_passed_over() -> None:
    hum = (0.1 * np.sin(np.arange(RATE * 8))).astype(np.float32)
    listener = Scripted(TEXT, "at once", TEXT, "at once", TEXT, "at once")
    late = SimpleNamespace(
        transcribe=lambda *args, **more: _early(listener.transcribe(*args, **more)),
        support=listener.support,
    )
    [check] = check_segments([(segment(1, TEXT), hum)], RATE, late)
    assert check.verdict == "garbled"
    assert "no words could be made out" in check.detail


def _early(heard: Transcript) -> Transcript:
    """Move all words into the first half."""
    words = tuple(Word(w.text, w.start / 2, w.end / 2, w.probability) for w in heard.words)
    return Transcript(heard.text, words, heard.language)


# Real speech from here on: three sentences of a clip, cut where the pauses are.

SENTENCES = (
    ("Ukridge!", 0.0, 0.95),
    ("Oh, hang it!", 0.95, 2.26),
    (
        "I had not met him for years, and, glad as I am, as a general thing, to see the friends of "
        "my youth when they drop in for a chat, I doubted whether I was quite equal to Ukridge at "
        "the moment.",
        2.26,
        14.2,
    ),
)


@pytest.fixture(scope="module")
def transcriber(tmp_path_factory: pytest.TempPathFactory) -> Transcriber:
    return Transcriber.load(SimpleNamespace(models=tmp_path_factory.mktemp("models")))


@pytest.fixture(scope="module")
def speech() -> list[tuple[Segment, np.ndarray]]:
    samples, rate = soundfile.read(CLIP, dtype="float32")
    assert rate == RATE
    return [
        (segment(i, text), samples[int(a * rate) : int(b * rate)])
        for i, (text, a, b) in enumerate(SENTENCES)
    ]


@pytest.mark.slow
def test_real_speech_passes_and_its_faults_do_not(
    transcriber: Transcriber, speech: list[tuple[Segment, np.ndarray]]
) -> None:
    checks = check_segments(speech, RATE, transcriber)
    assert [check.verdict for check in checks] == ["ok", "ok", "ok"]
    assert checks[2].wer < 0.1

    text, sound = speech[2]
    half = sound.size // 2
    damaged = {
        "missing": sound[: half + half // 2],
        "repeated": np.concatenate([sound, sound[half:]]),
    }
    for expected, bad in damaged.items():
        [check] = check_segments([(text, bad)], RATE, transcriber)
        assert check.verdict == expected, check
        assert check.detail


def plan(*texts: str) -> Plan:
    segments = tuple(segment(i + 1, text) for i, text in enumerate(texts))
    return Plan("Chickens", ("P. G. Wodehouse",), "en-GB", "kokoro:af_heart",
                (PlanChapter(1, "One", segments),))  # fmt: skip


def test_a_repeated_passage_is_named_by_its_own_segments_only() -> None:
    script = ["the hens and the cock ran to the wood", "my aunt came up the hill and saw the sea",
              "a man of the sea told me that the hens and the men were gone"]  # fmt: skip
    words = [word for text in script for word in text.split()]
    owners = [f"1.{i}" for i, text in enumerate(script) for _ in text.split()]
    heard = coverage._Heard([], [])
    said = " ".join([script[0], script[1], script[1], script[2]])
    heard.add([Word(word, k, k + 1, 0.9) for k, word in enumerate(said.split())], "en")
    [span] = coverage._repeated(align(words, heard.words), words, owners, heard)
    assert (span.first, span.last) == ("1.1", "1.1")
    assert span.words >= 8


@pytest.mark.slow
def test_a_whole_file_is_compared_with_its_plan(
    transcriber: Transcriber, speech: list[tuple[Segment, np.ndarray]], tmp_path: Path
) -> None:
    texts = [text for text, _, _ in SENTENCES]
    sounds = [sound for _, sound in speech]
    path = tmp_path / "file.wav"

    def written(*order: int) -> Path:
        soundfile.write(path, np.concatenate([sounds[i] for i in order]), RATE)
        return path

    good = check_file(written(0, 1, 2, 1, 0), plan(*texts, texts[1], texts[0]), transcriber)
    assert good.complete
    assert good.coverage > 0.95
    assert good.audio_seconds == pytest.approx(sum(s.size for s in sounds) / RATE + 2.26, abs=0.1)

    lacking = check_file(written(0, 1), plan(*texts), transcriber)
    [span] = lacking.missing
    assert (span.first, span.last) == ("1.3", "1.3")
    assert span.words > 35
    assert lacking.coverage < 0.2

    twice = check_file(written(0, 1, 2, 2), plan(*texts), transcriber)
    [span] = twice.repeated
    assert span.first == span.last == "1.3"
    assert twice.coverage > 0.95
    assert any("Said twice" in line for line in twice.sentences())
