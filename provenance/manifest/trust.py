"""Whose signatures this home believes: its own, and those somebody added.

A bundle is a TOML (or JSON) file with public certificates and log keys::

    format = "vivavoce-trust-1"
    name = "our-studio"
    [[anchor]]
    pem = "-----BEGIN CERTIFICATE----- ..."
    [[log]]
    vkey = "vivavoce.example/ab12+1a2b3c4d+AZ..."
    [[timestamp]]
    pem = "-----BEGIN CERTIFICATE----- ..."

One file of the home's ``trust`` folder holds each bundle that was added. Every bundle is given a
trust URI of its own: the library reports a signer as trusted whichever list its anchor came from,
time stamp lists included, and only the URI tells them apart.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509

from consent.errors import InputError, VerificationError
from consent.files import read_limited, storage_error, write_atomic
from consent.home import Home
from consent.log.note import Verifier
from provenance.manifest import certificates

FORMAT = "vivavoce-trust-1"
OWN = "own"
LIMIT = 1 << 20
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


@dataclass(frozen=True, slots=True)
class TrustEntry:
    """One signer this home believes.

    Attributes
    ----------
    name
        ``"own"`` for this home itself.
    subject, fingerprint, not_after
        Of the first anchor: common name, SHA-256 in hex, last day (ISO date).
    anchors, timestamp_anchors
        Certificates in PEM.
    logs
        Verifier keys of transparency logs.
    """

    name: str
    subject: str
    fingerprint: str
    not_after: str
    anchors: tuple[str, ...]
    logs: tuple[str, ...] = ()
    timestamp_anchors: tuple[str, ...] = ()

    @property
    def uri(self) -> str:
        """The trust URI under which the library reports this entry's anchors."""
        return f"urn:vivavoce:trust:{self.name}"

    def to_json(self) -> dict[str, Any]:
        """Return the entry as JSON values."""
        return {
            "name": self.name,
            "subject": self.subject,
            "fingerprint": self.fingerprint,
            "not_after": self.not_after,
            "anchors": len(self.anchors),
            "logs": list(self.logs),
            "timestamp_anchors": len(self.timestamp_anchors),
        }


def own_log_vkeys(home: Home) -> tuple[str, ...]:
    """Return the verifier key of this home's own log; none if it has no log yet."""
    if not (home.log / "checkpoint").exists():
        return ()
    from consent.registry import Registry

    with Registry.open(home) as registry:
        return (registry.log.vkey,)


def trust_list(home: Home, *, own_logs: Sequence[str] | None = None) -> tuple[TrustEntry, ...]:
    """Return every entry, this home's own first (if it ever signed anything).

    Parameters
    ----------
    own_logs
        This home's log keys where the caller knows them; None looks them up.

    Raises
    ------
    VerificationError
        A file in the trust folder is damaged: it is named, never skipped in silence.
    """
    entries = []
    own = certificates.own_root(home)
    if own is not None:
        logs = own_log_vkeys(home) if own_logs is None else tuple(own_logs)
        entries.append(_entry(OWN, [own], logs, []))
    for path in sorted(home.trust.glob("*.toml")):
        try:
            entries.append(_parse(path.read_bytes(), str(path), name=path.stem, new=False))
        except (InputError, OSError) as exc:
            raise VerificationError(
                f"the trust entry {path} is damaged: {exc}",
                hint=f"Remove it with 'vivavoce trust remove {path.stem}' and add it again.",
            ) from exc
    return tuple(entries)


def trust_export(home: Home, path: Path) -> TrustEntry:
    """Write this home's own anchor and log key as a bundle for others.

    The certificate authority and the log are made if this is their first use.

    Raises
    ------
    StorageError
        The file cannot be written.
    """
    from consent.registry import Registry

    root = certificates.signing_identity(home).root
    with Registry.open(home) as registry:
        logs = (registry.log.vkey,)
        tag = registry.registry_tag
    entry = _entry(f"vivavoce-{tag}", [root], logs, [])
    write_atomic(path, bundle_text(entry).encode())
    return entry


def trust_add(home: Home, path: Path, *, name: str | None = None) -> TrustEntry:
    """Believe the signer of a bundle, or of a PEM file of root certificates.

    Parameters
    ----------
    path
        A bundle in TOML or JSON, or certificates in PEM.
    name
        What to call it here: lower-case letters, digits and hyphens. None takes the bundle's.

    Raises
    ------
    InputError
        The file is not a bundle, holds a private key, a certificate that is no authority or has
        expired, a malformed log key; or the name or signer is already there.
    """
    try:
        data = read_limited(path, LIMIT)
    except OSError as exc:
        raise InputError(f"cannot read {path}: {exc.strerror}") from exc
    entry = _parse(data, str(path), name=name, new=True)
    _check_name(entry.name)
    if (home.trust / f"{entry.name}.toml").exists():
        raise InputError(
            f"there already is a trust entry {entry.name!r}",
            hint=f"Choose another --name, or 'vivavoce trust remove {entry.name}' first.",
        )
    here = {
        certificates.fingerprint(x509.load_pem_x509_certificate(anchor.encode())): known.name
        for known in trust_list(home, own_logs=())
        for anchor in known.anchors
    }
    if entry.fingerprint in here:
        raise InputError(f"{path}: this signer is trusted already, as {here[entry.fingerprint]!r}")
    write_atomic(home.trust / f"{entry.name}.toml", bundle_text(entry).encode(), mode=0o600)
    return entry


