"""What is wrong with an installation, if anything, and what to do about it."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from consent.errors import VivavoceError
from voice.narration.speed import remembered_rtf

if TYPE_CHECKING:
    from consent.home import Home

#: A ten-hour book needs about this much: encrypted segments and the finished file.
ROOM_FOR_A_BOOK = 3_000_000_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at.

    Attributes
    ----------
    level
        ``"ok"``, ``"note"`` (works, could be better) or ``"bad"`` (does not work).
    hint
        What to do; empty if nothing.
    """

    level: str
    what: str
    detail: str
    hint: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the finding as a JSON object."""
        return asdict(self)


def examine(home: Home) -> list[Finding]:
    """Look at the machine, the home, the registry and the models; change nothing.

    Returns
    -------
    list of Finding
        In a fixed order; a check that itself fails is a finding of level ``"bad"``.
    """
    checks: tuple[tuple[str, Callable[[Home], Iterator[Finding]]], ...] = (
        ("machine", _machine),
        ("home", _home),
        ("registry", _registry),
        ("engines", _engines),
        ("models", _models),
        ("speed", _speed),
        ("watermark", _watermark),
    )
    findings: list[Finding] = []
    for what, check in checks:
        try:
            findings.extend(check(home))
        except VivavoceError as exc:
            findings.append(Finding("bad", what, exc.message, exc.hint or ""))
        except Exception as exc:  # a broken dependency must not hide the other findings
            findings.append(Finding("bad", what, f"{type(exc).__name__}: {exc}"))
    return findings


def _machine(_home: Home) -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Finding(
        "ok",
        "machine",
        f"Python {platform.python_version()} on {sys.platform} {platform.machine()}, {cores} cores",
    )


def _home(home: Home) -> Iterator[Finding]:
    free = shutil.disk_usage(home.root).free
    yield Finding(
        "ok" if free > ROOM_FOR_A_BOOK else "note",
        "home",
        f"{home.root}, {free / 1e9:.1f} GB free",
        "" if free > ROOM_FOR_A_BOOK else "A long book needs about 3 GB while it is made.",
    )


def _registry(home: Home) -> Iterator[Finding]:
    from consent.log.remembered import KEEP, check_remembered
    from consent.registry import Registry

    with Registry.open(home) as registry:
        status = registry.status()
        report = registry.check()
        memory = check_remembered(home, readers=[registry.log], learn=False)
    receipts = ", ".join(f"{count} {state}" for state, count in status.receipts.items())
    yield Finding("ok", "registry", f"{status.url}, tag {status.registry_tag}, {receipts or 'new'}")
    for problem in report.problems:
        yield Finding("bad", "log", problem, "Restore the home from a backup: keys restore.")
    for problem in memory.problems:
        yield Finding("bad", "log", problem, KEEP)
    if report.ok:
        yield Finding("ok", "log", f"{status.log_size} entries, all consistent")
    if status.witnesses:
        names = ", ".join(status.witnesses)
        seen = f"{names} cosigned the first {status.witnessed_size} of {status.log_size} entries"
        yield Finding("ok", "log", seen)
    else:
        yield Finding(
            "note",
            "log",
            "no outside witness, so the log proves little against its own operator",
            "Have somebody else run one: docs/log.md.",
        )


def _engines(_home: Home) -> Iterator[Finding]:
    from voice import engines

    voices = engines.voices()
    for name, engine in engines.available().items():
        count = sum(voice.engine == engine.name for voice in voices)
        yield Finding("ok", "engine", f"{name}, {count} voices")
    for problem in engines.problems():
        yield Finding(
            "bad",
            "engine",
            f"{problem.engine} ({problem.distribution}): {problem.reason}",
            "Reinstall or remove that package.",
        )


def _models(home: Home) -> Iterator[Finding]:
    from voice import models

    for card in models.cards(home).values():
        if any(source.kind == "wheel" for source in card.sources):
            here = models.installed(card, home)
            yield Finding(
                "ok" if here else "bad",
                "model",
                f"{card.id}, {card.licence}, commercial use: {card.commercial}",
                "" if here else "Install vivavoce again: its weights come as packages.",
            )
    for problem in models.problems(home):
        yield Finding("bad", "model", f"{problem.where}: {problem.reason}")


def _speed(home: Home) -> Iterator[Finding]:
    from voice.engines.kokoro.tuning import choose

    chosen = choose(home)
    kernels = "compiled kernels" if chosen.kernels else "no compiled kernels"
    detail = f"kokoro runs in {chosen.precision} with {kernels}, the fastest of what was measured"
    yield Finding("note" if chosen.note else "ok", "speed", detail, chosen.note)
    rtf = remembered_rtf(home, "kokoro:af_heart")
    if rtf is not None:
        yield Finding("ok", "speed", f"the last narration ran at {1 / rtf:.1f} times real time")


def _watermark(home: Home) -> Iterator[Finding]:
    from provenance.watermark import active

    model = active(home)
    if model is None:
        yield Finding(
            "note",
            "watermark",
            "no model is set: outputs carry a signed manifest and no watermark",
            "The weights that ship are an experiment: docs/watermark-training.md.",
        )
    else:
        yield Finding("ok", "watermark", model.name)
