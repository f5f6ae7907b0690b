"""How well words are pronounced: held-out words, homographs, speed. Prints Markdown tables.

    python benchmarks/phonemes.py [--g2p-en checkpoint20.npz] [--seed N]

Held-out words are families (words with the same first five letters) that the network was not
trained on, taken out of the lexicon for the measurement. Peers are measured when they are
there: espeak-ng if ``phonemizer`` and ``espeakng_loader`` can be imported, g2p-en if the path
of its weights is given (it was trained on CMUdict, which holds many of these words).
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from consent.errors import InputError
from voice.phonemes.alphabets import CONSONANTS
from voice.phonemes.characters import words as word_set
from voice.phonemes.ipa import from_ipa
from voice.phonemes.lexicon import Lexicon, read_entries
from voice.phonemes.network import Network, spelled
from voice.phonemes.phonemizer import Phonemizer
from voice.phonemes.train.families import held_out
from voice.phonemes.unknown import Unknown

HOMOGRAPHS = Path(__file__).with_name("homographs.tsv")
System = Callable[[Sequence[str]], list[str]]

_FOLD = str.maketrans(
    {"ˈ": "", "ˌ": "", "ᵊ": "ə", "ɾ": "t", "T": "t", "ʔ": "t", "ᵻ": "ɪ", "ɐ": "ə"}
)
_ARPABET = {
    "AA": "ɑ", "AE": "æ", "AH": "ʌ", "AO": "ɔ", "AW": "W", "AY": "I", "B": "b", "CH": "ʧ",
    "D": "d", "DH": "ð", "EH": "ɛ", "ER": "ɜɹ", "EY": "A", "F": "f", "G": "ɡ", "HH": "h",
    "IH": "ɪ", "IY": "i", "JH": "ʤ", "K": "k", "L": "l", "M": "m", "N": "n", "NG": "ŋ",
    "OW": "O", "OY": "Y", "P": "p", "R": "ɹ", "S": "s", "SH": "ʃ", "T": "t", "TH": "θ",
    "UH": "ʊ", "UW": "u", "V": "v", "W": "w", "Y": "j", "Z": "z", "ZH": "ʒ",
}  # fmt: skip


def fold(phonemes: str) -> str:
    """Take out stress and what dictionaries write differently (ᵊ and ə, flaps, ᵻ and ɪ)."""
    return phonemes.translate(_FOLD).replace("əɹ", "ɜɹ")


def distance(a: str, b: str) -> int:
    """Return the edit distance."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        previous, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (x != y))
    return row[-1]


def held_out_words(accent: str, *, names: bool) -> list[tuple[str, str]]:
    """Return the hand-checked words (or names) whose families were not trained on."""
    result = []
    for word, entry in read_entries(accent, gold=True).items():
        if not isinstance(entry, str) or not word.isalpha() or len(word) < 3 or word.isupper():
            continue
        if word[0].isupper() == names and held_out(spelled(word)):
            result.append((word, entry))
    return result


class Without(Lexicon):
    """The lexicon without the held-out families."""

    def __init__(self, *, british: bool) -> None:
        super().__init__(british=british)
        for entries in (self.gold, self.silver):
            for word in [w for w in entries if held_out(spelled(w))]:
                del entries[word]


def network(british: bool) -> System:
    model = Network.load()
    accent = "gb" if british else "us"
    return lambda words: [model.pronounce(w, accent=accent, name=w[0].isupper()) for w in words]


def whole_chain(british: bool) -> System:
    lexicon = Without(british=british)
    unknown = Unknown(lexicon)

    def pronounce(words: Sequence[str]) -> list[str]:
        return [
            (None if w[0].isupper() else lexicon.inflected(w))
            or unknown.pronounce(w, name=w[0].isupper())
            for w in words
        ]

    return pronounce


def espeak(british: bool) -> System | None:
    try:
        import espeakng_loader  # type: ignore[import-not-found]
        from phonemizer.backend import EspeakBackend  # type: ignore[import-not-found]
        from phonemizer.backend.espeak.wrapper import (  # type: ignore[import-not-found]
            EspeakWrapper,
        )
    except ImportError:
        return None
    EspeakWrapper.set_library(espeakng_loader.get_library_path())
    EspeakWrapper.set_data_path(espeakng_loader.get_data_path())
    backend = EspeakBackend(
        "en-gb" if british else "en-us", preserve_punctuation=True, with_stress=True
    )
    return lambda lines: [line.strip() for line in backend.phonemize(list(lines))]


