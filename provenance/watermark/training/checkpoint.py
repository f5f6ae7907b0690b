"""The state of a run in one file that is whole or refused."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

from consent.errors import ModelError
from consent.files import replacing

_MAGIC = b"VVTRAIN1"


def save(state: dict[str, Any], path: Path) -> None:
    """Write `state`, which may hold tensors, complete or not at all."""
    import torch

    buffer = io.BytesIO()
    torch.save(state, buffer)
    payload = buffer.getvalue()
    with replacing(path) as stream:
        stream.write(_MAGIC + hashlib.sha256(payload).digest())
        stream.write(payload)


def load(path: Path) -> dict[str, Any]:
    """Read what :func:`save` wrote.

    Raises
    ------
    ModelError
        The file is missing, of another kind, or damaged.
    """
    import torch

    try:
        data = path.read_bytes()
    except OSError as exc:
        raise ModelError(f"cannot read the checkpoint {path}: {exc.strerror}") from exc
    start = len(_MAGIC) + 32
    if data[: len(_MAGIC)] != _MAGIC:
        raise ModelError(f"{path} is not a checkpoint of a training run")
    if hashlib.sha256(data[start:]).digest() != data[len(_MAGIC) : start]:
        raise ModelError(
            f"the checkpoint {path} is damaged: its content does not fit its digest",
            hint="Go on from an older one, or start anew with --from WEIGHTS.",
        )
    state: dict[str, Any] = torch.load(io.BytesIO(data[start:]), weights_only=True)
    return state
