"""The training loop.

Everything drawn by chance comes from one NumPy generator whose state is part of the
checkpoint, so that a run that was cut and resumed takes the very steps it would have taken.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from consent.errors import InputError, ModelError
from provenance.watermark.training import checkpoint, handmade, losses, network
from provenance.watermark.training.augment import Augmenter
from provenance.watermark.training.config import Config, Phase
from provenance.watermark.training.dataset import Dataset
from provenance.watermark.training.network import BITS, HOP, RATE

STATE = "state.pt"
LOG = "log.jsonl"
_CONTROL_EVERY = 25
_SETTLED = 0.98  # decay of the running accuracies
_AUDIBLE = 0.03  # of the clip's own level: quieter stretches need not answer for the mark


@dataclass
class Batch:
    """What one step works on.

    Attributes
    ----------
    sound : Tensor, shape (clips, 1, samples)
        The first `marked` clips are to be marked.
    words : Tensor, shape (marked, frames, 16)
    word : Tensor of int64, shape (marked, frames)
        Number of the word.
    mask : Tensor, shape (clips, samples)
        1 where the mark is added.
    """

    sound: Tensor
    words: Tensor
    word: Tensor
    mask: Tensor

    @property
    def marked(self) -> int:
        """Number of clips that carry a mark."""
        return self.words.shape[0]


class Trainer:
    """A run: its networks, optimiser, place in the curriculum and chance.

    Parameters
    ----------
    config, data
        What to train and on what.
    folder
        Where checkpoint and log go.
    """

    def __init__(self, config: Config, data: Dataset, folder: Path) -> None:
        torch.set_num_threads(config.threads)
        torch.manual_seed(config.seed)
        self.config = config
        self.data = data
        self.folder = folder
        self.rng = np.random.default_rng(config.seed)
        self.card = network.card(
            n_filters=config.n_filters, dimension=config.dimension, lstm=config.lstm
        )
        self.generator, self.detector = network.build(self.card)
        self.step = 0
        self.phase = 0
        self.phase_step = 0
        first = config.phases[0]
        self.margin_db = first.margin_to if first.margin_from is None else first.margin_from
        self.warm_from = 0
        self.accuracy = torch.full((BITS,), 0.5)
        self._begin()

    def _begin(self) -> None:
        """Make what depends on the weights: optimiser and running average."""
        table = [self.generator.msg_processor.msg_processor.weight]
        rest = [p for p in self._parameters() if p is not table[0]]
        self.optimiser = torch.optim.AdamW(
            [{"params": rest, "scale": 1.0}, {"params": table, "scale": 4.0, "weight_decay": 0.0}],
            lr=1e-4,
            weight_decay=self.config.weight_decay,
        )
        self.average = [p.detach().clone() for p in self._parameters()]

    def _parameters(self) -> list[Tensor]:
        return [*self.generator.parameters(), *self.detector.parameters()]

    # Where to start -------------------------------------------------------------------------

    def start_loud(self) -> None:
        """Prepare a cold start."""
        network.make_loud(self.generator)
        self._begin()

    def start_by_hand(self) -> None:
        """Start from :mod:`provenance.watermark.training.handmade`'s code of tones.

        Raises
        ------
        InputError
            The card is another than the one it is made for.
        """
        try:
            handmade.lay_out(self.generator, self.detector)
        except ValueError as exc:
            raise InputError(str(exc)) from exc
        self._begin()

    def start_from(self, weights: Path) -> None:
        """Take ``{"generator", "detector"}`` weights of the same card as the start.

        Raises
        ------
        ModelError
            The file is missing or does not fit.
        """
        try:
            found = torch.load(weights, weights_only=True)
            self.generator.load_state_dict(found["generator"])
            self.detector.load_state_dict(found["detector"])
        except (OSError, RuntimeError, KeyError, TypeError, ValueError) as exc:
            raise ModelError(f"{weights} does not fit as a start: {exc}") from exc
        network.relearn_bits(self.generator, self.detector, self.config.relearn,
                             head=self.config.head)  # fmt: skip
        self._begin()

    def resume(self) -> None:
        """Go on from the checkpoint in the folder.

        If the curriculum changed since, the place in it stays: phase, step in it, and level.
        """
        state = checkpoint.load(self.folder / STATE)
        try:
            self.generator.load_state_dict(state["generator"])
            self.detector.load_state_dict(state["detector"])
            self._begin()
            self.optimiser.load_state_dict(state["optimiser"])
            self.average = list(state["average"])
            self.accuracy = state["accuracy"]
        except (RuntimeError, KeyError, ValueError) as exc:
            raise ModelError(f"{self.folder / STATE} does not fit the card: {exc}") from exc
        place = json.loads(state["place"])
        self.step, self.phase, self.phase_step = place["step"], place["phase"], place["phase_step"]
        self.margin_db, self.warm_from = place["margin_db"], place["warm_from"]
        self.phase = min(self.phase, len(self.config.phases) - 1)
        self.rng.bit_generator.state = place["chance"]

    def settle(self) -> None:
        """Go on from the running average of the weights, which is ahead of the weights."""
        with torch.no_grad():
            for parameter, value in zip(self._parameters(), self.average, strict=True):
                parameter.copy_(value)

    def save(self) -> None:
        """Write the checkpoint."""
        place = {
            "step": self.step,
            "phase": self.phase,
            "phase_step": self.phase_step,
            "margin_db": self.margin_db,
            "warm_from": self.warm_from,
            "chance": self.rng.bit_generator.state,
        }
        state = {
            "generator": self.generator.state_dict(),
            "detector": self.detector.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "average": self.average,
            "accuracy": self.accuracy,
            "place": json.dumps(place),
            "config": json.dumps(self.config.to_json()),
        }
        checkpoint.save(state, self.folder / STATE)

    # One step -------------------------------------------------------------------------------

    def draw(self, phase: Phase) -> Batch:
        """Draw clips, words, and where the mark goes."""
        rng = self.rng
        count = round(phase.seconds * RATE / HOP) * HOP
        marked, total = phase.marked, phase.marked + phase.unmarked
        sound = self.data.draw(rng, total, count)
        for row in range(marked, total):
            if rng.random() < 0.5:
                kind = "noise" if rng.random() < 0.6 else "music"
                sound[row] = self.data.draw(rng, 1, count, kind=kind)[0]
        sound *= 10 ** (rng.uniform(-12, 6, (total, 1)) / 20).astype(np.float32)
        mask = np.zeros((total, count), np.float32)
        mask[:marked] = 1
        word = np.zeros((marked, count // HOP), np.int64)
        for row in range(marked):
            if rng.random() < phase.unmarked_stretch:
                start, length = _stretch(rng, count, 0.3, 0.7)
                mask[row, start : start + length] = 0
            if rng.random() >= phase.constant:
                start = int(rng.integers(5, 50))
                while start < word.shape[1]:
                    word[row, start:] += 1
                    start += int(rng.integers(25, 51))
        for row in range(total):
            if rng.random() < phase.silence:
                start, length = _stretch(rng, count, 0.15, 0.5)
                faint = 0.0 if rng.random() < 0.5 else 10 ** rng.uniform(-5, -3.3)
                sound[row, start : start + length] = faint * rng.standard_normal(length)
        table = rng.integers(0, 2, (marked, int(word.max(initial=0)) + 1, BITS))
        words = table[np.arange(marked)[:, None], word].astype(np.float32)
        return Batch(
            torch.from_numpy(np.clip(sound, -1, 1))[:, None],
            torch.from_numpy(words),
            torch.from_numpy(word),
            torch.from_numpy(mask),
        )

    def forward(self, batch: Batch, phase: Phase, augmenter: Augmenter) -> dict[str, Tensor]:
        """Mark, disturb, read; return the losses and measures."""
        marked = batch.marked
        x = batch.sound[:marked]
        raw = network.watermark(self.generator, x, batch.words)
        mark, excess = network.limit(x, raw, self.margin_db)
        y = torch.cat([x + mark * batch.mask[:marked, None], batch.sound[marked:]])
        y, ratio = augmenter.speed(y, phase.chances)
        y = augmenter(y, phase.chances)
        shift = int(self.rng.integers(0, HOP))
        presence, bits = network.logits(self.detector, y[..., shift:])

        # Where each frame that was read lies in the sound as it was marked.
        count = batch.sound.shape[-1]
        seen = network.frames(bits).transpose(1, 2)[:marked]
        centre = ((torch.arange(seen.shape[1]) * HOP + HOP // 2 + shift) / ratio).long()
        centre = centre.clamp(max=count - 1)
        fine = network.frames(presence, HOP // 4)
        fine_centre = ((torch.arange(fine.shape[1]) * HOP // 4 + HOP // 8 + shift) / ratio).long()
        fine_centre = fine_centre.clamp(max=count - 1)
        with torch.no_grad():
            loud = network.level(batch.sound)[:, 0]
            own = batch.sound.square().mean(-1).sqrt()
            heard = (loud / (own * _AUDIBLE + 1e-5)).clamp(max=1)
            in_mask = batch.mask[:, fine_centre]
            # What is too quiet to carry a mark need not be called marked; but silence is not.
            weight = torch.where(in_mask > 0, (heard[:, fine_centre] >= 1).float(), 1.0)
            frame = centre // HOP
            words, word = batch.words[:, frame], batch.word[:, frame]
            use = batch.mask[:marked, centre] * (0.1 + 0.9 * heard[:marked, centre])
            learned = self.accuracy
            of_bit = 1 + 8 * (1 - learned).clamp(0, 0.5)
            of_bit = of_bit / of_bit.mean()
        means, size = losses.word_means(seen, word, use)
        targets, _ = losses.word_means(words, word, torch.ones_like(use))
        enough = (size > 10).float()
        parts = {
            "presence": losses.presence(fine, in_mask, weight),
            "bits": losses.message(seen, words, use, of_bit),
            "words": losses.message(means * 3, targets.round(), enough, of_bit),
            "loud": losses.too_loud(excess),
        }
        parts["total"] = (
            phase.presence_weight * parts["presence"]
            + phase.bits_weight * (parts["bits"] + parts["words"])
            + phase.loud_weight * parts["loud"]
        )
        with torch.no_grad():
            right = ((means > 0) == (targets > 0.5)).float() * enough[..., None]
            parts["right"] = right.sum((0, 1)) / enough.sum().clamp(min=1)
            parts["snr"] = -20 * torch.log10(mark.norm() / x.norm().clamp(min=1e-6))
            parts["raw_snr"] = -20 * torch.log10(raw.norm() / x.norm().clamp(min=1e-6))
            parts["seen"] = (torch.sigmoid(fine) * in_mask * weight).sum() / (
                in_mask * weight
            ).sum().clamp(min=1)
            parts["false"] = torch.sigmoid(fine)[in_mask == 0].mean()
        return parts

    def advance(self, augmenter: Augmenter) -> dict[str, Tensor]:
        """Take one step."""
        phase = self.config.phases[self.phase]
        head = set(self.detector.detector[1].parameters())
        for parameter in self.generator.parameters():
            parameter.requires_grad_(phase.only == "all")
        for parameter in self.detector.parameters():
            parameter.requires_grad_(phase.only != "head" or parameter in head)
        parts = self.forward(self.draw(phase), phase, augmenter)
        self.optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(parts["total"])
        norm = torch.nn.utils.clip_grad_norm_(self._parameters(), self.config.clip)
        turn = 0.5 * (1 + math.cos(math.pi * min(1.0, self.phase_step / max(1, phase.steps))))
        rate = phase.final_rate + (phase.rate - phase.final_rate) * turn
        rate *= min(1.0, (self.step - self.warm_from + 1) / max(1, self.config.warm_up))
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["scale"]
        if torch.isfinite(norm):
            self.optimiser.step()
        decay = min(self.config.average, (self.step + 1) / (self.step + 10))
        with torch.no_grad():
            torch._foreach_lerp_(self.average, self._parameters(), 1 - decay)
            self.accuracy.lerp_(parts["right"], 1 - _SETTLED)
        self.step += 1
        self.phase_step += 1
        self._steer(phase)
        parts["norm"] = norm
        return parts

    def _steer(self, phase: Phase) -> None:
        """Lower the mark, or go on to the next phase, when accuracy allows."""
        mean = float(self.accuracy.mean())
        if self.step % _CONTROL_EVERY == 0 and mean > phase.raise_at:
            self.margin_db = min(
                max(phase.margin_to, self.margin_db), self.margin_db + phase.raise_db
            )
        done = (
            phase.leave_at is not None
            and mean > phase.leave_at
            and self.margin_db >= phase.margin_to
        )
        if (done or self.phase_step >= phase.steps) and self.phase + 1 < len(self.config.phases):
            self.phase += 1
            self.phase_step = 0
            following = self.config.phases[self.phase]
            self.margin_db = (
                self.margin_db if following.margin_from is None else following.margin_from
            )
            if following.settle:
                self.settle()

    @property
    def finished(self) -> bool:
        """Whether the last phase is over."""
        last = len(self.config.phases) - 1
        return self.phase == last and self.phase_step >= self.config.phases[last].steps

    # The run --------------------------------------------------------------------------------

    def run(
        self,
        *,
        seconds: float = math.inf,
        steps: int | None = None,
        tell: Callable[[str], None] = print,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        """Train until the curriculum, `seconds` or `steps` are over, or `stop` says so.

        The checkpoint is written every few minutes and at the end.
        """
        from provenance.watermark.training.validate import validate

        augmenter = Augmenter(
            self.rng,
            lambda count, length: self.data.draw(self.rng, count, length, kind="noise"),
            lambda count, length: self.data.draw(self.rng, count, length, kind="music"),
        )
        begun = time.monotonic()
        until = None if steps is None else self.step + steps
        marked_time, marked_step = begun, self.step
        self._log({"step": self.step, "config": self.config.to_json()}, lambda _: None)
        while not self.finished and time.monotonic() - begun < seconds and self.step != until:
            if stop():
                break
            parts = self.advance(augmenter)
            if self.step % self.config.log_every == 0:
                now = time.monotonic()
                line = {
                    "step": self.step,
                    "phase": self.config.phases[self.phase].name,
                    "margin_db": round(self.margin_db, 2),
                    "accuracy": round(float(self.accuracy.mean()), 4),
                    "worst_bit": round(float(self.accuracy.min()), 3),
                    **{k: round(v.item(), 4) for k, v in parts.items() if v.ndim == 0},
                    "s_per_step": round((now - marked_time) / (self.step - marked_step), 3),
                }
                marked_time, marked_step = now, self.step
                self._log(line, tell)
            if self.step % self.config.validate_every == 0:
                with self.averaged():
                    figures = validate(self.generator, self.detector, self.data, self.margin_db)
                self._log({"step": self.step, "validation": figures}, tell)
                marked_time, marked_step = time.monotonic(), self.step
            if self.step % self.config.save_every == 0:
                self.save()
        self.save()

    def averaged(self) -> _Averaged:
        """Return a context in which the networks hold the running average of their weights."""
        return _Averaged(self._parameters(), self.average)

    def _log(self, line: dict[str, Any], tell: Callable[[str], None]) -> None:
        text = json.dumps(line)
        with (self.folder / LOG).open("a", encoding="utf-8") as stream:
            stream.write(text + "\n")
        tell(text)


class _Averaged:
    def __init__(self, parameters: list[Tensor], average: list[Tensor]) -> None:
        self.parameters = parameters
        self.average = average

    def __enter__(self) -> None:
        self.kept = [p.detach().clone() for p in self.parameters]
        self._put(self.average)

    def __exit__(self, *_: object) -> None:
        self._put(self.kept)

    def _put(self, values: list[Tensor]) -> None:
        with torch.no_grad():
            for parameter, value in zip(self.parameters, values, strict=True):
                parameter.copy_(value)


def _stretch(
    rng: np.random.Generator, count: int, shortest_s: float, share: float
) -> tuple[int, int]:
    """Return (start, length) of a random stretch of at most `share` of `count` samples."""
    longest = max(2, int(count * share))
    length = int(rng.integers(min(longest - 1, int(shortest_s * RATE)), longest))
    return int(rng.integers(0, count - length + 1)), length
