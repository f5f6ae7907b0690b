"""Grants, uses and small helpers for the tests of the audit."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from consent.audit.amounts import Price
from consent.audit.records import GrantEntry, Use
from consent.audit.statement import OWNER, Head, Period
from consent.log.note import Verifier

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
EURO_A_MINUTE = Price("EUR", Decimal("1.00"), "finished-minute")
VKEY = Verifier("vivavoce/test", b"\x01" * 32).vkey


def a_grant(**changes: Any) -> GrantEntry:
    """A grant of the year 2026 at one euro a minute, with `changes`."""
    grant = GrantEntry(
        id="urn:uuid:1",
        digest="a" * 64,
        voice="coqui:emma",
        owner="p1",
        licensee="p2",
        valid_from=NEW_YEAR,
        valid_until=NEW_YEAR + timedelta(days=365),
        granted_ms=None,
        status="active",
        index=1,
        price=EURO_A_MINUTE,
    )
    return dataclasses.replace(grant, **changes)


def a_use(number: int, **changes: Any) -> Use:
    """The published output `number`: two minutes, made on that day of the year, with `changes`."""
    at = NEW_YEAR + timedelta(days=number)
    use = Use(
        output_id=f"{number:012x}",
        voice="coqui:emma",
        grant_id="urn:uuid:1",
        duration_ms=120_000,
        state="sealed",
        index=10 * number,
        made_at=at,
        sealed_index=10 * number + 1,
        sealed_at=at + timedelta(seconds=5),
        work="Love Among the Chickens",
        identifier="urn:x-test:chickens",
        title=f"Chapter {number}",
        container="m4b",
        purpose="audiobook",
        sha256="b" * 64,
    )
    return dataclasses.replace(use, **changes)


def a_head(since: datetime | None = None, until: datetime | None = None) -> Head:
    """The head of Emma's statement."""
    return Head(
        party="p1",
        party_name="Emma Example",
        role=OWNER,
        period=Period(since, until),
        made_at=NEW_YEAR + timedelta(days=200),
        registry_did="did:key:z6MkTest",
        log_vkey=VKEY,
        checkpoint="vivavoce/test\n7\nroot\n\n— vivavoce/test c2ln\n",
    )
