"""What somebody with a database browser tries on grants, statements and keys."""

from __future__ import annotations

import shutil
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest
from consent_kit import NOON, sql
from grants_kit import ANNA, Stage

from consent import keys
from consent.clock import FixedClock
from consent.credentials.grant import Basis
from consent.errors import RefusedError, VerificationError, VivavoceError
from consent.home import Home
from consent.registry import Registry
from consent.registry.storage import rows
from consent.registry.storage.tables import GrantRow

pytestmark = pytest.mark.sqlite_only


@pytest.fixture
def stage(registry: Registry) -> Stage:
    return Stage(registry)


@pytest.mark.parametrize(
    "change",
    [
        "voice = 'clone:other'",
        "owner = licensee",
        "licensee = owner",
        "valid_until = '2099-01-01 00:00:00.000000'",
        "valid_from = '2020-01-01 00:00:00.000000'",
        "granted_ms = NULL",
        "granted_ms = 999999999",
        "review = 0",
        "digest = 'x'",
        "document = ''",
        "status = 'active'",
        "status_since = '2020-01-01 00:00:00.000000'",
        "status_checked_at = '2099-01-01 00:00:00.000000'",
        "superseded_by = NULL",
        "used_ms = 0",
        "used_ms = -1",
        "leaf_index = 999",
        "signature = state_signature",
        "state_signature = ''",
    ],
)
def test_an_edited_grant_is_noticed_and_useless(stage: Stage, home: Home, change: str) -> None:
    grant = stage.grant(performer_approval=True)
    stage.say("suspension", grant.id)
    core = stage.registry._core
    with core.database.write() as session:
        row = session.get(GrantRow, grant.id)
        assert row is not None
        row.used_ms, row.superseded_by = 5, "x"
        rows.sign_state(core, row)
        session.add(row)
    sql(home, f"UPDATE grants SET {change}")
    with pytest.raises((VerificationError, RefusedError)):
        stage.registry.grant(grant.id)
    (listed,) = stage.registry.grants()
    assert listed.grant is None
    assert listed.problem
    assert stage.registry.check().problems


def test_swapped_documents_are_noticed_even_with_signatures_that_fit(stage: Stage) -> None:
    one, two = stage.grant(), stage.grant(minutes=1000)
    core = stage.registry._core
    with core.database.write() as session:
        first, second = session.get(GrantRow, one.id), session.get(GrantRow, two.id)
        assert first is not None
        assert second is not None
        first.document, second.document = second.document, first.document
        for row in (first, second):
            rows.sign_row(core, row)
            session.add(row)
    with pytest.raises(VerificationError, match=f"sealed grant:{one.id}"):
        stage.registry.grant(one.id)
    assert len(stage.registry.check().problems) >= 2


def test_a_row_that_says_more_than_its_document_is_noticed(stage: Stage) -> None:
    grant = stage.grant(minutes=10)
    core = stage.registry._core
    with core.database.write() as session:
        row = session.get(GrantRow, grant.id)
        assert row is not None
        row.granted_ms = 10_000_000
        rows.sign_row(core, row)
        session.add(row)
    with pytest.raises(VerificationError, match="says granted_ms is 10000000"):
        stage.registry.grant(grant.id)


def test_an_older_state_put_back_is_noticed(stage: Stage, home: Home) -> None:
    """The whole signed state of a grant from before its revocation, copied back."""
    grant = stage.grant()
    columns = "status, status_since, status_checked_at, superseded_by, used_ms, state_signature"
    with sqlite3.connect(home.root / "registry.db") as connection:
        old = connection.execute(f"SELECT {columns} FROM grants").fetchone()
    connection.close()
    stage.say("revocation", grant.id)
    sql(home, f"UPDATE grants SET ({columns}) = (?, ?, ?, ?, ?, ?)", *old)
    with pytest.raises(VerificationError, match="is revoked by the log, and active"):
        stage.registry.grant(grant.id)
    assert any("by the log it is revoked" in p for p in stage.registry.check().problems)


