"""Levels of a recording: what a store measures before it accepts an audiobook.

Everything is measured in one pass over blocks of any size; memory does not grow with the
length but for one number per 100 ms (2.9 MB for ten hours), which the gate of the loudness
measure needs.

References
----------
ITU-R BS.1770-5 (loudness, true peak); EBU R 128; ACX audio submission requirements.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import firwin, sosfilt, upfirdn

from consent.errors import InputError

FloatArray = NDArray[np.float32]

SILENCE_DBFS = -144.0
"""What digital silence is reported as: the floor of 24-bit audio instead of minus infinity."""

SOUND_DBFS = -50.0
"""10 ms frames above this are sound; 10 dB above the loudest room tone a store accepts."""

_TAPS = 24  # per phase of the true-peak interpolator: at 44.1 kHz, flat within 0.1 dB to 19 kHz
_OVERSAMPLING = 4
_PEAK_BLOCK = 4096


@dataclass(frozen=True, slots=True)
class Levels:
    """What was measured.

    Attributes
    ----------
    rms_dbfs
        Root mean square of the whole recording, silence included; full scale is 1.0, so a sine
        that just clips measures -3.01.
    peak_dbfs, true_peak_dbfs
        Greatest sample, and greatest value between samples (four times oversampled).
    noise_floor_dbfs
        RMS of the quietest half second (windows step by 100 ms). Recordings shorter than that
        are measured whole.
    integrated_lufs
        Gated loudness of the recording as one channel (BS.1770).
    head_silence_s, tail_silence_s
        From the start to the first, and from the last to the end, of at least 30 ms above
        `SOUND_DBFS`.
    """

    rms_dbfs: float
    peak_dbfs: float
    true_peak_dbfs: float
    noise_floor_dbfs: float
    integrated_lufs: float
    duration_s: float
    head_silence_s: float
    tail_silence_s: float
    sample_rate: int

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain numbers, rounded to what is meaningful."""
        return {
            key: round(value, 3) if isinstance(value, float) else value
            for key, value in asdict(self).items()
        }


def decibels(amplitude: float) -> float:
    """Return `amplitude` (full scale 1.0) in dBFS, never below `SILENCE_DBFS`."""
    return max(SILENCE_DBFS, 20.0 * math.log10(amplitude)) if amplitude > 0 else SILENCE_DBFS


def k_weighting(sample_rate: int) -> NDArray[np.float64]:
    """Return the K-weighting filter of BS.1770 for any sample rate, shape (2, 6), as sections.

    The analogue prototypes are those that give the recommendation's coefficients at 48 kHz.
    """

    def bilinear(frequency: float, quality: float) -> tuple[float, float]:
        warped = math.tan(math.pi * frequency / sample_rate)
        return warped / quality, warped * warped

    # High shelf: the head.
    k_q, k_k = bilinear(1681.974450955533, 0.7071752369554196)
    gain = 10.0 ** (3.999843853973347 / 20.0)
    band = gain**0.4996667741545416
    a0 = 1.0 + k_q + k_k
    shelf = [
        (gain + band * k_q + k_k) / a0,
        2.0 * (k_k - gain) / a0,
        (gain - band * k_q + k_k) / a0,
        1.0,
        2.0 * (k_k - 1.0) / a0,
        (1.0 - k_q + k_k) / a0,
    ]
    # High pass: the revised low-frequency B curve.
    k_q, k_k = bilinear(38.13547087602444, 0.5003270373238773)
    a0 = 1.0 + k_q + k_k
    high_pass = [1.0, -2.0, 1.0, 1.0, 2.0 * (k_k - 1.0) / a0, (1.0 - k_q + k_k) / a0]
    return np.array([shelf, high_pass])


