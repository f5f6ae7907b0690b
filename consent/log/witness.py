"""A witness: cosigns a log's checkpoints as long as each extends all it has seen before.

The rules are those of c2sp.org/tlog-witness (``add-checkpoint``); every refusal has the HTTP
status of that protocol. A witness is run by somebody else than the log's operator. It needs no
entries, only checkpoints and consistency proofs, and keeps one checkpoint for each log::

    name                               the witness's name
    logs/<hash of the origin>/vkey     a log it watches
    logs/<hash of the origin>/checkpoint        the latest it cosigned
    logs/<hash of the origin>/refused/          signed checkpoints that contradict it: evidence

A witness whose memory is lost or restored from a backup could cosign a second history. It begins
anew under another name instead.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from consent import keys
from consent.clock import Clock, SystemClock
from consent.errors import (
    InputError,
    RefusedError,
    VerificationError,
    VivavoceError,
)
from consent.files import storage_error, write_atomic
from consent.home import Home
from consent.locks import FileLock
from consent.log import merkle
from consent.log.checkpoint import Checkpoint, open_checkpoint
from consent.log.consistency import Extension
from consent.log.cosignature import WitnessSigner, WitnessVerifier, merge
from consent.log.note import Verifier, parse_note, parse_signatures
from consent.log.reader import LogReader, read_note


class MalformedRequest(InputError):
    """The request is not one, or its old size is larger than its checkpoint (400)."""

    status = 400


class UntrustedCheckpoint(VerificationError):
    """The checkpoint is not signed by the log's key (403)."""

    status = 403


class UnknownLog(RefusedError):
    """The witness does not watch this log (404)."""

    status = 404


