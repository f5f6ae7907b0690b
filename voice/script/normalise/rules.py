"""How the steps of normalisation are written: patterns with functions, and what they may know."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from voice.script.characters import word_list

MONTHS = word_list(
    "January February March April May June July August September October November December"
)
MONTH_NUMBERS = {name.lower(): index for index, name in enumerate(MONTHS, 1)} | {
    name[:3].lower(): index for index, name in enumerate(MONTHS, 1)
}
MONTH_NUMBERS["sept"] = 9
MONTH = (
    r"(?:January|February|March|April|May|June|July|August|September|October|November|December|"
    r"(?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept|Sep|Oct|Nov|Dec)\b\.?)"
)
NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
"""A whole or decimal number, with or without thousands separators."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a rule may know about the text it works on.

    Attributes
    ----------
    british
        English as in Britain ("one hundred and five", "the third of May").
    heading
        The text is a heading.
    opens_chapter
        It is the first heading of a chapter.
    """

    british: bool = False
    heading: bool = False
    opens_chapter: bool = False


Rule = tuple[re.Pattern[str], Callable[[re.Match[str], Context], str]]


def apply(rules: Sequence[Rule], text: str, context: Context) -> str:
    """Apply rules in order, each to the whole text."""
    for pattern, replace in rules:
        if pattern.search(text):
            text = pattern.sub(lambda match, f=replace: f(match, context), text)  # type: ignore[misc]
    return text


def ends_text(match: re.Match[str]) -> bool:
    """Say whether nothing but closing marks follows: a dropped full stop must then be kept."""
    return not match.string[match.end() :].strip(" \"'”’)]»")


def full_stop(match: re.Match[str]) -> str:
    """Return the full stop of an abbreviation if it also ends the sentence."""
    return "." if match.group().rstrip().endswith(".") and ends_text(match) else ""
