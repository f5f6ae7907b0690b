from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from narration_kit import ToneFolder

import voice
from consent import keys
from consent.errors import InputError, ModelError, StorageError
from consent.home import Home
from consent.protecting import protect
from voice.narration.cache import SegmentCache
from voice.narration.pool import Outcome, Task, WorkerPool, default_workers


@pytest.fixture
def pool(home: Home, tone: ToneFolder) -> Iterator[WorkerPool]:
    with WorkerPool(home.root, workers=2) as made:
        yield made


def task(ident: str, text: str, *, voice: str = "tone:alto", weight: int | None = None) -> Task:
    message = {
        "do": "render",
        "key": f"{abs(hash(ident)):064x}",
        "voice": voice,
        "spoken": text,
        "language": "en-US",
        "speed": 1.0,
        "variation": 0,
    }
    return Task(ident, len(text) if weight is None else weight, message)


def gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"


def wait_until(condition: object, seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():  # type: ignore[operator]
            return True
        time.sleep(0.02)
    return False


def test_results_come_in_the_order_given_and_land_in_the_cache(
    pool: WorkerPool, home: Home
) -> None:
    tasks = [task(f"1.{i}", "Word " * (1 + i * 7 % 10)) for i in range(40)]
    outcomes = list(pool.run(tasks))
    assert [outcome.task.ident for outcome in outcomes] == [t.ident for t in tasks]
    cache = SegmentCache.open(home)
    for outcome in outcomes:
        entry = cache.get(outcome.task.message["key"])
        assert entry is not None
        assert entry[0].size == outcome.result["samples"] > 0


def test_the_longest_of_the_window_goes_first_and_the_window_slides(home: Home) -> None:
    with WorkerPool(home.root, workers=1) as one:
        given: list[int] = []
        tasks = [task(f"1.{i}", "x", weight=i) for i in range(100)]
        run = one.run(tasks, admit=lambda t: given.append(t.weight))
        run.close()  # nothing may be given out before it is asked for
        assert given == []


def test_a_folder_of_the_same_name_is_not_taken_for_the_package(
    tone: ToneFolder, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # An editable install is found by a hook of its own, which is asked after all folders.
    decoy = tmp_path / "project"
    (decoy / "voice" / "models").mkdir(parents=True)
    monkeypatch.syspath_prepend(str(decoy))
    root = str(Path(voice.__file__).resolve().parents[1])
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry not in ("", root)])
    with WorkerPool(home.root, workers=1) as workers:
        (outcome,) = workers.run([task("1.1", "Hello.")])
    assert outcome.error is None


def test_the_window_bounds_how_far_ahead_is_worked(pool: WorkerPool) -> None:
    finished: list[int] = []
    tasks = [task(f"1.{i}", "x", weight=i) for i in range(90)]
    run = pool.run(tasks, finished=lambda o: finished.append(int(o.task.ident[2:])))
    for delivered, _ in enumerate(run, start=1):
        assert max(finished) < delivered + 32 + 2
    assert finished[0] in (30, 31)  # of the first 32, the heaviest
    assert sorted(finished) == list(range(90))


def test_a_killed_worker_is_replaced_and_its_segment_spoken_again(
    pool: WorkerPool, tone: ToneFolder
) -> None:
    tasks = [task(f"1.{i}", f"Sentence {i}.") for i in range(8)]
    tasks[3] = task("1.3", "This kills [die once] its worker.")
    outcomes = list(pool.run(tasks))
    assert all(outcome.error is None for outcome in outcomes)
    assert [outcome.task.ident for outcome in outcomes] == [t.ident for t in tasks]
    assert pool.died == 1
    texts = [text for _, text in tone.spoken()]
    assert texts.count("This kills [die once] its worker.") == 2


def test_a_segment_that_kills_three_workers_is_named(pool: WorkerPool, tone: ToneFolder) -> None:
    tasks = [task("1.1", "Fine."), task("1.2", "Out of memory [die] each time.")]
    with pytest.raises(ModelError, match=r"segment 1\.2 failed 3 times.*killed") as caught:
        list(pool.run(tasks))
    assert "--workers" in str(caught.value.hint)
    assert len([text for _, text in tone.spoken() if "[die]" in text]) == 3


