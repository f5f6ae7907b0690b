"""Log and database together: which comes first, and what a crash can leave.

Two stores cannot commit at one instant, so they commit in one order, under one lock:

1. take the log's lock, then the database's write transaction;
2. bring the database up to the log, should a crash have left it behind;
3. check everything; append to the log, durably;
4. project the new entries into the database, commit.

The log can therefore be ahead of the database, never behind, and everything the database
derives from it can be derived again; what the log does not say is kept in the outbox meanwhile.
A database that is ahead of its log means that the log was rolled back: that is an alarm, not
something to repair.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session

from consent.canonical import canonical
from consent.clock import rfc3339
from consent.errors import VerificationError
from consent.keys import raw_public
from consent.log import Checkpoint, Writer
from consent.log.merkle import leaf_hash
from consent.registry.grant import reservations
from consent.registry.job import authorizations
from consent.registry.storage import outbox, timekeeping
from consent.registry.storage.core import Core
from consent.registry.storage.tables import AuthorizationRow, LogIndexRow, MetaRow, Table

# What the index finds an entry by: the first of these that it has.
_SUBJECTS = ("output_id", "authorization", "subject", "tag")


@dataclass
class Ledger:
    """Log and database, held for writing; made by :func:`writing`."""

    core: Core
    session: Session
    writer: Writer

    def append(self, entry: dict[str, Any]) -> tuple[int, str]:
        """Append `entry` to the log and project it; return its place and canonical text."""
        (appended,) = self.append_all([entry])
        return appended

    def append_all(
        self,
        entries: Sequence[dict[str, Any]],
        rows: Callable[[Sequence[int]], Sequence[Table]] | None = None,
    ) -> list[tuple[int, str]]:
        """Append `entries` under one checkpoint and project them; see :meth:`append`.

        Parameters
        ----------
        rows
            Makes the rows that the entries alone do not give, for entries at those places. They
            are kept in the outbox until the database has them.
        """
        leaves = [canonical(entry) for entry in entries]
        size = self.writer.checkpoint.size
        made = rows(range(size, size + len(leaves))) if rows is not None else ()
        if made:
            outbox.keep_rows(self.core, size, leaves, made)
        places = self.writer.append(leaves)
        for index, leaf in zip(places, leaves, strict=True):
            _project(self.core, self.session, index, leaf)
        self.session.flush()
        _add(self.session, made)
        _set_head(self.session, self.writer.checkpoint)
        return [(index, leaf.decode()) for index, leaf in zip(places, leaves, strict=True)]

    def row(self, authorization_id: str) -> AuthorizationRow:
        """Return an authorization's row, checked."""
        return authorizations.fetch(self.core, self.session, authorization_id)


@contextmanager
def writing(core: Core) -> Iterator[Ledger]:
    """Hold log and database for a change of both."""
    with core.log.writer() as writer:
        with core.database.write() as session:
            if _catch_up(core, session, writer.checkpoint):
                session.commit()  # stands even if what follows is refused
            yield Ledger(core, session, writer)
            timekeeping.note(session, core.now())
        outbox.clear_rows(core)


def _add(session: Session, rows: Sequence[Table]) -> None:
    # One by one, in their order: they refer to each other.
    for row in rows:
        session.add(row)
        session.flush()


def reconcile(core: Core) -> None:
    """Bring the database up to the log, and begin the log where it is new.

    Raises
    ------
    VerificationError
        The log was rolled back, swapped or damaged, or the database is another registry's.
    """
    checkpoint = core.log.checkpoint()
    with core.database.read() as session:
        head = _head(session)
    if checkpoint.size > 0 and head == (checkpoint.size, checkpoint.root.hex()):
        _check_owner(core)
        _remember_time(core)
        return
    with writing(core) as ledger:
        if ledger.writer.checkpoint.size == 0:
            ledger.append(
                {
                    "kind": "registry",
                    "version": 1,
                    "public_key": raw_public(core.key).hex(),
                    "tag": core.tag,
                    "time": rfc3339(core.now()),
                }
            )
    _check_owner(core)


