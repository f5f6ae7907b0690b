"""coqui-tts's catalogue of models, read without importing coqui-tts."""

from __future__ import annotations

import importlib.util
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from voice.models import packaged_cards
from voice.models.card import ModelCard, Source

_NAME = re.compile(r"(tts_models|voice_conversion_models)/[\w-]+/[\w-]+/[\w.-]+")
_RESTRICTED = re.compile(r"\bNC\b|CPML", re.IGNORECASE)


def card(name: str) -> ModelCard | None:
    """Return the card of a catalogue model, or None.

    Models without a reviewed card of their own get one from what the catalogue states; whether
    they may be used commercially is then at best unknown.
    """
    if not _NAME.fullmatch(name):
        return None
    for packaged in packaged_cards().values():
        if packaged.sources[0].kind == "hub" and packaged.sources[0].distribution == name:
            return packaged
    kind, language, dataset, model = name.split("/")
    item = _catalogue().get(kind, {}).get(language, {}).get(dataset, {}).get(model)
    if item is None:
        return None
    licence = str(item.get("license") or "unknown")
    restricted = _RESTRICTED.search(licence) is not None
    return ModelCard(
        id=name,
        name=f"{model} ({language}, {dataset})",
        engine="coqui",
        licence=licence,
        licence_url="",
        commercial="no" if restricted else "unknown",
        commercial_reason=(
            "The licence allows non-commercial use only."
            if restricted
            else "The licence is what coqui's catalogue states; nobody reviewed the training data."
        ),
        languages=() if language == "multilingual" else (language,),
        sha256="",
        size=0,
        sources=(Source("hub", name, ()),),
        training_data=f"Dataset {dataset}, as coqui's catalogue names it.",
        notes=str(item.get("description") or ""),
        homepage="https://github.com/idiap/coqui-ai-TTS",
    )


def names() -> list[str]:
    """Return the names of all speech models in the catalogue."""
    return [
        f"tts_models/{language}/{dataset}/{model}"
        for language, datasets in _catalogue().get("tts_models", {}).items()
        for dataset, models in datasets.items()
        for model in models
    ]


@cache
def _catalogue() -> dict[str, Any]:
    spec = importlib.util.find_spec("TTS")
    if spec is None or spec.origin is None:
        return {}
    try:
        data: dict[str, Any] = json.loads(Path(spec.origin).with_name(".models.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return data
