"""Text as written to text as spoken: numbers, dates, money, abbreviations, symbols.

The steps run in a fixed order, from what is most specific (an address, a date) to what is left
(a bare number). English has rules of its own; other languages have a table.
"""

from __future__ import annotations

import re

from voice.script.characters import clean, primary
from voice.script.normalise.abbreviations import ABBREVIATIONS, REFERENCES
from voice.script.normalise.capitals import lower_shouts
from voice.script.normalise.counting import COUNTING
from voice.script.normalise.dates import DATES, TIMES, YEARS
from voice.script.normalise.money import MONEY
from voice.script.normalise.others import LANGUAGES, say_numbers
from voice.script.normalise.roman import HEADINGS, ROMANS
from voice.script.normalise.rules import Context, apply
from voice.script.normalise.symbols import AFTER_NUMBERS, BEFORE_NUMBERS, typography, web
from voice.script.normalise.units import UNITS

__all__ = ["LANGUAGES", "normalise"]

__all__ = ["LANGUAGES", "normalise"]

_AMERICAN = frozenset({"us", "ph", "pr"})


_NUMERIC = re.compile(r"[\d½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅐⅛⅜⅝⅞⅑⅒№]")
_ROMAN = re.compile(r"(?<![\w'’])(?:[IVXLCDM]+|[ivxlc]+)(?!\w)")
_BARE = re.compile(r"\b(?:St|Dr|Mr|Mrs|Messrs|Mme|Mlle|w/|pp?\s)")
_SYMBOL = re.compile(r"[^\w\s.,;:!?'\"()—…-]|_|\d\s?[xX]\s?\d|[α-ωΔΣΩ]")


def normalise(
    text: str, language: str = "en", *, heading: bool = False, opens_chapter: bool = False
) -> str:
    """Write `text` as it is spoken.

    Parameters
    ----------
    text
        One sentence, heading or line.
    language
        BCP 47 tag. ``en-US`` and plain ``en`` count as American, other English as British.
    heading
        The text is a heading: a lone numeral is a number.
    opens_chapter
        It is the first heading of a chapter: a lone numeral is "Chapter five".

    Returns
    -------
    str
        Words and punctuation only; words left in capitals are meant to be spelled out. Never
        contains square brackets.

    Examples
    --------
    >>> normalise("Dr. Watson paid $3.50 on 3 May 1914.", "en-GB")
    'Doctor Watson paid three dollars and fifty cents on the third of May, nineteen fourteen.'
    >>> normalise("XIV", heading=True, opens_chapter=True)
    'Chapter fourteen.'
    """
    text = clean(text).strip()
    if not text:
        return ""
    if primary(language) == "en":
        region = language.lower().replace("_", "-").split("-")[-1]
        british = region not in _AMERICAN and region != "en"
        text = _english(text, Context(british, heading, opens_chapter))
    else:
        text = say_numbers(typography(web(text)), primary(language))
        text = apply(AFTER_NUMBERS[-2:], text, Context())
    return _tidy(text)


def _english(text: str, context: Context) -> str:
    text = web(text)
    text = typography(text)
    if context.heading:
        text = apply(HEADINGS, text, context)
    # Most sentences hold no number at all: one look spares them dozens of patterns.
    numeric = bool(_NUMERIC.search(text))
    if numeric or _ROMAN.search(text):
        text = apply(REFERENCES, text, context)
        text = apply(ROMANS, text, context)
    if numeric:
        for rules in (DATES, TIMES, MONEY, UNITS):
            text = apply(rules, text, context)
    if "." in text or numeric or _BARE.search(text):
        text = apply(ABBREVIATIONS, text, context)
    symbols = bool(_SYMBOL.search(text))
    if symbols:
        text = apply(BEFORE_NUMBERS, text, context)
    if numeric:
        text = apply(YEARS, text, context)
        text = apply(COUNTING, text, context)
    if symbols:
        text = apply(AFTER_NUMBERS, text, context)
    return lower_shouts(text)


def _tidy(text: str) -> str:
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r"\s+([,.;:!?…)])", r"\1", text)
    text = re.sub(r"\(\s+", "(", text)
    text = re.sub(r" (?='s\b)", "", text)
    text = re.sub(r"([,;:])(?:\s*[,;:])+", r"\1", text)
    return re.sub(r"(?:\(\s*\))", "", text).strip()
