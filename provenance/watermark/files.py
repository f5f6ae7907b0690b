"""Reading the marks of files."""

from __future__ import annotations

from pathlib import Path
from typing import IO

from consent.errors import ModelError
from consent.home import Home
from provenance.watermark import MarkReading, WatermarkModel, active


def reader(home: Home, wanted: str | None = None) -> WatermarkModel:
    """Return the model to read with: the one wanted, the one that marks here, or the shipped one.

    Raises
    ------
    ModelError
        There is none.
    """
    if wanted is not None:
        from provenance.watermark.loader import load

        return load(wanted, home)
    from provenance.watermark import loader

    model = active(home)
    if model is None and loader.shipped():
        model = loader.load(loader.SHIPPED, home)
    if model is None:
        raise ModelError(
            "there is no watermark model to read with",
            hint="Name one with --model: a name or a folder with generator.pth and detector.pth.",
        )
    return model


def read_file(source: Path | IO[bytes], model: WatermarkModel) -> MarkReading:
    """Read the marks of an audio file; its channels are mixed into one.

    Raises
    ------
    InputError
        It is not an audio file, or damaged.
    """
    from provenance.audio.decode import opened_blocks

    with opened_blocks(source, mono=True) as (blocks, rate):
        return model.read(blocks, rate)
