"""Signing a finished file: the key stays in Python, the library gets signatures only."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import IO, Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from consent.errors import VerificationError, VivavoceError
from provenance.manifest.certificates import SigningIdentity
from provenance.manifest.settings import signing_settings
from provenance.manifest.timestamp import TimestampRelay


def sign(
    source: IO[bytes],
    destination: IO[bytes],
    *,
    mime: str,
    definition: Mapping[str, Any],
    identity: SigningIdentity,
    resources: Mapping[str, bytes] | None = None,
    timestamp_url: str | None = None,
) -> bytes:
    """Copy `source` to `destination` with a signed manifest inside, and check the result.

    Signing is the last thing done to a file: any change after it breaks the signature.

    Parameters
    ----------
    source
        The finished audio file, readable and seekable.
    destination
        An empty file, readable, writable, seekable, and not the source: signing in place
        would empty it.
    resources
        Identifier to bytes, for the thumbnail the definition names.
    timestamp_url
        An RFC 3161 server, or None for no time stamp.

    Returns
    -------
    bytes
        The manifest store as embedded.

    Raises
    ------
    VerificationError
        The library refused, or the signed file did not validate.
    VivavoceError
        The time stamp server did not answer properly.
    """
    import c2pa

    if source is destination:
        raise ValueError("the signed file cannot be written over its source")
    complaints: list[str] = []

    def callback(data: bytes) -> bytes:
        # Exceptions in here would only be logged by the library; keep them for the caller.
        try:
            r, s = decode_dss_signature(identity.key.sign(data, ec.ECDSA(hashes.SHA256())))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")
        except Exception as exc:
            complaints.append(f"signing failed: {exc}")
            raise

    source.seek(0)
    with TimestampRelay.maybe(timestamp_url) as relay:
        try:
            signer = c2pa.Signer.from_callback(
                callback,
                c2pa.C2paSigningAlg.ES256,
                identity.chain_pem,
                relay.url if relay is not None else None,
            )
            with (
                signer,
                c2pa.Context.from_dict(signing_settings()) as context,
                c2pa.Builder(json.dumps(definition), context=context) as builder,
            ):
                for name, data in (resources or {}).items():
                    builder.add_resource(name, io.BytesIO(data))
                return bytes(builder.sign(signer, mime, source, destination))
        except c2pa.C2paError as exc:
            if relay is not None and relay.problem:
                raise VivavoceError(
                    f"the time stamp server {timestamp_url} failed: {relay.problem}",
                    hint="Try again later, or remove seal.timestamp_url from config.toml.",
                ) from exc
            reason = complaints[0] if complaints else str(exc)
            raise VerificationError(
                f"the file could not be signed: {reason}",
                hint="Nothing was published. See 'vivavoce doctor' for keys and certificates.",
            ) from exc
