"""The one decision: Cedar policies over a request, every answer with its rules in words."""

from __future__ import annotations

from consent.policy.engine import Decision, Denied, PolicyEngine, Reason, Rule
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

__all__ = [
    "CONTENT",
    "NO_SUCH_CONTENT",
    "PERMISSIONS",
    "PURPOSES",
    "REVIEW",
    "STATUSES",
    "Decision",
    "Denied",
    "GrantFacts",
    "PolicyEngine",
    "Reason",
    "Rule",
    "Surroundings",
]
