"""The time that counts: one clock, and a memory that notices when it is set back.

Terms, expiry and starts are as good as the clock they are read from. The registry remembers the
latest time it has seen; its log does too, for every entry says when it was made. A clock that
is behind that memory by more than clocks are ever adjusted by was set back, and nothing is
allowed until it is right again. Saying no, revoking and abandoning go on working.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from sqlmodel import Session, select

from consent.clock import rfc3339
from consent.errors import RefusedError, VerificationError
from consent.registry.storage.core import Core
from consent.registry.storage.tables import MetaRow

#: What time servers and people correct a clock by without meaning anything.
ADJUSTMENT = timedelta(minutes=5)
# How far the memory may lag: not every request has to write it down.
_LAG = timedelta(minutes=1)
_KEY = "clock"
_NOTED = select(MetaRow.value).where(MetaRow.key == _KEY)


def checked_now(core: Core, session: Session) -> datetime:
    """Return the time, unless the clock was set back.

    Raises
    ------
    RefusedError
        The clock is more than five minutes behind the latest time on record.
    VerificationError
        The note of that time was changed.
    """
    now = core.now()
    seen = latest(session)
    if seen is not None and now < seen - ADJUSTMENT:
        raise RefusedError(
            f"the clock was set back: it is {rfc3339(now)}, and this registry has already seen "
            f"{rfc3339(seen)}",
            hint="Set the clock right. If it is right now and was wrong before, put that on "
            "record: vivavoce audit correct-clock",
        )
    return now


def latest(session: Session) -> datetime | None:
    """Return the latest time that was noted.

    Raises
    ------
    VerificationError
        The note was changed.
    """
    value = session.execute(_NOTED).scalar()
    if value is None:
        return None
    try:
        seen = datetime.fromisoformat(value)
    except ValueError:
        seen = None
    if seen is None or seen.tzinfo is None:
        raise VerificationError(
            f"the registry's note of the time it has seen was changed: {value!r}",
            hint="Restore the registry from a backup: vivavoce keys restore FILE",
        )
    session.info[_KEY] = seen
    return seen


def note(session: Session, moment: datetime) -> None:
    """Remember that it has been `moment`."""
    # What this transaction has read cannot have changed meanwhile: there is one writer.
    seen = session.info.get(_KEY) or latest(session)
    if seen is None or moment >= seen + _LAG:
        put(session, moment)


def put(session: Session, moment: datetime) -> None:
    """Remember `moment` as the latest time, whatever was remembered before."""
    session.merge(MetaRow(key=_KEY, value=rfc3339(moment)))
    session.info[_KEY] = moment


def last_entry(core: Core) -> datetime | None:
    """Return when the newest entry of the log was made, None for an empty log."""
    size = core.log.checkpoint().size
    if size == 0:
        return None
    return datetime.fromisoformat(json.loads(core.log.entry(size - 1))["time"])
