"""Voices that belong to somebody: they speak by a grant or not at all."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlmodel import Session, col, select

from consent.canonical import canonical
from consent.clock import rfc3339
from consent.errors import RefusedError, VerificationError
from consent.identity.names import checked_name, checked_voice
from consent.registry.party import parties
from consent.registry.party.records import RegisteredVoice
from consent.registry.storage import rows, salts
from consent.registry.storage.core import Core
from consent.registry.storage.ledger import writing
from consent.registry.storage.sealing import seal, unseal
from consent.registry.storage.tables import LogIndexRow, Table, VoiceRow


def register(core: Core, name: str, owner: str, *, alias: str) -> RegisteredVoice:
    """Put on record whose voice it is; see ``Registry.register_voice``."""
    name = checked_voice(name)
    if alias:
        alias = checked_name(alias, "the alias")
    with writing(core) as ledger:
        session = ledger.session
        salts.check(core, session)
        party = parties.active(core, session, owner)
        taken = find(core, session, name)
        if taken is not None:
            whose = "already theirs" if taken.owner == party.id else "somebody else's"
            raise RefusedError(
                f"the voice {name} is {whose}",
                hint="A voice has one owner. Give the new voice a name of its own.",
            )
        now = core.now()
        entry = {
            "kind": "voice",
            "version": 1,
            "subject": core.ref("voice", name),
            "owner": core.ref("party", party.id),
            "time": rfc3339(now),
        }
        details = canonical({"alias": alias})
        row = VoiceRow(
            name=name,
            ref=core.ref("voice", name),
            owner=party.id,
            state="active",
            details=seal(core, session, party.id, details, f"voice:{name}"),
            created_at=now,
            leaf_index=0,
            signature="",
        )

        def made(places: Sequence[int]) -> list[Table]:
            row.leaf_index = places[0]
            rows.sign_row(core, row)
            return [row]

        ledger.append_all([entry], made)
        return _read(core, session, row)


def get(core: Core, name: str) -> RegisteredVoice | None:
    """Return a registered voice, None for one that is nobody's."""
    with core.database.read() as session:
        return find(core, session, name)


def every(core: Core) -> list[RegisteredVoice]:
    """Return all registered voices, oldest first."""
    with core.database.read() as session:
        found = session.exec(select(VoiceRow).order_by(col(VoiceRow.leaf_index))).all()
        return [_read(core, session, row) for row in found]


def find(core: Core, session: Session, name: str) -> RegisteredVoice | None:
    """Return a registered voice, None for one that is nobody's.

    Raises
    ------
    VerificationError
        Its row was changed or deleted: a person's voice does not become free by that.
    """
    row = session.get(VoiceRow, name)
    if row is not None:
        return _read(core, session, row)
    logged = session.exec(
        select(LogIndexRow.leaf_index).where(
            LogIndexRow.kind == "voice", LogIndexRow.subject == core.ref("voice", name)
        )
    ).first()
    if logged is not None:
        raise VerificationError(
            f"the voice {name} is somebody's by entry {logged} of the log, "
            "and its row is gone from the registry",
            hint="Restore the registry from a backup: vivavoce keys restore FILE",
        )
    return None


def is_registered(core: Core, session: Session, name: str) -> bool:
    """Whether a voice is somebody's; raises as :func:`find` does."""
    row = session.get(VoiceRow, name)
    if row is None:
        return find(core, session, name) is not None
    rows.verify_row(core, row, f"the voice {row.name}")
    return True


def _read(core: Core, session: Session, row: VoiceRow) -> RegisteredVoice:
    rows.verify_row(core, row, f"the voice {row.name}")
    alias = ""
    if row.state == "active":
        details = unseal(core, session, row.owner, row.details, f"voice:{row.name}")
        alias = json.loads(details)["alias"]
    return RegisteredVoice(
        name=row.name,
        owner=row.owner,
        alias=alias,
        state=row.state,
        created_at=row.created_at,
    )
