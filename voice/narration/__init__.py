"""From a plan to finished audio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from voice.narration.cache import SegmentCache
    from voice.narration.render import narrate
    from voice.narration.result import NarrationResult
    from voice.narration.speaking import speak
    from voice.narration.usage import Usage

__all__ = ["NarrationResult", "SegmentCache", "Usage", "narrate", "speak"]

_LAZY = {
    "NarrationResult": "voice.narration.result",
    "SegmentCache": "voice.narration.cache",
    "narrate": "voice.narration.render",
    "speak": "voice.narration.speaking",
    "Usage": "voice.narration.usage",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
