"""Time and memory of the door and of reading back, per container.

Run: ``python benchmarks/seal_verify.py [--minutes 10 60] [--containers m4b mp3] [--json FILE]``

Each measurement is one fresh process: peak memory is the process's own, imports included (the
baseline tells how much that is). The sound is noise with the band and the rhythm of speech, made on
the fly, so that making it costs no memory. The home and the files are temporary.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

RATE = 24000
CONTAINERS = ("m4b", "mp3", "flac", "wav")


def speechlike(samples: int) -> Iterator[Any]:
    """Yield noise shaped like speech: falling spectrum, four syllables a second, pauses."""
    random = np.random.default_rng(1)
    kernel = np.exp(-np.arange(24) / 4.0)
    bank = [
        np.convolve(random.standard_normal(RATE), kernel, "same").astype(np.float32)
        for _ in range(16)
    ]
    t = np.arange(RATE) / RATE
    shape = (0.02 * np.clip(np.sin(2 * np.pi * 4 * t) + 0.4, 0, None)).astype(np.float32)
    for start in range(0, samples, RATE):
        second = bank[int(random.integers(16))] * shape
        yield second[: samples - start]


def measure(task: str, container: str, minutes: float, folder: Path) -> dict[str, Any]:
    """Do one task in this process and return its figures."""
    from consent.home import Home
    from consent.registry import AuthorizationRequest, ModelUse, Registry, VoiceUse
    from provenance.seal import ChapterAudio, SealRequest, Tags, seal
    from provenance.verify import verify

    home = Home.open(folder / "home")
    path = folder / f"{minutes:g}.{container}"
    steps: dict[str, float] = {}
    began = last = time.perf_counter()
    status = ""
    if task == "seal":
        voice = VoiceUse("kokoro:af_heart", "stock", "Apache-2.0", True, minutes)
        model = ModelUse("kokoro-82m", "kokoro", "0", "ab" * 32, "Apache-2.0", "yes")
        samples = int(minutes * 60 * RATE)
        per = samples // 10
        chapters = tuple(
            ChapterAudio(f"Chapter {n + 1}", per, lambda: speechlike(per)) for n in range(10)
        )
        with Registry.open(home) as registry:
            allowed = registry.authorize(
                AuthorizationRequest(
                    "Benchmark", "", "", "audiobook", "12" * 32, ("en",), "world", "private",
                    False, minutes + 1, (voice,), (model,), "benchmark",
                )
            )  # fmt: skip
            with registry.lease(allowed.id):
                began = last = time.perf_counter()

                def progress(step: str, done: float) -> None:
                    nonlocal last
                    now = time.perf_counter()
                    steps[step] = steps.get(step, 0.0) + now - last
                    last = now

                seal(
                    SealRequest(
                        destination=path, container=container, sample_rate=RATE,
                        chapters=chapters, tags=Tags("Benchmark"),
                        authorization_id=allowed.id, text_digest="34" * 32,
                        voices=(voice,), models=(model,), overwrite=True,
                    ),
                    registry=registry, home=home, progress=progress,
                )  # fmt: skip
    elif task == "verify":
        status = verify(path, home=home).status
    seconds = time.perf_counter() - began
    return {
        "task": task,
        "container": container,
        "minutes": minutes,
        "seconds": round(seconds, 3),
        "seconds_per_hour": round(seconds * 60 / minutes, 2),
        "times_real_time": round(minutes * 60 / seconds, 1) if seconds else None,
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000, 1),
        "file_mb": round(path.stat().st_size / 1e6, 1) if path.exists() else 0.0,
        "steps": {k: round(v, 2) for k, v in steps.items()},
        "status": status,
    }


def machine() -> str:
    """Name processor, cores and memory."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    cores = len(os.sched_getaffinity(0))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{model}, {cores} cores, {memory:.0f} GiB, {platform.system()} {platform.machine()}"


def run(task: str, container: str, minutes: float, folder: Path) -> dict[str, Any]:
    """Measure in a process of its own."""
    command = [sys.executable, __file__, "--child", task, container, str(minutes), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def table(results: list[dict[str, Any]]) -> str:
    """Return the results as Markdown."""
    lines = [
        "| task | container | sound | file | time | per hour of sound | peak memory |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for r in results:
        lines.append(
            f"| {r['task']} | {r['container']} | {r['minutes']:g} min | {r['file_mb']} MB | "
            f"{r['seconds']:.2f} s | {r['seconds_per_hour']:.1f} s | {r['peak_mb']:.0f} MB |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, nargs="+", default=[10.0, 60.0])
    parser.add_argument("--containers", nargs="+", default=list(CONTAINERS), choices=CONTAINERS)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        task, container, minutes, folder = args.child
        print(json.dumps(measure(task, container, float(minutes), Path(folder))))
        return
    results = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        results.append(run("baseline", "m4b", 1.0, folder))
        for minutes in args.minutes:
            for container in args.containers:
                for task in ("seal", "verify"):
                    results.append(run(task, container, minutes, folder))
                    print(results[-1], file=sys.stderr)
    print(f"Machine: {machine()}\n")
    print(f"Baseline (imports, an opened home): {results[0]['peak_mb']:.0f} MB\n")
    print(table(results[1:]))
    if args.json:
        report = {"machine": machine(), "python": platform.python_version(), "results": results}
        args.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
