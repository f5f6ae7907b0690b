"""From a training run to what ships: two fp16 checkpoints, a model card, a digest of the log."""

from __future__ import annotations

import hashlib
import io
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from consent.errors import InputError, ModelError
from consent.files import write_atomic
from provenance.watermark.training import checkpoint, network
from provenance.watermark.training.dataset import Dataset
from provenance.watermark.training.trainer import LOG, STATE

GENERATOR = "generator.pth"
DETECTOR = "detector.pth"
CARD = "MODEL_CARD.md"
TRAINING_LOG = "training-log.json"

#: What the model card measures.
MEASURED = (
    "clean", "lowpass 4k", "highpass 500", "noise 30 dB", "noise 20 dB", "noise 10 dB",
    "resample 8k", "telephone", "reverb", "mp3 128k", "mp3 64k", "mp3 32k", "aac 64k", "opus 24k",
)  # fmt: skip


def networks(state: dict[str, Any]) -> tuple[Any, Any]:
    """Return (generator, detector) with the averaged weights of a run's checkpoint."""
    import torch

    from provenance.watermark.training.config import Config

    config = Config.from_json(json.loads(state["config"]))
    card = network.card(n_filters=config.n_filters, dimension=config.dimension, lstm=config.lstm)
    generator, detector = network.build(card)
    with torch.no_grad():
        parameters = [*generator.parameters(), *detector.parameters()]
        try:
            for parameter, value in zip(parameters, state["average"], strict=True):
                parameter.copy_(value)
        except (ValueError, RuntimeError) as exc:
            raise ModelError(f"the checkpoint does not fit its own card: {exc}") from exc
    return generator.eval(), detector.eval()


def write(model: Any, seanet: dict[str, Any], path: Path, margin_db: float | None = None) -> str:
    """Write one network in half precision, as ``AudioSeal.load_...`` opens it; return its sha256.

    The file is audioseal's own form: ``{"xp.cfg": card, "model": weights}``. The card also says
    `margin_db`, the limit the pair was trained with, which audioseal passes over.
    """
    import torch

    # audioseal's loader expects the names its models had before they became scriptable.
    weights = {
        name.replace("inner_conv.", ""): value.half() for name, value in model.state_dict().items()
    }
    settings = {
        "nbits": network.BITS,
        "seanet": {**seanet},
        "decoder": {
            "final_activation": None,
            "final_activation_params": None,
            "trim_right_ratio": 1.0,
        },
        "detector": {"output_dim": 32},
        "margin_db": margin_db,
    }
    buffer = io.BytesIO()
    torch.save({"xp.cfg": settings, "model": weights}, buffer)
    write_atomic(path, buffer.getvalue())
    return hashlib.sha256(buffer.getvalue()).hexdigest()


def export(
    run: Path,
    data: Dataset,
    folder: Path,
    *,
    margin_db: float,
    count: int = 60,
    notes: str = "",
    conditions: tuple[str, ...] = MEASURED,
) -> dict[str, Any]:
    """Write weights, card and log of the run in `run` to `folder`; return the figures.

    Parameters
    ----------
    margin_db
        The level limit to measure with: how far the mark stays below the sound.
    count
        Clips of 4 s to measure on.
    notes
        Markdown for the card: what the figures do not say.
    conditions
        What to measure under; see :func:`provenance.watermark.training.validate.disturbed`.

    Raises
    ------
    InputError
        There is no log.
    ModelError
        There is no checkpoint, or it is damaged.
    """
    from audioseal.loader import AudioSeal

    from provenance.watermark.training.validate import validate

    state = checkpoint.load(run / STATE)
    log = run / LOG
    if not log.is_file():
        raise InputError(f"{log} is missing: the log is part of what ships")
    config = json.loads(state["config"])
    seanet = network.card(
        n_filters=config["n_filters"], dimension=config["dimension"], lstm=config["lstm"]
    )
    folder.mkdir(parents=True, exist_ok=True)
    digests = {
        name: write(model, seanet, folder / name, margin_db)
        for name, model in zip((GENERATOR, DETECTOR), networks(state), strict=True)
    }
    # Measured is what was written, as others will open it.
    generator = AudioSeal.load_generator(str(folder / GENERATOR)).eval()
    detector = AudioSeal.load_detector(str(folder / DETECTOR)).eval()
    figures = {
        f"{word_s:g} s": validate(
            generator,
            detector,
            data,
            margin_db,
            count=count,
            words=round(4 / word_s),
            word_s=word_s,
            conditions=conditions,
        )
        for word_s in (0.5, 1.0, 4.0)
    }
    figures["no limit"] = validate(
        generator, detector, data, None, count=count, conditions=("clean",)
    )
    place = json.loads(state["place"])
    del place["chance"]
    summary = {
        "weights": digests,
        "log_sha256": hashlib.sha256(log.read_bytes()).hexdigest(),
        "place": place,
        "config": config,
        "clips": count,
        "figures": figures,
        "log": compact(log),
    }
    write_atomic(folder / TRAINING_LOG, json.dumps(summary, indent=1).encode())
    write_atomic(folder / CARD, model_card(summary, data, margin_db, notes).encode())
    return figures


