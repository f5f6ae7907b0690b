"""Policy packs: read, checked, and taken apart into their rules.

A pack that cannot be used stops everything with its name, instead of being left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import policies as shipped
from consent.errors import InputError
from consent.files import read_limited
from consent.policy.decision import Rule
from consent.policy.questions import ACTIONS, USE_MODEL
from consent.policy.wording import unknown_names

#: A pack of this many bytes is read, a larger one is refused.
MAX_BYTES = 1 << 20
# The parser behind Cedar recurses without looking at how much stack is left, and the validator
# gives up unseen where a condition is nested too deeply. Both happen far beyond these.
_MAX_DEPTH = 64
_MAX_WORDS = 200
_MAX_STATEMENT = 32_768
_MAX_ANNOTATION = 2_000

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,99}")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\n]*|\b(?:if|has)\b|[()\[\]{};.]', re.DOTALL)
_NUMBERED = re.compile(r"^for policy `[^`]*`, ")  # a number of Cedar's own, of no use to anyone
_MOST_ERRORS = 10
_VOICE_GROUP = "useVoice"
_SCOPE_ALL = {"op": "All"}


@dataclass(frozen=True, slots=True)
class Pack:
    """A pack whose every policy was parsed and fits the schema.

    Attributes
    ----------
    name
        File name of a shipped pack, path of a user's own.
    policies
        Each policy in Cedar's JSON form, by its ``@id``.
    rules
        The same in words.
    remarks
        What is allowed and yet may not be meant.
    """

    name: str
    policies: Mapping[str, Any]
    rules: tuple[Rule, ...]
    remarks: tuple[str, ...]


def read_pack(path: Path) -> str:
    """Return the text of a user's pack.

    Raises
    ------
    InputError
        It cannot be read, is not UTF-8, or is too large.
    """
    try:
        return read_limited(path, MAX_BYTES).decode("utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise InputError(
            f"cannot read the policy pack {path}: {exc}",
            hint="Correct it, or move it away; until then nothing is authorized.",
        ) from exc


def own_packs(folder: Path) -> Iterator[Path]:
    """Yield the user's packs in `folder`, sorted; none where there is no folder.

    Raises
    ------
    InputError
        The folder cannot be looked into.
    """
    try:
        # Not glob(), which takes a folder it may not read for an empty one.
        names = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".cedar")
    except FileNotFoundError:
        return
    except OSError as exc:
        raise InputError(
            f"cannot look for policy packs in {folder}: {exc.strerror or exc}",
            hint="Make the folder readable; until then nothing is authorized.",
        ) from exc
    yield from names


def check_pack(name: str, text: str, schema: str) -> Pack:
    """Parse and validate one pack.

    Raises
    ------
    InputError
        It does not parse, does not fit the schema, or has a policy without an ``@id``.
    """
    import cedarpy

    _check_bounds(name, text)
    try:
        parsed = json.loads(cedarpy.policies_to_json_str(text))
    except ValueError as exc:
        raise InputError(
            f"the policy pack {name} does not parse: {_first_line(exc)}{_place(text)}",
            hint="Correct it, or move it away; until then nothing is authorized.",
        ) from exc
    if parsed.get("templates"):
        raise InputError(f"the policy pack {name} holds a template, which is not supported")
    result = cedarpy.validate_policies(text, schema)
    if not result.validation_passed:
        names = result.id_annotations_by_policy_id
        problems = "; ".join(
            f"{names.get(error.policy_id, error.policy_id)}: {_NUMBERED.sub('', error.error)}"
            for error in result.errors[:_MOST_ERRORS]
        )
        raise InputError(
            f"the policy pack {name} does not fit the schema: {problems}",
            hint="`vivavoce policy list --schema` shows what a policy can ask about.",
        )
    found: dict[str, Any] = {}
    rules: list[Rule] = []
    for policy in parsed["staticPolicies"].values():
        rule = _rule(name, policy)
        if rule.id in found:
            raise InputError(
                f"the policy id {rule.id!r} of the pack {name} is already used by it",
                hint="Give each policy an id of its own.",
            )
        found[rule.id] = policy
        rules.append(rule)
    remarks = tuple(remark for rule in rules for remark in _remarks(rule, found[rule.id]))
    return Pack(name, found, tuple(rules), remarks)


def refuse_reserved(pack: Pack) -> None:
    """Refuse a user's pack that speaks in the name of a shipped one.

    Raises
    ------
    InputError
        An id begins with the name of a shipped pack.
    """
    for rule in pack.rules:
        if rule.id.split("/")[0] in shipped.PACKS:
            raise InputError(
                f"the policy id {rule.id!r} of the pack {pack.name} sounds like a shipped one",
                hint='Begin it with a name of your own: @id("mypack/what-it-requires")',
            )


def _rule(name: str, policy: Mapping[str, Any]) -> Rule:
    notes = {key: value or "" for key, value in policy.get("annotations", {}).items()}
    rule = Rule(
        id=notes.get("id", ""),
        effect=policy["effect"],
        description=notes.get("description", ""),
        cure=notes.get("cure", ""),
        pack=name,
        finding=notes.get("finding", ""),
        actions=_actions(policy),
    )
    if not rule.id:
        raise InputError(
            f"a policy of the pack {name} has no @id",
            hint='Name it: @id("mypack/what-it-requires")',
        )
    if not _ID.fullmatch(rule.id):
        raise InputError(
            f"the policy id {rule.id[:120]!r} of the pack {name} is no id",
            hint="Letters, digits, dots, dashes and slashes, 100 at most.",
        )
    for what, text in (
        ("description", rule.description),
        ("finding", rule.finding),
        ("cure", rule.cure),
    ):
        if len(text) > _MAX_ANNOTATION:
            raise InputError(
                f"the @{what} of {rule.id} in the pack {name} has {len(text):,} characters; "
                f"{_MAX_ANNOTATION:,} is the most"
            )
    unknown = unknown_names(rule.finding)
    if unknown:
        raise InputError(
            f"the @finding of {rule.id} in the pack {name} names {{{unknown[0]}}}, "
            "which policies do not see",
            hint="Write names as in the policy itself, for instance {context.title}.",
        )
    return rule


def _actions(policy: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the actions in the scope of a policy."""
    everything = (*ACTIONS, USE_MODEL)
    scope = policy["action"]
    if scope == _SCOPE_ALL:
        return everything
    entities = scope.get("entities") or [scope["entity"]]
    named = {entity["id"] for entity in entities}
    return tuple(
        action
        for action in everything
        if action in named or (action in ACTIONS and _VOICE_GROUP in named)
    )


