"""Explanations agree with decisions; no job passes that the terms do not cover."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import policies
from consent.errors import InputError
from consent.policy import (
    CONTENT,
    PERMISSIONS,
    PURPOSES,
    STATUSES,
    Denied,
    GrantFacts,
    PolicyEngine,
    Surroundings,
)
from consent.policy.request_files import read_json, read_request
from consent.policy.scenarios import read_scenario
from consent.policy.tables import Case, shipped_cases
from consent.registry import AuthorizationRequest, ModelUse, VoiceUse

T = TypeVar("T")
CASES = list(shipped_cases())
EVERYTHING = Surroundings(
    signed_metadata=True,
    watermark=True,
    timestamp=True,
    provider=True,
    audible_disclosure=True,
    written_disclosure=True,
)


@pytest.mark.parametrize("case", CASES[::5], ids=lambda case: case.case)
def test_every_reason_is_a_finding_and_every_denying_finding_a_reason(case: Case) -> None:
    engine = PolicyEngine.load(switched_on=case.scenario.packs)
    explained = engine.explain(
        case.scenario.request,
        case.scenario.grants,
        surroundings=case.scenario.surroundings,
        action=case.scenario.action,
    )
    reasons = {(r.subject, r.rule, r.text, r.cure) for r in explained.decision.reasons}
    denials = {
        (f.subject, f.rule, f.text, f.cure) for f in explained.findings if f.outcome == "denies"
    }
    assert denials == reasons
    assert explained.decision.allowed == (not denials)
    if explained.decision.allowed:
        allowing = {f.rule for f in explained.findings if f.outcome == "allows"}
        assert allowing == set(explained.decision.rules)


def test_an_explanation_names_what_is_met_as_well() -> None:
    scenario = read_scenario({"asked": {"languages": ["fr"]}}, "test")
    explained = PolicyEngine.load().explain(scenario.request, scenario.grants)
    by_rule = {f.rule: f for f in explained.findings if f.subject == "studio:marlene"}
    assert by_rule["base/language"].outcome == "denies"
    assert by_rule["base/language"].text == "The grant covers en; this job needs fr."
    assert by_rule["base/territory"].outcome == "met"
    assert by_rule["base/granted-voice"].outcome == "allows"
    assert "base/permission-cloning" not in by_rule  # nobody asks to clone
    assert "base/model" not in by_rule
    assert {f.rule for f in explained.findings if f.subject == "a-model"} >= {"base/model"}


def test_an_error_is_found_at_its_rule(tmp_path: Path) -> None:
    (tmp_path / "mine.cedar").write_text(
        '@id("mine/overflow") forbid (principal, action, resource)\n'
        "when { context.minutes * 9223372036854775807 > 1 };"
    )
    scenario = read_scenario({}, "test")
    explained = PolicyEngine.load(tmp_path).explain(scenario.request, scenario.grants)
    assert not explained.decision.allowed
    assert {f.rule for f in explained.findings if f.outcome == "error"} == {"mine/overflow"}
    assert "mine/overflow" in explained.decision.reasons[0].text


def test_a_denial_carries_its_values_and_cures() -> None:
    scenario = read_scenario({"given": {"languages": ["de", "fr"]}}, "test")
    denied = Denied(PolicyEngine.load().decide(scenario.request, scenario.grants).reasons)
    assert denied.rules == ("base/language",)
    assert denied.reasons == (
        "studio:marlene: The grant covers de, fr; this job needs en-GB. [base/language]",
    )
    assert (
        denied.hint
        == denied.cures[0]
        == ("Leave these languages to another voice, or ask the rights holder for them.")
    )


def test_one_grant_can_be_judged_alone_as_it_is_with_the_rest() -> None:
    engine = PolicyEngine.load()
    for changes in ({}, {"given": {"languages": ["de"]}}, {"given": "no grant"}):
        scenario = read_scenario(changes, "test")
        (voice,) = scenario.request.voices
        alone = engine.decide_voice(scenario.request, voice, scenario.grants[voice.voice])
        together = engine.decide(scenario.request, scenario.grants)
        assert alone.reasons == together.reasons
        assert set(together.rules) - set(alone.rules) == {"base/model"}


def test_two_voices_are_each_judged_by_their_own_grant() -> None:
    first = read_scenario({}, "test")
    other = read_scenario(
        {"voice": {"name": "studio:otto"}, "given": {"languages": ["de"]}}, "test"
    )
    request = dataclasses.replace(
        first.request, voices=(*first.request.voices, *other.request.voices)
    )
    decision = PolicyEngine.load().decide(request, {**first.grants, **other.grants})
    assert [(r.subject, r.rule) for r in decision.reasons] == [("studio:otto", "base/language")]


def test_nothing_asked_is_nothing_allowed() -> None:
    request = read_scenario({}, "test").request
    nothing = dataclasses.replace(request, voices=(), models=())
    assert not PolicyEngine.load().decide(nothing).allowed


def test_what_is_no_action_is_refused() -> None:
    scenario = read_scenario({}, "test")
    for action in ("useModel", "useVoice", "sing", ""):
        with pytest.raises(InputError, match="is nothing that is done with a voice"):
            PolicyEngine.load().decide(scenario.request, scenario.grants, action=action)


# ---- A second opinion ----

ALWAYS, ALL = PolicyEngine.load(), PolicyEngine.load(switched_on=policies.ON_REQUEST)
NOW = datetime(2026, 11, 22, tzinfo=UTC)
LANGUAGES = ("de", "en", "en-GB", "fr")
PLACES = ("DE", "US", "JP")
CHANNELS = ("shop", "radio", "private")


def some(values: tuple[str, ...], least: int = 0) -> st.SearchStrategy[tuple[str, ...]]:
    chosen = st.lists(st.sampled_from(values), unique=True, min_size=least, max_size=3)
    return chosen.map(tuple)


def changed(
    make: Callable[..., T], fields: dict[str, Any], wild: dict[str, st.SearchStrategy[Any]]
) -> st.SearchStrategy[T]:
    """`make` of `fields`, up to four of which are anything: most are in order, as in life."""
    chosen = st.lists(st.sampled_from(sorted(wild)), unique=True, max_size=4)
    return chosen.flatmap(
        lambda names: st.fixed_dictionaries({name: wild[name] for name in names})
    ).map(lambda drawn: make(**fields | drawn))


grants = changed(
    GrantFacts,
    {
        "id": "urn:uuid:1",
        "status": "active",
        "owner": "p1",
        "licensee": "p2",
        "registry_matches": True,
        "purposes": ("audiobook",),
        "languages": ("en",),
        "territories": ("DE",),
        "channels": ("shop",),
        "valid_from": NOW,
        "valid_until": NOW + timedelta(days=365),
        "left_ms": 600_000,
        "commercial": True,
        "permissions": ("synthesis",),
    },
    {
        "status": st.sampled_from(STATUSES),
        "licensee": st.sampled_from(["p2", "p3"]),
        "registry_matches": st.booleans(),
        "purposes": some(PURPOSES[:2], 1),
        "languages": some((*LANGUAGES, "*"), 1),
        "territories": some((*PLACES, "world"), 1),
        "channels": some((*CHANNELS, "*"), 1),
        "valid_until": st.integers(1, 4000).map(lambda days: NOW + timedelta(days=days)),
        "left_ms": st.none() | st.integers(0, 1_200_000),
        "commercial": st.booleans(),
        "permissions": some(PERMISSIONS, 1),
        "works": st.sampled_from([(), (("A", ""),), (("A", "urn:x:1"), ("B", ""))]),
        "exclusions": some(CONTENT[:3]),
        "basis": st.sampled_from(["self", "agent", "guardian", "estate"]),
        "mandate_valid": st.booleans(),
        "proof": st.booleans(),
        "minor": st.booleans(),
        "approval_required": st.booleans(),
        "approved": st.booleans(),
        "disclosure_audible": st.booleans(),
    },
)
requests = changed(
    lambda **fields: AuthorizationRequest(
        work_author="an author",
        job_digest="0" * 64,
        requester="",
        voices=(VoiceUse("v", "grant", "grant", False, fields["minutes"]),),
        models=(ModelUse("m", "e", "1", "", "MIT", "yes"),),
        licensee="p2",
        **fields,
    ),
    {
        "work_title": "A",
        "work_identifier": "",
        "purpose": "audiobook",
        "languages": ("en",),
        "territory": "DE",
        "channel": "shop",
        "commercial": True,
        "minutes": 5.0,
        "content": ("none",),
    },
    {
        "work_title": st.sampled_from(["A", "a ", "B"]),
        "work_identifier": st.sampled_from(["", "urn:x:1"]),
        "purpose": st.sampled_from(PURPOSES[:2]),
        "languages": some(LANGUAGES, 1),
        "territory": st.sampled_from([*PLACES, "world"]),
        "channel": st.sampled_from([*CHANNELS, "review"]),
        "commercial": st.booleans(),
        "minutes": st.floats(0.1, 20),
        "content": st.sampled_from([(), *((one,) for one in CONTENT[:4])]),
    },
)


def covered(request: AuthorizationRequest, grant: GrantFacts) -> bool:
    """What the terms mean, written again in Python by other means."""
    draft = request.channel == "review"
    titles = {title.casefold() for title, identifier in grant.works if not identifier}
    numbers = {identifier for _, identifier in grant.works if identifier}
    days = (grant.valid_until - grant.valid_from).days
    guarded = grant.basis == "guardian"
    declared = set(request.content) - {"none"}
    return all(
        (
            grant.status == "active",
            grant.licensee == request.licensee,
            grant.registry_matches,
            "synthesis" in grant.permissions,
            request.purpose in grant.purposes,
            grant.commercial or not request.commercial,
            not grant.works
            or request.work_title.strip().casefold() in titles
            or request.work_identifier in numbers,
            all(
                any(r == "*" or tag == r or tag.startswith(f"{r}-") for r in grant.languages)
                for tag in request.languages
            ),
            {"world", request.territory} & set(grant.territories),
            draft or {"*", request.channel} & set(grant.channels),
            draft or grant.left_ms is None or request.voices[0].duration_ms <= grant.left_ms,
            grant.approval_required if draft else grant.approved or not grant.approval_required,
            grant.basis == "self" or grant.mandate_valid,
            grant.basis != "estate" or grant.proof,
            guarded == grant.minor,
            days <= (1827 if guarded else 3653),
            request.content or not (grant.exclusions or grant.minor),
            not declared & {*grant.exclusions, "hate"},
            not (grant.minor and "sexual" in declared),
        )
    )


@settings(max_examples=120, deadline=None)
@given(requests, grants)
def test_what_is_allowed_is_what_the_terms_mean(
    request: AuthorizationRequest, grant: GrantFacts
) -> None:
    decision = ALWAYS.decide(request, {"v": grant}, surroundings=EVERYTHING)
    assert decision.allowed == covered(request, grant), decision.reasons


@settings(max_examples=40, deadline=None)
@given(requests, grants)
def test_more_packs_never_allow_more(request: AuthorizationRequest, grant: GrantFacts) -> None:
    few = ALWAYS.decide(request, {"v": grant}, surroundings=EVERYTHING)
    many = ALL.decide(request, {"v": grant}, surroundings=EVERYTHING)
    assert {r.rule for r in few.reasons} <= {r.rule for r in many.reasons}


# ---- Jobs from files ----


def test_a_recorded_request_reads_back_from_json(tmp_path: Path) -> None:
    request = read_scenario({"asked": {"content": ["none"]}}, "test").request
    path = tmp_path / "job.json"
    path.write_text(json.dumps(request.payload()))
    assert read_request(read_json(path), str(path)) == request


def test_a_job_states_what_it_must_and_nothing_unknown() -> None:
    request = read_scenario({}, "test").request.payload()
    for field, told in {
        "voices": "voices is not stated",
        "minutes": "minutes is not stated",
    }.items():
        with pytest.raises(InputError, match=told):
            read_request({k: v for k, v in request.items() if k != field}, "job.json")
    for changes, told in (
        ({"titel": "x"}, "it has no 'titel'"),
        ({"minutes": "ten"}, "minutes is 'ten', expected a number"),
        ({"languages": "en"}, "expected a list of texts"),
        ({"voices": [{"voice": "v"}]}, "voices, 1: basis, licence"),
        ({"voices": "v"}, "expected a list of tables"),
        ({"surroundings": {"watermark": "yes"}}, "expected true or false"),
        ({"surroundings": {"stars": True}}, "it has no 'stars'"),
    ):
        with pytest.raises(InputError, match=told):
            read_request(request | changes, "job.json")


@pytest.mark.parametrize("text", ["", "[]", "3", "{", "[" * 100_000, "\xff"])
def test_a_file_that_is_no_job_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "job.json"
    path.write_text(text, "latin-1")
    with pytest.raises(InputError, match=r"job\.json"):
        read_json(path)


def test_permissions_are_each_their_own_yes() -> None:
    from consent.policy.questions import ACTIONS

    engine = PolicyEngine.load()
    for action, needed in ACTIONS.items():
        for permission in PERMISSIONS:
            scenario = read_scenario({"given": {"permissions": [permission]}}, "test")
            decision = engine.decide(scenario.request, scenario.grants, action=action)
            assert decision.allowed == (permission == needed)
