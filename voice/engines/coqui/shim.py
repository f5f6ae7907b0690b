"""Let ``import torchaudio`` work beside a torch that was built without CUDA.

The torchaudio wheels on PyPI are built against CUDA: their compiled extension asks for
``libc10_cuda``, which a CPU-only torch does not have, and ``import torchaudio`` fails with an
OSError. torchaudio itself supports a missing extension (it then does without it), and coqui-tts
uses only its pure-Python transforms. So, when and only when torch has no CUDA and the extension
cannot be loaded, torchaudio is told that there is none.

What stays unavailable is what the extension does (``torchaudio.load``, forced alignment); audio
is read elsewhere in this project by other means.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from consent.errors import ModelError

_UTILS = "torchaudio._extension.utils"


def import_torchaudio() -> bool:
    """Import torchaudio, without its extension if that cannot be loaded here.

    Returns
    -------
    bool
        True if the shim was needed.

    Raises
    ------
    ModelError
        torchaudio is not installed, or fails for another reason.
    """
    if "torchaudio" in sys.modules:
        return _UTILS in sys.modules and getattr(sys.modules[_UTILS], "_vivavoce_shim", False)
    try:
        importlib.import_module("torchaudio")
    except ModuleNotFoundError as exc:
        raise ModelError(
            f"coqui-tts needs the package {exc.name}, which is not installed",
            hint=f"Install it: pip install {exc.name}",
        ) from exc
    except (OSError, ImportError) as exc:
        import torch

        _forget_torchaudio()
        if torch.version.cuda is not None:  # a real mismatch of versions: not ours to paper over
            raise ModelError(
                f"torchaudio cannot be imported: {exc}",
                hint="Install the torchaudio that matches your torch.",
            ) from exc
        sys.modules[_UTILS] = _utils_without_libraries()
        try:
            importlib.import_module("torchaudio")
        except (OSError, ImportError) as again:
            _forget_torchaudio()
            raise ModelError(
                f"torchaudio cannot be imported, even without its extension: {again}",
                hint="Install it again: pip install --force-reinstall --no-deps torchaudio",
            ) from again
        return True
    return False


def _utils_without_libraries() -> ModuleType:
    """Load torchaudio's own helper module, its library loader answering "there is none"."""
    package = importlib.util.find_spec("torchaudio")
    if package is None or package.origin is None:
        raise ModelError("torchaudio is not installed", hint="Install it: pip install torchaudio")
    path = Path(package.origin).parent / "_extension" / "utils.py"
    spec = importlib.util.spec_from_file_location(_UTILS, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise ModelError(
            f"this version of torchaudio has no {path.name} at {path}",
            hint="Use torchaudio 2.11, or a torch with CUDA.",
        )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.__dict__["_load_lib"] = lambda lib: False
    module.__dict__["_vivavoce_shim"] = True
    return module


def _forget_torchaudio() -> None:
    """Remove what a failed import left half done."""
    for name in [n for n in sys.modules if n == "torchaudio" or n.startswith("torchaudio.")]:
        del sys.modules[name]
