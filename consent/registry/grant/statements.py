"""Statements: revocations, approvals, changes of keys, mandates; one way in for all of them.

A statement counts from when the log has it. One that comes in again changes nothing; one about
a grant that is not here yet waits for it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from consent.clock import rfc3339
from consent.credentials.statement import Statement, open_statement
from consent.errors import RefusedError, VerificationError
from consent.registry.grant import effects, grant_rows
from consent.registry.grant.moments import Received, next_place, refuse_future
from consent.registry.grant.plans import Plan
from consent.registry.party import key_changes, keyring, mandates, parties
from consent.registry.party.records import StatementRecord
from consent.registry.storage import outbox, rows, salts
from consent.registry.storage.core import Core
from consent.registry.storage.ledger import writing
from consent.registry.storage.sealing import seal, unseal
from consent.registry.storage.tables import GrantRow, LogIndexRow, MandateRow, StatementRow

_RESTORE = "Restore the registry from a backup: vivavoce keys restore FILE"
#: What a log entry can undo of a row whose document came in again.
_UNDOING = ("revocation", "rotation", "compromise")


def add(core: Core, token: str) -> Statement:
    """Take a statement in and let it take effect; see ``Registry.add_statement``."""
    statement = open_statement(token)
    what = f"the {statement.kind} {statement.id}"
    with outbox.documents(core, [token]), writing(core) as ledger:
        session = ledger.session
        salts.check(core, session)
        if _known(core, session, statement):
            return statement
        now = next_place(ledger)
        lost = _lost(core, session, statement)
        received = now if lost is None else lost
        refuse_future(statement.issued_at, received.time, what)
        if statement.effective_at is not None and statement.effective_at > received.time:
            raise RefusedError(
                f"{what} is to count from {rfc3339(statement.effective_at)}: a statement counts "
                "when it comes in",
                hint="Hand it in then, or have it signed without that time.",
            )
        plan = _PLANS[statement.kind](core, session, statement, what, received)
        place = received.leaf_index
        if lost is None:
            place, _ = ledger.append(_entry(core, statement, plan, now.time))
        made = plan.rows(place)
        if plan.kind == "statement":
            made.append(_row(core, session, statement, plan, place, received.time))
        session.add_all(made)
        session.flush()
        if lost is not None:
            _undo(core, session, place)
    return statement


def listed(
    core: Core, *, kind: str | None, subject: str | None, grant: str | None
) -> list[StatementRecord]:
    """Return statements, oldest first; see ``Registry.statements``."""
    query = select(StatementRow).order_by(col(StatementRow.leaf_index))
    if kind is not None:
        query = query.where(StatementRow.kind == kind)
    if subject is not None:
        query = query.where(StatementRow.subject == subject)
    if grant is not None:
        query = query.where(StatementRow.grant_id == grant)
    with core.database.read() as session:
        return [_listed(core, session, row) for row in session.exec(query).all()]


def load(core: Core, session: Session, row: StatementRow) -> Statement:
    """Return the statement in a row, row and document compared.

    Raises
    ------
    VerificationError
        One of them was changed, or swapped with another's.
    RefusedError
        Whose key it was sealed under was erased.
    """
    rows.verify_row(core, row, f"the statement {row.id}")
    token = unseal(core, session, row.sealed_for, row.document, f"statement:{row.id}").decode()
    statement = open_statement(token)
    if (statement.id, statement.kind, statement.subject) != (row.id, row.kind, row.subject):
        raise VerificationError(
            f"the row of the statement {row.id} does not say what its signed document says",
            hint=_RESTORE,
        )
    return statement


# -- What follows from each kind ------------------------------------------------------------


def _plan_standing(
    core: Core, session: Session, statement: Statement, what: str, received: Received
) -> Plan:
    """Revocation, suspension, reinstatement: of a grant, or the end of a mandate."""
    mandate = session.get(MandateRow, statement.subject)
    if mandate is not None and statement.kind == "revocation":
        return _plan_end_of_mandate(core, session, statement, mandate, what, received)
    row = session.get(GrantRow, statement.subject)
    if row is None:
        return _plan_waiting(core, session, statement, what, received)
    grant = grant_rows.fetch(core, session, row.id)
    actor = keyring.entitled(
        core, session, statement.issuer_did, grant.owner, "revoke", what, received
    )
    if received.leaf_index >= core.log.checkpoint().size:
        _refuse_without_effect(core, session, statement, grant, what)
    return Plan(
        subject=grant.ref,
        issuer_party=actor.party_id,
        sealed_for=grant.owner,
        grant_id=grant.id,
    )


def _plan_waiting(
    core: Core, session: Session, statement: Statement, what: str, received: Received
) -> Plan:
    """Keep a statement about a grant that is not here: who may say it shows when it comes."""
    if statement.kind == "reinstatement":
        raise RefusedError(f"{what} is about {statement.subject}, which is not on record")
    key = keyring.good_key(core, session, statement.issuer_did, what, received)
    lost = grant_rows.logged_at(core, session, statement.subject) is not None
    if lost:
        raise VerificationError(
            f"document lost: {what} is about the grant {statement.subject}, whose row is gone",
            hint="Import the grant again, or restore the registry from a backup.",
        )
    return Plan(
        subject=core.ref("grant", statement.subject),
        issuer_party=key.party_id,
        sealed_for=key.party_id,
        grant_id=statement.subject,
        members={"pending": True},
    )


def _plan_end_of_mandate(
    core: Core,
    session: Session,
    statement: Statement,
    row: MandateRow,
    what: str,
    received: Received,
) -> Plan:
    mandate = keyring.mandate(core, session, row)
    issuer = ""
    if statement.issuer_did != core.did or mandate.kind == "agent":
        key = keyring.good_key(core, session, statement.issuer_did, what, received)
        if key.party_id not in (mandate.principal, mandate.representative):
            raise RefusedError(
                f"{what} ends the mandate of {mandate.representative} for {mandate.principal}, "
                f"and {key.party_id} signed it",
                hint="One of these two can end it.",
            )
        issuer = key.party_id
    return Plan(subject=row.ref, issuer_party=issuer, sealed_for=mandate.principal)


def _refuse_without_effect(
    core: Core, session: Session, statement: Statement, grant: GrantRow, what: str
) -> None:
    kind = statement.kind
    # A second revocation is no mistake worth stopping: the grant is revoked, as was wished.
    if kind != "revocation" and effects.status_after(grant.status, kind) == grant.status:
        raise RefusedError(f"{what} changes nothing: the grant {grant.id} is {grant.status}")
    if kind != "reinstatement":
        return
    # One that was signed before the suspension, and held back, must not lift it.
    suspension = session.exec(
        select(StatementRow)
        .where(StatementRow.grant_id == grant.id, StatementRow.kind == "suspension")
        .order_by(col(StatementRow.leaf_index).desc())
        .limit(1)
    ).one_or_none()
    if suspension is None:
        return
    suspended_at = load(core, session, suspension).issued_at
    if statement.issued_at < suspended_at:
        raise RefusedError(
            f"{what} was signed {rfc3339(statement.issued_at)}, before the suspension it would "
            f"lift ({rfc3339(suspended_at)})",
            hint="Have it signed anew.",
        )


def _plan_verdict(
    core: Core, session: Session, statement: Statement, what: str, received: Received
) -> Plan:
    """Approval and retake: what the performer says of a work."""
    grant = grant_rows.fetch(core, session, statement.body["grant"])
    if grant.status == "revoked":
        raise RefusedError(f"{what} is about a work under {grant.id}, which is revoked")
    actor = keyring.entitled(
        core, session, statement.issuer_did, grant.owner, "approve", what, received
    )
    return Plan(
        subject=core.ref("job", statement.subject),
        issuer_party=actor.party_id,
        sealed_for=grant.owner,
        grant_id=grant.id,
        members={"grant": grant.ref},
    )


def _plan_override(
    core: Core, session: Session, statement: Statement, what: str, received: Received
) -> Plan:
    """Override: a named person decides against a check."""
    key = keyring.good_key(core, session, statement.issuer_did, what, received)
    party = parties.active(core, session, key.party_id)
    if party.kind != "person":
        raise RefusedError(
            f"{what} is signed by the {party.kind} {party.id}",
            hint="A person has to answer for it: sign it with a person's key.",
        )
    return Plan(
        subject=core.ref("override", statement.subject),
        issuer_party=party.id,
        sealed_for=party.id,
    )


_Planner = Callable[[Core, Session, Statement, str, Received], Plan]
_PLANS: Mapping[str, _Planner] = {
    "revocation": _plan_standing,
    "suspension": _plan_standing,
    "reinstatement": _plan_standing,
    "approval": _plan_verdict,
    "retake": _plan_verdict,
    "override": _plan_override,
    "rotation": key_changes.plan_rotation,
    "compromise": key_changes.plan_compromise,
    "mandate": mandates.plan,
}


# -- On record ------------------------------------------------------------------------------


def _known(core: Core, session: Session, statement: Statement) -> bool:
    """Whether the very same statement is on record."""
    row = session.get(StatementRow, statement.id)
    mandate = session.get(MandateRow, statement.id)
    if row is None and mandate is None:
        return False
    if row is not None:
        known = load(core, session, row).digest
    else:
        assert mandate is not None
        rows.verify_row(core, mandate, f"the mandate {mandate.id}")
        document = unseal(
            core, session, mandate.principal, mandate.document, f"mandate:{mandate.id}"
        )
        known = open_statement(document.decode()).digest
    if known != statement.digest:
        raise RefusedError(f"another statement is on record as {statement.id}")
    return True


def _lost(core: Core, session: Session, statement: Statement) -> Received | None:
    """Return where the statement is in the log, if a crash or an old backup lost its document."""
    ref = core.ref("statement", statement.id)
    kind = "mandate" if statement.kind == "mandate" else "statement"
    for subject in _subjects(core, statement):
        for index in session.exec(
            select(LogIndexRow.leaf_index).where(
                LogIndexRow.kind == kind, LogIndexRow.subject == subject
            )
        ).all():
            entry = json.loads(core.log.entry(index))
            if entry["statement"] != ref:
                continue
            if entry["document"] != core.ref("document", statement.digest):
                raise RefusedError(f"another statement is in the log as {statement.id}")
            return Received(index, datetime.fromisoformat(entry["time"]))
    return None


def _subjects(core: Core, statement: Statement) -> list[str]:
    """Return what the log may call that which a statement is about."""
    labels = {
        "approval": ["job"],
        "retake": ["job"],
        "override": ["override"],
        "rotation": ["party"],
        "compromise": ["party-key"],
    }.get(statement.kind, ["grant", "mandate"])
    about = statement.id if statement.kind == "mandate" else statement.subject
    return [core.ref(label, about) for label in labels]


def _undo(core: Core, session: Session, place: int) -> None:
    """Let what was said later about keys and mandates reach rows that came back."""
    for index, leaf in enumerate(core.log.entries(place + 1), start=place + 1):
        entry = json.loads(leaf)
        if entry["kind"] == "statement" and entry["type"] in _UNDOING:
            effects.apply_statement(core, session, index, leaf.decode(), entry)


def _entry(core: Core, statement: Statement, plan: Plan, now: datetime) -> dict[str, Any]:
    return {
        "kind": plan.kind,
        "version": 1,
        "type": statement.kind,
        "subject": plan.subject,
        "statement": core.ref("statement", statement.id),
        "document": core.ref("document", statement.digest),
        "by": core.ref("party-key", statement.issuer_did),
        "pending": False,
        "time": rfc3339(now),
        **plan.members,
    }


def _row(
    core: Core, session: Session, statement: Statement, plan: Plan, place: int, time: datetime
) -> StatementRow:
    document = statement.token.encode()
    row = StatementRow(
        id=statement.id,
        ref=core.ref("statement", statement.id),
        kind=statement.kind,
        subject=statement.subject,
        grant_id=plan.grant_id,
        issuer_party=plan.issuer_party,
        sealed_for=plan.sealed_for,
        document=seal(core, session, plan.sealed_for, document, f"statement:{statement.id}"),
        received_at=time,
        leaf_index=place,
        signature="",
    )
    rows.sign_row(core, row)
    return row


def _listed(core: Core, session: Session, row: StatementRow) -> StatementRecord:
    statement, problem = None, ""
    try:
        statement = load(core, session, row)
    except RefusedError:
        problem = "erased"
    except VerificationError as exc:
        problem = exc.message
    return StatementRecord(
        id=row.id,
        kind=row.kind,
        subject=row.subject,
        grant_id=row.grant_id or "",
        issuer_party=row.issuer_party,
        received_at=row.received_at,
        leaf_index=row.leaf_index,
        statement=statement,
        problem=problem,
    )
