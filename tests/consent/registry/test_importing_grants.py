"""Grants on their way in: who may give them, to whom, for which voice."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import pytest
from consent_kit import NOON
from grants_kit import ANNA, Stage

from consent.clock import FixedClock
from consent.credentials.grant import Basis, StatusEntry, draft_grant
from consent.credentials.statement import draft_statement
from consent.errors import RefusedError, VerificationError
from consent.registry import Registry
from consent.registry.party.records import Party


@pytest.fixture
def stage(registry: Registry) -> Stage:
    return Stage(registry)


def named_agent(stage: Stage, handle: str = "agent", **changes: Any) -> tuple[Party, str]:
    """An agent whom Anna has named, and the mandate's id."""
    agent = stage.registry.create_party("organisation", handle, "The Agency")
    body: dict[str, Any] = {
        "kind": "agent",
        "representative": agent.id,
        "representative_did": agent.did,
        "scope": ("grant", "revoke"),
        "valid_from": stage.now(),
    }
    return agent, stage.say("mandate", stage.anna.id, **(body | changes)).id


def test_a_grant_reads_back_as_it_was_signed(stage: Stage) -> None:
    token = stage.token()
    record = stage.registry.import_grant(token)
    assert record.grant is not None
    assert record.grant.token == token
    assert record.grant.terms == stage.terms()
    assert stage.registry.grant(record.id) == record
    assert stage.registry.grants(voice=ANNA, licensee=stage.studio.id) == [record]
    assert stage.registry.grants(owner=stage.studio.id) == []
    assert (record.standing(NOON), record.status_age(NOON)) == ("active", timedelta(0))
    assert stage.registry.check().ok


def test_many_grants_are_taken_in_one_step_or_none(stage: Stage) -> None:
    tokens = [stage.token() for _ in range(5)]
    records = stage.registry.import_grants(tokens)
    assert [r.id for r in stage.registry.grants()] == [r.id for r in reversed(records)]
    size = stage.registry.log.checkpoint().size
    good, bad = stage.token(), stage.token(registry_did=stage.anna.did)
    with pytest.raises(RefusedError, match=r"grant 2 of 2: .* may be spent at the registry"):
        stage.registry.import_grants([good, bad])
    assert stage.registry.log.checkpoint().size == size
    assert len(stage.registry.grants()) == 5
    assert stage.registry.check().ok


def test_a_grant_for_another_registry_is_refused(stage: Stage) -> None:
    with pytest.raises(RefusedError, match="may be spent at the registry"):
        stage.grant(registry_did=stage.studio.did)


def test_a_grant_signed_by_the_licensee_is_refused(stage: Stage) -> None:
    # With the key it is given to, the document itself is refused; with another, the registry.
    with pytest.raises(RefusedError, match="issuer/licensee"):
        stage.token(signer=stage.studio)
    second = stage.registry.create_party("organisation", "studio-b", "Studio B")
    with pytest.raises(RefusedError, match="not the rights holder"):
        stage.grant(signer=second)


def test_a_grant_signed_with_an_unknown_key_is_refused(stage: Stage) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from consent.identity.did import did_from_public
    from consent.keys import raw_public

    key = Ed25519PrivateKey.generate()
    waiting = draft_grant(
        stage.terms(),
        issuer_did=did_from_public(raw_public(key)),
        status=stage.registry.new_status_entry(),
        now=NOON,
    )
    with pytest.raises(RefusedError, match="no party's key"):
        stage.registry.import_grant(waiting.sign(key))


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ({"voice": "clone:nobody"}, "not registered"),
        ({"owner": "p0123456789abcdef"}, "it belongs to"),
        ({"licensee": "p0123456789abcdef"}, "no party"),
        ({"valid_from": NOON - timedelta(days=9), "valid_until": NOON - timedelta(days=1),
          "now": NOON - timedelta(days=9)}, "ended"),
        ({"now": NOON + timedelta(hours=1)}, "says it was signed"),
    ],
)  # fmt: skip
def test_a_grant_that_does_not_fit_the_registry_is_refused(
    stage: Stage, terms: dict[str, Any], words: str
) -> None:
    with pytest.raises(RefusedError, match=words):
        stage.grant(**terms)


def test_a_grant_that_begins_tomorrow_is_kept_and_counts_from_then(
    stage: Stage, clock: FixedClock
) -> None:
    record = stage.grant(valid_from=NOON + timedelta(days=1))
    assert record.standing(NOON) == "not-yet-valid"
    assert record.standing(NOON + timedelta(days=1)) == "active"
    assert record.standing(record.valid_until) == "expired"


