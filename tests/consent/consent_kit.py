"""Requests, drafts and small helpers for the tests of consent."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine

from consent.home import Home
from consent.registry import AuthorizationRequest, ModelUse, ReceiptDraft, Registry, VoiceUse
from consent.registry.storage.tables import metadata

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
    """Do to the registry what an operator with a database browser can do; ``?`` is a value."""
    engine = create_engine(home.registry_url)
    if engine.dialect.name == "postgresql":
        statement = statement.replace("%", "%%").replace("?", "%s")
    try:
        with engine.begin() as connection:
            if engine.dialect.name == "postgresql":  # its superuser can do what SQLite lets all do
                connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
            changed = connection.exec_driver_sql(statement, values)
            assert changed.rowcount > 0, "the attack changed nothing"
    finally:
        engine.dispose()


def value_of(home: Home, query: str, *values: Any) -> Any:
    """Return one value from the registry, read past all checks; ``?`` is a value."""
    engine = create_engine(home.registry_url)
    if engine.dialect.name == "postgresql":
        query = query.replace("?", "%s")
    try:
        with engine.connect() as connection:
            return connection.exec_driver_sql(query, values).scalar_one()
    finally:
        engine.dispose()


def snapshot(home: Home) -> Callable[[], None]:
    """Take every row of the registry; return what puts them back as they were."""
    engine = create_engine(home.registry_url)
    tables = metadata.sorted_tables
    with engine.connect() as connection:
        rows = {
            table.name: [dict(row._mapping) for row in connection.execute(table.select())]
            for table in tables
        }

    def put_back() -> None:
        with engine.begin() as connection:
            for table in reversed(tables):
                connection.execute(table.delete())
            for table in tables:
                if rows[table.name]:
                    connection.execute(table.insert(), rows[table.name])
        engine.dispose()

    return put_back


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file below `folder`, by its name."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
