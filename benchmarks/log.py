"""Appending to the transparency log, proving and checking, with a million entries.

Run: ``python benchmarks/log.py [--entries 1000000] [--folder DIR] [--json FILE]``

Everything goes through the public interface, on the disk of ``--folder`` (the temporary folder if
not given), with every fsync. The machine's own speed at fsync is measured beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent.log import Log, WitnessPolicy, WitnessSigner, verify_proof
from consent.log.note import parse_note

LEAF = 700  # bytes: about what a receipt's entry has
KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
WITNESS = WitnessSigner("witness.example", Ed25519PrivateKey.from_private_bytes(b"w" * 32))


def leaf(number: int) -> bytes:
    return f"{number:012d}".encode() * (LEAF // 12)


def open_log(folder: Path) -> Log:
    policy = WitnessPolicy().adding(WITNESS.verifier.vkey)
    return Log.open(folder, KEY, "benchmark.example/log", witnesses=policy)


@dataclass
class Times:
    """Milliseconds of each call by the clock, and of all together by the processor."""

    wall: list[float]
    cpu: float

    @property
    def total(self) -> float:
        """Seconds by the clock."""
        return sum(self.wall) / 1000

    def __str__(self) -> str:
        ordered = sorted(self.wall)
        high = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
        middle = statistics.median(ordered)
        return f"{middle:.2f} ms (99 %: {high:.1f}; processor: {self.cpu / len(ordered):.2f})"


def timed(action: Callable[[], Any], repeats: int) -> Times:
    """Time `repeats` calls."""
    wall = []
    cpu = time.process_time()
    for _ in range(repeats):
        began = time.perf_counter()
        action()
        wall.append((time.perf_counter() - began) * 1000)
    return Times(wall, (time.process_time() - cpu) * 1000)


def fsyncs(folder: Path) -> Times:
    path = folder / "fsync"
    with path.open("wb") as stream:

        def once() -> None:
            stream.write(bytes(4096))
            stream.flush()
            os.fsync(stream.fileno())

        taken = timed(once, 50)
    path.unlink()
    return taken


def appending(folder: Path, entries: int) -> dict[str, str]:
    rows = {}
    for batch in (1, 100, 2000):
        log = open_log(folder / f"by-{batch}")
        count = {1: 50, 100: 40, 2000: 10}[batch]
        state = {"next": 0}

        def one(log: Log = log, batch: int = batch, state: dict[str, int] = state) -> None:
            first = state["next"]
            log.append([leaf(number) for number in range(first, first + batch)])
            state["next"] = first + batch

        taken = timed(one, count)
        rate = batch * count / taken.total
        rows[f"append, {batch} at a time"] = f"{rate:,.0f} entries/s; {taken} each"
    log = open_log(folder / "log")
    began, cpu = time.perf_counter(), time.process_time()
    for first in range(0, entries, 10_000):
        last = min(first + 10_000, entries)
        log.append([leaf(number) for number in range(first, last)])
    took = time.perf_counter() - began
    busy = time.process_time() - cpu
    rows[f"append {entries:,}, 10,000 at a time"] = (
        f"{entries / took:,.0f} entries/s (processor: {entries / busy:,.0f})"
    )
    one_more = timed(lambda: log.append([b"x"]), 30)
    rows[f"append one to {entries:,}"] = str(one_more)
    return rows


def proving(folder: Path, entries: int) -> dict[str, str]:
    log = open_log(folder / "log")
    rng = random.Random(1)
    chosen = iter([rng.randrange(entries) for _ in range(500)])
    rows = {"open": str(timed(lambda: open_log(folder / "log"), 50))}
    rows["prove one entry"] = str(timed(lambda: log.proof(next(chosen)), 400))
    index = rng.randrange(entries)
    proof = log.proof(index)
    rows["verify a proof"] = str(timed(lambda: verify_proof(proof, leaf(index), log.vkey), 200))
    sizes = iter([rng.randrange(1, entries) for _ in range(200)])
    rows["prove consistency with an older size"] = str(
        timed(lambda: log.extension(next(sizes)), 200)
    )
    note = log.checkpoint_note()
    line = WITNESS.cosign(parse_note(note)[0], datetime.now(UTC))
    rows["attach a cosignature"] = str(timed(lambda: log.attach(note + line), 20))
    rows["prove one entry, witnessed"] = str(timed(lambda: log.proof(next(chosen)), 90))
    rows["length of a proof"] = f"{len(log.proof(index))} bytes"
    return rows


def checking(folder: Path, entries: int) -> dict[str, str]:
    log = open_log(folder / "log")
    times = timed(log.verify, 1)
    return {f"check all {entries:,}": f"{times.total:.1f} s (processor: {times.cpu / 1000:.1f})"}


STEPS = {"append": appending, "prove": proving, "check": checking}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:  # a fresh process: its peak memory is the step's own
        rows = STEPS[arguments.step](arguments.folder, arguments.entries)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        rows[f"memory, {arguments.step}"] = f"{peak:.0f} MB at the most"
        print(json.dumps(rows))
        return
    machine = (
        f"{platform.node()}: {processor()}, {os.cpu_count()} cores, load "
        f"{os.getloadavg()[0]:.1f} before it began, Python {platform.python_version()}"
    )
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        rows = {"one fsync here": str(fsyncs(folder))}
        for step in STEPS:
            command = [sys.executable, __file__, "--step", step, "--folder", name]
            command += ["--entries", str(arguments.entries)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            rows |= json.loads(done.stdout)
        size = sum(p.stat().st_size for p in (folder / "log").rglob("*") if p.is_file())
        rows["on disk"] = f"{size / 1e6:,.0f} MB, of it hashes {size_of_hashes(folder):,.0f} MB"
    print(f"| transparency log, {arguments.entries:,} entries of {LEAF} bytes | {machine} |")
    print("|---|---|")
    for what, figure in rows.items():
        print(f"| {what} | {figure} |")
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": machine, **rows}, indent=2), "utf-8")


def processor() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    named = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()


def size_of_hashes(folder: Path) -> float:
    tiles = (folder / "log" / "tile").iterdir()
    files = [p for tile in tiles if tile.name != "entries" for p in tile.rglob("*")]
    return sum(p.stat().st_size for p in files if p.is_file()) / 1e6


if __name__ == "__main__":
    main()
