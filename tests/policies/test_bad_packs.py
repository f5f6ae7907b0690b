"""Packs that are broken, hostile or huge: each stops everything with its name, or does no harm."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import pytest

import policies
from consent.errors import InputError
from consent.home import Home
from consent.policy import PolicyEngine
from consent.policy.scenarios import read_scenario

FORBID = '@id("{id}") @description("No.") @cure("None.")\nforbid (principal, action, resource)\n'


def own(folder: Path, text: str, name: str = "mine.cedar") -> PolicyEngine:
    (folder / name).write_text(text, "utf-8")
    return PolicyEngine.load(folder)


def allowed(engine: PolicyEngine, **changes: object) -> bool:
    scenario = read_scenario(changes, "test")
    return engine.decide(
        scenario.request,
        scenario.grants,
        surroundings=scenario.surroundings,
        action=scenario.action,
    ).allowed


@pytest.mark.parametrize(
    "changes",
    [
        {"given": {"status": "revoked"}},
        {"given": "no grant"},
        {"given": "no grant", "voice": {"basis": "stock", "licence": "MIT", "commercial": True}},
        {"asked": {"languages": ["fr"]}},
        {"asked": {"content": ["hate"]}},
        {"action": "clone"},
        {"model": {"commercial": "no"}},
    ],
)
def test_a_pack_that_permits_everything_overrides_no_forbid(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    engine = own(tmp_path, '@id("mine/all") permit (principal, action, resource);')
    assert not allowed(engine, **changes)
    assert allowed(engine)


def test_a_pack_that_forbids_everything_forbids_everything(tmp_path: Path) -> None:
    assert not allowed(own(tmp_path, FORBID.format(id="mine/none") + ";"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("forbid (principal, action, resource) when {", "does not parse"),
        ('@id("m/x") forbid (principal, action, resource) when { context.mood == 1 };', "mood"),
        ('@id("m/x") forbid (principal, action, resource) when { resource.grant.x };', "schema"),
        (
            '@id("m/x") forbid (principal, action == Vivavoce::Action::"speak", resource)\n'
            "when { resource.grant.commercial };",
            "schema",  # a stock voice has no grant: `resource has grant` must come first
        ),
        (
            '@id("m/x") forbid (principal, action == Vivavoce::Action::"speak", resource)\n'
            "when { context.watermark };",
            "schema",
        ),
        ('@id("m/x") forbid (principal is Nobody, action, resource);', "schema"),
        ('@id("base/x") forbid (principal, action, resource);', "sounds like a shipped one"),
        ('@id("eu/x") forbid (principal, action, resource);', "sounds like a shipped one"),
        ('@id("m x") forbid (principal, action, resource);', "is no id"),
        ('@id("m\\u{202e}x") forbid (principal, action, resource);', "is no id"),
        ('@id("") forbid (principal, action, resource);', "has no @id"),
        ('@id("' + "m" * 101 + '") forbid (principal, action, resource);', "is no id"),
        (
            '@id("m/x") @finding("{context.mood}") forbid (principal, action, resource);',
            r"names \{context.mood\}, which policies do not see",
        ),
        (
            '@id("m/x") @finding("' + "m" * 2001 + '") forbid (principal, action, resource);',
            "2,001 characters",
        ),
    ],
)
def test_a_pack_that_cannot_be_used_is_named_and_stops_everything(
    tmp_path: Path, text: str, told: str
) -> None:
    with pytest.raises(InputError, match=told) as caught:
        own(tmp_path, text)
    assert "mine.cedar" in caught.value.message


@pytest.mark.parametrize("name", ["mine.CEDAR", "Mine.Cedar"])
def test_a_pack_is_found_however_its_ending_is_written(tmp_path: Path, name: str) -> None:
    assert not allowed(own(tmp_path, FORBID.format(id="mine/none") + ";", name))


def test_a_folder_in_place_of_a_pack_stops_everything(tmp_path: Path) -> None:
    (tmp_path / "mine.cedar").mkdir()
    with pytest.raises(InputError, match="cannot read the policy pack"):
        PolicyEngine.load(tmp_path)


def test_a_link_to_nothing_in_place_of_a_pack_stops_everything(tmp_path: Path) -> None:
    (tmp_path / "mine.cedar").symlink_to(tmp_path / "gone")
    with pytest.raises(InputError, match="cannot read the policy pack"):
        PolicyEngine.load(tmp_path)


def test_a_file_in_place_of_the_folder_stops_everything(tmp_path: Path) -> None:
    place = tmp_path / "policies"
    place.write_text("")
    with pytest.raises(InputError, match="cannot look for policy packs"):
        PolicyEngine.load(place)


@pytest.mark.parametrize(
    "condition",
    [
        "(" * 5000 + "true" + ")" * 5000,
        "[" * 5000 + "]" * 5000 + " == []",
        '{"a":' * 5000 + "1" + "}" * 5000 + " == 1",
        "if true then " * 5000 + "true" + " else true" * 5000,
        "context" + ".title" * 5000 + " == 1",
        'context["title"]' + '["title"]' * 5000 + " == 1",
        "context" + ".contains(1)" * 5000,
        "true" + " && true" * 50_000,
    ],
)
def test_nesting_without_end_is_refused_and_does_not_end_the_program(
    tmp_path: Path, condition: str
) -> None:
    """Cedar's parser would run out of stack, and its validator lets such a policy pass unseen."""
    with pytest.raises(InputError, match=r"nested too deeply or too long, at line 3"):
        own(tmp_path, FORBID.format(id="mine/deep") + f"when {{ {condition} }};")


