"""PostgreSQL for the tests of the registry: a schema of its own for every test.

They run on PostgreSQL when ``VIVAVOCE_TEST_POSTGRES`` names a database (a SQLAlchemy URL), on
SQLite otherwise. ``.ci/postgres start FOLDER`` starts a throw-away one and prints its URL.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

POSTGRES = os.environ.get("VIVAVOCE_TEST_POSTGRES", "")


@contextmanager
def fresh_schema() -> Iterator[str]:
    """Yield the URL of an empty schema; it is dropped afterwards."""
    name = f"test_{secrets.token_hex(6)}"
    server = create_engine(POSTGRES, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"CREATE SCHEMA {name}"))
    try:
        url = make_url(POSTGRES).update_query_dict(
            {"options": f"-csearch_path={name}", "application_name": name}
        )
        yield url.render_as_string(hide_password=False)
    finally:
        with server.connect() as connection:
            # A test that was killed or forgot to close must not make its successor wait.
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    f"WHERE application_name = '{name}'"
                )
            )
            connection.execute(text(f"DROP SCHEMA {name} CASCADE"))
        server.dispose()
