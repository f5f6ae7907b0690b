"""Keys, terms and forgeries for the tests of credentials."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent.credentials.grant import (
    Basis,
    Compensation,
    Disclosure,
    GrantTerms,
    StatusEntry,
    Work,
    draft_grant,
)
from consent.identity import did_from_public
from consent.keys import raw_public

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ANNA = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)
STUDIO = Ed25519PrivateKey.from_private_bytes(b"\x02" * 32)
REGISTRY = Ed25519PrivateKey.from_private_bytes(b"\x03" * 32)
ANNA_ID = "p" + "a" * 16
STUDIO_ID = "p" + "b" * 16
MANDATE = "urn:uuid:0f3b7a52-1111-4111-8111-000000000001"
ENTRY = StatusEntry("urn:uuid:0f3b7a52-2222-4222-8222-000000000002", 94567)


def did_of(key: Ed25519PrivateKey) -> str:
    return did_from_public(raw_public(key))


def terms(**changes: Any) -> GrantTerms:
    """Anna lets a studio use her voice for a year, with `changes`."""
    fields: dict[str, Any] = {
        "voice": "coqui:anna",
        "owner": ANNA_ID,
        "licensee": STUDIO_ID,
        "licensee_did": did_of(STUDIO),
        "registry_did": did_of(REGISTRY),
        "purposes": ("audiobook",),
        "works": (Work(title="Love Among the Chickens", identifier="urn:isbn:9780141439518"),),
        "exclusions": ("sexual", "political"),
        "languages": ("en",),
        "territories": ("world",),
        "valid_from": NOW,
        "valid_until": NOW + timedelta(days=365),
        "minutes": 600,
        "commercial": True,
        "permissions": ("synthesis",),
        "performer_approval": True,
        "disclosure": Disclosure(text="This voice was made by a computer.", audible=True),
        "compensation": Compensation(currency="EUR", rate="2.50", unit="finished-minute"),
        "basis": Basis(kind="self"),
        "status_interval_s": 86_400,
        "credit": "Anna Meyer (voice replica)",
    }
    return GrantTerms(**(fields | changes))


def payload(**changes: Any) -> dict[str, Any]:
    """The payload of a good grant, with members replaced or (None) left out."""
    waiting = draft_grant(terms(), issuer_did=did_of(ANNA), status=ENTRY, now=NOW)
    members = waiting.payload | changes
    return {name: value for name, value in members.items() if value is not None}


def grant_token(key: Ed25519PrivateKey = ANNA, **changes: Any) -> str:
    return draft_grant(terms(**changes), issuer_did=did_of(key), status=ENTRY, now=NOW).sign(key)


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def forged(
    members: dict[str, Any] | bytes | None = None,
    *,
    header: dict[str, Any] | bytes | None = None,
    key: Ed25519PrivateKey = ANNA,
    **extra: Any,
) -> str:
    """A token really signed by `key`, whatever its header and payload say."""
    if header is None:
        did = did_of(key)
        header = {"alg": "EdDSA", "typ": "vc+jwt", "cty": "vc", "kid": f"{did}#{did[8:]}"} | extra
    parts = [
        item if isinstance(item, bytes) else json.dumps(item).encode()
        for item in (header, payload() if members is None else members)
    ]
    text = ".".join(encode(part) for part in parts)
    return f"{text}.{encode(key.sign(text.encode()))}"
