"""What an engine returns is checked before anything else sees it."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from consent.errors import ModelError, VivavoceError
from voice.engines.base import Synthesizer

if TYPE_CHECKING:
    from voice.engines.base import FloatArray


#: No voice speaks as slowly as this; a model that does not find its end does.
_LONGEST_S = 60.0
_LONGEST_PER_CHARACTER_S = 2.0


class ClippedWarning(UserWarning):
    """An engine returned samples beyond full scale; they were limited to [-1, 1]."""


class CheckedSynthesizer:
    """A synthesizer whose output is float32, mono, finite and within [-1, 1].

    Parameters
    ----------
    inner
        What an engine's ``load()`` returned.
    engine
        Name of the engine, for messages.
    """

    def __init__(self, inner: Synthesizer, engine: str) -> None:
        rate = getattr(inner, "sample_rate", None)
        if not isinstance(rate, int) or not 8_000 <= rate <= 192_000:
            raise ModelError(f"the engine {engine!r} has the sample rate {rate!r}")
        self.inner = inner
        self.engine = engine

    @property
    def sample_rate(self) -> int:
        """Sample rate in Hz of everything it speaks."""
        return self.inner.sample_rate

    def synthesize(
        self, text: str, *, voice: str, language: str, speed: float = 1.0, variation: int = 0
    ) -> FloatArray:
        """Speak `text`; see :meth:`voice.engines.base.Synthesizer.synthesize`.

        Raises
        ------
        ModelError
            The engine failed, or returned something that is not sound.
        """
        import numpy as np

        where = f"the engine {self.engine!r} (voice {voice!r})"
        try:
            samples = self.inner.synthesize(
                text, voice=voice, language=language, speed=speed, variation=variation
            )
        except VivavoceError:
            raise
        except Exception as exc:
            raise ModelError(
                f"{where} failed on {_excerpt(text)}: {type(exc).__name__}: {exc}",
                hint="Try another voice, or report it to the engine's authors.",
            ) from exc
        if not isinstance(samples, np.ndarray):
            raise ModelError(f"{where} returned {type(samples).__name__}, not an array")
        if samples.ndim != 1 or samples.dtype != np.float32:
            raise ModelError(
                f"{where} returned an array of shape {samples.shape} and type {samples.dtype}; "
                "expected (n,) float32"
            )
        limit = _LONGEST_S + _LONGEST_PER_CHARACTER_S * len(text)
        if len(samples) > limit * self.sample_rate:
            raise ModelError(
                f"{where} returned {len(samples) / self.sample_rate:.0f} s of sound for "
                f"{len(text)} characters: {_excerpt(text)}",
                hint="Try another voice, or report it to the engine's authors.",
            )
        if not np.isfinite(samples).all():
            raise ModelError(f"{where} returned samples that are not numbers for {_excerpt(text)}")
        peak = float(np.abs(samples).max(initial=0.0))
        if peak > 1.0:
            warnings.warn(
                f"{where} returned a peak of {peak:.2f}; it was limited to 1.0",
                ClippedWarning,
                stacklevel=2,
            )
            samples = np.clip(samples, -1.0, 1.0)
        return samples


def checked(synthesizer: Synthesizer, engine: str) -> CheckedSynthesizer:
    """Wrap `synthesizer` so that wrong output is an error that names the engine.

    Raises
    ------
    ModelError
        It has no usable sample rate.
    """
    return CheckedSynthesizer(synthesizer, engine)


def _excerpt(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "…")