def test_a_key_that_is_not_the_licensees_is_refused(stage: Stage) -> None:
    other = stage.registry.create_party("organisation", "other", "Other")
    with pytest.raises(RefusedError, match="no key of the licensee"):
        stage.grant(licensee_did=other.did)


def test_a_replayed_import_changes_nothing(stage: Stage) -> None:
    token = stage.token()
    stage.registry.import_grant(token)
    size = stage.registry.log.checkpoint().size
    with pytest.raises(RefusedError, match="already on record"):
        stage.registry.import_grant(token)
    with pytest.raises(RefusedError, match=r"grant 2 of 2: .*given twice"):
        again = stage.token()
        stage.registry.import_grants([again, again])
    assert len(stage.registry.grants()) == 1
    assert stage.registry.log.checkpoint().size <= size + 1  # a new status list at most


def test_two_grants_do_not_share_a_place_in_a_status_list(stage: Stage) -> None:
    entry = stage.registry.new_status_entry()
    stage.grant(status=entry)
    with pytest.raises(RefusedError, match="where another grant stands"):
        stage.grant(status=entry)
    with pytest.raises(RefusedError, match="of a list of 131,072"):
        stage.grant(status=StatusEntry(entry.list_id, 200_000))


# -- Superseding ------------------------------------------------------------------------


def test_a_grant_takes_the_place_of_its_predecessor(stage: Stage) -> None:
    old = stage.grant()
    new = stage.grant(supersedes=old.id, minutes=120)
    ended = stage.registry.grant(old.id)
    assert (ended.status, ended.superseded_by) == ("superseded", new.id)
    assert new.status == "active"
    with pytest.raises(RefusedError, match="which is superseded"):
        stage.grant(supersedes=old.id)
    assert stage.registry.check().ok


def test_somebody_elses_grant_cannot_be_superseded(stage: Stage) -> None:
    annas = stage.grant()
    registry = stage.registry
    berta = registry.create_party("person", "berta", "Berta")
    registry.register_voice("clone:berta", berta.id)
    with pytest.raises(RefusedError, match="another voice, owner or"):
        stage.grant(signer=berta, voice="clone:berta", owner=berta.id, supersedes=annas.id)
    with pytest.raises(RefusedError, match="no grant"):
        stage.grant(supersedes="urn:uuid:00000000-0000-4000-8000-000000000000")
    assert registry.grant(annas.id).status == "active"


# -- Mandates ---------------------------------------------------------------------------


def test_an_agent_grants_within_the_mandate_and_no_further(stage: Stage, clock: FixedClock) -> None:
    agent, mandate = named_agent(stage, valid_until=NOON + timedelta(days=10))
    basis = Basis(kind="agent", mandate=mandate)
    given = stage.grant(signer=agent, basis=basis)
    assert given.standing(NOON) == "active"
    with pytest.raises(RefusedError, match="says its basis is 'agent'"):
        stage.grant(basis=basis)
    clock.advance(timedelta(days=10))
    with pytest.raises(RefusedError, match="it ended on 2026-12-01"):
        stage.grant(signer=agent, basis=basis)
    assert stage.registry.check().ok


def test_an_agent_without_that_scope_grants_nothing(stage: Stage) -> None:
    agent, mandate = named_agent(stage, scope=("revoke",))
    with pytest.raises(RefusedError, match="it covers revoke, not grant"):
        stage.grant(signer=agent, basis=Basis(kind="agent", mandate=mandate))


def test_an_agent_does_not_name_themselves(stage: Stage) -> None:
    agent = stage.registry.create_party("organisation", "agent", "The Agency")
    with pytest.raises(RefusedError, match="lets somebody act for"):
        stage.say(
            "mandate", stage.anna.id, signer=agent, kind="agent", representative=agent.id,
            representative_did=agent.did, scope=("grant",), valid_from=stage.now(),
        )  # fmt: skip
    with pytest.raises(RefusedError, match="names an agent of"):
        stage.registry.record_mandate("agent", stage.anna.id, agent.id)


def test_an_ended_mandate_gives_nothing_more(stage: Stage) -> None:
    agent, mandate = named_agent(stage)
    other = stage.registry.create_party("person", "other", "Other")
    with pytest.raises(RefusedError, match="ends the mandate of"):
        stage.say("revocation", mandate, signer=other)
    stage.say("revocation", mandate)
    with pytest.raises(RefusedError, match="it was revoked on"):
        stage.grant(signer=agent, basis=Basis(kind="agent", mandate=mandate))
    assert stage.registry.check().ok


# -- Minors and estates -----------------------------------------------------------------

PROOF = "f" * 64
BORN = date(2012, 6, 1)


def family(registry: Registry) -> tuple[Party, Party]:
    """A child with a voice, and a parent."""
    child = registry.create_party("person", "child", "Child", birth_date=BORN)
    registry.register_voice("clone:child", child.id)
    return child, registry.create_party("person", "parent", "Parent")


