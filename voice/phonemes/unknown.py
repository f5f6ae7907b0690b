"""Words no lexicon holds: spelled-out letters, compounds, and the network."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from voice.phonemes.alphabets import PRIMARY, STRESSABLE, stressed, weight
from voice.phonemes.characters import words
from voice.phonemes.lexicon import Lexicon
from voice.phonemes.network import Network, spelled

_VOWEL_LETTER = re.compile(r"[aeiouy]", re.IGNORECASE)
_CLAN = re.compile(r"(?:Ma?c|O['’])(?=[A-Z][a-z]{2})")
_SHORTEST_PART = 3


#: Short words that do make compounds; other parts have four letters or more.
_SHORT_PARTS = words(
    "air arm bag bar bat bed bee bin bow box boy bud bus cab cap car cat cow cup dam "
    "day dew dog dry ear egg elm eye fan fat fig fir fly fog fox gas gun gut hat hay "
    "hen hip hog hot ice ink jam jar jaw jug key kin law leg lip log low mad man map "
    "men mid mud net new nut oak oar oat oil old out owl own pan pea pen pie pig pin "
    "pit pot rag rat raw red rib rod rug rum rye sea set sky son sow sun tap tar tax "
    "tea tin tip toe top toy tub van war wax way web wet wig wit"
)
#: Longer ones that are mostly ends or beginnings of other words.
_NOT_PARTS = words(
    "able ably aged ance ante ants auto aged ator bene cent ders ding dent duct ette "
    "ered eyed ence ency ents ery ette fied form free graph gram hood homo ible ides "
    "ines inga ings ions ists ites itis land less lets like ling logo logy long lore "
    "mant ment ments mini mono mors nant nent ness noun oper opus oral oust over para "
    "pare part past path phone pose post pred pres pret prim prop ques rant rate "
    "ratio ration ring ringer rings rose rous ruse sect semi sent sess ship sion some "
    "sonic sort spect sten sten stic suit tain tele tend tense tent term ters tile "
    "tine ting tings tion tive tone tony tour tress tribe tries tron tude turn type "
    "vent verb vers vert very vice vile vine ward wards wise with"
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
        clan = _CLAN.match(word) if name else None
        if clan:
            rest = word[clan.end() :]
            spoken = self._known(spelled(rest), True) or self._pronounce(rest, True)
            if clan[0].startswith("O"):
                return ("Q" if self.lexicon.british else "O") + spoken
            return "mək" + spoken if spoken[:1] not in ("k", "ɡ") else "mə" + spoken
        if name and plain.endswith("son") and len(plain) > 6:
            father = self.lexicon.lookup(plain[:-3])
            if father:
                return father + "sᵊn"
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
            return self.lexicon.add_s(
                self._known(plain[:-2], name) or self._pronounce(plain[:-2], name)
            )
        if plain.endswith("'") and len(plain) > 2:
            return self._known(plain[:-1], name) or self._pronounce(plain[:-1], name)
        return None

    def _read(self, plain: str, name: bool) -> str:
        phonemes = Network.load().pronounce(plain, accent=self.accent, name=name)
        if PRIMARY not in phonemes:
            phonemes = (
                stressed(phonemes, 2) if "ˌ" not in phonemes else phonemes.replace("ˌ", PRIMARY, 1)
            )
        return phonemes

    def compound(self, word: str) -> str | None:
        """Pronounce `word` as two words of the lexicon run together, or return None.

        The split with the longest shorter part wins; the second part loses its primary stress.
        """
        best: tuple[int, str, str] | None = None
        for i in range(_SHORTEST_PART, len(word) - _SHORTEST_PART + 1):
            left, right = word[:i], word[i:]
            balance = min(i, len(word) - i)
            if best is not None and balance <= best[0]:
                continue
            first = self._part(left)
            second = first and (self._part(right) or self._inflected_part(right))
            if first and second:
                best = (balance, first, second)
        if best is None:
            return None
        # The British lexicon does not mark what is left of the second stress.
        return best[1] + stressed(best[2], -2 if self.lexicon.british else -0.5)

    def _part(self, part: str) -> str | None:
        if part in _NOT_PARTS or (len(part) < 4 and part not in _SHORT_PARTS):
            return None
        entry = self.lexicon.gold.get(part)
        if isinstance(entry, dict):
            entry = entry.get("NOUN") or entry["DEFAULT"]
        return entry if entry and PRIMARY in entry else None

    def _inflected_part(self, part: str) -> str | None:
        spoken = self._part(part[:-1]) if part.endswith("s") else None
        return self.lexicon.add_s(spoken) if spoken else None

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
