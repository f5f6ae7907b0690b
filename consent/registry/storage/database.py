"""The registry's database: connection, transactions and schema."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlmodel import Session

from consent.errors import InputError, StorageError, VerificationError
from consent.home import Home
from consent.locks import FileLock
from consent.registry.storage.tables import metadata

#: The schema this program is written for: the newest file in ``migrations/versions``.
REVISION = "0002"

_BUSY_TIMEOUT_MS = 30_000
# Any constants: they name these locks among the server's advisory locks.
_MIGRATION_LOCK = 0x76697661
_WRITE_LOCK = 0x76697662

#: Options of a connection: what its transactions are for; writing if nothing is said.
_READ = {"vivavoce_transaction": "read"}
_SWIFT = {"vivavoce_durable": False}


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
            Session(self.engine.execution_options(**_READ)) as session,
        ):
            yield session

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Session]:
        """Yield a session whose changes are committed at the end, or rolled back on an error.

        There is one writer at a time, in every database: the lock is taken at the start, and
        what the block reads, it may rely on. Rows need no locks of their own.

        Parameters
        ----------
        durable
            Whether the changes must outlive a power cut. A crash of the program loses nothing
            either way.
        """
        engine = self.engine if durable else self.engine.execution_options(**_SWIFT)
        with (
            _explained(str(self.engine.url)),
            Session(engine, expire_on_commit=False) as session,
        ):
            yield session
            session.commit()

    def scrub(self) -> None:
        """Leave nothing of deleted rows in the database's files, as far as they are ours.

        SQLite overwrites what is deleted; its journal is emptied here. PostgreSQL keeps old rows
        until they are vacuumed, and its own write-ahead log and backups for as long as it was
        told to.
        """
        plain = self.engine.execution_options(
            isolation_level="AUTOCOMMIT", vivavoce_transaction="none"
        )
        with _explained(str(self.engine.url)), plain.connect() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            else:
                tables = ", ".join(f'"{table.name}"' for table in metadata.sorted_tables)
                connection.exec_driver_sql(f"VACUUM {tables}")

    def _revision(self) -> str | None:
        with self.engine.execution_options(**_READ).connect() as connection:
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
            _refuse_foreign(connection)
            try:
                command.upgrade(config, "head")
            except CommandError as exc:
                raise StorageError(
                    f"the registry has the schema {_stamp(connection)!r}, "
                    f"which this program does not know (it knows {REVISION!r})",
                    hint="It was written by a newer version: update vivavoce.",
                ) from exc


def _refuse_foreign(connection: Connection) -> None:
    """Refuse to put tables among those of another program that has taken their names."""
    names = set(inspect(connection).get_table_names())
    stamp = _stamp(connection)
    clash = names & set(metadata.tables) if stamp is None else set()
    if clash or (stamp is not None and "log_index" not in names):
        raise VerificationError(
            f"the database {connection.engine.url.render_as_string()} is not a registry: "
            f"another program keeps {', '.join(sorted(clash) or ['its tables'])} there",
            hint="Name a database, or a schema of one, that the registry has for itself.",
        )


def may_write(session: Session) -> bool:
    """Whether `session` is one of :meth:`Database.write`: a reader may lock no row."""
    options: Mapping[str, Any] = session.get_bind().get_execution_options()
    return options.get("vivavoce_transaction") != "read"


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
        return _server_engine(parsed)
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
            "secure_delete=ON",  # what is erased is overwritten
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        match options.get("vivavoce_transaction"):
            case None:
                # The log is the durable truth: what it holds is derived again from it, and no
                # entry is projected before it is on the disk. An authorization is not in the
                # log; lost in a power cut, it was a yes that nobody had used, and what was used
                # of it is. So it need not wait for the disk: in WAL mode NORMAL loses at most
                # the last transactions, and never tears one. What is nowhere else (grants,
                # statements, parties) waits.
                swift = not options.get("vivavoce_durable", True)
                connection.exec_driver_sql(f"PRAGMA synchronous={'NORMAL' if swift else 'FULL'}")
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            case "read":
                connection.exec_driver_sql("BEGIN")

    return engine


def _server_engine(url: URL) -> Engine:
    if url.get_backend_name() != "postgresql":
        raise InputError(
            f"the registry cannot be in {url.get_backend_name()!r}",
            hint="SQLite (a file) and PostgreSQL (postgresql+psycopg://...) are supported.",
        )
    engine = create_engine(url, pool_pre_ping=True)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        match options.get("vivavoce_transaction"):
            case None:
                # The schema's name tells registries in one database apart.
                schema = "hashtext(coalesce(current_schema(), ''))"
                swift = not options.get("vivavoce_durable", True)
                connection.exec_driver_sql(
                    f"SET LOCAL lock_timeout = {_BUSY_TIMEOUT_MS}; "
                    f"SET LOCAL synchronous_commit = {'off' if swift else 'on'}; "
                    f"SELECT pg_advisory_xact_lock({_WRITE_LOCK}, {schema})"
                )
            case "read":
                # One snapshot for all that is read, as in SQLite.
                connection.exec_driver_sql(
                    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
                )

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
