"""Fill the values of a question into the words of a rule.

``{resource.grant.languages}`` in an ``@finding`` stands for what the policy itself would see
under that name.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from consent.policy.questions import Question

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
# Titles and names come from strangers and may be pages long.
_LONGEST = 120
_MOST = 12
_VOICE = "basis licence licenceLower commercial registered milliseconds minutes"
_MODEL = "engine version licence licenceLower commercial"
_GRANT = """id status statusSince supersededBy validFrom validUntil termDays owner licensee
    forThisRegistry permissions purposes works anyWork coversWork languages missingLanguages
    territories channels exclusions commercial unlimited millisecondsLeft minutesLeft basis
    mandateValid proof minor approvalRequired approved audibleDisclosure evidence"""
_WORK = """title author identifier purpose languages territory countries reaches channel
    commercial minutes licensee content signedMetadata watermark timestamp provider
    audibleDisclosure writtenDisclosure artistic"""
#: Everything that can stand in braces: the values of the schema, and the names of who and what.
NAMES = frozenset(
    f"{root}{name}"
    for root, names in (
        ("", "principal resource"),
        ("resource.", f"{_VOICE} {_MODEL}"),
        ("resource.grant.", _GRANT),
        ("context.", _WORK),
    )
    for name in names.split()
)


def unknown_names(text: str) -> list[str]:
    """Return what stands in braces in `text` and names nothing."""
    return [name for name in _PLACEHOLDER.findall(text) if name not in NAMES]


def fill(text: str, question: Question) -> str:
    """Return `text` with the values of `question` in place of the names in braces."""
    return _PLACEHOLDER.sub(lambda match: _shown(_look_up(match.group(1), question)), text)


def _look_up(name: str, question: Question) -> Any:
    if name == "principal":
        return question.requester
    if name == "resource":
        return question.subject
    root, *path = name.split(".")
    value: Any = question.context if root == "context" else question.attributes
    for step in path:
        if not isinstance(value, Mapping) or step not in value:
            return None
        value = value[step]
    return value


def _shown(value: Any) -> str:
    if value is None:
        return "not known"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        text = " ".join(value.split()) or "not stated"
        return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    if isinstance(value, Collection):
        items = [_shown(item) for item in value]
        more = f" and {len(items) - _MOST} more" if len(items) > _MOST else ""
        return ", ".join(items[:_MOST]) + more if items else "nothing"
    return str(value)
