"""docs/formats.md is enough: a checker written from it agrees with the program."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import independent_checker
import pytest
from consent_kit import NOON
from grants_kit import Stage
from independent_checker import Wrong
from stage_kit import another_home, begin, get, paths, publish, publish_duet, publish_stock, put

from consent.audit.documents import sign_document, write_json
from consent.audit.making import make_bundle
from consent.audit.reports import signed_statement, statement_of_use
from consent.audit.verifying import CONTRADICTED, PROVED, Trust, verify_bundle
from consent.clock import FixedClock
from consent.registry import Registry

ROOT = Path(__file__).resolve().parents[3]


@dataclass(repr=False)
class Made:
    stage: Stage
    output_ids: list[str]
    vkey: str

    def bundle(self, *, redacted: bool = False) -> dict[str, Any]:
        made = make_bundle(self.stage.registry, self.output_ids, redacted=redacted)
        found: dict[str, Any] = json.loads(write_json(made))
        return found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    clock = FixedClock(NOON)
    home = another_home(tmp_path_factory.mktemp("stranger") / "home")
    with Registry.open(home, clock=clock) as registry:
        stage = Stage(registry)
        first = stage.grant()
        output_ids = [publish(stage), publish_duet(stage), publish_stock(registry)]
        stage.say("suspension", first.id)
        clock.advance(timedelta(seconds=1))
        stage.say("reinstatement", first.id)
        second = stage.grant(supersedes=first.id)
        registry.rotate_key(stage.anna.id)
        stage.anna = registry.party(stage.anna.id)
        third = stage.grant(supersedes=second.id)
        output_ids += [publish(stage), begin(stage)]
        registry.abandon(output_ids[-1], "a test")
        stage.say("revocation", third.id)
        registry.replace_key(stage.anna.id, "lost", since=clock.now() + timedelta(seconds=0))
        yield Made(stage, output_ids, registry.log.vkey)


def test_it_shares_no_code_with_the_program() -> None:
    source = Path(independent_checker.__file__).read_text("utf-8")
    for room in ("consent", "provenance", "voice", "cli"):
        assert f"import {room}" not in source
        assert f"from {room}" not in source


@pytest.mark.parametrize("redacted", [False, True])
def test_a_stranger_comes_to_the_same_facts(made: Made, redacted: bool) -> None:
    bundle = made.bundle(redacted=redacted)
    facts = independent_checker.check(bundle, made.vkey)
    report = verify_bundle(bundle, Trust(log_key=made.vkey))
    assert report.problems == []
    assert report.verdict == PROVED
    registry = made.stage.registry
    assert facts["registry"] == registry.did
    for output_id in made.output_ids:
        receipt = registry.receipt(output_id)
        assert receipt is not None
        found = facts["outputs"][output_id]
        assert (found["state"], found["sha256"]) == (receipt.state, receipt.sha256)
        assert found["duration_ms"] == receipt.duration_ms
    for grant_id, found in facts["grants"].items():
        assert found["digest"] == registry.grant(grant_id).digest


def test_what_the_stranger_finds_wrong_the_program_does_too(made: Made) -> None:
    """Every value is exchanged for another of the document, and signed by the operator."""
    bundle = made.bundle()
    places = [path for path in paths(bundle) if path[0] not in ("signature", "format")]
    texts = sorted({str(get(bundle, path)) for path in places if path[-1] != "token"})[::7]
    noticed = 0
    for number, path in enumerate(places[::3]):
        old = get(bundle, path)
        if not isinstance(old, str):
            continue
        body = put(bundle, path, texts[number % len(texts)])
        del body["signature"]
        changed = sign_document(body, made.stage.registry._core.key)
        try:
            independent_checker.check(changed, made.vkey)
        except (Wrong, ValueError, KeyError, TypeError, IndexError):
            noticed += 1
            report = verify_bundle(changed, Trust(log_key=made.vkey))
            assert report.verdict == CONTRADICTED, path
    assert noticed > 20


def test_a_changed_bundle_is_wrong_for_the_stranger(made: Made) -> None:
    bundle = made.bundle()
    for path in (("made_at",), ("outputs", 0, "title"), ("grants", 0, "status")):
        with pytest.raises(Wrong):
            independent_checker.check(put(bundle, path, "another"), made.vkey)


def test_a_signed_statement_of_use_can_be_checked_as_well(made: Made) -> None:
    registry = made.stage.registry
    signed = signed_statement(registry, statement_of_use(registry, "anna"))
    document = json.loads(write_json(signed))
    assert independent_checker.check_signed(document) == registry.did
    with pytest.raises(Wrong):
        independent_checker.check_signed({**document, "used_ms": 1})


def test_the_document_names_everything_the_checker_relies_on() -> None:
    text = (ROOT / "docs" / "formats.md").read_text("utf-8")
    for word in ("vivavoce-evidence/1", "vivavoce-statement-of-use/1", "vivavoce-to-sign/1",
                 "vivavoce-backup-v1", "tlog-proof@v1", "new_key", "supersedes", "outcome",
                 "grant_salt", "voice_salt", "key-not-valid", "mandate-ended", "vc+jwt",
                 "vivavoce-statement+jwt", "did:key"):  # fmt: skip
        assert word in text, word


def test_the_document_describes_every_kind_of_entry() -> None:
    from consent.audit.listing import KINDS

    text = (ROOT / "docs" / "formats.md").read_text("utf-8")
    for kind in KINDS:
        assert f"| `{kind}` |" in text, kind


def test_the_document_names_every_field_of_a_bundle(made: Made) -> None:
    text = (ROOT / "docs" / "formats.md").read_text("utf-8")
    for path in paths(made.bundle()):
        name = path[-1]
        assert isinstance(name, int) or f"`{name}`" in text, path
