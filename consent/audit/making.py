"""Making an evidence bundle from a registry."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from sqlmodel import col, select

from consent.audit import changes
from consent.audit.bundle import FORMAT, FULL, REDACTED
from consent.audit.collecting import Auditor
from consent.audit.documents import sign_document
from consent.audit.logview import LogView
from consent.audit.records import Event
from consent.audit.reports import only_known
from consent.canonical import digest
from consent.clock import rfc3339
from consent.errors import InputError, RefusedError, VerificationError
from consent.registry import Registry
from consent.registry.job.records import Authorization, Opening, Receipt
from consent.registry.party.records import GrantRecord
from consent.registry.storage.sealing import unseal
from consent.registry.storage.tables import (
    AuthorizationRow,
    LogIndexRow,
    MandateRow,
    PartyKeyRow,
    StatementRow,
    VoiceRow,
)


def make_bundle(
    registry: Registry,
    output_ids: Sequence[str],
    *,
    redacted: bool = False,
    certificates: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the evidence for outputs as a signed document (docs/formats.md).

    Parameters
    ----------
    output_ids
        Which outputs; at least one.
    redacted
        For strangers: leave out the terms of the grants, the statements, and every name.
    certificates
        Of the signer of the files, PEM, leaf first.

    Raises
    ------
    InputError
        No output is named.
    RefusedError
        One is not on record, or a grant's document was erased with its rights holder (the
        redacted form needs none).
    VerificationError
        Log or registry were changed.
    """
    if not output_ids:
        raise InputError("no output is named", hint="Name one or more output ids.")
    maker = _Maker(registry, only_known(registry, output_ids), redacted=redacted)
    return sign_document(
        {
            "format": FORMAT,
            "form": REDACTED if redacted else FULL,
            "made_at": rfc3339(maker.core.now()),
            "log": {"vkey": registry.log.vkey, "checkpoint": maker.view.note},
            "registry": maker.entry(0),
            "outputs": [maker.output(receipt) for receipt in maker.receipts],
            "grants": [maker.grant(grant_id) for grant_id in maker.grant_ids()],
            "certificates": list(certificates),
        },
        maker.core.key,
    )


