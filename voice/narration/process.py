"""One worker process as its parent sees it: start it, feed it, read its replies."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from consent import keys
from consent.errors import ModelError
from consent.home import Home

#: One thread per process: OpenMP's spinning threads were 15 to 25 times slower on shared cores.
CHILD_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "GOMP_SPINCOUNT": "0",
    # oneDNN keeps what it compiled for each length it met, 1,024 of them by default: hundreds of
    # megabytes in every worker of a long book, for little speed.
    "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "128",
}
_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from voice.narration.worker import main; main()"
)
# This very package: an editable install is on no path, and any folder called "voice" that is
# would then be taken for it.
_OWN_ROOT = str(Path(__file__).resolve().parents[2])
_STDERR_TAIL = 2000
_GENTLY_S = 5.0


def _import_path() -> list[str]:
    """Return where a worker looks for modules: where this process does, then beside us."""
    return [*(entry or str(Path.cwd()) for entry in sys.path), _OWN_ROOT]


class WorkerProcess:
    """A running worker.

    Parameters
    ----------
    home
        Root of the home folder.
    threads
        Threads each engine may use.
    """

    def __init__(self, home: Path, *, threads: int = 1) -> None:
        # A worker cannot ask for the passphrase of protected keys, and needs but this one.
        lent = keys.lend(Home.open(home), "cache")
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  lives as long as the process
        environment = {**os.environ, **CHILD_ENVIRONMENT}
        environment["OMP_NUM_THREADS"] = str(threads)
        try:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    _START,
                    json.dumps(_import_path()),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                env=environment,
                bufsize=0,
                process_group=0,  # Ctrl-C reaches the parent alone, which ends its workers
            )
        except OSError as exc:
            raise ModelError(f"cannot start a rendering process: {exc.strerror or exc}") from exc
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin = self._process.stdin
        self.descriptor = self._process.stdout.fileno()
        os.set_blocking(self.descriptor, False)
        self._buffer = b""
        self.ready = False
        self.task: str | None = None
        self._verdict: str | None = None
        self.since = time.monotonic()
        self._write({"home": str(home), "threads": threads, "secrets": lent})

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def give(self, ident: str, message: dict[str, Any]) -> None:
        """Hand over a task. A worker that just died is noticed when its replies end."""
        self.task = ident
        self.since = time.monotonic()
        self._write(message)

    def _write(self, message: dict[str, Any]) -> None:
        data = json.dumps(message).encode() + b"\n"
        with contextlib.suppress(BrokenPipeError):
            while data:
                data = data[self._stdin.write(data) or 0 :]

    def replies(self) -> tuple[list[dict[str, Any]], bool]:
        """Return the replies that have arrived, and whether the worker is still there."""
        alive = True
        while True:
            try:
                data = os.read(self.descriptor, 65536)
            except BlockingIOError:
                break
            if not data:
                alive = False
                break
            self._buffer += data
        *lines, self._buffer = self._buffer.split(b"\n")
        return [json.loads(line) for line in lines], alive

    def kill(self, verdict: str) -> None:
        """End the worker at once; `verdict` is what :meth:`why` will say."""
        self._verdict = verdict
        self._process.kill()

    def end(self) -> int:
        """Stop the worker, gently first; return its exit status (negative: a signal)."""
        with contextlib.suppress(OSError):
            self._stdin.close()
        try:
            status = self._process.wait(_GENTLY_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        return status

    def why(self, status: int) -> str:
        """Say how the worker died, with the last lines that it printed."""
        if self._verdict is not None:
            reason = self._verdict
        elif status == -signal.SIGKILL:
            reason = "was killed (by the system when memory ran out, or by hand)"
        elif status < 0:
            reason = f"crashed with {signal.Signals(-status).name}"
        else:
            reason = f"ended with status {status}"
        self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, self._log.tell() - _STDERR_TAIL))
        lines = self._log.read().decode("utf-8", "replace").strip().splitlines()
        return reason + (f"; its last words: {lines[-1][:300]}" if lines else "")

    def close_log(self) -> None:
        """Forget what the worker printed."""
        self._log.close()
