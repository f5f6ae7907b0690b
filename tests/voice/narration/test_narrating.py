from __future__ import annotations

import json
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from narration_kit import ToneFolder, make_plan, playable

from consent.errors import InputError, ModelError, RefusedError, StorageError
from consent.home import Home
from consent.registry import Registry
from provenance.audio.decode import opened_blocks, probe
from provenance.verify import verify
from voice.narration import NarrationResult, narrate, speak
from voice.narration.events import Event, Notice, PhaseStarted, Progress
from voice.narration.job import make_job
from voice.narration.usage import Usage
from voice.script.model import Skipped

CHAPTERS = (
    ["Part one.", "It was a dark night.", "Sir?", "Nobody was there."],
    ["Part two.", "Sir?", "The morning came at last, and it was grey."],
)


@pytest.fixture
def run(tone: ToneFolder, home: Home, registry: Registry, tmp_path: Path) -> Any:
    def run(*chapters: list[str], **options: Any) -> NarrationResult:
        plan = options.pop("plan", None) or make_plan(*(chapters or CHAPTERS))
        fixed: dict[str, Any] = {"workers": 2, "check": False}
        return narrate(
            plan,
            output=options.pop("output", tmp_path / "book.m4b"),
            home=home,
            registry=registry,
            **{**fixed, **options},
        )

    return run


def decoded(path: Path) -> np.ndarray:
    with opened_blocks(path, mono=True) as (blocks, _rate):
        return np.concatenate(list(blocks))


def test_a_plan_becomes_a_sealed_book_with_exact_chapters(
    run: Any, home: Home, tone: ToneFolder
) -> None:
    events: list[Event] = []
    result = run(subtitles=("srt", "vtt"), progress=events.append)
    (output,) = result.outputs
    assert verify(output.path, home=home).status == "trusted"
    info = probe(output.path)
    starts = [chapter.start_s for chapter in output.chapters]
    assert [(m.title, m.start_s) for m in info.chapters] == [
        ("Part 1", pytest.approx(0.0, abs=1e-3)),
        ("Part 2", pytest.approx(starts[1], abs=1e-3)),
    ]
    assert info.tags["title"] == "The Book"
    assert info.tags["artist"] == "A. Writer"
    assert info.tags["composer"] == "tone:alto"
    assert output.problems == ()
    assert [path.name for path in output.subtitles] == ["book.srt", "book.vtt"]
    assert result.complete
    assert json.loads(json.dumps(result.to_json()))["outputs"][0]["output_id"]
    phases = [event.phase for event in events if isinstance(event, PhaseStarted)]
    assert phases == ["prepare", "render", "master", "seal"]
    done = [e for e in events if isinstance(e, Progress) and e.phase == "render"]
    assert [e.done for e in done] == sorted(e.done for e in done)
    assert done[-1].done == done[-1].total == 7
    assert done[-1].seconds_left == 0.0
    assert playable(home.root) == []


def test_equal_sentences_are_rendered_once(run: Any, tone: ToneFolder) -> None:
    result = run()
    assert result.segments == 7
    assert result.rendered == 6
    assert sorted(text for _, text in tone.spoken()) == sorted({*CHAPTERS[0], *CHAPTERS[1]})


def test_a_second_run_renders_nothing(run: Any, tone: ToneFolder, tmp_path: Path) -> None:
    one = run()
    again = run(output=tmp_path / "again.m4b")
    assert again.rendered == 0
    assert len(tone.spoken()) == 6
    assert np.array_equal(decoded(one.outputs[0].path), decoded(again.outputs[0].path))


def test_a_changed_sentence_alone_is_rendered(run: Any, tone: ToneFolder, tmp_path: Path) -> None:
    run()
    result = run(["Part one.", "It was a bright night.", "Sir?"], output=tmp_path / "b.m4b")
    assert result.rendered == 1
    assert tone.spoken()[-1] == (0, "It was a bright night.")


