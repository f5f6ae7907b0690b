"""The numbers that are left: ordinals, fractions, ranges, decimals, telephone numbers, counts."""

from __future__ import annotations

import re
import unicodedata

from voice.script.normalise.numbers import cardinal, digits, fraction, number, ordinal
from voice.script.normalise.rules import NUMBER, Context, Rule

_VULGAR = "½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅐⅛⅜⅝⅞⅑⅒"
_SPECIAL = {"24/7": "twenty-four seven", "9/11": "nine eleven", "50/50": "fifty-fifty"}
LONG = 15
"""Digits: longer numbers without separators are read one by one."""


def _ordinal(match: re.Match[str], context: Context) -> str:
    return ordinal(int(match["number"].replace(",", "")), british=context.british)


def _vulgar(match: re.Match[str], context: Context) -> str:
    """Read "½" and "2½"."""
    parts = unicodedata.normalize("NFKC", match["sign"]).split("⁄")
    said = fraction(int(parts[0]), int(parts[1]), british=context.british)
    if not match["whole"]:
        return said
    if said.startswith("one "):
        said = f"a {said[4:]}"
    return f"{number(match['whole'], british=context.british)} and {said}"


def _fraction(match: re.Match[str], context: Context) -> str:
    """Read "3/4" and "2 1/2"."""
    text = match.group()
    if text in _SPECIAL:
        return _SPECIAL[text]
    top, bottom = int(match["top"]), int(match["bottom"])
    if not match["whole"] and (top > bottom or bottom > 100):
        return f"{cardinal(top)} {'out of' if top <= bottom else 'over'} {cardinal(bottom)}"
    said = fraction(top, bottom, british=context.british)
    if match["whole"]:
        said = f"a {said[4:]}" if said.startswith("one ") else said
        return f"{cardinal(int(match['whole']), british=context.british)} and {said}"
    return said


def _telephone(match: re.Match[str], _: Context) -> str:
    plus = "plus " if match.group().startswith("+") else ""
    return plus + digits(match.group().lstrip("+"))


def _range(match: re.Match[str], context: Context) -> str:
    first, second = match["first"], match["second"]
    low, high = float(first.replace(",", "")), float(second.replace(",", ""))
    hyphen = match["dash"] == "-"
    if len(second) < len(first) and "." not in second + first and "," not in first:
        # "110-12" is short for 110 to 112.
        high = float(first[: len(first) - len(second)] + second)
        if high > low:
            return (
                f"{number(first, british=context.british)} to "
                f"{number(first[: len(first) - len(second)] + second, british=context.british)}"
            )
    joint = " to " if low < high or not hyphen else " "
    return (
        f"{number(first, british=context.british)}{joint}{number(second, british=context.british)}"
    )


def _signed(match: re.Match[str], context: Context) -> str:
    sign = "plus" if match["sign"] == "+" else "minus"
    return f"{sign} {number(match['number'], british=context.british)}"


def _plain(match: re.Match[str], context: Context) -> str:
    text = match.group()
    bare = text.replace(",", "")
    whole = bare.partition(".")[0]
    if len(whole) > LONG or (len(whole) > 1 and whole.startswith("0")):
        return digits(bare) if "." not in bare else number(text, british=context.british)
    return number(text, british=context.british)


def _dotted(match: re.Match[str], _: Context) -> str:
    """Read "1.2.3" (a version, a section) with "point" between the numbers."""
    return " point ".join(
        cardinal(int(part)) if len(part) < 4 else digits(part) for part in match.group().split(".")
    )


def _separate(match: re.Match[str], _: Context) -> str:
    return f"{match.group()} "


COUNTING: tuple[Rule, ...] = (
    (
        re.compile(r"\b(?P<number>\d{1,3}(?:,\d{3})+|\d+)(?:st|nd|rd|th|ST|ND|RD|TH)\b"),
        _ordinal,
    ),
    (re.compile(rf"(?P<whole>\d[\d,]*)?\s?(?P<sign>[{_VULGAR}])"), lambda m, c: _spaced(m, c)),
    (
        re.compile(
            r"(?<![\d/.,])(?:(?P<whole>\d{1,4})[\s-])?(?P<top>\d{1,4})[/⁄](?P<bottom>\d{1,4})(?![\d/]|[.,]\d)"
        ),
        _fraction,
    ),
    (
        re.compile(
            r"(?<![\w.,-])(?:\+\d[\d\s().-]{6,18}\d|\(?\d{3,5}\)?[\s.-]\d{3,4}[\s.-]\d{3,6}|"
            r"\d{3}-\d{4}|0\d{2,4}\s\d{5,7})(?![\w,.]\d|\w|-\d)"
        ),
        _telephone,
    ),
    (re.compile(r"(?<![\w.])\d+(?:\.\d+){2,}(?![\w])"), _dotted),
    (
        re.compile(
            rf"(?<![\w.,-])(?P<first>{NUMBER})\s?(?P<dash>[-–—])\s?(?P<second>{NUMBER})(?![\w-]|[.,]\d)"
        ),
        _range,
    ),
    (re.compile(rf"(?<![\w)\d])(?P<sign>[+−]|-(?=\d))(?P<number>{NUMBER})(?![\w-])"), _signed),
    # Letters and digits grown together: "B52", "MP3", "4x4".
    (re.compile(r"(?<=[A-Za-z])-?(?=\d)"), lambda match, context: " "),
    (re.compile(rf"(?:{NUMBER})(?=[A-Za-z])"), _separate),
    (re.compile(rf"{NUMBER}"), _plain),
)


def _spaced(match: re.Match[str], context: Context) -> str:
    """Put spaces around a fraction that stood close to its neighbours."""
    before = match.string[match.start() - 1 : match.start()]
    after = match.string[match.end() : match.end() + 1]
    lead = " " if before.isalnum() or match.group()[0].isspace() else ""
    return f"{lead}{_vulgar(match, context)}{' ' if after.isalnum() else ''}"
