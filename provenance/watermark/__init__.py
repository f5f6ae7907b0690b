"""The watermark in the sound: the place for a model, empty until one ships.

``seal`` asks :func:`active` for every file. As long as it answers None, manifest, receipt and the
person at the terminal are told that the file carries no watermark, and a request that requires
one is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from consent.errors import ModelError
from consent.home import Home
from provenance.audio.pcm import FloatArray


@dataclass(frozen=True, slots=True)
class MarkReading:
    """What was heard of a mark.

    Attributes
    ----------
    present
        Whether there is a mark at all.
    output_id
        The id it carries (12 hex digits), None if none could be read.
    p_value
        Chance of reading this in sound without the mark, every alignment tried counted in.
    """

    present: bool
    output_id: str | None
    p_value: float


class WatermarkModel(Protocol):
    """Something that hides an id in sound and finds it again."""

    name: str

    def embed(
        self, blocks: Iterable[FloatArray], rate: int, output_id: str
    ) -> Iterator[FloatArray]:
        """Yield `blocks` (mono, float32, at `rate` Hz) with the id in them, equally long."""
        ...

    def read(self, blocks: Iterable[FloatArray], rate: int) -> MarkReading:
        """Look for a mark in mono sound at `rate` Hz."""
        ...


def active(home: Home) -> WatermarkModel | None:
    """Return the model that marks what leaves this home; None, for none ships yet.

    Raises
    ------
    ModelError
        The configuration names a model: better refused than silently not marked.
    """
    wanted = home.setting("watermark", "model")
    if wanted:
        raise ModelError(
            f"the watermark model {wanted!r} is not available: this version has none",
            hint="Remove watermark.model from config.toml; files will say they carry no watermark.",
        )
    return None