@pytest.mark.parametrize("table", ["grants", "statements", "mandates", "party_keys", "voices"])
def test_a_deleted_row_is_noticed(stage: Stage, home: Home, table: str) -> None:
    grant = stage.grant()
    stage.say("suspension", grant.id)
    agent = stage.registry.create_party("person", "agent", "Agent")
    stage.say(
        "mandate", stage.anna.id, kind="agent", representative=agent.id,
        representative_did=agent.did, scope=("grant",), valid_from=stage.now(),
    )  # fmt: skip
    assert stage.registry.check().ok
    with sqlite3.connect(home.root / "registry.db") as connection:
        connection.execute(f"DELETE FROM {table}")
    connection.close()
    assert any("document lost" in problem for problem in stage.registry.check().problems)
    if table == "grants":
        with pytest.raises(VerificationError, match="document lost"):
            stage.registry.grant(grant.id)
        with pytest.raises(VerificationError, match="document lost"):
            stage.say("revocation", grant.id)


@pytest.mark.parametrize(
    "change",
    [
        "statements SET kind = 'retake'",
        "statements SET subject = 'x'",
        "statements SET document = ''",
        "statements SET issuer_party = ''",
        "mandates SET scope = 'grant revoke approve'",
        "mandates SET valid_until = NULL",
        "mandates SET representative = principal",
        "mandates SET revoked_at = NULL",
        "party_keys SET state = 'active'",
        "party_keys SET ended_leaf = NULL",
        "party_keys SET compromised_since = '2030-01-01 00:00:00.000000'",
        "status_lists SET origin = 'foreign'",
    ],
)
def test_edited_statements_mandates_and_keys_are_found(
    stage: Stage, home: Home, clock: FixedClock, change: str
) -> None:
    grant = stage.grant()
    agent = stage.registry.create_party("person", "agent", "Agent")
    mandate = stage.say(
        "mandate", stage.anna.id, kind="agent", representative=agent.id,
        representative_did=agent.did, scope=("grant",), valid_from=stage.now(),
        valid_until=stage.now() + timedelta(days=9),
    )  # fmt: skip
    stage.say("revocation", mandate.id)
    stage.say("suspension", grant.id)
    stage.say("compromise", stage.studio.did, signer=stage.studio, since=NOON)
    assert stage.registry.check().ok
    sql(home, f"UPDATE {change}")
    assert stage.registry.check().problems


def test_a_stolen_key_does_not_come_back_by_editing_it(stage: Stage, home: Home) -> None:
    token = stage.token()
    stage.say("compromise", stage.anna.did, since=stage.now())
    sql(
        home,
        "UPDATE party_keys SET state = 'active', compromised_since = NULL, ended_leaf = NULL,"
        " valid_until = NULL WHERE state = 'compromised'",
    )
    with pytest.raises(VerificationError, match=r"the key did:key:.* was changed"):
        stage.registry.import_grant(token)


def test_a_grant_moved_from_another_registry_is_nothing_here(
    stage: Stage, home: Home, clock: FixedClock, tmp_path: Path
) -> None:
    """A whole table copied from a registry of one's own, where anything can be signed."""
    other_home = Home.open(tmp_path / "other")
    with Registry.open(other_home, clock=clock) as other:
        theirs = Stage(other)
        forged = theirs.grant(minutes=100_000)
    with sqlite3.connect(home.root / "registry.db") as connection:
        connection.execute("PRAGMA foreign_keys=OFF")
        connection.execute("ATTACH ? AS other", (str(other_home.root / "registry.db"),))
        for table in ("parties", "person_keys", "party_keys", "grants", "status_lists"):
            connection.execute(
                f"INSERT OR IGNORE INTO {table} SELECT * FROM other.{table} AS o "
                f"WHERE NOT EXISTS (SELECT 1 FROM {table} AS t WHERE t.rowid = -1)"
            )
    connection.close()
    with pytest.raises(VivavoceError):
        stage.registry.grant(forged.id)
    assert stage.registry.check().problems


def test_a_registry_that_belongs_to_another_key_is_an_alarm(
    stage: Stage, home: Home, clock: FixedClock, tmp_path: Path
) -> None:
    stage.grant()
    stage.registry.close()
    (home.keys / "registry.pem").unlink()
    keys.load_or_create(home, "registry", "ed25519")
    with pytest.raises(VerificationError) as caught:
        Registry.open(home, clock=clock)
    assert caught.value.exit_code == 5


