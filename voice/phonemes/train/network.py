"""Train the network that pronounces words no lexicon holds.

Two bidirectional GRU layers read the letters; a third GRU goes over them once more, letter by
letter, and chooses for each the phonemes it stands for, knowing those it chose before. One
network serves both accents. Words are held out in families (by their first five letters), so
that an inflected form of a training word does not count as unseen.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from voice.phonemes.lexicon import read_entries
from voice.phonemes.network import LETTERS, STYLES, spelled
from voice.phonemes.train.align import Aligner, units
from voice.phonemes.train.families import held_out

RAREST_CHUNK = 8


@dataclass(frozen=True, slots=True)
class Example:
    """A word to learn; `style` is its accent and whether it is a name."""

    word: str
    phonemes: str
    style: str
    gold: bool


def examples() -> list[Example]:
    """Return the words of both lexicons that are spelled with letters alone."""
    result = []
    for accent in ("us", "gb"):
        seen: set[str] = set()
        for gold in (True, False):
            for word, entry in read_entries(accent, gold=gold).items():
                phonemes = entry if isinstance(entry, str) else entry["DEFAULT"]
                letters = spelled(word)
                if not phonemes or not word.isalpha() or len(word) < 3 or letters in seen:
                    continue
                if word.isupper() or len(letters) != len(word):
                    continue
                seen.add(letters)
                style = f"{accent}-name" if word[0].isupper() else accent
                result.append(Example(letters, phonemes, style, gold))
    return result


class Reader(nn.Module):
    """Letters and style to the scores of chunks of phonemes."""

    def __init__(self, chunks: int, *, hidden: int = 128, decoder: int = 192) -> None:
        super().__init__()
        self.letter = nn.Embedding(len(LETTERS) + 1, 64)
        self.style = nn.Embedding(len(STYLES), 64)
        self.encoder = nn.GRU(64, hidden, 2, bidirectional=True, batch_first=True, dropout=0.15)
        self.previous = nn.Embedding(chunks + 1, 64)
        self.decoder = nn.GRU(2 * hidden + 64, decoder, batch_first=True)
        self.dropout = nn.Dropout(0.15)
        self.output = nn.Linear(decoder, chunks)

    def forward(self, letters: Tensor, styles: Tensor, previous: Tensor) -> Tensor:
        """Score the chunks of every letter.

        Parameters
        ----------
        letters, previous
            Shape (batch, length), int64; `previous` is the chunk chosen for the letter before.
        styles
            Shape (batch,), int64.

        Returns
        -------
        Tensor, shape (batch, length, chunks)
        """
        embedded = self.letter(letters) + self.style(styles)[:, None]
        encoded, _ = self.encoder(self.dropout(embedded))
        decoded, _ = self.decoder(torch.cat([self.dropout(encoded), self.previous(previous)], -1))
        scores: Tensor = self.output(self.dropout(decoded))
        return scores


Batch = tuple[Tensor, Tensor, Tensor, Tensor]


def batches(
    rows: list[tuple[NDArray[np.int64], int, NDArray[np.int64]]],
    chunks: int,
    size: int,
    rng: np.random.Generator,
) -> Iterator[Batch]:
    """Yield batches of words of one length, in random order."""
    order = rng.permutation(len(rows))
    order = order[np.argsort([len(rows[i][0]) for i in order], kind="stable")]
    groups: list[list[int]] = []
    for i in order:
        if groups and len(groups[-1]) < size and len(rows[groups[-1][0]][0]) == len(rows[i][0]):
            groups[-1].append(i)
        else:
            groups.append([i])
    for g in rng.permutation(len(groups)):
        picked = [rows[i] for i in groups[g]]
        targets = np.stack([row[2] for row in picked])
        before = np.full_like(targets, chunks)
        before[:, 1:] = targets[:, :-1]
        yield (
            torch.from_numpy(np.stack([row[0] for row in picked])),
            torch.tensor([row[1] for row in picked]),
            torch.from_numpy(before),
            torch.from_numpy(targets),
        )


def prepare(
    folder: Path,
) -> tuple[list[str], list[tuple[NDArray[np.int64], int, NDArray[np.int64]]]]:
    """Align the training words; return the chunks and (letters, style, chunk ids) rows."""
    everything = [example for example in examples() if not held_out(example.word)]
    rng = np.random.default_rng(7)
    sample = rng.choice(len(everything), 30_000, replace=False)
    aligner = Aligner.fit((everything[i].word, everything[i].phonemes) for i in sample)
    aligned = [
        (example, result)
        for example in everything
        if (result := aligner.align(example.word, units(example.phonemes))) is not None
    ]
    counts = Counter(chunk for _, result in aligned for chunk in result)
    chunks = sorted(chunk for chunk, count in counts.items() if count >= RAREST_CHUNK)
    number = {chunk: i for i, chunk in enumerate(chunks)}
    rows = [
        (
            np.array([LETTERS.index(c) for c in example.word]),
            STYLES.index(example.style),
            np.array([number[chunk] for chunk in result]),
        )
        for example, result in aligned
        if all(chunk in number for chunk in result)
    ]
    (folder / "chunks.json").write_text(json.dumps(chunks, ensure_ascii=False), "utf-8")
    return chunks, rows


def train(folder: Path, *, epochs: int = 5, seconds: float = 1e9, size: int = 256) -> Path | None:
    """Train, resuming from `folder`; return the finished weights' path.

    Stops after `seconds` with the state saved and returns None, so that a busy machine can be
    given back between rounds.
    """
    torch.manual_seed(7)
    started = time.monotonic()
    state_path = folder / "state.pt"
    cache = folder / "rows.pt"
    if cache.exists():
        chunks, rows = torch.load(cache, weights_only=False)
    else:
        chunks, rows = prepare(folder)
        torch.save((chunks, rows), cache)
    print(
        f"{len(rows)} words, {len(chunks)} chunks, {time.monotonic() - started:.0f} s", flush=True
    )
    model = Reader(len(chunks))
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.01)
    steps = epochs * sum(1 for _ in batches(rows, len(chunks), size, np.random.default_rng(0)))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=steps + 10)
    done = 0
    if state_path.exists():
        state = torch.load(state_path, weights_only=False)
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        schedule.load_state_dict(state["schedule"])
        done = state["done"]
    loss_of = nn.CrossEntropyLoss(label_smoothing=0.02)
    seen, mean = 0, 0.0
    for epoch in range(epochs):
        for letters, styles, before, targets in batches(
            rows, len(chunks), size, np.random.default_rng(epoch)
        ):
            seen += 1
            if seen <= done:
                continue
            loss = loss_of(model(letters, styles, before).flatten(0, 1), targets.flatten())
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            mean = 0.99 * mean + 0.01 * loss.item() if mean else loss.item()
            if seen % 100 == 0:
                print(
                    f"{seen}/{steps} loss {mean:.4f} {time.monotonic() - started:.0f} s", flush=True
                )
                if time.monotonic() - started > seconds:
                    torch.save(
                        {
                            "model": model.state_dict(),
                            "optimiser": optimiser.state_dict(),
                            "schedule": schedule.state_dict(),
                            "done": seen,
                        },
                        state_path,
                    )
                    return None
    return export(model, chunks, folder / "network.npz")


def export(model: Reader, chunks: list[str], path: Path) -> Path:
    """Write the weights in half precision with the names the numpy reader knows."""
    arrays = {
        name: tensor.detach().numpy().astype(np.float16)
        for name, tensor in model.state_dict().items()
    }
    text = np.frombuffer("\n".join(chunks).encode(), dtype=np.uint8)
    np.savez_compressed(path, chunks=text, **arrays)
    return path
