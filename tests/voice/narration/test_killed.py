"""Killed, interrupted, out of disk: the same command goes on, and nothing playable is left."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from narration_kit import ToneFolder, make_plan, playable

from consent.home import Home
from consent.registry import Registry
from provenance.audio.decode import probe
from provenance.verify import verify
from voice.narration import SegmentCache
from voice.narration.job import Utterance, make_job

SENTENCES = [
    [f"This is sentence {number} of chapter {chapter}." for number in range(1, 13)]
    for chapter in range(1, 4)
]

SCRIPT = textwrap.dedent(
    """
    import json, sys
    from pathlib import Path
    sys.path.insert(0, sys.argv[1])
    from narration_kit import make_plan
    from consent.errors import VivavoceError
    from consent.home import Home
    from consent.registry import Registry
    from voice.narration import narrate

    options = json.loads(sys.argv[4])
    home = Home.open()
    try:
        with Registry.open(home) as registry:
            result = narrate(
                make_plan(*json.loads(sys.argv[3])), output=Path(sys.argv[2]), home=home,
                registry=registry, check=False, workers=2, **options,
            )
    except VivavoceError as error:
        print(error.diagnostics(), file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    print(json.dumps(result.to_json()))
    """
)


class Runner:
    """Runs narrate in a process of its own."""

    def __init__(self, output: Path, sentences: list[list[str]], **options: Any) -> None:
        self._command = [
            sys.executable,
            "-c",
            SCRIPT,
            str(Path(__file__).parent),
            str(output),
            json.dumps(sentences),
            json.dumps(options),
        ]

    def start(self, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self._command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        )

    def finish(self, **environment: str) -> dict[str, Any]:
        process = self.start(**environment)
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        report: dict[str, Any] = json.loads(out.splitlines()[-1])
        return report


def children(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in path.read_text().split()] if path.exists() else []


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_gone(pids: list[int]) -> None:
    end = time.monotonic() + 10
    while any(alive(pid) for pid in pids):
        assert time.monotonic() < end, "workers outlived their parent"
        time.sleep(0.02)


def in_cache(home: Home, utterances: tuple[Utterance, ...]) -> set[str]:
    cache = SegmentCache.open(home)
    return {u.segment.spoken for u in utterances if cache.path(u.key(0)).exists()}


@pytest.mark.slow
@pytest.mark.parametrize(("per_chapter", "times"), [(False, 10), (True, 4)])
def test_killed_again_and_again_the_book_is_whole_and_each_segment_spoken_once(
    home: Home, tone: ToneFolder, tmp_path: Path, per_chapter: bool, times: int
) -> None:
    plan = make_plan(*SENTENCES)
    utterances = make_job(plan).utterances
    folder = tmp_path / "out"
    folder.mkdir()
    output = folder / "store" if per_chapter else folder / "book.m4b"
    runner = Runner(output, SENTENCES, per_chapter=per_chapter)
    chance = random.Random(7)
    finished_before: set[str] = set()
    spoken_before = 0
    kills = 0
    while kills < times:
        process = runner.start(TONE_DELAY="0.08")
        # Most kills hit the rendering, some the start and the sealing.
        time.sleep(chance.choice([0.3, 0.9, 1.2, 1.5, 1.8, 2.1, 2.6, 3.2]))
        workers = children(process.pid)
        if process.poll() is not None:
            break  # it was faster; what follows is a run on a finished book
        process.send_signal(signal.SIGKILL)
        process.communicate()
        kills += 1
        wait_gone(workers)
        again = [text for _, text in tone.spoken()[spoken_before:]]
        assert not finished_before & set(again), "a finished segment was rendered again"
        spoken_before = len(tone.spoken())
        finished_before = in_cache(home, utterances)
        # Whatever can be played has been sealed.
        for path in playable(folder):
            assert verify(path, home=home).status == "trusted", path
        assert playable(home.root) == []
    assert kills >= times // 2
    if kills == times:
        runner.finish()
    # At most what the two workers had in hand at each kill was spoken twice.
    counts = Counter(text for _, text in tone.spoken())
    assert set(counts) == {text for chapter in SENTENCES for text in chapter}
    assert sum(counts.values()) <= len(counts) + 2 * kills
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    assert files == playable(folder)
    assert len(files) == (3 if per_chapter else 1)
    assert all(verify(path, home=home).status == "trusted" for path in files)
    plain = Runner(tmp_path / "plain.m4b", SENTENCES).finish()
    assert sum(probe(path).duration_s for path in files) == pytest.approx(
        plain["audio_seconds"], abs=0.2
    )
    with Registry.open(home) as registry:
        assert registry.pending_receipts() == []
        assert registry.check().ok


@pytest.mark.slow
def test_files_published_before_the_kill_are_recognised_and_not_paid_twice(
    home: Home, tone: ToneFolder, tmp_path: Path
) -> None:
    folder = tmp_path / "store"
    runner = Runner(folder, SENTENCES, per_chapter=True)
    process = runner.start()
    while not list(folder.glob("0*.mp3")):
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    first = next(folder.glob("0*.mp3"))
    before = first.read_bytes()
    report = runner.finish()
    assert first.read_bytes() == before
    assert report["rendered"] == 0
    assert len(report["outputs"]) == 3
    with Registry.open(home) as registry:
        status = registry.check()
        assert status.ok
        states = [registry.receipt(output["output_id"]) for output in report["outputs"]]
    assert [receipt.state for receipt in states if receipt] == ["sealed"] * 3
    assert len({receipt.authorization_id for receipt in states if receipt}) == 1
    # Run once more, now finished: what is there is not touched.
    process = runner.start()
    _, err = process.communicate()
    assert process.returncode == 3
    assert "exists" in err


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_cleanly_and_is_resumed(
    home: Home, tone: ToneFolder, tmp_path: Path, how: signal.Signals
) -> None:
    runner = Runner(tmp_path / "out.m4b", SENTENCES[:1])
    process = runner.start(TONE_DELAY="0.3")
    while len(tone.spoken()) < 5:  # two workers: three are finished
        time.sleep(0.02)
    workers = children(process.pid)
    assert workers
    process.send_signal(how)
    _, err = process.communicate(timeout=10)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    wait_gone(workers)
    assert playable(tmp_path) == []
    report = runner.finish()
    assert report["segments"] == 12
    assert report["rendered"] <= 9


@pytest.mark.slow
def test_a_full_disk_is_said_and_the_cache_is_kept(
    home: Home, tone: ToneFolder, tmp_path: Path
) -> None:
    """A process that may not write files beyond a size meets the same error as a full disk."""
    long = ["Short one.", "A very long sentence that goes on and on and on. " * 8, "Short two."]
    Runner(tmp_path / "before.m4b", [[long[0], long[2]]]).finish()
    (tmp_path / "before.m4b").unlink()
    runner = Runner(tmp_path / "out.m4b", [long])
    limited = (
        "import resource, sys; "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, resource.RLIM_INFINITY)); "
    )
    runner._command[2] = limited + "exec(sys.argv.pop(1))"
    runner._command.insert(3, SCRIPT)
    process = runner.start()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 7, err
    assert "cannot write" in err
    assert "Traceback" not in err
    assert playable(tmp_path) == []
    report = Runner(tmp_path / "out.m4b", [long]).finish()
    assert report["rendered"] == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_said_before_any_work(
    home: Home, tone: ToneFolder, tmp_path: Path
) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    process = Runner(folder / "out.m4b", SENTENCES[:1]).start()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 7
    assert "permission denied" in err
    assert tone.spoken() == []
