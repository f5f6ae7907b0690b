"""Everything held about a party, in one file for that party (GDPR, articles 15 and 20).

A ZIP of JSON, the signed documents as they are, the recordings, and the entries of the log that
are about the party, each with the proof and with what opens its commitments: the party can
check all of it without us.
"""

from __future__ import annotations

import hashlib
import json
import mimetypes
import shutil
import zipfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from sqlmodel import Session, col, or_, select

from consent.clock import rfc3339
from consent.errors import InputError, RefusedError, VivavoceError
from consent.files import replacing
from consent.registry.grant import grant_rows
from consent.registry.party import objects, parties
from consent.registry.party.personal_readme import README
from consent.registry.party.records import Party
from consent.registry.storage.core import Core
from consent.registry.storage.sealing import unseal
from consent.registry.storage.tables import (
    GrantRow,
    LogIndexRow,
    MandateRow,
    ReceiptRow,
    StatementRow,
    Table,
    VoiceRow,
    VoiceUseRow,
)

FORMAT = "vivavoce-personal-export/1"

#: Columns that are sealed, or mean nothing outside this database.
_INTERNAL = {"signature", "state_signature", "document", "details", "profile", "handle_index"}


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What an export holds.

    Attributes
    ----------
    problems
        What is on record and could not be read, one sentence each; also in the file.
    """

    path: Path
    party_id: str
    grants: int
    statements: int
    objects: int
    uses: int
    entries: int
    problems: tuple[str, ...]


def export(core: Core, party: str, path: Path) -> ExportReport:
    """Write everything held about a party; see ``Registry.export_party``."""
    path = Path(path)
    if path.exists():
        raise InputError(f"{path} exists", hint="An export replaces nothing. Choose another name.")
    who = parties.get(core, party)
    if who.state != "active":
        raise RefusedError(
            f"the party {who.id} was erased: nothing readable is held about them",
            hint="What the log still says is in docs/vault.md.",
        )
    with (
        replacing(path, mode=0o600) as stream,
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        return _Export(core, who, path, archive).write()


class _Export:
    def __init__(self, core: Core, who: Party, path: Path, archive: zipfile.ZipFile) -> None:
        self._core = core
        self._who = who
        self._path = path
        self._archive = archive
        self._problems: list[str] = []
        # What the log calls everything that is this party's, and what opens that.
        self._refs: dict[str, dict[str, str]] = {}

    def write(self) -> ExportReport:
        with self._core.database.read() as session:
            self._about(session)
            voices = self._rows(session, "voice", select(VoiceRow).where(self._owned(VoiceRow)))
            mandates = self._mandates(session)
            grants = self._grants(session)
            statements = self._statements(session, {row.id for row in (*grants, *mandates)})
            uses = self._uses(session, voices, grants)
            entries = self._entries(session, uses)
        kept = self._objects()
        report = ExportReport(
            self._path,
            self._who.id,
            grants=len(grants),
            statements=len(statements),
            objects=kept,
            uses=len(uses),
            entries=entries,
            problems=tuple(self._problems),
        )
        self._json(
            "contents.json",
            {
                "format": FORMAT,
                "party": self._who.id,
                "made": rfc3339(self._core.now()),
                "registry": self._core.did,
                "log": self._core.log.vkey,
                "voices": [_plain(row) for row in voices],
                "counts": {
                    name: getattr(report, name)
                    for name in ("grants", "statements", "objects", "uses", "entries")
                },
                "problems": self._problems,
            },
        )
        self._archive.writestr("README.txt", README)
        return report

    def _about(self, session: Session) -> None:
        who = self._who
        self._ref("party", who.id)
        for key in who.keys:
            self._ref("party-key", key.did)
        self._json(
            "party.json",
            {name: _value(value) for name, value in asdict(who).items() if name != "keys"}
            | {"keys": [{n: _value(v) for n, v in asdict(key).items()} for key in who.keys]},
        )

    def _mandates(self, session: Session) -> list[Any]:
        mine = or_(
            col(MandateRow.principal) == self._who.id,
            col(MandateRow.representative) == self._who.id,
        )
        found = self._rows(session, "mandate", select(MandateRow).where(mine))
        for row in found:
            self._json(f"mandates/{_name(row.id)}.json", _plain(row))
        return found

    def _grants(self, session: Session) -> list[Any]:
        mine = or_(self._owned(GrantRow), col(GrantRow.licensee) == self._who.id)
        found = self._rows(session, "grant", select(GrantRow).where(mine))
        for row in found:
            stem = f"grants/{_name(row.id)}"
            role = "rights holder" if row.owner == self._who.id else "licensee"
            self._json(f"{stem}.json", _plain(row) | {"your_role": role})
            token = self._opened(session, row.owner, row.document, f"grant:{row.id}")
            if token is not None:
                self._archive.writestr(f"{stem}.jwt", token)
                self._receipt(session, f"{stem}.html", row)
        return found

    def _receipt(self, session: Session, name: str, row: GrantRow) -> None:
        """Add the grant in words and for printing."""
        from consent.credentials.receipt import consent_receipt_html

        now = self._core.now()
        try:
            record = grant_rows.load(self._core, session, row)
            assert record.grant is not None
            page = consent_receipt_html(
                record.grant,
                status=record.standing(now),
                parties={self._who.id: self._who.display_name},
                made_at=now,
                status_since=record.status_since,
                superseded_by=record.superseded_by,
                used_ms=record.used_ms,
                leaf_index=record.leaf_index,
            )
        except VivavoceError as exc:
            self._problems.append(f"{name}: {exc.message}")
            return
        self._archive.writestr(name, page)

    def _statements(self, session: Session, about: set[str]) -> list[Any]:
        mine = or_(
            col(StatementRow.issuer_party) == self._who.id,
            col(StatementRow.sealed_for) == self._who.id,
            col(StatementRow.subject).in_({self._who.id, *about}),
            col(StatementRow.grant_id).in_(about),
        )
        found = self._rows(session, "statement", select(StatementRow).where(mine))
        for row in found:
            stem = f"statements/{_name(row.id)}"
            self._json(f"{stem}.json", _plain(row))
            token = self._opened(session, row.sealed_for, row.document, f"statement:{row.id}")
            if token is not None:
                self._archive.writestr(f"{stem}.jwt", token)
        return found

    def _uses(self, session: Session, voices: list[Any], grants: list[Any]) -> list[Any]:
        used = or_(
            col(VoiceUseRow.voice).in_([row.name for row in voices]),
            col(VoiceUseRow.grant_id).in_([row.id for row in grants]),
        )
        found = list(
            session.exec(
                select(VoiceUseRow, ReceiptRow)
                .join(ReceiptRow, col(ReceiptRow.output_id) == col(VoiceUseRow.output_id))
                .where(used)
                .order_by(col(ReceiptRow.leaf_index))
            ).all()
        )
        self._json(
            "uses.json",
            [
                {
                    "output_id": use.output_id,
                    "voice": use.voice,
                    "basis": use.basis,
                    "grant": use.grant_id,
                    "draft_for_review": use.review,
                    "voice_minutes": use.duration_ms / 60_000,
                    "output_minutes": receipt.duration_ms / 60_000,
                    "title": receipt.title,
                    "container": receipt.container,
                    "state": receipt.state,
                    "published_as": receipt.published_as,
                    "sha256": receipt.sha256,
                    "time": rfc3339(receipt.created_at),
                    "log_entry": receipt.leaf_index,
                }
                for use, receipt in found
            ],
        )
        return found

    def _entries(self, session: Session, uses: Iterable[Any]) -> int:
        places = {receipt.leaf_index for _, receipt in uses}
        places |= set(
            session.exec(
                select(LogIndexRow.leaf_index).where(col(LogIndexRow.subject).in_(list(self._refs)))
            ).all()
        )
        log = self._core.log
        for place in sorted(places):
            leaf = log.entry(place)
            self._archive.writestr(f"log/{place:09}.json", leaf)
            self._archive.writestr(f"log/{place:09}.tlog-proof", log.proof(place))
        self._archive.writestr("log/checkpoint", log.checkpoint_note())
        self._archive.writestr("log/vkey", log.vkey + "\n")
        self._json("log/openings.json", list(self._refs.values()))
        return len(places)

    def _objects(self) -> int:
        found = objects.every(self._core, self._who.id)
        for item in found:
            suffix = mimetypes.guess_extension(item.media_type) or ".bin"
            stem = f"recordings/{item.kind}-{item.id}"
            salt = self._core.salt("object", item.id).hex()
            self._json(f"{stem}.json", item.to_json() | {"commitment_salt": salt})
            try:
                with (
                    objects.open_(self._core, item.id) as source,
                    self._archive.open(f"{stem}{suffix}", "w", force_zip64=True) as target,
                ):
                    shutil.copyfileobj(source, target, 1 << 20)
            except VivavoceError as exc:
                self._problems.append(f"{stem}{suffix} is not complete: {exc.message}")
        return len(found)

    def _rows(self, session: Session, label: str, query: Any) -> list[Any]:
        found = list(session.exec(query.order_by("leaf_index")).all())
        for row in found:
            self._ref(label, row.name if isinstance(row, VoiceRow) else row.id)
        return found

    def _owned(self, table: type[VoiceRow] | type[GrantRow]) -> Any:
        return col(table.owner) == self._who.id

    def _opened(self, session: Session, owner: str, sealed: str, context: str) -> bytes | None:
        try:
            token = unseal(self._core, session, owner, sealed, context)
            self._ref("document", hashlib.sha256(token).hexdigest())
            return token
        except RefusedError:
            self._problems.append(f"{context}: sealed for {owner}, who was erased")
        except VivavoceError as exc:
            self._problems.append(f"{context}: {exc.message}")
        return None

    def _ref(self, label: str, name: str) -> None:
        ref = self._core.ref(label, name)
        salt = self._core.salt(label, name).hex()
        self._refs[ref] = {"commitment": ref, "kind": label, "value": name, "salt": salt}

    def _json(self, name: str, data: Any) -> None:
        text = json.dumps(data, ensure_ascii=False, indent=2)
        self._archive.writestr(name, text + "\n")


def _plain(row: Table) -> dict[str, Any]:
    return {
        name: _value(getattr(row, name)) for name in type(row).model_fields if name not in _INTERNAL
    }


def _value(value: Any) -> Any:
    if isinstance(value, datetime):
        return rfc3339(value)
    return value.isoformat() if isinstance(value, date) else value


def _name(urn: str) -> str:
    return urn.rpartition(":")[2]
