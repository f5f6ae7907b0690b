"""Documents that a registry signs: JSON with a ``format`` and, last, a ``signature``.

The signature is Ed25519 over the format's name, a newline and the rest of the document in
canonical JSON (RFC 8785). The name in front keeps a signature from being used for anything else.
"""

from __future__ import annotations

import json
import re
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from consent.canonical import canonical
from consent.credentials.strict_json import loads
from consent.errors import InputError, VerificationError
from consent.identity.did import did_from_public, public_from_did
from consent.keys import raw_public

_SIGNATURE = re.compile(r"[0-9a-f]{128}")


def read_json(data: bytes, *, max_bytes: int, what: str) -> dict[str, Any]:
    """Read a JSON object from a stranger: bounded, and in one way only.

    Raises
    ------
    VerificationError
        It is too large, or none that could be checked; the message says why.
    """
    if len(data) > max_bytes:
        raise VerificationError(f"{what} has {len(data):,} bytes; {max_bytes:,} is the most")
    try:
        return loads(data, what)
    except InputError as exc:
        raise VerificationError(exc.message) from exc


def sign_document(body: dict[str, Any], key: Ed25519PrivateKey) -> dict[str, Any]:
    """Return `body`, which names its ``format``, with the signature of `key`."""
    did = did_from_public(raw_public(key))
    return {**body, "signature": {"did": did, "value": key.sign(_signed(body)).hex()}}


def check_document(document: dict[str, Any], formats: tuple[str, ...]) -> str:
    """Check a document's signature with the key it names, and return that key's DID.

    That the key is somebody's is for the caller to know.

    Raises
    ------
    VerificationError
        It has another format, no signature or a wrong one.
    """
    if document.get("format") not in formats:
        raise VerificationError(
            f"the document has the format {str(document.get('format'))[:80]!r}, "
            f"expected {' or '.join(formats)}"
        )
    signature = document.get("signature")
    if not isinstance(signature, dict) or set(signature) != {"did", "value"}:
        raise VerificationError("the document has no signature")
    did, value = signature["did"], signature["value"]
    if not (isinstance(did, str) and isinstance(value, str) and _SIGNATURE.fullmatch(value)):
        raise VerificationError("the signature of the document is malformed")
    body = {name: item for name, item in document.items() if name != "signature"}
    try:
        public = Ed25519PublicKey.from_public_bytes(public_from_did(did))
        public.verify(bytes.fromhex(value), _signed(body))
    except (InvalidSignature, ValueError, InputError) as exc:
        raise VerificationError(
            "the signature of the document does not fit it",
            hint="It was changed after it was signed, or cut short on its way. Ask for it again.",
        ) from exc
    return did


def write_json(document: dict[str, Any]) -> bytes:
    """Return a document as it is written to a file: readable, any order, UTF-8."""
    return (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode()


def _signed(body: dict[str, Any]) -> bytes:
    return str(body["format"]).encode() + b"\n" + canonical(body)
