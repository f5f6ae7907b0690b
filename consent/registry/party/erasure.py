"""Erasing a party: what was theirs becomes unreadable, what was logged stays checkable.

The log learns of it first, in one entry without personal data; everything else follows from
that entry. A crash in between, or an older database restored later, therefore erases again.

What is destroyed is the party's key, and with it everything sealed under it: profile,
recordings, grants they gave, statements about them. What stays is what others rely on and the
law asks to keep: receipts with their minutes, grants that somebody else gave to them, keys that
somebody else's documents are signed with (docs/vault.md).
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, or_, select

from consent import keys
from consent.backup import RESTORED
from consent.canonical import canonical, commitment
from consent.clock import rfc3339
from consent.errors import InputError, RefusedError, StorageError
from consent.identity.names import checked_name
from consent.registry.grant import effects
from consent.registry.party import objects, parties
from consent.registry.storage import rows, salts
from consent.registry.storage.core import Core
from consent.registry.storage.ledger import writing
from consent.registry.storage.tables import (
    GrantRow,
    MandateRow,
    PartyKeyRow,
    PartyRow,
    PersonKeyRow,
    StatementRow,
    VaultObjectRow,
    VoiceRow,
)

#: Why a person may ask for it, or why it is done unasked: article 17 (1) of the GDPR.
REASONS: Mapping[str, str] = {
    "no-longer-needed": "the data are no longer needed for what they were collected for",
    "consent-withdrawn": "consent was withdrawn, and there is no other ground to keep them",
    "objection": "the person objects, and nothing overrides that",
    "unlawful": "the data should not have been collected",
    "legal-obligation": "a law asks for the erasure",
    "collected-from-a-child": "the data were collected from a child",
}

_KEY_FILE = re.compile(r"(?P<name>party-(?P<party>p[0-9a-f]{16})(-[0-9]+)?)\.pem")


@dataclass(frozen=True, slots=True)
class ErasureReport:
    """What an erasure did.

    Attributes
    ----------
    leaf_index
        The entry of the log that says so.
    grants, voices, objects
        Grants that ended, voices that nobody can use any more, files that were destroyed.
    record
        Who ordered it and why, in words. The log holds a commitment to it (`salt`); the
        registry does not keep it: file it with your records of requests.
    """

    party_id: str
    time: datetime
    leaf_index: int
    reason: str
    grants: tuple[str, ...]
    voices: tuple[str, ...]
    objects: int
    record: dict[str, str]
    salt: str

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self) | {"time": rfc3339(self.time)}


def erase(core: Core, party: str, by: str, reason: str, *, note: str) -> ErasureReport:
    """Erase a party; see ``Registry.erase_party``."""
    if reason not in REASONS:
        raise InputError(
            f"the reason is {reason[:80]!r}",
            hint=f"One of: {', '.join(REASONS)} (GDPR, article 17).",
        )
    by = checked_name(by, "the name of who orders the erasure")
    note = checked_name(note, "the note", 2000) if note else ""
    with writing(core) as ledger:
        session = ledger.session
        salts.check(core, session)
        row = parties.fetch(core, session, party)
        if row.state == "erased":
            raise RefusedError(f"the party {row.id} is erased already")
        now = core.now()
        record = {"party": row.id, "by": by, "reason": reason, "note": note, "time": rfc3339(now)}
        salt = core.salt("erasure", row.id)
        voices = session.exec(select(VoiceRow.name).where(VoiceRow.owner == row.id)).all()
        grants = [grant.id for grant in _grants(session, row.id) if grant.status != "revoked"]
        kept = session.exec(
            select(VaultObjectRow.id).where(
                VaultObjectRow.party_id == row.id, col(VaultObjectRow.erased_at).is_(None)
            )
        ).all()
        index, _ = ledger.append(
            {
                "kind": "erasure",
                "version": 1,
                "subject": row.ref,
                "reason": reason,
                "record": commitment(canonical(record), salt),
                "time": rfc3339(now),
            }
        )
        report = ErasureReport(
            party_id=row.id,
            time=now,
            leaf_index=index,
            reason=reason,
            grants=tuple(grants),
            voices=tuple(voices),
            objects=len(kept),
            record=record,
            salt=salt.hex(),
        )
    objects.sweep(core)
    forget_old_pages(core)
    return report


def apply_erasure(
    core: Core, session: Session, index: int, _leaf: str, entry: dict[str, Any]
) -> None:
    """Do what an erasure's log entry says."""
    time = datetime.fromisoformat(entry["time"])
    _destroy_key_files(core, entry["subject"])
    row = session.exec(
        select(PartyRow).where(PartyRow.ref == entry["subject"]).with_for_update()
    ).one_or_none()
    if row is None:
        return  # entered after the backup this database comes from: nothing of them is here
    key = session.get(PersonKeyRow, row.id)
    if key is not None:
        key.wrapped = ""
        key.destroyed_at = key.destroyed_at or time
        session.add(key)
    _change(core, session, row, state="erased", handle_index=f"erased:{row.id}", profile="")
    _end_keys(core, session, row.id, index, time)
    _end_voices_and_grants(core, session, row.id, time)
    _end_documents(core, session, row.id, time)
    for kept in session.exec(select(VaultObjectRow).where(VaultObjectRow.party_id == row.id)).all():
        objects.erase(core, kept, time)
        session.add(kept)
    session.flush()