def test_a_database_of_another_program_is_an_alarm_and_stays_as_it_is(
    home: Home, clock: FixedClock
) -> None:
    database = home.root / "registry.db"
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE meta (name TEXT)")
        connection.execute("INSERT INTO meta VALUES ('theirs')")
    connection.close()
    with pytest.raises(VerificationError, match="not a registry") as caught:
        Registry.open(home, clock=clock)
    assert caught.value.exit_code == 5
    with sqlite3.connect(database) as connection:
        assert connection.execute("SELECT name FROM meta").fetchone() == ("theirs",)
        assert not connection.execute(
            "SELECT 1 FROM sqlite_master WHERE name = 'grants'"
        ).fetchone()
    connection.close()


def test_another_registrys_database_under_this_log_is_an_alarm(
    stage: Stage, home: Home, clock: FixedClock, tmp_path: Path
) -> None:
    stage.registry.close()
    other_home = Home.open(tmp_path / "other")
    with Registry.open(other_home, clock=clock) as other:
        Stage(other).grant()
    for path in home.root.glob("registry.db*"):
        path.unlink()
    shutil.copy(other_home.root / "registry.db", home.root / "registry.db")
    with pytest.raises(VerificationError) as caught:
        Registry.open(home, clock=clock)
    assert caught.value.exit_code == 5


def test_a_grant_that_was_deleted_and_imported_again_has_no_minutes_back(
    stage: Stage, home: Home
) -> None:
    token = stage.token(minutes=30)
    grant = stage.registry.import_grant(token)
    given = stage.registry.authorize(stage.request(minutes=10.0))
    with stage.registry.lease(given.id):
        stage.seal(given.id, minutes=8.0)
    with sqlite3.connect(home.root / "registry.db") as connection:
        connection.execute("DELETE FROM grants")
        connection.execute("UPDATE voice_uses SET duration_ms = 1")
    connection.close()
    again = stage.registry.import_grant(token)
    assert again.leaf_index == grant.leaf_index
    assert stage.used_minutes(grant.id) == 8.0


@pytest.mark.parametrize("grant_id", ["../../etc/passwd", "", "x" * 10_000, "urn:uuid:1", ANNA])
def test_a_grant_id_is_only_looked_up(stage: Stage, grant_id: str) -> None:
    with pytest.raises(RefusedError, match="no grant"):
        stage.registry.grant(grant_id)


@pytest.mark.parametrize("ending", ["compromise", "rotation"])
def test_an_older_state_of_a_key_put_back_is_noticed(stage: Stage, home: Home, ending: str) -> None:
    token = stage.token()
    columns = "state, valid_until, compromised_since, ended_leaf, signature"
    with sqlite3.connect(home.root / "registry.db") as connection:
        old = connection.execute(
            f"SELECT {columns} FROM party_keys WHERE did = ?", (stage.anna.did,)
        ).fetchone()
    connection.close()
    if ending == "compromise":
        stage.say("compromise", stage.anna.did, since=stage.now())
    else:
        stage.registry.rotate_key("anna")
    sql(home, f"UPDATE party_keys SET ({columns}) = (?, ?, ?, ?, ?) WHERE did = ?", *old,
        stage.anna.did)  # fmt: skip
    with pytest.raises(VerificationError, match="has ended by the log, and is active"):
        stage.registry.import_grant(token)
    assert any("by the log it is" in problem for problem in stage.registry.check().problems)


def test_an_older_state_of_a_mandate_put_back_is_noticed(stage: Stage, home: Home) -> None:
    agent = stage.registry.create_party("person", "agent", "Agent")
    mandate = stage.say(
        "mandate", stage.anna.id, kind="agent", representative=agent.id,
        representative_did=agent.did, scope=("grant",), valid_from=stage.now(),
    )  # fmt: skip
    with sqlite3.connect(home.root / "registry.db") as connection:
        (old,) = connection.execute("SELECT signature FROM mandates").fetchone()
    connection.close()
    stage.say("revocation", mandate.id)
    sql(home, "UPDATE mandates SET revoked_at = NULL, signature = ?", old)
    with pytest.raises(VerificationError, match="is revoked by the log, and not in"):
        stage.grant(signer=agent, basis=Basis(kind="agent", mandate=mandate.id))
    assert stage.registry.check().problems
