"""Checking parties, keys, mandates, voices, grants and statements against the log.

Every entry of the log has its row and every row its entry; rows are as they were signed, say
what their sealed documents say, and stand as the log's entries in their order make them stand.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlmodel import Session, select

from consent.credentials.statement import open_statement
from consent.errors import RefusedError, VerificationError, VivavoceError
from consent.registry.grant import effects, grant_rows, statements
from consent.registry.party import parties, voices
from consent.registry.storage import rows, salts
from consent.registry.storage.core import Core
from consent.registry.storage.sealing import unseal
from consent.registry.storage.tables import (
    GrantRow,
    MandateRow,
    PartyKeyRow,
    PartyRow,
    StatementRow,
    StatusListRow,
    VoiceRow,
)

_Entry = dict[str, Any]
_KINDS = ("party", "party-key", "mandate", "voice", "grant", "statement", "status-list", "erasure")


def problems(core: Core, session: Session, leaves: list[bytes]) -> list[str]:
    """Return one sentence for each thing that is not as it was."""
    entries = {
        index: entry
        for index, leaf in enumerate(leaves)
        if (entry := json.loads(leaf))["kind"] in _KINDS
    }
    if not entries:
        return []
    try:
        if not salts.check_if_noted(core, session):
            return ["The registry's note of the secret behind the log's commitments is gone."]
    except VerificationError as exc:
        return [_sentence(exc.message)]
    log = _History(core, entries)
    found: list[str] = []
    for part in (_parties, _keys, _mandates, _voices, _grants, _statements, _lists):
        found += part(core, session, log)
    return found


@dataclass
class _History:
    """What the log says, by what it is about."""

    core: Core
    entries: dict[int, _Entry]
    erased: dict[str, int] = field(default_factory=dict)
    events: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    ended_keys: dict[str, tuple[int, str]] = field(default_factory=dict)
    ended_mandates: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        for index, entry in self.entries.items():
            if entry["kind"] == "erasure":
                self.erased.setdefault(entry["subject"], index)
            elif entry["kind"] == "grant" and entry["supersedes"] is not None:
                self._event(entry["supersedes"], index, "superseded")
            elif entry["kind"] == "status-list":
                for ref, event in entry.get("changes", ()):
                    self._event(ref, index, event)
            elif entry["kind"] == "statement" and not entry["pending"]:
                self._statement(index, entry)

    def of(self, *kinds: str) -> dict[int, _Entry]:
        """Return the entries of some kinds, by place."""
        return {index: entry for index, entry in self.entries.items() if entry["kind"] in kinds}

    def erased_at(self, party_id: str) -> int | None:
        """Return the entry that erased a party."""
        return self.erased.get(self.core.ref("party", party_id))

    def status_of(self, row: GrantRow, entry: _Entry) -> str:
        """Return how a grant stands by everything the log says of it."""
        events = list(self.events.get(row.ref, ()))
        for party_id in (row.owner, row.licensee):
            if (index := self.erased_at(party_id)) is not None:
                events.append((index, "revocation"))
        status: str = entry["status"]
        for _, event in sorted(events):
            status = effects.status_after(status, event)
        return status

    def end_of_key(self, row: PartyKeyRow) -> tuple[int | None, str]:
        """Return the entry from which on a key is good no longer, and why."""
        ended, state = self.ended_keys.get(row.ref, (None, "active"))
        erasure = self.erased_at(row.party_id)
        if erasure is None:
            return ended, state
        first = erasure if ended is None else min(ended, erasure)
        return first, "rotated" if state == "active" else state

    def _statement(self, index: int, entry: _Entry) -> None:
        kind = entry["type"]
        if kind in effects.TRANSITIONS:
            self._event(entry["subject"], index, kind)
            if kind == "revocation":
                self.ended_mandates.add(entry["subject"])
        elif kind == "rotation":
            self.ended_keys.setdefault(entry["old_key"], (index, "rotated"))
        elif kind == "compromise":
            first, _ = self.ended_keys.get(entry["subject"], (index, ""))
            self.ended_keys[entry["subject"]] = (first, "compromised")

    def _event(self, ref: str, index: int, event: str) -> None:
        self.events.setdefault(ref, []).append((index, event))


def _matched(
    core: Core, what: str, found: dict[int, Any], expected: dict[int, str], name: str
) -> Iterator[str]:
    """Compare rows with the entries that made them, by place and by commitment."""
    for index in sorted(expected.keys() - found.keys()):
        yield f"The {what} of entry {index} of the log is gone from the registry: document lost."
    for index, row in found.items():
        called = f"The {what} {getattr(row, name)}"
        if index not in expected:
            yield f"{called} is not in the log."
        elif not rows.intact(core, row):
            yield f"{called} was changed in the registry: its signature does not fit."
        elif row.ref != expected[index]:
            yield f"{called} is not the one of entry {index} of the log."


def _subjects(entries: dict[int, _Entry], member: str = "subject") -> dict[int, str]:
    return {index: entry[member] for index, entry in entries.items()}


def _parties(core: Core, session: Session, log: _History) -> Iterator[str]:
    found = {row.leaf_index: row for row in session.exec(select(PartyRow)).all()}
    # Whoever was entered after a backup and erased is not to come back with it.
    expected = {
        index: ref
        for index, ref in _subjects(log.of("party")).items()
        if index in found or ref not in log.erased
    }
    yield from _matched(core, "party", found, expected, "id")
    for row in found.values():
        if (row.state == "erased") != (row.ref in log.erased):
            yield f"The party {row.id} is {row.state}; the log says otherwise."
        yield from _opens(lambda row=row: parties.read(core, session, row))


def _keys(core: Core, session: Session, log: _History) -> Iterator[str]:
    found = {row.leaf_index: row for row in session.exec(select(PartyKeyRow)).all()}
    expected = _subjects(log.of("party-key"))
    for index, entry in log.of("statement").items():
        if entry.get("new_key") is not None:
            expected[index] = entry["new_key"]
    known = {row.ref for row in session.exec(select(PartyRow)).all()}
    lost = {index for index, ref in _subjects(log.of("party-key"), "party").items()
            if ref not in known}  # fmt: skip
    expected = {i: ref for i, ref in expected.items() if i in found or i not in lost}
    yield from _matched(core, "key", found, expected, "did")
    for row in found.values():
        ended, state = log.end_of_key(row)
        if (row.ended_leaf, row.state) != (ended, state):
            yield f"The key {row.did} is {row.state}; by the log it is {state}."


def _mandates(core: Core, session: Session, log: _History) -> Iterator[str]:
    found = {row.leaf_index: row for row in session.exec(select(MandateRow)).all()}
    entries = log.of("mandate")
    yield from _matched(core, "mandate", found, _subjects(entries), "id")
    for index, row in found.items():
        people = (row.principal, row.representative)
        erased = any(log.erased_at(party_id) is not None for party_id in people)
        if (row.revoked_at is not None) != (erased or row.ref in log.ended_mandates):
            yield f"The mandate {row.id} ended or did not; the log says otherwise."
        if index in entries and log.erased_at(row.principal) is None:
            yield from _opens(lambda row=row, e=entries[index]: _mandate(core, session, row, e))


def _mandate(core: Core, session: Session, row: MandateRow, entry: _Entry) -> None:
    document = unseal(core, session, row.principal, row.document, f"mandate:{row.id}")
    said = open_statement(document.decode())
    body = said.body
    same = (
        said.id == row.id
        and said.subject == row.principal
        and (body["representative"], body["kind"]) == (row.representative, row.kind)
        and " ".join(body["scope"]) == row.scope
        and entry["document"] == core.ref("document", said.digest)
    )
    if not same:
        raise VerificationError(f"the mandate {row.id} does not say what its document says")


def _voices(core: Core, session: Session, log: _History) -> Iterator[str]:
    found = {row.leaf_index: row for row in session.exec(select(VoiceRow)).all()}
    yield from _matched(core, "voice", found, _subjects(log.of("voice")), "name")
    for row in found.values():
        yield from _opens(lambda row=row: voices.find(core, session, row.name))


def _grants(core: Core, session: Session, log: _History) -> Iterator[str]:
    found = {row.leaf_index: row for row in session.exec(select(GrantRow)).all()}
    entries = log.of("grant")
    yield from _matched(core, "grant", found, _subjects(entries), "id")
    for index, row in found.items():
        entry = entries.get(index)
        if entry is None or not rows.intact(core, row):
            continue
        status = log.status_of(row, entry)
        if row.status != status:
            yield f"The grant {row.id} is {row.status} in the registry; by the log it is {status}."
        if entry["document"] != core.ref("document", row.digest):
            yield f"The grant {row.id} is not the document that was logged."
        if log.erased_at(row.owner) is None:
            yield from _opens(lambda row=row: grant_rows.load(core, session, row))


def _statements(core: Core, session: Session, log: _History) -> Iterator[str]:
    found = {row.leaf_index: row for row in session.exec(select(StatementRow)).all()}
    entries = log.of("statement")
    yield from _matched(core, "statement", found, _subjects(entries, "statement"), "id")
    for index, row in found.items():
        if index in entries and log.erased_at(row.sealed_for) is None:
            yield from _opens(lambda row=row, e=entries[index]: _statement(core, session, row, e))


def _statement(core: Core, session: Session, row: StatementRow, entry: _Entry) -> None:
    said = statements.load(core, session, row)
    logged = entry["document"] == core.ref("document", said.digest)
    if not logged or entry["type"] != row.kind:
        raise VerificationError(f"the statement {row.id} is not the document that was logged")


def _lists(core: Core, session: Session, log: _History) -> Iterator[str]:
    own = {e["subject"] for e in log.of("status-list").values() if e["type"] == "own"}
    found = {row.list_id: row for row in session.exec(select(StatusListRow)).all()}
    for list_id in sorted(own - found.keys()):
        yield f"The status list {list_id} is gone from the registry."
    for row in found.values():
        if not rows.intact(core, row):
            yield f"The status list {row.list_id} was changed: its signature does not fit."
        elif (row.origin == "own") != (row.list_id in own):
            yield f"The status list {row.list_id} is not in the log."


def _opens(read: Any) -> Iterator[str]:
    """Yield what is wrong with a document, if anything is."""
    try:
        read()
    except RefusedError:
        return  # erased: the log is asked whether it may be
    except VivavoceError as exc:
        yield _sentence(exc.message)


def _sentence(message: str) -> str:
    return message[:1].upper() + message[1:] + "."
