"""What is measured of a rendered segment: where the speech is, and how loud.

Assembly needs only these few numbers of each segment, so the audio itself stays in the cache.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

#: Frame of the measurements, in seconds.
FRAME_S = 0.010
#: A frame belongs to the edge silence when it is this far below the loudest frame (dB). Weak
#: fricatives at word edges lie 35 to 45 dB below the vowels.
EDGE_BELOW_DB = 50.0
#: Silence left at the start and end of the speech, in seconds: onsets and decays keep room.
LEAD_GUARD_S = 0.040
TAIL_GUARD_S = 0.080
#: Frames within this distance of the loudest count as active speech (dB).
ACTIVE_BELOW_DB = 30.0


@dataclass(frozen=True, slots=True)
class SpeechStats:
    """Measurements of one rendered segment.

    Attributes
    ----------
    samples, rate
        Length in samples at `rate` (Hz), as the engine delivered it.
    start, stop
        The part that is used: the engine's own silence before and after it is left out,
        because the pauses of the script say how long the silences are.
    active_energy, active_samples
        Sum of squares, and number of samples, of the frames that hold speech.
    peak
        Largest absolute sample.
    """

    samples: int
    rate: int
    start: int
    stop: int
    active_energy: float
    active_samples: int
    peak: float

    @property
    def seconds(self) -> float:
        """Length of the used part in seconds."""
        return (self.stop - self.start) / self.rate

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> SpeechStats:
        """Inverse of :meth:`to_json`."""
        return cls(**data)


def analyse(samples: FloatArray, rate: int) -> SpeechStats:
    """Measure a segment.

    Parameters
    ----------
    samples : ndarray, shape (n,)
        Mono audio in [-1, 1].
    rate
        Samples per second.
    """
    count = int(samples.size)
    frame = max(1, round(rate * FRAME_S))
    if count == 0:
        return SpeechStats(0, rate, 0, 0, 0.0, 0, 0.0)
    energy, lengths = _frame_energy(samples, frame)
    power = energy / lengths
    loudest = float(power.max())
    peak = float(np.abs(samples).max())
    if loudest <= 0.0:
        return SpeechStats(count, rate, 0, count, 0.0, 0, peak)
    heard = np.flatnonzero(power > loudest * 10 ** (-EDGE_BELOW_DB / 10))
    start = max(0, int(heard[0]) * frame - round(LEAD_GUARD_S * rate))
    stop = min(count, (int(heard[-1]) + 1) * frame + round(TAIL_GUARD_S * rate))
    active = power > loudest * 10 ** (-ACTIVE_BELOW_DB / 10)
    return SpeechStats(
        samples=count,
        rate=rate,
        start=start,
        stop=stop,
        active_energy=float(energy[active].sum()),
        active_samples=int(lengths[active].sum()),
        peak=peak,
    )


def _frame_energy(
    samples: FloatArray, frame: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return energy and length of consecutive frames, the last one possibly shorter."""
    starts = np.arange(0, samples.size, frame)
    squares = np.square(samples.astype(np.float64))
    energy: NDArray[np.float64] = np.add.reduceat(squares, starts)
    lengths = np.diff(np.append(starts, samples.size)).astype(np.float64)
    return energy, lengths
