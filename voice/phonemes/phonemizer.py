"""Text to phonemes: tokens, lexicon, context, fallbacks, one after the other."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from consent.errors import InputError
from voice.phonemes.alphabets import (
    CONSONANTS,
    PRIMARY,
    SECONDARY,
    VOWELS,
    stressed,
    to_espeak,
)
from voice.phonemes.characters import words as word_set
from voice.phonemes.homographs import SENSES, Context, sense
from voice.phonemes.ipa import from_ipa
from voice.phonemes.lexicon import Lexicon
from voice.phonemes.numbers import cardinal, number_words, ordinal, roman_value
from voice.phonemes.tagger import Tagger
from voice.phonemes.tokens import Kind, Token, tokenize
from voice.phonemes.unknown import Unknown, joined

ALPHABETS = ("kokoro", "espeak")
_LANGUAGES = {"en-us": False, "en": False, "en-ca": False, "en-ph": False}
_BRITISH = ("en-gb", "en-uk", "en-au", "en-nz", "en-ie", "en-za", "en-in")
_COUNTED = word_set("chapter book part volume vol act scene canto section no number page plate")
_ROMAN_LETTERS = frozenset("ivxlc")
_LETTER_BEFORE = word_set(
    "letter grade plan vitamin type class section point group hepatitis block"
)
_CONTRACTED = {"d'you": "do you", "d'ye": "do ye", "y'know": "you know", "t'other": "the other"}
_LATIN = {"e.g.": "for example", "i.e.": "that is", "ph.d.": "P H D"}
_POINTLESS = word_set(
    "it us am is he me we or in as at so no to do be by my of on up an if go who all"
)


class Phonemizer:
    """Pronounces text of one accent of English.

    Build it with `for_language`, which keeps one per accent. It remembers the words it has
    worked out; it is not meant to be shared between threads.
    """

    def __init__(self, *, british: bool) -> None:
        self.british = british
        self.lexicon = Lexicon.load(british=british)
        self.unknown = Unknown(self.lexicon)
        self._fixed: dict[tuple[str, bool], str] = {}

    @classmethod
    def for_language(cls, language: str) -> Phonemizer:
        """Return the phonemizer of a language.

        Parameters
        ----------
        language
            BCP 47 tag. ``en-US``, ``en-GB``; ``en`` and ``en-CA`` count as American,
            ``en-AU``, ``en-IE``, ``en-IN``, ``en-NZ`` and ``en-ZA`` as British.

        Raises
        ------
        InputError
            The language is not English.
        """
        tag = language.replace("_", "-").lower()
        if tag in _BRITISH or tag.startswith(tuple(f"{b}-" for b in _BRITISH)):
            return _shared(True)
        if tag in _LANGUAGES or tag.startswith("en-us-"):
            return _shared(False)
        raise InputError(
            f"there is no pronunciation for the language {language!r}",
            hint="Use en-US or en-GB; text in another language needs a voice of that language.",
        )

    def phonemize(self, text: str, *, alphabet: str = "kokoro") -> str:
        """Return the phonemes of `text`, punctuation kept.

        Parameters
        ----------
        text
            Normalised text, which may hold ``[written](/IPA/)`` and ``[word](+1)``.
        alphabet
            ``"kokoro"`` or ``"espeak"`` (see `voice.phonemes.alphabets`).

        Returns
        -------
        str
            Phonemes; empty if nothing in `text` can be spoken. Characters that cannot be
            spoken are left out (`voice.phonemes.unspeakable_characters` finds them).

        Raises
        ------
        InputError
            An inline pronunciation holds a symbol that is not IPA, or `alphabet` is unknown.
        """
        if alphabet not in ALPHABETS:
            raise InputError(
                f"there is no alphabet {alphabet!r}", hint=f"Use one of {', '.join(ALPHABETS)}."
            )
        tokens = self._in_words(tokenize(text))
        words = [token.written or token.text for token in tokens]
        spoken = self._pronounce(tokens, words)
        if not any(c in VOWELS or c in CONSONANTS for part in spoken for c in part):
            return ""
        pieces: list[str] = []
        for token, phonemes in zip(tokens, spoken, strict=True):
            if not phonemes:
                continue
            if token.space and pieces:
                pieces.append(" ")
            pieces.append(phonemes)
        result = "".join(pieces).strip()
        if alphabet == "espeak":
            return to_espeak(result, british=self.british)
        return result.replace("ɾ", "T").replace("ʔ", "t")

    def _in_words(self, tokens: list[Token]) -> list[Token]:
        """Write numbers, roman numerals and contractions out as words."""
        result: list[Token] = []
        for i, token in enumerate(tokens):
            words: list[str] | None = None
            if token.kind is Kind.NUMBER:
                words = number_words(token.text, british=self.british)
            elif token.kind is Kind.INITIALS and token.text.lower() in _LATIN:
                words = _LATIN[token.text.lower()].split()
            elif token.kind is Kind.WORD:
                if token.text.isupper() and i:
                    words = self._roman(token.text, tokens[i - 1])
                elif len(token.text) > 1 and set(token.text) <= _ROMAN_LETTERS:
                    words = self._small_roman(token.text)
                elif (
                    token.text == "St" and i + 1 < len(tokens) and tokens[i + 1].text[:1].isupper()
                ):
                    words = ["saint"]
                elif token.text.lower() in _CONTRACTED:
                    words = _CONTRACTED[token.text.lower()].split()
            if words is None:
                if result and tokens[i - 1].kind is Kind.NUMBER and token.kind is Kind.WORD:
                    token.space = True
                result.append(token)
                continue
            spaced = token.space or bool(result and result[-1].kind in (Kind.WORD, Kind.SPOKEN))
            result += [
                Token(Kind.WORD, word, spaced if k == 0 else True, token.stress)
                for k, word in enumerate(words)
            ]
        return result

    def _roman(self, text: str, before: Token) -> list[str] | None:
        value = roman_value(text)
        if value is None or before.kind is not Kind.WORD:
            return None
        if before.text.lower() in _COUNTED:
            return cardinal(value)
        if len(text) > 1 and value < 40 and before.text.istitle() and len(before.text) > 3:
            return ["the", *ordinal(value)]
        return None

    def _small_roman(self, text: str) -> list[str] | None:
        """Return the number that a numeral of a preface ("xiv") stands for, if it is no word."""
        value = roman_value(text.upper())
        if value is None or value >= 100 or self.lexicon.known(text):
            return None
        return cardinal(value)

    def _pronounce(self, tokens: list[Token], words: list[str]) -> list[str]:
        """Return the phonemes of each token, working backwards: context comes from behind."""
        spoken = [""] * len(tokens)
        vowel: bool | None = None
        for i in range(len(tokens) - 1, -1, -1):
            token = tokens[i]
            if token.kind is Kind.PAUSE:
                spoken[i] = token.text
                vowel = None
                continue
            if token.kind is Kind.QUOTE:
                spoken[i] = token.text
                continue
            if token.kind is Kind.SPOKEN:
                phonemes = from_ipa(token.text, british=self.british, word=token.written)
            elif token.kind is Kind.INITIALS:
                phonemes = self.lexicon.letters(token.text)
            elif token.text == "'s" and i and not token.space and tokens[i - 1].kind is Kind.SPOKEN:
                owner = from_ipa(
                    tokens[i - 1].text, british=self.british, word=tokens[i - 1].written
                )
                phonemes = self.lexicon.add_s(owner)[len(owner) :]
            else:
                phonemes = self._word(words, i, vowel)
            phonemes = stressed(phonemes, token.stress)
            spoken[i] = phonemes
            for c in phonemes:
                if c in VOWELS or c in CONSONANTS:
                    vowel = c in VOWELS
                    break
        return spoken

    def _word(self, words: Sequence[str], i: int, vowel: bool | None) -> str:
        """Pronounce one word; `vowel` tells whether a vowel follows, None before a pause."""
        word = words[i]
        last = vowel is None
        if word.isascii():
            fixed = self._fixed.get((word, last))
            if fixed is not None:
                return fixed
        else:
            word = unicodedata.normalize("NFC", word)
        text = self._bare(word)
        if not text:
            return ""
        special = self._special(text, words, i, vowel)
        if special is not None:
            return special
        level = None if text.islower() else 2.0 if text.isupper() and len(text) > 1 else 0.5
        phonemes, settled = self._lookup(text, words, i, last)
        phonemes = stressed(phonemes, level) if level is not None else phonemes
        if settled and len(self._fixed) < 200_000:
            self._fixed[words[i], last] = phonemes
        return phonemes

    def _bare(self, word: str) -> str:
        """Take off apostrophes that are quotation marks."""
        if "'" not in word:
            return word
        lower = word.lower()
        if word[0] == "'" and lower not in self.lexicon.gold:
            word = word.lstrip("'")
        if word.endswith("'") and not (
            word[-3:-1].lower() in ("in", "an") or word.lower() in ("o'", "ol'", "th'")
        ):
            word = word.rstrip("'")
        return word

    def _special(self, word: str, words: Sequence[str], i: int, vowel: bool | None) -> str | None:
        """Pronounce the words whose form depends on what follows."""
        lower = word.lower()
        if lower == "the":
            return "ði" if vowel else "ðə"
        if lower == "a":
            before = words[i - 1].lower() if i else ""
            if word == "a" or (vowel is not None and before not in _LETTER_BEFORE):
                return "ɐ"
            return PRIMARY + "A"
        if lower == "an":
            return "ɐn"
        if lower == "to":
            if vowel is None:
                return "tuː" if self.british else "tu"
            return "tʊ" if vowel else "tə"
        if word == "I":
            return SECONDARY + "I"
        if lower == "in":
            return f"{PRIMARY}ɪn" if vowel is None or self._tag(words, i) != "IN" else "ɪn"
        if lower == "am":
            if vowel is None or word != "am":
                return "am" if self.british else "æm"
            return "ɐm"
        if lower == "by" and self._tag(words, i) == "RB":
            return "bˈI"
        return None

    def _tag(self, words: Sequence[str], i: int) -> str:
        return Tagger.load().tag(words, i)

    def _lookup(self, word: str, words: Sequence[str], i: int, last: bool) -> tuple[str, bool]:
        """Return phonemes and whether they are the same in every context."""
        lower = word.lower()
        if lower in SENSES:
            found = sense(Context(words, i, lambda: self._tag(words, i)), british=self.british)
            if found is not None:
                return found, False
        form = word
        if len(word) > 1 and word.isupper():
            spelled = self._capitals(word, words, i)
            if spelled is not None:
                return spelled, False
            form = lower
        elif not word.islower() and not self.lexicon.known(word):
            form = lower if self.lexicon.known(lower) or self.lexicon.inflected(lower) else word
        choices = self.lexicon.by_tag(form)
        if choices is not None:
            if set(choices) <= {"DEFAULT", "None"}:
                return self.lexicon.lookup(form, last=last) or "", True
            return self.lexicon.lookup(form, self._tag(words, i), last=last) or "", False
        found = self.lexicon.lookup(form)
        if found:
            return found, not word.isupper()
        if len(word) == 1:
            return self.lexicon.letters(word) or self.unknown.pronounce(word), True
        return self._unlisted(form, word, words, i), not word.isupper()

    def _unlisted(self, form: str, word: str, words: Sequence[str], i: int) -> str:
        """Pronounce what has no entry: other spellings, inflections, parts, or a guess."""
        if "-" in form:
            parts = [self._part(part) for part in form.split("-") if part]
            return joined([part for part in parts if part])
        if form.endswith("'") and len(form) > 3:
            if form[-3:-1] == "in" and (whole := self._listed(form[:-1] + "g")):
                return whole.removesuffix("ŋ") + "n"
            return self._part(form[:-1])
        if form.endswith("s'"):
            form = form[:-1]
        tag = self._tag(words, i) if form.endswith("s") and self.lexicon.by_tag(form[:-1]) else None
        found = self.lexicon.inflected(form, tag)
        if found:
            return found
        for ending, sound in (
            ("'ll", "ᵊl"),
            ("'d", "d"),
            ("'ve", "v"),
            ("'re", "ɹ" if not self.british else "ə"),
        ):
            if form.endswith(ending):
                stem = self._part(form[: -len(ending)])
                if ending == "'d" and stem[-1:] in ("t", "d"):
                    return stem + ("ᵻd" if not self.british else "ɪd")
                if ending == "'ve" and stem[-1:] in CONSONANTS:
                    return stem + "əv"
                return stem + sound
        name = word[:1].isupper() and not word.isupper()
        return self.unknown.pronounce(form, name=name)

    def _listed(self, word: str) -> str | None:
        return self.lexicon.lookup(word) or self.lexicon.inflected(word)

    def _part(self, part: str) -> str:
        """Pronounce part of a hyphenated or contracted word, without context."""
        if part.isdigit():
            return " ".join(self._part(word) for word in number_words(part, british=self.british))
        return self._word([part], 0, False)

    def _capitals(self, word: str, words: Sequence[str], i: int) -> str | None:
        """Spell a word in capitals that is an abbreviation; None if it is merely loud."""
        lower = word.lower()
        shouting = any(
            0 <= k < len(words) and k != i and len(words[k]) > 1 and words[k].isupper()
            for k in (i - 2, i - 1, i + 1, i + 2)
        )
        entry = self.lexicon.gold.get(word)
        if isinstance(entry, dict):
            if shouting or (lower in _POINTLESS and (not i or words[i - 1].lower() != "the")):
                return None
            return self.lexicon.letters(word) if "NOUN" in entry and entry["NOUN"] is None else None
        if isinstance(entry, str):
            return entry
        plain = word.rstrip("'S") if word.endswith("'S") else word
        if "'" in word or "-" in word:
            return None
        if self.lexicon.known(lower) and (shouting or len(word) > 3 or lower in self.lexicon.gold):
            return None
        if not self.lexicon.known(lower) and (
            (shouting and len(word) > 3) or self.lexicon.inflected(lower)
        ):
            return None
        vowels = sum(c in "AEIOUY" for c in plain)
        if len(word) <= 3 or vowels == 0 or (len(word) == 4 and vowels < 2):
            return self.lexicon.letters(word)
        return None


@lru_cache(maxsize=2)
def _shared(british: bool) -> Phonemizer:
    return Phonemizer(british=british)
