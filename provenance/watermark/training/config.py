"""What a training run is told: the card, the optimiser, and the phases of the curriculum."""

from __future__ import annotations

import tomllib
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from consent.errors import InputError
from provenance.watermark.training.augment import Chances

CURRICULUM = Path(__file__).with_name("curriculum.toml")


@dataclass
class Phase:
    """A stretch of the curriculum.

    Attributes
    ----------
    name
        For the log.
    steps
        After so many it is over, whatever was reached.
    leave_at
        Over as soon as the bit accuracy per word stays above this and the level is at its
        final value; None: only by steps.
    marked, unmarked
        Clips of a batch that are marked (most of them not from end to end), and that are not.
    seconds
        Length of a clip.
    margin_from, margin_to
        How far the mark is below the sound in every cell of time and frequency, in dB, at the
        start and in the end (`margin_from` None: where the last phase ended).
    raise_at
        While bit accuracy per word is above this the level goes down, by `raise_db` at most
        every 25 steps.
    constant, unmarked_stretch, silence
        Chance that a clip keeps one word; has a stretch without mark; has a silent stretch.
    rate, final_rate
        Learning rate at the phase's start and, by a cosine, at its end.
    bits_weight, presence_weight, loud_weight
        Of the losses.
    settle
        Begin the phase from the running average of the weights.
    only
        What is trained: ``all``, the ``detector``, or its last layer, the ``head``.
    chances
        See :class:`provenance.watermark.training.augment.Chances`.
    """

    name: str
    steps: int
    leave_at: float | None = None
    marked: int = 8
    unmarked: int = 2
    seconds: float = 1.0
    margin_from: float | None = None
    margin_to: float = 0.0
    raise_at: float = 0.97
    raise_db: float = 0.25
    constant: float = 0.5
    unmarked_stretch: float = 0.3
    silence: float = 0.1
    rate: float = 5e-4
    final_rate: float = 5e-4
    bits_weight: float = 1.0
    presence_weight: float = 0.5
    loud_weight: float = 0.1
    settle: bool = False
    only: str = "all"
    chances: Chances = field(default_factory=Chances)


@dataclass
class Config:
    """A whole run.

    Attributes
    ----------
    seed
        Of everything drawn by chance.
    threads
        Of PyTorch.
    n_filters, dimension, lstm
        Of the card.
    relearn, head
        After a start from other weights: see
        :func:`provenance.watermark.training.network.relearn_bits`.
    warm_up
        Steps over which the learning rate rises from zero, after every start without an
        optimiser's state.
    average
        Decay of the running average of the weights, which is what gets exported.
    log_every, validate_every, save_every
        In steps.
    """

    phases: list[Phase]
    seed: int = 1
    threads: int = 1
    n_filters: int = 8
    dimension: int = 32
    lstm: int = 1
    relearn: list[int] = field(default_factory=list)
    head: float = 1.0
    warm_up: int = 100
    weight_decay: float = 0.01
    clip: float = 1.0
    average: float = 0.998
    log_every: int = 20
    validate_every: int = 500
    save_every: int = 250

    @classmethod
    def load(cls, path: Path = CURRICULUM) -> Config:
        """Read a TOML file with the fields of this class and ``[[phases]]``.

        Raises
        ------
        InputError
            It is missing, not TOML, or names something unknown.
        """
        try:
            data = tomllib.loads(path.read_text("utf-8"))
        except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
            raise InputError(f"{path} is not a curriculum: {exc}") from exc
        return cls.from_json(data, str(path))

    @classmethod
    def from_json(cls, data: dict[str, Any], name: str = "the curriculum") -> Config:
        """Build from plain data, as :meth:`load` and :meth:`to_json` give it."""
        try:
            rows = [dict(row) for row in data["phases"]]
            chances = [_known(Chances, row.pop("chances", {}), name) for row in rows]
            phases = [
                Phase(**_known(Phase, row, name), chances=Chances(**chance))
                for row, chance in zip(rows, chances, strict=True)
            ]
            rest = {key: value for key, value in data.items() if key != "phases"}
            config = cls(phases=phases, **_known(cls, rest, name))
        except (KeyError, TypeError) as exc:
            raise InputError(f"{name} is not a curriculum: {exc}") from exc
        if not config.phases:
            raise InputError(f"{name} has no phase")
        for phase in config.phases:
            if phase.only not in {"all", "detector", "head"}:
                raise InputError(f"{name}: only = {phase.only!r}; give all, detector or head")
        return config

    def to_json(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self)


def _known(cls: type, data: dict[str, Any], name: str) -> dict[str, Any]:
    unknown = set(data) - {field.name for field in fields(cls)}
    if unknown:
        raise InputError(f"{name} names an unknown setting: {', '.join(sorted(unknown))}")
    return data
