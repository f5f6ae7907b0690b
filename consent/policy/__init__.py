"""The one decision: Cedar policies over a request, every answer with its rules in words."""

from __future__ import annotations

from consent.policy.decision import Decision, Denied, Explanation, Finding, Reason, Rule
from consent.policy.engine import PolicyEngine
from consent.policy.facts import (
    CONTENT,
    NO_SUCH_CONTENT,
    PERMISSIONS,
    PURPOSES,
    REVIEW,
    STATUSES,
    GrantFacts,
    Surroundings,
)
from policies import ON_REQUEST, PACKS, schema

__all__ = [
    "CONTENT",
    "NO_SUCH_CONTENT",
    "ON_REQUEST",
    "PACKS",
    "PERMISSIONS",
    "PURPOSES",
    "REVIEW",
    "STATUSES",
    "Decision",
    "Denied",
    "Explanation",
    "Finding",
    "GrantFacts",
    "PolicyEngine",
    "Reason",
    "Rule",
    "Surroundings",
    "schema",
]
