"""Checking what a bundle says of outputs and grants, once its proofs hold."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING

from consent.audit import changes
from consent.audit.bundle import (
    FULL,
    Bundle,
    Change,
    Entry,
    GrantEvidence,
    Opening,
    Output,
)
from consent.audit.findings import LOG, REGISTRY, BundleReport, Proofs, Proven
from consent.audit.records import COMPROMISE, Event
from consent.canonical import canonical, commitment
from consent.clock import rfc3339
from consent.errors import VivavoceError

if TYPE_CHECKING:
    from consent.credentials.grant import Grant

_OUTPUT_ID = re.compile(r"[0-9a-f]{12}")
_ENDED = frozenset({"revoked", "superseded", "suspended", "key-not-valid", "mandate-ended"})
# What entries that do not have their form can raise; the log's own operator may have written
# them.
_MALFORMED = (ValueError, KeyError, TypeError, AttributeError)


class Contradiction(Exception):
    """Two things in the bundle do not fit; the message is a sentence without its end."""


def check_evidence(bundle: Bundle, proven: Proofs, report: BundleReport) -> dict[str, CheckedGrant]:
    """Check every grant and output of a bundle; problems and findings go into `report`.

    Returns
    -------
    dict
        The grants that hold, by id.
    """
    grants: dict[str, CheckedGrant] = {}
    for evidence in bundle.grants:
        try:
            grant = CheckedGrant(evidence, proven, full=bundle.form == FULL)
            if evidence.id in grants:
                raise Contradiction("it is there twice")
            grant.check()
        except (Contradiction, VivavoceError, *_MALFORMED) as exc:
            report.problems.append(f"Grant {evidence.id}: {_reason(exc)}.")
            continue
        grants[evidence.id] = grant
        report.holds(evidence.id, LOG, f"On record as entry {grant.entry.index}{grant.chain()}.")
        report.holds(evidence.id, REGISTRY, f"At this checkpoint it is {evidence.status}.")
    tag = proven[bundle.registry.leaf, bundle.registry.proof].text("tag")
    seen: set[str] = set()
    for output in bundle.outputs:
        receipt = proven[output.receipt.leaf, output.receipt.proof]
        output_id = receipt.text("output_id")
        try:
            if output_id in seen:
                raise Contradiction("it is there twice")
            seen.add(output_id)
            checked = _CheckedOutput(output, receipt, proven, full=bundle.form == FULL)
            checked.check(tag, grants)
        except (Contradiction, VivavoceError, *_MALFORMED) as exc:
            report.problems.append(f"Output {output_id}: {_reason(exc)}.")
            continue
        report.holds(output_id, LOG, checked.words())
        for opening in output.openings:
            report.holds(output_id, LOG, f"A voice in it was used under the {opening.grant_id}.")
    used = {opening.grant_id for output in bundle.outputs for opening in output.openings}
    report.problems += [
        f"Grant {name}: no output in the bundle was made under it." for name in grants.keys() - used
    ]
    try:
        report.problems += _overspent(bundle, proven, grants)
    except _MALFORMED:
        report.problems.append("The minutes of a receipt cannot be read.")
    return grants


class CheckedGrant:
    """A grant of the bundle, its chain of entries and its history."""

    def __init__(self, evidence: GrantEvidence, proven: Proofs, *, full: bool) -> None:
        def at(entry: Entry) -> Proven:
            return proven[entry.leaf, entry.proof]

        self.evidence = evidence
        self.full = full
        self.entry = at(evidence.entry)
        self.voice = at(evidence.voice)
        self.keys = [at(entry) for entry in evidence.keys]
        self.mandate = None if evidence.mandate is None else at(evidence.mandate)
        self.history = [(at(change.entry), change) for change in evidence.history]
        self.grant: Grant | None = None
        self.events: list[Event] = []

    def check(self) -> None:
        """Check it, apart from how it was used."""
        self._check_entry()
        self._check_chain()
        if bool(self.evidence.token) != self.full:
            raise Contradiction("its document is there or missing against the bundle's form")
        if self.full:
            self._check_document()
        self._check_history()

    def chain(self) -> str:
        """Say on whose word it rests."""
        if self.mandate is None:
            return ", signed by a key of the party whose voice it is"
        return f", signed by a representative ({self.mandate.text('type')}) of the party"

    def standing(self, index: int) -> str:
        """Return how it stood before place `index` of the log, dates apart."""
        return changes.status(self.events, index, first=self._first)

    @property
    def _first(self) -> str:
        return self.entry.text("status") or "active"

    def _check_entry(self) -> None:
        evidence = self.evidence
        _expect(self.entry, "grant")
        _open(self.entry.text("subject"), evidence.id, evidence.salts.id, "its id")
        _open(self.entry.text("document"), evidence.digest, evidence.salts.document, "its document")

    def _check_chain(self) -> None:
        _expect(self.voice, "voice")
        if self.voice.text("subject") != self.entry.text("voice"):
            raise Contradiction("its entry is about another voice")
        if max(self.voice.index, *(key.index for key in self.keys)) > self.entry.index:
            raise Contradiction("voice or key came on record after it")
        owner, signer = self.voice.text("owner"), self._signer()
        if self.mandate is None:
            if owner != signer:
                raise Contradiction("the party that signed is not the one whose voice it is")
            return
        _expect(self.mandate, "mandate")
        named = (self.mandate.text("principal"), self.mandate.text("representative"))
        if named != (owner, signer) or self.mandate.index > self.entry.index:
            raise Contradiction("the mandate is not one to sign it")

    def _signer(self) -> str:
        """Return the party whose key signed: a key can have come in place of another."""
        wanted = self.entry.text("by")
        for number, key in enumerate(self.keys, start=1):
            last = number == len(self.keys)
            if key.kind == "party-key":
                _expect(key, "party-key")
                found, party = key.text("subject"), key.text("party")
            else:
                _expect(key, "statement")
                found = key.text("new_key")
                party = key.text("subject") if key.text("type") == "rotation" else ""
            if found != wanted:
                raise Contradiction("its entry names another key")
            if party and last:
                return party
            if party or last or key.text("type") != COMPROMISE:
                break
            wanted = key.text("subject")
        raise Contradiction("nothing shows whose key signed it")

    def _check_document(self) -> None:
        from consent.credentials.grant import open_grant

        salts = self.evidence.salts
        self.grant = grant = open_grant(self.evidence.token)
        if (grant.id, grant.digest) != (self.evidence.id, self.evidence.digest):
            raise Contradiction("its document is another one")
        _open(self.entry.text("voice"), grant.terms.voice, salts.voice, "its voice")
        _open(self.entry.text("by"), grant.issuer_did, salts.key, "the key that signed it")
        _open(self.evidence.licensee, grant.terms.licensee, salts.licensee, "its licensee")

    def references(self) -> changes.References:
        """Return what the log calls it and what it depends on."""
        return changes.References(
            grant=self.entry.text("subject"),
            key=self.entry.text("by"),
            parties=(self.voice.text("owner"), self.evidence.licensee),
            received=_time(self.entry),
            mandate="" if self.mandate is None else self.mandate.text("subject"),
        )

    def _check_history(self) -> None:
        places = [proven.index for proven, _ in self.history]
        if places != sorted(set(places)) or any(place <= self.entry.index for place in places):
            raise Contradiction("its history is out of order")
        entries = ((proven.index, proven.entry) for proven, _ in self.history)
        self.events = list(changes.events(entries, self.references()))
        if len(self.events) != len(self.history):
            raise Contradiction("an entry of its history is not about it")
        if self.evidence.status != changes.status(self.events, first=self._first):
            raise Contradiction(
                f"it is said to be {self.evidence.status}, and its history says otherwise"
            )
        for proven, change in self.history:
            self._check_statement(proven, change)

    def _check_statement(self, proven: Proven, change: Change) -> None:
        from consent.credentials.statement import open_statement

        expected = self.full and proven.kind == "statement"
        if bool(change.token) != expected or bool(change.salt) != expected:
            raise Contradiction(
                f"the statement of entry {proven.index} is there or missing against the "
                "bundle's form"
            )
        if not expected:
            return
        statement = open_statement(change.token)
        what = f"the statement of entry {proven.index}"
        _open(proven.text("document"), statement.digest, change.salt, what)
        if statement.kind != proven.text("type"):
            raise Contradiction(f"{what} is of another kind")


class _CheckedOutput:
    """An output of the bundle with its entries."""

    def __init__(self, output: Output, receipt: Proven, proven: Proofs, *, full: bool) -> None:
        self.output = output
        self.full = full
        self.receipt = receipt
        outcome = output.outcome
        self.outcome = None if outcome is None else proven[outcome.leaf, outcome.proof]

    @property
    def last(self) -> Proven:
        """The entry that decides when it was made."""
        return self.outcome or self.receipt

    def check(self, tag: str, grants: dict[str, CheckedGrant]) -> None:
        """Check its entries, and each person's voice in it against a grant."""
        _expect(self.receipt, "receipt")
        output_id = self.receipt.text("output_id")
        if not _OUTPUT_ID.fullmatch(output_id) or output_id[:4] != tag:
            raise Contradiction("its id is not one of this registry")
        if self.outcome is not None:
            _expect(self.outcome, "sealed", "abandoned")
            if self.outcome.text("output_id") != output_id:
                raise Contradiction("its outcome is that of another output")
            if self.outcome.index < self.receipt.index:
                raise Contradiction("its outcome came before its receipt")
        if not self.full and (self.output.work or self.output.identifier or self.output.title):
            raise Contradiction("it names its work in the redacted form")
        self._check_openings(grants)

    def words(self) -> str:
        """Say what its entries prove."""
        minutes = f"{_whole(self.receipt, 'duration_ms') / 60_000:.2f} minutes"
        made = f"Receipt at entry {self.receipt.index} for {minutes}"
        if self.outcome is None:
            return f"{made}; nothing here says that it was published."
        if self.outcome.kind == "abandoned":
            return f"{made}; abandoned at entry {self.outcome.index}, never published."
        return (
            f"{made}; sealed at entry {self.outcome.index} with the SHA-256 "
            f"{self.outcome.text('sha256')}."
        )

    def _check_openings(self, grants: dict[str, CheckedGrant]) -> None:
        voices = self.receipt.entry.get("voices")
        if not isinstance(voices, list) or not all(isinstance(voice, dict) for voice in voices):
            raise Contradiction("its receipt names no voices")
        persons = [voice for voice in voices if voice.get("basis") == "grant"]
        left = list(self.output.openings)
        for voice in persons:
            opening = next((one for one in left if _opens(one, voice.get("grant"))), None)
            if opening is None:
                raise Contradiction("a person's voice in it is not opened")
            left.remove(opening)
            if bool(opening.voice) != self.full or bool(opening.voice_salt) != self.full:
                raise Contradiction("a voice is named or not against the bundle's form")
            if self.full:
                _open(str(voice.get("voice")), opening.voice, opening.voice_salt, "a voice")
            grant = grants.get(opening.grant_id)
            if grant is None or grant.evidence.digest != opening.grant_digest:
                raise Contradiction(
                    f"the {opening.grant_id} is not in the bundle, or does not hold"
                )
            self._check_cover(grant, opening)
        if left:
            raise Contradiction("something is opened that its receipt does not have")

    def _check_cover(self, grant: CheckedGrant, opening: Opening) -> None:
        """Check that a grant stood, and covered this output as far as its terms are here."""
        if grant.entry.index > self.receipt.index:
            raise Contradiction("it was made before its grant was on record")
        sealed = self.outcome is not None and self.outcome.kind == "sealed"
        standing = grant.standing(self.last.index)
        if opening.status != standing:
            raise Contradiction(
                f"its grant is said to have been {opening.status}, and the log says {standing}"
            )
        if sealed and standing in _ENDED:
            raise Contradiction(f"it was sealed when its grant was {standing}")
        if grant.grant is None:
            return
        terms = grant.grant.terms
        made, last = _time(self.receipt), _time(self.last)
        if opening.voice != terms.voice:
            raise Contradiction(f"its grant is for another voice than {opening.voice}")
        if made < terms.valid_from or (sealed and last >= terms.valid_until):
            raise Contradiction(
                f"its grant held from {rfc3339(terms.valid_from)} to {rfc3339(terms.valid_until)}"
            )
        if self.receipt.text("purpose") not in terms.purposes:
            raise Contradiction(f"its grant is not for {self.receipt.text('purpose')}")
        if self.receipt.entry.get("commercial") is not False and not terms.commercial:
            raise Contradiction("it is commercial, and its grant is not")


