"""``python -m provenance.watermark.training``: gather data, train, measure, export."""

from __future__ import annotations

import argparse
import json
import math
import signal
import sys
from pathlib import Path

from consent.errors import VivavoceError
from provenance.watermark.training.config import CURRICULUM, Config


def main(arguments: list[str] | None = None) -> int:
    """Read the arguments and do as told; return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except VivavoceError as exc:
        print(exc.diagnostics(), file=sys.stderr)
        return exc.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m provenance.watermark.training", description=__doc__
    )
    verbs = parser.add_subparsers(required=True)

    data = verbs.add_parser("data", help="fetch recordings, render speech, write the data set")
    data.add_argument("--folder", type=Path, required=True)
    data.add_argument("--no-fetch", action="store_true", help="use the packages that are there")
    data.add_argument("--text", type=Path, nargs="*", default=[], help="English prose to render")
    data.add_argument("--minutes", type=float, default=24.0, help="of speech to render")
    data.set_defaults(run=_data)

    train = verbs.add_parser("train", help="train, or go on training")
    train.add_argument("--data", type=Path, required=True)
    train.add_argument("--folder", type=Path, required=True, help="for checkpoint and log")
    train.add_argument("--curriculum", type=Path, default=CURRICULUM)
    train.add_argument("--from", dest="weights", type=Path, help="start from these weights")
    train.add_argument("--cold", action="store_true", help="start from chance, not by hand")
    train.add_argument("--settle", action="store_true", help="resume from the averaged weights")
    train.add_argument("--seconds", type=float, default=math.inf, help="stop after this long")
    train.add_argument("--steps", type=int, help="stop after so many steps")
    train.set_defaults(run=_train)

    export = verbs.add_parser("export", help="write weights, model card and log of a run")
    export.add_argument("--data", type=Path, required=True)
    export.add_argument("--folder", type=Path, required=True, help="of the run")
    export.add_argument("--to", type=Path, required=True)
    export.add_argument(
        "--margin", type=float, default=0.0, help="of the mark below the sound, in dB"
    )
    export.add_argument("--clips", type=int, default=60, help="of 4 s to measure on")
    export.add_argument("--notes", type=Path, help="Markdown on limits, for the card")
    export.set_defaults(run=_export)
    return parser


def _data(options: argparse.Namespace) -> None:
    from provenance.watermark.training import dataset, speech

    packages = options.folder / "packages"
    if not options.no_fetch:
        speech.fetch(packages)
    if options.text:
        text = "\n".join(path.read_text("utf-8", errors="replace") for path in options.text)
        speech.synthesise(options.folder, text, minutes=options.minutes)
    found = [*speech.recordings(packages), *speech.renderings(options.folder)]
    for kind, minutes in dataset.build(options.folder, found).items():
        print(f"{kind:20s} {minutes:7.1f} min")


def _train(options: argparse.Namespace) -> None:
    from provenance.watermark.training.dataset import Dataset
    from provenance.watermark.training.trainer import STATE, Trainer

    config = Config.load(options.curriculum)
    options.folder.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(config, Dataset(options.data), options.folder)
    if (options.folder / STATE).exists():
        trainer.resume()
        if options.settle:
            trainer.settle()
    elif options.weights:
        trainer.start_from(options.weights)
    elif options.cold:
        trainer.start_loud()
    else:
        trainer.start_by_hand()
    print(json.dumps({"step": trainer.step, "curriculum": str(options.curriculum)}))
    asked: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda got, _: asked.append(got))
    trainer.run(seconds=options.seconds, steps=options.steps, stop=lambda: bool(asked))


def _export(options: argparse.Namespace) -> None:
    from provenance.watermark.training.dataset import Dataset
    from provenance.watermark.training.export import export

    notes = options.notes.read_text("utf-8") if options.notes else ""
    figures = export(options.folder, Dataset(options.data), options.to, margin_db=options.margin,
                     count=options.clips, notes=notes)  # fmt: skip
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    sys.exit(main())