class _Framer:
    """Sums squares over frames of fixed length, whatever the size of the blocks."""

    def __init__(self, length: int) -> None:
        self.length = length
        self._rest = np.zeros(0)

    def push(self, samples: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the mean square of every frame completed by `samples`."""
        joined = np.concatenate([self._rest, samples]) if self._rest.size else samples
        whole = joined.size // self.length * self.length
        self._rest = joined[whole:].copy()
        frames = joined[:whole].reshape(-1, self.length)
        means: NDArray[np.float64] = np.einsum("ij,ij->i", frames, frames) / self.length
        return means


class _TruePeak:
    """Greatest value of the four times oversampled signal."""

    def __init__(self) -> None:
        taps = firwin(_TAPS * _OVERSAMPLING + 1, 1.0 / _OVERSAMPLING, window=("kaiser", 5.0))
        self._filter = taps * _OVERSAMPLING
        phases = [np.abs(self._filter[i::_OVERSAMPLING]).sum() for i in range(_OVERSAMPLING)]
        self._gain = float(max(phases))  # no interpolated value exceeds peak * gain
        self._history = np.zeros(_TAPS)
        self.peak = 0.0

    def push(self, samples: NDArray[np.float64]) -> None:
        joined = np.concatenate([self._history, samples])
        self._history = joined[-_TAPS:]
        for start in range(0, samples.size, _PEAK_BLOCK):
            piece = joined[start : start + _PEAK_BLOCK + _TAPS]
            top = float(np.abs(piece).max())
            self.peak = max(self.peak, top)
            if top * self._gain > self.peak:
                between = upfirdn(self._filter, piece, up=_OVERSAMPLING)
                edge = _TAPS * _OVERSAMPLING  # where the filter has run into the piece, and out
                self.peak = max(self.peak, float(np.abs(between[edge:-edge]).max(initial=0.0)))

    def finish(self) -> None:
        self.push(np.zeros(_TAPS))


def _integrated(energies: NDArray[np.float64]) -> float:
    """Gated loudness from the K-weighted mean squares of successive 100 ms."""
    if energies.size < 4:
        blocks = np.array([energies.mean()]) if energies.size else np.zeros(0)
    else:
        blocks = np.convolve(energies, np.full(4, 0.25), mode="valid")  # 400 ms, 75 % overlap

    def loudness(mean_square: float) -> float:
        return -0.691 + 10.0 * math.log10(mean_square) if mean_square > 0 else SILENCE_DBFS

    absolute = blocks[blocks > 10.0 ** ((-70.0 + 0.691) / 10.0)]
    if not absolute.size:
        return SILENCE_DBFS
    relative = absolute[absolute > absolute.mean() * 0.1]  # 10 LU below
    return loudness(float(relative.mean()))


def measure(blocks: Iterable[FloatArray], sample_rate: int) -> Levels:
    """Measure a recording.

    Parameters
    ----------
    blocks
        Successive mono blocks, shape (n,), full scale 1.0; of any size, empty ones too.
    sample_rate
        Samples per second, 8000 or more.

    Raises
    ------
    InputError
        There are no samples, a block is not mono, a sample is not a number, or the rate is
        too low.
    """
    if sample_rate < 8000:
        raise InputError(f"cannot measure levels at a sample rate of {sample_rate} Hz")
    weighting = k_weighting(sample_rate)
    state = np.zeros((2, 2))
    plain, weighted = _Framer(round(sample_rate / 10)), _Framer(round(sample_rate / 10))
    fine = _Framer(round(sample_rate / 100))
    true_peak = _TruePeak()
    energies = array("d")
    recent = np.zeros(0)  # mean squares of the last 100 ms frames
    quietest = math.inf
    count, squares, peak = 0, 0.0, 0.0
    frame, run, first_sound, last_sound = 0, 0, -1, -1
    threshold = 10.0 ** (SOUND_DBFS / 10.0)
    for block in blocks:
        if block.ndim != 1:
            raise InputError(f"cannot measure levels of a block of shape {block.shape}; give mono")
        samples = block.astype(np.float64)
        if not samples.size:
            continue
        if not np.isfinite(samples).all():
            place = count + int(np.argmin(np.isfinite(samples)))
            raise InputError(f"sample {place} is not a finite number")
        count += samples.size
        squares += float(samples @ samples)
        peak = max(peak, float(np.abs(samples).max()))
        true_peak.push(samples)
        filtered, state = sosfilt(weighting, samples, zi=state)
        energies.extend(weighted.push(filtered).tolist())
        recent = np.concatenate([recent, plain.push(samples)])
        if recent.size >= 5:
            halves = np.convolve(recent, np.full(5, 0.2), mode="valid")
            quietest = min(quietest, float(halves.min()))
            recent = recent[-4:]
        for loud in (fine.push(samples) > threshold).tolist():
            run = run + 1 if loud else 0
            if run >= 3:
                last_sound = frame
                if first_sound < 0:
                    first_sound = frame - 2
            frame += 1
    if not count:
        raise InputError("there is no audio to measure")
    true_peak.finish()
    if math.isinf(quietest):
        quietest = squares / count
    duration, step = count / sample_rate, fine.length / sample_rate
    return Levels(
        rms_dbfs=decibels(math.sqrt(squares / count)),
        peak_dbfs=decibels(peak),
        true_peak_dbfs=decibels(true_peak.peak),
        noise_floor_dbfs=decibels(math.sqrt(max(quietest, 0.0))),
        integrated_lufs=_integrated(np.frombuffer(energies, dtype=np.float64)),
        duration_s=duration,
        head_silence_s=first_sound * step if first_sound >= 0 else duration,
        tail_silence_s=max(0.0, duration - (last_sound + 1) * step)
        if last_sound >= 0
        else duration,
        sample_rate=sample_rate,
    )


def acx_problems(levels: Levels) -> list[str]:
    """Say what keeps a file from meeting the ACX limits, a sentence each; none if it meets them.

    The limits are those for one file (a chapter) of an audiobook. Measure the encoded file, not
    what went into the encoder.
    """
    problems = []

    def check(ok: bool, sentence: str) -> None:
        if not ok:
            problems.append(sentence)

    rms, floor = levels.rms_dbfs, levels.noise_floor_dbfs
    check(rms >= -23.0, f"It is too quiet: RMS {rms:.1f} dB, at least -23 dB is required.")
    check(rms <= -18.0, f"It is too loud: RMS {rms:.1f} dB, at most -18 dB is allowed.")
    check(
        levels.peak_dbfs <= -3.0,
        f"Its peak is {levels.peak_dbfs:.1f} dB, at most -3 dB is allowed.",
    )
    check(floor <= -60.0, f"Its noise floor is {floor:.1f} dB RMS, at most -60 dB is allowed.")
    head, tail = levels.head_silence_s, levels.tail_silence_s
    check(
        0.5 <= head <= 1.0,
        f"It starts with {head:.2f} s of room tone, 0.5 to 1 s are required.",
    )
    check(1.0 <= tail <= 5.0, f"It ends with {tail:.2f} s of room tone, 1 to 5 s are required.")
    minutes = levels.duration_s / 60.0
    check(minutes <= 120.0, f"It lasts {minutes:.0f} minutes, at most 120 are allowed.")
    return problems
