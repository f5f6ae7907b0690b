"""Remembered checkpoints: a log that once said something cannot say otherwise later.

Every checkpoint seen of a log, one's own or somebody else's, can be kept in the home::

    trust/checkpoints/<hash of the origin>/vkey
    trust/checkpoints/<hash of the origin>/123-<root>.checkpoint

Two checkpoints of one size and different roots are a split view on their own. Two of different
sizes need a consistency proof: from the log's folder, or from a file (:mod:`.consistency`).
What a later checkpoint was shown to extend need not be kept and is dropped; what contradicts is
kept, it is the evidence.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from consent.errors import InputError, VerificationError
from consent.files import storage_error, write_atomic
from consent.home import Home
from consent.log import merkle
from consent.log.checkpoint import Checkpoint, open_checkpoint
from consent.log.consistency import Extension, check_extends
from consent.log.note import Verifier
from consent.log.reader import LogReader, read_note

_FOLDER = "checkpoints"
_ENDING = ".checkpoint"
KEEP = "Keep both checkpoints: they are signed, and show it to anyone."


@dataclass(frozen=True, slots=True)
class Remembered:
    """A checkpoint that was seen before, its signature checked.

    Attributes
    ----------
    verifier
        The log's key when it was seen.
    checkpoint
        What the log said.
    path
        Where it is kept.
    """

    verifier: Verifier
    checkpoint: Checkpoint
    path: Path

    @property
    def note(self) -> str:
        """The signed checkpoint, verbatim."""
        return read_note(self.path)


@dataclass(frozen=True, slots=True)
class RememberedReport:
    """What :func:`check_remembered` found.

    Attributes
    ----------
    problems
        One sentence for each contradiction; empty when all is well.
    unproven
        One sentence for each checkpoint that nothing given could be compared with.
    logs
        Origins of the logs that are remembered.
    proven
        How many remembered checkpoints were shown to be part of a later one.
    """

    problems: tuple[str, ...]
    unproven: tuple[str, ...]
    logs: tuple[str, ...]
    proven: int

    @property
    def ok(self) -> bool:
        """Whether nothing contradicts."""
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self) | {"ok": self.ok}


def remember(home: Home, note: str, verifier: Verifier | str) -> Checkpoint:
    """Keep a checkpoint that was seen, wherever it came from: a log, a proof, a friend.

    Parameters
    ----------
    home
        Where to keep it.
    note
        The signed checkpoint; that of a proof is ``parse_proof(text).checkpoint``.
    verifier
        The log's key.

    Raises
    ------
    VerificationError
        The signature does not hold; or the log showed another tree of that size before, or had
        another key. The checkpoint is kept all the same then.
    StorageError
        The home cannot be written to.
    """
    key = Verifier.parse(verifier) if isinstance(verifier, str) else verifier
    checkpoint = open_checkpoint(note, key)
    if checkpoint.size == 0:  # says nothing that could be contradicted
        return checkpoint
    folder = _folder(home, key.name)
    known = _known_key(folder)
    if known is not None and known != key:
        raise VerificationError(
            f"the log {key.name} is signed by another key than it was ({known.vkey})",
            hint="A log keeps its key. To start over: vivavoce audit witness forget ORIGIN",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as exc:
        raise storage_error(exc, folder) from exc
    if known is None:
        write_atomic(folder / "vkey", f"{key.vkey}\n".encode(), mode=0o600)
    name = f"{checkpoint.size}-{checkpoint.root.hex()[:32]}{_ENDING}"
    if not (folder / name).exists():
        write_atomic(folder / name, note.encode(), mode=0o600)
    for other in folder.glob(f"{checkpoint.size}-*{_ENDING}"):
        if other.name != name:
            raise VerificationError(
                _split_view(key.name, checkpoint.size), hint=f"They are in {folder}. {KEEP}"
            )
    return checkpoint


def remembered(home: Home) -> list[Remembered]:
    """Return what is remembered, by log and size.

    Raises
    ------
    VerificationError
        A kept checkpoint or key was changed.
    """
    found = []
    for folder in _folders(home):
        verifier = _known_key(folder)
        if verifier is None:
            raise VerificationError(
                f"{folder / 'vkey'} is missing: nobody knows whose checkpoints these are",
                hint="Restore the home's trust folder from a backup.",
            )
        of_one = [
            Remembered(verifier, open_checkpoint(read_note(path), verifier), path)
            for path in folder.glob(f"*{_ENDING}")
        ]
        found += sorted(of_one, key=lambda item: item.checkpoint.size)
    return found


def forget(home: Home, origin: str) -> None:
    """Forget all that is remembered of a log, its key as well.

    Raises
    ------
    InputError
        Nothing is remembered of it.
    """
    folder = _folder(home, origin)
    if not folder.is_dir():
        raise InputError(f"no checkpoint of the log {origin[:200]!r} is remembered")
    shutil.rmtree(folder)


def check_remembered(
    home: Home,
    *,
    readers: Iterable[LogReader] = (),
    proofs: Sequence[str] = (),
    learn: bool = True,
) -> RememberedReport:
    """Compare what is remembered of each log with what it shows now.

    Parameters
    ----------
    home
        Whose memory.
    readers
        Logs whose folders are at hand: one's own, copies of others.
    proofs
        Consistency proofs as text, where the folder is not at hand.
    learn
        Whether to remember what is seen now, if it contradicts nothing.

    Returns
    -------
    RememberedReport
        A split view, a rollback or an exchanged key is a problem; what could not be compared
        is named.

    Raises
    ------
    InputError
        One of `proofs` is not a consistency proof.
    """
    problems: list[str] = []
    by_origin: dict[str, list[Remembered]] = {}
    try:
        for item in remembered(home):
            by_origin.setdefault(item.verifier.name, []).append(item)
    except VerificationError as exc:
        return RememberedReport((exc.message,), (), (), 0)
    at_hand = {reader.verifier.name: reader for reader in readers}
    extensions = [Extension.parse(text) for text in proofs]
    origins = sorted({*by_origin, *at_hand})
    unproven: list[str] = []
    proven = 0
    for origin in origins:
        comparison = _Comparison(by_origin.get(origin, []))
        if origin in at_hand:
            comparison.by_folder(at_hand[origin])
        else:
            comparison.by_proofs(extensions)
        problems += comparison.problems
        unproven += comparison.unproven
        proven += len(comparison.proven)
        if learn and not comparison.problems:
            comparison.learn(home)
    return RememberedReport(tuple(problems), tuple(unproven), tuple(origins), proven)


class _Comparison:
    """One log's remembered checkpoints against each other and against what is at hand."""

    def __init__(self, items: list[Remembered]) -> None:
        self._items = items
        self._later: list[tuple[Verifier, str]] = []  # checkpoints that hold: to be remembered
        self.problems: list[str] = []
        self.unproven: list[str] = []
        self.proven: list[Remembered] = []
        for before, after in pairwise(items):
            one, other = before.checkpoint, after.checkpoint
            if one.size == other.size and one.root != other.root:
                self.problems.append(_split_view(one.origin, one.size))

    def by_folder(self, reader: LogReader) -> None:
        """Compare with the log itself."""
        try:
            note = reader.checkpoint_note()
            current = open_checkpoint(note, reader.verifier)
        except VerificationError as exc:
            self.problems.append(_sentence(exc))
            return
        for item in self._items:
            older = item.checkpoint
            if item.verifier != reader.verifier:
                self.problems.append(
                    f"The log {older.origin} has another key than when {older.size} entries of "
                    "it were seen."
                )
            elif older.size > current.size:
                self.problems.append(
                    f"The log {older.origin} was rolled back: it had {older.size} entries and "
                    f"has {current.size}."
                )
            else:
                tree = reader.tree(current.size)
                proof = merkle.consistency_proof(tree, older.size, current.size)
                self._compare(item, current, proof)
        self._later.append((reader.verifier, note))

    def by_proofs(self, extensions: Sequence[Extension]) -> None:
        """Compare with what consistency proofs lead to."""
        verifier = self._items[-1].verifier
        for extension in extensions:
            try:
                later = open_checkpoint(extension.checkpoint, verifier)
            except VerificationError:
                continue  # another log's
            self._later.append((verifier, extension.checkpoint))
            for item in self._items:
                size = item.checkpoint.size
                if size == later.size and item.checkpoint.root != later.root:
                    self.problems.append(_split_view(later.origin, size))
                elif size == extension.old < later.size:
                    self._compare(item, later, extension.hashes)
        for item, following in pairwise(self._items):
            if item not in self.proven:
                self.unproven.append(
                    f"Nothing shows that the log {item.checkpoint.origin} of "
                    f"{following.checkpoint.size} entries extends that of "
                    f"{item.checkpoint.size}."
                )

    def learn(self, home: Home) -> None:
        """Remember what holds, and drop what it was shown to extend."""
        for verifier, note in self._later:
            remember(home, note, verifier)
        newest = max(
            [open_checkpoint(note, verifier).size for verifier, note in self._later], default=0
        )
        for item in self.proven:
            if item.checkpoint.size < newest:
                item.path.unlink(missing_ok=True)

    def _compare(self, item: Remembered, later: Checkpoint, proof: Sequence[bytes]) -> None:
        try:
            check_extends(item.checkpoint, later, proof)
        except VerificationError as exc:
            self.problems.append(_sentence(exc))
        else:
            if item not in self.proven:
                self.proven.append(item)


def _split_view(origin: str, size: int) -> str:
    return f"The log {origin} shows two different trees of {size} entries: a split view."


def _sentence(error: VerificationError) -> str:
    return error.message[:1].upper() + error.message[1:] + "."


def _folders(home: Home) -> list[Path]:
    base = home.trust / _FOLDER
    return sorted(path for path in base.iterdir() if path.is_dir()) if base.is_dir() else []


def _folder(home: Home, origin: str) -> Path:
    name = hashlib.sha256(origin.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return home.trust / _FOLDER / name


def _known_key(folder: Path) -> Verifier | None:
    path = folder / "vkey"
    try:
        return Verifier.parse(read_note(path))
    except FileNotFoundError:
        return None
    except InputError as exc:
        raise VerificationError(f"{path} was changed: {exc.message}") from exc
