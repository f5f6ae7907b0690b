"""Which grants cover a job: candidates, the question to the policies, the choice.

A voice that is on record as a person's speaks by that person's grant or not at all. Candidates
are the grants of that voice for that licensee; the newest that the policies allow is taken. If
none is allowed, the reasons are those of the grant that came closest.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, bindparam, select
from sqlmodel import Session, col

from consent.errors import RefusedError
from consent.policy import Decision, GrantFacts
from consent.registry.grant import grant_rows, reservations
from consent.registry.grant.facts import facts
from consent.registry.job.requests import AuthorizationRequest, VoiceUse
from consent.registry.party import voices
from consent.registry.storage.core import Core
from consent.registry.storage.tables import (
    GrantRow,
    PartyKeyRow,
    PersonKeyRow,
    StatusListRow,
    Table,
    VoiceRow,
)

# A grant, and rows that are only held: the session forgets what nobody holds.
_Found = tuple[GrantRow, *tuple[Table | None, ...]]

#: How many grants that have ended are looked at for the reasons of a refusal.
_ENDED = 20


@dataclass(frozen=True)
class Cover:
    """A grant that lets a voice speak.

    Attributes
    ----------
    left_ms
        What can be reserved of it, in milliseconds; None without a limit.
    """

    voice: VoiceUse
    grant: GrantRow
    left_ms: int | None


@dataclass(frozen=True)
class Coverage:
    """The answer to a request.

    Attributes
    ----------
    decision
        Of all voices and models together.
    covers
        One for each person's voice; of use only if allowed.
    facts
        What the policies were told, by name of the voice; None where there is no grant.
    """

    decision: Decision
    covers: tuple[Cover, ...]
    facts: dict[str, GrantFacts | None]


def cover(core: Core, session: Session, request: AuthorizationRequest, now: datetime) -> Coverage:
    """Ask the policies about every voice and model of a request.

    Raises
    ------
    RefusedError
        A grant that was asked for by its id is not on record, or is another voice's.
    VerificationError
        A voice, grant, key or statement was changed in the registry.
    """
    decisions: list[Decision] = []
    covers: list[Cover] = []
    told: dict[str, GrantFacts | None] = {}
    for voice in request.voices:
        # Held until this voice is decided: what the session remembers is not asked for again.
        first = _next(session, _IN_FORCE, request, voice, now) if voice.basis == "grant" else None
        registered = voices.is_registered(core, session, voice.voice)
        if registered and voice.basis == "grant":
            decision, chosen, found = _choose(core, session, request, voice, now, first)
            if chosen is not None:
                covers.append(chosen)
        else:
            decision, found = _ask(core, request, voice, None, registered=registered), None
        if registered:
            told[voice.voice] = found
        decisions.append(decision)
    decisions.append(
        core.policy.decide(
            dataclasses.replace(request, voices=()), surroundings=request.surroundings
        )
    )
    return Coverage(Decision.of(decisions), tuple(covers), told)


def _choose(
    core: Core,
    session: Session,
    request: AuthorizationRequest,
    voice: VoiceUse,
    now: datetime,
    first: _Found | None,
) -> tuple[Decision, Cover | None, GrantFacts | None]:
    best: tuple[Decision, GrantFacts] | None = None
    for row in _candidates(core, session, request, voice, now, first):
        try:
            record = grant_rows.load(core, session, row)
        except RefusedError:
            continue  # the rights holder was erased, and the grant with them
        left = reservations.left_ms(core, session, row, now)
        found = facts(
            core, session, record, now, left_ms=left, approval_digest=request.approval_digest
        )
        decision = _ask(core, request, voice, found, registered=True)
        if decision.allowed:
            return decision, Cover(voice, row, left), found
        if best is None or len(decision.reasons) < len(best[0].reasons):
            best = decision, found
    if best is not None:
        return best[0], None, best[1]
    return _ask(core, request, voice, None, registered=True), None, None


def _candidates(
    core: Core,
    session: Session,
    request: AuthorizationRequest,
    voice: VoiceUse,
    now: datetime,
    first: _Found | None,
) -> Iterator[GrantRow]:
    """Yield the grants that may cover `voice`: those in force first, the newest first."""
    if voice.grant:
        row = grant_rows.fetch(core, session, voice.grant)
        if row.voice != voice.voice:
            raise RefusedError(
                f"the grant {row.id} is for the voice {row.voice}, not for {voice.voice}",
                hint="Ask for a grant of this voice, or leave the grant out.",
            )
        yield row
        return
    seen: set[str] = set()
    found = first
    while found is not None:
        seen.add(found[0].id)
        yield found[0]
        found = _next(session, _IN_FORCE, request, voice, now, found[0])
    found = _next(session, _ANY, request, voice, now)
    for _ in range(_ENDED + len(seen)):
        if found is None:
            return
        if found[0].id not in seen:
            yield found[0]
        found = _next(session, _ANY, request, voice, now, found[0])


# Built once, for this is asked at every authorization. What is asked of a grant next comes
# along: the session remembers it for as long as somebody holds it.
_ANY = (
    select(GrantRow, VoiceRow, PersonKeyRow, PartyKeyRow, StatusListRow)
    .join(VoiceRow, col(VoiceRow.name) == GrantRow.voice, isouter=True)
    .join(PersonKeyRow, col(PersonKeyRow.party_id) == GrantRow.owner, isouter=True)
    .join(
        PartyKeyRow,
        and_(col(PartyKeyRow.party_id) == GrantRow.owner, col(PartyKeyRow.state) == "active"),
        isouter=True,
    )
    .join(StatusListRow, col(StatusListRow.list_id) == GrantRow.status_list, isouter=True)
    .where(
        col(GrantRow.voice) == bindparam("voice"),
        col(GrantRow.licensee) == bindparam("licensee"),
        col(GrantRow.leaf_index) < bindparam("before"),
    )
    .order_by(col(GrantRow.leaf_index).desc())
    .limit(1)
)
_IN_FORCE = _ANY.where(
    col(GrantRow.status) == "active",
    col(GrantRow.valid_from) <= bindparam("now"),
    col(GrantRow.valid_until) > bindparam("now"),
)
_NEWEST = 2**62


def _next(
    session: Session,
    query: Any,
    request: AuthorizationRequest,
    voice: VoiceUse,
    now: datetime,
    after: GrantRow | None = None,
) -> _Found | None:
    """Return the newest candidate older than `after`, with what is asked of it next."""
    before = _NEWEST if after is None else after.leaf_index
    values: dict[str, Any] = {"voice": voice.voice, "licensee": request.licensee, "before": before}
    if query is _IN_FORCE:
        values["now"] = now
    found = session.execute(query, values).first()
    return None if found is None else (found[0], *found[1:])


def _ask(
    core: Core,
    request: AuthorizationRequest,
    voice: VoiceUse,
    found: GrantFacts | None,
    *,
    registered: bool,
) -> Decision:
    return core.policy.decide_voice(
        request, voice, found, registered=registered, surroundings=request.surroundings
    )