def espeak_words(british: bool) -> System | None:
    backend = espeak(british)
    if backend is None:
        return None

    def pronounce(words: Sequence[str]) -> list[str]:
        result = []
        for ipa in backend(words):
            try:
                result.append(from_ipa(ipa, british=british))
            except InputError:
                result.append("")
        return result

    return pronounce


class G2pEn:
    """g2p-en's network (Park and Kim, Apache-2.0), from its file of weights."""

    def __init__(self, path: Path) -> None:
        with np.load(path) as data:
            self.w = {name: data[name].astype(np.float32) for name in data.files}
        names = sorted(_ARPABET)
        consonants = {n for n, sound in _ARPABET.items() if sound in CONSONANTS}
        self.phonemes = ["<pad>", "<unk>", "<s>", "</s>"]
        for name in names:
            if name in consonants:
                self.phonemes.append(name)
            else:
                self.phonemes += ["UW"] * (name == "UW") + [f"{name}{i}" for i in range(3)]

    def _step(self, x: np.ndarray, h: np.ndarray, part: str) -> np.ndarray:
        i = x @ self.w[f"{part}_w_ih"].T + self.w[f"{part}_b_ih"]
        s = h @ self.w[f"{part}_w_hh"].T + self.w[f"{part}_b_hh"]
        n = len(h)
        r, z = np.split(1 / (1 + np.exp(-(i[: 2 * n] + s[: 2 * n]))), 2)
        return np.asarray((1 - z) * np.tanh(i[2 * n :] + r * s[2 * n :]) + z * h)

    def pronounce_all(self, words: Sequence[str]) -> list[str]:
        return [self.pronounce(word) for word in words]

    def pronounce(self, word: str) -> str:
        h = np.zeros(self.w["enc_w_hh"].shape[1], np.float32)
        for c in [*(ord(c) - 94 for c in spelled(word) if c != "'"), 2]:
            h = self._step(self.w["enc_emb"][c], h, "enc")
        last, out = 2, []
        for _ in range(20):
            h = self._step(self.w["dec_emb"][last], h, "dec")
            last = int((self.w["fc_w"] @ h + self.w["fc_b"]).argmax())
            if last == 3:
                break
            out.append(self.phonemes[last])
        spoken = ""
        for name in out:
            if name[-1].isdigit():
                sound = _ARPABET[name[:-1]]
                sound = {"ʌ": "ə", "ɜɹ": "əɹ"}.get(sound, sound) if name[-1] == "0" else sound
                spoken += {"0": "", "1": "ˈ", "2": "ˌ"}[name[-1]] + sound
            else:
                spoken += _ARPABET.get(name, "")
        return spoken


def row(name: str, system: System, words: Sequence[tuple[str, str]]) -> str:
    started = time.perf_counter()
    said = system([word for word, _ in words])
    took = (time.perf_counter() - started) / len(words)
    exact = sum(s == want for s, (_, want) in zip(said, words, strict=True))
    folded = [(fold(s), fold(want)) for s, (_, want) in zip(said, words, strict=True)]
    right = sum(a == b for a, b in folded)
    errors = sum(distance(a, b) for a, b in folded)
    length = sum(len(b) for _, b in folded)
    stress = sum(
        a == b and s.replace("ˌ", "").find("ˈ") == want.replace("ˌ", "").find("ˈ")
        for (a, b), s, (_, want) in zip(folded, said, words, strict=True)
    )
    n = len(words)
    return (
        f"| {name} | {n} | {100 * errors / length:.1f} | {100 * right / n:.1f} "
        f"| {100 * stress / n:.1f} | {100 * exact / n:.1f} | {1000 * took:.2f} |"
    )


def word_tables(g2p_en: Path | None) -> None:
    print(
        "| system | words | phoneme errors % | words right % | with main stress % | exactly % "
        "| ms a word |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|")
    for british in (False, True):
        accent = "gb" if british else "us"
        for names in (False, True):
            words = held_out_words(accent, names=names)
            label = f"{accent.upper()} {'names' if names else 'words'}"
            systems: list[tuple[str, System | None]] = [
                ("network", network(british)),
                ("whole fallback chain", whole_chain(british)),
                ("espeak-ng", espeak_words(british)),
            ]
            if g2p_en is not None and not british:
                model = G2pEn(g2p_en)
                systems.append(("g2p-en", model.pronounce_all))
            for name, system in systems:
                if system is not None:
                    print(row(f"{label}, {name}", system, words), flush=True)