def test_brackets_in_comments_and_texts_do_not_count(tmp_path: Path) -> None:
    text = "// " + "(" * 500 + "\n" + FORBID.format(id="mine/title")
    assert allowed(own(tmp_path, text + 'when { context.title == "' + '((\\"[;' * 99 + '" };'))


def test_a_policy_without_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="too long, at its end"):
        own(tmp_path, "forbid " + "x" * 40_000)


@pytest.mark.slow
def test_a_pack_of_a_megabyte_is_used_and_a_larger_one_refused(tmp_path: Path) -> None:
    def pack(size: int) -> str:
        rules = (
            FORBID.format(id=f"mine/{n}") + f'when {{ context.title == "Volume {n}" }};\n'
            for n in itertools.count()
        )
        text = ""
        for rule in rules:
            if len(text) + len(rule) > size:
                return text + "/" * (size - len(text))
            text += rule
        raise AssertionError

    begun = time.monotonic()
    engine = own(tmp_path, pack(1 << 20))
    assert allowed(engine)
    works = {"works": []}
    assert not allowed(engine, given=works, asked={"title": "Volume 4321"})
    assert time.monotonic() - begun < 30
    with pytest.raises(InputError, match=r"cannot read the policy pack .*too large"):
        own(tmp_path, pack((1 << 20) + 2))


def test_the_digest_says_which_policies_hold_whatever_their_names_and_order(
    tmp_path: Path,
) -> None:
    one, two = (FORBID.format(id=f"mine/{n}") + f"when {{ context.minutes > {n} }};" for n in "12")
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "a" / "x.cedar").write_text(one)
    (tmp_path / "a" / "y.cedar").write_text(two)
    (tmp_path / "b" / "a.cedar").write_text(two)
    (tmp_path / "b" / "z.cedar").write_text(one)
    digests = [PolicyEngine.load(tmp_path / folder).digest for folder in ("a", "b")]
    assert digests[0] == digests[1] != PolicyEngine.load().digest
    assert PolicyEngine.load(switched_on=["eu", "california"]).digest == (
        PolicyEngine.load(switched_on=["california", "eu"]).digest
    )
    assert len({PolicyEngine.load(switched_on=on).digest for on in ((), ("eu",))}) == 2
    joined = PolicyEngine.load(tmp_path / "a").digest
    (tmp_path / "a" / "x.cedar").write_text(one + "\n" + two)
    (tmp_path / "a" / "y.cedar").unlink()
    assert PolicyEngine.load(tmp_path / "a").digest != joined


