"""Train the tagger from text that was tagged before (an averaged perceptron).

The input has a token a line, ``word<TAB>Penn tag``, and an empty line between paragraphs; any
tagged corpus or the output of a larger tagger will do.
"""

from __future__ import annotations

import gzip
import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

from voice.phonemes.tagger import TAGS, features, merged

RARE = 3
FREQUENT = 40

Paragraph = tuple[list[str], list[str]]


def read_tagged(path: Path) -> list[Paragraph]:
    """Read the paragraphs of a tagged file, contractions joined to their word."""
    paragraphs: list[Paragraph] = []
    words: list[str] = []
    tags: list[str] = []
    for line in [*path.read_text("utf-8").split("\n"), ""]:
        if not line:
            if words:
                paragraphs.append((words, tags))
            words, tags = [], []
            continue
        word, tag = line.split("\t")[:2]
        if words and word.lower() in {"n't", "'s", "'ll", "'re", "'ve", "'d", "'m"}:
            words[-1] += word
            continue
        words.append({"--": "—", "-": "—", "...": "…"}.get(word, word))
        tags.append(merged(tag))
    return paragraphs


def usual_tags(paragraphs: Iterable[Paragraph]) -> dict[str, str]:
    """Return the most frequent tag of each frequent word."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for words, tags in paragraphs:
        for word, tag in zip(words, tags, strict=True):
            counts[word.lower()][tag] += 1
    return {
        word: found.most_common(1)[0][0]
        for word, found in counts.items()
        if found.total() >= FREQUENT
    }


def train(
    paragraphs: list[Paragraph], *, rounds: int = 5, focus: frozenset[str]
) -> dict[str, object]:
    """Return the model as it is stored.

    Parameters
    ----------
    focus
        Words that will be asked for; others are learnt from one time in four.
    """
    rng = random.Random(7)
    usual = usual_tags(paragraphs)
    rows = []
    seen: Counter[str] = Counter()
    for words, tags in paragraphs:
        for i, tag in enumerate(tags):
            if words[i].lower() in focus or (words[i].isalpha() and rng.random() < 0.25):
                row = tuple(features(words, i, usual))
                rows.append((row, TAGS.index(tag)))
                seen.update(row)
    rows = [(tuple(f for f in row if seen[f] >= RARE), tag) for row, tag in rows]
    weights: defaultdict[str, list[int]] = defaultdict(lambda: [0] * len(TAGS))
    sums: defaultdict[str, list[int]] = defaultdict(lambda: [0] * len(TAGS))
    now = 0
    for number in range(rounds):
        rng.shuffle(rows)
        wrong = 0
        for row, right in rows:
            now += 1
            totals = [0] * len(TAGS)
            for feature in row:
                if feature in weights:
                    for i, value in enumerate(weights[feature]):
                        totals[i] += value
            guess = totals.index(max(totals))
            if guess == right:
                continue
            wrong += 1
            for feature in row:
                weight, total = weights[feature], sums[feature]
                weight[right] += 1
                weight[guess] -= 1
                total[right] += now
                total[guess] -= now
        print(f"round {number + 1}: {wrong / len(rows):.4f} of {len(rows)} wrong", flush=True)
    packed = {}
    for feature, weight in weights.items():
        averages = [10 * (w - s / now) for w, s in zip(weight, sums[feature], strict=True)]
        row_text = "".join(
            f"{chr(97 + i)}{round(value)}" for i, value in enumerate(averages) if abs(value) >= 4
        )
        if row_text:
            packed[feature] = row_text
    return {"usual": usual, "weights": packed}


def save(model: dict[str, object], path: Path) -> None:
    """Write the model, compressed."""
    text = json.dumps(model, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
