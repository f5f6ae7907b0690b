"""The shipped policies as a table: who may use what for which work, and which rule says no."""

from __future__ import annotations

from pathlib import Path

import pytest

import policies
from consent.errors import InputError
from consent.policy import Decision, PolicyEngine
from consent.registry import AuthorizationRequest, ModelUse, VoiceUse

ALLOWED = ()
PRIVATE, COMMERCIAL = False, True


def decide(
    engine: PolicyEngine,
    *,
    commercial: bool = False,
    basis: str = "stock",
    voice_licence: str = "Apache-2.0",
    voice_commercial: bool = True,
    model_licence: str = "Apache-2.0",
    model_commercial: str = "yes",
    minutes: float = 12.5,
    territory: str = "world",
) -> Decision:
    return engine.decide(
        AuthorizationRequest(
            work_title="A book",
            work_author="An author",
            work_identifier="",
            purpose="audiobook",
            job_digest="b" * 64,
            languages=("en",),
            territory=territory,
            channel="private",
            commercial=commercial,
            minutes=minutes,
            voices=(VoiceUse("engine:voice", basis, voice_licence, voice_commercial, minutes),),
            models=(ModelUse("model", "engine", "1", "", model_licence, model_commercial),),
            requester='a "quoted"\nname',
        )
    )


@pytest.mark.parametrize(
    ("work", "basis", "voice", "model", "denied_by"),
    [
        # work       basis      voice's licence          model's licence        denied by
        # ---------  ---------  -----------------------  ---------------------  ---------------
        (PRIVATE,    "stock",   ("Apache-2.0", True),    ("Apache-2.0", "yes"), ALLOWED),
        (COMMERCIAL, "stock",   ("Apache-2.0", True),    ("Apache-2.0", "yes"), ALLOWED),
        (PRIVATE,    "stock",   ("CC-BY-NC-4.0", False), ("Apache-2.0", "yes"), ALLOWED),
        (COMMERCIAL, "stock",   ("CC-BY-NC-4.0", False), ("Apache-2.0", "yes"),
         ("licences/voice-commercial",)),
        (PRIVATE,    "stock",   ("Apache-2.0", True),    ("CPML", "no"),        ALLOWED),
        (COMMERCIAL, "stock",   ("Apache-2.0", True),    ("CPML", "no"),
         ("licences/model-commercial",)),
        (PRIVATE,    "stock",   ("Apache-2.0", True),    ("custom", "unknown"), ALLOWED),
        (COMMERCIAL, "stock",   ("Apache-2.0", True),    ("custom", "unknown"),
         ("licences/model-commercial-terms-known",)),
        (COMMERCIAL, "stock",   ("CC-BY-NC-4.0", False), ("CPML", "no"),
         ("licences/voice-commercial", "licences/model-commercial")),
        (PRIVATE,    "stock",   ("", True),              ("Apache-2.0", "yes"),
         ("licences/voice-licence-known",)),
        (PRIVATE,    "stock",   ("unknown", True),       ("Apache-2.0", "yes"),
         ("licences/voice-licence-known",)),
        (PRIVATE,    "stock",   ("Apache-2.0", True),    ("NOASSERTION", "yes"),
         ("licences/model-licence-known",)),
        (PRIVATE,    "consent", ("Apache-2.0", True),    ("Apache-2.0", "yes"),
         ("base/grant-on-record",)),
        (PRIVATE,    "",        ("Apache-2.0", True),    ("Apache-2.0", "yes"),
         ("base/grant-on-record",)),
        (PRIVATE,    "STOCK",   ("Apache-2.0", True),    ("Apache-2.0", "yes"),
         ("base/grant-on-record",)),
        (COMMERCIAL, "self",    ("", False),             ("", "unknown"),
         ("base/grant-on-record", "licences/voice-commercial", "licences/voice-licence-known",
          "licences/model-commercial-terms-known", "licences/model-licence-known")),
    ],
)  # fmt: skip
def test_who_may_use_what(
    work: bool,
    basis: str,
    voice: tuple[str, bool],
    model: tuple[str, str],
    denied_by: tuple[str, ...],
) -> None:
    decision = decide(
        PolicyEngine.load(),
        commercial=work,
        basis=basis,
        voice_licence=voice[0],
        voice_commercial=voice[1],
        model_licence=model[0],
        model_commercial=model[1],
    )
    assert sorted(reason.rule for reason in decision.reasons) == sorted(denied_by)
    assert decision.allowed == (not denied_by)


