"""Which precision and kernels this machine is to use: measured once, then remembered."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from consent.errors import ModelError
from consent.files import write_atomic
from voice.engines.kokoro import machine, native
from voice.engines.kokoro.layers import Convolution, Layers, Norm
from voice.models.integrity import locked

if TYPE_CHECKING:
    from consent.home import Home

log = logging.getLogger(__name__)

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True, slots=True)
class Choice:
    """What to run.

    Attributes
    ----------
    precision
        ``"float32"`` or ``"bfloat16"``.
    kernels
        Whether the compiled kernels are used.
    note
        What keeps the machine from being faster; empty if nothing does.
    """

    precision: str
    kernels: bool
    note: str = ""

    @property
    def sound(self) -> str:
        """What of the choice can be heard in the samples, if only in the last bits."""
        return f"{self.precision}{'+kernels' if self.kernels else ''}"


def choose(home: Home) -> Choice:
    """Return the fastest way for this machine, measuring it if that was not yet done.

    The answer is kept in the home's cache, under a key of the processor, the PyTorch version and
    the presence of a compiler, so that all processes of a machine sound alike.
    """
    compiler = machine.compiler() or ""
    key = hashlib.sha256(f"{machine.processor()}\n{torch.__version__}\n{compiler}".encode())
    file = home.cache / "kokoro" / f"choice-{key.hexdigest()[:16]}.json"
    remembered = _read(file)
    if remembered is not None:
        return remembered
    file.parent.mkdir(parents=True, exist_ok=True)
    with locked(file.parent, "choice"):
        remembered = _read(file)
        if remembered is None:
            remembered = _measure(home)
            write_atomic(file, json.dumps(asdict(remembered)).encode())
            if remembered.note:
                log.warning("%s", remembered.note)
    return remembered


def make_layers(choice: Choice, home: Home, *, threads: int = 1) -> Layers:
    """Return the implementation that `choice` names."""
    dtype = _DTYPES[choice.precision]
    if choice.kernels:
        return native.NativeLayers(native.library(home), dtype, threads=threads)
    return Layers(dtype)


def _read(file: Path) -> Choice | None:
    try:
        choice = Choice(**json.loads(file.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None
    sound = choice.precision in _DTYPES and isinstance(choice.kernels, bool)
    return choice if sound else None


def _measure(home: Home) -> Choice:
    note = ""
    try:
        native.library(home)
    except ModelError as exc:
        note = (
            f"Kokoro runs without its compiled kernels, about half as fast as it could: "
            f"{exc.message}. Install a C++ compiler such as g++."
        )
    best, shortest = Choice("float32", not note, note), float("inf")
    for precision in _DTYPES:
        candidate = Choice(precision, not note, note)
        seconds = _trial(make_layers(candidate, home))
        if seconds < shortest:
            best, shortest = candidate, seconds
    return best


@torch.inference_mode()
def _trial(layers: Layers) -> float:
    """Return the seconds one residual step of the generator's second stage takes."""
    channels, rows, kernel = 128, 4800, 7
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(rows, channels, generator=generator)
    norm = Norm(torch.zeros(channels), torch.zeros(channels), torch.ones(channels))
    weight = torch.randn(channels, channels, kernel, generator=generator) / 30
    convolution = Convolution.make(weight, torch.zeros(channels), layers.dtype, padding=3)
    shortest = float("inf")
    for _ in range(4):
        begin = time.perf_counter()
        for _ in range(3):
            y, residual = layers.norm_act(x, norm)
            layers.norm_act(residual, norm, add=convolution(y))
        shortest = min(shortest, time.perf_counter() - begin)
    return shortest
