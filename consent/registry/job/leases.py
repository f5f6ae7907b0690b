"""Leases: who is working under an authorization, checked at every segment."""

from __future__ import annotations

import os
import threading
import time
from datetime import datetime, timedelta
from types import TracebackType

from sqlmodel import Session, col, select

from consent.errors import RefusedError
from consent.locks import FileLock
from consent.registry.grant import reservations
from consent.registry.grant.standing import refuse_ended_grants
from consent.registry.job import authorizations, receipts
from consent.registry.job.records import Authorization
from consent.registry.storage import timekeeping
from consent.registry.storage.core import Core
from consent.registry.storage.ledger import settle, writing
from consent.registry.storage.tables import AuthorizationRow, LeaseRow, ReceiptRow

#: How old the registry's word may be, in seconds, when :meth:`Lease.check` answers from memory.
RECHECK_SECONDS = 1.0
#: How often a running job says that it lives, in seconds.
HEARTBEAT_SECONDS = 30.0
#: A holder on another machine that was silent for so long is taken for dead.
SILENCE = timedelta(minutes=5)

INTERRUPTED = "the job ended before the file was sealed"


class Lease:
    """The right of this process to work under an authorization.

    One process at a time. As a context manager: left normally, the authorization is closed
    (:meth:`close`); left by an exception, it is only released (:meth:`release`), and the
    same job can take it up again. A killed process releases it without a word.

    Attributes
    ----------
    authorization
        What the lease is for.
    """

    def __init__(self, core: Core, authorization: Authorization, lock: FileLock) -> None:
        self.authorization = authorization
        self._core = core
        self._lock = lock
        self._guard = threading.Lock()
        self._checked = time.monotonic()
        self._beat = self._checked
        self._ended: RefusedError | None = None

    @property
    def id(self) -> str:
        """The authorization's id."""
        return self.authorization.id

    def check(self) -> None:
        """Make sure that the work may go on; cheap enough for every segment.

        Asks the registry when its last word is more than a second old, and renews the lease
        now and then.

        Raises
        ------
        RefusedError
            The lease was closed or released, the authorization was revoked or expired, a grant
            it rests on no longer holds, or the clock was set back.
        VerificationError
            The authorization or a grant was changed in the registry.
        """
        with self._guard:
            if self._ended is not None:
                raise RefusedError(self._ended.message, hint=self._ended.hint)
            now = time.monotonic()
            if now - self._checked < RECHECK_SECONDS:
                return
            try:
                self._ask(renew=now - self._beat >= HEARTBEAT_SECONDS)
            except RefusedError as exc:
                self._ended = exc
                raise
            self._checked = now

    def close(self) -> None:
        """End the job: minutes are settled, and the authorization can never be used again.

        Receipts without a file are abandoned. Closing twice is harmless.
        """
        with self._guard:
            if not self._lock.held:
                return
            try:
                receipts.abandon_pending(self._core, self.id, INTERRUPTED)
                with writing(self._core) as ledger:
                    row = ledger.row(self.id)
                    if row.state == "active":
                        settle(ledger, row)
            finally:
                self._release(RefusedError(f"the lease of {self.id} is closed"))

    def release(self) -> None:
        """Stop working without ending the job: it can be resumed later."""
        with self._guard:
            if self._lock.held:
                self._release(RefusedError(f"the lease of {self.id} was released"))

    def __enter__(self) -> Lease:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.release()

    def _ask(self, *, renew: bool) -> None:
        if not renew:
            with self._core.database.read() as session:
                self._refuse(session)
            return
        with self._core.database.write() as session:
            row, now = self._refuse(session)
            row.renewed_at = now
            authorizations.sign_state(self._core, row)
            session.add(row)
            lease = session.get(LeaseRow, self.id)
            if lease is not None:
                lease.heartbeat_at = now
                session.add(lease)
            timekeeping.note(session, now)
        self._beat = time.monotonic()

    def _refuse(self, session: Session) -> tuple[AuthorizationRow, datetime]:
        now = timekeeping.checked_now(self._core, session)
        row = authorizations.fetch(self._core, session, self.id)
        authorizations.refuse_ended(row, now)
        refuse_ended_grants(self._core, session, self.authorization, now)
        return row, now

    def _release(self, ended: RefusedError) -> None:
        self._ended = ended
        try:
            with self._core.database.write() as session:
                lease = session.get(LeaseRow, self.id)
                if lease is not None:
                    lease.released_at = self._core.now()
                    session.add(lease)
        finally:
            self._lock.release()


