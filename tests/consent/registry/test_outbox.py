"""Killed between log and database: what was signed or entered is there when it is next opened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from consent_kit import NOON
from grants_kit import ANNA, Stage
from sqlmodel import Session

from consent.clock import FixedClock
from consent.errors import RefusedError
from consent.home import Home
from consent.registry import Registry


class Killed(BaseException):
    """Stands for the end of the process: nobody answers it."""


@pytest.fixture
def stage(registry: Registry) -> Stage:
    return Stage(registry)


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Ends what it is wrapped around where the log has the entry and the database has not."""

    @contextmanager
    def killed() -> Iterator[None]:
        def commit(_session: Session) -> None:
            raise Killed

        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(Session, "commit", commit)
            yield

    return killed


@pytest.fixture
def reopened(home: Home) -> Callable[[], Registry]:
    return lambda: Registry.open(home, clock=FixedClock(NOON))


def clean(home: Home, registry: Registry) -> bool:
    return registry.check().problems == () and list(home.outbox.iterdir()) == []


def test_a_party_and_its_key_survive(
    home: Home, registry: Registry, killed: Any, reopened: Callable[[], Registry]
) -> None:
    with killed():
        registry.create_party("person", "bob", "Bob Example")
    with reopened() as again:
        bob = again.party("bob")
        assert bob.display_name == "Bob Example"
        assert again.signing_key(bob.id) is not None
        again.create_party("person", "carol", "Carol Example")
        assert clean(home, again)


def test_a_voice_survives(
    home: Home, registry: Registry, killed: Any, reopened: Callable[[], Registry]
) -> None:
    registry.create_party("person", "anna", "Anna Example")
    with killed():
        registry.register_voice(ANNA, "anna", alias="my own")
    with reopened() as again:
        found = again.registered_voice(ANNA)
        assert found is not None
        assert found.alias == "my own"
        again.create_party("person", "carol", "Carol Example")
        assert clean(home, again)


def test_a_grant_survives(
    home: Home, stage: Stage, killed: Any, reopened: Callable[[], Registry]
) -> None:
    token = stage.token()
    with killed():
        stage.registry.import_grant(token)
    with reopened() as again:
        (record,) = again.grants(voice=ANNA)
        assert record.grant is not None
        assert record.grant.token == token
        assert record.standing(NOON) == "active"
        assert clean(home, again)


def test_a_revocation_survives_and_counts(
    home: Home, stage: Stage, killed: Any, reopened: Callable[[], Registry]
) -> None:
    grant = stage.grant()
    with killed():
        stage.say("revocation", grant.id)
    with reopened() as again:
        assert again.grant(grant.id).standing(NOON) == "revoked"
        (said,) = again.statements(grant=grant.id)
        assert said.statement is not None
        assert clean(home, again)


def test_a_change_of_key_survives(
    home: Home, stage: Stage, killed: Any, reopened: Callable[[], Registry]
) -> None:
    old = stage.anna.did
    with killed():
        stage.registry.rotate_key(stage.anna.id)
    with reopened() as again:
        anna = again.party("anna")
        assert anna.did not in ("", old)
        assert again.signing_key(anna.id) is not None
        assert clean(home, again)


def test_what_is_refused_is_not_kept(home: Home, stage: Stage) -> None:
    with pytest.raises(RefusedError):
        stage.registry.import_grant(stage.token(registry_did=stage.anna.did))
    assert list(home.outbox.iterdir()) == []


def test_a_strangers_file_in_the_outbox_is_ignored(
    home: Home, stage: Stage, reopened: Callable[[], Registry]
) -> None:
    (home.outbox / "documents-0").write_bytes(b"nothing of ours, and not encrypted by us")
    (home.outbox / "rows-7").write_bytes(b"short")
    with reopened() as again:
        again.create_party("person", "carol", "Carol Example")
        assert clean(home, again)


def test_nothing_in_the_outbox_can_be_read(home: Home, stage: Stage, killed: Any) -> None:
    with killed():
        stage.registry.create_party("person", "bob", "Bob Example")
    (kept,) = home.outbox.iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600
    assert b"bob" not in kept.read_bytes().lower()
