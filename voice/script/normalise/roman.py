"""Roman numerals in headings, names of rulers and references, in English."""

from __future__ import annotations

import re

from voice.script.characters import word_set
from voice.script.normalise.numbers import cardinal, ordinal
from voice.script.normalise.rules import Context, Rule, ends_text

_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}
_VALID = re.compile(r"M{0,3}(?:CM|CD|D?C{0,4})(?:XC|XL|L?X{0,4})(?:IX|IV|V?I{0,4})", re.I)
ROMAN = r"[IVXLCDM]+"

_DIVISIONS = (
    "chapter|part|book|volume|vol|canto|act|scene|section|letter|stave|appendix|article|lesson|"
    "page|pages|plate|figure|fig|table|number|episode|tome|series|psalm|sonnet|ode|hymn|stanza|"
    "lecture|essay|fragment|verse|fit|cap|ch|chap|bk|no|title|phase|stage|type|class|mark|grade|"
    "level|war|apollo|vatican|corps|group|division|schedule|amendment|olympiad|model|protocol"
)
_RULERS = word_set(
    "Alexander Albert Alfonso Andrew Baldwin Benedict Boniface Carlos Catherine Charles Christian "
    "Claudius Clement Constantine Cosimo Darius David Edmund Edward Elizabeth Eugene Felipe "
    "Ferdinand Francis Franz Frederick Friedrich George Gregory Gustav Haakon Harald Henri Henry "
    "Honorius Innocent Isabella Ivan James Joan John José Joseph Julius Justinian Leo Leopold "
    "Louis Ludwig Malcolm Manuel Mary Maximilian Mehmed Michael Murad Napoleon Nicholas Olaf Otto "
    "Paul Pedro Peter Philip Philippe Pius Ptolemy Ramesses Ramses Rameses Richard Robert Rudolf "
    "Rupert Selim Sigismund Sixtus Stephen Suleiman Theodore Theodosius Thutmose Umberto Urban "
    "Victor Vittorio Vladimir Wilhelm Willem William Xerxes Yazid"
) - {"Malcolm"}
_RULER_TITLES = "King|Queen|Pope|Emperor|Empress|Tsar|Czar|Prince|Princess|Sultan|Kaiser|Pharaoh"
_WORDS_LIKE_NUMERALS = word_set(
    "MIX DIM MILD LID DID MID VIM LIVID CIVIC CIVIL VIVID MI DI CD MD DC DM CV"
)
_AFTER_I = r"(?=[.,;:)\]—–-]|['’]s\b|\s*$|\s(?:and|of|to|was|is|had|in|who|at|for|on|has)\b)"


def value(numeral: str) -> int | None:
    """Return what a Roman numeral stands for, or None if it is none.

    Examples
    --------
    >>> value("XIV"), value("xiv"), value("IIII"), value("VX")
    (14, 14, 4, None)
    """
    if not numeral or not _VALID.fullmatch(numeral):
        return None
    total = 0
    letters = [_VALUES[letter] for letter in numeral.upper()]
    for this, following in zip(letters, [*letters[1:], 0], strict=True):
        total += -this if this < following else this
    return total


def _alone(match: re.Match[str], context: Context) -> str:
    """Read a heading that is only a number."""
    number = value(match["roman"]) if match["roman"] else int(match["arabic"])
    if number is None or number == 0:
        return match.group()
    said = cardinal(number, british=context.british)
    return f"Chapter {said}." if context.opens_chapter else f"{said.capitalize()}."


def _leading(match: re.Match[str], context: Context) -> str:
    """Read "IV. DEATH BY WATER" as "Four. ..."."""
    number = value(match["roman"])
    if number is None:
        return match.group()
    return f"{cardinal(number, british=context.british).capitalize()}. "


def _division(match: re.Match[str], context: Context) -> str:
    """Read "CHAPTER XIV", "Act II, scene iii", "World War II"."""
    numeral = match["roman"]
    number = value(numeral)
    if number is None or (numeral.islower() and match["word"][0].isupper() and len(numeral) < 2):
        return match.group()
    if numeral == "I" and re.match(r"\s[a-z]", match.string[match.end() :]):
        after = re.match(r"\s(?:of|and|to|in|was|is|has|at|on|for)\b", match.string[match.end() :])
        if after is None:
            return match.group()
    return f"{match['word']}{match['dot']} {cardinal(number, british=context.british)}"


def _ruler(match: re.Match[str], context: Context) -> str:
    """Read "Henry VIII" as "Henry the eighth"."""
    name, numeral = match["name"], match["roman"]
    number = value(numeral)
    titled = bool(match["title"])
    if number is None or number > 40 or not (titled or name in _RULERS):
        return match.group()
    if numeral == "I" and not re.match(_AFTER_I, match.string[match.end("roman") :]):
        return match.group()
    stop = match["dot"] if match["dot"] and ends_text(match) else ""
    if match["dot"] and not stop and re.match(r"\s[A-Z]", match.string[match.end() :]):
        stop = "."
    return f"{match['title'] or ''}{name} the {ordinal(number)}{stop}"


def _suffix(match: re.Match[str], _: Context) -> str:
    """Read "John Smith III" as "John Smith the third"."""
    number = value(match["roman"])
    return f"{match['name']} the {ordinal(number)}" if number else match.group()


def _century(match: re.Match[str], context: Context) -> str:
    number = value(match["roman"])
    return ordinal(number, british=context.british) if number else match.group()


def _plain(match: re.Match[str], context: Context) -> str:
    """Read what is left and can hardly be anything else: two letters or more of I, V and X."""
    numeral = match.group()
    number = value(numeral)
    if number is None or numeral in _WORDS_LIKE_NUMERALS:
        return numeral
    return cardinal(number, british=context.british)


HEADINGS: tuple[Rule, ...] = (
    (
        re.compile(r"^\s*[\[(]?(?:(?P<roman>[IVXLC]+)|(?P<arabic>\d{1,3}))[\])]?\s*[.:]?\s*$"),
        _alone,
    ),
    (
        re.compile(r"^\s*(?P<roman>[IVX]+|[IVXLC]{2,})(?:[.:]\s+|\s*[—–]\s*|\s+-\s+)(?=\S)"),
        _leading,
    ),
)
"""Only for headings, where a single letter is a number."""

ROMANS: tuple[Rule, ...] = (
    (
        re.compile(
            rf"\b(?P<word>(?i:{_DIVISIONS})s?)(?P<dot>\.?)\s(?P<roman>{ROMAN}|[ivxlc]+)\b(?!['’][a-z]{{2}})"
        ),
        _division,
    ),
    (
        re.compile(
            rf"(?P<title>\b(?:{_RULER_TITLES})\s)?\b(?P<name>[A-Z][a-zé]+)\s(?P<roman>[IVX]+)\b(?P<dot>\.?)"
        ),
        _ruler,
    ),
    (re.compile(r"\b(?P<name>[A-Z][a-z]+\s[A-Z][a-z]+),?\s(?P<roman>III|II|IV)\b"), _suffix),
    (re.compile(rf"\b(?P<roman>{ROMAN})(?:th|st|nd|rd)?(?=\s[Cc]entur(?:y|ies)\b)"), _century),
    (re.compile(r"\b(?<!['’.-])[IVX]{2,}\b(?![-'’]\w)"), _plain),
)
