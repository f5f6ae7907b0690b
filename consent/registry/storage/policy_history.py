"""Which policies were in force when: an entry of the log whenever they change."""

from __future__ import annotations

from sqlmodel import Session, col, select

from consent.clock import rfc3339
from consent.registry.storage.core import Core
from consent.registry.storage.ledger import writing
from consent.registry.storage.tables import LogIndexRow


def note(core: Core) -> None:
    """Put the policies in force on record, if the last ones on record are others."""
    with core.database.read() as session:
        if _last(session) == core.policy.digest:
            return
    with writing(core) as ledger:
        if _last(ledger.session) == core.policy.digest:
            return
        ledger.append(
            {
                "kind": "policy",
                "version": 1,
                "subject": core.policy.digest,
                "digest": core.policy.digest,
                "rules": sorted(core.policy.rules),
                "time": rfc3339(core.now()),
            }
        )


def _last(session: Session) -> str | None:
    """Return the digest of the policies that were put on record last."""
    return session.exec(
        select(LogIndexRow.subject)
        .where(LogIndexRow.kind == "policy")
        .order_by(col(LogIndexRow.leaf_index).desc())
        .limit(1)
    ).first()
