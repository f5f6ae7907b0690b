"""How fast the narrator speaks, beside kokoro-onnx: same weights, voice, phonemes and cores.

    python benchmarks/engine_throughput.py [--cores N] [--rounds N] [--json]

Both engines speak the same passages in the same run, in turns, each with one process of one
thread per core (and kokoro-onnx also as one process with N threads); a ratio is taken against
the faster of its two. The first round of each is shown apart: it includes what is compiled for
each new length. Needs ``pip install vivavoce[bench]``.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import statistics
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from importlib import metadata
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

VOICE = "af_heart"
RATE = 24_000
PASSAGES = (
    "The old clock in the hall struck seven as she opened the letter with trembling hands.",
    "It was a bright, cold day, and nobody had expected the train to arrive on time.",
    "He laughed, put down his cup, and asked whether anyone had seen the dog that morning.",
    "Come in, said the doctor.",
    "There is nothing in the world so irresistibly contagious as laughter and good humour.",
    "You will remember that I told you about the farm near the sea, where we meant to keep hens.",
    "Yes, he said, I remember it very well.",
    "The road wound between low hills, past a church and a row of white cottages, and then dropped "
    "sharply to the harbour, where the fishing boats lay side by side in the evening sun.",
    "Nobody answered.",
    "She had been warned more than once that the bridge was not safe after rain, but there was no "
    "other way home, and it was already growing dark.",
    "What on earth do you want with a hundred chickens?",
    "When the music stopped, the two strangers bowed to each other and left by different doors.",
)


@dataclass(frozen=True)
class Row:
    """Result of one contestant."""

    name: str
    first_s: float
    median_s: float
    fastest_s: float
    slowest_s: float
    audio_s: float
    rtf: float
    load_s: float
    memory_mb: float
    word_errors: float


def _ours(_model: str, _voices: str, threads: int) -> object:
    from voice.engines.kokoro import KokoroEngine
    from voice.engines.kokoro.voices import style

    synthesizer = KokoroEngine().load(threads=threads)
    rows = style(VOICE)
    return lambda phonemes: synthesizer.speak_phonemes(phonemes, rows)


def _peer(model: str, voices: str, threads: int) -> object:
    import onnxruntime
    from kokoro_onnx import Kokoro

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    kokoro = Kokoro.from_session(session, voices)
    return lambda phonemes: kokoro.create(phonemes, voice=VOICE, is_phonemes=True)[0]


def work(
    kind: str, model: str, voices: str, threads: int, cores: list[int], pipe: Connection
) -> None:
    """Load an engine and speak what is sent until None comes."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)
    begin = time.perf_counter()
    speak = {"ours": _ours, "peer": _peer}[kind](model, voices, threads)
    pipe.send(time.perf_counter() - begin)
    while (texts := pipe.recv()) is not None:
        pipe.send([np.asarray(speak(text), dtype=np.float32) for text in texts])  # type: ignore[operator]
    import resource

    pipe.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


class Contestant:
    """An engine in as many processes as asked."""

    def __init__(
        self, name: str, kind: str, model: str, voices: str, layout: list[list[int]]
    ) -> None:
        self.name = name
        self.seconds: list[float] = []
        context = multiprocessing.get_context("spawn")
        self._pipes: list[Connection] = []
        for cores in layout:
            ours, theirs = context.Pipe()
            context.Process(
                target=work,
                args=(kind, model, voices, len(cores), cores, theirs),
                daemon=True,
            ).start()
            self._pipes.append(ours)
        self.load_s = max(pipe.recv() for pipe in self._pipes)

    def round(self, phonemes: list[str]) -> list[NDArray[np.float32]]:
        """Speak everything once and note the time."""
        shares: list[list[int]] = [[] for _ in self._pipes]
        for place in sorted(range(len(phonemes)), key=lambda i: -len(phonemes[i])):
            min(shares, key=lambda s: sum(len(phonemes[i]) for i in s)).append(place)
        begin = time.perf_counter()
        for pipe, share in zip(self._pipes, shares, strict=True):
            pipe.send([phonemes[i] for i in share])
        spoken: dict[int, NDArray[np.float32]] = {}
        for pipe, share in zip(self._pipes, shares, strict=True):
            spoken.update(zip(share, pipe.recv(), strict=True))
        self.seconds.append(time.perf_counter() - begin)
        return [spoken[i] for i in range(len(phonemes))]

    def close(self) -> float:
        """End the processes; return the most memory one of them used, in MB."""
        for pipe in self._pipes:
            pipe.send(None)
        return max(float(pipe.recv()) for pipe in self._pipes)


def errors(said: str, heard: str) -> tuple[int, int]:
    """Return (word errors, words) of a transcript, case and punctuation apart."""
    a, b = ("".join(c if c.isalnum() else " " for c in t.lower()).split() for t in (said, heard))
    costs = list(range(len(b) + 1))
    for i, word in enumerate(a, 1):
        diagonal, costs[0] = costs[0], i
        for j, other in enumerate(b, 1):
            diagonal, costs[j] = (
                costs[j],
                min(costs[j] + 1, costs[j - 1] + 1, diagonal + (word != other)),
            )
    return costs[-1], len(a)