def trust_remove(home: Home, name: str) -> None:
    """Stop believing a signer.

    Raises
    ------
    InputError
        There is no such entry, or it is this home itself.
    """
    if name == OWN:
        raise InputError("this home's own anchor cannot be removed", hint="It follows its keys.")
    path = home.trust / f"{name}.toml"
    if not _NAME.fullmatch(name) or not path.exists():
        known = ", ".join(p.stem for p in sorted(home.trust.glob("*.toml"))) or "none"
        raise InputError(f"there is no trust entry {name!r}", hint=f"There are: {known}.")
    try:
        path.unlink()
    except OSError as exc:
        raise storage_error(exc, path) from exc


def bundle_text(entry: TrustEntry) -> str:
    """Return the entry as a TOML bundle."""
    import tomli_w

    data: dict[str, Any] = {
        "format": FORMAT,
        "name": entry.name,
        "anchor": [{"pem": anchor} for anchor in entry.anchors],
        "log": [{"vkey": vkey} for vkey in entry.logs],
        "timestamp": [{"pem": anchor} for anchor in entry.timestamp_anchors],
    }
    return tomli_w.dumps({k: v for k, v in data.items() if v}, multiline_strings=True)


def _parse(data: bytes, where: str, *, name: str | None, new: bool) -> TrustEntry:
    """Read a bundle; `new` ones must also be valid today."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise InputError(f"{where} is not text: neither a bundle nor PEM") from exc
    if "PRIVATE KEY" in text:
        raise InputError(
            f"{where} holds a private key, which must never be sent around",
            hint="Tell the sender; ask for the file of 'vivavoce trust export'.",
        )
    if text.lstrip().startswith("-----BEGIN"):
        suggestion = re.sub(r"[^a-z0-9]+", "-", Path(where).stem.lower()).strip("-")[:40]
        return _entry(name or suggestion, _certificates(text, where, new), (), [])
    try:
        bundle = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
    except (ValueError, RecursionError) as exc:
        raise InputError(f"{where} is neither a trust bundle nor PEM: {exc}") from exc
    if not isinstance(bundle, dict) or bundle.get("format") != FORMAT:
        raise InputError(
            f"{where} is not a trust bundle: format is not {FORMAT!r}",
            hint="Ask the signer for the file of 'vivavoce trust export'.",
        )
    unknown = set(bundle) - {"format", "name", "anchor", "log", "timestamp"}
    if unknown:
        raise InputError(f"{where} has unknown fields: {', '.join(sorted(unknown))}")
    anchors, stamps = (
        [c for pem in _texts(bundle, table, "pem", where) for c in _certificates(pem, where, new)]
        for table in ("anchor", "timestamp")
    )
    logs = []
    for vkey in _texts(bundle, "log", "vkey", where):
        try:
            logs.append(Verifier.parse(vkey).vkey)
        except InputError as exc:
            raise InputError(f"{where}: {exc.message}") from exc
    if not anchors:
        raise InputError(f"{where} holds no certificate")
    return _entry(name or str(bundle.get("name", "")), anchors, tuple(logs), stamps)


def _texts(bundle: dict[str, Any], table: str, key: str, where: str) -> list[str]:
    rows = bundle.get(table, [])
    if not isinstance(rows, list):
        raise InputError(f"{where}: {table} is not a list of tables")
    values = [row.get(key) if isinstance(row, dict) else None for row in rows]
    if not all(isinstance(value, str) for value in values):
        raise InputError(f"{where}: every [[{table}]] needs a text {key!r}")
    return [str(value) for value in values]


def _certificates(text: str, where: str, new: bool) -> list[x509.Certificate]:
    """Read root certificates, refusing what cannot be one."""
    try:
        found = x509.load_pem_x509_certificates(text.encode())
    except ValueError as exc:
        raise InputError(f"{where} holds a damaged certificate: {exc}") from exc
    for certificate in found:
        try:
            basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
            authority = basic.value.ca
        except (x509.ExtensionNotFound, ValueError):
            authority = False
        subject = certificates.common_name(certificate.subject)
        if not authority:
            raise InputError(
                f"{where}: the certificate {subject!r} is not a certificate authority",
                hint="Add the root that issued it.",
            )
        if new and certificate.not_valid_after_utc < dt.datetime.now(dt.UTC):
            raise InputError(f"{where}: the certificate {subject!r} has expired")
    return found


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name) or name == OWN:
        raise InputError(
            f"{name!r} cannot be the name of a trust entry",
            hint="Use --name with lower-case letters, digits and hyphens, and not 'own'.",
        )


def _entry(
    name: str,
    anchors: Sequence[x509.Certificate],
    logs: Sequence[str],
    stamps: Sequence[x509.Certificate],
) -> TrustEntry:
    first = anchors[0]
    return TrustEntry(
        name=name,
        subject=certificates.common_name(first.subject),
        fingerprint=certificates.fingerprint(first),
        not_after=first.not_valid_after_utc.date().isoformat(),
        anchors=tuple(certificates.pem(a) for a in anchors),
        logs=tuple(logs),
        timestamp_anchors=tuple(certificates.pem(s) for s in stamps),
    )
