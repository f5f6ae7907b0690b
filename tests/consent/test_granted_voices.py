"""A person's voice: by which yes it speaks, and what stops it on the way."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from consent_kit import HEART, NOON, a_request
from grants_kit import ANNA, Stage, anna_speaks

from consent.canonical import canonical, commitment
from consent.clock import FixedClock
from consent.credentials.grant import Disclosure, Work, add_years
from consent.errors import RefusedError
from consent.registry import Authorization, Denied, Registry
from consent.registry.party.records import GrantRecord


@pytest.fixture
def stage(registry: Registry) -> Stage:
    return Stage(registry)


def denied(stage: Stage, **changes: Any) -> Denied:
    with pytest.raises(Denied) as caught:
        stage.registry.authorize(stage.request(**changes))
    assert caught.value.cures, "a refusal says what would change it"
    return caught.value


# -- The yes ----------------------------------------------------------------------------


def test_a_grant_lets_a_voice_speak_and_its_minutes_are_held(stage: Stage) -> None:
    grant = stage.grant()
    given = stage.registry.authorize(stage.request(minutes=10.0))
    (use,) = given.grants
    assert (use.voice, use.grant_id, use.grant_digest) == (ANNA, grant.id, grant.digest)
    assert use.reserved_ms == 10 * 66_000 + 30_000  # ten per cent and half a minute
    assert not use.review
    assert "base/granted-voice" in given.policy_decision
    assert stage.registry.find_authorization("b" * 64) == given


def test_a_registered_voice_asked_for_as_stock_is_denied(stage: Stage) -> None:
    stage.grant()
    as_stock = dataclasses.replace(HEART, voice=ANNA)
    assert denied(stage, voices=(as_stock,)).rules == ("base/registered-voice",)


def test_a_voice_that_is_nobodys_does_not_speak_by_a_grant(stage: Stage) -> None:
    stage.grant()
    nobodys = dataclasses.replace(anna_speaks(), voice="clone:nobody")
    assert "base/grant-on-record" in denied(stage, voices=(nobodys,)).rules


def test_nobody_else_speaks_by_somebodys_grant(stage: Stage) -> None:
    grant = stage.grant()
    other = stage.registry.create_party("organisation", "other", "Another Studio")
    assert denied(stage, licensee=other.id).rules == ("base/grant-on-record",)
    assert denied(stage, licensee="").rules == ("base/grant-on-record",)
    assert denied(stage, licensee=other.id, grant=grant.id).rules == ("base/licensee",)


@pytest.mark.parametrize(
    ("terms", "request_", "rule"),
    [
        ({"purposes": ("speech",)}, {}, "base/purpose"),
        ({"languages": ("de",)}, {}, "base/language"),
        ({"territories": ("DE",)}, {}, "base/territory"),
        ({"territories": ("DE",)}, {"territory": "AT"}, "base/territory"),
        ({"channels": ("radio",)}, {}, "base/channel"),
        ({}, {"commercial": True}, "base/commercial"),
        ({"works": (Work(title="Another Book"),)}, {}, "base/work"),
        ({"permissions": ("cloning",)}, {}, "base/permission-synthesis"),
        ({"minutes": 9}, {}, "base/minutes"),
        ({"exclusions": ("political",)}, {"content": ("political",)}, "content/political"),
        ({"exclusions": ("political",)}, {"content": ()}, "content/declared"),
        ({"performer_approval": True}, {}, "base/performer-approval"),
        ({"disclosure": Disclosure(audible=True)}, {}, "base/audible-disclosure"),
    ],
)
def test_what_the_grant_does_not_cover_is_denied_by_name(
    stage: Stage, terms: dict[str, Any], request_: dict[str, Any], rule: str
) -> None:
    stage.grant(**terms)
    assert denied(stage, **request_).rules == (rule,)


def test_the_newest_grant_that_covers_the_job_is_taken(stage: Stage) -> None:
    covering = stage.grant()
    newer = stage.grant()
    stage.grant(languages=("de",))
    assert stage.registry.authorize(stage.request()).grants[0].grant_id == newer.id
    asked = stage.registry.authorize(stage.request(grant=covering.id))
    assert asked.grants[0].grant_id == covering.id


def test_the_reasons_are_those_of_the_grant_that_came_closest(stage: Stage) -> None:
    stage.grant(languages=("de",))
    stage.grant(languages=("fr",), purposes=("speech",))
    assert denied(stage).rules == ("base/language",)


def test_a_grant_of_another_voice_or_none_cannot_be_asked_for(stage: Stage) -> None:
    stage.registry.register_voice("clone:anna-young", stage.anna.id)
    other = stage.grant(voice="clone:anna-young")
    with pytest.raises(RefusedError, match="is for the voice clone:anna-young"):
        stage.registry.authorize(stage.request(grant=other.id))
    with pytest.raises(RefusedError, match="no grant 'urn:uuid:nothing' on record"):
        stage.registry.authorize(stage.request(grant="urn:uuid:nothing"))


def test_stock_and_granted_voices_share_a_job(stage: Stage) -> None:
    stage.grant()
    voices = (dataclasses.replace(HEART, minutes=4.0), anna_speaks(6.0))
    given = stage.registry.authorize(stage.request(voices=voices))
    assert {"base/stock-voice", "base/granted-voice"} <= set(given.policy_decision)
    with stage.registry.lease(given.id):
        draft = stage.draft(
            given.id,
            voices=(dataclasses.replace(HEART, minutes=0.5), anna_speaks(1.5)),
        )
        leaf = json.loads(stage.registry.issue_receipt(draft).leaf_json)
    assert leaf["voices"][0]["voice"] == HEART.voice
    assert "grant" not in leaf["voices"][0]
    assert stage.registry.check().ok


def test_authorizations_from_before_there_were_grants_still_verify(registry: Registry) -> None:
    given = registry.authorize(a_request())
    assert not {"grants", "licensee", "content"} & {*given.payload(), *given.payload()["request"]}
    assert registry.find_authorization("b" * 64) == given


def test_how_every_rule_stands_can_be_asked_without_holding_a_minute(stage: Stage) -> None:
    grant = stage.grant(minutes=11)
    explained = stage.registry.explain(stage.request(minutes=11.0, commercial=True))
    outcomes = {finding.rule: finding.outcome for finding in explained.findings}
    assert (outcomes["base/commercial"], outcomes["base/minutes"]) == ("denies", "met")
    assert not explained.decision.allowed
    assert stage.registry.authorize(stage.request(minutes=11.0)).grants[0].grant_id == grant.id


# -- When -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("begin", "until", "now", "standing"),
    [
        # Expired yesterday, valid tomorrow.
        ("2026-12-01T00:00+00:00", "2026-12-20T12:00+00:00", "2026-12-21T12:00+00:00", "expired"),
        ("2026-12-22T12:00+00:00", "2027-01-01T00:00+00:00", "2026-12-21T12:00+00:00",
         "not-yet-valid"),
        # To the second: the first moment counts, the last does not.
        ("2026-12-01T00:00+00:00", "2026-12-21T12:00+00:00", "2026-12-21T12:00+00:00", "expired"),
        ("2026-12-01T00:00+00:00", "2026-12-21T12:00:01+00:00", "2026-12-21T12:00+00:00", ""),
        ("2026-12-21T12:00+00:00", "2027-01-01T00:00+00:00", "2026-12-21T12:00+00:00", ""),
        # Until midnight in Berlin, which is 23:00 in UTC.
        ("2026-12-01T00:00+01:00", "2027-01-01T00:00+01:00", "2026-12-31T22:59:59+00:00", ""),
        ("2026-12-01T00:00+01:00", "2027-01-01T00:00+01:00", "2026-12-31T23:00+00:00", "expired"),
        ("2026-12-01T00:00+01:00", "2027-01-01T00:00+01:00", "2027-01-01T00:00+01:00", "expired"),
        # The leap day is a day.
        ("2028-02-28T00:00+00:00", "2028-02-29T00:00+00:00", "2028-02-28T23:59+00:00", ""),
        ("2028-02-28T00:00+00:00", "2028-02-29T00:00+00:00", "2028-02-29T00:00+00:00", "expired"),
        ("2028-02-29T00:00+00:00", "2028-03-01T00:00+00:00", "2028-02-29T12:00+00:00", ""),
    ],
)  # fmt: skip
def test_a_grant_counts_from_its_first_moment_to_just_before_its_last(
    stage: Stage, clock: FixedClock, begin: str, until: str, now: str, standing: str
) -> None:
    ends = {
        "valid_from": datetime.fromisoformat(begin),
        "valid_until": datetime.fromisoformat(until),
    }
    stage.grant(**ends)
    clock.advance(datetime.fromisoformat(now) - clock.now())
    if standing:
        assert denied(stage).rules == (f"base/grant-{standing}",)
    else:
        stage.registry.authorize(stage.request())


def test_ten_years_from_a_leap_day_end_on_the_28th_of_february(
    stage: Stage, clock: FixedClock
) -> None:
    leap_day = datetime(2028, 2, 29, tzinfo=UTC)
    clock.advance(leap_day - NOON)
    stage.grant(valid_from=leap_day, valid_until=add_years(leap_day, 10))
    clock.advance(datetime(2038, 2, 27, 23, 59, tzinfo=UTC) - clock.now())
    given = stage.registry.authorize(stage.request())
    with stage.registry.lease(given.id) as lease:
        clock.advance(timedelta(minutes=1))
        lease._checked -= 2  # a second later
        with pytest.raises(RefusedError, match=r"ended on 2038-02-28T00:00:00\.000Z"):
            lease.check()
    assert denied(stage).rules == ("base/grant-expired",)


# -- What happens on the way ------------------------------------------------------------


def revoke(stage: Stage, grant: GrantRecord, _clock: FixedClock) -> None:
    stage.say("revocation", grant.id, reason="I have changed my mind")


def suspend(stage: Stage, grant: GrantRecord, _clock: FixedClock) -> None:
    stage.say("suspension", grant.id, reason="Let us talk first")


def supersede(stage: Stage, grant: GrantRecord, _clock: FixedClock) -> None:
    stage.grant(supersedes=grant.id)


def expire(stage: Stage, grant: GrantRecord, clock: FixedClock) -> None:
    clock.advance(timedelta(hours=2))


def compromise(stage: Stage, grant: GrantRecord, clock: FixedClock) -> None:
    key = stage.anna.did
    stage.say("compromise", key, since=(NOON - timedelta(days=1)).isoformat())


ENDINGS = [
    (revoke, r"was revoked on .*base/grant-revoked"),
    (suspend, r"is suspended since .*base/grant-suspended"),
    (supersede, r"was replaced by urn:uuid:.*base/grant-superseded"),
    (expire, r"ended on .*base/grant-expired"),
    (compromise, r"is no longer good: .*compromised since .*base/grant-signature"),
]
Ending = Callable[[Stage, GrantRecord, FixedClock], None]


@pytest.fixture
def at_work(stage: Stage) -> tuple[GrantRecord, Authorization]:
    grant = stage.grant(valid_until=NOON + timedelta(hours=1))
    return grant, stage.registry.authorize(stage.request())


@pytest.mark.parametrize(("ending", "words"), ENDINGS)
def test_a_grant_that_ends_between_authorize_and_lease_starts_nothing(
    stage: Stage, clock: FixedClock, at_work: tuple[GrantRecord, Authorization],
    ending: Ending, words: str,
) -> None:  # fmt: skip
    grant, given = at_work
    ending(stage, grant, clock)
    with pytest.raises(RefusedError, match=words if ending is not expire else "not started"):
        stage.registry.lease(given.id)
    found = stage.registry.find_authorization("b" * 64)
    assert found is None, "the job asks for a new one"


@pytest.mark.parametrize(("ending", "words"), ENDINGS)
def test_a_grant_that_ends_between_authorize_and_seal_stops_every_step(
    stage: Stage, clock: FixedClock, at_work: tuple[GrantRecord, Authorization],
    ending: Ending, words: str,
) -> None:  # fmt: skip
    grant, given = at_work
    registry = stage.registry
    with registry.lease(given.id) as lease:
        draft = stage.draft(given.id)
        registry.issue_receipt(draft)
        ending(stage, grant, clock)
        lease._checked = time.monotonic()
        lease.check()  # the registry's word is not a second old
        lease._checked -= 2  # a second later
        for _ in range(2):
            with pytest.raises(RefusedError, match=words):
                lease.check()
        with pytest.raises(RefusedError, match=words) as caught:
            registry.issue_receipt(stage.draft(given.id))
        assert grant.id in caught.value.message
        assert caught.value.hint
        with pytest.raises(RefusedError, match=words):
            registry.mark_sealed(draft.output_id, sha256="e" * 64, size=9, published_as="a")
    receipt = registry.receipt(draft.output_id)
    assert receipt is not None
    assert receipt.state == "abandoned"
    with registry._core.database.read() as session:
        from consent.registry.storage.tables import GrantRow

        row = session.get(GrantRow, grant.id)
        assert row is not None
        assert row.used_ms == 0, "what was not published is given back"
    assert registry.check().ok


def test_a_job_goes_on_after_a_suspension_is_lifted(
    stage: Stage, at_work: tuple[GrantRecord, Authorization], clock: FixedClock
) -> None:
    grant, given = at_work
    suspend(stage, grant, clock)
    with pytest.raises(RefusedError, match="suspended"):
        stage.registry.lease(given.id)
    clock.advance(timedelta(seconds=1))
    stage.say("reinstatement", grant.id)
    with stage.registry.lease(given.id):
        stage.seal(given.id)


def test_what_was_sealed_stays_sealed_when_the_grant_is_revoked(stage: Stage) -> None:
    grant = stage.grant()
    given = stage.registry.authorize(stage.request())
    with stage.registry.lease(given.id):
        output_id = stage.seal(given.id)
        stage.say("revocation", grant.id)
        # Saying the same twice is harmless, also later.
        stage.registry.mark_sealed(output_id, sha256="e" * 64, size=9, published_as="a.m4b")
    receipt = stage.registry.receipt(output_id)
    assert receipt is not None
    assert receipt.state == "sealed"
    assert stage.registry.check().ok


def test_one_ended_grant_of_two_stops_the_job(stage: Stage) -> None:
    stage.registry.register_voice("clone:anna-young", stage.anna.id)
    stage.grant()
    young = stage.grant(voice="clone:anna-young")
    voices = (anna_speaks(5.0), dataclasses.replace(anna_speaks(5.0), voice="clone:anna-young"))
    given = stage.registry.authorize(stage.request(voices=voices))
    assert len(given.grants) == 2
    with stage.registry.lease(given.id):
        stage.say("revocation", young.id)
        with pytest.raises(RefusedError, match=young.id):  # though only the other one speaks
            stage.registry.issue_receipt(stage.draft(given.id))


# -- Approval ---------------------------------------------------------------------------


def test_a_draft_for_the_performers_ears_spends_nothing_and_is_on_record(stage: Stage) -> None:
    grant = stage.grant(minutes=10, performer_approval=True)
    for _ in range(2):  # more than the grant has, and still free
        given = stage.registry.authorize(stage.request(minutes=10.0, channel="review"))
        assert [(use.reserved_ms, use.review) for use in given.grants] == [(0, True)]
        with stage.registry.lease(given.id):
            draft = stage.draft(given.id, minutes=9.0)
            receipt = stage.registry.issue_receipt(draft)
            stage.registry.mark_sealed(
                draft.output_id, sha256="e" * 64, size=9, published_as="draft.m4b"
            )
        (voice,) = json.loads(receipt.leaf_json)["voices"]
        assert voice["review"] is True
    assert stage.used_minutes(grant.id) == 0
    assert stage.registry.check().ok


def test_publication_waits_for_the_performers_approval(stage: Stage) -> None:
    grant = stage.grant(performer_approval=True)
    script = "5" * 64
    heard = stage.registry.authorize(
        stage.request(channel="review", job_digest="1" * 64, script_digest=script)
    )
    with stage.registry.lease(heard.id):
        draft = stage.draft(heard.id)
        stage.registry.issue_receipt(draft)
        stage.registry.mark_sealed(draft.output_id, sha256="e" * 64, size=9, published_as="a")
    wanted = {"job_digest": "2" * 64, "script_digest": script}
    assert denied(stage, **wanted).rules == ("base/performer-approval",)
    outputs = [{"output_id": draft.output_id, "pcm_sha256": draft.source_pcm_sha256}]
    stage.say("approval", "6" * 64, grant=grant.id, outputs=outputs)
    assert denied(stage, **wanted).rules == ("base/performer-approval",), "of another script"
    stage.say("approval", script, grant=grant.id, outputs=outputs)
    given = stage.registry.authorize(stage.request(**wanted))
    with stage.registry.lease(given.id):
        stage.seal(given.id)
    assert stage.used_minutes(grant.id) == 2


def test_an_approval_under_one_grant_is_none_under_another(stage: Stage) -> None:
    first = stage.grant(performer_approval=True)
    second = stage.grant(performer_approval=True)
    stage.say("approval", "b" * 64, grant=first.id)
    assert denied(stage, grant=second.id).rules == ("base/performer-approval",)
    stage.registry.authorize(stage.request(grant=first.id))


def test_a_retake_takes_the_approval_back_also_from_a_running_job(stage: Stage) -> None:
    grant = stage.grant(performer_approval=True)
    stage.say("approval", "b" * 64, grant=grant.id)
    given = stage.registry.authorize(stage.request())
    with stage.registry.lease(given.id):
        stage.say("retake", "b" * 64, grant=grant.id, note="Chapter 3, please")
        with pytest.raises(RefusedError, match=r"asked for a retake \[base/performer-approval\]"):
            stage.registry.issue_receipt(stage.draft(given.id))
    assert denied(stage).rules == ("base/performer-approval",)
    stage.say("approval", "b" * 64, grant=grant.id)
    stage.registry.authorize(stage.request())


# -- What the log says ------------------------------------------------------------------


def test_the_log_names_neither_voice_nor_grant_and_the_openings_open_it(stage: Stage) -> None:
    grant = stage.grant()
    given = stage.registry.authorize(stage.request())
    with stage.registry.lease(given.id):
        receipts = [stage.registry.issue_receipt(stage.draft(given.id)) for _ in range(2)]
    logged = b"".join(stage.registry.log.entries()).decode()
    for personal in (ANNA, "anna", grant.id, grant.digest, stage.anna.id, stage.studio.id,
                     stage.anna.did, "Chickens"):  # fmt: skip
        assert personal not in logged
    entries = [json.loads(receipt.leaf_json)["voices"][0] for receipt in receipts]
    assert entries[0]["voice"] != entries[1]["voice"], "two uses cannot be linked"
    assert entries[0]["grant"] != entries[1]["grant"]
    for receipt, entry in zip(receipts, entries, strict=True):
        (opening,) = receipt.openings
        assert (opening.voice, opening.grant_id, opening.grant_digest) == (
            ANNA,
            grant.id,
            grant.digest,
        )
        salts = opening.to_json()["salts"]
        named = canonical({"id": grant.id, "digest": grant.digest})
        assert entry["voice"] == commitment(ANNA.encode(), bytes.fromhex(salts["voice"]))
        assert entry["grant"] == commitment(named, bytes.fromhex(salts["grant"]))
        assert stage.registry.receipt(receipt.output_id) == dataclasses.replace(
            receipt, state="abandoned", reason="the job ended before the file was sealed"
        )


# -- The clock --------------------------------------------------------------------------


def test_a_clock_that_was_set_back_stops_everything_that_needs_a_yes(
    stage: Stage, clock: FixedClock
) -> None:
    stage.grant()
    given = stage.registry.authorize(stage.request())
    with stage.registry.lease(given.id) as lease:
        draft = stage.draft(given.id)
        stage.registry.issue_receipt(draft)
        clock.advance(timedelta(minutes=-6))
        lease._checked -= 2  # a second later
        for use in (
            lambda: stage.registry.authorize(stage.request()),
            lambda: stage.registry.explain(stage.request()),
            lambda: stage.registry.lease(given.id).release(),
            lease.check,
            lambda: stage.registry.issue_receipt(stage.draft(given.id)),
            lambda: stage.registry.mark_sealed(
                draft.output_id, sha256="e" * 64, size=9, published_as="a"
            ),
        ):
            with pytest.raises(RefusedError, match=r"set back|already running"):
                use()
        assert any("set back" in problem for problem in stage.registry.check().problems)
        stage.registry.abandon(draft.output_id, "saying no needs no clock")
        clock.advance(timedelta(minutes=6))
    stage.registry.authorize(stage.request())


def test_a_clock_that_is_adjusted_by_minutes_is_no_alarm(stage: Stage, clock: FixedClock) -> None:
    stage.grant()
    clock.advance(timedelta(minutes=-4))
    stage.registry.authorize(stage.request())


def test_a_clock_set_back_while_the_registry_was_closed_is_noticed(
    stage: Stage, clock: FixedClock
) -> None:
    """An expired grant does not come back by setting the clock to a better day."""
    stage.grant(valid_until=NOON + timedelta(days=1))
    clock.advance(timedelta(days=2))
    assert denied(stage).rules == ("base/grant-expired",)
    stage.registry.create_party("person", "somebody", "Somebody")  # an entry in the log
    home = stage.registry.home
    stage.registry.close()
    with (
        Registry.open(home, clock=FixedClock(NOON)) as later,
        pytest.raises(RefusedError, match="set back"),
    ):
        later.authorize(stage.request())


def test_a_clock_that_was_ahead_is_put_right_on_record(stage: Stage, clock: FixedClock) -> None:
    stage.grant()
    clock.advance(timedelta(days=30))
    stage.registry.authorize(stage.request())
    clock.advance(timedelta(days=-30))
    with pytest.raises(RefusedError, match=r"Registry\.correct_clock|set back"):
        stage.registry.authorize(stage.request())
    stage.registry.correct_clock()
    stage.registry.authorize(stage.request())
    entry = json.loads(list(stage.registry.log.entries())[-1])
    assert entry["kind"] == "clock"
    assert entry["seen"] > entry["time"]
    size = stage.registry.status().log_size
    stage.registry.correct_clock()
    assert stage.registry.status().log_size == size, "there is nothing to correct"
    assert stage.registry.check().ok
