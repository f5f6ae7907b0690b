"""The one decision, put on record: what covers the job, the minutes held, the signed yes."""

from __future__ import annotations

import dataclasses
import hashlib
import secrets

from consent.canonical import canonical
from consent.policy import Denied, Explanation
from consent.registry.grant import coverage, reservations
from consent.registry.grant.coverage import Cover
from consent.registry.job import authorizations
from consent.registry.job.records import START_WITHIN, Authorization, AuthorizationRequest, GrantUse
from consent.registry.storage import rows, timekeeping
from consent.registry.storage.core import Core
from consent.registry.storage.tables import AuthorizationRow


def authorize(core: Core, request: AuthorizationRequest) -> Authorization:
    """Decide on `request` and put the signed yes on record; see ``Registry.authorize``."""
    request.check()
    # One transaction: what the decision rests on cannot change before the minutes are held.
    with core.database.write(durable=False) as session:
        now = timekeeping.checked_now(core, session)
        covered = coverage.cover(core, session, request, now)
        if not covered.decision.allowed:
            raise Denied(covered.decision.reasons)
        authorization = Authorization(
            id=secrets.token_hex(16),
            request=request,
            issued_at=now,
            start_before=now + START_WITHIN,
            policy_decision=covered.decision.rules,
            policy_digest=core.policy.digest,
            registry_tag=core.tag,
            grants=tuple(_use(cover, request) for cover in covered.covers),
        )
        row = _row(core, authorization)
        rows.insert(session, row)
        for use in authorization.grants:
            if not use.review:
                reservations.hold(core, session, authorization.id, use)
        timekeeping.note(session, now)
    return dataclasses.replace(authorization, signature=row.signature)


def explain(core: Core, request: AuthorizationRequest) -> Explanation:
    """Say how every rule stands to `request`; nothing is authorized and nothing held."""
    request.check()
    with core.database.read() as session:
        now = timekeeping.checked_now(core, session)
        covered = coverage.cover(core, session, request, now)
        session.rollback()
    return core.policy.explain(request, covered.facts, surroundings=request.surroundings)


def _use(cover: Cover, request: AuthorizationRequest) -> GrantUse:
    if request.is_review:
        return GrantUse(cover.voice.voice, cover.grant.id, cover.grant.digest, 0, review=True)
    return reservations.reserve(cover.grant, cover.voice, cover.left_ms)


def _row(core: Core, authorization: Authorization) -> AuthorizationRow:
    payload = canonical(authorization.payload())
    row = AuthorizationRow(
        id=authorization.id,
        digest=hashlib.sha256(payload).hexdigest(),
        job_digest=authorization.request.job_digest,
        issued_at=authorization.issued_at,
        payload=payload.decode(),
        signature=core.key.sign(payload).hex(),
        state="issued",
        state_signature="",
    )
    authorizations.sign_state(core, row)
    return row
