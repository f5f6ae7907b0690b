"""What docs/policies.md shows works, and it leaves out no pack, action or category."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import policies
from consent.policy import CONTENT, PolicyEngine
from consent.policy.questions import ACTIONS
from consent.policy.request_files import read_request
from consent.policy.scenarios import read_scenario
from consent.policy.tables import read_table

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "policies.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def test_the_pack_can_be_used_and_says_what_it_shows(tmp_path: Path) -> None:
    (tmp_path / "our-house.cedar").write_text(blocks("cedar")[0])
    assert PolicyEngine.check_file(tmp_path / "our-house.cedar").remarks == ()
    scenario = read_scenario({"asked": {"channel": "radio"}, "given": {"channels": ["*"]}}, "docs")
    (reason,) = PolicyEngine.load(tmp_path).decide(scenario.request, scenario.grants).reasons
    assert str(reason).endswith(
        "This job is for radio, and we make nothing for radio. [our-house/no-radio]"
    )


def test_the_files_can_be_read() -> None:
    job, scenario = (json.loads(text) for text in blocks("json"))
    read_request(job, "docs").check()
    read_scenario(scenario, "docs")


def test_the_table_holds() -> None:
    table = next(text for text in blocks("toml") if "[[case]]" in text)
    assert [case.failure(PolicyEngine.load()) for case in read_table(table, "docs")] == [None]


@pytest.mark.parametrize("name", [*policies.PACKS, *ACTIONS, *CONTENT])
def test_it_is_mentioned(name: str) -> None:
    assert f"`{name}`" in TEXT


def test_rules_it_names_exist() -> None:
    rules = PolicyEngine.load(switched_on=policies.ON_REQUEST).rules
    named = set(re.findall(rf"`((?:{'|'.join(policies.PACKS)})/[a-z0-9-]+)`", TEXT))
    assert named
    assert named <= set(rules)