def settle(ledger: Ledger, row: AuthorizationRow) -> None:
    """Close an authorization; its use goes on record if there was any."""
    if row.receipts == 0:
        authorizations.end(ledger.core, row, "closed")
        ledger.session.add(row)
        reservations.release(ledger.core, ledger.session, row.id)
        return
    ledger.append(
        {
            "kind": "settled",
            "version": 1,
            "authorization": row.digest,
            "outputs": row.receipts,
            "duration_ms": row.used_ms,
            "time": rfc3339(ledger.core.now()),
        }
    )


def correct_clock(core: Core) -> None:
    """Put on record that the clock was ahead and is right now; see ``Registry.correct_clock``."""
    with writing(core) as ledger:
        seen = timekeeping.latest(ledger.session)
        now = core.now()
        if seen is not None and now < seen:
            ledger.append(
                {"kind": "clock", "version": 1, "seen": rfc3339(seen), "time": rfc3339(now)}
            )


def _check_owner(core: Core) -> None:
    with core.database.read() as session:
        owner = session.get(MetaRow, "registry_key")
    if owner is None or owner.value != raw_public(core.key).hex():
        raise VerificationError(
            f"the registry {core.database.engine.url.render_as_string()} belongs to another key",
            hint="Restore the keys from a backup: vivavoce keys restore FILE",
        )


def _remember_time(core: Core) -> None:
    """Take over what the log knows of the time, should the database have forgotten it."""
    logged = timekeeping.last_entry(core)
    with core.database.read() as session:
        seen = timekeeping.latest(session)
    if logged is not None and (seen is None or logged > seen + timekeeping.ADJUSTMENT):
        with core.database.write() as session:
            timekeeping.note(session, logged)


def _head(session: Session) -> tuple[int, str] | None:
    row = session.get(MetaRow, "log_head")
    if row is None:
        return None
    size, _, root = row.value.partition(" ")
    if not re.fullmatch(r"[0-9]{1,18}", size):
        raise VerificationError(
            f"the registry's note of the log it has seen was changed: {row.value!r}",
            hint="Restore the registry from a backup: vivavoce keys restore FILE",
        )
    return int(size), root


def _set_head(session: Session, checkpoint: Checkpoint) -> None:
    value = f"{checkpoint.size} {checkpoint.root.hex()}"
    row = session.get(MetaRow, "log_head")
    if row is None:
        session.add(MetaRow(key="log_head", value=value))
    else:
        row.value = value
        session.add(row)


def _catch_up(core: Core, session: Session, checkpoint: Checkpoint) -> bool:
    """Project what the log has and the database has not; return whether there was any."""
    head = _head(session)
    size = 0 if head is None else head[0]
    if head is not None:
        if size > checkpoint.size:
            raise VerificationError(
                f"the log has {checkpoint.size} entries, but the registry has seen {size}: "
                "the log was rolled back",
                hint="Restore the newest backup of the log; do not go on with this one.",
            )
        root = checkpoint.root if size == checkpoint.size else core.log.root(size)
        if root.hex() != head[1]:
            raise VerificationError(
                f"the first {size} entries of the log are not those the registry has seen",
                hint="The log was rewritten or swapped. Restore it from a backup.",
            )
    if size == checkpoint.size:
        return False
    for index, leaf in enumerate(core.log.entries(size), start=size):
        if leaf_hash(leaf) != core.log.tree(checkpoint.size)(0, index):
            raise VerificationError(f"entry {index} of the log does not fit its leaf hash")
        _project(core, session, index, leaf)
        _add(session, outbox.rows_kept(core, index, leaf))
    session.flush()
    _set_head(session, checkpoint)
    timekeeping.note(session, datetime.fromisoformat(json.loads(leaf)["time"]))
    return True


def _project(core: Core, session: Session, index: int, leaf: bytes) -> None:
    """Write into the database what one log entry says."""
    from consent.registry.storage.projections import projections  # some of them append entries too

    entry = json.loads(leaf)
    kind = entry["kind"]
    subject = next((entry[name] for name in _SUBJECTS if entry.get(name)), "")
    session.add(
        LogIndexRow(leaf_index=index, kind=kind, subject=subject, leaf_hash=leaf_hash(leaf).hex())
    )
    project = projections().get(kind)
    if project is not None:
        project(core, session, index, leaf.decode(), entry)
