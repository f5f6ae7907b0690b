"""The policies in force, and the questions put to them.

Three safeguards around Cedar: the schema is always validated; an error while a policy is
evaluated is a denial (Cedar alone would skip a failing ``forbid`` and allow); and a policy
file that cannot be used stops everything with its name instead of being left out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import policies as shipped
from consent.errors import InputError
from consent.policy.decision import Decision, Explanation, Finding, Reason, Rule
from consent.policy.facts import GrantFacts, Surroundings
from consent.policy.packs import Pack, check_pack, own_packs, read_pack, refuse_reserved
from consent.policy.questions import ACTIONS, Question, about_model, about_voice, work
from consent.policy.wording import fill

if TYPE_CHECKING:
    from consent.home import Home
    from consent.registry.job.requests import AuthorizationRequest, VoiceUse

_NOTHING_KNOWN = Surroundings()


class PolicyEngine:
    """The policies in force, parsed and validated once.

    Attributes
    ----------
    rules
        Every policy by its id.
    digest
        SHA-256 over schema and packs, lower-case hex: which policies decided. The order and
        the names of the packs do not matter.
    pack_digests
        SHA-256 of each pack's text by its name.
    """

    def __init__(self, schema: str, packs: Mapping[str, str]) -> None:
        import cedarpy

        self.digest = _digest(schema, packs.values())
        self.pack_digests = {name: _sha256(text).hex() for name, text in packs.items()}
        self.rules: dict[str, Rule] = {}
        self._json: dict[str, Any] = {}
        for name, text in packs.items():
            self._admit(name, text, schema)
        self._schema = cedarpy.Schema.from_str(schema)
        self._policies = _policy_set(self._json)
        self._alone: dict[str, Any] = {}

    @classmethod
    def load(cls, folder: Path | None = None, *, switched_on: Iterable[str] = ()) -> PolicyEngine:
        """Load the shipped packs and the user's own (``folder/*.cedar``).

        Parameters
        ----------
        switched_on
            Shipped packs besides those that are always on: ``"eu"``, ``"california"``.

        Raises
        ------
        InputError
            A pack is unknown, cannot be read or parsed, does not fit the schema, or has a
            policy without an ``@id`` of its own. No decision is made with some packs left out.
        """
        packs = shipped.packs(*_known(switched_on))
        for path in own_packs(folder) if folder is not None else ():
            packs[str(path)] = read_pack(path)
        return _cached(shipped.schema(), tuple(packs.items()))

    @classmethod
    def of_home(cls, home: Home) -> PolicyEngine:
        """Load what holds in `home`: always-on packs, ``policy.packs``, and its own packs.

        Raises
        ------
        InputError
            As :meth:`load`.
        """
        return cls.load(home.policies, switched_on=home.setting("policy", "packs") or ())

    @classmethod
    def check_file(cls, path: Path, folder: Path | None = None) -> Pack:
        """Check a pack before it is put among the user's own in `folder`.

        Returns
        -------
        Pack
            With remarks on what is allowed and yet may not be meant.

        Raises
        ------
        InputError
            It could not be used: as :meth:`load`.
        """
        packs = shipped.packs(*shipped.ON_REQUEST)
        for other in own_packs(folder) if folder is not None else ():
            if other.name != path.name:
                packs[str(other)] = read_pack(other)
        packs[str(path)] = read_pack(path)
        cls(shipped.schema(), packs)
        return check_pack(str(path), packs[str(path)], shipped.schema())

    # -- Deciding -----------------------------------------------------------------------

    def decide(
        self,
        request: AuthorizationRequest,
        grants: Mapping[str, GrantFacts | None] | None = None,
        *,
        surroundings: Surroundings = _NOTHING_KNOWN,
        action: str = "speak",
    ) -> Decision:
        """Ask, for each voice and model of `request`, whether it may be used for this work.

        Parameters
        ----------
        grants
            For each voice that is on record as a person's, by its name, the grant to judge,
            or None where there is none. A voice that is not among them is no person's.
        surroundings
            What will go with the sound.
        action
            What is to be done with the voices: a key of ``consent.policy.questions.ACTIONS``.
        """
        questions = self._questions(request, grants or {}, surroundings, action)
        return Decision.of(self._answer(question) for question in questions)

    def decide_voice(
        self,
        request: AuthorizationRequest,
        voice: VoiceUse,
        grant: GrantFacts | None,
        *,
        registered: bool = True,
        surroundings: Surroundings = _NOTHING_KNOWN,
        action: str = "speak",
    ) -> Decision:
        """Ask about one voice under one grant alone, to choose between grants."""
        question = about_voice(
            request,
            voice,
            registered=registered,
            grant=grant,
            context=work(request, surroundings),
            action=_checked(action),
        )
        return self._answer(question)

    def explain(
        self,
        request: AuthorizationRequest,
        grants: Mapping[str, GrantFacts | None] | None = None,
        *,
        surroundings: Surroundings = _NOTHING_KNOWN,
        action: str = "speak",
    ) -> Explanation:
        """Decide as :meth:`decide`, and say how every rule stands to every voice and model."""
        questions = list(self._questions(request, grants or {}, surroundings, action))
        decision = Decision.of(self._answer(question) for question in questions)
        found = [finding for question in questions for finding in self._findings(question)]
        return Explanation(decision, tuple(found))

    def _questions(
        self,
        request: AuthorizationRequest,
        grants: Mapping[str, GrantFacts | None],
        surroundings: Surroundings,
        action: str,
    ) -> Iterator[Question]:
        context = work(request, surroundings)
        _checked(action)
        for voice in request.voices:
            yield about_voice(
                request,
                voice,
                registered=voice.voice in grants,
                grant=grants.get(voice.voice),
                context=context,
                action=action,
            )
        for model in request.models:
            yield about_model(request, model, context=context)

    def _answer(self, question: Question) -> Decision:
        allowed, determining, errors = self._ask(question, self._policies)
        reasons = [
            Reason("policy-error", question.subject, f"A policy could not be evaluated: {e}", "")
            for e in errors
        ]
        if not allowed:
            reasons += [
                self._denial(self.rules[rule], question)
                for rule in determining
                if self.rules[rule].effect == "forbid"
            ]
            if not reasons:
                reasons.append(
                    Reason("default-deny", question.subject, "No policy permits this.", "")
                )
        return Decision(not reasons, tuple(sorted(determining)), tuple(reasons))

    def _ask(
        self, question: Question, policies: Any
    ) -> tuple[bool, tuple[str, ...], tuple[str, ...]]:
        """Return whether Cedar allows, the policies that decided, and what went wrong."""
        import cedarpy

        # One question at a time: the attributes come from the request, and two entries that
        # name one voice must not be able to lend each other theirs.
        uid = {"type": f"Vivavoce::{question.kind}", "id": question.subject}
        try:
            result = cedarpy.is_authorized(
                {
                    "principal": {"type": "Vivavoce::Requester", "id": question.requester},
                    "action": {"type": "Vivavoce::Action", "id": question.action},
                    "resource": uid,
                    "context": dict(question.context),
                },
                policies,
                [{"uid": uid, "attrs": dict(question.attributes), "parents": []}],
                self._schema,
            )
        except ValueError as exc:  # a half character in a name, which Cedar cannot take
            return False, (), (str(exc),)
        errors = tuple(result.diagnostics.errors)
        allowed = result.decision == cedarpy.Decision.Allow and not errors
        return allowed, tuple(sorted(result.diagnostics.reasons)), errors

    def _findings(self, question: Question) -> Iterator[Finding]:
        """Ask each rule alone: Cedar names the permits of a yes and the forbids of a no only."""
        for rule in self.rules.values():
            if question.action not in rule.actions:
                continue
            _, determining, errors = self._ask(question, self._only(rule.id))
            if errors:
                yield Finding("error", question.subject, rule.id, "; ".join(errors))
            elif rule.effect == "permit":
                if determining:
                    yield Finding("allows", question.subject, rule.id, rule.description)
            elif determining:
                reason = self._denial(rule, question)
                yield Finding("denies", question.subject, rule.id, reason.text, reason.cure)
            else:
                yield Finding("met", question.subject, rule.id, rule.description)

    def _only(self, rule_id: str) -> Any:
        if rule_id not in self._alone:
            self._alone[rule_id] = _policy_set({rule_id: self._json[rule_id]})
        return self._alone[rule_id]

    @staticmethod
    def _denial(rule: Rule, question: Question) -> Reason:
        text = fill(rule.finding, question) if rule.finding else rule.description
        return Reason(rule.id, question.subject, text or "Forbidden by this rule.", rule.cure)

    # -- Loading ------------------------------------------------------------------------

    def _admit(self, name: str, text: str, schema: str) -> None:
        """Check one pack and take note of its rules."""
        pack = check_pack(name, text, schema)
        for rule in pack.rules:
            if rule.id in self.rules:
                raise InputError(
                    f"the policy id {rule.id!r} of the pack {name} is already used by "
                    f"{self.rules[rule.id].pack}",
                    hint="Give each policy an id of its own.",
                )
        if name not in shipped.FILES:
            refuse_reserved(pack)
        self.rules |= {rule.id: rule for rule in pack.rules}
        self._json |= pack.policies


def _known(names: Iterable[str]) -> list[str]:
    wanted = list(names)
    for name in wanted:
        if name not in shipped.PACKS:
            raise InputError(
                f"policy.packs names {name!r}, which is no shipped policy pack",
                hint=f"Packs that can be switched on: {', '.join(shipped.ON_REQUEST)}.",
            )
    return wanted


def _checked(action: str) -> str:
    if action not in ACTIONS:
        raise InputError(
            f"{str(action)[:80]!r} is nothing that is done with a voice",
            hint=f"One of: {', '.join(ACTIONS)}.",
        )
    return action


def _policy_set(policies: Mapping[str, Any]) -> Any:
    """Return Cedar's policy set; each policy goes by its ``@id``."""
    import cedarpy

    return cedarpy.PolicySet.from_json_str(
        json.dumps({"staticPolicies": policies, "templates": {}, "templateLinks": []})
    )


def _digest(schema: str, packs: Iterable[str]) -> str:
    # File names stay out: a home folder's path must not reach the log, even hashed.
    parts = [_sha256(schema), *sorted(_sha256(text) for text in packs)]
    return hashlib.sha256(b"".join(parts)).hexdigest()


def _sha256(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


@lru_cache(maxsize=8)
def _cached(schema: str, packs: tuple[tuple[str, str], ...]) -> PolicyEngine:
    return PolicyEngine(schema, dict(packs))