def test_an_engine_that_breaks_is_an_error_that_names_it(pool: WorkerPool) -> None:
    (outcome,) = pool.run([task("1.1", "It will [raise] an error.")])
    assert isinstance(outcome.error, ModelError)
    assert "boom" in outcome.error.message
    assert "tone" in outcome.error.message


def test_text_that_cannot_be_spoken_is_an_input_error(pool: WorkerPool) -> None:
    good, bad = pool.run([task("1.1", "Fine."), task("1.2", "I [refuse].")])
    assert good.error is None
    assert isinstance(bad.error, InputError)


def test_a_segment_that_never_ends_is_given_up(
    pool: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voice.narration.pool._PATIENCE_S", 0.5)
    with pytest.raises(ModelError, match=r"segment 1\.1 .* did not answer"):
        list(pool.run([task("1.1", "[hang]", weight=0)]))


def test_a_full_disk_in_a_worker_is_a_storage_error(
    home: Home, tone: ToneFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    import resource

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with WorkerPool(home.root, workers=1) as one:
            (outcome,) = one.run([task("1.1", "A sentence of some length.")])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert isinstance(outcome.error, StorageError)


def test_a_worker_that_grows_too_large_is_replaced(home: Home, tone: ToneFolder) -> None:
    with WorkerPool(home.root, workers=1, recycle_bytes=1) as one:
        outcomes = list(one.run([task(f"1.{i}", "Fine.") for i in range(3)]))
        assert [outcome.error for outcome in outcomes] == [None] * 3
        assert one.recycled >= 2
        assert one.died == 0


def test_closing_leaves_no_process(home: Home, tone: ToneFolder) -> None:
    pids: tuple[int, ...] = ()

    def remember(_outcome: Outcome) -> None:
        nonlocal pids
        pids = pids or made.pids

    with (
        pytest.raises(KeyboardInterrupt),
        WorkerPool(home.root, workers=2) as made,
    ):
        for _ in made.run([task(f"1.{i}", "Fine.") for i in range(6)], finished=remember):
            raise KeyboardInterrupt
    assert len(pids) == 2
    assert all(gone(pid) for pid in pids)


def test_workers_do_not_outlive_a_killed_parent(home: Home, tone: ToneFolder) -> None:
    script = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from voice.narration.pool import Task, WorkerPool
        message = {"do": "render", "key": "0" * 64, "voice": "tone:alto", "spoken": "[hang]",
                   "language": "en", "speed": 1.0, "variation": 0}
        with WorkerPool(Path(sys.argv[1]), workers=2) as pool:
            tasks = [Task(str(i), 1, {**message, "key": f"{i:064x}"}) for i in range(2)]
            for _ in pool.run(tasks, admit=lambda t: print(*pool.pids, flush=True)):
                pass
        """
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(home.root)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert parent.stdout is not None
    pids: list[int] = []
    while len(pids) < 2:
        pids = [int(word) for word in parent.stdout.readline().split()]
    assert wait_until(lambda: len(tone.spoken()) == 2)  # both are busy
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert wait_until(lambda: all(gone(pid) for pid in pids))


def test_the_number_of_workers_respects_cores_and_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(16)), raising=False)
    monkeypatch.setattr("voice.narration.pool._available_bytes", lambda: 64.0 * 2**30)
    assert default_workers() == 16
    monkeypatch.setattr("voice.narration.pool._available_bytes", lambda: 4.0 * 2**30)
    assert default_workers() == 2
    monkeypatch.setattr("voice.narration.pool._available_bytes", lambda: 0.1 * 2**30)
    assert default_workers() == 1


def test_workers_of_a_protected_home_need_no_passphrase(
    home: Home, tone: ToneFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys.secret(home, "cache")
    protect(home, "correct horse")
    monkeypatch.delenv("VIVAVOCE_PASSPHRASE", raising=False)
    with WorkerPool(home.root, workers=1) as pool:
        (outcome,) = pool.run([task("one", "Good morning.")])
    assert outcome.error is None
    assert SegmentCache.open(home).get(task("one", "Good morning.").message["key"]) is not None
