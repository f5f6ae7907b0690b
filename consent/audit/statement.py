"""The statement of use: what was made with a voice, when, under which grant, for how much."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from consent.audit import amounts
from consent.audit.records import GrantEntry, Use, outside, overspent, use_json
from consent.clock import rfc3339
from consent.errors import InputError

FORMAT = "vivavoce-statement-of-use/1"
OWNER = "rights-holder"
LICENSEE = "licensee"
ROLES = (OWNER, LICENSEE)


@dataclass(frozen=True, slots=True)
class Period:
    """From `since` (included) to `until` (not included); None is open."""

    since: datetime | None = None
    until: datetime | None = None

    def __post_init__(self) -> None:
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise InputError(
                f"the period from {rfc3339(self.since)} to {rfc3339(self.until)} is empty"
            )

    def __contains__(self, moment: datetime) -> bool:
        return (self.since is None or moment >= self.since) and (
            self.until is None or moment < self.until
        )


@dataclass(frozen=True, slots=True)
class Head:
    """Where a statement comes from, so that it can be held against the log later.

    Attributes
    ----------
    party, party_name
        Whose statement it is.
    role
        ``"rights-holder"`` or ``"licensee"``.
    registry_did, log_vkey, checkpoint
        Who made it, and the signed state of the log it was made at.
    """

    party: str
    party_name: str
    role: str
    period: Period
    made_at: datetime
    registry_did: str
    log_vkey: str
    checkpoint: str


@dataclass(frozen=True, slots=True)
class Line:
    """A use in the statement.

    Attributes
    ----------
    amount
        In the currency of the grant; None where the grant asks for no money.
    problems
        Why it should not be there; empty for every use that was covered.
    """

    use: Use
    amount: Decimal | None
    problems: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the line as JSON values."""
        return use_json(self.use) | {
            "amount": None if self.amount is None else str(self.amount),
            "problems": list(self.problems),
        }


@dataclass(frozen=True, slots=True)
class GrantAccount:
    """One grant in one period.

    Attributes
    ----------
    lines
        Published uses; they alone are paid for.
    drafts
        For the performer's ears: free.
    pending
        Receipts whose file was not sealed yet.
    used_before_ms, used_ms
        Published sound before the period and in it.
    problems
        Of the grant as a whole.
    """

    grant: GrantEntry
    lines: tuple[Line, ...]
    drafts: tuple[Line, ...]
    pending: tuple[Line, ...]
    used_before_ms: int
    problems: tuple[str, ...] = ()

    @property
    def used_ms(self) -> int:
        """Published sound in the period, in milliseconds."""
        return sum(line.use.duration_ms for line in self.lines)

    @property
    def amount(self) -> Decimal | None:
        """Money for the period, None where the grant asks for none."""
        if self.grant.price is None:
            return None
        return sum((line.amount or Decimal(0) for line in self.lines), Decimal(0))

    def all_problems(self) -> list[str]:
        """Return the problems of the grant and its lines, each naming what it is about."""
        found = [f"Grant {self.grant.id}: {problem}." for problem in self.problems]
        for line in (*self.lines, *self.drafts, *self.pending):
            found += [
                f"Output {line.use.output_id} ({line.use.voice}): {problem}."
                for problem in line.problems
            ]
        return found

    def to_json(self) -> dict[str, Any]:
        """Return the account as JSON values."""
        grant, price = self.grant, self.grant.price
        return {
            "id": grant.id,
            "digest": grant.digest,
            "voice": grant.voice,
            "rights_holder": {"id": grant.owner, "name": grant.owner_name},
            "licensee": {"id": grant.licensee, "name": grant.licensee_name},
            "valid_from": rfc3339(grant.valid_from),
            "valid_until": rfc3339(grant.valid_until),
            "status": grant.status,
            "granted_ms": grant.granted_ms,
            "price": None
            if price is None
            else {
                "currency": price.currency,
                "rate": str(price.rate),
                "unit": price.unit,
                "note": price.note,
            },
            "readable": grant.readable,
            "used_before_ms": self.used_before_ms,
            "used_ms": self.used_ms,
            "amount": None if self.amount is None else str(self.amount),
            "outputs": [line.to_json() for line in self.lines],
            "review_drafts": [line.to_json() for line in self.drafts],
            "not_sealed": [line.to_json() for line in self.pending],
            "problems": list(self.problems),
        }


@dataclass(frozen=True, slots=True)
class VoiceAccount:
    """One voice over all its grants."""

    voice: str
    outputs: int
    used_ms: int
    amounts: dict[str, Decimal]

    def to_json(self) -> dict[str, Any]:
        """Return the account as JSON values."""
        return {
            "voice": self.voice,
            "outputs": self.outputs,
            "used_ms": self.used_ms,
            "amounts": {currency: str(amount) for currency, amount in self.amounts.items()},
        }


