"""Taking grants in: who signed, for whose voice, for whom, and whether they may.

Many at once share one transaction and one step of the log: all are taken or none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlmodel import col, select

from consent.clock import rfc3339
from consent.credentials.grant import Grant, open_grant
from consent.credentials.status import MIN_BITS
from consent.errors import RefusedError, VivavoceError
from consent.registry.grant import grant_rows, placing, status
from consent.registry.grant.moments import Received, next_place, refuse_future
from consent.registry.grant.placing import Place
from consent.registry.party import keyring, minors, parties, voices
from consent.registry.party.keyring import Actor
from consent.registry.party.records import GrantRecord, Party, RegisteredVoice
from consent.registry.storage import outbox, rows, salts
from consent.registry.storage.core import Core
from consent.registry.storage.ledger import Ledger, writing
from consent.registry.storage.projections import adopt
from consent.registry.storage.sealing import seal
from consent.registry.storage.tables import GrantRow, LogIndexRow

_CHUNK = 500


def import_all(core: Core, tokens: Sequence[str]) -> list[GrantRecord]:
    """Take grants in, all or none; see ``Registry.import_grants``."""
    grants = [_opened(token, number, len(tokens)) for number, token in enumerate(tokens, start=1)]
    with outbox.documents(core, tokens), writing(core) as ledger:
        salts.check(core, ledger.session)
        intake = Intake(ledger, grants)
        for number, grant in enumerate(grants, start=1):
            with _numbered(number, len(grants)):
                intake.check(grant)
        return intake.take()


class Intake:
    """Grants on their way in; parties, voices and keys are read once."""

    def __init__(self, ledger: Ledger, grants: list[Grant]) -> None:
        self.ledger = ledger
        self.core = ledger.core
        self.session = ledger.session
        self.grants = grants
        self.refs = {grant.id: self.core.ref("grant", grant.id) for grant in grants}
        self.places: dict[str, Place] = {}
        self._now = next_place(ledger)
        self._parties: dict[str, Party] = {}
        self._voices: dict[str, RegisteredVoice | None] = {}
        self._actors: dict[tuple[str, str, str], Actor] = {}
        self._read_known()

    def check(self, grant: Grant) -> None:
        """Refuse a grant that may not be taken in."""
        what, terms = f"the grant {grant.id}", grant.terms
        if grant.id in self.places:
            raise RefusedError(f"{what} is given twice")
        self._refuse_known(grant)
        ref = self.refs[grant.id]
        place = placing.place(self.core, grant, ref, self._logged.get(ref, []), self._now)
        self.places[grant.id] = place
        if terms.registry_did != self.core.did:
            raise RefusedError(
                f"{what} may be spent at the registry {terms.registry_did} alone, "
                f"and this is {self.core.did}",
                hint="Take it there, or have one drafted for this registry.",
            )
        refuse_future(grant.issued_at, place.received.time, what)
        if terms.valid_until <= place.received.time:
            raise RefusedError(f"{what} ended {rfc3339(terms.valid_until)}")
        owner = self._check_voice(what, grant)
        self._check_licensee(what, grant, place)
        actor = self._check_issuer(what, grant, owner, place)
        minors.check(owner, grant, actor, place.received.time)
        self._check_entry(what, grant)
        self._check_superseded(what, grant, actor)
        if place.new:
            self.places[grant.id] = placing.after_waiting_statements(
                self.core, self.session, grant, self._logged.get(ref, []), place
            )

    def take(self) -> list[GrantRecord]:
        """Put the checked grants into the log and the database."""
        new = [grant for grant in self.grants if self.places[grant.id].new]
        appended = self.ledger.append_all([self._entry(grant) for grant in new])
        indices = {grant.id: index for grant, (index, _) in zip(new, appended, strict=True)}
        taken = [self._row(grant, indices.get(grant.id)) for grant in self.grants]
        self.session.add_all(taken)
        self.session.flush()
        for grant in new:
            self._name_successor(grant)
        for row, grant in zip(taken, self.grants, strict=True):
            if not self.places[row.id].new:
                adopt(self.core, self.session, row)
                # By the log, not by rows that somebody may have edited before this one was lost.
                row.used_ms = placing.used_ms(self.core, grant)
                rows.sign_state(self.core, row)
                self.session.add(row)
        return [
            grant_rows.record(self.core, self.session, row, grant)
            for row, grant in zip(taken, self.grants, strict=True)
        ]

    # -- What is known already ----------------------------------------------------------

    def _read_known(self) -> None:
        ids = list(self.refs)
        self._known = set(self._select(GrantRow.id, ids))
        digests = [grant.digest for grant in self.grants]
        self._known_digests = set(self._select(GrantRow.digest, digests))
        entries = {grant.status_entry.list_id for grant in self.grants}
        wanted = {grant.status_entry.index for grant in self.grants}
        self._taken: set[tuple[str, int]] = set()
        for chunk in _chunks(sorted(wanted)):
            self._taken |= set(
                self.session.exec(
                    select(GrantRow.status_list, GrantRow.status_index).where(
                        col(GrantRow.status_list).in_(entries),
                        col(GrantRow.status_index).in_(chunk),
                    )
                ).all()
            )
        self._logged: dict[str, list[tuple[int, str]]] = {}
        for chunk in _chunks(list(self.refs.values())):
            for index, kind, subject in self.session.exec(
                select(LogIndexRow.leaf_index, LogIndexRow.kind, LogIndexRow.subject)
                .where(
                    col(LogIndexRow.kind).in_(("grant", "statement")),
                    col(LogIndexRow.subject).in_(chunk),
                )
                .order_by(col(LogIndexRow.leaf_index))
            ).all():
                self._logged.setdefault(subject, []).append((index, kind))

    def _select(self, column: Any, values: list[str]) -> Iterator[str]:
        for chunk in _chunks(values):
            yield from self.session.exec(select(column).where(col(column).in_(chunk))).all()

    def _refuse_known(self, grant: Grant) -> None:
        if grant.digest in self._known_digests:
            raise RefusedError(
                f"the grant {grant.id} is already on record",
                hint="Importing it again would change nothing.",
            )
        if grant.id in self._known:
            raise RefusedError(
                f"another grant is on record as {grant.id}",
                hint="An amended grant gets an id of its own, and supersedes the old one.",
            )

    # -- Checks -------------------------------------------------------------------------

    def _party(self, party_id: str) -> Party:
        if party_id not in self._parties:
            row = parties.active(self.core, self.session, party_id)
            self._parties[party_id] = parties.read(self.core, self.session, row)
        return self._parties[party_id]

    def _check_voice(self, what: str, grant: Grant) -> Party:
        name = grant.terms.voice
        if name not in self._voices:
            self._voices[name] = voices.find(self.core, self.session, name)
        voice = self._voices[name]
        if voice is None or voice.state != "active":
            raise RefusedError(
                f"{what} is for the voice {name}, which is not registered",
                hint="Register it first: vivavoce consent voice NAME --owner PARTY",
            )
        if voice.owner != grant.terms.owner:
            raise RefusedError(
                f"{what} names {grant.terms.owner} as owner of the voice {name}; "
                f"it belongs to {voice.owner}"
            )
        return self._party(voice.owner)

    def _check_licensee(self, what: str, grant: Grant, place: Place) -> None:
        terms = grant.terms
        licensee = self._party(terms.licensee)
        for key in licensee.keys:
            if key.did == terms.licensee_did:
                fault = key.fault_at(place.received.leaf_index, place.received.time)
                if fault is None:
                    return
                raise RefusedError(f"{what} is given to the key {key.did}, not good: {fault}")
        raise RefusedError(
            f"{what} is given to {terms.licensee_did}, which is no key of the licensee "
            f"{terms.licensee}"
        )

    def _check_issuer(self, what: str, grant: Grant, owner: Party, place: Place) -> Actor:
        terms = grant.terms
        who = (grant.issuer_did, owner.id, terms.basis.mandate)
        actor = self._actors.get(who) if place.new else None
        if actor is None:
            actor = self._entitled(*who, what, place.received)
            if place.new:
                self._actors[who] = actor
        basis = "self" if actor.mandate is None else actor.mandate.kind
        if terms.basis.kind != basis:
            raise RefusedError(
                f"{what} says its basis is {terms.basis.kind!r}; by the key that signed it is "
                f"{basis!r}",
                hint="Have it drafted again on the right basis.",
            )
        return actor

    def _entitled(
        self, did: str, owner: str, mandate_id: str, what: str, received: Received
    ) -> Actor:
        return keyring.entitled(
            self.core, self.session, did, owner, "grant", what, received, mandate_id=mandate_id
        )

    def _check_entry(self, what: str, grant: Grant) -> None:
        entry = grant.status_entry
        place = (entry.list_id, entry.index)
        if place in self._taken:
            raise RefusedError(
                f"{what} stands at place {entry.index} of the status list {entry.list_id}, "
                "where another grant stands",
                hint="Draft it with a place of its own: Registry.new_status_entry().",
            )
        self._taken.add(place)
        if entry.index >= MIN_BITS and status.is_own(self.core, self.session, entry.list_id):
            raise RefusedError(f"{what} stands at place {entry.index} of a list of {MIN_BITS:,}")

    def _check_superseded(self, what: str, grant: Grant, actor: Actor) -> None:
        terms = grant.terms
        if terms.supersedes is None:
            return
        old = grant_rows.fetch(self.core, self.session, terms.supersedes)
        same = (old.voice, old.owner, old.licensee) == (terms.voice, terms.owner, terms.licensee)
        if not same:
            raise RefusedError(
                f"{what} is to take the place of {old.id}, which is for another voice, owner or "
                "licensee",
                hint="A grant supersedes its own predecessor only.",
            )
        if self.places[grant.id].new and old.status not in ("active", "suspended"):
            raise RefusedError(
                f"{what} is to take the place of {old.id}, which is {old.status}",
                hint="Draft a new grant that supersedes nothing.",
            )

    # -- Writing ------------------------------------------------------------------------

    def _entry(self, grant: Grant) -> dict[str, Any]:
        core, terms = self.core, grant.terms
        old = terms.supersedes
        return {
            "kind": "grant",
            "version": 1,
            "subject": self.refs[grant.id],
            "voice": core.ref("voice", terms.voice),
            "document": core.ref("document", grant.digest),
            "by": core.ref("party-key", grant.issuer_did),
            "supersedes": None if old is None else core.ref("grant", old),
            "status": self.places[grant.id].status,
            "time": rfc3339(self._now.time),
        }

    def _row(self, grant: Grant, index: int | None) -> GrantRow:
        place = self.places[grant.id]
        received = place.received
        row = GrantRow(
            **grant_rows.columns(grant),
            ref=self.refs[grant.id],
            document=seal(
                self.core,
                self.session,
                grant.terms.owner,
                grant.token.encode(),
                f"grant:{grant.id}",
            ),
            created_at=received.time,
            leaf_index=received.leaf_index if index is None else index,
            signature="",
            status=place.status,
            status_since=received.time,
            superseded_by=place.superseded_by,
            state_signature="",
        )
        rows.sign_row(self.core, row)
        rows.sign_state(self.core, row)
        return row

    def _name_successor(self, grant: Grant) -> None:
        """Put the id where projecting the log could only put the commitment."""
        if grant.terms.supersedes is None:
            return
        old = grant_rows.fetch(self.core, self.session, grant.terms.supersedes)
        old.superseded_by = grant.id
        rows.sign_state(self.core, old)
        self.session.add(old)


def _opened(token: str, number: int, count: int) -> Grant:
    with _numbered(number, count):
        return open_grant(token)


@contextmanager
def _numbered(number: int, count: int) -> Iterator[None]:
    """Say which of several grants an error is about."""
    try:
        yield
    except VivavoceError as exc:
        if count > 1:
            exc.message = f"grant {number} of {count}: {exc.message}"
            exc.args = (exc.message,)
        raise


def _chunks(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK]
