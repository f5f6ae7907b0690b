"""Workers, kept busy and alive.

Tasks are given out longest first within a window that slides along the book, and their results
are delivered in the book's order. A worker that dies is replaced and its task tried again,
twice; a task that fails a third time ends the job with an error that names it. What is finished
is in the cache, so nothing is lost.
"""

from __future__ import annotations

import os
import selectors
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from consent import errors
from consent.errors import ModelError, VivavoceError
from voice.narration.process import WorkerProcess

#: How often a task is tried.
ATTEMPTS = 3
#: Workers that may die before they are ready, without one success between, before giving up.
_FAILED_STARTS = 3
#: A worker larger than this is replaced after its task: fragmentation must not add up over hours.
RECYCLE_BYTES = 4 * 2**30
#: Memory to count on per worker when the number of workers is chosen.
_WORKER_BYTES = 1.5 * 2**30
#: A task may take this long, plus a second per character, before its worker counts as hung.
_PATIENCE_S = 600.0
_WINDOW_PER_WORKER = 16


@dataclass(frozen=True, slots=True)
class Task:
    """Something for a worker to do.

    Attributes
    ----------
    ident
        Unique name, used in messages (a segment id).
    weight
        Expected effort; characters to speak.
    message
        What :meth:`voice.narration.worker.Service.perform` takes.
    """

    ident: str
    weight: int
    message: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a task: its result, or the error it ended with."""

    task: Task
    result: Any = None
    error: VivavoceError | None = None


def default_workers() -> int:
    """Return how many workers fit: one per usable core, as far as memory allows."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(cores or 1, int(_available_bytes() // _WORKER_BYTES)))