class Conflict(RefusedError):
    """The old size is not that of the latest checkpoint cosigned (409).

    Attributes
    ----------
    size
        The size that the proof must begin from.
    """

    status = 409

    def __init__(self, message: str, *, size: int, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.size = size


class SplitView(Conflict):
    """The log signed another tree of the size that was cosigned (409)."""


class Inconsistent(VerificationError):
    """The consistency proof does not hold (422)."""

    status = 422


class Witness:
    """A witness with its key and its memory; made by :meth:`open`.

    Safe for several threads and processes: a log's checkpoint is compared and replaced under a
    lock.
    """

    def __init__(self, folder: Path, signer: WitnessSigner, clock: Clock | None = None) -> None:
        self.folder = folder
        self._signer = signer
        self._clock = clock or SystemClock()

    @classmethod
    def create(cls, home: Home, name: str) -> Witness:
        """Begin a witness in `home` under `name`, by convention an address without scheme.

        Raises
        ------
        RefusedError
            The home has one already, or a key of that name without its memory.
        InputError
            It is not a key name.
        """
        folder = home.root / "witness"
        WitnessVerifier(name, bytes(32))  # refuses what cannot be a key's name
        if (folder / "name").exists():
            raise RefusedError(
                f"this home is the witness {read_note(folder / 'name').strip()} already",
                hint="Two witnesses need two homes (VIVAVOCE_HOME).",
            )
        if keys.key_path(home, _key_name(name)).exists():
            raise RefusedError(
                f"the witness {name} was here before and its memory is gone: it might cosign a "
                "second history",
                hint="Begin under another name.",
            )
        key = keys.load_or_create(home, _key_name(name), "ed25519")
        try:
            (folder / "logs").mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as exc:
            raise storage_error(exc, folder) from exc
        write_atomic(folder / "name", f"{name}\n".encode(), mode=0o600)
        return cls(folder, WitnessSigner(name, key))

    @classmethod
    def open(cls, home: Home, *, clock: Clock | None = None) -> Witness:
        """Open the witness of `home`.

        Raises
        ------
        InputError
            There is none.
        StorageError
            Its key is gone.
        """
        folder = home.root / "witness"
        try:
            name = read_note(folder / "name").strip()
        except FileNotFoundError as exc:
            raise InputError(
                f"there is no witness in {home.root}",
                hint="Begin one: vivavoce audit witness init NAME",
            ) from exc
        key = keys.load(home, _key_name(name), "ed25519")
        return cls(folder, WitnessSigner(name, key), clock)

    @property
    def verifier(self) -> WitnessVerifier:
        """The witness's public key: what those who trust it need."""
        return self._signer.verifier

    def watch(self, vkey: str) -> Verifier:
        """Watch a log from now on. Saying it twice is harmless.

        Raises
        ------
        InputError
            It is not a log's verifier key.
        RefusedError
            The log is watched under another key.
        """
        log = Verifier.parse(vkey)
        folder = self._folder(log.name)
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as exc:
            raise storage_error(exc, folder) from exc
        with FileLock(folder / ".lock"):
            known = self._known(log.name)
            if known is not None and known != log:
                raise RefusedError(
                    f"the log {log.name} is watched under another key: {known.vkey}",
                    hint="A log keeps its key. One with another key is another log: name it so.",
                )
            write_atomic(folder / "vkey", f"{log.vkey}\n".encode(), mode=0o600)
        return log

    def watched(self) -> list[tuple[Verifier, Checkpoint | None]]:
        """Return the logs that are watched, each with the latest checkpoint cosigned."""
        found = []
        for folder in sorted((self.folder / "logs").iterdir()):
            if (folder / "vkey").exists():
                log = Verifier.parse(read_note(folder / "vkey"))
                found.append((log, self.latest(log)))
        return sorted(found, key=lambda pair: pair[0].name)

    def latest(self, log: Verifier) -> Checkpoint | None:
        """Return the latest checkpoint cosigned for a log.

        Raises
        ------
        VerificationError
            It was changed.
        """
        try:
            note = read_note(self._folder(log.name) / "checkpoint")
        except FileNotFoundError:
            return None
        return open_checkpoint(note, log, (self.verifier,))

    def add_checkpoint(self, request: str) -> str:
        """Cosign a checkpoint; return the signature line.

        Parameters
        ----------
        request
            Old size, consistency proof and checkpoint (:class:`Extension` as text).

        Raises
        ------
        MalformedRequest
            400: it is not a request, or the old size is above the checkpoint's.
        UntrustedCheckpoint
            403: the log did not sign the checkpoint.
        UnknownLog
            404: the log is not watched.
        Conflict
            409: the proof must begin from another size (``.size``).
        SplitView
            409: the log signed another tree of the same size. Kept as evidence.
        Inconsistent
            422: the proof does not hold. The signed checkpoint is kept.
        """
        try:
            extension = Extension.parse(request)
            text, _ = parse_note(extension.checkpoint)
            claimed = Checkpoint.parse(text)
        except (InputError, VerificationError) as exc:
            raise MalformedRequest(exc.message, hint=exc.hint) from exc
        log = self._watched(claimed.origin)
        try:
            checkpoint = open_checkpoint(extension.checkpoint, log)
        except VerificationError as exc:
            raise UntrustedCheckpoint(exc.message) from exc
        if extension.old > checkpoint.size:
            raise MalformedRequest(
                f"the old size {extension.old} is above the checkpoint's, {checkpoint.size}"
            )
        folder = self._folder(log.name)
        with FileLock(folder / ".lock"):
            self._check(self.latest(log), checkpoint, extension, folder)
            line = self._signer.cosign(text, self._clock.now())
            kept = merge(extension.checkpoint, parse_signatures(line))
            write_atomic(folder / "checkpoint", kept.encode(), mode=0o600)  # before answering
        return line

    def request(self, checkpoint: str, folder: Path) -> Extension:
        """Make the request for a checkpoint from a copy of its log.

        Parameters
        ----------
        checkpoint
            The signed checkpoint to cosign.
        folder
            The log's files. They are not believed: :meth:`add_checkpoint` checks the proof.

        Raises
        ------
        UnknownLog
            The log is not watched.
        VerificationError
            Not a checkpoint, or the files do not reach that far.
        """
        claimed = Checkpoint.parse(parse_note(checkpoint)[0])
        log = self._watched(claimed.origin)
        latest = self.latest(log)
        old = 0 if latest is None else latest.size
        if old > claimed.size:
            raise Conflict(
                f"the checkpoint has {claimed.size} entries, the latest cosigned here has {old}",
                size=old,
            )
        hashes = LogReader(folder, log).consistency_proof(old, claimed.size)
        return Extension(old, tuple(hashes), checkpoint)

    def _check(
        self, latest: Checkpoint | None, checkpoint: Checkpoint, extension: Extension, folder: Path
    ) -> None:
        size = latest.size if latest is not None else 0
        if extension.old != size:
            raise Conflict(
                f"the proof begins from {extension.old} entries, the latest checkpoint cosigned "
                f"here has {size}",
                size=size,
                hint=f"vivavoce audit witness request --old {size}",
            )
        root = latest.root if latest is not None else merkle.EMPTY_ROOT
        if latest is not None and checkpoint.size == size and checkpoint.root != root:
            self._keep_evidence(folder, extension.checkpoint, checkpoint)
            raise SplitView(
                f"the log {checkpoint.origin} signed two different trees of {size} entries",
                size=size,
                hint=f"A split view. Both checkpoints are kept in {folder}.",
            )
        try:
            merkle.verify_consistency(
                size, checkpoint.size, root, checkpoint.root, extension.hashes
            )
        except VerificationError as exc:
            self._keep_evidence(folder, extension.checkpoint, checkpoint)
            raise Inconsistent(exc.message, hint=exc.hint) from exc

    @staticmethod
    def _keep_evidence(folder: Path, note: str, checkpoint: Checkpoint) -> None:
        aside = folder / "refused"
        aside.mkdir(exist_ok=True, mode=0o700)
        name = f"{checkpoint.size}-{checkpoint.root.hex()[:32]}"
        write_atomic(aside / name, note.encode(), mode=0o600)

    def _watched(self, origin: str) -> Verifier:
        log = self._known(origin)
        if log is None:
            raise UnknownLog(
                f"the log {origin[:200]!r} is not watched here",
                hint="Watch it, if you mean to: vivavoce audit witness watch VKEY",
            )
        return log

    def _known(self, origin: str) -> Verifier | None:
        try:
            return Verifier.parse(read_note(self._folder(origin) / "vkey"))
        except FileNotFoundError:
            return None

    def _folder(self, origin: str) -> Path:
        return self.folder / "logs" / hashlib.sha256(origin.encode()).hexdigest()[:32]


def status_of(error: VivavoceError) -> int:
    """Return the HTTP status of a refusal, 500 for an error that is the witness's own."""
    return getattr(error, "status", 500)


def _key_name(name: str) -> str:
    return f"witness-{hashlib.sha256(name.encode()).hexdigest()[:16]}"