def word_error_rate(sounds: list[NDArray[np.float32]]) -> float:
    """Return the word error rate of the passages as Whisper base hears them."""
    from consent.home import Home
    from provenance.listening.asr import Transcriber

    transcriber = Transcriber.load(Home.open(), threads=1, language="en")
    silence = np.zeros(RATE // 2, dtype=np.float32)
    wrong = total = 0
    for text, samples in zip(PASSAGES, sounds, strict=True):
        heard = transcriber.transcribe(np.concatenate([silence, samples, silence]), RATE).text
        one, words = errors(text, heard)
        wrong, total = wrong + one, total + words
    return wrong / total


def machine() -> dict[str, object]:
    """Describe where the figures come from."""
    import torch

    from voice.engines.kokoro.machine import instruction_sets

    model = platform.processor()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        model = next(
            (x.split(":", 1)[1].strip() for x in lines if x.startswith("model name")), model
        )
    interesting = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")
    return {
        "processor": model,
        "instructions": [f for f in interesting if f in instruction_sets()],
        "logical_cpus": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "onnxruntime": metadata.version("onnxruntime"),
        "kokoro_onnx": metadata.version("kokoro-onnx"),
    }


def measure(cores: int, rounds: int) -> tuple[list[Row], float, str]:
    """Run all contestants in turns.

    Returns
    -------
    rows, ratio, choice
        The ratio is the faster peer's median time over ours.
    """
    from consent.home import Home
    from voice.engines.kokoro import tuning, voices, weights
    from voice.models import resolve
    from voice.phonemes import phonemize

    home = Home.open()
    choice = tuning.choose(home).sound
    phonemes = [phonemize(text, "en-US") for text in PASSAGES]
    available = sorted(os.sched_getaffinity(0))[:cores]
    one_each = [[core] for core in available]
    with tempfile.TemporaryDirectory() as folder:
        styles = Path(folder, "voices.npz")
        np.savez(styles, **{VOICE: voices.style(VOICE)[:, None, :]})
        paths = (str(resolve(weights.card(), home)), str(styles))
        contestants = [
            Contestant(f"vivavoce ({choice}), {cores} x 1 thread", "ours", *paths, one_each),
            Contestant(f"kokoro-onnx int8, {cores} x 1 thread", "peer", *paths, one_each),
        ]
        if cores > 1:
            contestants.append(
                Contestant(f"kokoro-onnx int8, 1 x {cores} threads", "peer", *paths, [available])
            )
        sounds = [contestant.round(phonemes) for contestant in contestants]
        for _ in range(rounds):
            for contestant in contestants:
                contestant.round(phonemes)
        memory = [contestant.close() for contestant in contestants]
    rows: list[Row] = []
    for contestant, spoken, peak in zip(contestants, sounds, memory, strict=True):
        audio = sum(len(s) for s in spoken) / RATE
        first, *later = contestant.seconds
        median = statistics.median(later)
        rows.append(
            Row(
                *(contestant.name, first, median, min(later), max(later), audio),
                *(median * cores / audio, contestant.load_s, peak, word_error_rate(spoken)),
            )
        )
    return rows, min(row.median_s for row in rows[1:]) / rows[0].median_s, choice


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cores", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5, help="timed rounds after the first")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.cores > len(os.sched_getaffinity(0)):
        sys.exit(f"--cores {options.cores}: only {len(os.sched_getaffinity(0))} are available")
    about = machine()
    rows, ratio, choice = measure(options.cores, options.rounds)
    if options.json:
        print(
            json.dumps(
                {
                    "machine": about,
                    "cores": options.cores,
                    "rounds": options.rounds,
                    "choice": choice,
                    "rows": [asdict(row) for row in rows],
                    "ratio": ratio,
                },
                indent=2,
            )
        )
        return
    print(", ".join(f"{key}: {value}" for key, value in about.items()))
    print(f"\n{len(PASSAGES)} passages, voice {VOICE}, {options.cores} core(s), ", end="")
    print(f"{options.rounds} rounds after the first; RTF is core seconds per second of audio\n")
    print("| engine | first s | median s (range) | audio s | RTF | load s | MB/process | WER |")
    print("|---|---|---|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row.name} | {row.first_s:.2f} | {row.median_s:.2f} "
            f"({row.fastest_s:.2f}-{row.slowest_s:.2f}) | {row.audio_s:.1f} | {row.rtf:.3f} "
            f"| {row.load_s:.2f} | {row.memory_mb:.0f} | {100 * row.word_errors:.1f} % |"
        )
    print(f"\nthroughput against kokoro-onnx: {ratio:.2f}x")


if __name__ == "__main__":
    main()