def _available_bytes() -> float:
    try:
        for line in Path("/proc/meminfo").read_text("ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return float(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return float("inf")


class WorkerPool:
    """A set of worker processes; a context manager that leaves none behind.

    Parameters
    ----------
    home
        Root of the home folder.
    workers
        Number of processes; they start with the first task.
    recycle_bytes
        A worker that occupies more than this is replaced after its task.

    Attributes
    ----------
    died, recycled
        How many workers were replaced because they died, or had grown too large.
    """

    def __init__(
        self, home: Path, *, workers: int, threads: int = 1, recycle_bytes: int = RECYCLE_BYTES
    ) -> None:
        self.size = workers
        self.died = 0
        self.recycled = 0
        self._home = home
        self._threads = threads
        self._recycle_bytes = recycle_bytes
        self._selector = selectors.DefaultSelector()
        self._workers: list[WorkerProcess] = []
        self._failed_starts = 0

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids of the workers there are."""
        return tuple(worker.pid for worker in self._workers)

    def close(self) -> None:
        """End all workers."""
        while self._workers:
            self._remove(self._workers[-1])
        self._selector.close()

    def run(
        self,
        tasks: Sequence[Task],
        *,
        admit: Callable[[Task], None] | None = None,
        finished: Callable[[Outcome], None] | None = None,
    ) -> Iterator[Outcome]:
        """Perform `tasks` and yield their outcomes in the order given.

        Parameters
        ----------
        admit
            Called before a task is given out; may raise to stop the job.
        finished
            Called as soon as a task ends, in the order in which they do.

        Raises
        ------
        ModelError
            A task killed its worker or crashed three times, or no worker can be started.
        """
        run = _Run(tasks, window=max(_WINDOW_PER_WORKER * self.size, 32))
        while not run.over:
            self._employ(run, admit)
            for outcome in self._wait(run):
                if finished is not None:
                    finished(outcome)
            yield from run.deliver()

    def _employ(self, run: _Run, admit: Callable[[Task], None] | None) -> None:
        idle = [worker for worker in self._workers if worker.task is None]
        while True:
            task = run.peek()
            if task is None:
                return
            if not idle:
                if len(self._workers) >= self.size:
                    return
                idle.append(self._start())
            if admit is not None:
                admit(task)
            run.take(task)
            idle.pop().give(task.ident, {"id": task.ident, **task.message})

    def _start(self) -> WorkerProcess:
        worker = WorkerProcess(self._home, threads=self._threads)
        self._workers.append(worker)
        self._selector.register(worker.descriptor, selectors.EVENT_READ, worker)
        return worker

    def _remove(self, worker: WorkerProcess) -> int:
        self._workers.remove(worker)
        self._selector.unregister(worker.descriptor)
        return worker.end()

    def _wait(self, run: _Run) -> list[Outcome]:
        """Wait for something to happen; return the tasks that ended."""
        ended: list[Outcome] = []
        for key, _ in self._selector.select(timeout=1.0):
            worker: WorkerProcess = key.data
            replies, alive = worker.replies()
            for reply in replies:
                if reply.get("ready"):
                    worker.ready = True
                    self._failed_starts = 0
                    worker.since = time.monotonic()
                    continue
                worker.task = None
                ended.extend(run.settle(reply))
                if reply.get("memory", 0) > self._recycle_bytes and alive:
                    self.recycled += 1
                    self._remove(worker)
                    worker.close_log()
                    break
            else:
                if not alive:
                    self._bury(worker, run)
        for worker in self._workers:
            if worker.task is not None:
                limit = _PATIENCE_S + run.weight(worker.task)
                if time.monotonic() - worker.since > limit:
                    worker.kill(f"did not answer for {limit:.0f} s")
        return ended

    def _bury(self, worker: WorkerProcess, run: _Run) -> None:
        """Account for a worker that is gone; its task goes back to the queue."""
        status = self._remove(worker)
        self.died += 1
        reason = worker.why(status)
        worker.close_log()
        if not worker.ready:
            self._failed_starts += 1
            if self._failed_starts >= _FAILED_STARTS:
                raise ModelError(
                    f"rendering processes cannot start: the last one {reason}",
                    hint="Check the installation: vivavoce doctor",
                )
        if worker.task is not None:
            run.put_back(worker.task, reason, blame=worker.ready)


class _Run:
    """The state of one series of tasks."""

    def __init__(self, tasks: Sequence[Task], *, window: int) -> None:
        self._tasks = tasks
        self._places = {task.ident: place for place, task in enumerate(tasks)}
        if len(self._places) != len(tasks):
            raise ValueError("task identifiers are not unique")
        self._window = window
        self._waiting = list(range(len(tasks) - 1, -1, -1))  # reversed: the next one is last
        self._open: list[int] = []  # within the window, not given out
        self._done: dict[int, Outcome] = {}
        self._delivered = 0
        self._failures: dict[int, int] = {}

    @property
    def over(self) -> bool:
        return self._delivered == len(self._tasks)

    def weight(self, ident: str) -> int:
        return self._tasks[self._places[ident]].weight

    def peek(self) -> Task | None:
        """Return the heaviest task of the window that nobody works on."""
        while self._waiting and self._waiting[-1] < self._delivered + self._window:
            self._open.append(self._waiting.pop())
        if not self._open:
            return None
        return self._tasks[max(self._open, key=lambda place: (self._weigh(place), -place))]

    def _weigh(self, place: int) -> int:
        # What failed once goes first, so that a hopeless segment is known soon.
        return self._tasks[place].weight + (1 << 40 if place in self._failures else 0)

    def take(self, task: Task) -> None:
        self._open.remove(self._places[task.ident])

    def settle(self, reply: dict[str, Any]) -> list[Outcome]:
        """Take in a reply; return the outcome, if it is one."""
        place = self._places[reply["id"]]
        task = self._tasks[place]
        if "crash" in reply:
            self.put_back(task.ident, reply["crash"], blame=True)
            return []
        if "error" in reply:
            outcome = Outcome(task, error=_revive(reply["error"]))
        else:
            outcome = Outcome(task, reply["result"])
        self._done[place] = outcome
        return [outcome]

    def put_back(self, ident: str, reason: str, *, blame: bool) -> None:
        place = self._places[ident]
        if blame:
            self._failures[place] = self._failures.get(place, 0) + 1
            if self._failures[place] >= ATTEMPTS:
                raise ModelError(
                    f"segment {ident} failed {ATTEMPTS} times: its rendering process {reason}",
                    hint="What is finished is kept. Free memory or use fewer --workers and run "
                    "the same command again; if it fails again, edit this segment in the plan.",
                )
        self._open.append(place)

    def deliver(self) -> Iterator[Outcome]:
        while self._delivered in self._done:
            outcome = self._done.pop(self._delivered)
            self._delivered += 1
            yield outcome


def _revive(data: dict[str, Any]) -> VivavoceError:
    """Make the worker's error again."""
    kind = getattr(errors, data["class"], VivavoceError)
    assert issubclass(kind, VivavoceError)
    return kind(data["message"], hint=data["hint"])
