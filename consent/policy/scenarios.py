"""A grant, a job and what is known, written down by hand: for table tests and explanations.

What a scenario leaves out is as in the ordinary scenario (``policies/tests/ordinary.toml``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time
from typing import Any

import policies as shipped
from consent import toml
from consent.errors import InputError
from consent.policy.facts import GrantFacts, Surroundings
from consent.policy.questions import ACTIONS
from consent.registry.requests import AuthorizationRequest, ModelUse, VoiceUse

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


def ordinary() -> dict[str, Any]:
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
    _refuse_unknown(data, PARTS, where, "the scenario")
    given = data.get("given", {})
    if isinstance(given, str) and given not in (STOCK, NO_GRANT):
        raise InputError(
            f'{where}: given is {given[:80]!r}, expected the terms of a grant, "{STOCK}" or '
            f'"{NO_GRANT}"'
        )
    asked = _read(_JOB, base["asked"], data.get("asked", {}), f"{where}: asked")
    voice = _read(_VOICE, base["voice"], data.get("voice", {}), f"{where}: voice")
    model = _read(_MODEL, base["model"], data.get("model", {}), f"{where}: model")
    known = _read(_KNOWN, base["known"], data.get("known", {}), f"{where}: known")
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
        packs=_texts(data.get("packs", []), f"{where}: packs"),
    )


def _grant(base: Mapping[str, Any], changes: Mapping[str, Any], where: str) -> GrantFacts:
    terms = _read(_TERMS, base, changes, f"{where}: given")
    left = terms.pop("minutes_left")
    return GrantFacts(
        id=_GRANT,
        owner="the performer",
        registry_matches=terms.pop("this_registry"),
        left_ms=None if left is None else round(left * 60_000),
        **terms,
    )


Reader = Callable[[Any, str], Any]


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise InputError(f"{where} is {value!r}, expected text")
    return value


def _flag(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise InputError(f"{where} is {value!r}, expected true or false")
    return value


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{where} is {value!r}, expected a number")
    return float(value)


def _left(value: Any, where: str) -> float | None:
    return None if value == "any" else _number(value, where)


def _texts(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InputError(f"{where} is {value!r}, expected a list of texts")
    return tuple(value)


def _works(value: Any, where: str) -> tuple[tuple[str, str], ...]:
    """Read works; each a title, or a table of title and identifier."""
    found = []
    for item in value if isinstance(value, list) else [value]:
        table = {"title": item} if isinstance(item, str) else item
        if not isinstance(table, dict) or set(table) - {"title", "identifier"}:
            raise InputError(f"{where} holds {item!r}, expected a title, or title and identifier")
        found.append(
            (_text(table.get("title", ""), where), _text(table.get("identifier", ""), where))
        )
    return tuple(found)


def _moment(value: Any, where: str) -> datetime:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            value = None
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime.combine(value, time(), UTC)
    raise InputError(f"{where} is not a date, expected one such as 2026-11-22")


_JOB: Mapping[str, Reader] = {
    "title": _text,
    "author": _text,
    "identifier": _text,
    "purpose": _text,
    "languages": _texts,
    "territory": _text,
    "channel": _text,
    "commercial": _flag,
    "minutes": _number,
    "licensee": _text,
    "content": _texts,
    "requester": _text,
}
_VOICE: Mapping[str, Reader] = {
    "name": _text,
    "basis": _text,
    "licence": _text,
    "commercial": _flag,
    "minutes": _number,
    "registered": _flag,
}
_MODEL: Mapping[str, Reader] = {
    "model": _text,
    "engine": _text,
    "engine_version": _text,
    "licence": _text,
    "commercial": _text,
}
_KNOWN: Mapping[str, Reader] = {field.name: _flag for field in fields(Surroundings)}
_TERMS: Mapping[str, Reader] = {
    "status": _text,
    "status_since": _moment,
    "superseded_by": _text,
    "licensee": _text,
    "this_registry": _flag,
    "purposes": _texts,
    "works": _works,
    "exclusions": _texts,
    "languages": _texts,
    "territories": _texts,
    "channels": _texts,
    "valid_from": _moment,
    "valid_until": _moment,
    "minutes_left": _left,
    "commercial": _flag,
    "permissions": _texts,
    "basis": _text,
    "mandate_valid": _flag,
    "proof": _flag,
    "minor": _flag,
    "approval_required": _flag,
    "approved": _flag,
    "disclosure_audible": _flag,
    "evidence": _texts,
}


def _read(
    readers: Mapping[str, Reader], base: Mapping[str, Any], changes: Any, where: str
) -> dict[str, Any]:
    if not isinstance(changes, Mapping):
        raise InputError(f"{where} is {changes!r}, expected a table")
    _refuse_unknown(changes, readers, where, "it")
    return {
        name: readers[name](value, f"{where}.{name}") for name, value in {**base, **changes}.items()
    }


def _refuse_unknown(data: Mapping[str, Any], known: Any, where: str, what: str) -> None:
    for name in data:
        if name not in known:
            raise InputError(
                f"{where}: {what} has no {str(name)[:80]!r}", hint=f"Known: {', '.join(known)}."
            )
