"""The words of consent documents, one TOML file for each language.

A document is shown in the language its terms were presented in, or in English where there are
no words for that language.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from functools import lru_cache
from importlib.resources import files
from typing import Any

from consent import toml
from consent.clock import to_utc

LOCALES = ("en", "de", "es", "fr")


class Wording:
    """The words of one language, and how it writes dates, numbers and lists.

    Attributes
    ----------
    locale
        Its BCP 47 tag.
    """

    def __init__(self, locale: str, words: dict[str, Any]) -> None:
        self.locale = locale
        self._words = words

    def __call__(self, key: str, **values: str) -> str:
        """Return the text at `key` (``"receipt.title"``) with `values` put in."""
        table, _, name = key.rpartition(".")
        text: str = self._table(table)[name]
        return text.format(**values) if values else text

    def term(self, table: str, code: str) -> str:
        """Return the word for a code, or the code itself where there is none."""
        word: str = self._table(table).get(code, code)
        return word

    def language(self, tag: str) -> str:
        """Return the name of a language: "German (Austria)" for ``de-AT``."""
        if (name := self.term("language", tag)) != tag:
            return name
        base, *rest = tag.split("-")
        name = self.term("language", base.lower())
        details = ", ".join(self.term("country", part) for part in rest)
        return f"{name} ({details})" if details else name

    def joined(self, items: Iterable[str]) -> str:
        """Return a list as a sentence has it: "a, b and c"."""
        *first, last = list(items) or [""]
        return f"{', '.join(first)} {self('and')} {last}" if first else last

    def moment(self, moment: datetime) -> str:
        """Return a time in words, in UTC to the minute."""
        moment = to_utc(moment)
        return self("date", **self._day_words(moment), time=f"{moment:%H:%M}")

    def day(self, day: date) -> str:
        """Return a date in words."""
        return self("day", **self._day_words(day))

    def number(self, text: str) -> str:
        """Return a decimal number, given as Python writes it, with this language's marks."""
        whole, dot, fraction = text.partition(".")
        grouped = f"{int(whole):,}".replace(",", self("group_mark"))
        return grouped + (self("decimal_mark") + fraction if dot else "")

    def _day_words(self, day: date) -> dict[str, str]:
        months: list[str] = self._words["months"]
        return {"day": str(day.day), "month": months[day.month - 1], "year": str(day.year)}

    def _table(self, path: str) -> dict[str, Any]:
        table = self._words
        for name in filter(None, path.split(".")):
            table = table[name]
        return table


def wording(locale: str) -> Wording:
    """Return the words for `locale` (``"de-AT"`` has those of ``"de"``), else the English."""
    language = locale.partition("-")[0].lower()
    return _load(language if language in LOCALES else "en")


@lru_cache
def _load(locale: str) -> Wording:
    source = files(__name__).joinpath(f"{locale}.toml")
    return Wording(locale, toml.parse(source.read_bytes(), f"{locale}.toml"))
