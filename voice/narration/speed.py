"""How fast this machine narrates: remembered after each job, so that `plan` can tell the cost."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from consent.errors import VivavoceError
from consent.files import write_atomic

if TYPE_CHECKING:
    from consent.home import Home

#: Less audio than this says more about start-up than about speed.
ENOUGH_AUDIO_S = 30.0


def remember_rtf(home: Home, voice: str, *, audio_seconds: float, wall_seconds: float) -> None:
    """Remember how long rendering and checking `audio_seconds` of `voice` took.

    Jobs shorter than :data:`ENOUGH_AUDIO_S` are not remembered. A full disk or read-only home
    is no reason to fail a finished job: then nothing is remembered.
    """
    if audio_seconds < ENOUGH_AUDIO_S:
        return
    known = _read(home)
    known[_engine(voice)] = wall_seconds / audio_seconds
    try:
        write_atomic(home.cache / "speed.json", json.dumps(known).encode())
    except VivavoceError:
        return


def remembered_rtf(home: Home, voice: str) -> float | None:
    """Return the last real-time factor (wall seconds per second of audio), or None."""
    return _read(home).get(_engine(voice))


def _engine(voice: str) -> str:
    from voice.engines import find_voice

    return find_voice(voice)[1].engine


def _read(home: Home) -> dict[str, float]:
    try:
        data = json.loads((home.cache / "speed.json").read_text("utf-8"))
        return {str(name): float(rtf) for name, rtf in data.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}
