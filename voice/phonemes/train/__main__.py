"""``python -m voice.phonemes.train network|tagger``: train the two models anew."""

from __future__ import annotations

import argparse
from pathlib import Path

from voice.phonemes.homographs import SENSES
from voice.phonemes.lexicon import Lexicon
from voice.phonemes.train import network, tagger


def main() -> None:
    """Read the arguments and train."""
    parser = argparse.ArgumentParser(prog="python -m voice.phonemes.train", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    one = verbs.add_parser("network", help="the network for words that are in no lexicon")
    one.add_argument("folder", type=Path, help="where state and the finished network.npz go")
    one.add_argument("--epochs", type=int, default=4)
    one.add_argument("--seconds", type=float, default=1e9, help="stop after this, to go on later")
    two = verbs.add_parser("tagger", help="the tagger that homographs are decided with")
    two.add_argument("tagged", type=Path, nargs="+", help="files of word<TAB>Penn tag lines")
    two.add_argument("--output", type=Path, default=Path("tagger.json.gz"))
    options = parser.parse_args()
    if options.verb == "network":
        options.folder.mkdir(parents=True, exist_ok=True)
        print(network.train(options.folder, epochs=options.epochs, seconds=options.seconds))
        return
    gold = Lexicon.load(british=False).gold
    ambiguous = {w for w, e in gold.items() if not isinstance(e, str) and set(e) - {"None"}}
    focus = frozenset({*ambiguous, *SENSES, "in", "by", "a", "that"})
    paragraphs = [p for path in options.tagged for p in tagger.read_tagged(path)]
    tagger.save(tagger.train(paragraphs, focus=focus), options.output)


if __name__ == "__main__":
    main()