def _overspent(bundle: Bundle, proven: Proofs, grants: dict[str, CheckedGrant]) -> list[str]:
    """Return a problem for each grant whose minutes are fewer than its outputs here have."""
    used: dict[str, int] = {}
    for output in bundle.outputs:
        outcome = output.outcome
        if outcome is None or proven[outcome.leaf, outcome.proof].kind != "sealed":
            continue
        voices = proven[output.receipt.leaf, output.receipt.proof].entry.get("voices", [])
        for opening in output.openings:
            for voice in voices:
                if _opens(opening, voice.get("grant")) and not voice.get("review"):
                    used[opening.grant_id] = used.get(opening.grant_id, 0) + int(
                        voice["duration_ms"]
                    )
    return [
        f"Grant {name}: it covers {minutes} minutes, and its outputs here have {ms / 60_000:.2f}."
        for name, ms in used.items()
        if name in grants
        and (grant := grants[name].grant) is not None
        and (minutes := grant.terms.minutes) is not None
        and ms > minutes * 60_000
    ]


def _expect(proven: Proven, *kinds: str) -> None:
    if proven.kind not in kinds or proven.entry.get("version") != 1:
        raise Contradiction(
            f"entry {proven.index} of the log is {proven.kind or 'nothing'!r}, "
            f"not {' or '.join(kinds)}"
        )


def _open(found: str, value: str, salt: str, what: str) -> None:
    if len(salt) != 32 or commitment(value.encode(), bytes.fromhex(salt)) != found:
        raise Contradiction(f"{what} is not what the log committed to")


def _opens(opening: Opening, found: object) -> bool:
    grant = canonical({"digest": opening.grant_digest, "id": opening.grant_id})
    return commitment(grant, bytes.fromhex(opening.grant_salt)) == found


def _time(proven: Proven) -> datetime:
    try:
        moment = datetime.fromisoformat(proven.text("time"))
    except ValueError as exc:
        raise Contradiction(f"entry {proven.index} of the log has no time") from exc
    if moment.tzinfo is None:
        raise Contradiction(f"entry {proven.index} of the log has no time zone")
    return moment


def _whole(proven: Proven, name: str) -> int:
    value = proven.entry.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise Contradiction(f"entry {proven.index} of the log has no {name}")
    return value


def _reason(exc: Exception) -> str:
    if isinstance(exc, VivavoceError):
        return exc.message
    return str(exc) if isinstance(exc, Contradiction) else "an entry does not have its form"


__all__ = ["CheckedGrant", "Contradiction", "check_evidence"]
