"""``vivavoce policy`` as people and scripts use it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from consent_kit import NOON, a_request
from grants_kit import ANNA, Stage
from typer.testing import CliRunner

import policies
from cli.main import app
from consent.clock import FixedClock
from consent.errors import InputError, RefusedError, VerificationError
from consent.home import Home
from consent.policy import PolicyEngine
from consent.registry import Registry

FORBID = '@id("{id}") @description("No.") @cure("None.") forbid (principal, action, resource)'


@pytest.fixture(autouse=True)
def at_noon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consent.registry.registry.SystemClock", lambda: FixedClock(NOON))
    monkeypatch.setenv("COLUMNS", "300")


@pytest.fixture
def stage(registry: Registry) -> Stage:
    return Stage(registry)


def run(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["policy", *map(str, arguments)], terminal_width=300)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.stdout


def as_json(*arguments: object, code: int = 0) -> Any:
    return json.loads(run(*arguments, "--json", code=code))


def test_the_rules_in_force_are_listed_in_words(home: Home) -> None:
    found = as_json("list")
    assert {rule["id"].split("/")[0] for rule in found["rules"]} == set(policies.ALWAYS)
    assert found["digest"] == PolicyEngine.load().digest
    off = as_json("list", "eu")["rules"]
    assert off
    assert not any(rule["in_force"] for rule in off)
    home.config_file.write_text('policy.packs = ["eu"]')
    assert all(rule["in_force"] for rule in as_json("list", "eu")["rules"])
    assert "speaks the languages the grant names" in " ".join(run("list", "base/language").split())
    assert "namespace Vivavoce" in run("list", "--schema")
    with pytest.raises(InputError, match="no pack and no rule 'narnia'"):
        run("list", "narnia")


def test_a_job_is_explained_by_the_grant_on_record(
    home: Home, stage: Stage, tmp_path: Path
) -> None:
    stage.grant(languages=("de", "fr"))
    job = tmp_path / "job.json"
    job.write_text(json.dumps(stage.request(languages=("en",)).payload()))
    found = as_json("explain", "--file", job, code=RefusedError.exit_code)
    assert not found["allowed"]
    (reason,) = found["reasons"]
    assert reason["rule"] == "base/language"
    assert reason["subject"] == ANNA
    assert reason["text"] == "The grant covers de, fr; this job needs en."
    shown = run("explain", "--file", job, code=RefusedError.exit_code)
    assert "Not allowed." in shown
    assert reason["text"] in shown
    assert reason["cure"] in shown
    assert "base/territory" not in shown
    assert "base/territory" in run("explain", "--file", job, "--all", code=4)

    job.write_text(json.dumps(stage.request(languages=("de",)).payload()))
    found = as_json("explain", "--file", job)
    assert found["allowed"]
    assert set(found["rules"]) == {"base/granted-voice", "base/model"}
    assert "Allowed." in run("explain", "--file", job)


def test_explaining_holds_no_minutes_and_authorizes_nothing(
    home: Home, stage: Stage, tmp_path: Path
) -> None:
    stage.grant(minutes=10)
    job = tmp_path / "job.json"
    job.write_text(json.dumps(stage.request(minutes=10.0).payload()))
    for _ in range(3):
        assert as_json("explain", "--file", job)["allowed"]
    assert stage.registry.find_authorization("b" * 64) is None
    stage.registry.authorize(stage.request(minutes=10.0))


def test_a_recorded_authorization_is_explained_as_it_was_and_as_it_is(
    home: Home, stage: Stage
) -> None:
    grant = stage.grant()
    given = stage.registry.authorize(stage.request())
    found = as_json("explain", "--authorization", given.id)
    assert found["allowed"]
    assert found["recorded"]["rules"] == list(given.policy_decision)
    stage.say("revocation", grant.id, reason="enough", reason_code="withdrawn")
    (home.policies / "mine.cedar").write_text(FORBID.format(id="mine/none") + ";")
    shown = run("explain", "--authorization", given.id, code=4)
    assert "Authorized 2026-11-21 12:00 UTC by these rules:" in shown
    assert "base/granted-voice: A person's voice may be used" in shown
    assert "The policies have changed since." in shown
    assert "base/grant-revoked" in shown
    assert "mine/none" in shown
    with pytest.raises(RefusedError, match="no authorization 'ffff"):
        run("explain", "--authorization", "f" * 32)


def test_a_scenario_with_a_grant_of_its_own_is_explained(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "scenario.json"
    file.write_text('{"given": {"status": "expired", "valid_until": "2026-11-20"}}')
    (reason,) = as_json("explain", "--file", file, code=4)["reasons"]
    assert reason["rule"] == "base/grant-expired"
    file.write_text('{"given": {"status": "active"}, "packs": ["eu"]}')
    rules = {r["rule"] for r in as_json("explain", "--file", file, code=4)["reasons"]}
    assert "eu/second-mark" in rules
    file.write_text('{"given": {"stauts": "active"}}')
    with pytest.raises(InputError, match="no 'stauts'"):
        run("explain", "--file", file)


def test_explaining_needs_one_job(home: Home, tmp_path: Path) -> None:
    for arguments in ((), ("--voice", "af_heart", "--file", tmp_path / "x.json")):
        with pytest.raises(InputError, match="needs one job"):
            run("explain", *arguments)
    with pytest.raises(InputError, match=r"cannot read .*gone\.json"):
        run("explain", "--file", tmp_path / "gone.json")


@pytest.mark.slow
def test_a_stock_voice_is_explained_from_options(home: Home) -> None:
    options = ("--voice", "af_heart", "--title", "Emma", "--author", "Jane Austen")
    assert as_json("explain", *options, "--commercial")["allowed"]
    home.config_file.write_text('policy.packs = ["eu"]')
    found = as_json("explain", *options, "--territory", "AT", code=4)
    # Files are always signed; what else the Union asks for has to be set up.
    rules = {reason["rule"] for reason in found["reasons"]}
    assert "eu/time-stamp" in rules
    assert "eu/machine-readable-mark" not in rules
    assert as_json("explain", *options, "--territory", "US")["allowed"]


@pytest.mark.slow
def test_a_persons_voice_is_explained_before_any_engine_has_it(home: Home, stage: Stage) -> None:
    stage.grant()
    options = ("--voice", ANNA, "--licensee", "studio", "--title", "Emma", "--content", "none")
    with pytest.raises(InputError, match="no engine here has the voice clone:anna yet"):
        run("explain", *options)
    assert as_json("explain", *options, "--model", "kokoro-82m")["allowed"]
    found = as_json("explain", *options, "--model", "kokoro-82m", "--language", "fr", code=4)
    assert [reason["rule"] for reason in found["reasons"]] == ["base/language"]


def test_a_pack_is_checked_before_it_holds(home: Home, tmp_path: Path) -> None:
    mine = tmp_path / "mine.cedar"
    mine.write_text(FORBID.format(id="mine/none") + ";")
    assert "can be used" in run("check", mine)
    assert as_json("check", mine)[0]["rules"][0]["id"] == "mine/none"
    mine.write_text(FORBID.format(id="mine/none"))
    with pytest.raises(InputError, match=r"mine\.cedar does not parse: .* at line 1"):
        run("check", mine)
    mine.write_text(FORBID.format(id="base/language") + ";")
    with pytest.raises(InputError, match=r"already used by base\.cedar"):
        run("check", mine)
    assert "mine/none" not in PolicyEngine.of_home(home).rules


def test_tables_are_put_to_the_policies(home: Home) -> None:
    assert "cases hold." in run("test")
    assert as_json("test")["cases"] > 100
    tables = home.policies / "tests"
    tables.mkdir()
    (home.policies / "mine.cedar").write_text(FORBID.format(id="mine/none") + ";")
    (tables / "mine.toml").write_text(
        '[[case]]\ncase = "Nothing goes."\nexpected = ["mine/none"]\n'
    )
    assert as_json("test", "--own") == {"cases": 1, "failed": []}
    (tables / "mine.toml").write_text('[[case]]\ncase = "All goes."\nexpected = "allowed"\n')
    with pytest.raises(VerificationError, match="1 of 1 cases do not hold"):
        run("test", "--own")


def test_a_broken_pack_stops_the_registry_and_everything_with_it(home: Home) -> None:
    (home.policies / "mine.cedar").write_text("forbid (")
    for arguments in (("list",), ("explain", "--voice", "af_heart")):
        with pytest.raises(InputError, match=r"mine\.cedar does not parse"):
            run(*arguments)
    with pytest.raises(InputError, match=r"mine\.cedar does not parse"):
        Registry.open(home)


def test_a_request_file_holds_what_records_hold(home: Home, tmp_path: Path) -> None:
    job = tmp_path / "job.json"
    job.write_text(json.dumps(a_request().payload()))
    assert as_json("explain", "--file", job)["allowed"]
