"""Dates, times of day, years and spans of years in English."""

from __future__ import annotations

import re

from voice.script.characters import word_list, word_set
from voice.script.normalise.numbers import cardinal, decade, ordinal, year
from voice.script.normalise.rules import MONTH, MONTH_NUMBERS, MONTHS, Context, Rule, full_stop

_YEAR_WORDS = word_list(
    "in of since by from until till before after to and during about around circa year years "
    "early late mid spring summer autumn winter fall between ad anno born died through "
    "edition copyright dated"
)
_PLURAL_EXCEPTIONS = word_set("is was has as its this his us les des")


def _month(text: str) -> str:
    return MONTHS[MONTH_NUMBERS[text.lower().rstrip(".")] - 1]


def _said_year(text: str | None, context: Context) -> str:
    return f", {year(int(text), british=context.british)}" if text else ""


def _day_month(match: re.Match[str], context: Context) -> str:
    """Read "3 May 1914"."""
    day = int(match["day"])
    if not 1 <= day <= 31:
        return match.group()
    said = f"the {ordinal(day)} of {_month(match['month'])}"
    return said + _said_year(match["year"], context)


def _month_day(match: re.Match[str], context: Context) -> str:
    """Read "May 3rd, 1914"."""
    day = int(match["day"])
    if not 1 <= day <= 31:
        return match.group()
    article = "the " if context.british else ""
    said = f"{_month(match['month'])} {article}{ordinal(day)}"
    return said + _said_year(match["year"], context)


def _numeric(match: re.Match[str], context: Context) -> str:
    """Read "1914-05-03" and "03/05/1914" (day first in British English)."""
    if match["iso"]:
        said_year, month, day = int(match["y"]), int(match["m"]), int(match["d"])
    else:
        first, second = int(match["a"]), int(match["b"])
        said_year = int(match["c"])
        day, month = (first, second) if context.british or first > 12 else (second, first)
        if month > 12 >= day:
            day, month = month, day
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return match.group()
    if context.british:
        said = f"the {ordinal(day)} of {MONTHS[month - 1]}"
    else:
        said = f"{MONTHS[month - 1]} {ordinal(day)}"
    return f"{said}, {year(said_year, british=context.british)}"


def _time(match: re.Match[str], context: Context) -> str:
    """Read "3.30 p.m.", "15:45", "5 pm"."""
    hour = int(match["hour"])
    minute = int(match["minute"]) if match["minute"] else 0
    half = (match["half"] or "").replace(".", "").replace(" ", "").upper()
    if hour > 24 or minute > 59:
        return match.group()
    said = cardinal(hour)
    if minute:
        said += f" oh {cardinal(minute)}" if minute < 10 else f" {cardinal(minute)}"
    elif not half:
        said += " o'clock" if 0 < hour <= 12 else " hundred hours"
    return f"{said} {half}{full_stop(match)}" if half else said


def _decade(match: re.Match[str], _: Context) -> str:
    number = int(match["number"])
    if number % 10 or (match["century"] is None and number < 20):
        return match.group()
    whole = int((match["century"] or "") + match["number"])
    return decade(whole)


def _year_span(match: re.Match[str], context: Context) -> str:
    """Read "1914-18", "1716-1785"."""
    first, second = match["first"], match["second"]
    start = int(first)
    end = int(second) if len(second) == 4 else int(first[: 4 - len(second)] + second)
    if not 1000 <= start <= 2100 or not start < end <= 2150:
        return match.group()
    if len(second) == 2 and int(second) >= 10:
        said = cardinal(int(second))
    elif len(second) == 2:
        said = f"oh {cardinal(int(second))}"
    else:
        said = year(end, british=context.british)
    return f"{year(start, british=context.british)} to {said}"


def _lone_year(match: re.Match[str], context: Context) -> str:
    """Read four digits as a year, unless something is clearly counted."""
    number = int(match["year"])
    before = re.findall(r"[\w'.]+|[(]", match.string[max(0, match.start() - 24) : match.start()])
    after = re.match(r"\s+([A-Za-z']+)", match.string[match.end() :])
    previous = before[-1].lower().strip(".") if before else ""
    dated = previous in _YEAR_WORDS or previous == "(" or previous in MONTH_NUMBERS
    if not 1100 <= number <= 2099 and not (dated and 1000 <= number <= 2199):
        return match.group()
    following = after.group(1).lower() if after else ""
    counted = len(following) > 3 and following.endswith("s") and following not in _PLURAL_EXCEPTIONS
    if number == 2000 or (counted and previous not in {"in", "since"}):
        return match.group()
    # "in 1900 2,216,331 people": a comma keeps the two numbers apart.
    apart = "," if re.match(r"\s+\d", match.string[match.end() :]) else ""
    return year(number, british=context.british) + apart


_DAY = r"(?P<day>\d{1,2})"
_YEAR = r"(?:,?\s+(?P<year>1[0-9]\d\d|20\d\d)(?![\d,]|\.\d))?"

DATES: tuple[Rule, ...] = (
    (
        re.compile(
            r"(?<![\d/.-])(?:(?P<iso>(?P<y>\d{4})-(?P<m>\d\d)-(?P<d>\d\d))|"
            r"(?P<a>\d{1,2})/(?P<b>\d{1,2})/(?P<c>\d{4}))(?![\d/-])"
        ),
        _numeric,
    ),
    (
        re.compile(
            rf"(?<![\w.,:/$£€-])(?:the\s+)?{_DAY}(?:st|nd|rd|th)?(?:\s+of)?\s+"
            rf"(?P<month>{MONTH}){_YEAR}(?![\w-])"
        ),
        _day_month,
    ),
    (
        re.compile(
            rf"\b(?P<month>{MONTH})\s+(?:the\s+)?{_DAY}(?:st|nd|rd|th)?\b(?![-–:/]\d|[,.]\d){_YEAR}"
        ),
        _month_day,
    ),
)

TIMES: tuple[Rule, ...] = (
    (
        re.compile(
            r"(?<![\d.:,$£€])(?P<hour>\d{1,2})(?:[:.](?P<minute>[0-5]\d))?\s*"
            r"(?P<half>[ap]\.\s?m\.|[ap]m\b|[AP]\.\s?M\.|[AP]M\b)"
        ),
        _time,
    ),
    (
        re.compile(r"(?<![\d.:,])(?P<hour>[01]?\d|2[0-4]):(?P<minute>[0-5]\d)(?P<half>)(?![\d:])"),
        _time,
    ),
    (
        re.compile(r"(?<=\bat )(?P<hour>[01]?\d|2[0-4])\.(?P<minute>[0-5]\d)(?P<half>)(?![\d%])"),
        _time,
    ),
)

YEARS: tuple[Rule, ...] = (
    # "1911-" with nothing after it: still going on.
    (re.compile(r"(?<=\d{4})[-–—](?=\s*(?:$|[,.;)]))"), lambda match, context: ""),
    (
        re.compile(r"(?<![\w,.])'?(?P<century>1\d|20)?(?P<number>\d0)'?s\b"),
        _decade,
    ),
    (
        re.compile(
            r"(?<![\w.,/-])(?P<first>1\d{3}|20\d\d)\s?[-–—]\s?(?P<second>\d{4}|\d\d)(?![\d/]|,\d|\.\d|-)"
        ),
        _year_span,
    ),
    (
        re.compile(r"(?<![\w.,/$£€#+-])(?P<year>[12]\d{3})(?![\d/%°]|,\d|\.\d|[-–]\d|\w)"),
        _lone_year,
    ),
)
