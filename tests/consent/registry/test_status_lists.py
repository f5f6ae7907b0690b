"""Status lists: what others can read of a grant, and what can be read from others."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest
from consent_kit import NOON, sql
from grants_kit import Stage

from consent.clock import FixedClock
from consent.credentials.grant import StatusEntry, suspension_list_id
from consent.credentials.status import MIN_BITS, StatusList, open_status_list
from consent.errors import RefusedError, VerificationError
from consent.home import Home
from consent.registry import Registry
from consent.registry.party.records import GrantRecord, Party

FOREIGN = "https://lists.example/anna/1"


@pytest.fixture
def stage(registry: Registry) -> Stage:
    return Stage(registry)


def a_list(
    stage: Stage,
    *places: int,
    suspension: bool = False,
    signer: Party | None = None,
    date: datetime | None = None,
) -> str:
    """A status list that Anna keeps elsewhere, with `places` set."""
    who = signer or stage.anna
    key = stage.registry.signing_key(who.id)
    assert key is not None
    listed = StatusList(MIN_BITS)
    for place in places:
        listed.set(place)
    list_id = suspension_list_id(FOREIGN) if suspension else FOREIGN
    begins = date or stage.now()
    return listed.to_credential(who.did, list_id, begins, begins + timedelta(days=30)).sign(key)


def both(stage: Stage) -> None:
    """Anna's two lists, with nothing set."""
    stage.registry.import_status_list(a_list(stage))
    stage.registry.import_status_list(a_list(stage, suspension=True))


def foreign_grant(stage: Stage, index: int = 7) -> GrantRecord:
    """A grant whose status Anna keeps elsewhere."""
    return stage.grant(status=StatusEntry(FOREIGN, index), status_interval_s=3600)


def test_places_are_given_out_at_random_and_once(stage: Stage) -> None:
    entries = stage.registry.new_status_entries(200)
    places = [entry.index for entry in entries]
    assert len(set(places)) == 200
    assert len({entry.list_id for entry in entries}) == 1
    assert all(0 <= place < MIN_BITS for place in places)
    assert places != sorted(places), "an order would tell which grant came first"
    again = stage.registry.new_status_entries(50)
    assert not {entry.index for entry in again} & set(places)


def test_an_exported_list_tells_what_ended(stage: Stage, clock: FixedClock) -> None:
    revoked, suspended, superseded, active = (stage.grant() for _ in range(4))
    stage.say("revocation", revoked.id)
    stage.say("suspension", suspended.id)
    stage.grant(supersedes=superseded.id)
    list_id = revoked.status_list
    ended = open_status_list(stage.registry.export_status_list(list_id))
    resting = open_status_list(stage.registry.export_status_list(suspension_list_id(list_id)))
    assert sorted(ended.indexes()) == sorted([revoked.status_index, superseded.status_index])
    assert resting.indexes() == [suspended.status_index]
    assert (ended.issuer_did, ended.valid_from) == (stage.registry.did, stage.now())
    assert active.status_index not in ended.indexes()
    entry = json.loads(list(stage.registry.log.entries())[-1])
    assert (entry["kind"], entry["type"]) == ("status-list", "export")
    with pytest.raises(RefusedError, match="not a status list of this registry"):
        stage.registry.export_status_list(FOREIGN)
    assert stage.registry.check().ok


def test_a_foreign_status_is_stale_without_news(stage: Stage, clock: FixedClock) -> None:
    grant = foreign_grant(stage)
    assert (grant.status_age(NOON), grant.standing(NOON)) == (None, "status-stale")
    stage.registry.import_status_list(a_list(stage))
    assert stage.registry.grant(grant.id).standing(NOON) == "status-stale", "one of two lists"
    stage.registry.import_status_list(a_list(stage, suspension=True))
    fresh = stage.registry.grant(grant.id)
    assert fresh.standing(NOON) == "active"
    assert fresh.standing(NOON + timedelta(hours=1)) == "active"
    assert fresh.standing(NOON + timedelta(hours=1, seconds=1)) == "status-stale"
    assert stage.registry.check().ok


def test_a_foreign_list_revokes_and_suspends(stage: Stage, clock: FixedClock) -> None:
    one, two = foreign_grant(stage, 7), foreign_grant(stage, 8)
    both(stage)
    change = stage.registry.import_status_list(a_list(stage, 7))
    assert (change.grants, change.changed) == (2, 1)
    assert stage.registry.grant(one.id).status == "revoked"
    stage.registry.import_status_list(a_list(stage, 8, suspension=True))
    assert stage.registry.grant(two.id).status == "suspended"
    stage.registry.import_status_list(a_list(stage, suspension=True))
    assert stage.registry.grant(two.id).status == "active"
    stage.registry.import_status_list(a_list(stage))
    assert stage.registry.grant(one.id).status == "revoked", "a revocation never ends"
    assert stage.registry.check().ok


def test_a_list_does_not_lift_what_was_said_here(stage: Stage) -> None:
    grant = foreign_grant(stage)
    both(stage)
    stage.say("suspension", grant.id)
    stage.registry.import_status_list(a_list(stage, suspension=True))
    assert stage.registry.grant(grant.id).status == "suspended"


def test_an_older_list_is_no_news(stage: Stage, clock: FixedClock) -> None:
    foreign_grant(stage)
    old = a_list(stage)
    clock.advance(timedelta(hours=2))
    stage.registry.import_status_list(a_list(stage, 7))
    with pytest.raises(RefusedError, match=r"one of 2026-11-21T14:00:00\.000Z is known"):
        stage.registry.import_status_list(old)


def test_a_list_that_is_over_or_from_the_future_is_refused(stage: Stage, clock: FixedClock) -> None:
    foreign_grant(stage)
    with pytest.raises(RefusedError, match="says it was signed"):
        stage.registry.import_status_list(a_list(stage, date=NOON + timedelta(hours=1)))
    old = a_list(stage)
    clock.advance(timedelta(days=30))
    with pytest.raises(RefusedError, match="may not be used since"):
        stage.registry.import_status_list(old)


def test_only_the_rights_holders_side_keeps_a_list(stage: Stage) -> None:
    grant = foreign_grant(stage)
    with pytest.raises(RefusedError, match="not the rights holder"):
        stage.registry.import_status_list(a_list(stage, 7, signer=stage.studio))
    assert stage.registry.grant(grant.id).status == "active"


def test_a_list_about_nothing_here_and_one_of_our_own_are_refused(stage: Stage) -> None:
    with pytest.raises(RefusedError, match="no grant on record names"):
        stage.registry.import_status_list(a_list(stage))
    own = stage.grant().status_list
    with pytest.raises(RefusedError, match="of this registry"):
        stage.registry.import_status_list(stage.registry.export_status_list(own))


@pytest.mark.sqlite_only
def test_an_edited_grant_is_not_exported_as_good(stage: Stage, home: Home) -> None:
    grant = stage.grant()
    stage.say("revocation", grant.id)
    sql(home, "UPDATE grants SET status = 'active'")
    with pytest.raises(VerificationError, match="was changed in the registry"):
        stage.registry.export_status_list(grant.status_list)
