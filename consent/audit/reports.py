"""What an auditor asks of a registry: statements, outputs, orphans, the history of policies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import col, select

from consent.audit.collecting import Auditor, core_of
from consent.audit.documents import sign_document
from consent.audit.listing import Filter, LogLine, log_lines
from consent.audit.logview import LogView
from consent.audit.orphans import Claim, KnownOutput, OrphanReport, find_orphans
from consent.audit.policies import MARKS, PolicyChange, policy_changes
from consent.audit.records import GrantEntry, Use, outside, use_json
from consent.audit.statement import (
    LICENSEE,
    OWNER,
    ROLES,
    Head,
    Period,
    StatementOfUse,
    make_statement,
)
from consent.errors import InputError, RefusedError
from consent.registry import Registry
from consent.registry.storage.tables import ReceiptRow


def statement_of_use(
    registry: Registry,
    party: str,
    *,
    role: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
) -> StatementOfUse:
    """Return what was made under the grants of a party, for how much.

    Parameters
    ----------
    party
        Id or handle.
    role
        ``"rights-holder"``: grants for their voices; ``"licensee"``: grants given to them. Empty:
        whichever they are, rights holder first.
    since, until
        Aware times: published from the first, before the second.

    Raises
    ------
    RefusedError
        There is no such party.
    InputError
        The period is empty or the role unknown.
    VerificationError
        The log was changed.
    """
    if role and role not in ROLES:
        raise InputError(f"the role is {role!r}, expected {' or '.join(ROLES)}")
    period = Period(since, until)
    found = registry.party(party)
    auditor = Auditor(registry)
    grants = [] if role == LICENSEE else auditor.grants(owner=found.id)
    if not role:
        role = OWNER if grants else LICENSEE
    if role == LICENSEE:
        grants = auditor.grants(licensee=found.id)
    uses, unexplained = auditor.uses(grants)
    head = Head(
        party=found.id,
        party_name=found.display_name,
        role=role,
        period=period,
        made_at=auditor.core.now(),
        registry_did=registry.did,
        log_vkey=registry.log.vkey,
        checkpoint=auditor.view.note,
    )
    # Other licensees' grants of the same voice are none of this licensee's business.
    return make_statement(head, grants, uses, unexplained if role == OWNER else ())


def signed_statement(registry: Registry, statement: StatementOfUse) -> dict[str, Any]:
    """Return a statement as a document that the registry signs (docs/formats.md)."""
    return sign_document(statement.to_json(), core_of(registry).key)


@dataclass(frozen=True, slots=True)
class OutputUse:
    """A use and why it was not covered by its grant, if it was not."""

    use: Use
    problems: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the use as JSON values."""
        return use_json(self.use) | {"problems": list(self.problems)}


def outputs_under(registry: Registry, grant_id: str) -> list[OutputUse]:
    """Return every output under a grant, drafts and abandoned ones included, oldest first.

    Raises
    ------
    RefusedError
        There is no such grant.
    """
    auditor = Auditor(registry)
    grant = auditor.grant_entry(auditor.record(grant_id))
    uses, _ = auditor.uses([grant])
    return [
        OutputUse(use, (*use.problems, *outside(grant, use)))
        for use in uses
        if use.grant_id == grant.id
    ]


def orphans(registry: Registry, claims: Iterable[Claim] = ()) -> OrphanReport:
    """Return receipts without a file, and what is wrong with the files in `claims`."""
    auditor = Auditor(registry)
    by_digest: dict[str, GrantEntry] = {}
    claims = list(claims)
    wanted = {digest for claim in claims for digest in claim.grants}
    if wanted:
        by_digest = {grant.digest: grant for grant in auditor.grants() if grant.digest in wanted}
    return find_orphans(
        known_outputs(registry), claims, tag=registry.registry_tag, grant_of=by_digest.get
    )


def known_outputs(registry: Registry) -> list[KnownOutput]:
    """Return every output of the registry, oldest first."""
    with core_of(registry).database.read() as session:
        rows = session.exec(select(ReceiptRow).order_by(col(ReceiptRow.leaf_index))).all()
        return [
            KnownOutput(
                output_id=row.output_id,
                state=row.state,
                sha256=row.sha256,
                made_at=row.created_at,
                title=row.title,
                reason=row.reason,
            )
            for row in rows
        ]


def log_listing(registry: Registry, wanted: Filter | None = None) -> Iterator[LogLine]:
    """Yield the entries of the registry's log in words."""
    yield from log_lines(LogView.verified(registry.log), wanted)


def policy_history(registry: Registry) -> list[PolicyChange]:
    """Return when which policies were in force, oldest first."""
    return policy_changes(LogView.verified(registry.log).entries(containing=MARKS))


def only_known(registry: Registry, output_ids: Iterable[str]) -> list[str]:
    """Return `output_ids` without repetitions.

    Raises
    ------
    RefusedError
        One is not on record.
    """
    found = list(dict.fromkeys(output_ids))
    for output_id in found:
        if registry.receipt(output_id) is None:
            raise RefusedError(
                f"there is no receipt of the output {output_id[:64]!r}",
                hint="See what there is: vivavoce audit outputs",
            )
    return found


__all__ = [
    "OutputUse",
    "known_outputs",
    "log_listing",
    "only_known",
    "orphans",
    "outputs_under",
    "policy_history",
    "signed_statement",
    "statement_of_use",
]
