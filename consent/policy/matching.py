"""What Cedar cannot compare: language ranges, works, territories.

Each function says what is left over, so that a denial can name it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from consent.credentials.codes import COUNTRIES


def _codes(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Members of the European Union, and the parts of members that have codes of their own and in
#: which its law holds.
EUROPEAN_UNION = _codes(
    "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK"
)
_UNION_PARTS = _codes("AX GF GP MF MQ RE YT")
WORLD = "world"

_SUBDIVISION = re.compile(r"([A-Z]{2})-[A-Z0-9]{1,3}")
# Codes that ISO 639 withdrew and that old books still carry.
_OLD_LANGUAGES = {"iw": "he", "in": "id", "ji": "yi"}


def missing_languages(ranges: Iterable[str], tags: Iterable[str]) -> tuple[str, ...]:
    """Return the languages of `tags` that none of `ranges` covers, sorted.

    RFC 4647 extended filtering: ``de`` covers ``de`` and ``de-AT``, ``de-AT`` does not cover
    ``de``, ``*`` covers all.

    >>> missing_languages(["de", "en-GB"], ["de-CH", "en"])
    ('en',)
    """
    wanted = [_subtags(text) for text in ranges]
    return tuple(
        sorted({tag for tag in tags if not any(_covers(one, _subtags(tag)) for one in wanted)})
    )


def covers_work(works: Iterable[tuple[str, str]], title: str, identifier: str) -> bool:
    """Whether one of `works` is the work of that title and identifier; no works cover any.

    A work with an identifier is found by it alone: an edition of the same title is another
    work. ISBN-10 and ISBN-13 of one book are the same. Titles are compared without regard to
    case, spacing, and the kind of dashes and quotation marks.
    """
    named = list(works)
    if not named:
        return True
    asked = normal_identifier(identifier)
    for work_title, work_identifier in named:
        known = normal_identifier(work_identifier)
        if known:
            if known == asked:
                return True
        elif work_title and _normal_title(work_title) == _normal_title(title):
            return True
    return False


def normal_identifier(text: str) -> str:
    """Return an identifier such that equal ones are equal strings.

    >>> normal_identifier("ISBN 0-306-40615-2") == normal_identifier("urn:isbn:9780306406157")
    True
    """
    plain = unicodedata.normalize("NFKC", text).strip()
    bare = re.sub(r"^(?:urn:)?isbn(?:-1[03])?[:\s]*", "", plain, flags=re.IGNORECASE)
    digits = re.sub(r"[\s\u2010-\u2015-]", "", bare).upper()
    if re.fullmatch(r"97[89]\d{10}", digits):
        return f"isbn:{digits}"
    if re.fullmatch(r"\d{9}[\dX]", digits):
        body = f"978{digits[:9]}"
        total = sum(int(d) * (1, 3)[i % 2] for i, d in enumerate(body))
        return f"isbn:{body}{-total % 10}"
    if plain.lower().startswith("urn:"):
        scheme, name, *rest = plain.split(":", 2)
        value = rest[0].lower() if name.lower() == "uuid" and rest else ":".join(rest)
        return f"{scheme.lower()}:{name.lower()}:{value}"
    return plain


def normal_territory(text: str) -> str:
    """Return a territory as policies compare it: upper case, or ``"world"``."""
    plain = text.strip().upper()
    return WORLD if plain in ("", "WORLD", "*") else plain


def countries(territory: str) -> frozenset[str]:
    """Return the countries of a territory; what is not understood counts as the world.

    >>> sorted(countries("us-ca")), sorted(countries("UK"))
    (['US'], ['world'])
    """
    plain = normal_territory(territory)
    if plain in COUNTRIES:
        return frozenset({plain})
    if plain == "EU":
        return EUROPEAN_UNION
    part = _SUBDIVISION.fullmatch(plain)
    if part and part.group(1) in COUNTRIES:
        return frozenset({part.group(1)})
    return frozenset({WORLD})


def reaches(territory: str) -> frozenset[str]:
    """Return which places with rules of their own a territory takes in: ``EU``, ``US-CA``.

    >>> sorted(reaches("world")), sorted(reaches("US-NY")), sorted(reaches("at"))
    (['EU', 'US-CA'], [], ['EU'])
    """
    plain = normal_territory(territory)
    heard = countries(territory)
    found = set()
    if WORLD in heard or heard & (EUROPEAN_UNION | _UNION_PARTS):
        found.add("EU")
    if WORLD in heard or plain in ("US", "US-CA"):
        found.add("US-CA")
    return frozenset(found)


def _subtags(tag: str) -> list[str]:
    parts = tag.strip().replace("_", "-").lower().split("-")
    parts[0] = _OLD_LANGUAGES.get(parts[0], parts[0])
    return parts


def _covers(wanted: list[str], tag: list[str]) -> bool:
    """RFC 4647, 3.3.2."""
    if not tag[0] or (wanted[0] != "*" and wanted[0] != tag[0]):
        return False
    at = 1
    for subtag in wanted[1:]:
        if subtag == "*":
            continue
        while at < len(tag) and tag[at] != subtag:
            if len(tag[at]) == 1:  # what follows a singleton is an extension's, not the range's
                return False
            at += 1
        if at == len(tag):
            return False
        at += 1
    return True


def _normal_title(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text)
    plain = re.sub(r"[\u2018\u2019\u201a\u201b\u2032`´]", "'", plain)
    plain = re.sub(r"[\u201c-\u201f\u2033\u00ab\u00bb]", '"', plain)
    plain = re.sub(r"[\u2010-\u2015\u2212]", "-", plain)
    return " ".join(plain.casefold().split())
