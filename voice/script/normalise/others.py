"""Numbers in other languages than English, through num2words.

What this covers on purpose is little and safe: cardinals, decimals, ordinals with the marks
usual in the language, percentages, a few abbreviations. Languages num2words does not know are
left to the voice.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Language:
    """How a language writes numbers.

    Attributes
    ----------
    thousands
        Separators of thousands, as a character class.
    decimal
        The decimal mark.
    ordinal
        What follows a number to make it an ordinal, as a pattern, or ``""``.
    percent
        The word for "%".
    words
        Abbreviations and signs with what is said for them.
    """

    thousands: str
    decimal: str
    ordinal: str
    percent: str
    point: str
    words: dict[str, str] = field(default_factory=dict)


LANGUAGES: dict[str, Language] = {
    "de": Language(
        thousands=".  ",
        decimal=",",
        ordinal=r"\.(?=\s(?:[a-zäöü]|Januar|Februar|März|April|Mai|Juni|Juli|August|September|"
        r"Oktober|November|Dezember|Jahrhundert|Kapitel))",
        percent="Prozent",
        point="Komma",
        words={
            "z. B.": "zum Beispiel",
            "z.B.": "zum Beispiel",
            "d. h.": "das heißt",
            "d.h.": "das heißt",
            "usw.": "und so weiter",
            "Dr.": "Doktor",
            "Nr.": "Nummer",
            "Hr.": "Herr",
            "Fr.": "Frau",
            "bzw.": "beziehungsweise",
            "€": "Euro",
            "&": "und",
        },
    ),
    "fr": Language(
        thousands="   .",
        decimal=",",
        ordinal=r"(?:er|ère|re|e|ème|eme)\b",
        percent="pour cent",
        point="virgule",
        words={
            "M. ": "Monsieur ",
            "Mme ": "Madame ",
            "Mlle ": "Mademoiselle ",
            "etc.": "et cetera",
            "n°": "numéro ",
            "€": "euros",
            "&": "et",
        },
    ),
    "es": Language(
        thousands=".  ",
        decimal=",",
        ordinal=r"\.?[ºª]",
        percent="por ciento",
        point="coma",
        words={
            "Sr.": "señor",
            "Sra.": "señora",
            "Dr.": "doctor",
            "Dra.": "doctora",
            "Ud.": "usted",
            "Uds.": "ustedes",
            "etc.": "etcétera",
            "€": "euros",
            "&": "y",
        },
    ),
    "it": Language(
        thousands=".  ",
        decimal=",",
        ordinal=r"\.?[ºª°]",
        percent="per cento",
        point="virgola",
        words={
            "Sig. ": "signor ",
            "Sig.ra": "signora",
            "Dott.": "dottor",
            "ecc.": "eccetera",
            "€": "euro",
            "&": "e",
        },
    ),
}
"""Add a language here; its numbers come from num2words under the same code."""

LARGEST = 10**15


def say_numbers(text: str, language: str) -> str:
    """Write the numbers of a text in words.

    Parameters
    ----------
    language
        Primary subtag. Languages without an entry in :data:`LANGUAGES` come back unchanged.
    """
    rules = LANGUAGES.get(language)
    if rules is None:
        return text
    for short, said in rules.words.items():
        if short in text:
            joined = re.escape(short)
            pattern = rf"(?<!\w){joined}" if short[0].isalpha() else rf"\s?{joined}"
            text = re.sub(pattern, said if short[0].isalpha() else f" {said}", text)
    if not any(character.isdigit() for character in text):
        return text
    separators = f"[{re.escape(rules.thousands)}]"
    fraction = rf"(?:{rules.decimal}\d+)?"
    number = rf"(?<!\w)\d{{1,3}}(?:{separators}\d{{3}})+{fraction}|\d+{fraction}"
    say = _speaker(language, rules)
    if rules.ordinal:
        text = re.sub(rf"(\d+){rules.ordinal}", lambda m: say(m.group(1), "ordinal"), text)
    text = re.sub(
        rf"({number})\s?%", lambda m: f"{say(m.group(1), 'cardinal')} {rules.percent}", text
    )
    return re.sub(number, lambda m: say(m.group(), "cardinal"), text)


def _speaker(language: str, rules: Language) -> Callable[[str, str], str]:
    from num2words import num2words  # slow to import, and only some books need it

    def say(text: str, kind: str) -> str:
        whole, _, part = text.partition(rules.decimal)
        value = int("".join(character for character in whole if character.isdigit()))
        if value >= LARGEST:
            return " ".join(str(num2words(int(digit), lang=language)) for digit in str(value))
        said = str(num2words(value, lang=language, to=kind))
        if part:
            digits = " ".join(str(num2words(int(digit), lang=language)) for digit in part)
            said = f"{said} {rules.point} {digits}"
        return said

    return say
