"""What a speech engine is: the one Protocol a third party implements.

An engine makes sound from text. It returns arrays and never writes files: what a user may
keep leaves through :func:`provenance.seal.seal` alone. Engines are found through the
entry-point group ``vivavoce.engines``; each entry names a class that takes no arguments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from voice.models.card import ModelCard

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float32]
else:

    def __getattr__(name: str) -> Any:
        # Lists of voices and models do not need numpy: it is imported on first use of the alias.
        if name == "FloatArray":
            import numpy as np
            from numpy.typing import NDArray

            return NDArray[np.float32]
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice that an engine can speak with.

    Attributes
    ----------
    name
        Short name, unique within the engine (``af_heart``).
    engine
        Name of the engine.
    languages
        BCP 47 tags the voice was made for, the main one first (``("en-US",)``).
    gender
        ``"female"``, ``"male"`` or ``"unspecified"``.
    model
        Id of the model card whose weights it needs.
    licence
        SPDX identifier or short name of the voice's own licence.
    commercial
        Whether that licence (and the model's) allows commercial use.
    basis
        ``"stock"``: a licence, no person's yes. Consented voices say ``"consent"``.
    description
        One line for lists.
    """

    name: str
    engine: str
    languages: tuple[str, ...]
    gender: str
    model: str
    licence: str
    commercial: bool
    basis: str = "stock"
    description: str = ""

    @property
    def qualified(self) -> str:
        """``engine:name``, unique in the program."""
        return f"{self.engine}:{self.name}"


class Synthesizer(Protocol):
    """A loaded engine, ready to speak. Not thread-safe; one per worker process."""

    sample_rate: int

    def synthesize(
        self, text: str, *, voice: str, language: str, speed: float = 1.0, variation: int = 0
    ) -> FloatArray:
        """Speak `text`.

        Parameters
        ----------
        text
            Normalised text of any length. May contain pronunciations as
            ``[written](/IPA/)`` and stress as ``[word](+1)`` (see docs/markup.md).
        voice
            Name of one of the engine's voices.
        language
            BCP 47 tag of the text.
        speed
            1.0 is the voice's own pace; 0.5 to 2.0.
        variation
            0 is the first, canonical rendering. Higher numbers ask for a different attempt at
            the same text (another split, another seed): used when a check heard an error.

        Returns
        -------
        ndarray, shape (n,), float32 in [-1, 1]
            Mono samples at `sample_rate`. Empty text gives an empty array.

        Raises
        ------
        consent.errors.InputError
            The text cannot be spoken by this voice (for instance a script it does not know).
        """
        ...


@runtime_checkable
class SpeechEngine(Protocol):
    """One family of models. Constructing it is cheap and imports nothing heavy."""

    name: str

    def cards(self) -> Sequence[ModelCard]:
        """Return the cards of the models this engine can use, installed or not."""
        ...

    def voices(self) -> Sequence[Voice]:
        """Return the voices that can be used now, without loading a model."""
        ...

    def fingerprint(self, voice: str) -> str:
        """Return a digest of everything but the text that shapes the sound of `voice`.

        Weights, code version, precision: it is part of the key of the segment cache.
        """
        ...

    def load(self, *, threads: int = 1) -> Synthesizer:
        """Load the model into this process.

        Raises
        ------
        consent.errors.ModelError
            Weights are missing or damaged.
        """
        ...


@runtime_checkable
class FindsVoices(Protocol):
    """An engine that also knows voices it does not list: by path, by a catalogue's name."""

    def find(self, name: str) -> Voice | None:
        """Return the voice called `name`, or None if the name is not of a kind it knows."""
        ...


@runtime_checkable
class FindsCards(Protocol):
    """An engine that also has cards it does not list: the models of a large catalogue."""

    def find_card(self, identifier: str) -> ModelCard | None:
        """Return the card with that id, or None."""
        ...


@runtime_checkable
class PullsModels(Protocol):
    """An engine whose library can fetch weights from its hub when the user asks for it."""

    def pull(self, card: ModelCard, folder: Path, *, agree_licence: bool) -> None:
        """Fetch the weights of `card` into the empty folder `folder`, its final place.

        Raises
        ------
        consent.errors.ModelError
            No network, or the hub does not have it.
        """
        ...