def compact(log: Path, every: int = 500) -> list[dict[str, Any]]:
    """Return every validation of a log and the mean of its losses over `every` steps."""
    rows: list[dict[str, Any]] = []
    sums: dict[str, list[float]] = defaultdict(list)
    for line in log.read_text("utf-8").splitlines():
        entry = json.loads(line)
        if "validation" in entry:
            rows.append(entry)
        if "validation" in entry or "config" in entry:
            continue
        for key, value in entry.items():
            if isinstance(value, int | float) and key != "step":
                sums[key].append(value)
        if entry["step"] % every == 0:
            means = {key: round(sum(v) / len(v), 4) for key, v in sums.items()}
            rows.append({"step": entry["step"], "phase": entry["phase"], **means})
            sums.clear()
    return rows


def model_card(summary: dict[str, Any], data: Dataset, margin_db: float, notes: str) -> str:
    """Return the card in Markdown: data, training, figures on held-out speech, limits."""
    config, figures = summary["config"], summary["figures"]
    hours: dict[tuple[str, str], float] = defaultdict(float)
    languages: dict[str, set[str]] = defaultdict(set)
    for entry in data.entries:
        hours[entry.split, entry.kind] += entry.length / network.RATE / 3600
        if entry.kind == "speech":
            languages[entry.split].add(entry.language)
    lines = [
        "# A compact AudioSeal: model card",
        "",
        f"Two networks of the AudioSeal architecture (n_filters {config['n_filters']}, dimension "
        f"{config['dimension']}, {config['lstm']} LSTM layer, 16 bits, 16 kHz), half precision. "
        "Trained by `python -m provenance.watermark.training`; they open with "
        "`AudioSeal.load_generator` and `AudioSeal.load_detector`.",
        "",
        "| file | sha256 |",
        "|---|---|",
        *(f"| {name} | `{digest}` |" for name, digest in summary["weights"].items()),
        "",
        "## Trained on",
        f"{summary['place']['step']} steps on {hours['train', 'speech']:.1f} h of speech by "
        f"{len(data.speakers('train'))} voices ({', '.join(sorted(languages['train']))}), "
        f"and noise and music made in code. Held out, and measured below: "
        f"{hours['validation', 'speech']:.1f} h by {len(data.speakers('validation'))} voices "
        f"({', '.join(sorted(languages['validation']))}), among them two whole languages and a "
        "whole engine.",
        "",
        "## Measured on held-out speech",
        f"Mark held {margin_db:g} dB below the sound in every cell of time and frequency; SI-SNR "
        f"{figures['1 s']['si_snr']} dB. Without that limit, as the generator makes it: SI-SNR "
        f"{figures['no limit']['si_snr']} dB, bits "
        f"{figures['no limit']['clean']['bits']:.3f}. One decision per 16-bit word, words of "
        "three lengths; TPR at 1 % false positives among stretches of one second of unmarked "
        "speech, noise and music under the same condition. "
        f"{summary['clips']} clips of four seconds: a few points of chance in each figure.",
        "",
        "| condition | bits 0.5 s | bits 1 s | bits 4 s | word exact 1 s | word exact 4 s "
        "| TPR 1 s | TPR 4 s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for condition in (name for name in figures["1 s"] if name != "si_snr"):
        half, one, four = (figures[key][condition] for key in ("0.5 s", "1 s", "4 s"))
        lines.append(
            f"| {condition} | {half['bits']:.3f} | {one['bits']:.3f} | {four['bits']:.3f} "
            f"| {one['words']:.2f} | {four['words']:.2f} | {one['tpr']:.2f} | {four['tpr']:.2f} |"
        )
    return "\n".join([*lines, "", "## Limits", notes.strip() or "See the figures.", ""])
