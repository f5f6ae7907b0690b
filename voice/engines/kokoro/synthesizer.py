"""Text to sound with Kokoro: phonemes, pieces, the network, clean edges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from consent.errors import InputError
from voice.engines.base import FloatArray
from voice.engines.kokoro import tokens, voices
from voice.engines.kokoro.edges import join, trim
from voice.engines.kokoro.model import Kokoro
from voice.engines.kokoro.spectral import SAMPLE_RATE, SAMPLES_PER_FRAME

#: Longer pieces sound hurried; the network could take twice as many.
PIECE = 250

#: Largest sample that is delivered. The network seldom reaches 0.8 at its own scale.
CEILING = 0.97

# A later attempt at a very short utterance speaks it after "He said:", and cuts that off again.
_SHORT = 16
_LEAD = "hi sˈɛd: "


@dataclass(frozen=True, slots=True)
class _Attempt:
    """How one `variation` differs from the first: piece length, pace, style row, lead."""

    largest: int = PIECE
    pace: float = 1.0
    row: int = 0
    lead: bool = False


_ATTEMPTS = (
    _Attempt(),
    _Attempt(120, 0.97, lead=True),
    _Attempt(PIECE, 0.93, row=4),
    _Attempt(70, 0.95, row=2, lead=True),
    _Attempt(180, 0.9, row=8),
)


class KokoroSynthesizer:
    """A loaded network; see :class:`voice.engines.base.Synthesizer`.

    Parameters
    ----------
    model
        The network.
    """

    sample_rate = SAMPLE_RATE

    def __init__(self, model: Kokoro) -> None:
        self._model = model
        self._styles: dict[str, NDArray[np.float32]] = {}

    def synthesize(
        self, text: str, *, voice: str, language: str, speed: float = 1.0, variation: int = 0
    ) -> FloatArray:
        """Speak `text`; see :meth:`voice.engines.base.Synthesizer.synthesize`.

        English of any region is spoken with the accent of the voice.
        """
        if not 0.5 <= speed <= 2.0:
            raise InputError(f"speed is {speed}", hint="Choose a speed from 0.5 to 2.0.")
        rows = self._style(voice)
        return self.speak_phonemes(
            _phonemes(text, language, voices.language_of(voice)),
            rows,
            speed=speed,
            variation=variation,
        )

    def speak_phonemes(
        self,
        phonemes: str,
        style: NDArray[np.float32],
        *,
        speed: float = 1.0,
        variation: int = 0,
    ) -> FloatArray:
        """Speak phonemes in Kokoro's alphabet with given style rows.

        Parameters
        ----------
        phonemes
            Of any length; symbols without a token are dropped.
        style
            (510, 256), as :func:`voice.engines.kokoro.voices.style` returns.
        """
        attempt = _ATTEMPTS[variation % len(_ATTEMPTS)]
        parts: list[tuple[FloatArray, float]] = []
        for piece in tokens.split(tokens.known(phonemes), attempt.largest):
            spoken = self._speak(tokens.stressed(piece.phonemes), style, speed, attempt)
            parts.append((trim(spoken), piece.pause))
        samples = join(parts)
        peak = float(np.abs(samples).max(initial=0.0))
        return samples if peak <= CEILING else samples * np.float32(CEILING / peak)

    def _speak(
        self, phonemes: str, style: NDArray[np.float32], speed: float, attempt: _Attempt
    ) -> FloatArray:
        lead = _LEAD if attempt.lead and len(phonemes) <= _SHORT else ""
        whole = lead + phonemes
        row = min(len(whole) - 1 + attempt.row, len(style) - 1)
        spoken = self._model.speak(
            tokens.encode(whole), torch.from_numpy(style[row]), speed * attempt.pace
        )
        # The last blank of the lead stays: in its frames the lips are already moving.
        start = int(spoken.frames[: len(lead)].sum()) if lead else 0
        return spoken.samples[start * SAMPLES_PER_FRAME :].numpy()

    def _style(self, voice: str) -> NDArray[np.float32]:
        if voice not in self._styles:
            self._styles[voice] = voices.style(voice)
        return self._styles[voice]


def _phonemes(text: str, language: str, accent: str) -> str:
    if language.split("-")[0].lower() != "en":
        raise InputError(
            f"kokoro's voices speak English, the text is marked as {language!r}",
            hint="Choose another voice for it, or mark the passage as English.",
        )
    if not text.strip():
        return ""
    from voice.phonemes import phonemize

    phonemes = tokens.known(phonemize(text, accent, alphabet="kokoro"))
    if not tokens.speakable(phonemes):
        if any(character.isalnum() for character in text):
            raise InputError(f"kokoro cannot pronounce {text[:60]!r}")
        return ""
    return phonemes