@dataclass(frozen=True, slots=True)
class Case:
    """A sentence with one word that could be read in several ways."""

    source: str
    word: str
    right: str
    others: tuple[str, ...]
    sentence: str


def homograph_cases() -> list[Case]:
    """Read the labelled sentences."""
    lines = HOMOGRAPHS.read_text("utf-8").splitlines()
    rows = [line.split("\t") for line in lines if line and not line.startswith("#")]
    return [Case(r[0], r[1], r[2], tuple(r[3].split("|")), r[4]) for r in rows]


def homograph_table() -> None:
    cases = homograph_cases()
    ours = Phonemizer.for_language("en-US")
    mine = [chose_right(ours.phonemize(case.sentence), case) for case in cases]
    # The reading of most of the cases of a word, for scale.
    most: dict[str, Counter[str]] = {}
    for case in cases:
        most.setdefault(case.word, Counter())[case.right] += 1
    usual = [most[case.word].most_common(1)[0][0] == case.right for case in cases]
    backend = espeak(False)
    peer = None
    if backend is not None:
        said = backend([case.sentence for case in cases])
        peer = [chose_right(_kokoro(line), case) for line, case in zip(said, cases, strict=True)]
    print("\n| homographs, American | cases | this package % | espeak-ng % | usual reading % |")
    print("|---|---:|---:|---:|---:|")
    for source in [*sorted({case.source for case in cases}), "all"]:
        chosen = [i for i, case in enumerate(cases) if source in (case.source, "all")]

        def share(marks: list[bool] | None, chosen: list[int] = chosen) -> str:
            return (
                "-" if marks is None else f"{100 * sum(marks[i] for i in chosen) / len(chosen):.1f}"
            )

        print(f"| {source} | {len(chosen)} | {share(mine)} | {share(peer)} | {share(usual)} |")
    for case, right in zip(cases, mine, strict=True):
        if not right:
            print(f"wrong: {case.word}, should be {case.right}: {case.sentence}", file=sys.stderr)


def _kokoro(line: str) -> str:
    try:
        return from_ipa(
            "".join(c for c in line if c.isalpha() or c in " ˈˌːˑ\u0329\u0303"), british=False
        )
    except InputError:
        return ""


def chose_right(phonemes: str, case: Case) -> bool:
    """Say whether the sentence holds something nearer to the right reading than to any other.

    The nearest stretch of the sentence is searched for each reading, main stress included, so
    that dictionaries that write a word a little differently are judged by the same measure.
    """
    text = _sounds(phonemes)
    right = nearest(_sounds(case.right), text)
    return all(right < nearest(_sounds(other), text) for other in case.others)


def _sounds(phonemes: str) -> str:
    return fold(phonemes.replace("ˈ", "1").replace(" ", ""))


def nearest(word: str, text: str) -> int:
    """Return the least edit distance of `word` to any stretch of `text`."""
    row = [0] * (len(text) + 1)
    for i, x in enumerate(word, 1):
        previous, row[0] = row[0], i
        for j, y in enumerate(text, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (x != y))
    return min(row)


def speed() -> None:
    started = time.perf_counter()
    phonemizer = Phonemizer.for_language("en-US")
    phonemizer.phonemize("It begins.")
    load = time.perf_counter() - started
    words = list(Lexicon.load(british=False).gold)
    rng = random.Random(1)
    common = sorted(word_set("the of and to a in that he was it his her with as had she at but"))
    text = [
        " ".join(rng.choice(common if i % 2 else words) for i in range(14)) + "."
        for _ in range(4000)
    ]
    started = time.perf_counter()
    for sentence in text:
        phonemizer.phonemize(sentence)
    took = time.perf_counter() - started
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print("\n| loading s | words a second | peak memory of this process MB |\n|---:|---:|---:|")
    print(f"| {load:.2f} | {14 * 4000 / took:,.0f} | {memory:.0f} |")


def main(arguments: Iterable[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--g2p-en", type=Path, help="path of g2p_en/checkpoint20.npz")
    options = parser.parse_args(None if arguments is None else list(arguments))
    speed()
    print()
    word_tables(options.g2p_en)
    homograph_table()


if __name__ == "__main__":
    main()
