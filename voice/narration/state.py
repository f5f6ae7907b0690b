"""What narration remembers between runs: verdicts of the check, orders, finished files.

A small SQLite database in the cache. Like the rest of the cache it may be deleted: then
segments are checked again and nothing else is lost. Verdicts belong to renderings, not to jobs:
an edited plan does not make the unchanged sentences be checked again.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from consent.errors import StorageError
from consent.files import storage_error
from consent.home import Home
from consent.locks import FileLock

_SCHEMA = """
CREATE TABLE IF NOT EXISTS verdict (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS variation (
    job TEXT, segment TEXT, value INTEGER NOT NULL, open INTEGER NOT NULL,
    PRIMARY KEY (job, segment));
CREATE TABLE IF NOT EXISTS output (
    job TEXT, path TEXT, value TEXT NOT NULL, open INTEGER NOT NULL,
    PRIMARY KEY (job, path));
"""


class JobState:
    """The memory of one job; a context manager that holds the job's lock.

    Parameters
    ----------
    home
        Where it is kept.
    digest
        The job's digest; the same job finds the same memory.

    Raises
    ------
    StorageError
        Another process is working on the same job, or the database cannot be written.
    """

    def __init__(self, home: Home, digest: str) -> None:
        self.path = home.cache / "narration.db"
        self._job = digest
        folder = home.cache / "jobs"
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as exc:
            raise storage_error(exc, folder) from exc
        self._lock = FileLock(folder / f"{digest}.lock")
        self._database: sqlite3.Connection | None = None

    def __enter__(self) -> JobState:
        if not self._lock.acquire(timeout=1.0):
            raise StorageError(
                "this very job is being worked on by another process",
                hint="Wait for it, or stop it first; what it has finished is kept.",
            )
        try:
            try:
                self._database = self._open()
            except sqlite3.DatabaseError as exc:
                if isinstance(exc, sqlite3.OperationalError):
                    raise self._error(exc) from exc
                # Damaged: it is a cache.
                for suffix in ("", "-wal", "-shm"):
                    Path(f"{self.path}{suffix}").unlink(missing_ok=True)
                self._database = self._open()
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._database is not None:
            with suppress(sqlite3.Error):
                self._database.close()
            self._database = None
        self._lock.release()

    def _open(self) -> sqlite3.Connection:
        database = sqlite3.connect(self.path, timeout=30.0, isolation_level=None)
        with suppress(OSError):
            self.path.chmod(0o600)
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=NORMAL")
        database.executescript(_SCHEMA)
        return database

    def _error(self, exc: sqlite3.Error) -> StorageError:
        return StorageError(
            f"cannot use {self.path}: {exc}",
            hint="Is the disk full or the home folder read-only? What is finished is kept.",
        )

    def _ask(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        assert self._database is not None, "the job state is not open"
        try:
            return self._database.execute(query, values).fetchall()
        except sqlite3.Error as exc:
            raise self._error(exc) from exc

    def verdicts(self, keys: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Return what the check found in these renderings, those it has heard."""
        found = {}
        for key in keys:
            rows = self._ask("SELECT value FROM verdict WHERE key = ?", key)
            if rows and (value := _record(rows[0][0])):
                found[key] = value
        return found

    def remember_verdict(self, key: str, value: dict[str, Any]) -> None:
        """Keep what the check found in a rendering."""
        self._ask("INSERT OR REPLACE INTO verdict VALUES (?, ?)", key, json.dumps(value))

    def variations(self) -> dict[str, int]:
        """Return segment id -> variation, where the user ordered another rendering."""
        rows = self._ask("SELECT segment, value FROM variation WHERE job = ?", self._job)
        return {str(segment): value for segment, value in rows if isinstance(value, int)}

    def order(self, segment: str, variation: int | None) -> int:
        """Order another rendering of a segment; return its variation.

        Parameters
        ----------
        variation
            None for the next one. If the last order has not reached a finished file, because
            the run was interrupted, it is the same order and gives the same variation.
        """
        rows = self._ask(
            "SELECT value, open FROM variation WHERE job = ? AND segment = ?", self._job, segment
        )
        value, is_open = rows[0] if rows else (0, 0)
        if variation is None:
            variation = int(value) if is_open else int(value) + 1
        self._ask(
            "INSERT OR REPLACE INTO variation VALUES (?, ?, ?, 1)", self._job, segment, variation
        )
        return variation

    def outputs(self) -> dict[str, dict[str, Any]]:
        """Return path -> description of the files that this job made and did not finish with."""
        rows = self._ask("SELECT path, value FROM output WHERE job = ? AND open = 1", self._job)
        return {str(path): value for path, text in rows if (value := _record(text))}

    def remember_output(self, path: Path, value: dict[str, Any]) -> None:
        """Keep what a published file holds."""
        self._ask(
            "INSERT OR REPLACE INTO output VALUES (?, ?, ?, 1)",
            self._job,
            str(path),
            json.dumps(value),
        )

    def finish(self) -> None:
        """Close the job: orders are fulfilled, and running it again starts from the cache."""
        self._ask("UPDATE variation SET open = 0 WHERE job = ?", self._job)
        self._ask("UPDATE output SET open = 0 WHERE job = ?", self._job)


def _record(text: Any) -> dict[str, Any] | None:
    """Read what was kept, or None if somebody else has been at it: it is a cache."""
    try:
        value = json.loads(text)
    except (TypeError, ValueError):
        return None
    return value if isinstance(value, dict) else None
