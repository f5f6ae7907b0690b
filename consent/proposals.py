"""Documents for people to sign, filled in from what the registry knows.

A grant names keys, parties, the registry and a place in a status list; nobody should have to
look those up. What comes back waits for a signature: made here (:func:`sign_here`), or on
another machine from the file of :meth:`consent.credentials.jws.ToSign.to_file`. Either way the
signed document enters through :func:`accept`, which trusts nothing about where it came from.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from consent.credentials import grant as grants
from consent.credentials import statement as statements
from consent.credentials.jws import ToSign, stated_type
from consent.errors import InputError, RefusedError, VerificationError

if TYPE_CHECKING:
    from consent.credentials.statement import Statement
    from consent.registry import GrantRecord, Party, Registry

#: How old word of a grant's status may be, in seconds, if its terms do not say: a day, as
#: draft-howe-vcon-consent proposes for sensitive data.
STATUS_INTERVAL_S = 24 * 3600


def propose_grant(
    registry: Registry, *, voice: str, licensee: str, by: str | None = None, **terms: Any
) -> ToSign:
    """Return a grant that waits for the signature of the rights holder.

    Parameters
    ----------
    voice
        Qualified name of a registered voice.
    licensee
        Party id or handle of who may use it.
    by
        Party that signs for the rights holder, with a mandate; None is the rights holder.
    terms
        The other members of :class:`consent.credentials.grant.GrantTerms`; what belongs to
        parties and registry is filled in.

    Raises
    ------
    InputError
        The voice is not registered, or a term is missing or ill-formed.
    RefusedError
        A party or a mandate is missing, or the terms break a rule, which is named.
    """
    registered = registry.registered_voice(voice)
    if registered is None:
        raise InputError(
            f"the voice {voice!r} is not registered as anybody's",
            hint="Say whose it is first: vivavoce consent voice NAME --owner PARTY",
        )
    owner, user = registry.party(registered.owner), registry.party(licensee)
    issuer = owner if by is None else registry.party(by)
    values = dict(terms)
    values.setdefault("basis", _basis(registry, owner, issuer))
    values.setdefault("minor_until", registry.coming_of_age(owner.id))
    values.setdefault("status_interval_s", STATUS_INTERVAL_S)
    known = grants.GrantTerms(
        voice=registered.name,
        owner=owner.id,
        owner_name=owner.display_name,
        licensee=user.id,
        licensee_name=user.display_name,
        licensee_did=_did(user),
        registry_did=registry.did,
        **values,
    )
    return grants.draft_grant(
        known, issuer_did=_did(issuer), status=registry.new_status_entry(), now=registry.now()
    )


def propose_amendment(
    registry: Registry, grant_id: str, *, by: str | None = None, **changes: Any
) -> ToSign:
    """Return a grant that takes the place of another: amended, or renewed with later dates.

    Parameters
    ----------
    changes
        The members of :class:`consent.credentials.grant.GrantTerms` that become different.

    Raises
    ------
    RefusedError
        There is no such grant, or it cannot be read any more, or it is no longer in force as
        the start of another.
    """
    record = registry.grant(grant_id)
    if record.grant is None:
        raise RefusedError(
            f"the grant {grant_id} cannot be amended: {record.problem}",
            hint="Draft a new one: vivavoce consent grant",
        )
    if record.status not in ("active", "suspended"):
        raise RefusedError(
            f"the grant {grant_id} is {record.status}; it cannot be amended",
            hint="Draft a new one: vivavoce consent grant",
        )
    old = record.grant.terms
    kept = {name: getattr(old, name) for name in type(old).model_fields}
    for name in ("voice", "owner", "owner_name", "licensee", "licensee_name", "licensee_did",
                 "registry_did", "basis", "minor_until"):  # fmt: skip
        del kept[name]
    return propose_grant(
        registry,
        voice=old.voice,
        licensee=old.licensee,
        by=by,
        **(kept | {"supersedes": record.id} | changes),
    )


def propose_statement(
    registry: Registry,
    kind: str,
    *,
    by: str,
    subject: str,
    body: Mapping[str, Any],
    effective_at: datetime | None = None,
) -> ToSign:
    """Return a statement that waits for the signature of `by` (a party's id or handle).

    The other parameters and errors are those of
    :func:`consent.credentials.statement.draft_statement`.
    """
    return statements.draft_statement(
        kind,
        issuer_did=_did(registry.party(by)),
        subject=subject,
        body=body,
        now=registry.now(),
        effective_at=effective_at,
    )


def propose_approval(
    registry: Registry, outputs: Sequence[str], *, by: str | None = None, note: str = ""
) -> ToSign:
    """Return the performer's approval of a work, after hearing drafts of it.

    Parameters
    ----------
    outputs
        Output ids of the drafts they heard; all of one work.
    by
        Party that signs for the rights holder; None is the rights holder.

    Raises
    ------
    RefusedError
        An output is not on record or holds no person's voice, or they are of several works or
        several rights holders.
    """
    subject, grant = _draft_of(registry, outputs)
    heard = []
    for output in outputs:
        receipt = registry.receipt(output)
        assert receipt is not None  # _draft_of has looked
        leaf = json.loads(receipt.leaf_json)
        heard.append({"output_id": output, "pcm_sha256": leaf["source_pcm_sha256"]})
    return propose_statement(
        registry,
        "approval",
        by=by or grant.owner,
        subject=subject,
        body={"grant": grant.id, "outputs": heard, "note": note},
    )


def propose_retake(
    registry: Registry,
    outputs: Sequence[str],
    segments: Mapping[str, str],
    *,
    by: str | None = None,
    note: str = "",
) -> ToSign:
    """Return the performer's wish to have places of a work spoken again.

    Parameters
    ----------
    segments
        Segment id -> what is wrong with it.

    The other parameters and errors are those of :func:`propose_approval`.
    """
    subject, grant = _draft_of(registry, outputs)
    places = [{"segment": segment, "note": why} for segment, why in segments.items()]
    return propose_statement(
        registry,
        "retake",
        by=by or grant.owner,
        subject=subject,
        body={"grant": grant.id, "segments": places, "note": note},
    )


def _draft_of(registry: Registry, outputs: Sequence[str]) -> tuple[str, GrantRecord]:
    """Return which work the outputs are of, and the grant they rest on."""
    works: set[str] = set()
    grants_used: set[str] = set()
    for output in outputs:
        receipt = registry.receipt(output)
        if receipt is None or not receipt.authorization_id:
            raise RefusedError(
                f"the output {output[:64]!r} is not on record here",
                hint="Give the ids of drafts made here; `vivavoce verify FILE` shows them.",
            )
        authorization = registry.authorization(receipt.authorization_id)
        if authorization.digest != json.loads(receipt.leaf_json)["authorization"]:
            raise VerificationError(
                f"the receipt of the output {output} is of another authorization than the "
                "registry says: it was changed",
                hint="Look what else was: vivavoce audit check",
            )
        works.add(authorization.request.approval_digest)
        grants_used.update(opening.grant_id for opening in receipt.openings)
    if len(works) != 1:
        raise RefusedError(
            f"the outputs are of {len(works)} works",
            hint="Approve one work at a time.",
        )
    if len(grants_used) != 1:
        raise RefusedError(
            f"the outputs rest on {len(grants_used)} persons' grants",
            hint="Each performer approves the drafts that hold their voice alone; a work with "
            "several performers needs one draft for each.",
        )
    return works.pop(), registry.grant(grants_used.pop())


def sign_here(registry: Registry, waiting: ToSign, party: str) -> str:
    """Return the signed document, signed with the key of `party` that is held here.

    Raises
    ------
    RefusedError
        The key is held elsewhere.
    """
    key = registry.signing_key(party)
    if key is None:
        raise RefusedError(
            f"the key of {party} is not held here",
            hint="Write the document with --export-to-sign FILE, have it signed where the key "
            "is, and bring the signature back: vivavoce consent import FILE --signature FILE",
        )
    return waiting.sign(key)


def accept(registry: Registry, token: str) -> GrantRecord | Statement:
    """Take in a signed grant or statement; the registry checks everything about it.

    Raises
    ------
    VerificationError
        It is no signed document of a known kind.
    RefusedError
        Its signer may not say it.
    """
    if stated_type(token) == grants.TYP:
        return registry.import_grant(token)
    return registry.add_statement(token)


def _did(party: Party) -> str:
    if not party.did:
        raise RefusedError(
            f"{party.handle or party.id} has no key that is good now",
            hint="Give the party a key, or let somebody with a mandate sign.",
        )
    return party.did


def _basis(registry: Registry, owner: Party, issuer: Party) -> grants.Basis:
    if issuer.id == owner.id:
        return grants.Basis(kind="self")
    fault = "there is none"
    for mandate in registry.mandates(owner.id):
        if mandate.representative != issuer.id:
            continue
        reason = mandate.fault_at("grant", registry.now())
        if reason is None:
            return grants.Basis.model_validate(
                {"kind": mandate.kind, "mandate": mandate.id, "proof": mandate.proof}
            )
        fault = reason
    raise RefusedError(
        f"{issuer.handle or issuer.id} has no mandate to grant the voice of "
        f"{owner.handle or owner.id}: {fault}",
        hint="Record the mandate first: vivavoce party mandate",
    )
