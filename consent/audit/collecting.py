"""Reading grants and uses from a registry: the log says what was used, the database what it means.

The log is read from end to end and every entry checked against its hash. It names voices and
grants by commitments; the registry knows what opens them. So a row that was deleted or edited
hides no use: what the log has and the registry cannot explain is told.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlmodel import col, select

from consent.audit.amounts import Price, rate
from consent.audit.changes import MARKS, ChangeIndex, References, events
from consent.audit.logview import LogView
from consent.audit.records import GrantEntry, Use
from consent.errors import RefusedError, VivavoceError
from consent.registry import Registry
from consent.registry.grant import grant_rows
from consent.registry.job import openings
from consent.registry.job.records import Authorization
from consent.registry.party.records import GrantRecord
from consent.registry.storage.core import Core
from consent.registry.storage.tables import AuthorizationRow, ReceiptRow, VoiceUseRow

_OUTPUTS = (b'"basis":"grant"', b'"kind":"sealed"', b'"kind":"abandoned"')
_CHUNK = 500


def core_of(registry: Registry) -> Core:
    """Return the means of an open registry; the audit reads rows that have no method."""
    return registry._core


@dataclass(frozen=True, slots=True)
class Job:
    """What an authorization says of an output that its receipt does not."""

    work: str
    identifier: str
    title: str


class Auditor:
    """A registry and its log at one checkpoint.

    Parameters
    ----------
    registry
        Read, never changed.

    Raises
    ------
    VerificationError
        The log was changed: every entry and hash of it is checked first.
    """

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.core = core_of(registry)
        self.view = LogView.verified(registry.log)

    @cached_property
    def changes(self) -> ChangeIndex:
        """Everything in the log that can change a grant."""
        return ChangeIndex(self.view.entries(containing=MARKS))

    # -- Grants -------------------------------------------------------------------------

    def grants(
        self, *, voice: str | None = None, owner: str | None = None, licensee: str | None = None
    ) -> list[GrantEntry]:
        """Return grants with their prices and what happened to them, newest first."""
        names: dict[str, str] = {}
        return [
            self.grant_entry(record, names)
            for record in self.registry.grants(voice=voice, owner=owner, licensee=licensee)
            if record.leaf_index < self.view.size
        ]

    def grant_entry(self, record: GrantRecord, names: dict[str, str] | None = None) -> GrantEntry:
        """Return one grant; `names` remembers those of parties."""
        names = {} if names is None else names
        for party in (record.owner, record.licensee):
            if party not in names:
                names[party] = self.registry.party(party).display_name
        refs = self.references(record)
        return GrantEntry(
            id=record.id,
            digest=record.digest,
            voice=record.voice,
            owner=record.owner,
            licensee=record.licensee,
            valid_from=record.valid_from,
            valid_until=record.valid_until,
            granted_ms=record.granted_ms,
            status=record.standing(self.core.now()),
            index=record.leaf_index,
            price=_price(record),
            events=tuple(events(self.changes.about(refs), refs)),
            owner_name=names[record.owner],
            licensee_name=names[record.licensee],
            readable=record.grant is not None,
        )

    def record(self, grant_id: str) -> GrantRecord:
        """Return a grant on record, without its document where the rights holder was erased.

        Raises
        ------
        RefusedError
            There is none.
        VerificationError
            It was changed.
        """
        with self.core.database.read() as session:
            row = grant_rows.fetch(self.core, session, grant_id)
            try:
                return grant_rows.load(self.core, session, row)
            except RefusedError:
                return grant_rows.record(self.core, session, row, None, "erased")

    def references(self, record: GrantRecord) -> References:
        """Return what the log calls a grant and what it depends on."""
        entry = self.view.entry(record.leaf_index)
        mandate = "" if record.grant is None else record.grant.terms.basis.mandate
        return References(
            grant=self.core.ref("grant", record.id),
            key=str(entry["by"]),
            parties=(
                self.core.ref("party", record.owner),
                self.core.ref("party", record.licensee),
            ),
            received=datetime.fromisoformat(entry["time"]),
            mandate=self.core.ref("mandate", mandate) if mandate else "",
        )

    # -- Uses ---------------------------------------------------------------------------

    def uses(self, grants: Iterable[GrantEntry]) -> tuple[list[Use], list[str]]:
        """Return every use of the voices of `grants`, and what cannot be explained.

        Returns
        -------
        list of Use
            Of all times and states, in the order of their receipts.
        list of str
            One sentence for each use of one of these voices under a grant that is not among
            `grants`: give all grants of a voice to find those that nobody knows.
        """
        by_voice: dict[str, list[GrantEntry]] = {}
        for grant in grants:
            by_voice.setdefault(grant.voice, []).append(grant)
        found: dict[str, list[Use]] = {}
        authorized: dict[str, str] = {}
        unknown: list[str] = []
        hints = self._hints()
        for index, entry in self.view.entries(containing=_OUTPUTS):
            output_id = str(entry.get("output_id", ""))
            if entry["kind"] == "receipt":
                for said in entry["voices"]:
                    if said["basis"] != "grant":
                        continue
                    opened = self._opened(output_id, said, by_voice, hints.get(output_id, ()))
                    if opened is None:
                        continue
                    voice, grant_id = opened
                    if not grant_id:
                        unknown.append(
                            f"The output {output_id} uses the voice {voice} under a grant that "
                            "is not on record."
                        )
                    use = _use(index, entry, said, voice, grant_id)
                    found.setdefault(output_id, []).append(use)
                    authorized[output_id] = str(entry["authorization"])
            elif output_id in found:
                found[output_id] = [_outcome(use, index, entry) for use in found[output_id]]
        jobs = self._jobs(found)
        return [
            _named(use, jobs.get((output_id, authorized[output_id])))
            for output_id, several in found.items()
            for use in several
        ], unknown

    def _opened(
        self,
        output_id: str,
        said: Mapping[str, Any],
        by_voice: Mapping[str, list[GrantEntry]],
        hints: Iterable[tuple[str, str]],
    ) -> tuple[str, str] | None:
        """Return voice and grant that a receipt means, None where it is none of these voices.

        Where the grant cannot be told, its id is empty.
        """
        names = dict.fromkeys([voice for voice, _ in hints if voice in by_voice] + list(by_voice))
        for voice in names:
            opened = openings.opening(self.core, output_id, voice, "", "")
            if openings.voice_commitment(opened) != said["voice"]:
                continue
            for grant in by_voice[voice]:
                opened = openings.opening(self.core, output_id, voice, grant.id, grant.digest)
                if openings.grant_commitment(opened) == said["grant"]:
                    return voice, grant.id
            return voice, ""
        return None

    def _hints(self) -> dict[str, list[tuple[str, str]]]:
        """Return where the database says to look; it may be wrong, the log decides."""
        found: dict[str, list[tuple[str, str]]] = {}
        with self.core.database.read() as session:
            for output_id, voice, grant_id in session.exec(
                select(VoiceUseRow.output_id, VoiceUseRow.voice, VoiceUseRow.grant_id).where(
                    VoiceUseRow.basis == "grant"
                )
            ).all():
                found.setdefault(output_id, []).append((voice, grant_id or ""))
        return found

    def _jobs(self, outputs: Iterable[str]) -> dict[tuple[str, str], Job]:
        """Return what is known of outputs, by (output id, digest of the authorization)."""
        found: dict[tuple[str, str], Job] = {}
        for chunk in _chunks(list(outputs)):
            with self.core.database.read() as session:
                rows = session.exec(
                    select(ReceiptRow.output_id, ReceiptRow.title, AuthorizationRow.payload)
                    .where(col(ReceiptRow.output_id).in_(chunk))
                    .join(
                        AuthorizationRow,
                        col(ReceiptRow.authorization_id) == AuthorizationRow.id,
                    )
                ).all()
            for output_id, title, payload in rows:
                try:
                    job = Authorization.from_payload(json.loads(payload), "")
                except (ValueError, KeyError, TypeError, VivavoceError):
                    continue  # edited: its digest would not fit either
                request = job.request
                found[output_id, job.digest] = Job(
                    request.work_title, request.work_identifier, title
                )
        return found


def _named(use: Use, job: Job | None) -> Use:
    """Return a use with the names that people know it by."""
    if job is None:
        return use  # an older database under a newer log does not know the job
    return dataclasses.replace(use, work=job.work, identifier=job.identifier, title=job.title)


def _use(
    index: int, entry: Mapping[str, Any], said: Mapping[str, Any], voice: str, grant_id: str
) -> Use:
    return Use(
        output_id=str(entry["output_id"]),
        voice=voice,
        grant_id=grant_id,
        duration_ms=int(said["duration_ms"]),
        state="issued",
        index=index,
        made_at=datetime.fromisoformat(entry["time"]),
        review=bool(said.get("review")),
        container=str(entry.get("container", "")),
        purpose=str(entry.get("purpose", "")),
    )


def _outcome(use: Use, index: int, entry: Mapping[str, Any]) -> Use:
    if entry["kind"] == "abandoned":
        return dataclasses.replace(use, state="abandoned")
    return dataclasses.replace(
        use,
        state="sealed",
        sealed_index=index,
        sealed_at=datetime.fromisoformat(entry["time"]),
        sha256=str(entry["sha256"]),
    )


def _price(record: GrantRecord) -> Price | None:
    terms = None if record.grant is None else record.grant.terms.compensation
    if terms is None:
        return None
    return Price(terms.currency, rate(terms.rate), terms.unit, terms.note)


def _chunks(values: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK]
