"""The job that ``policy explain`` is about, and how the explanation is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.output import say, table
from consent.errors import InputError

if TYPE_CHECKING:
    from consent.policy import Explanation, PolicyEngine
    from consent.registry import (
        Authorization,
        AuthorizationRequest,
        ModelUse,
        Registry,
        VoiceUse,
    )

_OUTCOMES = {"denies": "denied", "error": "denied", "allows": "allowed", "met": "fulfilled"}


def job_from_options(
    registry: Registry,
    *,
    voices: Sequence[str],
    model: str | None,
    work: tuple[str, str, str],
    purpose: str,
    languages: Sequence[str],
    territory: str,
    channel: str,
    commercial: bool,
    minutes: float,
    licensee: str,
    content: Sequence[str],
    artistic: bool,
    spoken_disclosure: bool,
) -> AuthorizationRequest:
    """Return the request that the door would make of these options."""
    from consent.registry import AuthorizationRequest
    from voice.narration.usage import Usage, surroundings

    used = [_uses(registry, name, model, minutes) for name in voices]
    usage = Usage(artistic=artistic)
    return AuthorizationRequest(
        work_title=work[0],
        work_author=work[1],
        work_identifier=work[2],
        purpose=purpose,
        job_digest="0" * 64,
        languages=tuple(languages),
        territory=territory,
        channel=channel,
        commercial=commercial,
        minutes=minutes * len(used),
        voices=tuple(one for one, _ in used),
        models=tuple({one.model: one for _, one in used}.values()),
        requester="",
        licensee=registry.party(licensee).id if licensee else "",
        content=tuple(content),
        surroundings=surroundings(registry.home, usage, disclosed=spoken_disclosure),
    )


def _uses(
    registry: Registry, name: str, model: str | None, minutes: float
) -> tuple[VoiceUse, ModelUse]:
    """Return a voice and its model; of a person's voice, `model` if no engine has it yet."""
    from consent.registry import ModelUse, VoiceUse
    from voice import models
    from voice.narration.speaker import find_speaker

    try:
        speaker = find_speaker(name, registry)
    except InputError as exc:
        if registry.registered_voice(name) is None:
            raise
        if model is None:
            raise InputError(
                f"no engine here has the voice {name} yet",
                hint="Say with --model which model would speak; see `models list`.",
            ) from exc
        card = models.get(model)
        return (
            VoiceUse(name, "grant", "grant", commercial=True, minutes=minutes),
            ModelUse(card.id, card.engine, "", card.sha256, card.licence, card.commercial),
        )
    return speaker.voice_use(minutes), speaker.model_use()


def explain_file(registry: Registry, path: Path) -> Explanation:
    """Explain a job (judged by the grants on record), or a scenario with a grant of its own."""
    from consent.policy import PolicyEngine
    from consent.policy.request_files import read_json, read_request
    from consent.policy.scenarios import PARTS, read_scenario

    data = read_json(path)
    if not {"given", "asked"} & set(data) and set(data) - set(PARTS):
        return registry.explain(read_request(data, str(path)))
    scenario = read_scenario(data, str(path))
    home = registry.home
    always = home.setting("policy", "packs") or ()
    engine = PolicyEngine.load(home.policies, switched_on=(*always, *scenario.packs))
    return engine.explain(
        scenario.request,
        scenario.grants,
        surroundings=scenario.surroundings,
        action=scenario.action,
    )


def print_explanation(
    explanation: Explanation,
    engine: PolicyEngine,
    recorded: Authorization | None,
    *,
    everything: bool,
) -> None:
    """Print the answer, the rules that decided, and what would help."""
    if recorded is not None:
        say(f"Authorized {recorded.issued_at:%Y-%m-%d %H:%M} UTC by these rules:")
        for rule_id in recorded.policy_decision:
            rule = engine.rules.get(rule_id)
            say(f"  {rule_id}: {rule.description if rule else 'no longer in force'}")
        if recorded.policy_digest != engine.digest:
            say("The policies have changed since.")
        say("As things stand now:")
    say("Allowed." if explanation.decision.allowed else "Not allowed.", style="bold")
    table(
        ("", "about", "rule", "why"),
        (
            (_OUTCOMES[found.outcome], found.subject, found.rule, found.text)
            for found in explanation.findings
            if everything or found.outcome != "met"
        ),
    )
    ruled = {found.rule for found in explanation.findings}
    for reason in explanation.decision.reasons:  # what no rule of its own says
        if reason.rule not in ruled and reason.rule != "policy-error":
            say(str(reason))
    cures = dict.fromkeys(found.cure for found in explanation.findings if found.cure)
    if cures:
        say("What would help:")
        for cure in cures:
            say(f"  - {cure}")


def explanation_as_json(
    explanation: Explanation,
    engine: PolicyEngine,
    recorded: Authorization | None,
    *,
    everything: bool,
) -> dict[str, Any]:
    """Return the same as JSON values."""
    data: dict[str, Any] = {
        "allowed": explanation.decision.allowed,
        "rules": explanation.decision.rules,
        "reasons": [asdict(reason) for reason in explanation.decision.reasons],
        "findings": [
            asdict(found) for found in explanation.findings if everything or found.outcome != "met"
        ],
        "policy_digest": engine.digest,
    }
    if recorded is not None:
        data["recorded"] = {
            "authorization": recorded.id,
            "issued_at": recorded.issued_at,
            "rules": recorded.policy_decision,
            "policy_digest": recorded.policy_digest,
        }
    return data
