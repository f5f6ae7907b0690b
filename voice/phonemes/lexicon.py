"""The lexicons of misaki (Apache-2.0), and English inflection on top of them.

Two lexicons per accent: "gold" was checked by hand and gives some words a pronunciation for each
part of speech; "silver" is larger and was made by rule. Only the data files are read: misaki's
own English module needs spaCy, which this project does not install. The inflection rules
follow misaki's.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from importlib import resources
from typing import Any

from consent.errors import ModelError
from voice.phonemes.alphabets import PRIMARY, SECONDARY, stressed
from voice.phonemes.ipa import from_ipa

Entry = str | dict[str, str | None]

_DOUBLED = re.compile(r"([bcdgklmnprstvxz])\1(?:ing|ed|er|est)$|ck(?:ing|ed)$")
_FLAPPING = frozenset("AIOWYiuæɑəɛɪɹʊʌ")
# Slips in the data: an entry that contradicts its own stem, and a name it lacks.
_CORRECTED: dict[str, dict[str, Entry]] = {
    "us": {"upsetting": "ʌpsˈɛɾɪŋ"},
    "gb": {"upsetting": "ʌpsˈɛtɪŋ"},
}
_PARENTS = {"VB": "VERB", "NN": "NOUN", "RB": "ADV", "JJ": "ADJ"}


def read_entries(accent: str, *, gold: bool) -> dict[str, Entry]:
    """Read one lexicon file.

    Parameters
    ----------
    accent
        ``"us"`` or ``"gb"``.

    Raises
    ------
    ModelError
        misaki's data files are not installed.
    """
    name = f"{accent}_{'gold' if gold else 'silver'}.json"
    try:
        text = resources.files("misaki").joinpath("data", name).read_text("utf-8")
    except (ModuleNotFoundError, OSError) as exc:
        raise ModelError(
            f"the pronunciation lexicon misaki/data/{name} is missing",
            hint="Install it again: pip install --force-reinstall misaki",
        ) from exc
    entries: dict[str, Any] = json.loads(text)
    return entries


def read_names(*, british: bool) -> dict[str, str]:
    """Read the names this project adds, in the alphabet of the accent."""
    text = resources.files("voice.phonemes").joinpath("data/names.tsv").read_text("utf-8")
    rows = (line.split("\t") for line in text.splitlines() if not line.startswith("#"))
    return {word: from_ipa(ipa, british=british, word=word) for word, ipa in rows}


def parent(tag: str | None) -> str | None:
    """Return the part of speech (``VERB``, ``NOUN``, ``ADV``, ``ADJ``) of a Penn tag."""
    return None if tag is None else _PARENTS.get(tag[:2], tag)


class Lexicon:
    """Words of one accent.

    Parameters
    ----------
    british
        British or American.
    """

    def __init__(self, *, british: bool) -> None:
        self.british = british
        accent = "gb" if british else "us"
        self.gold = read_entries(accent, gold=True) | _CORRECTED[accent]
        self.silver = read_entries(accent, gold=False)
        for word, spoken in read_names(british=british).items():
            if word not in self.gold and (word.lower() not in self.gold or word.lower() == word):
                self.gold[word] = spoken

    @classmethod
    @lru_cache(maxsize=2)
    def load(cls, *, british: bool) -> Lexicon:
        """Return the lexicon of an accent, read once per process."""
        return cls(british=british)

    def entry(self, word: str) -> Entry | None:
        """Look `word` up as written, then with the other case of its first letter."""
        found = self.gold.get(word)
        if found is None and len(word) > 1:
            if word.islower():
                found = self.gold.get(word.capitalize())
            elif word[0].isupper() and word[1:].islower():
                found = self.gold.get(word.lower())
        if found is None:
            found = self.silver.get(word)
        return found

    def known(self, word: str) -> bool:
        """Say whether `word` has an entry."""
        return self.entry(word) is not None

    def by_tag(self, word: str) -> dict[str, str | None] | None:
        """Return the pronunciations by part of speech, for a word that has several."""
        found = self.entry(word)
        return found if isinstance(found, dict) else None

    def lookup(self, word: str, tag: str | None = None, *, last: bool = False) -> str | None:
        """Return the pronunciation of an entry.

        Parameters
        ----------
        tag
            Penn part-of-speech tag, for words with several pronunciations.
        last
            Whether a pause follows: some function words are stressed there.
        """
        found = self.entry(word)
        if not isinstance(found, dict):
            return found
        if last and "None" in found:
            return found["None"]
        for key in (tag, parent(tag)):
            if key in found:
                return found[key]
        return found["DEFAULT"]

    def letters(self, word: str) -> str:
        """Spell `word` letter by letter, stress on the last."""
        spoken = "".join(
            self.gold[c.upper()] if isinstance(self.gold.get(c.upper()), str) else ""  # type: ignore[misc]
            for c in word
            if c.isalpha()
        )
        weakened = stressed(spoken, 0)
        return PRIMARY.join(weakened.rsplit(SECONDARY, 1))

    # Inflection. Each returns None when the word cannot be that form of a known stem.

    def add_s(self, stem: str) -> str:
        """Add the ending -s to the pronunciation of a stem."""
        if stem[-1] in "ptkfθ":
            return stem + "s"
        if stem[-1] in "szʃʒʧʤ":
            return stem + ("ɪ" if self.british else "ᵻ") + "z"
        return stem + "z"

    def add_ed(self, stem: str) -> str:
        """Add the ending -ed."""
        if stem[-1] in "pkfθʃsʧ":
            return stem + "t"
        if stem[-1] == "d":
            return stem + ("ɪ" if self.british else "ᵻ") + "d"
        if stem[-1] != "t":
            return stem + "d"
        if self.british or len(stem) < 2:
            return stem + "ɪd"
        if stem[-2] in _FLAPPING:
            return stem[:-1] + "ɾᵻd"
        return stem + "ᵻd"

    def add_ing(self, stem: str) -> str:
        """Add the ending -ing; a British stem in -r gets its r back."""
        return self._before_vowel(stem) + "ɪŋ"

    def _before_vowel(self, stem: str) -> str:
        if not self.british and stem[-1] == "t" and stem[-2:-1] and stem[-2] in _FLAPPING:
            return stem[:-1] + "ɾ"
        return stem

    def inflected(self, word: str, tag: str | None = None) -> str | None:
        """Pronounce `word` as a regular form of a word that has an entry, or return None."""
        for ending in (self._s, self._ed, self._ing, self._other):
            found = ending(word, tag)
            if found:
                return found
        return None

    def _stem(self, stem: str, tag: str | None) -> str | None:
        return self.lookup(stem, tag) if len(stem) > 1 else None

    def _linked(self, spelling: str, spoken: str) -> str:
        """Give a British stem spelled with a final r (or re) its r before a vowel."""
        if self.british and spelling.endswith(("r", "re")) and spoken[-1] in "əː":
            return spoken + "ɹ"
        return spoken

    def _s(self, word: str, tag: str | None) -> str | None:
        if len(word) < 3 or not word.endswith("s"):
            return None
        stems = []
        if not word.endswith("ss"):
            stems.append(word[:-1])
        if word.endswith("'s") or (len(word) > 4 and word.endswith("es")):
            stems.append(word[:-2])
        if len(word) > 4 and word.endswith("ies"):
            stems.append(word[:-3] + "y")
        for stem in stems:
            spoken = self._stem(stem, tag)
            if spoken:
                return self.add_s(spoken)
        return None

    def _ed(self, word: str, tag: str | None) -> str | None:
        if len(word) < 4 or not word.endswith("ed"):
            return None
        stems = [word[:-1]]
        if len(word) > 4 and not word.endswith("eed"):
            stems.append(word[:-2])
        if word.endswith("ied"):
            stems.append(word[:-3] + "y")
        if len(word) > 5 and _DOUBLED.search(word):
            stems.append(word[:-3])
        for stem in stems:
            spoken = self._stem(stem, tag)
            if spoken:
                return self.add_ed(spoken)
        return None

    def _ing(self, word: str, tag: str | None) -> str | None:
        if len(word) < 5 or not word.endswith("ing"):
            return None
        stems = [word[:-3] + "e"] if len(word) <= 5 else [word[:-3], word[:-3] + "e"]
        if len(word) > 5 and _DOUBLED.search(word):
            stems.append(word[:-4])
        for stem in stems:
            spoken = self._stem(stem, tag)
            if spoken:
                return self.add_ing(self._linked(stem, stressed(spoken, 0.5)))
        return None

    def _other(self, word: str, tag: str | None) -> str | None:
        """Try -ly, -ness, -less, -ish and prefixes un-, re-, non-."""
        for ending, spoken_ending in (
            ("ly", "li"),
            ("ness", "nəs"),
            ("less", "ləs"),
            ("ish", "ɪʃ"),
        ):
            stem = word[: -len(ending)]
            if not word.endswith(ending) or len(stem) < 3:
                continue
            spoken = self._stem(stem, "JJ" if ending in ("ly", "ness") else "NN")
            if spoken is None and stem.endswith("i"):
                spoken = self._stem(stem[:-1] + "y", "JJ")
                if spoken and ending == "ly":
                    spoken = spoken[:-1] + ("ɪ" if self.british else "ə")
            if spoken:
                if ending == "ly" and spoken[-1] == "l":
                    return spoken[:-1] + spoken_ending
                if ending == "ish":
                    spoken = self._linked(stem, self._before_vowel(spoken))
                return spoken + spoken_ending
        for prefix, spoken_prefix in (("un", "ˌʌn"), ("re", "ɹˌi"), ("non", "nˌɑn")):
            stem = word[len(prefix) :]
            if word.startswith(prefix) and len(stem) > 3:
                spoken = self._stem(stem, tag) or self._ed(stem, tag) or self._ing(stem, tag)
                if spoken:
                    if self.british:
                        spoken_prefix = (
                            spoken_prefix.strip(SECONDARY).replace("ɑ", "ɒ").replace("i", "iː")
                        )
                    return spoken_prefix + spoken
        return None
