"""Measure what a detector says of sound without a mark, and write the model's card.

``python -m provenance.watermark.calibrate FOLDER --data DATA --name NAME`` reads held-out speech,
noise and music of the training data (never trained on), as they are and disturbed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from consent.errors import ModelError, VivavoceError
from consent.files import write_atomic
from provenance.audio.pcm import FloatArray
from provenance.watermark import loader
from provenance.watermark.listen import listen
from provenance.watermark.presence import FRAMES_PER_S, Calibration, audible

if TYPE_CHECKING:
    from provenance.watermark.model import AudioSealModel
    from provenance.watermark.training.dataset import Dataset

RATE = 16_000
LENGTHS_S = (0.5, 1.0, 2.0, 4.0, 8.0)
CONDITIONS = ("clean", "clean", "lowpass 4k", "highpass 500", "noise 20 dB", "mp3 64k", "reverb")
_CLIP_S = 20


def unmarked(data: Dataset, clips: int, seed: int = 41) -> Iterator[FloatArray]:
    """Yield held-out clips of 20 s: speech, and every fourth noise or music."""
    import torch

    from provenance.watermark.training.validate import disturbed

    rng = np.random.default_rng(seed)
    for number in range(clips):
        kind = ("speech", "speech", "noise", "speech", "speech", "speech", "music", "speech")[
            number % 8
        ]
        clip = data.draw(rng, 1, _CLIP_S * RATE, split="validation", kind=kind, evenness=0.7)
        loud = float(np.sqrt(np.mean(np.square(clip)))) or 1.0
        clip = np.clip(clip * (10 ** rng.uniform(-1.6, -0.9) / loud), -1, 1)
        condition = CONDITIONS[number % len(CONDITIONS)]
        yield disturbed(torch.from_numpy(clip)[:, None], condition, rng)[0, 0].numpy()


def measure(model: AudioSealModel, data: Dataset, clips: int) -> Calibration:
    """Return the calibration of a model on `clips` unmarked clips and a sixth as many marked."""
    without, having = [], []
    for number, clip in enumerate(unmarked(data, clips)):
        without.append(_asked(model, clip))
        if number % 6 == 0:  # the same sound with a mark
            marked = np.concatenate(list(model.embed([clip], RATE, f"{number:012x}")))
            having.append(_asked(model, marked))
    lengths = [round(seconds * FRAMES_PER_S) for seconds in LENGTHS_S]
    return Calibration.from_scores(without, having, lengths)


def _asked(model: AudioSealModel, clip: FloatArray) -> FloatArray:
    heard = listen(model.networks, [clip], RATE)
    loud = audible(heard.level.astype(np.float32))
    asked: FloatArray = heard.presence[loud].astype(np.float32)
    return asked


def write_card(
    folder: Path, data: Path, *, name: str, margin_db: float | None, clips: int
) -> dict[str, Any]:
    """Measure the model in `folder` and write its ``model.json``; return what it says.

    Raises
    ------
    ModelError
        The weights are missing or damaged.
    InputError
        There is no data set.
    """
    from provenance.watermark.training.dataset import Dataset

    digest = loader.sha256(folder / loader.DETECTOR)
    card = {"name": name, "margin_db": margin_db, "detector_sha256": digest}
    write_atomic(folder / loader.CARD, json.dumps(card, indent=1).encode())
    calibration = measure(loader.load(str(folder)), Dataset(data), clips)
    whole = {**card, "presence": calibration.to_json()}
    write_atomic(folder / loader.CARD, (json.dumps(whole, indent=1) + "\n").encode())
    return whole


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m provenance.watermark.calibrate",
                                     description=__doc__)  # fmt: skip
    parser.add_argument("folder", type=Path, help="folder with generator.pth and detector.pth")
    parser.add_argument("--data", type=Path, required=True, help="the training data set")
    parser.add_argument("--name", default=loader.SHIPPED)
    parser.add_argument("--margin-db", type=float, help="default: what training ended with")
    parser.add_argument("--clips", type=int, default=400, help="of 20 s each")
    options = parser.parse_args(arguments)
    try:
        margin = options.margin_db if options.margin_db is not None else _margin(options.folder)
        card = write_card(options.folder, options.data, name=options.name, margin_db=margin,
                          clips=options.clips)  # fmt: skip
    except VivavoceError as error:
        print(error.diagnostics(), file=sys.stderr)
        return error.exit_code
    print(json.dumps(card, indent=1))
    return 0


def _margin(folder: Path) -> float | None:
    log = folder / "training-log.json"
    try:
        place = json.loads(log.read_text("utf-8"))["place"]
        return float(place["margin_db"])
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise ModelError(
            f"{log} does not say how far the mark stays below the sound: {exc}",
            hint="Say it: --margin-db DB.",
        ) from exc


if __name__ == "__main__":
    sys.exit(main())