def test_a_guardian_grants_until_the_18th_birthday(stage: Stage) -> None:
    child, parent = family(stage.registry)
    adult = NOON.replace(year=2030, month=6, day=1, hour=0)
    mandate = stage.registry.record_mandate(
        "guardian", "child", "parent", valid_until=adult, proof=PROOF
    )
    terms: dict[str, Any] = {
        "signer": parent,
        "voice": "clone:child",
        "owner": child.id,
        "basis": Basis(kind="guardian", mandate=mandate.id, proof=PROOF),
        "minor_until": date(2030, 6, 1),
        "valid_until": adult,
    }
    assert stage.grant(**terms).standing(NOON) == "active"
    with pytest.raises(RefusedError, match="2030-06-02; by the date of birth on record"):
        stage.grant(**(terms | {"minor_until": date(2030, 6, 2)}))
    with pytest.raises(RefusedError, match=r"term/minor"):
        stage.grant(**(terms | {"valid_until": adult + timedelta(seconds=1)}))
    assert stage.registry.check().ok


def test_a_minor_and_a_minors_agent_grant_nothing(stage: Stage) -> None:
    child, parent = family(stage.registry)
    with pytest.raises(RefusedError, match=r"is a minor until 2030-06-01.*basis/minor"):
        stage.grant(signer=child, voice="clone:child", owner=child.id)
    with pytest.raises(RefusedError, match=r"cannot name an agent .*basis/minor"):
        stage.say(
            "mandate", child.id, signer=child, kind="agent", representative=parent.id,
            representative_did=parent.did, scope=("grant",), valid_from=stage.now(),
        )  # fmt: skip


def test_nobody_becomes_a_guardian_by_their_own_word(stage: Stage) -> None:
    child, parent = family(stage.registry)
    with pytest.raises(RefusedError, match="signed it"):
        stage.say(
            "mandate", child.id, signer=parent, kind="guardian", representative=parent.id,
            representative_did=parent.did, scope=("grant",), valid_from=stage.now(),
            valid_until=stage.now() + timedelta(days=30), proof=PROOF,
        )  # fmt: skip


@pytest.mark.parametrize("until", [None, NOON.replace(year=2031)])
def test_a_guardians_mandate_ends_on_the_18th_birthday(stage: Stage, until: Any) -> None:
    family(stage.registry)
    with pytest.raises(RefusedError, match=r"18th birthday, 2030-06-01.*term/minor"):
        stage.registry.record_mandate("guardian", "child", "parent", valid_until=until, proof=PROOF)


def test_an_adult_has_no_guardian(stage: Stage) -> None:
    family(stage.registry)
    with pytest.raises(RefusedError, match=r"is no minor .*basis/guardian"):
        stage.registry.record_mandate(
            "guardian", "anna", "parent", valid_until=NOON + timedelta(days=9), proof=PROOF
        )


def test_an_estate_grants_the_voice_of_the_dead(stage: Stage) -> None:
    registry = stage.registry
    dead = registry.create_party("person", "dead", "The Dead", with_key=False)
    registry.register_voice("clone:dead", dead.id)
    heir = registry.create_party("person", "heir", "Heir")
    mandate = registry.record_mandate("estate", dead.id, "heir", proof=PROOF)
    basis = Basis(kind="estate", mandate=mandate.id, proof=PROOF)
    record = stage.grant(signer=heir, voice="clone:dead", owner=dead.id, basis=basis)
    assert record.standing(NOON) == "active"
    assert registry.check().ok


def test_the_named_mandate_counts_and_no_other(stage: Stage) -> None:
    agent, _ = named_agent(stage)
    _, other = named_agent(stage, "agent-b")
    with pytest.raises(RefusedError, match="not the rights holder"):
        stage.grant(signer=agent, basis=Basis(kind="agent", mandate=other))


# -- Keys over time ---------------------------------------------------------------------


def test_what_an_old_key_signed_stays_good_and_gives_nothing_new(stage: Stage) -> None:
    before, unused, old = stage.grant(), stage.token(), stage.anna
    stage.registry.rotate_key("anna")
    assert stage.registry.grant(before.id).standing(NOON) == "active"
    with pytest.raises(RefusedError, match="it was replaced before"):
        stage.registry.import_grant(unused)
    stage.anna = stage.registry.party("anna")
    assert stage.anna.did != old.did
    assert [key.state for key in stage.anna.keys] == ["rotated", "active"]
    assert stage.grant().standing(NOON) == "active"
    assert stage.registry.check().ok