def test_every_rule_says_what_it_requires_and_every_refusal_what_would_cure_it() -> None:
    rules = PolicyEngine.load(switched_on=policies.ON_REQUEST).rules
    assert {rule.id.split("/")[0] for rule in rules.values()} == set(policies.PACKS)
    for rule in rules.values():
        assert rule.pack == f"{rule.id.split('/')[0]}.cedar"
        assert rule.description.endswith((".", ")."))
        if rule.effect == "forbid":
            assert rule.finding.endswith((".", ")."))
            assert rule.cure.endswith((".", ".)"))
            assert rule.actions


def test_the_texts_are_package_data() -> None:
    always = {"base.cedar", "audiobook.cedar", "licences.cedar", "content.cedar"}
    assert set(policies.packs()) == always
    assert set(policies.packs("eu")) == always | {"eu.cedar"}
    assert set(policies.packs(*policies.ON_REQUEST)) == set(policies.FILES)
    assert "namespace Vivavoce" in policies.schema()
    assert "ordinary.toml" in policies.tables()


def own(folder: Path, text: str, name: str = "mine.cedar") -> PolicyEngine:
    (folder / name).write_text(text, "utf-8")
    return PolicyEngine.load(folder)


def test_a_pack_of_ones_own_can_forbid_more(tmp_path: Path) -> None:
    engine = own(
        tmp_path,
        '@id("mine/home") @description("Only at home.") @cure("Stay.")\n'
        'forbid (principal, action == Vivavoce::Action::"speak", resource)\n'
        'unless { context.territory == "DE" };',
    )
    (reason,) = decide(engine).reasons
    assert (reason.rule, reason.text, reason.cure) == ("mine/home", "Only at home.", "Stay.")
    assert decide(engine, territory="DE").allowed
    assert engine.digest != PolicyEngine.load().digest


def test_a_policy_that_allows_everything_allows_nothing_that_is_forbidden(tmp_path: Path) -> None:
    engine = own(tmp_path, '@id("mine/all") permit (principal, action, resource);')
    denied = decide(engine, basis="consent", commercial=True, model_commercial="no")
    assert denied.rules == ("base/grant-on-record", "licences/model-commercial")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("permit (principal", "does not parse"),
        ('@id("x/y") permit (principal, action, resource) when { resource.nope };', "schema"),
        ('@id("x/y") permit (principal, action == Action::"fly", resource);', "schema"),
        ("permit (principal, action, resource);", "has no @id"),
        ('@id("base/model") permit (principal, action, resource);', "already used by base.cedar"),
        ('@id("x/y") permit (principal == ?principal, action, resource);', "template"),
        ('@id("x") permit (principal, action, resource);' * 2, "already used by"),
    ],
)
def test_a_pack_that_cannot_be_used_stops_everything_and_is_named(
    tmp_path: Path, text: str, told: str
) -> None:
    with pytest.raises(InputError, match=told) as caught:
        own(tmp_path, text)
    assert "mine.cedar" in caught.value.message


def test_a_pack_that_cannot_be_read_stops_everything(tmp_path: Path) -> None:
    (tmp_path / "latin.cedar").write_bytes(b"// caf\xe9")
    with pytest.raises(InputError, match=r"latin\.cedar"):
        PolicyEngine.load(tmp_path)


def test_an_error_while_a_policy_is_evaluated_is_a_denial(tmp_path: Path) -> None:
    """Cedar alone skips a failing forbid and would allow."""
    engine = own(
        tmp_path,
        '@id("mine/overflow")\n'
        'forbid (principal, action == Vivavoce::Action::"speak", resource)\n'
        "when { context.minutes * 9223372036854775807 > 1 };",
    )
    decision = decide(engine, minutes=12.5)
    assert not decision.allowed
    assert {reason.rule for reason in decision.reasons} == {"policy-error"}
    assert "overflow" in decision.reasons[0].text


def test_what_no_rule_speaks_of_is_denied() -> None:
    text = policies.packs()["licences.cedar"]
    decision = decide(PolicyEngine(policies.schema(), {"licences.cedar": text}))
    assert [reason.rule for reason in decision.reasons] == ["default-deny", "default-deny"]
    assert not decision.allowed


def test_a_changed_pack_is_seen_at_the_next_load(tmp_path: Path) -> None:
    permit = '@id("mine/a") permit (principal, action, resource) when {{ context.minutes < {} }};'
    assert (
        own(tmp_path, permit.format(1)).digest
        != own(tmp_path, permit.format(2)).digest
        == own(tmp_path, permit.format(2)).digest
    )
