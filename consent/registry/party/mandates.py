"""Mandates: who may act for whom, and who can say so.

An agent is named by the principal. A guardian or an estate is recorded by the registry, whose
operator has seen the document that proves it: nobody makes themselves somebody's guardian.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time

from sqlmodel import Session

from consent.clock import rfc3339
from consent.credentials.rules import RuleError
from consent.credentials.statement import Statement, open_statement
from consent.errors import RefusedError
from consent.registry.grant.moments import Received
from consent.registry.grant.plans import Plan
from consent.registry.party import keyring, minors, parties
from consent.registry.party.records import Mandate, Party
from consent.registry.storage import rows
from consent.registry.storage.core import Core
from consent.registry.storage.sealing import seal, unseal
from consent.registry.storage.tables import MandateRow, Table


def plan(core: Core, session: Session, statement: Statement, what: str, received: Received) -> Plan:
    """Check that a mandate is given by somebody who can."""
    body = statement.body
    principal = _party(core, session, statement.subject)
    representative = _party(core, session, body["representative"])
    if principal.id == representative.id:
        raise RefusedError(f"{what} lets {principal.id} act for themselves")
    key = keyring.good_key(core, session, body["representative_did"], what, received)
    if key.party_id != representative.id:
        raise RefusedError(f"{what} names {key.did} as key of {representative.id}; it is not")
    until = body["valid_until"]
    valid_until = None if until is None else datetime.fromisoformat(until)
    if valid_until is not None and valid_until <= received.time:
        raise RefusedError(f"{what} ended {rfc3339(valid_until)}")
    issuer = _issuer(core, session, statement, principal, what, received)
    _check_minor(body["kind"], principal, valid_until, received.time)

    def row(place: int) -> list[Table]:
        made = MandateRow(
            id=statement.id,
            ref=core.ref("mandate", statement.id),
            principal=principal.id,
            representative=representative.id,
            kind=body["kind"],
            scope=" ".join(body["scope"]),
            valid_from=datetime.fromisoformat(body["valid_from"]),
            valid_until=valid_until,
            document=seal(
                core,
                session,
                principal.id,
                statement.token.encode(),
                f"mandate:{statement.id}",
            ),
            leaf_index=place,
            signature="",
        )
        rows.sign_row(core, made)
        return [made]

    return Plan(
        subject=core.ref("mandate", statement.id),
        issuer_party=issuer,
        sealed_for=principal.id,
        members={
            "type": body["kind"],
            "principal": core.ref("party", principal.id),
            "representative": core.ref("party", representative.id),
        },
        rows=row,
        kind="mandate",
    )


def listed(core: Core, principal: str) -> list[Mandate]:
    """Return the mandates to act for a party, oldest first; see ``Registry.mandates``."""
    with core.database.read() as session:
        return [
            replace(given, proof=_proof(core, session, given))
            for given in keyring.mandates_for(core, session, principal)
        ]


def _proof(core: Core, session: Session, given: Mandate) -> str:
    row = session.get(MandateRow, given.id)
    assert row is not None
    token = unseal(core, session, given.principal, row.document, f"mandate:{given.id}")
    proof: str = open_statement(token.decode()).body["proof"]
    return proof


def _issuer(
    core: Core,
    session: Session,
    statement: Statement,
    principal: Party,
    what: str,
    received: Received,
) -> str:
    if statement.issuer_did == core.did:
        if statement.body["kind"] == "agent":
            raise RefusedError(
                f"{what} names an agent of {principal.id}, and the registry signed it",
                hint="An agent is named by the principal alone.",
            )
        return ""
    key = keyring.good_key(core, session, statement.issuer_did, what, received)
    if key.party_id != principal.id:
        raise RefusedError(
            f"{what} lets somebody act for {principal.id}, and {key.party_id} signed it",
            hint="An agent is named by the principal; a guardian or an estate is recorded by "
            "the registry's operator, who has seen the proof.",
        )
    return principal.id


def _check_minor(kind: str, principal: Party, valid_until: datetime | None, now: datetime) -> None:
    minor = minors.is_minor(principal, now)
    if kind == "agent" and minor:
        raise RuleError(
            "basis/minor",
            f"{principal.id} is a minor and cannot name an agent",
            hint="Record the guardian's mandate.",
        )
    if kind != "guardian":
        return
    if principal.birth_date is None or not minor:
        raise RuleError(
            "basis/guardian",
            f"{principal.id} is no minor by the date of birth on record",
            hint="Enter the party with their date of birth; an adult acts for themselves.",
        )
    adult = datetime.combine(minors.adult_on(principal.birth_date), time(), UTC)
    if valid_until is None or valid_until > adult:
        raise RuleError(
            "term/minor",
            f"a guardian's mandate ends on the 18th birthday, {adult:%Y-%m-%d}",
            hint="Let it end then or earlier.",
        )


def _party(core: Core, session: Session, party_id: str) -> Party:
    return parties.read(core, session, parties.active(core, session, party_id))