class _Maker:
    """Collects what goes into one bundle; every proof stands on one checkpoint."""

    def __init__(self, registry: Registry, output_ids: Sequence[str], *, redacted: bool) -> None:
        self.registry = registry
        self.redacted = redacted
        self.auditor = Auditor(registry)
        self.core = self.auditor.core
        self.receipts = [self._receipt(output_id) for output_id in output_ids]
        self._outcomes = {r.output_id: self._outcome_of(r) for r in self.receipts}
        self._records: dict[str, GrantRecord] = {}
        self._events: dict[str, list[Event]] = {}
        self.view = self._view()

    def entry(self, index: int) -> dict[str, str]:
        """Return an entry of the log with its proof."""
        return {"leaf": self.view.leaf(index).decode(), "proof": self.view.proof(index)}

    def grant_ids(self) -> list[str]:
        """Return the grants that the outputs were made under, oldest first."""
        found = {opening.grant_id for receipt in self.receipts for opening in receipt.openings}
        return sorted(found, key=lambda name: self._record(name).leaf_index)

    def output(self, receipt: Receipt) -> dict[str, Any]:
        """Return an output with its entries and openings."""
        outcome = self._outcomes[receipt.output_id]
        last = receipt.leaf_index if outcome is None else outcome
        job = None if self.redacted else self._job(receipt)
        return {
            "receipt": self.entry(receipt.leaf_index),
            "outcome": None if outcome is None else self.entry(outcome),
            "openings": [self._opening(opening, last) for opening in receipt.openings],
            "work": "" if job is None else job.request.work_title,
            "identifier": "" if job is None else job.request.work_identifier,
            "title": "" if self.redacted else receipt.title,
        }

    def grant(self, grant_id: str) -> dict[str, Any]:
        """Return a grant with its document, chain and history."""
        record = self._record(grant_id)
        if record.grant is None and not self.redacted:
            raise RefusedError(
                f"the document of the grant {grant_id} is not there: {record.problem}",
                hint="Make the redacted form, which needs none: --redacted",
            )
        entry = self.view.entry(record.leaf_index)
        token = "" if record.grant is None or self.redacted else record.grant.token
        full = record.grant if token else None
        mandate = self._mandate(record)
        refs = self.auditor.references(record)
        history = [index for index, _ in self._changes(record)]
        return {
            "id": record.id,
            "digest": record.digest,
            "token": token,
            "salts": {
                "id": self._salt("grant", record.id),
                "document": self._salt("document", record.digest),
                "voice": self._salt("voice", record.voice) if full else "",
                "key": self._salt("party-key", full.issuer_did) if full else "",
                "licensee": self._salt("party", record.licensee) if full else "",
            },
            "entry": self.entry(record.leaf_index),
            "voice": self.entry(self._voice(str(entry["voice"]))),
            "keys": [self.entry(index) for index in self._keys(str(entry["by"]))],
            "mandate": None if mandate is None else self.entry(mandate),
            "licensee": refs.parties[1],
            "history": [self._change(index) for index in history],
            "status": changes.status(self._history(record), first=str(entry["status"])),
        }

    # -- Parts --------------------------------------------------------------------------

    def _receipt(self, output_id: str) -> Receipt:
        receipt = self.registry.receipt(output_id)
        assert receipt is not None
        return receipt

    def _outcome_of(self, receipt: Receipt) -> int | None:
        if receipt.state == "issued":
            return None
        with self.core.database.read() as session:
            index: int = session.exec(
                select(LogIndexRow.leaf_index).where(
                    LogIndexRow.subject == receipt.output_id, LogIndexRow.kind == receipt.state
                )
            ).one()
        return index

    def _view(self) -> LogView:
        """Return the log at the newest witnessed checkpoint that holds all that is needed."""
        needed = [receipt.leaf_index for receipt in self.receipts]
        needed += [index for index in self._outcomes.values() if index is not None]
        for receipt in self.receipts:
            for opening in receipt.openings:
                needed += [index for index, _ in self._changes(self._record(opening.grant_id))]
        return LogView.covering(self.registry.log, needed)

    def _record(self, grant_id: str) -> GrantRecord:
        if grant_id not in self._records:
            self._records[grant_id] = self.auditor.record(grant_id)
        return self._records[grant_id]

    def _changes(self, record: GrantRecord) -> list[tuple[int, Any]]:
        found = self.auditor.changes.about(self.auditor.references(record))
        return [(index, entry) for index, entry in found if index > record.leaf_index]

    def _history(self, record: GrantRecord) -> list[Event]:
        if record.id not in self._events:
            refs = self.auditor.references(record)
            self._events[record.id] = list(changes.events(self._changes(record), refs))
        return self._events[record.id]

    def _opening(self, opening: Opening, last: int) -> dict[str, str]:
        record = self._record(opening.grant_id)
        first = str(self.view.entry(record.leaf_index)["status"])
        return {
            "voice": "" if self.redacted else opening.voice,
            "voice_salt": "" if self.redacted else opening.voice_salt,
            "grant_id": opening.grant_id,
            "grant_digest": opening.grant_digest,
            "grant_salt": opening.grant_salt,
            "status": changes.status(self._history(record), last, first=first),
        }

    def _job(self, receipt: Receipt) -> Authorization | None:
        """Return the authorization of a receipt, if it is the one that was logged."""
        logged = str(self.view.entry(receipt.leaf_index)["authorization"])
        with self.core.database.read() as session:
            row = session.exec(
                select(AuthorizationRow).where(AuthorizationRow.digest == logged)
            ).one_or_none()
        if row is None or digest(json.loads(row.payload)) != logged:
            return None
        return Authorization.from_payload(json.loads(row.payload), row.signature)

    def _voice(self, ref: str) -> int:
        """Return where in the log a voice is on record."""
        with self.core.database.read() as session:
            row = session.exec(select(VoiceRow).where(VoiceRow.ref == ref)).one_or_none()
        if row is None:
            raise _gone(f"the voice that the log calls {ref[:16]}…")
        return row.leaf_index

    def _keys(self, ref: str) -> list[int]:
        """Return where in the log a key came to its party; see ``GrantEvidence.keys``."""
        found: list[int] = []
        while True:
            with self.core.database.read() as session:
                row = session.exec(select(PartyKeyRow).where(PartyKeyRow.ref == ref)).one_or_none()
            if row is None or row.leaf_index in found:
                raise _gone(f"the key that the log calls {ref[:16]}…")
            found.append(row.leaf_index)
            entry = self.view.entry(row.leaf_index)
            if entry["kind"] == "party-key" or entry["type"] == "rotation":
                return found
            ref = str(entry["subject"])

    def _mandate(self, record: GrantRecord) -> int | None:
        """Return the entry of the mandate a grant was signed under, None for the owner's own."""
        entry = self.view.entry(record.leaf_index)
        owner = self.core.ref("party", record.owner)
        last = self.view.entry(self._keys(str(entry["by"]))[-1])
        signer = str(last["party"] if last["kind"] == "party-key" else last["subject"])
        if signer == owner:
            return None
        wanted = "" if record.grant is None else record.grant.terms.basis.mandate
        with self.core.database.read() as session:
            rows = session.exec(
                select(MandateRow).where(MandateRow.principal == record.owner)
            ).all()
        for row in rows:
            said = self.view.entry(row.leaf_index)
            if row.leaf_index < record.leaf_index and (
                row.id == wanted or (not wanted and said["representative"] == signer)
            ):
                return row.leaf_index
        raise _gone(f"the mandate under which the grant {record.id} was signed")

    def _change(self, index: int) -> dict[str, Any]:
        entry = self.view.entry(index)
        token = ""
        if entry["kind"] == "statement" and not self.redacted:
            token = self._statement(index)
        return {
            "entry": self.entry(index),
            "token": token,
            "salt": self._salt("document", _sha256(token)) if token else "",
        }

    def _statement(self, index: int) -> str:
        with self.core.database.read() as session:
            row = session.exec(
                select(StatementRow).where(col(StatementRow.leaf_index) == index)
            ).one()
            data = unseal(self.core, session, row.sealed_for, row.document, f"statement:{row.id}")
        return data.decode()

    def _salt(self, label: str, name: str) -> str:
        return self.core.salt(label, name).hex()


def _gone(what: str) -> VerificationError:
    return VerificationError(
        f"{what} is gone from the registry",
        hint="Restore the registry from a backup: vivavoce keys restore FILE",
    )


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
