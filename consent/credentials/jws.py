"""Signed documents as compact JWS (RFC 7515) with Ed25519 (RFC 8037).

Deliberately a small part of JOSE: one algorithm, one place for the key (the ``did:key`` in the
header's ``kid``), four header members, and one spelling of every token. A JOSE library would
choose algorithm and key by what the header asks for; here the header may only agree.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from consent.canonical import canonical
from consent.credentials.strict_json import loads
from consent.errors import InputError, StorageError, VerificationError
from consent.files import read_limited, write_atomic
from consent.identity.did import did_from_public, public_from_did
from consent.keys import raw_public

MAX_TOKEN = 64 * 1024
#: A status list holds a bit for every grant.
MAX_LIST_TOKEN = 8 << 20
TO_SIGN_FORMAT = "vivavoce-to-sign/1"

#: ``EdDSA`` is what credentials carry today; RFC 9864 names the same thing ``Ed25519``.
ALGORITHMS = ("EdDSA", "Ed25519")

_HEADER_MEMBERS = {"alg", "typ", "kid", "cty"}
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*")
_SIGNATURE_BYTES = 64


@dataclass(frozen=True, slots=True)
class Opened:
    """A token whose signature holds.

    Attributes
    ----------
    payload
        The signed JSON object.
    did
        Whose key signed: the ``did:key``, equal to the payload's ``iss``.
    kid
        The key as the header names it: `did`, or `did` with its fragment.
    digest
        SHA-256 of the token's text, lower-case hex.
    """

    payload: dict[str, Any]
    did: str
    kid: str
    digest: str


@dataclass(frozen=True, slots=True)
class ToSign:
    """A document that waits for its signature, made here or on another machine.

    Attributes
    ----------
    typ
        Media type in the header (``"vc+jwt"``).
    payload
        What will be signed; ``iss`` is `did`.
    did
        Whose signature it needs.
    max_bytes
        How long the token may become.
    """

    typ: str
    payload: dict[str, Any]
    did: str
    max_bytes: int = MAX_TOKEN

    @property
    def signing_input(self) -> bytes:
        """The bytes to sign with Ed25519 as they are: header, dot and payload, base64url."""
        header = {"alg": "EdDSA", "kid": key_name(self.did), "typ": self.typ}
        if self.typ == "vc+jwt":
            header["cty"] = "vc"
        return f"{_encode(canonical(header))}.{_encode(canonical(self.payload))}".encode()

    def sign(self, key: Ed25519PrivateKey) -> str:
        """Return the token, signed with `key`.

        Raises
        ------
        InputError
            It is not the key the document names.
        """
        if did_from_public(raw_public(key)) != self.did:
            raise InputError(
                f"the document is to be signed by {self.did}, and this is another key",
                hint="Use the key of the party that issues the document.",
            )
        return self.attach(key.sign(self.signing_input))

    def attach(self, signature: bytes) -> str:
        """Return the token with a `signature` made elsewhere.

        Parameters
        ----------
        signature
            The 64 bytes of an Ed25519 signature of :attr:`signing_input`, or their hex or
            base64 text.

        Raises
        ------
        VerificationError
            It is not a signature of this document by this key.
        """
        raw = read_signature(signature)
        token = f"{self.signing_input.decode()}.{_encode(raw)}"
        open_compact(token, typ=self.typ, max_bytes=self.max_bytes)
        return token

    def to_file(self, path: Path) -> None:
        """Write the document for whoever signs it elsewhere; no secret is in the file.

        Raises
        ------
        StorageError
            The file cannot be written.
        """
        from consent.credentials.summary import summary

        content = {
            "format": TO_SIGN_FORMAT,
            "summary": summary(self.payload),
            "how": "Sign the bytes of signing_input, ASCII and without a line end, with Ed25519 "
            "and the key of signer: 64 bytes, or their hex or base64.",
            "signer": self.did,
            "typ": self.typ,
            "payload": self.payload,
            "signing_input": self.signing_input.decode("ascii"),
        }
        text = json.dumps(content, ensure_ascii=False, indent=2) + "\n"
        write_atomic(path, text.encode(), mode=0o600)

    @classmethod
    def from_file(cls, path: Path) -> ToSign:
        """Read what :meth:`to_file` wrote.

        The summary in the file is for readers and is not believed: whoever signs with this
        program is shown one made from the payload.

        Raises
        ------
        StorageError
            The file cannot be read.
        VerificationError
            It is no such file, or what is to be signed is not what it shows.
        """
        try:
            content = loads(read_limited(path), str(path))
            typ, payload, did = content.get("typ"), content.get("payload"), content.get("signer")
            if content.get("format") != TO_SIGN_FORMAT:
                raise InputError(f"{path} is not a document to be signed ({TO_SIGN_FORMAT})")
            if not (isinstance(typ, str) and isinstance(payload, dict) and isinstance(did, str)):
                raise InputError(f"{path} lacks typ, payload or signer")
            public_from_did(did)
            waiting = cls(typ, payload, did, max_bytes=MAX_LIST_TOKEN)
            if content.get("signing_input") != waiting.signing_input.decode("ascii"):
                raise InputError(f"{path}: signing_input is not the payload that it shows")
            if payload.get("iss") != did:
                raise InputError(f"{path}: the signer is not the issuer of the document")
        except OSError as exc:
            raise StorageError(f"cannot read {path}: {exc.strerror or exc}") from exc
        except InputError as exc:
            raise VerificationError(
                exc.message, hint="Write the file again with --export-to-sign."
            ) from exc
        return waiting


def sign_compact(payload: dict[str, Any], *, typ: str, key: Ed25519PrivateKey, did: str) -> str:
    """Return `payload` as a token signed with `key`.

    Parameters
    ----------
    payload
        JSON values; ``iss`` must be `did`.
    typ
        Media type for the header.
    did
        The ``did:key`` of `key`.

    Raises
    ------
    InputError
        `key` is not the key of `did`, or the payload is not JSON.
    """
    return ToSign(typ, payload, did).sign(key)


def open_compact(token: str, *, typ: str, max_bytes: int = MAX_TOKEN) -> Opened:
    """Check a token and return what it says and who signed it.

    Whether that key was entitled to sign, and when, is the registry's to know.

    Parameters
    ----------
    token
        Header, payload and signature in base64url, joined by dots; nothing before or after.
    typ
        The media type the token must have.
    max_bytes
        Longer tokens are refused unread.

    Raises
    ------
    VerificationError
        It is malformed, of another kind, spelt in an unusual way, or not signed by the key it
        names.
    """
    if len(token) > max_bytes:
        raise VerificationError(
            f"the token has {len(token):,} characters; {max_bytes:,} is the most"
        )
    parts = token.split(".")
    if len(parts) != 3:
        raise VerificationError(
            f"the token has {len(parts)} parts, not header.payload.signature",
            hint="Give the whole text of the signed document, on one line.",
        )
    header = _object(parts[0], "the token's header")
    kid = _check_header(header, typ)
    did = _check_kid(kid)
    signature = _decode(parts[2], "the token's signature")
    _check_signature(did, signature, f"{parts[0]}.{parts[1]}".encode())
    payload = _object(parts[1], "the token's payload")
    if payload.get("iss") != did:
        raise VerificationError(
            f"the token says it is from {str(payload.get('iss'))[:80]!r}, and {did} signed it"
        )
    return Opened(payload, did, kid, hashlib.sha256(token.encode("ascii")).hexdigest())


def stated_type(token: str) -> str:
    """Return the media type a token's header states, checked by nobody: for choosing a reader.

    Raises
    ------
    VerificationError
        It is no token at all.
    """
    if len(token) > MAX_TOKEN or token.count(".") != 2:
        raise VerificationError(
            "this is not a signed document (header.payload.signature)",
            hint="Give the file as it was exported, or a document with its --signature.",
        )
    return str(_object(token.partition(".")[0], "the token's header").get("typ"))


def read_signature(data: bytes) -> bytes:
    """Return the 64 bytes of a signature given as they are, as hex or as base64 text.

    Raises
    ------
    VerificationError
        It is none of these.
    """
    if len(data) == _SIGNATURE_BYTES:
        return data
    try:
        text = data.decode("ascii").strip()
        if len(text) == 2 * _SIGNATURE_BYTES:
            return bytes.fromhex(text)
        standard = text.rstrip("=").replace("+", "-").replace("/", "_")
        raw = _decode(standard, "the signature")
    except (UnicodeDecodeError, ValueError, VerificationError) as exc:
        raise VerificationError(
            "the signature is neither 64 bytes nor their hex or base64 text",
            hint="Sign the bytes of signing_input with Ed25519 and give the signature alone.",
        ) from exc
    if len(raw) != _SIGNATURE_BYTES:
        raise VerificationError(f"an Ed25519 signature has 64 bytes, not {len(raw)}")
    return raw


def key_name(did: str) -> str:
    """Return the DID URL of the one key a ``did:key`` holds, as credentials name it."""
    return f"{did}#{did.removeprefix('did:key:')}"


def _object(part: str, what: str) -> dict[str, Any]:
    try:
        return loads(_decode(part, what), what)
    except InputError as exc:
        raise VerificationError(exc.message) from exc


def _check_header(header: dict[str, Any], typ: str) -> str:
    if header.get("alg") not in ALGORITHMS:
        raise VerificationError(
            f"the token is signed with {str(header.get('alg'))[:40]!r}; only EdDSA "
            "(Ed25519) is accepted"
        )
    unknown = header.keys() - _HEADER_MEMBERS
    if unknown:
        raise VerificationError(
            f"the token's header holds {', '.join(sorted(name[:40] for name in unknown))}, "
            "which has no place here"
        )
    if header.get("typ") != typ:
        raise VerificationError(
            f"the token is of type {str(header.get('typ'))[:80]!r}, expected {typ!r}",
            hint="Check that this is the right document.",
        )
    if "cty" in header and (typ != "vc+jwt" or header["cty"] != "vc"):
        raise VerificationError(f"the token holds {str(header['cty'])[:80]!r}, not a credential")
    kid = header.get("kid")
    if not isinstance(kid, str):
        raise VerificationError("the token's header names no key (kid)")
    return kid


def _check_kid(kid: str) -> str:
    did = kid.partition("#")[0]
    if kid not in (did, key_name(did)):
        raise VerificationError(f"the token names the key {kid[:120]!r}, which {did[:80]} has not")
    try:
        public_from_did(did)
    except InputError as exc:
        raise VerificationError(f"the key of the token cannot be used: {exc.message}") from exc
    return did


def _check_signature(did: str, signature: bytes, signed: bytes) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(public_from_did(did)).verify(signature, signed)
    except (InvalidSignature, ValueError) as exc:
        raise VerificationError(
            f"the signature is not one of {did} over this text",
            hint="The document was changed or cut, or signed with another key; get it again.",
        ) from exc


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _decode(text: str, what: str) -> bytes:
    """Decode base64url in its one right spelling: no padding, no bits left over."""
    if not _BASE64URL.fullmatch(text):
        raise VerificationError(f"{what} is not base64url text")
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError) as exc:
        raise VerificationError(f"{what} is not base64url text") from exc
    if _encode(data) != text:
        raise VerificationError(f"{what} is spelt in an unusual way")
    return data
