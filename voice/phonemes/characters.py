"""Which characters can be spoken, and the plain form of those that have several."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache


def words(text: str) -> frozenset[str]:
    """Return the words of a list written as one string."""
    return frozenset(text.split())


_PLAIN = {
    "\u2018": "'", "\u2019": "'", "\u201b": "'", "\u02bc": "'", "\u02bb": "'", "\uff07": "'",
    "\u2032": "'", "`": "'", "\u00b4": "'",
    "«": "“", "»": "”", "„": "“", "‟": "“", "‹": "“", "›": "”", "\u2033": "”",
    "―": "—", "⸺": "—", "⸻": "—", "﹘": "—", "−": "-",
    "\u2010": "-", "\u2011": "-", "\u2043": "-",
    "\u2026": "…", "‥": "…", "。": ".", "、": ",", "，": ",", "；": ";", "：": ":", "！": "!",
    "？": "?", "（": "(", "）": ")", "「": "“", "」": "”", "『": "“", "』": "”", "[": "(",
    "]": ")", "{": "(", "}": ")", "¿": "", "¡": "", "‼": "!", "⁇": "?", "⁈": "?!", "⁉": "!?",
    "؟": "?", "،": ",", "؛": ";", "\u00ad": "", "\u200b": "", "\u200c": "", "\u200d": "",
    "\u2060": "", "\ufeff": "", "\u200e": "", "\u200f": "",
}  # fmt: skip

#: Symbols that are read as words.
SYMBOL_WORDS = {
    "&": "and", "%": "percent", "+": "plus", "@": "at", "=": "equals", "×": "times",
    "÷": "divided by", "±": "plus or minus", "°": "degrees", "§": "section", "¶": "paragraph",
    "#": "number", "№": "number", "$": "dollars", "£": "pounds", "€": "euros", "¥": "yen",
    "¢": "cents", "½": "a half", "¼": "a quarter", "¾": "three quarters", "⅓": "one third",
    "⅔": "two thirds", "⅛": "one eighth", "™": "", "©": "copyright", "®": "", "‰": "per mille",
    "℃": "degrees Celsius", "℉": "degrees Fahrenheit", "µ": "micro", "∞": "infinity",
}  # fmt: skip

_SILENT = frozenset("*_~|^<>\\•·†‡◦▪■●…—–-/'\"“”(),.;:!?¿¡™®")
_LIGATURES = str.maketrans(
    {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"}
)
_DIGIT = re.compile(r"[^\x00-\x7f]")


@lru_cache(maxsize=4096)
def _plain(character: str) -> str:
    """Return what stands for one non-ASCII character."""
    if character in _PLAIN:
        return _PLAIN[character]
    if character in SYMBOL_WORDS:
        return character
    category = unicodedata.category(character)
    if category == "Nd":
        return str(unicodedata.digit(character))
    if category in ("Zs", "Zl", "Zp", "Cc"):
        return " "
    if category in ("Lm", "Ll", "Lu", "Lo", "No", "So", "Sm", "Nl") and not _latin(character):
        compatible = unicodedata.normalize("NFKC", character)
        if compatible != character and all(c.isascii() or _latin(c) for c in compatible):
            return compatible
    return character


def plain(text: str) -> str:
    """Return `text` composed (NFC), with one form of each quotation mark, dash and digit."""
    if text.isascii():
        return text.translate(
            {ord("`"): "'", ord("["): "(", ord("]"): ")", ord("{"): "(", ord("}"): ")"}
        )
    composed = unicodedata.normalize("NFC", text).translate(_LIGATURES)
    composed = _DIGIT.sub(lambda m: _plain(m.group()), composed)
    return composed.translate(
        {ord("["): "(", ord("]"): ")", ord("{"): "(", ord("}"): ")", ord("`"): "'"}
    )


@lru_cache(maxsize=4096)
def _latin(character: str) -> bool:
    """Say whether `character` is a letter of the Latin script."""
    if character.isascii():
        return character.isalpha()
    return character.isalpha() and unicodedata.name(character, "").startswith("LATIN ")


def _sounds(character: str) -> bool:
    return _latin(character) or character.isdigit() or bool(SYMBOL_WORDS.get(character))


@lru_cache(maxsize=8192)
def _speakable(character: str) -> bool:
    """Say whether `character` is spoken, or is punctuation or space that nobody would miss."""
    if character.isspace() or character in _SILENT:
        return True
    forms = _plain(character) if not character.isascii() else character
    if all(_sounds(c) or c.isspace() or c in _SILENT for c in forms):
        return True
    # Combining marks go with their letter; other punctuation and marks of format are silent.
    return unicodedata.category(character) in (
        "Mn",
        "Cf",
        "Cc",
        "Pd",
        "Ps",
        "Pe",
        "Pi",
        "Pf",
        "Po",
        "Pc",
        "Sk",
    )


def unspeakable_characters(text: str) -> set[str]:
    """Return the characters of `text` that no English voice can say.

    Letters of other scripts (Greek, Cyrillic, Chinese, Arabic, ...), emoji and pictures.
    Latin letters with any diacritics, digits of every script, common symbols (&, %, £),
    punctuation and white space are not among them. They are left out by `phonemize`.
    """
    return {c for c in set(text) if not _speakable(c)}


def speakable(text: str) -> bool:
    """Say whether anything in `text` makes a sound: a Latin letter, a digit or a symbol.

    For text without any, `phonemize` returns an empty string.
    """
    return any(_sounds(c) for c in set(plain(text)))
