"""Which number format the decoder uses here; decided without importing torch."""

from __future__ import annotations

import os
import platform
from functools import cache
from pathlib import Path

from consent.errors import InputError

PRECISION = "VIVAVOCE_COQUI_PRECISION"


@cache
def precision() -> str:
    """Return ``"bf16"`` where the processor has instructions for it, else ``"fp32"``.

    The environment variable ``VIVAVOCE_COQUI_PRECISION`` overrides it.
    """
    asked = os.environ.get(PRECISION, "")
    if asked:
        if asked not in {"bf16", "fp32"}:
            raise InputError(f"{PRECISION} is {asked!r}", hint="Use bf16 or fp32.")
        return asked
    if platform.machine() not in {"x86_64", "AMD64"}:
        return "fp32"
    try:
        flags = Path("/proc/cpuinfo").read_text("ascii", "replace")
    except OSError:
        return "fp32"
    return "bf16" if "avx512_bf16" in flags or "amx_bf16" in flags else "fp32"
