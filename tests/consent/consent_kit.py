"""Requests, drafts and small helpers for the tests of consent."""

from __future__ import annotations

import dataclasses
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from consent.home import Home
from consent.registry import AuthorizationRequest, ModelUse, ReceiptDraft, Registry, VoiceUse

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
HEART = VoiceUse("kokoro:af_heart", "stock", "Apache-2.0", commercial=True, minutes=10.0)
KOKORO = ModelUse("kokoro-82m", "kokoro", "1.0", "a" * 64, "Apache-2.0", "yes")


def a_request(**changes: Any) -> AuthorizationRequest:
    """An audiobook of ten minutes in one stock voice, with `changes`."""
    request = AuthorizationRequest(
        work_title="Love Among the Chickens",
        work_author="P. G. Wodehouse",
        work_identifier="urn:x-test:chickens",
        purpose="audiobook",
        job_digest="b" * 64,
        languages=("en-GB",),
        territory="world",
        channel="private",
        commercial=False,
        minutes=10.0,
        voices=(HEART,),
        models=(KOKORO,),
        requester="a reader",
    )
    return dataclasses.replace(request, **changes)


def a_draft(
    registry: Registry, authorization_id: str, *, minutes: float = 2.0, **changes: Any
) -> ReceiptDraft:
    """A file of `minutes` under an authorization, with `changes`."""
    draft = ReceiptDraft(
        authorization_id=authorization_id,
        output_id=registry.new_output_id(),
        container="m4b",
        duration_s=minutes * 60,
        text_digest="c" * 64,
        source_pcm_sha256="d" * 64,
        watermark="none",
        voices=(dataclasses.replace(HEART, minutes=minutes),),
        models=(KOKORO,),
        title="Chapter 1",
    )
    return dataclasses.replace(draft, **changes)


def sql(home: Home, statement: str, *values: Any) -> None:
    """Do to the registry's file what an operator with a database browser can do."""
    with sqlite3.connect(home.root / "registry.db") as connection:
        changed = connection.execute(statement, values)
        assert changed.rowcount > 0, "the attack changed nothing"
    connection.close()


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file below `folder`, by its name."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
