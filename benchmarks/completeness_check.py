"""How well does the completeness check find faults, and how often does it cry wolf?

Renders sentences of a real book with an installed engine, damages copies of them in ways that
speech engines and audiobook tools are known to fail, and checks clean and damaged ones.

    python benchmarks/completeness_check.py BOOK.epub --sentences 160 --voices kokoro:af_heart

Prints a Markdown table; --json writes the figures.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

Item = tuple[Any, np.ndarray]  # segment, samples
Times = list[Any]  # words of the segment with their times


def lacks_all(item: Item, times: Times, rate: int, other: Item) -> np.ndarray | None:
    return np.zeros(rate // 4, np.float32)


def lacks_middle(item: Item, times: Times, rate: int, other: Item) -> np.ndarray | None:
    """Cut out a third of the words, three at least."""
    count = max(3, len(times) // 3)
    if len(times) < count + 4:
        return None
    first = (len(times) - count) // 2
    a, b = int(times[first].start * rate), int(times[first + count].start * rate)
    return np.concatenate([item[1][:a], item[1][b:]])


def lacks_last_word(item: Item, times: Times, rate: int, other: Item) -> np.ndarray | None:
    if len(times) < 3 or times[-1].end - times[-1].start < 0.15:
        return None
    return item[1][: int(times[-1].start * rate)]


def lacks_last_words(item: Item, times: Times, rate: int, other: Item) -> np.ndarray | None:
    return item[1][: int(times[-3].start * rate)] if len(times) >= 6 else None


def said_twice(item: Item, times: Times, rate: int, other: Item) -> np.ndarray | None:
    return np.concatenate([item[1], np.zeros(rate // 5, np.float32), item[1]])


def end_said_twice(item: Item, times: Times, rate: int, other: Item) -> np.ndarray | None:
    if len(times) < 8:
        return None
    return np.concatenate([item[1], item[1][int(times[-4].start * rate) :]])


def noise(item: Item, times: Times, rate: int, other: Item) -> np.ndarray | None:
    level = float(np.sqrt(np.mean(item[1] ** 2)))
    made = np.random.default_rng(item[1].size).normal(size=item[1].size) * level
    return made.astype(np.float32)


def half_noise(item: Item, times: Times, rate: int, other: Item) -> np.ndarray | None:
    if len(times) < 6:
        return None
    made, cut = item[1].copy(), int(times[len(times) // 2].start * rate)
    made[cut:] = noise(item, times, rate, other)[cut:]  # type: ignore[index]
    return made


def backwards(item: Item, times: Times, rate: int, other: Item) -> np.ndarray | None:
    return item[1][::-1].copy()


def another_sentence(item: Item, times: Times, rate: int, other: Item) -> np.ndarray | None:
    return other[1]


def babble_at_end(item: Item, times: Times, rate: int, other: Item) -> np.ndarray | None:
    """Append two seconds of another sentence: the invented ends of autoregressive engines."""
    return None if other[1].size < 2.5 * rate else np.concatenate([item[1], other[1][: 2 * rate]])


FAULTS: dict[str, Callable[[Item, Times, int, Item], np.ndarray | None]] = {
    "whole segment lacking": lacks_all,
    "a third of the words lacking": lacks_middle,
    "last word cut off": lacks_last_word,
    "last three words cut off": lacks_last_words,
    "said twice": said_twice,
    "last four words said twice": end_said_twice,
    "noise instead of speech": noise,
    "second half turns to noise": half_noise,
    "unintelligible (played backwards)": backwards,
    "another segment in its place": another_sentence,
    "invented words at the end": babble_at_end,
}


def machine() -> str:
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        model = names[0].split(":", 1)[1].strip() if names else model
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}"


def render(book: Path, wanted: int, voices: list[str]) -> tuple[list[Item], int, float]:
    """Speak sentences from the whole book, voices in turn; returns items, rate, CPU seconds."""
    from voice.engines import available, find_voice
    from voice.script import make_plan, read_book

    plan = make_plan(read_book(book), narrator=voices[0])
    segments = [
        segment for chapter in plan.chapters for segment in chapter.segments if segment.spoken
    ]
    start = random.Random(7).randrange(max(1, len(segments) - wanted))
    items, rate, loaded, began = [], 0, {}, time.process_time()
    for index, segment in enumerate(segments[start : start + wanted]):
        engine, voice = find_voice(voices[index * len(voices) // wanted])
        name = getattr(engine, "name", engine)
        if name not in loaded:
            loaded[name] = available()[name].load(threads=1)
        synthesizer = loaded[name]
        rate = synthesizer.sample_rate
        items.append(
            (segment, synthesizer.synthesize(
                segment.spoken, voice=voice.name, language=segment.language))
        )  # fmt: skip
    return items, rate, time.process_time() - began


def damaged(
    fault: Callable[[Item, Times, int, Item], np.ndarray | None],
    items: list[Item],
    rate: int,
    each: int,
    words_at: Callable[[int], Times],
) -> list[Item]:
    """Return up to `each` damaged segments."""
    made: list[Item] = []
    order = random.Random(11).sample(range(len(items)), len(items))
    for index in order:
        if len(made) == each:
            break
        segment, samples = items[index]
        other = items[(index + len(items) // 2) % len(items)]
        times = words_at(index)
        bad = fault((segment, samples), times, rate, other) if times else None
        if bad is not None:
            made.append((segment, bad))
    return made


def run(items: list[Item], rate: int, each: int, models: Path) -> dict[str, Any]:
    from provenance.listening.asr import Transcriber
    from voice.narration.checks import CheckReport, iter_checks
    from voice.narration.wording import words_of

    transcriber = Transcriber.load(SimpleNamespace(models=models), threads=1)
    seconds = sum(samples.size for _, samples in items) / rate
    began = time.process_time()
    clean = CheckReport.of(iter_checks(items, rate, transcriber), audio_seconds=seconds)
    cost = (time.process_time() - began) / seconds

    @cache
    def words_at(index: int) -> Times:
        segment, samples = items[index]
        heard = transcriber.transcribe(samples, rate, segment.language).words
        return [word for word in heard if words_of(word.text)]

    rows = {}
    for name, fault in FAULTS.items():
        bad = damaged(fault, items, rate, each, words_at)
        report = CheckReport.of(iter_checks(bad, rate, transcriber))
        wrong = sum(one.wrong for one in report.suspicious)
        rows[name] = {
            "segments": len(bad),
            "wrong": wrong,
            "unsure": len(report.suspicious) - wrong,
            "verdicts": report.verdicts,
            "passed": [
                segment.text
                for segment, _ in bad
                if segment.id not in {one.segment_id for one in report.suspicious}
            ],
        }
    return {
        "clean": clean.to_json(),
        "cpu_seconds_per_audio_second": round(cost, 4),
        "audio_seconds": round(seconds, 1),
        "faults": rows,
    }


def table(result: dict[str, Any]) -> str:
    clean = result["clean"]
    false = sum(count for verdict, count in clean["verdicts"].items() if verdict != "ok")
    lines = [
        f"Machine: {result['machine']}; voices {', '.join(result['voices'])}; one thread.",
        "",
        "| clean speech | |",
        "|---|---|",
        f"| segments (words, audio) | {clean['segments']} ({clean['words']}, "
        f"{result['audio_seconds'] / 60:.1f} min) |",
        f"| false alarms | {false} ({false / clean['segments']:.2%}) |",
        f"| heard again | {clean['heard_again']} |",
        f"| word error rate (tolerant) | {clean['wer']:.2%} ({clean['tolerant_wer']:.2%}) |",
        f"| CPU seconds per second of audio | {result['cpu_seconds_per_audio_second']:.3f} |",
        "",
        "| fault | segments | called wrong | unsure | passed |",
        "|---|---|---|---|---|",
    ]
    for name, row in result["faults"].items():
        passed = row["segments"] - row["wrong"] - row["unsure"]
        lines.append(
            f"| {name} | {row['segments']} | {row['wrong']} | {row['unsure']} | {passed} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("book", type=Path)
    parser.add_argument("--sentences", type=int, default=160)
    parser.add_argument("--each", type=int, default=20, help="damaged segments per fault")
    parser.add_argument("--voices", nargs="+", default=["kokoro:af_heart", "kokoro:bm_george"])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    from consent.home import Home

    items, rate, spent = render(options.book, options.sentences, options.voices)
    result = run(items, rate, options.each, Home.open().models)
    result |= {"machine": machine(), "voices": options.voices, "render_cpu_seconds": spent}
    print(table(result))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
