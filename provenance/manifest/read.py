"""Reading a manifest from a file that may come from anybody.

The library's own word "Valid" means no more than "well formed and signed by somebody": this
module keeps to its "Trusted", and only when the anchor is one of a list of manifest signers.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

from provenance.manifest.settings import reading_settings
from provenance.manifest.trust import TrustEntry

TRUSTED = "trusted"
UNTRUSTED = "untrusted"
ALTERED = "altered"
ABSENT = "absent"
INVALID = "invalid"

# A chapter that was ingested by a program which did not know its signer carries this for ever.
_TOLERATED_IN_INGREDIENTS = frozenset({"signingCredential.untrusted"})


@dataclass(frozen=True, slots=True)
class ManifestReading:
    """What the manifest of a file turned out to be.

    Attributes
    ----------
    status
        ``trusted``, ``untrusted``, ``altered``, ``absent`` or ``invalid``.
    reason
        Machine-readable cause (``"expired"``, ``"ingredient"``, ``"remote"``, ``"damaged"``, ...).
    codes
        Failure codes of the library.
    trusted_by
        The trust entry whose anchor vouches for the signer; None unless trusted.
    signer, issuer
        Names in the certificate. Anyone can write any name: they mean something only when the
        status is ``trusted``.
    signer_known
        Whether the signer is one of ours even where the file no longer fits its signature.
    time
        Time stamp (ISO), and `time_trusted` whether its server is one we trust.
    assertions
        Label to data, of the active manifest.
    """

    status: str
    reason: str = ""
    codes: tuple[str, ...] = ()
    trusted_by: TrustEntry | None = None
    label: str = ""
    signer: str = ""
    issuer: str = ""
    time: str | None = None
    time_trusted: bool = False
    signer_known: bool = False
    generator: str = ""
    title: str = ""
    assertions: Mapping[str, Any] = field(default_factory=dict)
    detail: str = ""

    def assertion(self, label: str) -> Mapping[str, Any] | None:
        """Return the data of an assertion if it is there and is a table."""
        found = self.assertions.get(label)
        return found if isinstance(found, Mapping) else None


def read_manifest(
    stream: IO[bytes], mime: str, entries: Sequence[TrustEntry] = ()
) -> ManifestReading:
    """Read and validate the manifest of an open file. Never touches the network.

    Parameters
    ----------
    mime
        Media type of the file's real content.
    entries
        Whom to trust; :func:`provenance.manifest.trust.trust_list`.
    """
    import c2pa

    anchors = [(entry.uri, "".join(entry.anchors)) for entry in entries]
    stamps = [
        (f"{entry.uri}:timestamp", "".join(entry.timestamp_anchors))
        for entry in entries
        if entry.timestamp_anchors
    ]
    stream.seek(0)
    try:
        with (
            c2pa.Context.from_dict(reading_settings(anchors, stamps)) as context,
            c2pa.Reader(mime, stream, context=context) as reader,
        ):
            report = json.loads(reader.json())
            state = reader.get_validation_state()
            results = reader.get_validation_results() or {}
    except c2pa.C2paError.ManifestNotFound:
        return ManifestReading(ABSENT)
    except c2pa.C2paError as exc:
        return _unreadable(exc)
    return _judge(report, str(state), results, entries)


def _unreadable(exc: Exception) -> ManifestReading:
    import c2pa

    detail = str(exc)[:300]
    if detail.startswith("Remote:"):
        return ManifestReading(ABSENT, reason="remote", detail=detail)
    if isinstance(exc, c2pa.C2paError.NotSupported):
        return ManifestReading(ABSENT, reason="format", detail=detail)
    return ManifestReading(INVALID, reason="damaged", detail=detail)


def _judge(
    report: dict[str, Any], state: str, results: dict[str, Any], entries: Sequence[TrustEntry]
) -> ManifestReading:
    manifests = report.get("manifests") or {}
    active = manifests.get(report.get("active_manifest")) or {}
    failures = _codes(results.get("activeManifest"), "failure")
    successes = _codes(results.get("activeManifest"), "success")
    inner = [code for code in _ingredient_failures(manifests, results)
             if code not in _TOLERATED_IN_INGREDIENTS]  # fmt: skip
    by_uri = {entry.uri: entry for entry in entries}
    vouching = by_uri.get(str(results.get("trustListUri"))) if state == "Trusted" else None
    if any(code.endswith("Hash.mismatch") for code in failures):
        status, reason = ALTERED, "hash"
    elif state == "Invalid":
        expired = "signingCredential.expired" in failures
        status, reason = INVALID, "expired" if expired else "manifest"
    elif inner:
        # The library stays at "Trusted" when a part inside was tampered with.
        status, reason = INVALID, "ingredient"
    elif vouching is not None:
        status, reason = TRUSTED, ""
    else:
        status, reason = UNTRUSTED, "signer"
    signature = active.get("signature_info") or {}
    generator = (active.get("claim_generator_info") or [{}])[0]
    return ManifestReading(
        status=status,
        reason=reason,
        codes=tuple(dict.fromkeys([*failures, *inner])),
        trusted_by=vouching if status == TRUSTED else None,
        label=str(active.get("label", "")),
        signer=str(signature.get("common_name") or ""),
        issuer=str(signature.get("issuer") or ""),
        time=signature.get("time"),
        time_trusted="timeStamp.trusted" in successes,
        signer_known=vouching is not None or "signingCredential.trusted" in successes,
        generator=f"{generator.get('name', '')} {generator.get('version', '')}".strip(),
        title=str(active.get("title") or ""),
        assertions=_first_of_each(active.get("assertions", ())),
    )


def _first_of_each(assertions: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for assertion in assertions:
        found.setdefault(str(assertion.get("label")), assertion.get("data"))
    return found


def _codes(results: Any, kind: str) -> list[str]:
    if not isinstance(results, dict):
        return []
    return [str(entry.get("code")) for entry in results.get(kind, ())]


def _ingredient_failures(manifests: Mapping[str, Any], results: Mapping[str, Any]) -> Iterator[str]:
    for delta in results.get("ingredientDeltas", ()):
        yield from _codes(delta.get("validationDeltas"), "failure")
    for manifest in manifests.values():
        for ingredient in manifest.get("ingredients", ()):
            frozen = (ingredient.get("validation_results") or {}).get("activeManifest")
            yield from _codes(frozen, "failure")