def _remarks(rule: Rule, policy: Mapping[str, Any]) -> Iterator[str]:
    if rule.effect == "permit":
        bare = policy["principal"] == policy["action"] == policy["resource"] == _SCOPE_ALL
        if bare and not policy["conditions"]:
            yield (
                f"{rule.id} permits everything. What a policy forbids stays forbidden, but "
                "nothing is denied any more for want of a permit."
            )
        return
    if not (rule.description or rule.finding):
        yield f"{rule.id} has no @description: a denial would not say what it requires."
    if not rule.cure:
        yield f"{rule.id} has no @cure: a denial would not say what to do about it."


def _check_bounds(name: str, text: str) -> None:
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        raise InputError(
            f"the policy pack {name} has {size:,} bytes; {MAX_BYTES:,} is the most",
            hint="Split it into several packs.",
        )
    depth = words = start = 0
    for token in _TOKEN.finditer(text):
        mark = token.group()
        if mark in "([{":
            depth += 1
        elif mark in ")]}":
            depth -= 1
        if mark in ("if", "has", ".", "[", "("):
            words += 1
        if mark == ";":
            words, start = 0, token.end()
        if depth > _MAX_DEPTH or words > _MAX_WORDS or token.end() - start > _MAX_STATEMENT:
            line = text.count("\n", 0, token.start()) + 1
            raise InputError(
                f"the policy pack {name} has a policy that is nested too deeply or too long, "
                f"at line {line}",
                hint="Split it into several policies.",
            )
    if len(text) - start > _MAX_STATEMENT:
        raise InputError(f"the policy pack {name} has a policy that is too long, at its end")


def _place(text: str) -> str:
    """Return where the first policy stands that does not parse: Cedar's message says not."""
    import cedarpy

    start = 0
    ends = [token.end() for token in _TOKEN.finditer(text) if token.group() == ";"]
    for end in (*ends, len(text)):
        try:
            cedarpy.policies_to_json_str(text[start:end])
        except ValueError:
            blank = len(text[start:end]) - len(text[start:end].lstrip())
            return f", in the policy at line {text.count(chr(10), 0, start + blank) + 1}"
        start = end
    return ""


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
