"""Every row of the shipped tables, and that the tables are read strictly and leave no rule out."""

from __future__ import annotations

from pathlib import Path

import pytest

import policies
from consent.errors import InputError
from consent.policy import PolicyEngine
from consent.policy.tables import Case, own_cases, read_table, run, shipped_cases

CASES = list(shipped_cases())


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.table}: {case.case}")
def test_the_shipped_tables_hold(case: Case) -> None:
    assert case.failure(PolicyEngine.load(switched_on=case.scenario.packs)) is None


def test_every_shipped_rule_that_forbids_is_seen_to_deny() -> None:
    rules = PolicyEngine.load(switched_on=policies.ON_REQUEST).rules
    forbids = {rule.id for rule in rules.values() if rule.effect == "forbid"}
    assert forbids - {rule for case in CASES for rule in case.denied_by} == set()


def test_a_case_that_does_not_hold_says_what_came_instead() -> None:
    (case,) = read_table('[[case]]\ncase = "x"\nexpected = ["base/work"]', "t.toml")
    assert case.failure(PolicyEngine.load()) == "expected a denial by base/work, got a yes"
    (case,) = read_table('[[case]]\ncase = "x"\nasked.title = "y"\nexpected = "allowed"', "t.toml")
    assert case.failure(PolicyEngine.load()) == "expected a yes, got a denial by base/work"
    (case,) = read_table(
        '[[case]]\ncase = "x"\nasked.title = "y"\nexpected = ["base/work"]\nsays = "zebra"', "t"
    )
    assert "expected it to say 'zebra', it says:" in str(case.failure(PolicyEngine.load()))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("case = 3", r"expected \[\[case\]\] tables"),
        ("", r"expected \[\[case\]\] tables"),
        ("= 3", "not valid TOML"),
        ('[[case]]\nexpected = "allowed"', "it has no sentence"),
        ('[[case]]\ncase = "x"', "expected is None"),
        ('[[case]]\ncase = "x"\nexpected = []', r"expected is \[\]"),
        ('[[case]]\ncase = "x"\nexpected = "allowd"', "expected is 'allowd'"),
        ('[[case]]\ncase = "x"\nexpected = "allowed"\nasked.titel = "y"', "no 'titel'"),
        ('[[case]]\ncase = "x"\nexpected = "allowed"\naksed.title = "y"', "no 'aksed'"),
        ('[[case]]\ncase = "x"\nexpected = "allowed"\nasked.minutes = "y"', "expected a number"),
        ('[[case]]\ncase = "x"\nexpected = "allowed"\nasked.minutes = true', "expected a number"),
        ('[[case]]\ncase = "x"\nexpected = "allowed"\ngiven = "a yes"', "given is 'a yes'"),
        ('[[case]]\ncase = "x"\nexpected = "allowed"\ngiven.valid_from = "noon"', "not a date"),
        ('[[case]]\ncase = "x"\nexpected = "allowed"\naction = "sing"', "action is 'sing'"),
        ('[[case]]\ncase = "x"\nexpected = "allowed"\n' * 2, "two cases say 'x'"),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused(text: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        list(read_table(text, "mine.toml"))


def test_ones_own_tables_are_put_to_ones_own_packs(tmp_path: Path) -> None:
    (tmp_path / "mine.cedar").write_text(
        '@id("mine/short") @description("Short.") @cure("Cut.")\n'
        'forbid (principal, action == Vivavoce::Action::"speak", resource)\n'
        "when { context.minutes > 60 };"
    )
    tables = tmp_path / "tests"
    tables.mkdir()
    (tables / "mine.toml").write_text(
        '[[case]]\ncase = "Long books are not made."\nexpected = ["mine/short"]\n'
        '[[case]]\ncase = "Short ones are."\nasked.minutes = 60\nexpected = "allowed"\n'
        '[[case]]\ncase = "A wrong expectation."\nasked.minutes = 61\nexpected = "allowed"\n'
    )
    failures = [outcome.failure for outcome in run(own_cases(tables), tmp_path, ())]
    assert failures == [None, None, "expected a yes, got a denial by mine/short"]
    assert list(own_cases(tmp_path / "none")) == []
