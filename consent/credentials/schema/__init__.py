"""The published form of a grant: its JSON schema and its JSON-LD context.

Both are files of this package, named by URNs, so that reading a grant never needs a network.
``python -m consent.credentials.schema`` prints the schema as the model has it.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

SCHEMA_ID = "urn:vivavoce:schema:grant:v1"


def schema() -> dict[str, Any]:
    """Return the JSON schema (draft 2020-12) of a grant's payload."""
    return _read("grant-v1.schema.json")


def context() -> dict[str, Any]:
    """Return the JSON-LD context that ``urn:vivavoce:context:grant:v1`` names.

    Purposes and kinds of processing are terms of the Data Privacy Vocabulary
    (w3id.org/dpv) where it has them.
    """
    return _read("context-v1.jsonld")


def generate() -> dict[str, Any]:
    """Return the JSON schema as it follows from the model."""
    from consent.credentials.grant import Credential

    found = _plain(Credential.model_json_schema(by_alias=True, mode="serialization"))
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": "Voice grant, version 1",
    }
    return head | {name: value for name, value in found.items() if name != "title"}


def _plain(node: Any) -> Any:
    """Leave out what only Python needs: titles, defaults, and "or null" for absent members."""
    if isinstance(node, list):
        return [_plain(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = dict(node)
    if isinstance(node.get("properties"), dict):
        absent = {name for name, value in node["properties"].items() if _nullable(value)}
        node["required"] = [name for name in node.get("required", ()) if name not in absent]
        node["properties"] = {
            name: _plain(_without_null(value)) for name, value in node["properties"].items()
        }
    if isinstance(node.get("description"), str):
        node["description"] = node["description"].partition("\n")[0]
    return {
        name: value if name == "properties" else _plain(value)
        for name, value in node.items()
        if not (name == "title" and isinstance(value, str)) and name != "default"
    }


def _nullable(value: dict[str, Any]) -> bool:
    return {"type": "null"} in value.get("anyOf", ())


def _without_null(value: dict[str, Any]) -> dict[str, Any]:
    if not _nullable(value):
        return value
    others = [one for one in value["anyOf"] if one != {"type": "null"}]
    rest = {name: item for name, item in value.items() if name not in ("anyOf", "default")}
    return {**rest, **others[0]} if len(others) == 1 else {**rest, "anyOf": others}


def _read(name: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(files(__name__).joinpath(name).read_text("utf-8"))
    return data
