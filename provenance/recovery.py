"""What is being sealed right now, written down, so that a crash can be cleared up.

Each seal holds a lock and a small note in the home's ``sealing`` folder while it works. A note
whose lock is free belongs to a dead process: its hidden file is published if the log already says
``sealed`` for exactly these bytes, and removed otherwise.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from consent.errors import InputError, StorageError
from consent.files import storage_error, write_atomic
from consent.home import Home
from consent.locks import FileLock
from provenance.scratch import publish

if TYPE_CHECKING:
    from consent.registry import Registry


def _folder(home: Home) -> Path:
    folder = home.root / "sealing"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as exc:
        raise storage_error(exc, folder) from exc
    return folder


class Journal:
    """The note of one running seal.

    Attributes
    ----------
    hidden
        The name beside the destination under which the finished file waits to be published.
    """

    def __init__(self, home: Home, output_id: str, destination: Path, overwrite: bool) -> None:
        folder = _folder(home)
        self.destination = destination
        self.hidden = destination.parent / f".vivavoce-{output_id}.tmp"
        self._note = folder / f"{output_id}.json"
        self._lock = FileLock(folder / f"{output_id}.lock")
        self._data = {
            "output": output_id,
            "hidden": str(self.hidden),
            "destination": str(destination),
            "overwrite": overwrite,
            "sha256": "",
        }

    @classmethod
    def open(cls, home: Home, output_id: str, destination: Path, overwrite: bool) -> Journal:
        """Begin: take the lock, then write the note."""
        journal = cls(home, output_id, destination, overwrite)
        if not journal._lock.acquire(timeout=0):
            raise StorageError(f"the output {output_id} is being sealed by another process")
        journal._write()
        return journal

    def staged(self, sha256: str) -> None:
        """Write down the digest of the complete hidden file."""
        self._data["sha256"] = sha256
        self._write()

    def _write(self) -> None:
        write_atomic(self._note, json.dumps(self._data).encode(), mode=0o600)

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with suppress(OSError):
            self._note.unlink(missing_ok=True)
            self._lock.path.unlink(missing_ok=True)
        self._lock.release()


def recover(registry: Registry, home: Home) -> list[str]:
    """Clear up after seals that died; safe to call while others are working.

    Returns
    -------
    list of str
        Sentences about what was found, empty if nothing was.
    """
    told = []
    for note in sorted(_folder(home).glob("*.json")):
        lock = FileLock(note.with_suffix(".lock"))
        if not lock.acquire(timeout=0):
            continue  # its process is alive
        try:
            sentence = _settle(note, registry)
            if sentence:
                told.append(sentence)
            note.unlink(missing_ok=True)
            lock.path.unlink(missing_ok=True)
        finally:
            lock.release()
    told += [f"the receipt {output} has no file and was abandoned" for output in registry.recover()]
    return told


def _settle(note: Path, registry: Registry) -> str:
    try:
        data = json.loads(note.read_bytes())
        output, hidden = str(data["output"]), Path(data["hidden"])
        destination, overwrite = Path(data["destination"]), bool(data["overwrite"])
        sha256 = str(data["sha256"])
    except FileNotFoundError:
        return ""
    except (ValueError, KeyError, TypeError, OSError):
        return f"the note {note.name} was damaged and was removed"
    if not hidden.is_file() or hidden.name != f".vivavoce-{output}.tmp":
        return ""
    receipt = registry.receipt(output)
    if receipt is not None and receipt.state == "sealed" and receipt.sha256 == sha256:
        with hidden.open("rb") as stream:
            same = hashlib.file_digest(stream, "sha256").hexdigest() == sha256
        if same:
            try:
                publish(hidden, destination, overwrite=overwrite)
            except (InputError, StorageError) as exc:
                hidden.unlink(missing_ok=True)
                return f"{destination} was sealed and could not be published: {exc.message}"
            return f"{destination} was complete and has been published"
    hidden.unlink(missing_ok=True)
    return f"the unfinished file of {destination} was removed"
