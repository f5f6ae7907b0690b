"""A grant, a job and what is known, written down by hand: for table tests and explanations.

What a scenario leaves out is as in the ordinary scenario (``policies/tests/ordinary.toml``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

import policies as shipped
from consent import toml
from consent.errors import InputError
from consent.policy.facts import GrantFacts, Surroundings
from consent.policy.questions import ACTIONS
from consent.policy.reading import (
    Reader,
    flag,
    moment,
    number,
    read,
    refuse_unknown,
    text,
    texts,
)
from consent.registry.job.requests import AuthorizationRequest, ModelUse, VoiceUse

#: Ways to say that the voice has no grant to judge.
STOCK, NO_GRANT = "a stock voice", "no grant"
PARTS = ("given", "asked", "voice", "model", "known", "action", "packs")

_ORDINARY = "ordinary.toml"
_DIGEST = "0" * 64
_GRANT = "urn:uuid:00000000-0000-4000-8000-000000000000"


@dataclass(frozen=True, slots=True)
class Scenario:
    """What :meth:`consent.policy.PolicyEngine.decide` is asked with.

    Attributes
    ----------
    packs
        Packs to switch on for it.
    """

    request: AuthorizationRequest
    grants: Mapping[str, GrantFacts | None]
    surroundings: Surroundings
    action: str
    packs: tuple[str, ...]


@cache
def ordinary() -> Mapping[str, Any]:
    """Return the scenario that others differ from: everything in order, and allowed."""
    return toml.parse(shipped.tables()[_ORDINARY], _ORDINARY)


def read_scenario(data: Mapping[str, Any], where: str) -> Scenario:
    """Read a scenario; what it does not say is as in the ordinary one.

    Parameters
    ----------
    data
        ``given`` (a table of the grant's terms, ``"a stock voice"`` or ``"no grant"``),
        ``asked`` (the job), ``voice``, ``model``, ``known`` (what goes with the sound),
        ``action``, ``packs``.
    where
        What to call it in errors.

    Raises
    ------
    InputError
        A part or a field is unknown or not of its kind.
    """
    base = ordinary()
    refuse_unknown(data, PARTS, where, "the scenario")
    given = data.get("given", {})
    if isinstance(given, str) and given not in (STOCK, NO_GRANT):
        raise InputError(
            f'{where}: given is {given[:80]!r}, expected the terms of a grant, "{STOCK}" or '
            f'"{NO_GRANT}"'
        )
    asked = read(_JOB, base["asked"], data.get("asked", {}), f"{where}: asked")
    voice = read(_VOICE, base["voice"], data.get("voice", {}), f"{where}: voice")
    model = read(_MODEL, base["model"], data.get("model", {}), f"{where}: model")
    known = read(_KNOWN, base["known"], data.get("known", {}), f"{where}: known")
    if given == STOCK and "basis" not in data.get("voice", {}):
        voice["basis"] = "stock"
    name = voice.pop("name")
    minutes = voice.pop("minutes", asked["minutes"])
    registered = voice.pop("registered", given != STOCK)
    grants: dict[str, GrantFacts | None] = {}
    if registered or isinstance(given, Mapping):
        terms = given if isinstance(given, Mapping) else None
        grants[name] = None if terms is None else _grant(base["given"], terms, where)
    title, author, identifier = (asked.pop(key) for key in ("title", "author", "identifier"))
    request = AuthorizationRequest(
        work_title=title,
        work_author=author,
        work_identifier=identifier,
        job_digest=_DIGEST,
        voices=(VoiceUse(voice=name, minutes=minutes, **voice),),
        models=(ModelUse(sha256="", **model),),
        **asked,
    )
    action = data.get("action", "speak")
    if action not in ACTIONS:
        raise InputError(
            f"{where}: action is {str(action)[:80]!r}", hint=f"One of: {', '.join(ACTIONS)}."
        )
    return Scenario(
        request=request,
        grants=grants,
        surroundings=Surroundings(**known),
        action=action,
        packs=texts(data.get("packs", []), f"{where}: packs"),
    )


def _grant(base: Mapping[str, Any], changes: Mapping[str, Any], where: str) -> GrantFacts:
    terms = read(_TERMS, base, changes, f"{where}: given")
    left = terms.pop("minutes_left")
    return GrantFacts(
        id=_GRANT,
        owner="the performer",
        registry_matches=terms.pop("this_registry"),
        left_ms=None if left is None else round(left * 60_000),
        **terms,
    )


def _left(value: Any, where: str) -> float | None:
    return None if value == "any" else number(value, where)


def _works(value: Any, where: str) -> tuple[tuple[str, str], ...]:
    """Read works; each a title, or a table of title and identifier."""
    found = []
    for item in value if isinstance(value, list) else [value]:
        table = {"title": item} if isinstance(item, str) else item
        if not isinstance(table, dict) or set(table) - {"title", "identifier"}:
            raise InputError(f"{where} holds {item!r}, expected a title, or title and identifier")
        found.append(
            (text(table.get("title", ""), where), text(table.get("identifier", ""), where))
        )
    return tuple(found)


_JOB: Mapping[str, Reader] = {
    "title": text,
    "author": text,
    "identifier": text,
    "purpose": text,
    "languages": texts,
    "territory": text,
    "channel": text,
    "commercial": flag,
    "minutes": number,
    "licensee": text,
    "content": texts,
    "requester": text,
}
_VOICE: Mapping[str, Reader] = {
    "name": text,
    "basis": text,
    "licence": text,
    "commercial": flag,
    "minutes": number,
    "registered": flag,
}
_MODEL: Mapping[str, Reader] = {
    "model": text,
    "engine": text,
    "engine_version": text,
    "licence": text,
    "commercial": text,
}
_KNOWN: Mapping[str, Reader] = {field.name: flag for field in fields(Surroundings)}
_TERMS: Mapping[str, Reader] = {
    "status": text,
    "status_since": moment,
    "superseded_by": text,
    "licensee": text,
    "this_registry": flag,
    "purposes": texts,
    "works": _works,
    "exclusions": texts,
    "languages": texts,
    "territories": texts,
    "channels": texts,
    "valid_from": moment,
    "valid_until": moment,
    "minutes_left": _left,
    "commercial": flag,
    "permissions": texts,
    "basis": text,
    "mandate_valid": flag,
    "proof": flag,
    "minor": flag,
    "approval_required": flag,
    "approved": flag,
    "disclosure_audible": flag,
    "evidence": texts,
}
