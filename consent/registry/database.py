"""The registry's database: connection, transactions and schema."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlmodel import Session

from consent.errors import InputError, StorageError
from consent.home import Home
from consent.locks import FileLock

#: The schema this program is written for: the newest file in ``migrations/versions``.
REVISION = "0002"

_BUSY_TIMEOUT_MS = 30_000
_MIGRATION_LOCK = 0x76697661  # any constant: names the lock among the server's advisory locks


class Database:
    """A database with the registry's schema, brought up to date when opened.

    Parameters
    ----------
    home
        Names the database (``home.registry_url``) and holds the lock for migrations.

    Raises
    ------
    StorageError
        The database cannot be reached, or was written by a newer program.
    """

    def __init__(self, home: Home) -> None:
        self.engine = _engine(home.registry_url)
        with _explained(home.registry_url):
            if self._revision() != REVISION:
                with FileLock(home.root / ".migrate.lock"):
                    self._upgrade()

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Yield a session that sees one consistent state and changes nothing."""
        with (
            _explained(str(self.engine.url)),
            Session(self.engine.execution_options(vivavoce_read=True)) as session,
        ):
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Yield a session whose changes are committed at the end, or rolled back on an error.

        In SQLite the write lock is taken at the start: what the block reads, it may rely on.
        """
        with (
            _explained(str(self.engine.url)),
            Session(self.engine, expire_on_commit=False) as session,
        ):
            yield session
            session.commit()

    def _revision(self) -> str | None:
        with self.engine.connect() as connection:
            return _stamp(connection)

    def _upgrade(self) -> None:
        from alembic import command
        from alembic.config import Config
        from alembic.util import CommandError

        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        with self.engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))
            config.attributes["connection"] = connection
            try:
                command.upgrade(config, "head")
            except CommandError as exc:
                raise StorageError(
                    f"the registry has the schema {_stamp(connection)!r}, "
                    f"which this program does not know (it knows {REVISION!r})",
                    hint="It was written by a newer version: update vivavoce.",
                ) from exc


def _stamp(connection: Connection) -> str | None:
    """Return the schema's revision, None for an empty database."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(
        text("SELECT version_num FROM alembic_version")
    ).scalar_one_or_none()
    return found


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            return _sqlite_engine(url, parsed.database)
        return create_engine(parsed, pool_pre_ping=True)
    except (ArgumentError, ModuleNotFoundError) as exc:
        raise InputError(
            f"the registry URL {_without_password(url)!r} cannot be used: {exc}",
            hint="Write a SQLAlchemy URL, for instance sqlite:////home/me/registry.db",
        ) from exc


def _sqlite_engine(url: str, database: str | None) -> Engine:
    if not database or database == ":memory:":
        raise InputError(
            f"the registry URL {url!r} names no file", hint="A registry in memory forgets."
        )
    try:
        # SQLite would create the file readable by all.
        os.close(os.open(database, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as exc:
        raise StorageError(f"cannot open the registry {database}: {exc.strerror}") from exc
    engine = create_engine(url)

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # transactions are begun by the listener below
        for pragma in (
            f"busy_timeout={_BUSY_TIMEOUT_MS}",
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        reading = connection.get_execution_options().get("vivavoce_read")
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


@contextmanager
def _explained(url: str) -> Iterator[None]:
    try:
        yield
    except (OperationalError, DBAPIError) as exc:
        raise StorageError(
            f"the registry {_without_password(url)} did not answer: {exc.orig}",
            hint="Check that the disk has space and the database is reachable, then run again.",
        ) from exc


def _without_password(url: str) -> str:
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return url.split("@")[-1]
