"""Narrate for a given number of minutes and measure throughput and memory on the way.

    python benchmarks/narration.py --minutes 10
    python benchmarks/narration.py --book novel.epub --minutes 180 --json result.json

The whole path is run, in a home of its own: rendering, check, mastering, sealing, measuring.
Memory is the resident set of the parent and of each worker, sampled twice a second; whether it
is flat is shown by comparing the first and the last third of the rendering (the check loads a
speech recogniser into the workers as well: the peak).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from consent.home import Home
from consent.registry import Registry
from voice.narration import narrate
from voice.narration.events import Event, PhaseStarted
from voice.narration.pool import default_workers
from voice.script import estimate, make_plan, read_book, select_chapters
from voice.script.model import Plan

# The opening of "A Tale of Two Cities" and of "Pride and Prejudice" (public domain), varied by a
# number so that no sentence is found in the cache.
TEXT = (
    "It was the best of times, it was the worst of times, in the year {n}.",
    "There were a king with a large jaw and a queen with a plain face, on throne number {n}.",
    "Sir?",
    "It is a truth universally acknowledged, that a single man in possession of {n} pounds must "
    "be in want of a wife.",
    "However little known the feelings of such a man may be on his first entering house {n}, "
    "this truth is fixed in the minds of the surrounding families.",
    "Nobody answered for {n} minutes.",
)
SAMPLE_S = 0.5


@dataclass
class Memory:
    """Resident bytes of this process and its children over time."""

    samples: list[tuple[float, str, int, list[int]]] = field(default_factory=list)
    phase: str = "prepare"
    _stop: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        begin = time.monotonic()
        while not self._stop.wait(SAMPLE_S):
            own, children = tree()
            self.samples.append((time.monotonic() - begin, self.phase, own, children))

    def stop(self) -> None:
        self._stop.set()

    def summary(self) -> dict[str, Any]:
        # Without the first ten seconds, in which the workers load the model.
        working = [s for s in self.samples if s[1] == "render" and s[3]][int(10 / SAMPLE_S) :]
        third = max(1, len(working) // 3)
        return {
            "samples": len(self.samples),
            "parent_peak": max((s[2] for s in self.samples), default=0),
            "worker_peak": max((max(s[3]) for s in self.samples if s[3]), default=0),
            "total_peak": max((s[2] + sum(s[3]) for s in self.samples), default=0),
            "first_third": _medians(working[:third]),
            "last_third": _medians(working[-third:]),
        }


def _medians(samples: list[tuple[float, str, int, list[int]]]) -> dict[str, float]:
    if not samples:
        return {"parent": 0.0, "worker": 0.0}
    return {
        "parent": statistics.median(s[2] for s in samples),
        "worker": statistics.median(max(s[3]) for s in samples),
    }


def tree() -> tuple[int, list[int]]:
    page = os.sysconf("SC_PAGE_SIZE")

    def resident(pid: str) -> int:
        try:
            return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * page
        except (OSError, IndexError):
            return 0

    children: list[int] = []
    for thread in Path("/proc/self/task").iterdir():
        try:
            names = (thread / "children").read_text().split()
        except OSError:
            continue
        children += [size for pid in names if (size := resident(pid))]
    return resident("self"), children


def machine() -> dict[str, Any]:
    model = platform.processor()
    flags: set[str] = set()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
            elif line.startswith("flags"):
                flags = set(line.split())
    except OSError:
        pass
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)),
        "amx_bf16": "amx_bf16" in flags,
        "avx512_bf16": "avx512_bf16" in flags,
        "load_before": os.getloadavg()[0],
        "python": platform.python_version(),
    }


def generated(minutes: float, voice: str, folder: Path) -> Plan:
    """A book of ten-minute chapters that is `minutes` long by the estimate."""
    lines: list[str] = []
    number = 1000
    for chapter in range(1, int(minutes // 10) + 2):
        lines.append(f"# Part {chapter}\n")
        for _ in range(24):
            paragraph = " ".join(part.format(n=number + i) for i, part in enumerate(TEXT))
            number += len(TEXT)
            lines.append(paragraph + "\n")
    path = folder / "generated.md"
    path.write_text("\n".join(lines))
    return make_plan(read_book(path), narrator=voice)


def cut(plan: Plan, minutes: float) -> Plan:
    """The first segments of the plan that together last `minutes` by the estimate."""
    from dataclasses import replace

    seconds = 0.0
    chapters = []
    for chapter in plan.chapters:
        share = estimate(select_chapters(plan, str(chapter.number))).minutes * 60
        left = minutes * 60 - seconds
        if left <= 0:
            break
        count = max(1, round(len(chapter.segments) * min(1.0, left / share)))
        chapters.append(replace(chapter, segments=chapter.segments[:count]))
        seconds += min(share, left)
    return replace(plan, chapters=tuple(chapters))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=5.0, help="audio to make, roughly")
    parser.add_argument("--book", type=Path, help="EPUB, Markdown or text; else a made-up one")
    parser.add_argument("--voice", default="kokoro:af_heart")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--no-check", action="store_true", help="without the completeness check")
    parser.add_argument("--container", default="m4b")
    parser.add_argument("--json", type=Path, help="write the result here")
    options = parser.parse_args()
    workers = options.workers or default_workers()
    memory = Memory()

    def listen(event: Event) -> None:
        if isinstance(event, PhaseStarted):
            memory.phase = event.phase

    with tempfile.TemporaryDirectory(prefix="vivavoce-benchmark-") as name:
        folder = Path(name)
        plan = (
            make_plan(read_book(options.book), narrator=options.voice)
            if options.book
            else generated(options.minutes, options.voice, folder)
        )
        plan = cut(plan, options.minutes)
        home = Home.open(folder / "home")
        where = machine()
        watcher = threading.Thread(target=memory.watch, daemon=True)
        watcher.start()
        with Registry.open(home) as registry:
            result = narrate(
                plan,
                output=folder / f"book.{options.container}",
                home=home,
                registry=registry,
                workers=workers,
                check=not options.no_check,
                progress=listen,
            )
        memory.stop()
        watcher.join()
        cache = sum(p.stat().st_size for p in (home.cache / "segments").rglob("*.seg"))
    report = {
        "machine": where,
        "voice": options.voice,
        "workers": workers,
        "audio_seconds": result.audio_seconds,
        "speech_seconds": result.speech_seconds,
        "segments": result.segments,
        "wall_seconds": result.wall_seconds,
        "phases": result.phases,
        "real_time_factor_render": result.real_time_factor,
        "real_time_factor_whole": result.wall_seconds / result.audio_seconds,
        "cache_bytes": cache,
        "memory": memory.summary(),
        "check": None if result.check is None else result.check.to_json(),
        "levels": [c.levels.to_json() for o in result.outputs for c in o.chapters],
    }
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    print(markdown(report))


def markdown(report: dict[str, Any]) -> str:
    where, memory = report["machine"], report["memory"]
    audio, mib = report["audio_seconds"], 2**20
    lines = [
        f"Machine: {where['cpu']}, {where['cores']} cores, "
        f"AMX bf16 {'yes' if where['amx_bf16'] else 'no'}, "
        f"AVX-512 bf16 {'yes' if where['avx512_bf16'] else 'no'}, "
        f"load before {where['load_before']:.1f}; Python {where['python']}; "
        f"{report['workers']} workers, voice {report['voice']}.",
        "",
        f"{audio / 60:.1f} minutes of audio, {report['segments']} segments.",
        "",
        "| phase | wall s | per hour of audio, s | real-time factor |",
        "|---|---|---|---|",
    ]
    phases = {**report["phases"], "whole": report["wall_seconds"]}
    lines += [
        f"| {name} | {seconds:.1f} | {seconds / audio * 3600:.0f} | {seconds / audio:.4f} |"
        for name, seconds in phases.items()
    ]
    first, last = memory["first_third"], memory["last_third"]
    lines += [
        "",
        "| memory, MiB resident | peak | rendering, first third | rendering, last third |",
        "|---|---|---|---|",
        f"| parent | {memory['parent_peak'] / mib:.0f} | {first['parent'] / mib:.0f} "
        f"| {last['parent'] / mib:.0f} |",
        f"| largest worker | {memory['worker_peak'] / mib:.0f} | {first['worker'] / mib:.0f} "
        f"| {last['worker'] / mib:.0f} |",
        f"| all together | {memory['total_peak'] / mib:.0f} | | |",
        "",
        f"Cache: {report['cache_bytes'] / mib:.0f} MiB, "
        f"{report['cache_bytes'] / mib / audio * 3600:.0f} MiB per hour of audio.",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
