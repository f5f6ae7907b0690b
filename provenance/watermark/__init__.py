"""The watermark in the sound: which model marks, what it promises, and what a reading says.

The sound is marked by a pair of networks (AudioSeal's architecture); the id travels in it as
words of 16 bits that change over time, held together by a code. docs/watermark.md tells the
whole, with figures.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from consent.home import Home
from provenance.audio.pcm import FloatArray


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of sound that carries a mark.

    Attributes
    ----------
    start_s, end_s
        In seconds.
    presence
        Mean probability of being marked over its audible frames, 0 to 1.
    output_id
        The id it carries (12 hex digits), None if none could be read.
    p_value
        Chance of reading this in sound without the mark, every alignment tried counted in.
    corrected_bits
        Bits of the id's code that were heard wrong and set right; 0 without an id.
    """

    start_s: float
    end_s: float
    presence: float
    output_id: str | None
    p_value: float
    corrected_bits: int


@dataclass(frozen=True, slots=True)
class MarkReading:
    """What was heard of marks.

    Attributes
    ----------
    present
        Whether there is a mark at all.
    output_id
        The id it carries (12 hex digits), None if none could be read. Of several, the one that
        covers most; see `spans`.
    p_value
        Chance of reading this in sound without the mark, every alignment tried counted in.
    spans
        Where, and which; in order, not overlapping.
    duration_s
        Of the sound that was read.
    notes
        Sentences on what stood in the way: too short, silent, damaged samples.
    """

    present: bool
    output_id: str | None
    p_value: float
    spans: tuple[Span, ...] = ()
    duration_s: float = 0.0
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


class WatermarkModel(Protocol):
    """Something that hides an id in sound and finds it again."""

    @property
    def name(self) -> str:
        """Names the weights, for records that outlive them."""
        ...

    def embed(
        self, blocks: Iterable[FloatArray], rate: int, output_id: str, strength: float = 1.0
    ) -> Iterator[FloatArray]:
        """Yield `blocks` (mono, float32, at `rate` Hz) with the id in them, equally long.

        `strength` is a factor on the level of the mark.
        """
        ...

    def read(self, blocks: Iterable[FloatArray], rate: int) -> MarkReading:
        """Look for a mark in mono sound at `rate` Hz."""
        ...


def active(home: Home) -> WatermarkModel | None:
    """Return the model that marks what leaves this home.

    It is the one that ``watermark.model`` of config.toml names; None if there is no such setting,
    or it is ``"none"``.

    Raises
    ------
    ModelError
        The configured model is not there or does not load: better refused than silently not
        marked.
    """
    from provenance.watermark.loader import configured

    return configured(home)
