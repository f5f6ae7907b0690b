"""Speech engines: the interface, the registry, and the engines that ship with the package."""

from voice.engines.base import SpeechEngine, Synthesizer, Voice
from voice.engines.checked import CheckedSynthesizer, ClippedWarning, checked
from voice.engines.registry import (
    EngineProblem,
    available,
    find_voice,
    problems,
    refresh,
    voices,
)

__all__ = [
    "CheckedSynthesizer",
    "ClippedWarning",
    "EngineProblem",
    "SpeechEngine",
    "Synthesizer",
    "Voice",
    "available",
    "checked",
    "find_voice",
    "problems",
    "refresh",
    "voices",
]
