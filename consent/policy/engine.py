"""The one decision: Cedar policies over a request, every answer with its rules in words.

Three safeguards around Cedar: the schema is always validated; an error while a policy is
evaluated is a denial (Cedar alone would skip a failing ``forbid`` and allow); and a policy
file that cannot be used stops everything with its name instead of being left out.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import policies as shipped
from consent.errors import InputError, RefusedError

if TYPE_CHECKING:
    from consent.registry.records import AuthorizationRequest


@dataclass(frozen=True, slots=True)
class Rule:
    """One policy: its ``@id``, and its ``@description`` and ``@cure`` in words."""

    id: str
    effect: str
    description: str
    cure: str
    pack: str


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something is denied.

    Attributes
    ----------
    rule
        Id of the rule, or ``"default-deny"`` or ``"policy-error"``.
    subject
        The voice or model it is about.
    text
        The rule in words.
    cure
        What would change the answer; may be empty.
    """

    rule: str
    subject: str
    text: str
    cure: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.text} [{self.rule}]"


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome of all questions a request asks.

    Attributes
    ----------
    rules
        Ids of the policies that decided, sorted.
    reasons
        Every reason to deny; empty when allowed.
    """

    allowed: bool
    rules: tuple[str, ...]
    reasons: tuple[Reason, ...]


class Denied(RefusedError):
    """Policy says no, and says why.

    Attributes
    ----------
    reasons
        Every reason in words, with its rule.
    cures
        What would change the answer.
    rules
        Ids of the rules that denied.
    """

    def __init__(self, reasons: Iterable[Reason]) -> None:
        found = tuple(reasons)
        self.details = found
        self.reasons = tuple(str(reason) for reason in found)
        self.cures = tuple(dict.fromkeys(reason.cure for reason in found if reason.cure))
        self.rules = tuple(dict.fromkeys(reason.rule for reason in found))
        lines = "".join(f"\n  - {reason}" for reason in self.reasons)
        super().__init__(
            f"not allowed, for {len(found)} reason{'s' if len(found) != 1 else ''}:{lines}",
            hint=" ".join(self.cures) or None,
        )


class PolicyEngine:
    """The policies in force, parsed and validated once.

    Attributes
    ----------
    rules
        Every policy by its id.
    digest
        SHA-256 over schema and packs, lower-case hex: which policies decided.
    """

    def __init__(self, schema: str, packs: dict[str, str]) -> None:
        import cedarpy

        self.digest = _digest(schema, packs)
        self.rules: dict[str, Rule] = {}
        for name, text in packs.items():
            self._admit(name, text, schema)
        everything = "\n".join(packs.values())
        self._schema = cedarpy.Schema.from_str(schema)
        self._policies = cedarpy.PolicySet.from_str(everything)

    @classmethod
    def load(cls, folder: Path | None = None) -> PolicyEngine:
        """Load the shipped packs and the user's own (``folder/*.cedar``).

        Raises
        ------
        InputError
            A pack cannot be read or parsed, does not fit the schema, or has a policy without
            an ``@id`` of its own. No decision is made with some packs left out.
        """
        packs = shipped.packs()
        for path in sorted(folder.glob("*.cedar")) if folder is not None else ():
            try:
                packs[str(path)] = path.read_text("utf-8")
            except (OSError, UnicodeDecodeError) as exc:
                raise InputError(f"cannot read the policy pack {path}: {exc}") from exc
        return _cached(shipped.schema(), tuple(packs.items()))

    def decide(self, request: AuthorizationRequest) -> Decision:
        """Ask, for each voice and model of `request`, whether it may be used for this work."""
        import cedarpy

        work = {
            "title": request.work_title,
            "author": request.work_author,
            "identifier": request.work_identifier,
            "purpose": request.purpose,
            "languages": sorted(set(request.languages)),
            "territory": request.territory,
            "channel": request.channel,
            "commercial": request.commercial,
            "minutes": math.ceil(request.minutes),
        }
        questions: list[tuple[str, str, str, dict[str, Any]]] = [
            (
                "speak",
                "Vivavoce::Voice",
                voice.voice,
                {"basis": voice.basis, "licence": voice.licence, "commercial": voice.commercial},
            )
            for voice in request.voices
        ]
        questions += [
            (
                "useModel",
                "Vivavoce::Model",
                model.model,
                {"engine": model.engine, "licence": model.licence, "commercial": model.commercial},
            )
            for model in request.models
        ]
        rules: set[str] = set()
        reasons: list[Reason] = []
        for action, kind, subject, attributes in questions:
            # One question at a time: the attributes come from the request, and two entries
            # that name one voice must not be able to lend each other theirs.
            uid = {"type": kind, "id": subject}
            result = cedarpy.is_authorized(
                {
                    "principal": {"type": "Vivavoce::Requester", "id": request.requester},
                    "action": {"type": "Vivavoce::Action", "id": action},
                    "resource": uid,
                    "context": work,
                },
                self._policies,
                [{"uid": uid, "attrs": attributes, "parents": []}],
                self._schema,
            )
            named = result.diagnostics.id_annotations_by_reason
            determining = [named.get(reason, reason) for reason in result.diagnostics.reasons]
            rules.update(determining)
            reasons.extend(
                Reason("policy-error", subject, f"A policy could not be evaluated: {error}", "")
                for error in result.diagnostics.errors
            )
            if result.decision != cedarpy.Decision.Allow:
                reasons.extend(self._denial(rule, subject) for rule in determining)
                if not determining and not result.diagnostics.errors:
                    reasons.append(Reason("default-deny", subject, "No policy permits this.", ""))
        return Decision(not reasons, tuple(sorted(rules)), tuple(reasons))

    def _denial(self, rule_id: str, subject: str) -> Reason:
        rule = self.rules[rule_id]
        return Reason(rule.id, subject, rule.description or "Forbidden by this rule.", rule.cure)

    def _admit(self, name: str, text: str, schema: str) -> None:
        """Check one pack and take note of its rules."""
        import cedarpy

        try:
            parsed = json.loads(cedarpy.policies_to_json_str(text))
        except ValueError as exc:
            raise InputError(
                f"the policy pack {name} does not parse: {exc}",
                hint="Correct it, or move it away; until then nothing is authorized.",
            ) from exc
        if parsed.get("templates"):
            raise InputError(f"the policy pack {name} holds a template, which is not supported")
        result = cedarpy.validate_policies(text, schema)
        if not result.validation_passed:
            problems = "; ".join(error.error for error in result.errors)
            raise InputError(
                f"the policy pack {name} does not fit the schema: {problems}",
                hint="See policies/schema.cedarschema for what a policy can ask about.",
            )
        for policy in parsed["staticPolicies"].values():
            notes = policy.get("annotations", {})
            rule = Rule(
                id=notes.get("id") or "",
                effect=policy["effect"],
                description=notes.get("description") or "",
                cure=notes.get("cure") or "",
                pack=name,
            )
            if not rule.id:
                raise InputError(
                    f"a policy of the pack {name} has no @id",
                    hint='Name it: @id("mypack/what-it-requires")',
                )
            if rule.id in self.rules:
                raise InputError(
                    f"the policy id {rule.id!r} of the pack {name} is already used by "
                    f"{self.rules[rule.id].pack}",
                    hint="Give each policy an id of its own.",
                )
            self.rules[rule.id] = rule


def _digest(schema: str, packs: dict[str, str]) -> str:
    # File names stay out: a home folder's path must not reach the log, even hashed.
    texts = [schema, *packs.values()]
    parts = [hashlib.sha256(text.encode()).digest() for text in texts]
    return hashlib.sha256(b"".join(parts)).hexdigest()


@lru_cache(maxsize=8)
def _cached(schema: str, packs: tuple[tuple[str, str], ...]) -> PolicyEngine:
    return PolicyEngine(schema, dict(packs))
