"""Digits into words.

The script stage has read numbers in their context already; this is for text that comes
straight from a program or the command line.
"""

from __future__ import annotations

import re

_ONES = tuple(
    re.findall(
        r"\w+",
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
        "fifteen sixteen seventeen eighteen nineteen",
    )
)
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SCALES = ("", "thousand", "million", "billion", "trillion", "quadrillion", "quintillion")
_ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth",
    "nine": "ninth", "twelve": "twelfth",
}  # fmt: skip
_UNITS = {"$": ("dollar", "cent"), "£": ("pound", "penny"), "€": ("euro", "cent")}
_NUMBER = re.compile(r"(?P<unit>[$£€]?)(?P<minus>-?)(?P<digits>[\d,.]*\d)(?P<end>st|nd|rd|th|'?s)?")
_ROMAN = re.compile(r"M{0,3}(CM|CD|D?C{0,3})(XC|XL|L?X{0,3})(IX|IV|V?I{0,3})$")
_ROMAN_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}


def _below_thousand(number: int, british: bool) -> list[str]:
    words: list[str] = []
    if number >= 100:
        words += [_ONES[number // 100], "hundred"]
        number %= 100
        if number and british:
            words.append("and")
    if number >= 20:
        words.append(_TENS[number // 10])
        number %= 10
        if number:
            words.append(_ONES[number])
    elif number:
        words.append(_ONES[number])
    return words


def cardinal(number: int, *, british: bool = False) -> list[str]:
    """Return the words of a whole number of at most 21 digits."""
    if number == 0:
        return ["zero"]
    words: list[str] = []
    for power in range(len(_SCALES) - 1, -1, -1):
        part = number // 1000**power % 1000
        if part:
            if british and power == 0 and words and part < 100:
                words.append("and")
            words += _below_thousand(part, british)
            if power:
                words.append(_SCALES[power])
    return words


def ordinal(number: int, *, british: bool = False) -> list[str]:
    """Return the words of the ordinal of a whole number."""
    *words, last = cardinal(number, british=british)
    if last in _ORDINALS:
        last = _ORDINALS[last]
    elif last.endswith("y"):
        last = last[:-1] + "ieth"
    else:
        last += "th"
    return [*words, last]


def _year(number: int) -> list[str]:
    high, low = divmod(number, 100)
    if low == 0 and high % 10 == 0:
        return cardinal(number)
    if low == 0:
        return [*cardinal(high), "hundred"]
    if high % 10 == 0 and low < 10:
        return cardinal(number)
    return [*cardinal(high), *(["oh", _ONES[low]] if low < 10 else cardinal(low))]


def _plural(words: list[str]) -> list[str]:
    last = words[-1]
    return [
        *words[:-1],
        last[:-1] + "ies" if last.endswith("y") else last + ("es" if last == "six" else "s"),
    ]


def number_words(text: str, *, british: bool = False) -> list[str]:
    """Return the words of a number as it is written.

    Parameters
    ----------
    text
        Digits, with thousands separators, decimals, an ordinal ending, a plural s, a minus
        sign or a currency sign: ``1,250``, ``3.14``, ``2nd``, ``1920s``, ``$2.50``. Four digits
        alone are read as a year from 1100 to 2099.
    """
    match = _NUMBER.fullmatch(text)
    if match is None:
        return [_ONES[int(c)] for c in text if c.isascii() and c.isdigit()]
    unit, digits, end = match["unit"], match["digits"], match["end"]
    whole, _, decimals = digits.replace(",", "").partition(".")
    minus = ["minus"] if match["minus"] else []
    if "." in decimals or len(whole) > 21 or (len(whole) > 1 and whole[0] == "0"):
        return [*minus, *(_ONES[int(c)] if c != "." else "point" for c in digits if c != ",")]
    number = int(whole or "0")
    if unit:
        return [*minus, *_money(unit, number, decimals, british)]
    if decimals:
        spoken = cardinal(number, british=british)
        return [*minus, *spoken, "point", *(_ONES[int(c)] for c in decimals)]
    if end in ("st", "nd", "rd", "th"):
        return [*minus, *ordinal(number, british=british)]
    alone = "," not in digits and len(whole) == 4
    words = _year(number) if alone and 1100 <= number <= 2099 else cardinal(number, british=british)
    return [*minus, *(_plural(words) if end else words)]


def _money(unit: str, number: int, decimals: str, british: bool) -> list[str]:
    one, part = _UNITS[unit]
    small = int(decimals[:2].ljust(2, "0")) if decimals else 0
    words: list[str] = []
    if number or not small:
        words += [*cardinal(number, british=british), one if number == 1 else one + "s"]
    if small:
        many = "pence" if part == "penny" else part + "s"
        words += [*(["and"] if words else []), *cardinal(small), part if small == 1 else many]
    return words


def roman_value(text: str) -> int | None:
    """Return the value of a capital roman numeral up to 3999, or None."""
    if not text or not _ROMAN.match(text):
        return None
    total = 0
    for c, following in zip(text, [*text[1:], "I"], strict=True):
        value = _ROMAN_VALUES[c]
        total += -value if value < _ROMAN_VALUES[following] else value
    return total
