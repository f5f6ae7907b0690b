"""Compiled kernels for the network's slow parts, built once on the user's own machine."""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from consent.errors import ModelError
from voice.engines.kokoro import machine
from voice.engines.kokoro.layers import Layers, Norm
from voice.models.integrity import storage

if TYPE_CHECKING:
    from consent.home import Home

_FLAGS = (
    "-std=c++17",
    "-O3",
    "-march=native",
    "-ffast-math",
    "-mprefer-vector-width=512",
    "-shared",
    "-fPIC",
    "-pthread",
)
_PORTABLE = {"-mprefer-vector-width=512"}
_TYPES = {torch.float32: 0, torch.bfloat16: 1}


def library(home: Home) -> Path:
    """Return the compiled kernels for this machine, compiling them if need be.

    Processes may compile at once: each writes a file of its own, the last rename wins.

    Raises
    ------
    ModelError
        There is no compiler, or it fails.
    StorageError
        The disk is full, or the home cannot be written.
    """
    source = (resources.files("voice.engines.kokoro") / "kernels.cpp").read_bytes()
    key = hashlib.sha256(source + machine.processor().encode() + " ".join(_FLAGS).encode())
    target = home.cache / "kokoro" / f"kernels-{key.hexdigest()[:16]}.so"
    if target.is_file():
        return target
    program = machine.compiler()
    if program is None:
        raise ModelError("there is no C++ compiler on this machine", hint="Install g++ or clang++.")
    with storage(target), _folder_beside(target) as folder:
        code, built = Path(folder, "kernels.cpp"), Path(folder, "kernels.so")
        code.write_bytes(source)
        reason = ""
        for dropped in (frozenset[str](), _PORTABLE):
            flags = [flag for flag in _FLAGS if flag not in dropped]
            result = subprocess.run(
                [program, *flags, str(code), "-o", str(built)],
                capture_output=True,
                text=True,
                check=False,
                env=os.environ | {"LC_ALL": "C"},  # its message is read below
            )
            if "No space left" in result.stderr:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if result.returncode == 0:
                built.replace(target)
                return target
            reason = result.stderr.strip().splitlines()[0] if result.stderr else "no message"
    raise ModelError(f"{program} cannot compile Kokoro's kernels: {reason}")


@contextmanager
def _folder_beside(target: Path) -> Iterator[str]:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        yield folder


class NativeLayers(Layers):
    """Element-wise passes by compiled kernels, convolutions by PyTorch.

    Parameters
    ----------
    path
        As :func:`library` returns it.
    """

    def __init__(self, path: Path, dtype: torch.dtype, *, threads: int = 1) -> None:
        super().__init__(dtype)
        self._threads = threads
        try:
            self._library = ctypes.CDLL(str(path))
        except OSError as exc:
            raise ModelError(
                f"cannot load the compiled kernels: {exc}", hint=f"Delete {path}."
            ) from exc
        pointer, integer = ctypes.c_void_p, ctypes.c_int
        self._library.kokoro_norm_act.argtypes = [
            *(pointer, integer, pointer, integer, pointer, pointer, pointer, pointer),
            *(ctypes.c_float, pointer, integer, ctypes.c_int64, integer, integer),
        ]
        self._library.kokoro_average.argtypes = [
            *(pointer, pointer, integer, ctypes.c_float, pointer, integer),
            *(ctypes.c_int64, integer),
        ]

    def norm_act(
        self, x: Tensor, norm: Norm, *, add: Tensor | None = None, out: torch.dtype | None = None
    ) -> tuple[Tensor, Tensor]:
        """See :meth:`Layers.norm_act`."""
        x = x.contiguous()
        add = None if add is None else add.contiguous()
        gain, shift = norm.gain.contiguous(), norm.shift.contiguous()
        residual = x if add is None else torch.empty(x.shape, dtype=torch.float32)
        y = torch.empty(x.shape, dtype=out or self.dtype)
        self._library.kokoro_norm_act(
            x.data_ptr(),
            _TYPES[x.dtype],
            None if add is None else add.data_ptr(),
            0 if add is None else _TYPES[add.dtype],
            residual.data_ptr(),
            gain.data_ptr(),
            shift.data_ptr(),
            None if norm.alpha is None else norm.alpha.data_ptr(),
            norm.slope,
            y.data_ptr(),
            _TYPES[y.dtype],
            x.shape[0],
            x.shape[1],
            self._threads,
        )
        return y, residual

    def average(
        self, branches: Sequence[tuple[Tensor, Tensor]], slope: float, out: torch.dtype
    ) -> Tensor:
        """See :meth:`Layers.average`."""
        residuals = [residual.contiguous() for residual, _ in branches]
        pending = [branch.contiguous() for _, branch in branches]
        y = torch.empty(residuals[0].shape, dtype=out)
        pointers = ctypes.c_void_p * len(branches)
        self._library.kokoro_average(
            pointers(*(t.data_ptr() for t in residuals)),
            pointers(*(t.data_ptr() for t in pending)),
            _TYPES[pending[0].dtype],
            slope,
            y.data_ptr(),
            _TYPES[out],
            y.numel(),
            self._threads,
        )
        return y
