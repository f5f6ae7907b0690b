"""What an answer is made of: rules, reasons, findings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from consent.errors import RefusedError


@dataclass(frozen=True, slots=True)
class Rule:
    """One policy, in words.

    Attributes
    ----------
    id
        Its ``@id``.
    effect
        ``"permit"`` or ``"forbid"``.
    description
        What it requires (``@description``).
    cure
        What would change its answer (``@cure``).
    pack
        Where it comes from: file name of a shipped pack, path of a user's own.
    finding
        What it says when it denies, values in braces (``@finding``); may be empty.
    actions
        The actions it is about.
    """

    id: str
    effect: str
    description: str
    cure: str
    pack: str
    finding: str = ""
    actions: tuple[str, ...] = ()


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
        What was found, in words and with the values.
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

    @classmethod
    def of(cls, decisions: Iterable[Decision]) -> Decision:
        """Join the answers to several questions: allowed where all are."""
        found = tuple(decisions)
        return cls(
            allowed=bool(found) and all(decision.allowed for decision in found),
            rules=tuple(sorted({rule for decision in found for rule in decision.rules})),
            reasons=tuple(reason for decision in found for reason in decision.reasons),
        )


@dataclass(frozen=True, slots=True)
class Finding:
    """How one rule stands to one voice or model.

    Attributes
    ----------
    outcome
        ``"allows"``, ``"denies"``, ``"met"`` (a requirement that is fulfilled) or ``"error"``.
    subject
        The voice or model.
    rule
        Id of the rule.
    text, cure
        In words; `cure` only where the rule denies.
    """

    outcome: str
    subject: str
    rule: str
    text: str
    cure: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision and how every rule that was asked stands to it."""

    decision: Decision
    findings: tuple[Finding, ...]


class Denied(RefusedError):
    """Policy says no, and says why.

    Attributes
    ----------
    details
        Every reason.
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
