"""Kokoro-82M: the default narrator.

The engine object is cheap; the network, its kernels and PyTorch are imported by
:meth:`KokoroEngine.load`. See docs/kokoro.md.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from voice.engines.base import Voice
from voice.models.card import ModelCard

if TYPE_CHECKING:
    from voice.engines.kokoro.synthesizer import KokoroSynthesizer

#: Raised whenever the same text would sound different with the same weights and precision.
SOUND_VERSION = 1

# Waiting threads of OpenMP spin by default; under load that makes two threads many times
# slower than one. Read once, when the runtime is loaded with PyTorch.
_QUIET_THREADS = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0", "KMP_BLOCKTIME": "0"}


class KokoroEngine:
    """Kokoro with its English stock voices; a :class:`voice.engines.base.SpeechEngine`."""

    name = "kokoro"

    def cards(self) -> Sequence[ModelCard]:
        """Return the card of Kokoro-82M."""
        from voice.engines.kokoro.weights import card

        return (card(),)

    def voices(self) -> Sequence[Voice]:
        """Return the stock voices."""
        from voice.engines.kokoro.voices import stock

        return stock()

    def fingerprint(self, voice: str) -> str:
        """Return a digest of what shapes the sound: weights, voice, precision, code.

        The first call on a machine measures which precision and kernel it is to use (some
        seconds); the answer is remembered in the home folder.
        """
        import hashlib

        from voice.engines.kokoro import voices, weights

        style = voices.style_digest(voice)
        _quiet_threads()
        from consent.home import Home
        from voice.engines.kokoro.tuning import choose

        choice = choose(Home.open())
        parts = ("kokoro", str(SOUND_VERSION), weights.digest(), style, choice.sound)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def load(self, *, threads: int = 1) -> KokoroSynthesizer:
        """Load the network into this process; see :meth:`voice.engines.base.SpeechEngine.load`.

        Parameters
        ----------
        threads
            Threads of this process. Several processes with one thread each do more than one
            process with several.
        """
        _quiet_threads()
        import torch

        from consent.home import Home
        from voice.engines.kokoro import weights
        from voice.engines.kokoro.model import Kokoro
        from voice.engines.kokoro.synthesizer import KokoroSynthesizer
        from voice.engines.kokoro.tuning import choose, make_layers

        torch.set_num_threads(max(1, threads))
        home = Home.open()
        layers = make_layers(choose(home), home, threads=max(1, threads))
        return KokoroSynthesizer(Kokoro(weights.load(home), layers))


def _quiet_threads() -> None:
    for name, value in _QUIET_THREADS.items():
        os.environ.setdefault(name, value)
