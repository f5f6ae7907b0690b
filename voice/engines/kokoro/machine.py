"""What this machine is: its processor and its compiler."""

from __future__ import annotations

import os
import platform
import shutil
from functools import cache
from pathlib import Path


def compiler() -> str | None:
    """Return the path of a C++ compiler: ``CXX``, else g++, clang++ or c++; None without one."""
    for name in (os.environ.get("CXX"), "g++", "clang++", "c++"):
        if name and (found := shutil.which(name)):
            return found
    return None


@cache
def processor() -> str:
    """Return a text that differs between processors that need different machine code."""
    lines = [platform.machine(), platform.processor()]
    for line in _cpuinfo():
        if not line.strip() and len(lines) > 2:
            break  # the other cores are alike
        if line.startswith(("model name", "flags", "Features", "CPU part")):
            lines.append(" ".join(sorted(line.split(":", 1)[1].split())))
    return "\n".join(lines)


@cache
def instruction_sets() -> frozenset[str]:
    """Return the processor's features as Linux names them; empty elsewhere."""
    for line in _cpuinfo():
        if line.startswith(("flags", "Features")):
            return frozenset(line.split(":", 1)[1].split())
    return frozenset()


def _cpuinfo() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return []
