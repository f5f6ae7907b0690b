"""A person's voice from their yes to a signed file: every step by the program's own path."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from narration_kit import ToneFolder, make_plan, playable

from consent.home import Home
from consent.proposals import (
    accept,
    propose_amendment,
    propose_approval,
    propose_grant,
    propose_statement,
    sign_here,
)
from consent.registry import Denied, Registry
from provenance.verify import verify
from voice.narration import NarrationResult, Usage, narrate
from voice.narration.disclosure import SENTENCES
from voice.narration.events import Event, OutputSealed, Progress

VOICE = "tone:alto"
CHAPTERS = (["Part one.", "It was a dark night.", "Nobody was there."],)
TERMS: dict[str, Any] = {
    "purposes": ("audiobook",),
    "languages": ("en",),
    "territories": ("world",),
    "minutes": 60,
    "commercial": True,
    "permissions": ("synthesis",),
    "performer_approval": False,
    "exclusions": ("political",),
}
STUDIO = Usage(licensee="studio", content=("none",))


@pytest.fixture
def given(tone: ToneFolder, registry: Registry) -> Any:
    """Gives the studio a grant by Alice, whose voice it is."""
    registry.create_party("person", "alice", "Alice Example")
    registry.create_party("organisation", "studio", "Studio Ltd")
    registry.register_voice(VOICE, "alice")

    def given(**terms: Any) -> str:
        now = registry.now()
        dates = {"valid_from": now, "valid_until": now + timedelta(days=365)}
        waiting = propose_grant(
            registry, voice=VOICE, licensee="studio", **{**TERMS, **dates, **terms}
        )
        return accept(registry, sign_here(registry, waiting, "alice")).id

    return given


@pytest.fixture
def run(tone: ToneFolder, home: Home, registry: Registry, tmp_path: Path) -> Any:
    def run(usage: Usage = STUDIO, name: str = "book.m4b", **options: Any) -> NarrationResult:
        return narrate(
            make_plan(*CHAPTERS),
            output=tmp_path / name,
            home=home,
            registry=registry,
            usage=usage,
            workers=1,
            check=False,
            **options,
        )

    return run


def revoke(registry: Registry, grant: str) -> None:
    waiting = propose_statement(registry, "revocation", by="alice", subject=grant, body={})
    accept(registry, sign_here(registry, waiting, "alice"))


def test_a_file_in_a_persons_voice_leads_back_to_their_signed_yes(
    given: Any, run: Any, home: Home, registry: Registry
) -> None:
    grant = given()
    (output,) = run().outputs
    report = verify(output.path, home=home)
    assert report.status == "trusted"
    said = " ".join(finding.sentence for finding in report.findings)
    assert f"used by their signed consent, grant {grant}" in said
    assert f"the grant {grant} was in force when the file was made" in said
    assert "stock" not in said
    receipt = registry.receipt(output.sealed.output_id)
    assert receipt is not None
    leaf = json.loads(receipt.leaf_json)
    assert VOICE not in receipt.leaf_json and grant not in receipt.leaf_json
    assert leaf["voices"][0]["basis"] == "grant"
    spent = registry.grant(grant).used_ms
    assert spent == pytest.approx(output.sealed.duration_s * 1000, abs=2000)


def test_without_a_grant_nothing_is_rendered(given: Any, run: Any, tone: ToneFolder) -> None:
    with pytest.raises(Denied, match="base/grant-on-record"):
        run()
    assert tone.spoken() == []


def test_a_registered_voice_cannot_pass_as_a_stock_voice(given: Any, run: Any) -> None:
    given()
    with pytest.raises(Denied):
        run(usage=Usage())


@pytest.mark.parametrize(
    ("usage", "rule"),
    [
        (Usage(licensee="alice", content=("none",)), "base/grant-on-record"),
        (Usage(licensee="studio"), "declared"),
        (Usage(licensee="studio", content=("political",)), "political"),
        (Usage(licensee="studio", content=("none",), purpose="podcast"), "purpose"),
        (
            Usage(licensee="studio", content=("none",), spoken_disclosure=False),
            "base/audible-disclosure",
        ),
    ],
)
def test_what_the_grant_does_not_say_is_refused_with_the_rule(
    given: Any, run: Any, usage: Usage, rule: str
) -> None:
    given()
    with pytest.raises(Denied) as refused:
        run(usage=usage)
    assert any(rule in found for found in refused.value.rules)
    assert refused.value.cures


def test_the_work_begins_by_saying_that_the_voice_is_synthetic(
    given: Any, run: Any, tone: ToneFolder
) -> None:
    given()
    run()
    assert tone.spoken()[0][1] == SENTENCES["en"]


def test_a_grant_without_audible_disclosure_can_do_without_it(
    given: Any, run: Any, tone: ToneFolder
) -> None:
    given(disclosure={"text": "", "audible": False})
    run(usage=Usage(licensee="studio", content=("none",), spoken_disclosure=False))
    assert SENTENCES["en"] not in [text for _, text in tone.spoken()]


def test_a_revocation_stops_a_running_job_and_nothing_is_published(
    given: Any,
    run: Any,
    registry: Registry,
    home: Home,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TONE_DELAY", "0.7")
    grant = given()
    first = threading.Event()

    def heard(event: Event) -> None:
        if isinstance(event, Progress) and event.phase == "render" and event.done == 1:
            if not first.is_set():
                revoke(registry, grant)
            first.set()

    with pytest.raises(Exception, match="revoked"):
        run(progress=heard)
    assert first.is_set()
    assert not (tmp_path / "book.m4b").exists()
    assert playable(home.root) == []


def test_what_was_made_before_a_revocation_says_both(
    given: Any, run: Any, registry: Registry, home: Home
) -> None:
    grant = given()
    (output,) = run().outputs
    revoke(registry, grant)
    said = " ".join(f.sentence for f in verify(output.path, home=home).findings)
    assert "in force when the file was made" in said
    assert "it was revoked on" in said


def test_a_work_is_published_only_after_its_performer_approved_the_draft(
    given: Any, run: Any, registry: Registry, home: Home
) -> None:
    grant = given(performer_approval=True)
    with pytest.raises(Denied, match="approv"):
        run()
    draft = Usage(licensee="studio", content=("none",), channel="review", spoken_disclosure=True)
    (heard,) = run(usage=draft, name="draft.m4b").outputs
    assert registry.grant(grant).used_ms == 0
    assert "It is a draft" in " ".join(
        finding.sentence for finding in verify(heard.sealed.path, home=home).findings
    )
    waiting = propose_approval(registry, [heard.sealed.output_id])
    accept(registry, sign_here(registry, waiting, "alice"))
    sealed: list[Event] = []
    result = run(progress=sealed.append)
    assert any(isinstance(event, OutputSealed) for event in sealed)
    assert result.rendered == 0  # the approved renderings, not new ones
    assert "It is a draft" not in " ".join(
        finding.sentence for finding in verify(result.outputs[0].sealed.path, home=home).findings
    )
    assert registry.grant(grant).used_ms > 0


def test_an_amended_grant_takes_the_place_of_the_old_one(
    given: Any, run: Any, registry: Registry
) -> None:
    old = given(minutes=1)
    waiting = propose_amendment(registry, old, minutes=90, valid_from=registry.now())
    new = accept(registry, sign_here(registry, waiting, "alice")).id
    assert registry.grant(old).standing(registry.now()) == "superseded"
    (output,) = run().outputs
    receipt = registry.receipt(output.sealed.output_id)
    assert receipt is not None
    assert [opening.grant_id for opening in receipt.openings] == [new]
