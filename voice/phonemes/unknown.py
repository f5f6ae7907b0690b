"""Words no lexicon holds: spelled-out letters, compounds, and the network."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from voice.phonemes.alphabets import PRIMARY, STRESSABLE, stressed, weight
from voice.phonemes.lexicon import Lexicon
from voice.phonemes.network import Network, spelled

_VOWEL_LETTER = re.compile(r"[aeiouy]", re.IGNORECASE)
_SHORTEST_PART = 3
#: Parts that end many words and are seldom words on their own in compounds.
_NOT_PARTS = frozenset(
    "able age ally ance ant ate ded den der dom ens ent ers ess est ful had hed her het hod "
    "ian ide ier ies ill ine ing ings ins ion ism ist ite ity ive les let lin lor man's men's "
    "mer mid mis nes ness net ous out per pre pro red ria rin ris ron ses ski sub ted ten tend "
    "tent ter the tic tin ton tor und ure urn van ven ver vis wan wis".split()
)


class Unknown:
    """The fallbacks for one accent."""

    def __init__(self, lexicon: Lexicon) -> None:
        self.lexicon = lexicon
        self.accent = "gb" if lexicon.british else "us"
        self._cached = lru_cache(maxsize=65536)(self._pronounce)

    def pronounce(self, word: str, *, name: bool = False) -> str:
        """Return phonemes for `word`; empty if it has no letter that can be read."""
        return self._cached(word, name)

    def _pronounce(self, word: str, name: bool) -> str:
        plain = spelled(word)
        if not plain.strip("'"):
            return self._letter_names(word)
        if plain != word.lower():
            # A foreign spelling (café, Brontë) of a word the lexicon has without its marks.
            found = self._known(plain, name)
            if found:
                return found
        if not _VOWEL_LETTER.search(plain):
            return self._vowelless(plain)
        possessive = self._possessive(plain, name)
        if possessive:
            return possessive
        if not name:
            compound = self.compound(plain)
            if compound:
                return compound
        return self._read(plain, name)

    def _known(self, plain: str, name: bool) -> str | None:
        for form in (plain.capitalize() if name else plain, plain):
            found = self.lexicon.lookup(form) or self.lexicon.inflected(form)
            if found:
                return found
        return None

    def _possessive(self, plain: str, name: bool) -> str | None:
        """Pronounce "Ukridge's" and "Moses'" from the name."""
        if plain.endswith("'s") and len(plain) > 3:
            return self.lexicon.add_s(self._known(plain[:-2], name) or self._pronounce(plain[:-2], name))
        if plain.endswith("'") and len(plain) > 2:
            return self._known(plain[:-1], name) or self._pronounce(plain[:-1], name)
        return None

    def _read(self, plain: str, name: bool) -> str:
        phonemes = Network.load().pronounce(plain, accent=self.accent, name=name)
        if PRIMARY not in phonemes:
            phonemes = stressed(phonemes, 2) if "ˌ" not in phonemes else phonemes.replace("ˌ", PRIMARY, 1)
        return phonemes

    def compound(self, word: str) -> str | None:
        """Pronounce `word` as two words of the lexicon run together, or return None.

        The split with the longest shorter part wins; the second part loses its primary stress.
        """
        best: tuple[int, str, str] | None = None
        for i in range(_SHORTEST_PART, len(word) - _SHORTEST_PART + 1):
            left, right = word[:i], word[i:]
            if left in _NOT_PARTS or right in _NOT_PARTS:
                continue
            if min(len(left), len(right)) < 4 and len(word) < 8:
                continue
            first = self._part(left)
            second = first and self._part(right)
            if first and second and (best is None or min(i, len(word) - i) > best[0]):
                best = (min(i, len(word) - i), first, second)
        if best is None:
            return None
        return best[1] + stressed(best[2], -0.5)

    def _part(self, part: str) -> str | None:
        entry = self.lexicon.gold.get(part)
        if isinstance(entry, dict):
            entry = entry.get("NOUN") or entry["DEFAULT"]
        if entry is None and len(part) > 4:
            entry = self.lexicon.inflected(part)
        return entry if entry and PRIMARY in entry else None

    def _vowelless(self, plain: str) -> str:
        """Pronounce what has no vowel: "hmm" hums, the rest is spelled."""
        if plain and set(plain) <= set("hms'"):
            return "hm" if "m" in plain else "ʃ"
        return self.lexicon.letters(plain)

    def _letter_names(self, word: str) -> str:
        """Pronounce letters outside the network's alphabet, by their names in Unicode."""
        for c in word:
            match = re.match(r"LATIN (?:SMALL|CAPITAL) LETTER (\w+)", unicodedata.name(c, ""))
            if match and len(match[1]) > 1:
                return self.pronounce(match[1].lower())
            if match:
                return self.lexicon.letters(match[1])
        return ""


def joined(parts: list[str]) -> str:
    """Join the phonemes of the parts of a hyphenated word; the lighter half loses stress."""
    if len(parts) == 2 and sum(c in STRESSABLE for c in parts[0]) == 0:
        return "".join(parts)
    order = sorted((PRIMARY in p, weight(p), i) for i, p in enumerate(parts))
    if len(parts) < 2 or sum(has for has, _, _ in order) <= (len(parts) + 1) // 2:
        return "".join(parts)
    parts = list(parts)
    for _, _, i in order[: len(parts) // 2]:
        parts[i] = stressed(parts[i], -0.5)
    return "".join(parts)
