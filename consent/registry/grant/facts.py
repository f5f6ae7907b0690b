"""What policies are told of a grant: its terms as signed, and how it stands now."""

from __future__ import annotations

import json
from datetime import date, datetime

from sqlmodel import Session, col, select

from consent.errors import VerificationError
from consent.policy import GrantFacts
from consent.registry.grant import statements
from consent.registry.party import keyring
from consent.registry.party.records import GrantRecord
from consent.registry.storage.core import Core
from consent.registry.storage.tables import LogIndexRow, StatementRow

#: What a mandate must let a representative do whose grant is used.
_SCOPE = "grant"


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

    The log says what was said last, the signed document that it was this.

    Raises
    ------
    VerificationError
        What they said was changed in the registry, or is gone.
    """
    about = core.ref("grant", grant_id)
    for place in session.exec(
        select(LogIndexRow.leaf_index)
        .where(LogIndexRow.kind == "statement", LogIndexRow.subject == core.ref("job", digest))
        .order_by(col(LogIndexRow.leaf_index).desc())
    ).all():
        entry = json.loads(core.log.entry(place))
        if entry.get("grant") != about:
            continue
        if entry["type"] != "approval":
            return False
        row = session.exec(
            select(StatementRow).where(StatementRow.leaf_index == place)
        ).one_or_none()
        if row is None:
            raise VerificationError(
                f"document lost: the approval that is entry {place} of the log is gone",
                hint="Import it again, or restore the registry from a backup.",
            )
        said: str = statements.load(core, session, row).body["grant"]
        return said == grant_id
    return False


def _is_minor(until: date | None, now: datetime) -> bool:
    return until is not None and now.date() < until
