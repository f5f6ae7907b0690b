"""What policies are told of a grant: its terms as signed, and how it stands now."""

from __future__ import annotations

from datetime import date, datetime

from sqlmodel import Session, col, select

from consent.errors import VerificationError
from consent.policy import GrantFacts
from consent.registry import keyring, rows
from consent.registry.core import Core
from consent.registry.people import GrantRecord
from consent.registry.tables import StatementRow

#: What a mandate must let a representative do whose grant is used.
_SCOPE = "grant"
#: What a performer says of a draft; of several, the last counts.
_VERDICTS = ("approval", "retake")


def facts(
    core: Core,
    session: Session,
    record: GrantRecord,
    now: datetime,
    *,
    left_ms: int | None,
    approval_digest: str,
) -> GrantFacts:
    """Return what a grant says and how it stands.

    Parameters
    ----------
    record
        Checked against its row; ``record.grant`` is the signed document.
    left_ms
        What can be reserved; None without a limit.
    approval_digest
        What a performer's approval would be about.
    """
    assert record.grant is not None
    terms = record.grant.terms
    return GrantFacts(
        id=record.id,
        status=record.standing(now),
        owner=terms.owner,
        licensee=terms.licensee,
        registry_matches=terms.registry_did == core.did,
        purposes=terms.purposes,
        languages=terms.languages,
        territories=terms.territories,
        channels=terms.channels,
        valid_from=terms.valid_from,
        valid_until=terms.valid_until,
        left_ms=left_ms,
        commercial=terms.commercial,
        permissions=terms.permissions,
        works=tuple((work.title, work.identifier) for work in terms.works),
        exclusions=terms.exclusions,
        basis=terms.basis.kind,
        mandate_valid=mandate_fault(core, session, record, now) is None,
        proof=bool(terms.basis.proof),
        minor=_is_minor(terms.minor_until, now),
        approval_required=terms.performer_approval,
        approved=terms.performer_approval and approved(core, session, record.id, approval_digest),
        disclosure_audible=terms.disclosure.audible,
        evidence=tuple(evidence.kind for evidence in terms.evidence),
        superseded_by=record.superseded_by,
        status_since=record.status_since,
    )


def mandate_fault(core: Core, session: Session, record: GrantRecord, now: datetime) -> str | None:
    """Return why the mandate that a grant rests on does not hold now, None if it does.

    Raises
    ------
    VerificationError
        Its row was changed.
    """
    assert record.grant is not None
    basis = record.grant.terms.basis
    if basis.kind == "self":
        return None
    given = keyring.mandates_for(core, session, record.owner)
    mandate = next((one for one in given if one.id == basis.mandate), None)
    if mandate is None:
        return f"the mandate {basis.mandate} is not on record"
    if mandate.kind != basis.kind:
        return f"the mandate {mandate.id} is of another kind: {mandate.kind}"
    fault = mandate.fault_at(_SCOPE, now)
    return None if fault is None else f"of the mandate {mandate.id}: {fault}"


def approved(core: Core, session: Session, grant_id: str, digest: str) -> bool:
    """Whether the performer has approved a job, and has not asked for a retake since.

    Raises
    ------
    VerificationError
        What they said was changed in the registry.
    """
    row = session.exec(
        select(StatementRow)
        .where(
            StatementRow.subject == digest,
            StatementRow.grant_id == grant_id,
            col(StatementRow.kind).in_(_VERDICTS),
        )
        .order_by(col(StatementRow.leaf_index).desc())
        .limit(1)
    ).one_or_none()
    if row is None:
        return False
    rows.verify_row(core, row, f"the statement {row.id}")
    return row.kind == "approval"


def refuse_document(record: GrantRecord) -> None:
    """Refuse a grant whose document cannot be opened or is not what its row says.

    Raises
    ------
    VerificationError
        It cannot be used, and must not be passed over in silence.
    """
    if record.grant is None and record.problem != "erased":
        raise VerificationError(
            f"the grant {record.id} cannot be used: {record.problem}",
            hint="Restore the registry from a backup: vivavoce keys restore FILE",
        )


def _is_minor(until: date | None, now: datetime) -> bool:
    return until is not None and now.date() < until
