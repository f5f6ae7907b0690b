"""What the vault keeps for a party: recordings, proofs of mandates, evidence."""

from __future__ import annotations

import io
import json
import re
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import IO, Any

from sqlmodel import Session, col, select

from consent.canonical import canonical, commitment
from consent.clock import rfc3339
from consent.errors import InputError, RefusedError, VerificationError
from consent.identity.names import checked_name
from consent.locks import FileLock
from consent.registry.party import parties
from consent.registry.storage.core import Core
from consent.registry.storage.sealing import seal, unseal
from consent.registry.storage.tables import PersonKeyRow, VaultObjectRow
from consent.vault.objects import ObjectFiles, destroy
from consent.vault.objects import sweep as sweep_files

_KIND = re.compile(r"[a-z][a-z-]{0,31}")
_MEDIA_TYPE = re.compile(r"[a-z]+/[a-z0-9][a-z0-9.+-]{0,80}")


@dataclass(frozen=True, slots=True)
class VaultObject:
    """A sealed file of a party.

    Attributes
    ----------
    id
        32 hex digits.
    kind
        What it is: ``"recording"``, ``"proof"``, ...
    name
        File name it came with; may be empty.
    size, sha256
        Of the plain bytes.
    commitment
        Salted digest of them: what a grant's evidence may name without telling anything.
    """

    id: str
    party_id: str
    kind: str
    media_type: str
    name: str
    size: int
    sha256: str
    commitment: str
    created_at: datetime

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self) | {"created_at": rfc3339(self.created_at)}


def store(
    core: Core, party: str, source: IO[bytes], *, kind: str, media_type: str, name: str
) -> VaultObject:
    """Seal a file for a party; see ``Registry.store_object``."""
    if not _KIND.fullmatch(kind):
        raise InputError(f"the kind of object is {kind[:40]!r}", hint='For instance "recording".')
    if not _MEDIA_TYPE.fullmatch(media_type):
        raise InputError(
            f"the media type is {media_type[:100]!r}", hint='For instance "audio/flac".'
        )
    if name:
        name = checked_name(name, "the file name")
    files = ObjectFiles(core.home, core.vault)
    with core.database.read() as session:
        party_id = parties.active(core, session, party).id
        wrapped = _wrapped(session, party_id)
    draft = files.seal(wrapped, source)
    try:
        with _lock(core), core.database.write() as session:
            # Nobody erased them meanwhile, and nobody does until this is on record.
            session.exec(
                select(PersonKeyRow).where(PersonKeyRow.party_id == party_id).with_for_update()
            ).one()
            parties.active(core, session, party_id)
            details = {
                "kind": kind,
                "media_type": media_type,
                "name": name,
                "size": draft.size,
                "sha256": draft.sha256,
            }
            row = VaultObjectRow(
                id=draft.id,
                party_id=party_id,
                kind=kind,
                media_type=media_type,
                size=draft.size,
                sha256_commitment=_commitment(core, draft.id, draft.sha256),
                created_at=core.now(),
                details=seal(core, session, party_id, canonical(details), _context(draft.id)),
            )
            session.add(row)
            session.flush()
            files.publish(draft)
            return _read(core, session, row)
    except BaseException:
        files.discard(draft)
        raise


def every(core: Core, party: str) -> list[VaultObject]:
    """Return what the vault holds for a party, oldest first."""
    with core.database.read() as session:
        party_id = parties.fetch(core, session, party).id
        found = session.exec(
            select(VaultObjectRow)
            .where(VaultObjectRow.party_id == party_id, col(VaultObjectRow.erased_at).is_(None))
            .order_by(col(VaultObjectRow.created_at), col(VaultObjectRow.id))
        ).all()
        return [_read(core, session, row) for row in found]


def get(core: Core, ident: str) -> VaultObject:
    """Return what is on record of an object."""
    with core.database.read() as session:
        return _read(core, session, _fetch(session, ident))


def open_(core: Core, ident: str) -> io.BufferedReader:
    """Open an object for reading; see ``Registry.open_object``."""
    with core.database.read() as session:
        row = _fetch(session, ident)
        _read(core, session, row)
        wrapped = _wrapped(session, row.party_id)
    return ObjectFiles(core.home, core.vault).open(wrapped, ident)


def delete(core: Core, ident: str) -> None:
    """Destroy one object; see ``Registry.delete_object``."""
    with _lock(core), core.database.write() as session:
        row = _fetch(session, ident)
        erase(core, row, core.now())
        session.add(row)


def erase(core: Core, row: VaultObjectRow, time: datetime) -> None:
    """Destroy an object's file, and what its row says of it."""
    destroy(core.home, row.id)
    row.erased_at = row.erased_at or time
    row.details = ""
    row.sha256_commitment = ""
    row.size = 0


def sweep(core: Core) -> int:
    """Destroy sealed files that no row speaks of; return how many there were."""
    with _lock(core), core.database.read() as session:
        known = set(
            session.exec(
                select(VaultObjectRow.id).where(col(VaultObjectRow.erased_at).is_(None))
            ).all()
        )
        return sweep_files(core.home, known)


def _fetch(session: Session, ident: str) -> VaultObjectRow:
    row = session.get(VaultObjectRow, ident)
    if row is None:
        raise RefusedError(f"there is no object {ident[:80]!r} in the vault")
    if row.erased_at is not None:
        raise RefusedError(f"the object {ident} was erased on {row.erased_at:%Y-%m-%d}")
    return row


def _read(core: Core, session: Session, row: VaultObjectRow) -> VaultObject:
    details = json.loads(unseal(core, session, row.party_id, row.details, _context(row.id)))
    open_part = {"kind": row.kind, "media_type": row.media_type, "size": row.size}
    expected = _commitment(core, row.id, details["sha256"])
    if row.sha256_commitment != expected or any(details[k] != v for k, v in open_part.items()):
        raise VerificationError(
            f"the object {row.id} was changed in the registry",
            hint="Restore the registry from a backup: vivavoce keys restore FILE",
        )
    return VaultObject(
        id=row.id,
        party_id=row.party_id,
        commitment=row.sha256_commitment,
        created_at=row.created_at,
        **details,
    )


def _wrapped(session: Session, party_id: str) -> str:
    row = session.get(PersonKeyRow, party_id)
    return "" if row is None else row.wrapped


def _commitment(core: Core, ident: str, sha256: str) -> str:
    return commitment(sha256.encode(), core.salt("object", ident))


def _context(ident: str) -> str:
    return f"object:{ident}"


def _lock(core: Core) -> FileLock:
    """Return the lock under which sealed files get their names, and rows their files."""
    return FileLock(core.home.vault / ".lock")