@dataclass(frozen=True, slots=True)
class StatementOfUse:
    """All grants of a party in one period; made by :func:`make_statement`.

    Attributes
    ----------
    unexplained
        Uses in the log that belong to no grant on record, one sentence each.
    """

    head: Head
    grants: tuple[GrantAccount, ...]
    unexplained: tuple[str, ...] = ()

    @property
    def voices(self) -> list[VoiceAccount]:
        """The same uses by voice."""
        found = []
        for voice in sorted({account.grant.voice for account in self.grants}):
            mine = [account for account in self.grants if account.grant.voice == voice]
            found.append(
                VoiceAccount(
                    voice=voice,
                    outputs=sum(len(account.lines) for account in mine),
                    used_ms=sum(account.used_ms for account in mine),
                    amounts=_amounts(mine),
                )
            )
        return found

    @property
    def used_ms(self) -> int:
        """Published sound of all grants, in milliseconds."""
        return sum(account.used_ms for account in self.grants)

    @property
    def amounts(self) -> dict[str, Decimal]:
        """Money of all grants, by currency."""
        return _amounts(self.grants)

    @property
    def problems(self) -> list[str]:
        """Every use that should not be there; empty when all is well."""
        return [
            *self.unexplained,
            *(problem for account in self.grants for problem in account.all_problems()),
        ]

    def to_json(self) -> dict[str, Any]:
        """Return the statement as JSON values: what a signature covers."""
        head = self.head
        return {
            "format": FORMAT,
            "party": {"id": head.party, "name": head.party_name},
            "role": head.role,
            "period": {
                "since": None if head.period.since is None else rfc3339(head.period.since),
                "until": None if head.period.until is None else rfc3339(head.period.until),
            },
            "made_at": rfc3339(head.made_at),
            "registry": head.registry_did,
            "log": {"vkey": head.log_vkey, "checkpoint": head.checkpoint},
            "grants": [account.to_json() for account in self.grants],
            "voices": [voice.to_json() for voice in self.voices],
            "used_ms": self.used_ms,
            "amounts": {currency: str(amount) for currency, amount in self.amounts.items()},
            "problems": self.problems,
        }


def make_statement(
    head: Head,
    grants: Iterable[GrantEntry],
    uses: Iterable[Use],
    unexplained: Iterable[str] = (),
) -> StatementOfUse:
    """Sort uses into accounts, price them, and flag what was not covered.

    Parameters
    ----------
    grants
        Those the statement is about.
    uses
        All uses under them, of all times: rounding and minutes run on from the beginning.
        Uses of other grants are passed over.
    unexplained
        What the log has and no grant explains.

    Raises
    ------
    InputError
        A use is given twice: it would be counted twice.
    """
    ordered = sorted(grants, key=lambda grant: (grant.voice, grant.index))
    by_grant: dict[str, list[Use]] = {grant.id: [] for grant in ordered}
    seen: set[tuple[str, str]] = set()
    for use in uses:
        if use.grant_id not in by_grant:
            continue
        if (use.output_id, use.voice) in seen:
            raise InputError(f"the use of {use.voice} in the output {use.output_id} is there twice")
        seen.add((use.output_id, use.voice))
        by_grant[use.grant_id].append(use)
    accounts = tuple(_account(grant, by_grant[grant.id], head.period) for grant in ordered)
    return StatementOfUse(head, accounts, tuple(unexplained))


def _account(grant: GrantEntry, uses: Sequence[Use], period: Period) -> GrantAccount:
    published = sorted((use for use in uses if use.counts), key=lambda use: use.sealed_index)
    shares: Sequence[Decimal | None] = [None] * len(published)
    if grant.price is not None:
        shares = amounts.shares(grant.price, [use.duration_ms for use in published])
    lines, before_ms = [], 0
    for use, share in zip(published, shares, strict=True):
        assert use.sealed_at is not None
        if use.sealed_at in period:
            lines.append(_line(grant, use, share))
        elif period.since is not None and use.sealed_at < period.since:
            before_ms += use.duration_ms
    beyond = overspent(grant, published)
    problems = (f"{beyond / 60_000:.2f} minutes more were used than it covers",) if beyond else ()
    return GrantAccount(
        grant=grant,
        lines=tuple(lines),
        drafts=_others(grant, uses, period, review=True),
        pending=_others(grant, uses, period, review=False),
        used_before_ms=before_ms,
        problems=problems,
    )


def _others(
    grant: GrantEntry, uses: Iterable[Use], period: Period, *, review: bool
) -> tuple[Line, ...]:
    """Return the uses nobody pays for: drafts, or receipts without a file."""
    chosen = [
        use
        for use in uses
        if use.state != "abandoned"
        and not use.counts
        and use.review is review
        and (use.sealed_at or use.made_at) in period
    ]
    return tuple(_line(grant, use, None) for use in sorted(chosen, key=lambda use: use.index))


def _line(grant: GrantEntry, use: Use, amount: Decimal | None) -> Line:
    return Line(use, amount, (*use.problems, *outside(grant, use)))


def _amounts(accounts: Iterable[GrantAccount]) -> dict[str, Decimal]:
    return amounts.totals(
        (account.grant.price.currency, account.amount)
        for account in accounts
        if account.grant.price is not None and account.amount is not None
    )