def repeat_after_restore(core: Core) -> None:
    """Destroy again what a restored backup has brought back of erased parties.

    A database on a server is not in the backup and has erased them already; their files and
    keys are, and nothing in the log is new to that database.
    """
    marker = core.home.root / RESTORED
    if not marker.exists():
        return
    with core.database.read() as session:
        erased = session.exec(select(PartyRow.ref).where(PartyRow.state == "erased")).all()
    for ref in erased:
        _destroy_key_files(core, ref)
    objects.sweep(core)
    marker.unlink(missing_ok=True)


PROJECTIONS = {"erasure": apply_erasure}


def forget_old_pages(core: Core) -> None:
    """Let the database overwrite what it no longer needs; as well as it can.

    SQLite keeps old pages in its write-ahead log, PostgreSQL old rows until it is vacuumed.
    """
    # Others may read just now; the key is destroyed, and what is left is sealed under it.
    with contextlib.suppress(StorageError):
        core.database.scrub()


def _destroy_key_files(core: Core, ref: str) -> None:
    """Remove the private keys of the party that the log calls `ref`, row or no row."""
    for path in core.home.keys.glob("party-*.pem"):
        match = _KEY_FILE.fullmatch(path.name)
        if match is not None and core.ref("party", match["party"]) == ref:
            keys.remove(core.home, match["name"])


def _end_keys(core: Core, session: Session, party_id: str, index: int, time: datetime) -> None:
    shared = _signed_for_others(session, party_id)
    for key in session.exec(select(PartyKeyRow).where(PartyKeyRow.party_id == party_id)).all():
        changes: dict[str, Any] = {"key_name": ""}
        if key.state == "active":
            changes["state"] = "rotated"
        if key.ended_leaf is None:
            changes |= {"ended_leaf": index, "valid_until": time}
        if not shared:
            changes["did"] = f"erased:{key.ref}"
        _change(core, session, key, **changes)


def _signed_for_others(session: Session, party_id: str) -> bool:
    """Whether documents of other parties can only be checked with this party's keys."""
    represented = session.exec(
        select(MandateRow.id).where(MandateRow.representative == party_id).limit(1)
    ).first()
    stated = session.exec(
        select(StatementRow.id)
        .where(StatementRow.issuer_party == party_id, StatementRow.sealed_for != party_id)
        .limit(1)
    ).first()
    return represented is not None or stated is not None


def _end_voices_and_grants(core: Core, session: Session, party_id: str, time: datetime) -> None:
    for voice in session.exec(select(VoiceRow).where(VoiceRow.owner == party_id)).all():
        # The name stays: a voice that belonged to somebody must not become free to use.
        _change(core, session, voice, state="erased", details="")
    for grant in _grants(session, party_id):
        sound = rows.intact(core, grant)
        if grant.owner == party_id:
            grant.document = ""
        if sound:
            rows.sign_row(core, grant)
            effects.set_status(core, session, grant, "revocation", time)
        session.add(grant)


def _end_documents(core: Core, session: Session, party_id: str, time: datetime) -> None:
    for mandate in session.exec(
        select(MandateRow).where(
            or_(MandateRow.principal == party_id, MandateRow.representative == party_id)
        )
    ).all():
        changes: dict[str, Any] = {"revoked_at": mandate.revoked_at or time}
        if mandate.principal == party_id:
            changes["document"] = ""
        _change(core, session, mandate, **changes)
    for statement in session.exec(
        select(StatementRow).where(StatementRow.sealed_for == party_id)
    ).all():
        _change(core, session, statement, document="")


def _grants(session: Session, party_id: str) -> list[GrantRow]:
    return list(
        session.exec(
            select(GrantRow).where(or_(GrantRow.owner == party_id, GrantRow.licensee == party_id))
        ).all()
    )


def _change(
    core: Core,
    session: Session,
    row: PartyRow | PartyKeyRow | VoiceRow | MandateRow | StatementRow,
    **values: Any,
) -> None:
    # A row that was tampered with is blanked as well, and not signed: that would make it good.
    sound = rows.intact(core, row)
    for name, value in values.items():
        setattr(row, name, value)
    if sound:
        rows.sign_row(core, row)
    session.add(row)
