"""The coqui engine, loaded: finds the model of a voice, cuts the text, keeps one sample rate."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import TYPE_CHECKING

from consent.errors import InputError
from voice.engines.coqui import hub, library
from voice.engines.coqui.library import Entry
from voice.engines.coqui.model import CoquiModel
from voice.engines.coqui.splitting import split
from voice.engines.coqui.vits import PiperSpeaker

if TYPE_CHECKING:
    from consent.home import Home
    from voice.engines.base import FloatArray

SAMPLE_RATE = 24_000
"""Of everything this engine speaks: models differ (16, 22.05, 24 kHz), a cast mixes them."""

_LARGEST = {"piper": 400, "coqui": 220}
"""Characters spoken in one breath; XTTS is trained on up to about 250."""

_KEPT = 3
"""Models kept in memory; the one not used for longest goes."""


class CoquiSynthesizer:
    """Speaks with every voice of the engine; see :class:`voice.engines.base.Synthesizer`."""

    sample_rate = SAMPLE_RATE

    def __init__(self, home: Home) -> None:
        self._home = home
        self._entries: dict[str, Entry] = {}
        self._models: OrderedDict[str, PiperSpeaker | CoquiModel] = OrderedDict()

    def synthesize(
        self, text: str, *, voice: str, language: str, speed: float = 1.0, variation: int = 0
    ) -> FloatArray:
        """Speak `text`; see :meth:`voice.engines.base.Synthesizer.synthesize`.

        The noise that VITS and XTTS draw comes from the voice, the text and the variation, so
        that the same call gives the same samples. From the second variation on, long text is
        also cut into smaller pieces.
        """
        import numpy as np

        if not 0.5 <= speed <= 2.0:
            raise InputError(f"speed is {speed}", hint="Choose a speed from 0.5 to 2.0.")
        entry = self._entry(voice)
        _check_language(entry, language)
        model = self._model(entry)
        largest = _LARGEST["piper" if isinstance(model, PiperSpeaker) else "coqui"]
        pieces = split(text, largest if variation < 2 else max(60, largest // (1 + variation)))
        parts: list[FloatArray] = []
        for number, piece in enumerate(pieces):
            seed = _seed(voice, piece.text, variation, number)
            if isinstance(model, PiperSpeaker):
                spoken = model.speak(
                    model.phonemes(piece.text), seed=seed, speed=speed, speaker=entry.speaker
                )
            else:
                spoken = model.speak(
                    piece.text, seed=seed, language=language, speed=speed, speaker=entry.speaker
                )
            if len(spoken):
                parts.append(_resampled(spoken, model.sample_rate))
                parts.append(np.zeros(round(piece.pause * SAMPLE_RATE), np.float32))
        if not parts:
            if any(character.isalnum() for character in text):
                raise InputError(
                    f"the voice {voice!r} cannot speak {text[:60]!r}",
                    hint="Choose a voice of that language for it.",
                )
            return np.zeros(0, np.float32)
        return np.clip(np.concatenate(parts), -1.0, 1.0)

    def _entry(self, voice: str) -> Entry:
        if voice not in self._entries:
            self._entries[voice] = library.require(voice, self._home)
        return self._entries[voice]

    def _model(self, entry: Entry) -> PiperSpeaker | CoquiModel:
        key = entry.card.id
        if key in self._models:
            self._models.move_to_end(key)
            return self._models[key]
        folder = library.ready_folder(entry, self._home)
        model: PiperSpeaker | CoquiModel
        if entry.kind in {"joe", "piper"}:
            model = PiperSpeaker(folder)
        elif entry.kind == "pulled":
            model = hub.load(folder)
        else:
            model = CoquiModel(library.checkpoint_in(folder), folder / "config.json")
        while len(self._models) >= _KEPT:
            self._models.popitem(last=False)
        self._models[key] = model
        return model


def _seed(voice: str, text: str, variation: int, piece: int) -> int:
    digest = hashlib.sha256(f"{voice}\n{variation}\n{piece}\n{text}".encode()).digest()
    return int.from_bytes(digest[:7], "big")


def _check_language(entry: Entry, language: str) -> None:
    known = {tag.split("-")[0].lower() for tag in entry.voice.languages} - {"und"}
    if known and language.split("-")[0].lower() not in known:
        raise InputError(
            f"the voice {entry.voice.qualified} speaks {', '.join(entry.voice.languages)}, "
            f"the text is marked as {language!r}",
            hint="Choose another voice for it, or mark the passage differently.",
        )


def _resampled(samples: FloatArray, rate: int) -> FloatArray:
    if rate == SAMPLE_RATE:
        return samples
    from math import gcd

    import numpy as np
    from scipy.signal import resample_poly

    divisor = gcd(SAMPLE_RATE, rate)
    # A steeper window than the default: images of the voice stay 80 dB down.
    result = resample_poly(samples, SAMPLE_RATE // divisor, rate // divisor, window=("kaiser", 8.0))
    return np.asarray(result, dtype=np.float32)
