"""The child process that renders: reads tasks, speaks them, puts them into the cache.

It talks to its parent in JSON lines, tasks on standard input and replies on what was standard
output; whatever libraries print goes to standard error. Audio never crosses the pipe: a
segment goes straight into the encrypted cache.

The process ends when its parent does, however that one ends: standard input closes with it,
and on Linux the kernel sends a signal as well.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

from consent.errors import VivavoceError

if TYPE_CHECKING:
    from consent.home import Home
    from voice.engines import CheckedSynthesizer, Voice
    from voice.narration.cache import SegmentCache

_PR_SET_PDEATHSIG = 1
T = TypeVar("T")


def main() -> None:
    """Serve tasks until the parent closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to stop
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)  # libraries may print
    _die_with_parent()
    tasks: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    settings = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_read, args=(sys.stdin.buffer, tasks), daemon=True).start()
    service = Service(
        Path(settings["home"]), threads=int(settings["threads"]), secrets=settings["secrets"]
    )
    send(replies, {"ready": True})
    while True:
        task = tasks.get()
        reply: dict[str, Any] = {"id": task["id"]}
        try:
            reply["result"] = service.perform(task)
        except VivavoceError as exc:
            kind = type(exc)
            # The parent raises the same class again; a third party's falls back to its base.
            reply["error"] = {
                "class": next(c.__name__ for c in kind.__mro__ if c.__module__ == "consent.errors"),
                "message": exc.message,
                "hint": exc.hint,
            }
        except Exception as exc:  # reported to the parent, which tries again
            traceback.print_exc()
            reply["crash"] = f"{type(exc).__name__}: {exc}"
        reply["memory"] = resident_bytes()
        send(replies, reply)


def send(stream: IO[str], message: dict[str, Any]) -> None:
    """Write one JSON line; a parent that is gone ends the process."""
    try:
        stream.write(json.dumps(message) + "\n")
        stream.flush()
    except BrokenPipeError:
        os._exit(1)


def _read(stream: IO[bytes], tasks: queue.SimpleQueue[dict[str, Any]]) -> None:
    """Hand tasks over; end the process, busy or not, when the parent closes the pipe."""
    for line in stream:
        tasks.put(json.loads(line))
    os._exit(0)


def _die_with_parent() -> None:
    """Ask the kernel for SIGKILL when the parent dies; the closing pipe does it elsewhere."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def resident_bytes() -> int:
    """Return the memory this process occupies, 0 where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


class Service:
    """What a worker can do; engines and listeners are loaded when first needed."""

    def __init__(self, home: Path, *, threads: int, secrets: dict[str, str] | None = None) -> None:
        from consent import keys
        from consent.home import Home
        from voice.narration.cache import SegmentCache

        self.home: Home = Home.open(home)
        keys.take(self.home, secrets or {})
        self.cache: SegmentCache = SegmentCache.open(self.home)
        self.threads = threads
        self._engines: dict[str, CheckedSynthesizer] = {}
        self._voices: dict[str, tuple[CheckedSynthesizer, Voice]] = {}
        self._operations: dict[str, Callable[[Service, dict[str, Any]], Any]] = {}
        self._kept: dict[str, Any] = {}

    def perform(self, task: dict[str, Any]) -> Any:
        """Do one task: ``"render"``, or ``"module:function"`` called with service and task."""
        name = task["do"]
        if name == "render":
            return self.render(task)
        if name not in self._operations:
            module, _, function = name.partition(":")
            self._operations[name] = getattr(importlib.import_module(module), function)
        return self._operations[name](self, task)

    def keep(self, name: str, make: Callable[[], T]) -> T:
        """Return what `make` made when it was first asked for under `name`."""
        if name not in self._kept:
            self._kept[name] = make()
        kept: T = self._kept[name]
        return kept

    def render(self, task: dict[str, Any]) -> dict[str, Any]:
        """Speak a segment into the cache; return its measurements."""
        from voice.narration.speech import analyse

        synthesizer, voice = self._load(task["voice"])
        samples = synthesizer.synthesize(
            task["spoken"],
            voice=voice.name,
            language=task["language"],
            speed=task["speed"],
            variation=task["variation"],
        )
        rate = synthesizer.sample_rate
        self.cache.put(task["key"], samples, rate)
        return analyse(samples, rate).to_json()

    def _load(self, name: str) -> tuple[CheckedSynthesizer, Voice]:
        from voice.engines import checked, find_voice

        if name not in self._voices:
            engine, voice = find_voice(name)
            if engine.name not in self._engines:
                self._engines[engine.name] = checked(engine.load(threads=self.threads), engine.name)
            self._voices[name] = self._engines[engine.name], voice
        return self._voices[name]
