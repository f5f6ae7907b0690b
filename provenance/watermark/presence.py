"""What the detector's presence logit is worth: calibrated on sound with and without marks."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from consent.errors import ModelError

FRAMES_PER_S = 50
CLIP = 6.0
"""Logits are cut here: a few frames that are very sure prove less than many that agree."""

AUDIBLE = 0.03
"""Of the level of its surroundings: fainter frames cannot carry a mark and are not asked."""

_FAINT = 0.01  # -100 dBFS
_SMALLEST = 1e-6  # below, hours of sound cannot vouch for a p-value
_EXCEEDED = 1e-3  # share of unmarked windows above the last quantile of the table

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Window:
    """How sure the detector is of unmarked sound, averaged over a number of frames.

    Attributes
    ----------
    frames
        Audible frames of 20 ms that were averaged.
    median, high, highest
        Exceeded by 50 %, 1 % and 0.1 % of unmarked windows.
    """

    frames: int
    median: float
    high: float
    highest: float

    def p_value(self, mean: float) -> float:
        """Return the chance that unmarked sound reaches `mean`; the tail taken as exponential."""
        if mean <= self.median:
            return 1.0
        if mean <= self.high:
            share = (mean - self.median) / max(self.high - self.median, 1e-6)
            return math.exp(math.log(0.5) + share * math.log(0.01 / 0.5))
        steps = (mean - self.high) / max(self.highest - self.high, 1e-3)
        return max(_SMALLEST, 0.01 * math.exp(steps * math.log(_EXCEEDED / 0.01)))


@dataclass(frozen=True, slots=True)
class Calibration:
    """The detector's habits.

    Attributes
    ----------
    unmarked, marked
        Mean of the clipped logit of audible frames without and with a mark.
    spread
        Its standard deviation, of either.
    windows
        By number of frames, rising; empty if nobody measured: then presence alone proves
        nothing, only an id does.
    hours
        Unmarked sound behind `windows`.
    """

    unmarked: float = -2.0
    marked: float = 2.0
    spread: float = 2.0
    windows: tuple[Window, ...] = ()
    hours: float = 0.0

    def evidence(self, logit: Array, audible: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return by how many nats each frame speaks for a mark; 0 where nothing is audible.

        Neighbouring frames say much the same: what ten say is counted once.
        """
        middle = (self.unmarked + self.marked) / 2
        slope = (self.marked - self.unmarked) / self.spread**2 / 10
        cut = np.clip(logit, -CLIP, CLIP).astype(np.float64)
        return np.where(audible, slope * (cut - middle), 0.0)

    def p_value(self, mean: float, frames: int) -> float:
        """Return the chance that `frames` audible frames of unmarked sound average to `mean`."""
        fitting = [window for window in self.windows if window.frames <= frames]
        # More frames than the table knows are worth no more than the longest window it knows.
        return fitting[-1].p_value(mean) if fitting else 1.0

    @classmethod
    def from_scores(
        cls, unmarked: Sequence[Array], marked: Sequence[Array], lengths: Sequence[int]
    ) -> Calibration:
        """Measure on the logits of audible frames, one array per recording."""
        apart = np.clip(np.concatenate(list(unmarked)), -CLIP, CLIP)
        with_mark = np.clip(np.concatenate(list(marked)), -CLIP, CLIP)
        windows = []
        for length in lengths:
            step = max(1, length // 4)
            means = [means_of(np.clip(row, -CLIP, CLIP), length)[::step] for row in unmarked]
            every = np.concatenate(means) if means else np.zeros(0)
            if every.size < 200:
                continue
            quantiles = np.quantile(every, [0.5, 0.99, 0.999])
            windows.append(Window(length, *(round(float(value), 4) for value in quantiles)))
        return cls(
            unmarked=round(float(apart.mean()), 4),
            marked=round(float(with_mark.mean()), 4),
            spread=round(float((apart.std() + with_mark.std()) / 2), 4),
            windows=tuple(windows),
            hours=round(apart.size / FRAMES_PER_S / 3600, 3),
        )

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Calibration:
        """Read what :meth:`to_json` made.

        Raises
        ------
        ModelError
            It is something else.
        """
        try:
            windows = tuple(Window(**row) for row in data["windows"])
            return cls(**{**json.loads(json.dumps(dict(data))), "windows": windows})
        except (KeyError, TypeError, ValueError) as exc:
            raise ModelError(f"the watermark's calibration is damaged: {exc}") from exc

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


def means_of(values: Array, length: int) -> NDArray[np.float64]:
    """Return the mean of every run of `length` neighbours."""
    if values.size < length:
        return np.zeros(0)
    total = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    means: NDArray[np.float64] = (total[length:] - total[:-length]) / length
    return means


def audible(level: Array, span: int = 10 * FRAMES_PER_S) -> NDArray[np.bool_]:
    """Tell which frames are loud enough, against their surroundings, to carry a mark.

    Parameters
    ----------
    level
        RMS of each frame, in units of 1/1000 of full scale.
    span
        Frames that count as surroundings.
    """
    power = np.concatenate([[0.0], np.cumsum(np.square(level, dtype=np.float64))])
    at = np.arange(level.size)
    right, left = np.minimum(at + span // 2, level.size), np.maximum(at - span // 2, 0)
    around = np.sqrt(np.maximum(power[right] - power[left], 0) / np.maximum(right - left, 1))
    heard: NDArray[np.bool_] = level > np.maximum(AUDIBLE * around, _FAINT)
    return heard