def test_an_attribute_that_nobody_declared_is_a_denial(monkeypatch: pytest.MonkeyPatch) -> None:
    """The schema is part of every question: what it does not know cannot slip in."""
    from consent.policy import engine as engine_module

    honest = engine_module.work
    monkeypatch.setattr(
        engine_module, "work", lambda *args: honest(*args) | {"approvedByTheBoss": True}
    )
    scenario = read_scenario({}, "test")
    decision = PolicyEngine.load().decide(scenario.request, scenario.grants)
    assert not decision.allowed
    assert {reason.rule for reason in decision.reasons} == {"policy-error"}
    assert "approvedByTheBoss" in decision.reasons[0].text


@pytest.mark.parametrize("name", ["half \udc80", 'a "quoted"\nname', "x" * 100_000, ""])
def test_a_strange_name_is_judged_like_any_other_or_denied(name: str) -> None:
    engine = PolicyEngine.load()
    ordinary = read_scenario({"voice": {"name": name}}, "test")
    stranger = read_scenario({"voice": {"name": name}, "given": "no grant"}, "test")
    decision = engine.decide(ordinary.request, ordinary.grants)
    assert decision.allowed is ("\udc80" not in name)
    assert not engine.decide(stranger.request, stranger.grants).allowed


@pytest.mark.parametrize("packs", ['["europe"]', "[3]", '[["eu"]]'])
def test_a_pack_to_switch_on_that_is_not_there_stops_everything(tmp_path: Path, packs: str) -> None:
    root = tmp_path / "home"
    root.mkdir()
    (root / "config.toml").write_text(f"policy.packs = {packs}")
    with pytest.raises(InputError, match="which is no shipped policy pack"):
        PolicyEngine.of_home(Home.open(root))


def test_the_home_says_which_packs_hold(tmp_path: Path) -> None:
    home = Home.open(tmp_path / "home")
    assert allowed(PolicyEngine.of_home(home))
    home.config_file.write_text('policy.packs = ["eu"]')
    home = Home.open(tmp_path / "home")
    assert not allowed(PolicyEngine.of_home(home))
    assert "eu.cedar" in PolicyEngine.of_home(home).pack_digests
    (home.policies / "mine.cedar").write_text(FORBID.format(id="mine/none") + ";")
    assert "mine/none" in PolicyEngine.of_home(home).rules


def test_checking_a_pack_finds_what_loading_it_would(tmp_path: Path) -> None:
    folder = tmp_path / "policies"
    folder.mkdir()
    own(folder, FORBID.format(id="mine/a") + ";", "installed.cedar")
    candidate = tmp_path / "candidate.cedar"
    candidate.write_text(FORBID.format(id="mine/a") + ";")
    with pytest.raises(InputError, match=r"'mine/a' .* already used by .*installed\.cedar"):
        PolicyEngine.check_file(candidate, folder)
    candidate.write_text(FORBID.format(id="california/deceased") + ";")
    with pytest.raises(InputError, match=r"already used by california\.cedar"):
        PolicyEngine.check_file(candidate, folder)
    candidate.write_text(
        '@id("x/all") permit (principal, action, resource);\n'
        '@id("x/none") forbid (principal, action, resource);'
    )
    remarks = PolicyEngine.check_file(candidate, folder).remarks
    assert [remark.split()[:2] for remark in remarks] == [
        ["x/all", "permits"],
        ["x/none", "has"],
        ["x/none", "has"],
    ]
    newer = tmp_path / "installed.cedar"
    newer.write_text(FORBID.format(id="mine/a") + "when { true };")
    assert PolicyEngine.check_file(newer, folder).remarks == ()


def test_shipped_packs_cause_no_remark() -> None:
    from consent.policy.packs import check_pack

    for name, text in policies.packs(*policies.ON_REQUEST).items():
        assert check_pack(name, text, policies.schema()).remarks == ()