def open_lease(core: Core, authorization_id: str) -> Lease:
    """Start or take up the job of an authorization; see ``Registry.lease``."""
    with core.database.read() as session:
        authorizations.fetch(core, session, authorization_id)  # refuses what is no id
    lock = _lock(core, authorization_id)
    if not lock.acquire(timeout=0):
        raise RefusedError(
            f"the job of the authorization {authorization_id} is already running",
            hint="Wait for it to end, or end it, then run again.",
        )
    try:
        authorization = _start(core, authorization_id)
        # Nobody else holds the lease: what an earlier run left without a file stays without.
        receipts.abandon_pending(core, authorization_id, INTERRUPTED)
        return Lease(core, authorization, lock)
    except BaseException:
        lock.release()
        raise


def find(core: Core, job_digest: str) -> Authorization | None:
    """Return the newest authorization for a job that can still be used."""
    with core.database.read() as session:
        now = timekeeping.checked_now(core, session)
        for authorization in authorizations.usable(core, session, job_digest, now):
            try:
                refuse_ended_grants(core, session, authorization, now)
            except RefusedError:
                continue  # it would be refused at once; the job needs a new one
            return authorization
    return None


def recover(core: Core) -> list[str]:
    """Abandon the pending receipts of every job that no longer runs; return their output ids."""
    with core.database.read() as session:
        owners = session.exec(
            select(ReceiptRow.authorization_id).where(ReceiptRow.state == "issued").distinct()
        ).all()
    abandoned: list[str] = []
    for owner in owners:
        if owner is None:
            # Derived again from the log; whoever asked for it died with the old database.
            abandoned += receipts.abandon_pending(core, None, INTERRUPTED)
            continue
        lock = _lock(core, owner)
        if not lock.acquire(timeout=0):
            continue
        try:
            if not _alive_elsewhere(core, owner):
                abandoned += receipts.abandon_pending(core, owner, INTERRUPTED)
        finally:
            lock.release()
    return abandoned


def running(core: Core) -> int:
    """Return how many jobs hold a lease now."""
    with core.database.read() as session:
        ids = session.exec(
            select(LeaseRow.authorization_id).where(col(LeaseRow.released_at).is_(None))
        ).all()
    alive = 0
    for authorization_id in ids:
        lock = _lock(core, authorization_id)
        if lock.acquire(timeout=0):
            lock.release()
            alive += _alive_elsewhere(core, authorization_id)
        else:
            alive += 1
    return alive


def _lock(core: Core, authorization_id: str) -> FileLock:
    return FileLock(core.home.leases / f"{authorization_id}.lock")


def _alive_elsewhere(core: Core, authorization_id: str) -> bool:
    """Whether another machine or home works under the authorization; its lock is not ours."""
    with core.database.read() as session:
        lease = session.get(LeaseRow, authorization_id)
    return (
        lease is not None
        and lease.holder != core.holder
        and lease.released_at is None
        and core.now() < lease.heartbeat_at + SILENCE
    )


def _start(core: Core, authorization_id: str) -> Authorization:
    refusal: RefusedError | None = None
    with core.database.write() as session:
        now = timekeeping.checked_now(core, session)
        row = authorizations.fetch(core, session, authorization_id)
        authorization = authorizations.open_authorization(row)
        reason = authorizations.why_ended(row, now)
        if reason is not None:
            refusal = RefusedError(
                f"the authorization {row.id} has ended: {reason}",
                hint="Ask for a new one by starting the job again.",
            )
            if row.state in ("issued", "active"):
                authorizations.end(core, row, "expired", reason)
                session.add(row)
                reservations.release(core, session, row.id)
        elif _alive_elsewhere(core, authorization_id):
            refusal = RefusedError(
                f"the job of the authorization {authorization_id} runs on another machine",
                hint="Wait for it to end.",
            )
        else:
            refuse_ended_grants(core, session, authorization, now)
            row.state = "active"
            row.started_at = row.started_at or now
            row.renewed_at = now
            authorizations.sign_state(core, row)
            session.add(row)
            session.merge(
                LeaseRow(
                    authorization_id=authorization_id,
                    holder=core.holder,
                    pid=os.getpid(),
                    opened_at=now,
                    heartbeat_at=now,
                    released_at=None,
                )
            )
            timekeeping.note(session, now)
    if refusal is not None:
        raise refusal
    return authorization
