"""The database below the registry: one writer, readers that see one state, traces wiped."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from postgres_kit import POSTGRES
from sqlalchemy import text

from consent.errors import InputError, StorageError
from consent.home import Home
from consent.registry.storage.database import Database
from consent.registry.storage.tables import MetaRow


def put(database: Database, key: str, value: str) -> None:
    with database.write() as session:
        session.merge(MetaRow(key=key, value=value))


def get(database: Database, key: str) -> str | None:
    with database.read() as session:
        row = session.get(MetaRow, key)
        return None if row is None else row.value


def test_writers_take_turns_and_lose_nothing(home: Home) -> None:
    """Read, think, write: without a lock from the start, counts would get lost."""
    databases = [Database(home) for _ in range(4)]
    put(databases[0], "count", "0")

    def add(database: Database) -> None:
        for _ in range(15):
            with database.write() as session:
                row = session.get(MetaRow, "count")
                assert row is not None
                row.value = str(int(row.value) + 1)
                session.add(row)

    threads = [threading.Thread(target=add, args=(database,)) for database in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert get(databases[0], "count") == "60"
    for database in databases:
        database.close()


def test_a_reader_sees_one_state_and_holds_up_no_writer(home: Home) -> None:
    reader, writer = Database(home), Database(home)
    put(writer, "state", "before")
    with reader.read() as session:
        first = session.get(MetaRow, "state")
        assert first is not None
        assert first.value == "before"
        put(writer, "state", "after")
        session.expire_all()
        again = session.get(MetaRow, "state")
        assert again is not None
        assert again.value == "before"
    assert get(reader, "state") == "after"
    reader.close()
    writer.close()


def test_a_failed_write_leaves_nothing(home: Home) -> None:
    database = Database(home)
    with pytest.raises(KeyError), database.write() as session:
        session.merge(MetaRow(key="half", value="done"))
        session.flush()
        raise KeyError
    assert get(database, "half") is None
    database.close()


@pytest.mark.sqlite_only
def test_what_is_deleted_leaves_no_trace_in_the_files(home: Home) -> None:
    database = Database(home)
    secret = "Emma-" * 400
    put(database, "secret", secret)
    put(database, "other", "x" * 4000)
    with database.write() as session:
        row = session.get(MetaRow, "secret")
        session.delete(row)
    database.scrub()

    def traces() -> list[str]:
        files = home.root.glob("registry.db*")
        return [path.name for path in files if b"Emma-Emma-" in path.read_bytes()]

    assert traces() == []
    database.close()
    assert traces() == []


def test_scrubbing_keeps_what_is_there_and_says_if_it_cannot(home: Home) -> None:
    database = Database(home)
    put(database, "kept", "yes")
    database.scrub()
    assert get(database, "kept") == "yes"
    database.close()


@pytest.mark.skipif(not POSTGRES, reason="SQLite has no schemas")
def test_registries_in_one_database_do_not_wait_for_each_other(
    home: Home, other_home: Home
) -> None:
    one, two = Database(home), Database(other_home)
    with one.write() as session:
        session.merge(MetaRow(key="a", value="1"))
        session.flush()
        put(two, "a", "2")
    assert (get(one, "a"), get(two, "a")) == ("1", "2")
    one.close()
    two.close()


@pytest.mark.skipif(not POSTGRES, reason="SQLite readers cannot be told apart by the file")
def test_a_reader_cannot_write(home: Home) -> None:
    database = Database(home)
    with (
        pytest.raises(StorageError, match="read-only transaction"),
        database.read() as session,
    ):
        session.execute(text("DELETE FROM meta"))
    database.close()


def test_other_databases_and_absent_servers_are_refused_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIVAVOCE_REGISTRY", "mysql+pymysql://user:hidden@localhost/x")
    with pytest.raises(InputError, match="cannot be") as caught:
        Database(Home.open(tmp_path / "home"))
    assert "hidden" not in caught.value.message
    monkeypatch.setenv("VIVAVOCE_REGISTRY", f"postgresql+psycopg://user:hidden@/x?host={tmp_path}")
    with pytest.raises(StorageError, match="did not answer") as absent:
        Database(Home.open(tmp_path / "home"))
    assert "hidden" not in absent.value.message
