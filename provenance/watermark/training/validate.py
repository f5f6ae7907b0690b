"""How well it goes on speakers, languages and an engine that were never trained on."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from provenance.watermark.training import augment, network
from provenance.watermark.training.dataset import Dataset
from provenance.watermark.training.network import BITS, HOP, RATE

#: Name -> what is done to clips of shape (batch, 1, samples).
CONDITIONS = ("clean", "lowpass 4k", "highpass 500", "noise 20 dB", "telephone", "mp3 64k")


def disturbed(y: Tensor, condition: str, rng: np.random.Generator) -> Tensor:
    """Return `y` after one named condition."""
    frequency = augment.bins(y.shape[-1])
    if condition == "lowpass 4k":
        return augment.filtered(y, augment.band(frequency, None, 4000.0)[None])
    if condition == "highpass 500":
        return augment.filtered(y, augment.band(frequency, 500.0, None)[None])
    if condition.startswith("noise "):
        noise = torch.from_numpy(rng.standard_normal(y.shape).astype(np.float32))
        return augment.mixed(y, noise, float(condition.split()[1]))
    if condition == "telephone":  # 8 kHz and mu-law
        narrow = augment.filtered(y, augment.band(frequency, 200.0, 3500.0, 0.03)[None])
        return augment.mu_law(narrow)
    if condition == "resample 8k":
        return augment.filtered(y, augment.band(frequency, None, 3850.0, 0.02)[None])
    if condition == "reverb":
        rooms = [augment.room(rng, y.shape[-1]) for _ in range(y.shape[0])]
        return augment.filtered(y, torch.stack(rooms))
    name, _, rate = condition.partition(" ")
    if name in {"mp3", "aac", "opus"}:
        from provenance.watermark.training.codecs import transcode

        kbit = int(rate.removesuffix("k"))
        coded = [transcode(clip[0].numpy(), name, kbit) for clip in y]
        return torch.from_numpy(np.stack(coded))[:, None]
    if condition != "clean":
        raise ValueError(f"no condition is called {condition!r}")
    return y


def clips(data: Dataset, count: int, seconds: float, seed: int = 9) -> Tensor:
    """Return the same clips of held-out speech every time."""
    rng = np.random.default_rng(seed)
    drawn = data.draw(rng, count, round(seconds * RATE), split="validation", evenness=0.7)
    level = np.sqrt(np.mean(np.square(drawn), axis=1, keepdims=True))
    return torch.from_numpy(drawn * (0.06 / np.maximum(level, 1e-4)))[:, None].clamp(-1, 1)


@torch.no_grad()
def validate(
    generator: Any,
    detector: Any,
    data: Dataset,
    margin_db: float | None,
    *,
    count: int = 20,
    words: int = 4,
    word_s: float = 1.0,
    conditions: tuple[str, ...] = CONDITIONS,
) -> dict[str, Any]:
    """Mark and read held-out clips whose word changes every `word_s` seconds.

    Parameters
    ----------
    margin_db
        Level limit of the mark; None: as the generator makes it.

    Returns
    -------
    dict
        ``si_snr`` in dB, and for each condition: ``bits`` (share of right bits, one decision
        per word), ``words`` (share of words with all 16 right), ``tpr`` (marked words found at
        a threshold that 1 % of unmarked words of the same condition pass), ``seen`` and
        ``false`` (mean probability of being marked, marked and unmarked).
    """
    rng = np.random.default_rng(10)
    x = clips(data, count, words * word_s)
    message = torch.from_numpy(rng.integers(0, 2, (count, words, BITS)).astype(np.float32))
    frames = x.shape[-1] // HOP
    per_frame = message.repeat_interleave(frames // words, 1)
    mark = network.watermark(generator, x, per_frame)
    if margin_db is not None:
        mark, _ = network.limit(x, mark, margin_db)
    y = x + mark
    figures: dict[str, Any] = {"si_snr": round(float(si_snr(x, y).mean()), 2)}
    others = torch.cat(
        [
            x,
            *(
                torch.from_numpy(
                    data.draw(rng, count // 4, x.shape[-1], split="validation", kind=kind)
                )[:, None]
                for kind in ("noise", "music")
            ),
        ]
    )
    for condition in conditions:
        presence, bits = _read(detector, disturbed(y, condition, rng))
        unmarked, _ = _read(detector, disturbed(others, condition, rng))
        size = frames // words
        means = bits.unfold(2, size, size).mean(-1).transpose(1, 2)
        right = (means > 0) == (message > 0.5)
        found = torch.sigmoid(presence).unfold(1, size, size).mean(-1)
        taken = torch.sigmoid(unmarked).unfold(1, size, size).mean(-1)
        figures[condition] = {
            "bits": round(float(right.float().mean()), 4),
            "words": round(float(right.all(-1).float().mean()), 3),
            "tpr": round(float((found > taken.flatten().quantile(0.99)).float().mean()), 3),
            "seen": round(float(found.mean()), 3),
            "false": round(float(taken.mean()), 3),
            "false_noise": round(float(taken[count:].mean()), 3),
        }
    return figures


def _read(detector: Any, y: Tensor) -> tuple[Tensor, Tensor]:
    presence, bits = network.logits(detector, y)
    return network.frames(presence), network.frames(bits)


def si_snr(x: Tensor, y: Tensor) -> Tensor:
    """Return the scale-invariant SNR of `y` against `x`, in dB, for each clip."""
    scale = (x * y).sum(-1, keepdim=True) / x.square().sum(-1, keepdim=True).clamp(min=1e-9)
    target = scale * x
    ratio = target.square().sum(-1) / (y - target).square().sum(-1).clamp(min=1e-12)
    return 10 * torch.log10(ratio)
