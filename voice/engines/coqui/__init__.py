"""coqui-tts as a speech engine: Piper voices run by its ``Vits``, and any model of its own.

The engine object is cheap; coqui-tts and PyTorch are imported when something is spoken.
See docs/models.md.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from voice.engines.base import Voice
from voice.models.card import ModelCard

if TYPE_CHECKING:
    from consent.home import Home
    from voice.engines.coqui.synthesizer import CoquiSynthesizer

#: Raised whenever the same text would sound different with the same weights and precision.
SOUND_VERSION = 1


class CoquiEngine:
    """Voices of coqui-tts; a :class:`voice.engines.base.SpeechEngine`.

    ``joe`` comes with the package. Others are imported Piper voices, models of coqui's
    catalogue that were pulled (``tts_models/en/vctk/vits#p225``), and folders with a coqui model
    (``/path/to/folder``). Cloning from recordings is not offered here.
    """

    name = "coqui"

    def cards(self) -> Sequence[ModelCard]:
        """Return the cards of the models worth naming; the catalogue has more."""
        from voice.models import packaged_cards

        return [card for card in packaged_cards().values() if card.engine == self.name]

    def find_card(self, identifier: str) -> ModelCard | None:
        """Return the card of a catalogue model, or of a folder found before, or None."""
        from voice.engines.coqui import library

        return library.find_card(identifier)

    def voices(self) -> Sequence[Voice]:
        """Return joe, the imported voices, and those of pulled models."""
        from voice.engines.coqui import library

        return [entry.voice for entry in library.listed(_home())]

    def find(self, name: str) -> Voice | None:
        """Return a voice by catalogue name or folder, with ``#speaker`` where it has several."""
        from voice.engines.coqui import library

        entry = library.find(name, _home())
        return None if entry is None else entry.voice

    def fingerprint(self, voice: str) -> str:
        """Return a digest of what shapes the sound: weights, speaker, precision, code."""
        import hashlib
        from importlib import metadata

        from voice.engines.coqui import convert, library
        from voice.engines.coqui.precision import precision

        home = _home()
        entry = library.require(voice, home)
        parts = (
            self.name,
            str(SOUND_VERSION),
            str(convert.FORMAT),
            metadata.version("coqui-tts"),
            precision(),
            library.weights_digest(entry, home),
            entry.speaker or "",
            *library.phoneme_source(entry, home),
        )
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def load(self, *, threads: int = 1) -> CoquiSynthesizer:
        """Prepare to speak; each model is loaded when its first text comes."""
        # Waiting threads of OpenMP spin by default; read once, when torch is imported.
        for name, value in (("OMP_WAIT_POLICY", "PASSIVE"), ("GOMP_SPINCOUNT", "0")):
            os.environ.setdefault(name, value)
        import torch

        from voice.engines.coqui.synthesizer import CoquiSynthesizer

        torch.set_num_threads(max(1, threads))
        return CoquiSynthesizer(_home())

    def pull(self, card: ModelCard, folder: Path, *, agree_licence: bool) -> None:
        """Fetch a catalogue model with coqui's own downloader; called by `voice.models.pull`."""
        from voice.engines.coqui import hub

        hub.pull(card, folder, agree_licence=agree_licence)


def import_piper_voice(
    onnx_path: Path,
    json_path: Path,
    home: Home,
    *,
    name: str,
    licence: str = "unknown",
    commercial: bool = False,
) -> Voice:
    """Convert a Piper voice into a voice of this engine; see `importing.import_piper_voice`."""
    from voice.engines.coqui import importing

    return importing.import_piper_voice(
        onnx_path, json_path, home, name=name, licence=licence, commercial=commercial
    )


def _home() -> Home:
    from consent.home import Home

    return Home.open()
