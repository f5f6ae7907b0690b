"""A job written down as JSON: the fields of an authorization request, as records hold them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from consent.errors import InputError
from consent.files import read_limited
from consent.policy.facts import Surroundings
from consent.policy.reading import Reader, flag, number, read, text, texts
from consent.registry.job.requests import AuthorizationRequest, ModelUse, VoiceUse

_MAX_BYTES = 1 << 20
_DIGEST = "0" * 64


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file.

    Raises
    ------
    InputError
        It cannot be read or is no JSON object.
    """
    try:
        data = json.loads(read_limited(path, _MAX_BYTES))
    except OSError as exc:
        raise InputError(f"cannot read {path}: {exc.strerror or exc}") from exc
    except (ValueError, RecursionError) as exc:
        raise InputError(f"{path} is not JSON: {exc}") from exc
    if not isinstance(data, dict):
        raise InputError(f"{path} is JSON, but no object with the fields of a job")
    return data


def read_request(data: Mapping[str, Any], where: str) -> AuthorizationRequest:
    """Read a request; only voices, models, purpose, languages and minutes must be there.

    Raises
    ------
    InputError
        A field is missing, unknown or not of its kind.
    """
    found = read(_REQUEST, _DEFAULTS, data, where)
    missing = [name for name in _REQUEST if name not in found]
    if missing:
        raise InputError(f"{where}: {', '.join(missing)} is not stated")
    return AuthorizationRequest(**found)


def _uses(value: Any, where: str, readers: Mapping[str, Reader], base: Mapping[str, Any]) -> Any:
    if not isinstance(value, list):
        raise InputError(f"{where} is {value!r}, expected a list of tables")
    found = []
    for number_, item in enumerate(value, 1):
        one = read(readers, base, item, f"{where}, {number_}")
        missing = [name for name in readers if name not in one]
        if missing:
            raise InputError(f"{where}, {number_}: {', '.join(missing)} is not stated")
        found.append(one)
    return found


def _voices(value: Any, where: str) -> tuple[VoiceUse, ...]:
    return tuple(VoiceUse(**one) for one in _uses(value, where, _VOICE, {"grant": ""}))


def _models(value: Any, where: str) -> tuple[ModelUse, ...]:
    return tuple(ModelUse(**one) for one in _uses(value, where, _MODEL, {"sha256": ""}))


def _surroundings(value: Any, where: str) -> Surroundings:
    return Surroundings(**read({f.name: flag for f in fields(Surroundings)}, {}, value, where))


_VOICE: Mapping[str, Reader] = {
    "voice": text,
    "basis": text,
    "licence": text,
    "commercial": flag,
    "minutes": number,
    "grant": text,
}
_MODEL: Mapping[str, Reader] = {
    "model": text,
    "engine": text,
    "engine_version": text,
    "sha256": text,
    "licence": text,
    "commercial": text,
}
_REQUEST: Mapping[str, Reader] = {
    "work_title": text,
    "work_author": text,
    "work_identifier": text,
    "purpose": text,
    "job_digest": text,
    "script_digest": text,
    "languages": texts,
    "territory": text,
    "channel": text,
    "commercial": flag,
    "minutes": number,
    "voices": _voices,
    "models": _models,
    "requester": text,
    "licensee": text,
    "content": texts,
    "surroundings": _surroundings,
}
_DEFAULTS: Mapping[str, Any] = {
    "work_title": "",
    "work_author": "",
    "work_identifier": "",
    "job_digest": _DIGEST,
    "script_digest": "",
    "territory": "world",
    "channel": "private",
    "commercial": False,
    "requester": "",
    "licensee": "",
    "content": [],
    "surroundings": {},
}
