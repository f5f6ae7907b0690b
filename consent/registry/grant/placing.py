"""Where a grant stands in the log, and what was said of it before its document came in.

A grant is a new entry of the log, or an old one whose document a crash or an old backup lost:
then it goes back to its place, with everything that happened since.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session

from consent.credentials.grant import Grant
from consent.errors import RefusedError, VerificationError
from consent.registry.grant import effects
from consent.registry.grant.moments import Received
from consent.registry.job import openings
from consent.registry.party import keyring
from consent.registry.storage.core import Core

#: Entries of the log about one grant: place and kind.
Logged = Sequence[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a grant stands in the log.

    Attributes
    ----------
    received
        Of its entry, old or yet to be written.
    status
        How the grant stands with everything the log says.
    superseded_by
        Commitment to the grant that took its place.
    new
        Whether it gets an entry, or has one.
    """

    received: Received
    status: str
    superseded_by: str | None = None
    new: bool = True


def place(core: Core, grant: Grant, ref: str, logged: Logged, now: Received) -> Place:
    """Return where a grant belongs.

    Raises
    ------
    RefusedError
        Another document is in the log under its id.
    """
    index = next((index for index, kind in logged if kind == "grant"), None)
    if index is None:
        return Place(now, "active")
    entry = json.loads(core.log.entry(index))
    if entry["document"] != core.ref("document", grant.digest):
        raise RefusedError(
            f"another grant is in the log as {grant.id}",
            hint="Give the document that was imported first, or restore a backup.",
        )
    return _lost(core, ref, index, entry)


def after_waiting_statements(
    core: Core, session: Session, grant: Grant, logged: Logged, found: Place
) -> Place:
    """Let statements count that came in before the grant they are about.

    Raises
    ------
    VerificationError
        Who signed one of them cannot be said any more.
    """
    status = found.status
    for index, kind in logged:
        if kind != "statement":
            continue
        entry = json.loads(core.log.entry(index))
        if entry["pending"] and _entitled(core, session, grant, index, entry):
            status = effects.status_after(status, entry["type"])
    return Place(found.received, status)


def used_ms(core: Core, grant: Grant) -> int:
    """Return how much of a grant the log's receipts use, in milliseconds."""
    total: dict[str, int] = {}
    for leaf in core.log.entries():
        entry = json.loads(leaf)
        if entry["kind"] == "abandoned":
            total.pop(entry["output_id"], None)
        elif entry["kind"] == "receipt":
            output_id = entry["output_id"]
            opened = openings.opening(core, output_id, grant.terms.voice, grant.id, grant.digest)
            total[output_id] = sum(
                voice["duration_ms"]
                for voice in entry["voices"]
                if "grant" in voice and not voice.get("review") and openings.fits(opened, voice)
            )
    return sum(total.values())


def _lost(core: Core, ref: str, index: int, entry: dict[str, Any]) -> Place:
    status, successor = entry["status"], None
    for leaf in core.log.entries(index + 1):
        later = json.loads(leaf)
        if later["kind"] == "statement" and later["subject"] == ref and not later["pending"]:
            status = effects.status_after(status, later["type"])
        elif later["kind"] == "grant" and later.get("supersedes") == ref:
            status, successor = effects.status_after(status, "superseded"), later["subject"]
        elif later["kind"] == "status-list":
            for changed, event in later.get("changes", ()):
                if changed == ref:
                    status = effects.status_after(status, event)
    received = Received(index, datetime.fromisoformat(entry["time"]))
    return Place(received, status, successor, new=False)


def _entitled(
    core: Core, session: Session, grant: Grant, index: int, entry: dict[str, Any]
) -> bool:
    """Whether a statement that waited was signed by somebody who could."""
    signer = keyring.did_of_ref(session, entry["by"])
    if signer is None:
        raise VerificationError(
            f"a statement about the grant {grant.id} waits at entry {index} of the log, signed "
            "with a key that the registry no longer knows",
            hint="Restore the registry from a backup: vivavoce keys restore FILE",
        )
    received = Received(index, datetime.fromisoformat(entry["time"]))
    try:
        keyring.entitled(
            core, session, signer, grant.terms.owner, "revoke", "the statement", received
        )
    except RefusedError:
        return False
    return True