def test_a_changed_engine_is_rendered_anew(
    run: Any, tone: ToneFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run()
    monkeypatch.setenv("TONE_VERSION", "2")
    assert run(output=tmp_path / "b.m4b").rendered == 6


def test_a_damaged_entry_of_the_cache_is_rendered_again(
    run: Any, home: Home, tmp_path: Path
) -> None:
    run()
    entries = sorted((home.cache / "segments").rglob("*.seg"))
    data = bytearray(entries[0].read_bytes())
    data[len(data) // 2] ^= 1
    entries[0].write_bytes(data)
    entries[1].unlink()
    assert run(output=tmp_path / "b.m4b").rendered == 2


def test_per_chapter_files_are_what_stores_want(run: Any, home: Home, tmp_path: Path) -> None:
    plan = make_plan(*CHAPTERS)
    odd = replace(plan.chapters[1], title='  What? "A/B": the <end>…  ')
    plan = replace(plan, chapters=(plan.chapters[0], odd))
    result = run(plan=plan, per_chapter=True, output=tmp_path / "store", subtitles=("srt",))
    names = sorted(path.name for path in (tmp_path / "store").iterdir())
    assert names == [
        "01 Part 1.mp3",
        "01 Part 1.srt",
        "02 What A B the end …".replace(" …", "…") + ".mp3",
        "02 What A B the end….srt",
    ] or [n for n in names if n.startswith("02 What A B the end")]
    for number, output in enumerate(result.outputs, start=1):
        info = probe(output.path)
        assert (info.codec, info.sample_rate) == ("mp3float", 44100) or info.codec == "mp3"
        assert info.bitrate == pytest.approx(192_000, rel=0.1)
        assert info.tags["track"] == f"{number}/2"
        assert info.tags["album"] == "The Book"
        assert verify(output.path, home=home).status == "trusted"
        assert output.problems == ()
    first = (tmp_path / "store" / "01 Part 1.srt").read_text()
    assert first.startswith("1\n00:00:00,750")


@pytest.mark.parametrize("container", ["m4a", "mp3", "wav", "flac"])
def test_every_container_is_sealed(run: Any, home: Home, tmp_path: Path, container: str) -> None:
    result = run(["Just this."], output=tmp_path / f"a.{container}")
    assert verify(result.outputs[0].path, home=home).status == "trusted"
    assert result.outputs[0].problems == ()


def test_a_cast_is_brought_to_one_rate_and_level(run: Any, tone: ToneFolder) -> None:
    sentences = ["I am loud and clear.", "tone:quiet| I am faint, dear.", "low:bass| I am low."]
    result = run(sentences)
    samples = decoded(result.outputs[0].path)
    rate = result.outputs[0].chapters[0].levels.sample_rate
    assert rate == 24000
    srt = result.outputs[0].sealed.path
    assert srt.exists()
    levels = []
    at = 0.75
    for sentence in sentences:
        text = sentence.rpartition("| ")[2]
        length = 0.3 + 0.06 * len(text)
        part = samples[int((at + 0.1) * rate) : int((at + length) * rate)]
        levels.append(10 * np.log10(np.mean(part**2)))
        at += length + 0.12 + 0.4
    assert max(levels) - min(levels) < 2.0


def test_a_voice_that_forbids_commercial_use_is_refused_before_any_work(
    run: Any, tone: ToneFolder, tmp_path: Path
) -> None:
    plan = make_plan(["Hello."], narrator="low:bass")
    with pytest.raises(RefusedError, match="commercial"):
        run(plan=plan, usage=Usage(commercial=True))
    assert tone.spoken() == []
    assert not (tmp_path / "book.m4b").exists()
    assert run(plan=plan).complete


def test_a_watermark_that_cannot_be_made_is_refused_before_any_work(
    run: Any, tone: ToneFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("provenance.watermark.active", lambda _home: None)
    with pytest.raises(RefusedError, match="watermark"):
        run(require_watermark=True)
    assert playable(tmp_path) == []
    assert tone.spoken() == []


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"output": Path("book.ogg")}, InputError, "'ogg'"),
        ({"output": Path("book")}, InputError, "cannot tell the format"),
        ({"subtitles": ("ass",)}, InputError, "'ass'"),
        ({"speed": 3.0}, InputError, "speed 3"),
        ({"workers": 0}, InputError, "workers is 0"),
        ({"rerender": ("nine",)}, InputError, "'nine'"),
        ({"rerender": ("9.9",)}, InputError, r"no segment '9\.9'"),
        ({"output": Path("/nonexistent/book.m4b")}, StorageError, "does not exist"),
        ({"bitrate": 1000}, InputError, "1000"),
        ({"output": Path("caf\udce9.m4b")}, InputError, "not a name in UTF-8"),
    ],
)
def test_bad_options_are_refused_before_any_work(
    run: Any, tone: ToneFolder, options: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        run(**options)
    assert tone.spoken() == []


def test_nothing_to_speak_is_said(run: Any) -> None:
    with pytest.raises(InputError, match="nothing to speak"):
        run([""])


def test_an_unknown_voice_is_said(run: Any) -> None:
    with pytest.raises(InputError, match="no voice called 'tone:altp'"):
        run(plan=make_plan(["Hi."], narrator="tone:altp"))


def test_an_existing_file_is_not_replaced_unless_asked(run: Any, tmp_path: Path) -> None:
    target = tmp_path / "book.m4b"
    target.write_bytes(b"precious")
    with pytest.raises(InputError, match="exists"):
        run()
    assert target.read_bytes() == b"precious"
    run(overwrite=True)
    assert target.read_bytes()[4:8] == b"ftyp"
    run(overwrite=True)  # and once more: the finished job does not stand in its own way


def test_segments_that_cannot_be_spoken_are_listed_and_the_rest_is_kept(
    run: Any, tone: ToneFolder, tmp_path: Path
) -> None:
    bad = ["One.", "I [refuse] this.", "Three.", "And [refuse] that."]
    with pytest.raises(InputError, match="2 segments cannot be spoken") as caught:
        run(bad)
    assert "1.2" in caught.value.message
    assert "1.4" in caught.value.message
    assert playable(tmp_path) == []
    result = run(["One.", "Two.", "Three.", "Four."])
    assert result.rendered == 2


def test_segments_of_an_edited_plan_may_have_any_id(run: Any, tone: ToneFolder) -> None:
    plan = make_plan(["One.", "Never [refuse].", "Nor [refuse].", "Four."])
    names = ("1.10", "1.9", "intro²", "1.2a")
    segments = tuple(
        replace(segment, id=name)
        for segment, name in zip(plan.chapters[0].segments, names, strict=True)
    )
    edited = replace(plan, chapters=(replace(plan.chapters[0], segments=segments),))
    with pytest.raises(InputError, match=r"2 segments cannot be spoken:\n  1\.9.*\n  intro²"):
        run(plan=edited)
    fine = tuple(replace(s, spoken=s.spoken.replace("[refuse]", "mind")) for s in segments)
    edited = replace(plan, chapters=(replace(plan.chapters[0], segments=fine),))
    run(plan=edited, rerender=("1.2a", "intro²=3"))
    assert sorted(tone.spoken()[-3:]) == [(0, "Never mind."), (1, "Four."), (3, "Nor mind.")]


def test_an_unknown_voice_in_a_plan_is_named_with_its_segment(run: Any) -> None:
    plan = make_plan(["One.", "nobody| Two."])
    with pytest.raises(InputError, match=r"^segment 1\.2: .*'nobody'"):
        run(plan=plan)


@pytest.mark.parametrize(
    ("broken", "said"), [("none", "None"), ("empty", "''"), ("other", "failed.*KeyError")]
)
def test_an_engine_without_a_digest_of_its_sound_is_not_used(
    run: Any, monkeypatch: pytest.MonkeyPatch, broken: str, said: str
) -> None:
    monkeypatch.setenv("TONE_FINGERPRINT", broken)
    with pytest.raises(ModelError, match=f"'tone'.*{said}"):
        run(["One."])


def test_no_engine_can_speak_under_the_card_of_a_model_that_ships(run: Any) -> None:
    with pytest.raises(ModelError, match="card of its own for the model 'kokoro-82m'"):
        run(plan=make_plan(["One."], narrator="usurper:alto"))


def test_what_of_the_book_is_missing_is_said_while_narrating(run: Any) -> None:
    lost = [Skipped("missing file", f"book.epub: c{n}.xhtml", "", 0, "missing") for n in range(5)]
    by_design = Skipped("contents", "toc.xhtml", "One 1", 2, "contents")
    result = run(plan=replace(make_plan(["One."]), skipped=(*lost, by_design)))
    (said,) = [warning for warning in result.warnings if "missing" in warning]
    assert said.startswith("5 x missing file: book.epub: c0.xhtml;")
    assert said.endswith("and 2 more")
    assert not any("contents" in warning for warning in result.warnings)


def test_subtitles_of_somebody_else_are_not_replaced_unless_asked(run: Any, tmp_path: Path) -> None:
    (tmp_path / "book.srt").write_text("mine")
    with pytest.raises(InputError, match=r"book\.srt exists already"):
        run(["One."], subtitles=("vtt", "srt"))
    assert playable(tmp_path) == []
    assert (tmp_path / "book.srt").read_text() == "mine"
    run(["One."], subtitles=("vtt", "srt"), overwrite=True)
    assert "One." in (tmp_path / "book.srt").read_text()


def test_sound_that_is_not_there_at_all_is_an_error(run: Any, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no sound at all"):
        run(["I am [mute]."])
    assert playable(tmp_path) == []


def test_an_open_signing_key_is_said_before_any_work(
    run: Any, home: Home, tone: ToneFolder
) -> None:
    run(["One."])
    (home.keys / "c2pa-signing.pem").chmod(0o644)
    spoken = len(tone.spoken())
    with pytest.raises(StorageError, match="open to other users"):
        run(["Two."], overwrite=True)
    assert len(tone.spoken()) == spoken


def test_notes_that_somebody_has_scribbled_on_are_forgotten(run: Any, home: Home) -> None:
    run(["One."])
    with sqlite3.connect(home.cache / "narration.db") as database:
        database.execute("UPDATE output SET value = 'junk', open = 1")
        database.execute("INSERT INTO variation SELECT job, '1.1', 'junk', 1 FROM output")
        database.execute("UPDATE verdict SET value = '[]'")
    database.close()
    assert run(["One."], overwrite=True).complete


def test_a_segment_that_kills_its_worker_ends_the_job_with_its_name(
    run: Any, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=r"segment 1\.2"):
        run(["One.", "Always [die].", "Three."])
    assert playable(tmp_path) == []


def test_a_worker_that_dies_once_does_no_harm(run: Any) -> None:
    result = run(["One.", "It will [die once].", "Three."])
    assert result.complete
    assert any("died" in warning for warning in result.warnings)


def test_silence_where_speech_should_be_is_reported(run: Any) -> None:
    result = run(["One.", "I am [mute].", "Three."])
    assert any("1.2" in warning for warning in result.warnings)


def test_another_rendering_can_be_ordered(run: Any, tone: ToneFolder, tmp_path: Path) -> None:
    one = run()
    two = run(rerender=("1.2",), overwrite=True)
    assert tone.spoken()[-1] == (1, "It was a dark night.")
    assert two.rendered == 1
    assert one.outputs[0].sealed.sha256 != two.outputs[0].sealed.sha256
    # It stays: the next run uses it, and the next order goes on from there.
    assert run(overwrite=True).rendered == 0
    run(rerender=("1.2",), overwrite=True)
    assert tone.spoken()[-1] == (2, "It was a dark night.")
    run(rerender=("1.2=0",), overwrite=True)
    assert len(tone.spoken()) == 8


def test_chapters_can_be_chosen(run: Any, tone: ToneFolder) -> None:
    result = run(chapters="2")
    assert [chapter.number for chapter in result.outputs[0].chapters] == [2]
    assert len(tone.spoken()) == 3


def test_the_fast_check_repairs_what_is_too_short(run: Any, tone: ToneFolder) -> None:
    sentences = [f"This is the sentence with the number {i}." for i in range(6)]
    result = run([*sentences, "This one is [short] of most of its words at first."], check="fast")
    assert result.check is not None
    assert result.check.repaired == ("1.7",)
    assert result.complete
    assert tone.spoken()[-1][0] == 1
    again = run([*sentences, "This one is [short] of most of its words at first."],
                check="fast", overwrite=True)  # fmt: skip
    assert again.rendered == 0
    assert again.check is not None
    assert again.check.repaired == ("1.7",)


def test_what_stays_wrong_is_reported_with_its_place(run: Any, tone: ToneFolder) -> None:
    result = run(["One.", "I am [mute] today.", "Three."], check="fast")
    assert not result.complete
    assert result.check is not None
    (doubt,) = result.check.wrong
    assert (doubt.segment, doubt.verdict) == ("1.2", "missing")
    assert [v for v, text in tone.spoken() if "[mute]" in text] == [0, 1, 2, 3]
    assert any("1.2" in sentence for sentence in result.sentences())


def test_minutes_are_spent_once_per_output(run: Any, home: Home, registry: Registry) -> None:
    plan = make_plan(*CHAPTERS)
    result = run(plan=plan)
    receipt = registry.receipt(result.outputs[0].sealed.output_id)
    assert receipt is not None
    assert receipt.state == "sealed"
    assert registry.find_authorization(make_job(plan).digest) is None  # closed
    assert registry.pending_receipts() == []


def test_the_cache_may_be_deleted_at_any_time(run: Any, home: Home, tmp_path: Path) -> None:
    run()
    shutil.rmtree(home.cache)
    home.cache.mkdir()
    assert run(output=tmp_path / "b.m4b").rendered == 6
    (home.cache / "narration.db").write_bytes(b"this is no database" * 100)
    assert run(output=tmp_path / "c.m4b").rendered == 0


def test_the_same_job_runs_once_at_a_time(
    run: Any, home: Home, tmp_path: Path, tone: ToneFolder
) -> None:
    from voice.narration.state import JobState

    digest = make_job(make_plan(*CHAPTERS)).digest
    with JobState(home, digest), pytest.raises(StorageError, match="another process"):
        run()


def test_a_locked_database_is_an_error_not_a_crash(run: Any, home: Home) -> None:
    from voice.narration.state import JobState

    with JobState(home, "x") as state:
        other = sqlite3.connect(state.path)
        other.execute("DROP TABLE verdict")
        other.commit()
        with pytest.raises(StorageError, match="cannot use"):
            state.remember_verdict("k", {})


def test_speaking_a_text_is_the_same_way_shorter(
    tone: ToneFolder, home: Home, registry: Registry, tmp_path: Path
) -> None:
    notices: list[Event] = []
    result = speak(
        "Good evening.\n\nHow do you do?",
        voice="tone:alto",
        output=tmp_path / "hello.wav",
        home=home,
        registry=registry,
        progress=notices.append,
    )
    assert verify(result.outputs[0].path, home=home).status == "trusted"
    assert result.segments == 2
    assert any(isinstance(event, Notice) for event in notices)
    with pytest.raises(InputError, match="empty"):
        speak(" \n\n ", voice="tone:alto", output=tmp_path / "b.wav", home=home, registry=registry)


def test_progress_counts_repeated_sentences_as_new_and_cached_ones_as_kept(
    run: Any, tmp_path: Path
) -> None:
    events: list[Event] = []
    run(progress=events.append)
    started = [e for e in events if isinstance(e, PhaseStarted) and e.phase == "render"]
    assert [(e.total, e.done) for e in started] == [(7, 0)]
    events.clear()
    run(CHAPTERS[0], progress=events.append, output=tmp_path / "b.m4b")
    started = [e for e in events if isinstance(e, PhaseStarted) and e.phase == "render"]
    assert [(e.total, e.done) for e in started] == [(4, 4)]
