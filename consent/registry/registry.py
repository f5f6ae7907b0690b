"""The registry: who asked for what, what was allowed, and what came of it."""

from __future__ import annotations

import hashlib
from io import BufferedReader
from pathlib import Path
from types import TracebackType
from typing import IO

from consent import keys
from consent.clock import Clock, SystemClock
from consent.home import Home
from consent.log import Log
from consent.log.quorum import load_policy
from consent.policy import Explanation, PolicyEngine
from consent.registry import audit
from consent.registry.audit import CheckReport, RegistryStatus
from consent.registry.consents import Consents
from consent.registry.grant import recovery, reservations
from consent.registry.job import authorizations, authorizing, leases, receipts
from consent.registry.job.leases import Lease
from consent.registry.job.records import Authorization, AuthorizationRequest, Receipt, ReceiptDraft
from consent.registry.party import erasure, objects, personal
from consent.registry.party.erasure import ErasureReport
from consent.registry.party.objects import VaultObject
from consent.registry.party.personal import ExportReport
from consent.registry.storage import policy_history, salts
from consent.registry.storage.core import Core
from consent.registry.storage.database import Database
from consent.registry.storage.firstuse import own_keys
from consent.registry.storage.ledger import correct_clock, reconcile


class Registry(Consents):
    """An open registry; a context manager.

    Safe for several threads and for several processes at once, each with a registry of its
    own. Do not carry an open one across ``fork``.

    Examples
    --------
    >>> with Registry.open(home) as registry:                       # doctest: +SKIP
    ...     authorization = registry.authorize(request)
    ...     with registry.lease(authorization.id) as lease:
    ...         lease.check()                                       # at every segment
    ...         receipt = registry.issue_receipt(draft)             # before the file is signed
    ...         registry.mark_sealed(receipt.output_id, sha256=..., size=..., published_as=...)
    """

    def __init__(self, core: Core) -> None:
        self._core = core

    @classmethod
    def open(cls, home: Home, *, clock: Clock | None = None) -> Registry:
        """Open the registry of `home`; first use makes its keys, tables and log.

        Log and database are reconciled: what a crash left in the log alone is taken in.

        Raises
        ------
        VerificationError
            Log, database and keys do not belong together, or the log was rolled back.
        StorageError
            The database or the disk cannot be used, or a key is lost or open to others.
        InputError
            A policy pack or the registry URL cannot be used.
        """
        policy = PolicyEngine.of_home(home)
        database = Database(home)
        try:
            log_key, key = own_keys(home, database)
            origin = home.setting("log", "origin") or default_origin(keys.raw_public(log_key))
            core = Core(
                home=home,
                clock=clock or SystemClock(),
                database=database,
                log=Log.open(home.log, log_key, origin, witnesses=load_policy(home)),
                key=key,
                policy=policy,
            )
            reconcile(core)
            with database.read() as session:
                salts.check_if_noted(core, session)
            erasure.repeat_after_restore(core)
            recovery.take_in(core)
            policy_history.note(core)
        except BaseException:
            database.close()
            raise
        return cls(core)

    def close(self) -> None:
        """Close the database. Leases must have been closed or released before."""
        self._core.database.close()

    def __enter__(self) -> Registry:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def did(self) -> str:
        """The registry's ``did:key``: what grants name as the one registry to spend them at."""
        return self._core.did

    @property
    def home(self) -> Home:
        """The home it belongs to."""
        return self._core.home

    @property
    def registry_tag(self) -> str:
        """First 16 bits of SHA-256 of the registry's public key, 4 hex digits."""
        return self._core.tag

    @property
    def log(self) -> Log:
        """The transparency log; ``registry.log.vkey`` is all a stranger needs."""
        return self._core.log

    @property
    def policy(self) -> PolicyEngine:
        """The policies in force."""
        return self._core.policy

    # -- Authorization ------------------------------------------------------------------

    def authorize(self, request: AuthorizationRequest) -> Authorization:
        """Decide on a job and put the signed yes on record.

        The authorization must be started (:meth:`lease`) within fifteen minutes.

        Raises
        ------
        Denied
            With every reason (``.reasons``), what would cure it (``.cures``) and the rules
            (``.rules``).
        InputError
            The request is incomplete or ill-formed.
        """
        return authorizing.authorize(self._core, request)

    def explain(self, request: AuthorizationRequest) -> Explanation:
        """Say how every rule stands to a job; nothing is authorized and nothing held.

        Raises
        ------
        RefusedError
            The clock was set back, or a grant that is asked for by its id is not on record.
        InputError
            The request is incomplete or ill-formed.
        """
        return authorizing.explain(self._core, request)

    def authorization(self, authorization_id: str) -> Authorization:
        """Return an authorization on record, whether or not it can still be used.

        Raises
        ------
        RefusedError
            There is none of this id.
        VerificationError
            It was changed in the registry.
        """
        with self._core.database.read() as session:
            row = authorizations.fetch(self._core, session, authorization_id)
            return authorizations.open_authorization(row)

    def find_authorization(self, job_digest: str) -> Authorization | None:
        """Return the newest authorization for a job that can still be used, to resume it.

        One whose row was changed, or whose grants no longer hold, is passed over.
        """
        return leases.find(self._core, job_digest)

    def lease(self, authorization_id: str) -> Lease:
        """Start the job of an authorization, or take it up again after a crash.

        Receipts that an earlier run left without a file are abandoned, and their minutes are
        free again.

        Raises
        ------
        RefusedError
            It is unknown, ended, not started in time, or its job runs already.
        VerificationError
            It was changed in the registry.
        """
        return leases.open_lease(self._core, authorization_id)

    def revoke(self, authorization_id: str, reason: str) -> None:
        """Take an authorization back; running work stops at its next check.

        What is sealed stays sealed, and nothing more can be.

        Raises
        ------
        RefusedError
            It is unknown or has ended.
        """
        with self._core.database.write() as session:
            row = authorizations.fetch(self._core, session, authorization_id)
            authorizations.refuse_ended(row, self._core.now())
            authorizations.end(self._core, row, "revoked", reason)
            session.add(row)
            reservations.release(self._core, session, row.id)

    def minutes_left(self, authorization_id: str) -> float:
        """Return how many minutes receipts may still cover, tolerance included."""
        with self._core.database.read() as session:
            row = authorizations.fetch(self._core, session, authorization_id)
            authorization = authorizations.open_authorization(row)
            return max(0, authorization.allowed_ms - row.used_ms) / 60_000

    # -- Receipts -----------------------------------------------------------------------

    def new_output_id(self) -> str:
        """Return an unused output id: registry tag and 32 random bits, 12 hex digits."""
        return receipts.new_output_id(self._core)

    def issue_receipt(self, draft: ReceiptDraft) -> Receipt:
        """Put an output on record, before its file is signed and published.

        Minutes are used, the log entry is durable, and its proof comes back, or nothing
        happened.

        Raises
        ------
        RefusedError
            The authorization is unknown, not started, ended, does not cover these voices or
            models, or has not so many minutes left; or the output id is used.
        VerificationError
            The authorization, its receipts or the log were changed.
        InputError
            The draft is ill-formed.
        """
        return receipts.issue(self._core, draft)

    def mark_sealed(self, output_id: str, *, sha256: str, size: int, published_as: str) -> None:
        """Put the final bytes of an output on record, just before it is published.

        Saying the same twice is harmless.

        Parameters
        ----------
        output_id
            Of a receipt without a file.
        sha256, size
            Of the finished file; hex and bytes.
        published_as
            File name without folders; stays in the registry.

        Raises
        ------
        RefusedError
            There is no such receipt, it is sealed or abandoned, or its authorization was
            revoked or has ended.
        """
        receipts.mark_sealed(self._core, output_id, sha256, size, published_as)

    def abandon(self, output_id: str, reason: str) -> None:
        """Put on record that an output was not published; its minutes are free again.

        `reason` stays in the registry. Saying it twice is harmless.
        """
        receipts.abandon(self._core, output_id, reason)

    def pending_receipts(self) -> list[Receipt]:
        """Return the receipts without a file, those of running jobs included."""
        return receipts.all_pending(self._core)

    def recover(self) -> list[str]:
        """Abandon what dead jobs left without a file; return those output ids.

        Running jobs, here or on another machine, are left alone.
        """
        return leases.recover(self._core)

    def receipt(self, output_id: str) -> Receipt | None:
        """Return a receipt, None if there is none."""
        return receipts.get(self._core, output_id)

    def correct_clock(self) -> None:
        """Put on record that the clock was ahead, and that it is right now.

        A registry that has seen a later time than the clock's authorizes nothing; once the
        clock is right, this ends it. The log keeps both times.
        """
        correct_clock(self._core)

    # -- Vault --------------------------------------------------------------------------

    def store_object(
        self, party: str, source: IO[bytes], *, kind: str, media_type: str, name: str = ""
    ) -> VaultObject:
        """Seal a file for a party: a recording, a proof.

        Parameters
        ----------
        party
            Id or handle.
        source
            Read to its end.
        kind
            ``"recording"``, ``"proof"``, ...
        media_type
            For instance ``"audio/flac"``.
        name
            File name it came with.

        Raises
        ------
        RefusedError
            There is no such party, or it was erased.
        InputError
            `kind`, `media_type` or `name` is ill-formed, or `source` cannot be read.
        StorageError
            The disk is full.
        """
        return objects.store(self._core, party, source, kind=kind, media_type=media_type, name=name)

    def objects(self, party: str) -> list[VaultObject]:
        """Return what the vault holds for a party, oldest first."""
        return objects.every(self._core, party)

    def open_object(self, object_id: str) -> BufferedReader:
        """Open an object for reading, from beginning to end; a context manager.

        Raises
        ------
        RefusedError
            There is none, or it was erased.
        VerificationError
            It was changed, cut or swapped; raised while reading, before any wrong byte.
        """
        return objects.open_(self._core, object_id)

    def delete_object(self, object_id: str) -> None:
        """Destroy one object; its row remembers that there was one."""
        objects.delete(self._core, object_id)

    def erase_party(self, party: str, by: str, reason: str, *, note: str = "") -> ErasureReport:
        """Erase a party: what was theirs becomes unreadable, and their grants end at once.

        Cannot be undone. What stays, and why, is in docs/vault.md.

        Parameters
        ----------
        party
            Id or handle.
        by
            Who orders it.
        reason
            One of :data:`consent.registry.party.erasure.REASONS`.
        note
            Anything to remember; neither it nor `by` is kept here: see the report's ``record``.

        Raises
        ------
        RefusedError
            There is no such party, or it is erased already.
        InputError
            The reason is none of these, or a text is ill-formed.
        """
        return erasure.erase(self._core, party, by, reason, note=note)

    def export_party(self, party: str, path: Path) -> ExportReport:
        """Write everything held about a party into a ZIP that explains itself, mode 0600.

        It is not encrypted: it is for the party, who should get it by a safe way.

        Raises
        ------
        InputError
            There is a file of that name.
        RefusedError
            There is no such party, or it was erased.
        StorageError
            The file cannot be written.
        """
        return personal.export(self._core, party, path)

    # -- Looking after itself -----------------------------------------------------------

    def status(self) -> RegistryStatus:
        """Return counts, keys and the head of the log."""
        return audit.status(self._core)

    def check(self) -> CheckReport:
        """Check the whole log, and every row against it; changes nothing."""
        return audit.check(self._core)


def default_origin(log_public_key: bytes) -> str:
    """Return the name of a log that was given none: it follows from the log's key."""
    return f"vivavoce/{hashlib.sha256(log_public_key).hexdigest()[:16]}"


__all__ = ["Registry", "default_origin"]
