"""What this home's registry knows of the consent that a file names: then, and now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from consent.errors import VivavoceError
from provenance.report import CONFIRMED, CONTRADICTED, INCONCLUSIVE, Finding, plain

if TYPE_CHECKING:
    from consent.registry import GrantRecord, Registry

_NOW = {
    "active": "it is in force now",
    "revoked": "it was revoked on {since:%Y-%m-%d}",
    "suspended": "it is suspended since {since:%Y-%m-%d}",
    "superseded": "it was replaced by another grant on {since:%Y-%m-%d}",
    "expired": "it ended on {until:%Y-%m-%d}",
    "not-yet-valid": "it begins on {begin:%Y-%m-%d}",
    "status-stale": "how it stands now is not known: the last word is too old",
    "key-not-valid": "the key it was signed with is not good",
}


def check_grants(registry: Registry, consent: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield a finding for each person's voice that a manifest of this registry names.

    Parameters
    ----------
    consent
        The ``org.vivavoce.consent`` assertion of a manifest that verified.
    """
    receipt = registry.receipt(str(consent.get("output", "")))
    rows = consent.get("voices")
    for row in rows[:100] if isinstance(rows, list) else []:
        if not isinstance(row, Mapping) or row.get("basis") != "grant" or receipt is None:
            continue
        named = row.get("grant")
        grant_id = str(named.get("id")) if isinstance(named, Mapping) else ""
        yield _finding(registry, plain(row.get("voice")), grant_id, receipt.created_at)


def _finding(registry: Registry, voice: str, grant_id: str, made_at: datetime) -> Finding:
    def found(status: str, sentence: str) -> Finding:
        return Finding("consent", status, sentence)

    try:
        record = registry.grant(grant_id)
    except VivavoceError as exc:
        return found(INCONCLUSIVE, f"The consent for {voice} cannot be looked up: {exc.message}.")
    if record.grant is None:
        return found(
            INCONCLUSIVE,
            f"The grant {plain(grant_id)} for {voice} is on record, its document is not: "
            f"{plain(record.problem)}.",
        )
    now = _NOW[record.standing(registry.now())].format(
        since=record.status_since, until=record.valid_until, begin=record.valid_from
    )
    fault = _fault_at(record, made_at)
    if fault:
        return found(
            CONTRADICTED,
            f"The grant {record.id} did not cover {voice} when the file was made "
            f"({made_at:%Y-%m-%d}): {fault}.",
        )
    return found(
        CONFIRMED,
        f"{voice} was used by consent: the grant {record.id} was in force when the file was made "
        f"({made_at:%Y-%m-%d}); {now}.",
    )


def _fault_at(record: GrantRecord, moment: datetime) -> str:
    """Return why the grant was not in force at `moment`, empty if it was."""
    if record.key_fault:
        return f"its signature does not count: {record.key_fault}"
    if moment < record.valid_from:
        return f"it begins on {record.valid_from:%Y-%m-%d}"
    if moment >= record.valid_until:
        return f"it ended on {record.valid_until:%Y-%m-%d}"
    if record.status != "active" and moment >= record.status_since:
        return f"it was {record.status} on {record.status_since:%Y-%m-%d}"
    return ""
