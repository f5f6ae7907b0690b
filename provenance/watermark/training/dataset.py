"""The data set on disk: one long strip of 16-bit audio, memory-mapped, and a manifest.

Utterances of one speaker lie one after another with a short gap, so that a clip of any length
is a slice of the strip and costs nothing to load.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from consent.errors import InputError
from consent.files import replacing, write_atomic
from provenance.watermark.training import signals
from provenance.watermark.training.speech import RATE, Recording

FloatArray = NDArray[np.float32]

STRIP = "audio.npy"
MANIFEST = "manifest.json"
_GAP_S = 0.12


@dataclass(frozen=True)
class Entry:
    """Where one utterance lies in the strip, and what it is.

    Attributes
    ----------
    split
        ``train`` or ``validation``.
    kind
        ``speech``, ``noise`` or ``music``.
    start, length
        In samples.
    """

    name: str
    sha256: str
    speaker: str
    language: str
    kind: str
    split: str
    start: int
    length: int


def build(
    folder: Path, recordings: Iterable[Recording], *, seed: int = 0, signals_s: float = 240.0
) -> dict[str, float]:
    """Write the strip and its manifest into `folder`; return minutes by split and kind.

    Raises
    ------
    InputError
        There is no recording for one of the splits.
    """
    ordered = sorted(recordings, key=lambda r: (r.held_out, r.speaker, r.language, r.name))
    entries: list[Entry] = []
    blocks: list[NDArray[np.int16]] = []
    position = 0
    gap = np.zeros(round(_GAP_S * RATE), np.int16)

    def add(samples: NDArray[np.int16]) -> tuple[int, int]:
        nonlocal position
        start = position
        blocks.append(samples)
        position += samples.size
        return start, int(samples.size)

    for recording in ordered:
        split = "validation" if recording.held_out else "train"
        start, length = add(recording.samples)
        entries.append(
            Entry(
                recording.name,
                recording.sha256,
                recording.speaker,
                recording.language,
                "speech",
                split,
                start,
                length,
            )
        )
        add(gap)
    for split, offset, share in (("train", 0, 1.0), ("validation", 1, 0.25)):
        if not any(entry.split == split for entry in entries):
            raise InputError(
                f"there is no speech for {split}",
                hint="Give recordings of several speakers: whole speakers are held out.",
            )
        for kind, wave in signals.bank(seed + offset, signals_s * share).items():
            start, length = add(np.round(wave * 32767).astype(np.int16))
            name = f"generated/{kind}/seed-{seed + offset}"
            entries.append(Entry(name, "", "", "", kind, split, start, length))
    with replacing(folder / STRIP) as stream:
        np.save(stream, np.concatenate(blocks))
    lines = [json.dumps(asdict(entry)) for entry in entries]
    rows = ",\n".join(lines)
    text = f'{{"rate": {RATE}, "seed": {seed}, "entries": [\n{rows}\n]}}\n'
    write_atomic(folder / MANIFEST, text.encode())
    minutes: dict[str, float] = {}
    for entry in entries:
        key = f"{entry.split} {entry.kind}"
        minutes[key] = minutes.get(key, 0.0) + entry.length / RATE / 60
    return minutes


class Dataset:
    """A data set opened for reading.

    Parameters
    ----------
    folder
        Where :func:`build` wrote it.

    Raises
    ------
    InputError
        The folder or a part of it is missing or does not fit the other part.
    """

    def __init__(self, folder: Path) -> None:
        hint = f"Make it: python -m provenance.watermark.training data --folder {folder}"
        try:
            self.strip = np.load(folder / STRIP, mmap_mode="r")
            manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
            self.entries = [Entry(**entry) for entry in manifest["entries"]]
        except (OSError, ValueError, KeyError, TypeError) as exc:
            raise InputError(f"{folder} holds no data set: {exc}", hint=hint) from exc
        last = max((e.start + e.length for e in self.entries), default=0)
        if (
            self.strip.dtype != np.int16
            or self.strip.ndim != 1
            or last > self.strip.size
            or not last
        ):
            raise InputError(f"{folder}: the audio does not fit its manifest", hint=hint)
        self._stretches = {
            key: list(self._runs(*key))
            for key in {(entry.split, entry.kind) for entry in self.entries}
        }

    def _runs(self, split: str, kind: str) -> Iterator[tuple[str, int, int]]:
        """Yield (speaker, start, stop) of the stretches with one speaker and language."""
        chosen = [e for e in self.entries if e.split == split and e.kind == kind]
        for who, group in groupby(chosen, key=lambda e: (e.speaker, e.language)):
            members = list(group)
            yield who[0], members[0].start, members[-1].start + members[-1].length

    def speakers(self, split: str) -> list[str]:
        """Return who speaks in a split."""
        return sorted({who for who, _, _ in self._stretches.get((split, "speech"), [])})

    def draw(
        self,
        rng: np.random.Generator,
        count: int,
        length: int,
        *,
        split: str = "train",
        kind: str = "speech",
        evenness: float = 0.5,
    ) -> FloatArray:
        """Draw random clips.

        Parameters
        ----------
        rng
            Source of chance.
        count, length
            How many, of how many samples each.
        split, kind
            See :class:`Entry`.
        evenness
            Speakers are drawn with a probability that goes with their amount of audio to the
            power of ``1 - evenness``: 0 is by amount, 1 is everyone alike.

        Returns
        -------
        ndarray of float32, shape (count, length)
            Full scale 1.0.
        """
        runs = self._stretches.get((split, kind))
        if not runs:
            raise InputError(f"the data set has no {kind} for {split}")
        sizes = np.array([stop - start for _, start, stop in runs], np.float64)
        weights = sizes ** (1 - evenness)
        clips = np.empty((count, length), np.float32)
        for row in clips:
            _, start, stop = runs[int(rng.choice(len(runs), p=weights / weights.sum()))]
            if stop - start > length:
                start = int(rng.integers(start, stop - length))
                row[:] = self.strip[start : start + length]
            else:  # a speaker of few words: say them again
                row[:] = np.resize(self.strip[start:stop], length)
        return clips / np.float32(32768)
