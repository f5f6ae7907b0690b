"""Characters: what is invisible, what is only typography, what belongs to which script.

Two layers are kept apart. :func:`clean` is applied when a book is read: it removes what no
reader ever sees (soft hyphens, zero-width characters, direction marks) and changes no word.
:func:`plain` is applied to what is spoken: quotes, dashes and ligatures in their plain forms.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

# Soft hyphen, zero-width space and joiners, word joiner, direction marks and isolates, BOM,
# variation selectors, Mongolian vowel separator, interlinear annotation, tag characters.
INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
# C0 and C1 controls but tab, newline, form feed and carriage return; noncharacters; surrogates.
_CONTROL = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
_SPACES = re.compile(
    r"[ \t\r\n\f\v\x1c-\x1f\x85\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+"
)
_PRIVATE = re.compile("[\ue000-\uf8ff\U000f0000-\U0010ffff]")

_LIGATURES = str.maketrans(
    {
        "ﬀ": "ff",
        "ﬁ": "fi",
        "ﬂ": "fl",
        "ﬃ": "ffi",
        "ﬄ": "ffl",
        "ﬅ": "st",
        "ﬆ": "st",
        "ſ": "s",
        "Ĳ": "IJ",
        "ĳ": "ij",
    }
)

SCRIPTS_OF_LANGUAGE: dict[str, frozenset[str]] = {
    "el": frozenset({"GREEK"}),
    "ru": frozenset({"CYRILLIC"}),
    "uk": frozenset({"CYRILLIC"}),
    "bg": frozenset({"CYRILLIC"}),
    "sr": frozenset({"CYRILLIC", "LATIN"}),
    "zh": frozenset({"CJK", "BOPOMOFO", "IDEOGRAPHIC"}),
    "ja": frozenset({"CJK", "HIRAGANA", "KATAKANA", "HALFWIDTH", "IDEOGRAPHIC"}),
    "ko": frozenset({"HANGUL", "CJK"}),
    "he": frozenset({"HEBREW"}),
    "yi": frozenset({"HEBREW"}),
    "ar": frozenset({"ARABIC"}),
    "fa": frozenset({"ARABIC"}),
    "hi": frozenset({"DEVANAGARI"}),
    "th": frozenset({"THAI"}),
    "ka": frozenset({"GEORGIAN"}),
    "hy": frozenset({"ARMENIAN"}),
}
"""Scripts in which a language is written; Latin is understood for every other language."""


def clean(text: str) -> str:
    """Drop invisible and control characters and unify spaces, leaving every word as it is.

    Line breaks become spaces too; leading and trailing space is kept as one space, so that
    the pieces of a paragraph can be cleaned one by one.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
        text = INVISIBLE.sub("", text).translate(_LIGATURES)
    text = _CONTROL.sub("", text)
    return _SPACES.sub(" ", text)


def word_set(words: str) -> frozenset[str]:
    """Return the words of a string as a set: tables of words are easier to read that way."""
    return frozenset(words.split())


def word_list(words: str) -> tuple[str, ...]:
    """Return the words of a string in order."""
    return tuple(words.split())


def primary(language: str) -> str:
    """Return the primary subtag of a BCP 47 tag in lower case (``"en-GB"`` -> ``"en"``)."""
    return re.split(r"[-_]", language.strip(), maxsplit=1)[0].lower()


@lru_cache(maxsize=8192)
def script(character: str) -> str:
    """Return the script of a letter by its Unicode name (``"LATIN"``, ``"GREEK"``), or ``""``.

    Digits, punctuation, spaces and marks belong to every script and give ``""``. Pictures
    (emoji, dingbats, private characters) give ``"SYMBOL"``.
    """
    category = unicodedata.category(character)
    if category[0] in "LM" and category != "Lm":
        name = unicodedata.name(character, "")
        if category[0] == "M":
            return "" if name.startswith(("COMBINING", "VARIATION")) else name.split(" ")[0]
        return name.split(" ", 1)[0].split("-")[0] if name else "SYMBOL"
    if category in {"So", "Co", "Cn", "Cs"} or "\U0001f000" <= character <= "\U0001faff":
        return "" if character in _SPOKEN_SYMBOLS else "SYMBOL"
    return ""


# Symbols the normaliser turns into words, or that carry structure.
_SPOKEN_SYMBOLS = frozenset("°©®™℃℉№℔℥¦§¶†‡•‰′″⸻⸺⁂")


def speakable_scripts(language: str) -> frozenset[str]:
    """Return the scripts a voice of `language` can be expected to read.

    Latin letters are read in every language: names, brands and quotations are common.
    """
    return SCRIPTS_OF_LANGUAGE.get(primary(language), frozenset()) | {"LATIN", ""}


def is_private(character: str) -> bool:
    """Say whether `character` is for private use (the program marks protected runs with them)."""
    return bool(_PRIVATE.match(character))
