"""What any request or draft must be to be meant."""

from __future__ import annotations

import dataclasses
import math
import re
from typing import TYPE_CHECKING

from consent.errors import InputError

if TYPE_CHECKING:
    from consent.registry.job.records import ReceiptDraft
    from consent.registry.job.requests import AuthorizationRequest, ModelUse, VoiceUse

_HEX64 = re.compile(r"[0-9a-f]{64}")
_MAX_TEXT = 2_000
_MAX_MINUTES = 1_000_000.0


def check_texts(record: AuthorizationRequest | ReceiptDraft) -> None:
    """Refuse texts that are too long or not Unicode."""
    fields = [(f.name, getattr(record, f.name)) for f in dataclasses.fields(record)]
    uses: tuple[VoiceUse | ModelUse, ...] = (*record.voices, *record.models)
    for use in uses:
        fields += [(f.name, getattr(use, f.name)) for f in dataclasses.fields(use)]
    for name, value in fields:
        if not isinstance(value, str):
            continue
        if len(value) > _MAX_TEXT:
            raise InputError(f"{name} has {len(value):,} characters; {_MAX_TEXT:,} is the most")
        try:
            value.encode()
        except UnicodeEncodeError as exc:
            raise InputError(f"{name} is not valid Unicode: {value[:80]!r}") from exc


def check_digest(name: str, value: str) -> None:
    """Refuse what is not 64 lower-case hex digits."""
    if not _HEX64.fullmatch(value):
        raise InputError(f"{name} is {value[:80]!r}, expected 64 lower-case hex digits")


def check_minutes(name: str, value: float) -> None:
    """Refuse no minutes, and more than anybody speaks."""
    if not (math.isfinite(value) and 0 < value <= _MAX_MINUTES):
        raise InputError(f"{name} is {value!r}, expected more than 0 minutes")


def check_uses(voices: tuple[VoiceUse, ...], models: tuple[ModelUse, ...]) -> None:
    """Refuse voices and models that are not named, named twice or out of range."""
    if not voices:
        raise InputError("no voice is named")
    if not models:
        raise InputError("no model is named")
    names = [voice.voice for voice in voices]
    if len(set(names)) != len(names):
        raise InputError(f"a voice is named twice: {', '.join(names)}")
    for voice in voices:
        if not voice.voice or len(voice.voice) > 200:
            raise InputError(f"{voice.voice[:80]!r} is not the name of a voice")
        if not (math.isfinite(voice.minutes) and 0 <= voice.minutes <= _MAX_MINUTES):
            raise InputError(f"{voice.voice} is said to speak {voice.minutes!r} minutes")
    for model in models:
        if not model.model or len(model.model) > 200:
            raise InputError(f"{model.model[:80]!r} is not the name of a model")
        if model.commercial not in ("yes", "no", "unknown"):
            raise InputError(
                f"commercial use of the model {model.model} is {model.commercial!r}",
                hint='Write "yes", "no" or "unknown".',
            )
        if model.sha256:
            check_digest(f"sha256 of the model {model.model}", model.sha256)
