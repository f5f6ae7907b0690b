"""Numbers as English words: cardinals, ordinals, years, decimals, fractions, single digits."""

from __future__ import annotations

from voice.script.characters import word_list

_ONES = word_list(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
)
_TENS = word_list("_ _ twenty thirty forty fifty sixty seventy eighty ninety")
_SCALES = word_list(
    "_ thousand million billion trillion quadrillion quintillion sextillion septillion octillion"
)
LARGEST = 10 ** (3 * len(_SCALES)) - 1

_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
_DENOMINATORS = {2: ("half", "halves"), 4: ("quarter", "quarters")}


def cardinal(number: int, *, british: bool = False) -> str:
    """Return a number in words.

    Parameters
    ----------
    number
        Up to 10**30 in magnitude; larger ones are read digit by digit.
    british
        Say "one hundred and five" instead of "one hundred five".

    Examples
    --------
    >>> cardinal(1914), cardinal(105, british=True)
    ('one thousand nine hundred fourteen', 'one hundred and five')
    """
    if number < 0:
        return f"minus {cardinal(-number, british=british)}"
    if number > LARGEST:
        return digits(str(number))
    if number < 20:
        return _ONES[number]
    groups: list[str] = []
    scale = 0
    rest = number
    while rest:
        rest, group = divmod(rest, 1000)
        if group:
            words = _below_thousand(group, british)
            if scale:
                words = f"{words} {_SCALES[scale]}"
            elif british and group < 100 and number > 1000:
                words = f"and {words}"
            groups.append(words)
        scale += 1
    return " ".join(reversed(groups))


def _below_thousand(number: int, british: bool) -> str:
    hundreds, rest = divmod(number, 100)
    parts = []
    if hundreds:
        parts.append(f"{_ONES[hundreds]} hundred")
    if rest:
        if hundreds and british:
            parts.append("and")
        parts.append(_below_hundred(rest))
    return " ".join(parts)


def _below_hundred(number: int) -> str:
    if number < 20:
        return _ONES[number]
    tens, ones = divmod(number, 10)
    return _TENS[tens] if not ones else f"{_TENS[tens]}-{_ONES[ones]}"


def ordinal(number: int, *, british: bool = False) -> str:
    """Return a number as an ordinal in words (``21`` -> ``"twenty-first"``)."""
    words = cardinal(number, british=british)
    head, separator, last = words.rpartition("-" if "-" in words.split(" ")[-1] else " ")
    if last in _ORDINALS:
        last = _ORDINALS[last]
    elif last.endswith("y"):
        last = f"{last[:-1]}ieth"
    else:
        last = f"{last}th"
    return f"{head}{separator}{last}"


def year(number: int, *, british: bool = False) -> str:
    """Return a year as it is said.

    Examples
    --------
    >>> [year(n) for n in (1914, 1900, 1905, 2000, 2008, 2015, 1066, 476)]
    ['nineteen fourteen', 'nineteen hundred', 'nineteen oh five', 'two thousand', \
'two thousand eight', 'twenty fifteen', 'ten sixty-six', 'four seventy-six']
    """
    if number < 100 or number > 9999:
        return cardinal(number, british=british)
    century, rest = divmod(number, 100)
    if 2000 <= number < 2010 or (rest == 0 and century % 10 == 0):
        return cardinal(number, british=british)
    if rest == 0:
        return f"{_below_hundred(century)} hundred"
    if rest < 10:
        return f"{_below_hundred(century)} oh {_ONES[rest]}"
    return f"{_below_hundred(century)} {_below_hundred(rest)}"


def decade(number: int) -> str:
    """Return the name of a decade or century (``1920`` -> ``"nineteen twenties"``)."""
    century, rest = divmod(number, 100)
    if number >= 1000 and rest == 0:
        if century % 10 == 0:
            return f"{cardinal(number)}s"
        return f"{_below_hundred(century)} hundreds"
    tens = _TENS[rest // 10] if rest >= 20 else {10: "ten"}.get(rest, "")
    plural = f"{tens[:-1]}ies" if tens.endswith("y") else f"{tens}s"
    return plural if number < 100 else f"{_below_hundred(century)} {plural}"


def digits(text: str) -> str:
    """Read digits one by one; anything else between them is a short break."""
    words: list[str] = []
    for character in text:
        if character.isdigit():
            words.append(_ONES[int(character)])
        elif words and not words[-1].endswith(","):
            words[-1] += ","
    return " ".join(words).rstrip(",")


def decimal(text: str, *, british: bool = False) -> str:
    """Read a decimal number such as ``"3.14"`` or ``".5"``."""
    whole, _, fraction = text.replace(",", "").partition(".")
    head = cardinal(int(whole), british=british) if whole else "zero" if not british else "nought"
    return f"{head} point {digits(fraction)}" if fraction else head


def number(text: str, *, british: bool = False) -> str:
    """Read a number with optional thousands separators and decimals (``"1,234.5"``)."""
    plain = text.replace(",", "")
    if "." in plain:
        return decimal(plain, british=british)
    return cardinal(int(plain), british=british)


def fraction(top: int, bottom: int, *, british: bool = False) -> str:
    """Read a fraction (``3, 4`` -> ``"three quarters"``)."""
    if bottom == 0 or bottom > 100 or top > 1000:
        return f"{cardinal(top, british=british)} over {cardinal(bottom, british=british)}"
    if bottom == 1:
        return f"{cardinal(top, british=british)} over one"
    one = ordinal(bottom, british=british)
    singular, plural = _DENOMINATORS.get(bottom, (one, f"{one}s"))
    return f"{cardinal(top, british=british)} {singular if top == 1 else plural}"