def test_a_rotation_is_signed_with_the_old_key_alone(stage: Stage) -> None:
    new = stage.registry.prepare_key("anna")
    for signer in (stage.studio, stage.anna):
        body = {"old_did": stage.studio.did if signer is stage.anna else stage.anna.did}
        with pytest.raises(RefusedError, match="not with the old key"):
            stage.say("rotation", stage.anna.id, signer=signer, **body, new_did=new)
    with pytest.raises(RefusedError, match=f"the key is {stage.anna.id}'s"):
        stage.say("rotation", stage.studio.id, old_did=stage.anna.did, new_did=new)
    with pytest.raises(RefusedError, match="already on record"):
        stage.say("rotation", stage.anna.id, old_did=stage.anna.did, new_did=stage.studio.did)


def test_what_came_in_before_a_compromise_stays_good_and_later_does_not(
    stage: Stage, clock: FixedClock
) -> None:
    early = stage.grant()
    clock.advance(timedelta(days=1))
    stolen_at = stage.now()
    clock.advance(timedelta(days=1))
    late, unused = stage.grant(now=NOON), stage.token(now=NOON)  # dated back by the thief
    key = stage.registry.signing_key("anna")
    assert key is not None
    word = draft_statement(
        "revocation", issuer_did=stage.anna.did, subject=early.id, body={}, now=stage.now()
    ).sign(key)
    clock.advance(timedelta(days=1))
    stage.say("compromise", stage.anna.did, since=stolen_at)
    now = stage.now()
    assert stage.registry.grant(early.id).standing(now) == "active"
    assert stage.registry.grant(late.id).standing(now) == "key-not-valid"
    assert "compromised since 2026-11-22" in stage.registry.grant(late.id).key_fault
    with pytest.raises(RefusedError, match="compromised since"):
        stage.registry.import_grant(unused)
    with pytest.raises(RefusedError, match="compromised"):
        stage.registry.add_statement(word)
    assert stage.registry.check().ok


def test_a_stolen_key_does_not_name_its_successor(stage: Stage) -> None:
    thief = stage.registry.prepare_key("studio")
    with pytest.raises(RefusedError, match="a thief could do so too"):
        stage.say("compromise", stage.anna.did, since=NOON, new_did=thief)


def test_strangers_and_the_future_compromise_nothing(stage: Stage) -> None:
    with pytest.raises(RefusedError, match="not the rights holder"):
        stage.say("compromise", stage.anna.did, signer=stage.studio, since=NOON)
    with pytest.raises(RefusedError, match="which is not yet"):
        stage.say("compromise", stage.anna.did, since=NOON + timedelta(days=1))
    assert stage.registry.party("anna").keys[0].state == "active"


def test_the_operator_replaces_a_lost_key_with_a_logged_reason(stage: Stage) -> None:
    before = stage.grant()
    stage.registry.replace_key("anna", "laptop lost, told by phone, called back", since=stage.now())
    party = stage.registry.party("anna")
    assert [key.state for key in party.keys] == ["compromised", "active"]
    (said,) = stage.registry.statements(kind="compromise")
    assert said.statement is not None
    assert said.issuer_party == ""
    assert said.statement.body["reason"].startswith("laptop lost")
    assert stage.registry.grant(before.id).key_fault  # it came in at the very same moment
    stage.anna = party
    assert stage.grant().standing(NOON) == "active"
    waiting = draft_statement(
        "compromise",
        issuer_did=stage.registry.did,
        subject=party.did,
        body={"since": NOON},
        now=NOON,
    )
    with pytest.raises(Exception, match="gives no reason"):
        stage.registry.add_statement(waiting.sign(stage.registry._core.key))
    assert stage.registry.check().ok


def test_an_agent_ends_a_key_but_names_no_other(stage: Stage) -> None:
    agent, _ = named_agent(stage)
    new = stage.registry.prepare_key("anna")
    with pytest.raises(RefusedError, match="an agent may not"):
        stage.say("compromise", stage.anna.did, signer=agent, since=NOON, new_did=new)
    stage.say("compromise", stage.anna.did, signer=agent, since=NOON)
    assert stage.registry.party("anna").did == ""


def test_a_party_without_a_key_gets_its_first(stage: Stage) -> None:
    stage.registry.create_party("person", "late", "Late", with_key=False)
    party = stage.registry.replace_key("late", "first key, identity card seen")
    assert [key.held for key in party.keys] == ["here"]
    assert stage.registry.signing_key("late") is not None
    kinds = [json.loads(leaf)["kind"] for leaf in stage.registry.log.entries()]
    assert kinds[-1] == "party-key"


def test_a_grant_that_was_changed_is_no_grant(stage: Stage) -> None:
    token = stage.token()
    with pytest.raises(VerificationError):
        stage.registry.import_grant(token[:-4] + "AAAA")
