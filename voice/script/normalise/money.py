"""Sums of money in English: dollars and cents, pounds, shillings and pence."""

from __future__ import annotations

import re
from dataclasses import dataclass

from voice.script.characters import word_set
from voice.script.normalise.numbers import cardinal, number
from voice.script.normalise.rules import NUMBER, Context, Rule, full_stop


@dataclass(frozen=True, slots=True)
class _Currency:
    one: str
    many: str
    small_one: str
    small_many: str


_CURRENCIES = {
    "$": _Currency("dollar", "dollars", "cent", "cents"),
    "£": _Currency("pound", "pounds", "penny", "pence"),
    "€": _Currency("euro", "euros", "cent", "cents"),
    "¥": _Currency("yen", "yen", "sen", "sen"),
    "₹": _Currency("rupee", "rupees", "paisa", "paise"),
    "₽": _Currency("rouble", "roubles", "kopeck", "kopecks"),
    "₩": _Currency("won", "won", "jeon", "jeon"),
}
_NATIONS = {
    "US": "US ",
    "A": "Australian ",
    "AU": "Australian ",
    "C": "Canadian ",
    "NZ": "",
    "": "",
}
_SCALES = {
    "k": "thousand",
    "m": "million",
    "mn": "million",
    "bn": "billion",
    "b": "billion",
    "tn": "trillion",
    "hundred": "hundred",
    "thousand": "thousand",
    "million": "million",
    "billion": "billion",
    "trillion": "trillion",
}
_ATTRIBUTIVE = word_set(
    "bill bills note notes coin coins ticket tickets fine fee fees prize reward loan check cheque "
    "house car dress suit deal contract bond bonds budget mortgage tip bribe"
)


def _sum(match: re.Match[str], context: Context) -> str:
    """Read "$3.50", "£10,000", "€5m", "$5-10", "$5 million"."""
    currency = _CURRENCIES[match["symbol"]]
    nation = _NATIONS.get(match["nation"] or "", "")
    amount = match["amount"]
    scale = _SCALES.get((match["short"] or match["long"] or "").lower(), "")
    british = context.british
    following = re.match(r"\s([a-z]+)", match.string[match.end() :])
    attributive = bool(following) and following.group(1) in _ATTRIBUTIVE  # type: ignore[union-attr]
    to = ""
    if match["to"]:
        to = f" to {number(match['to'], british=british)}"
    whole, _, part = amount.replace(",", "").partition(".")
    if scale or to or len(part) not in {0, 2}:
        said = f"{number(amount, british=british)}{to}{' ' + scale if scale else ''}"
        return f"{said} {nation}{currency.one if attributive else currency.many}"
    large, small = int(whole), int(part or 0)
    said_large = f"{cardinal(large, british=british)} {nation}"
    said_large += currency.one if large == 1 or attributive else currency.many
    if not small:
        return said_large
    said_small = f"{cardinal(small)} {currency.small_one if small == 1 else currency.small_many}"
    return said_small if not large else f"{said_large} and {said_small}"


def _old_pence(count: int) -> str:
    if count == 1:
        return "one penny"
    return f"{cardinal(count)}pence" if count <= 12 else f"{cardinal(count)} pence"


def _old_sum(match: re.Match[str], context: Context) -> str:
    """Read "£12 10s. 6d.", "2s. 6d.", "7s. 6½d."."""
    parts = []
    if match["pounds"]:
        pounds = int(match["pounds"].replace(",", ""))
        said = cardinal(pounds, british=context.british)
        parts.append(f"{said} {'pound' if pounds == 1 else 'pounds'}")
    if match["shillings"]:
        shillings = int(match["shillings"])
        parts.append(f"{cardinal(shillings)} {'shilling' if shillings == 1 else 'shillings'}")
    if match["pence"]:
        pence = int(match["pence"])
        half = {"½": " halfpenny", "¼": " farthing", "¾": " three farthings"}
        odd = half.get(match["odd"] or "", "")
        parts.append(_old_pence(pence) + (f"{odd}" if odd else ""))
    said = ", ".join(parts[:-1]) + " and " + parts[-1] if len(parts) > 1 else parts[0]
    return said + full_stop(match)


def _shillings(match: re.Match[str], _: Context) -> str:
    count = int(match["count"])
    return f"{cardinal(count)} {'shilling' if count == 1 else 'shillings'}"


def _pence(match: re.Match[str], _: Context) -> str:
    return _old_pence(int(match["count"])) + full_stop(match)


def _cents(match: re.Match[str], context: Context) -> str:
    said = number(match["amount"], british=context.british)
    return f"{said} {'cent' if match['amount'] == '1' else 'cents'}"


MONEY: tuple[Rule, ...] = (
    (
        re.compile(
            r"£\s?(?P<pounds>[\d,]*\d)(?:,)?\s(?P<shillings>\d{1,2})\s?s\.?"
            r"(?:,?\s(?P<pence>\d{1,2})(?P<odd>[½¼¾])?\s?d\b\.?)?"
        ),
        _old_sum,
    ),
    (
        re.compile(
            r"(?<![\w.])(?P<pounds>)(?P<shillings>\d{1,2})\s?s\.,?\s"
            r"(?P<pence>\d{1,2})(?P<odd>[½¼¾])?\s?d\b\.?"
        ),
        _old_sum,
    ),
    (re.compile(r"(?<![\w.])(?P<count>\d{1,2})/-"), _shillings),
    (re.compile(r"(?<![\w.])(?P<count>\d{1,2})\s?d\.(?=\s|$|[,;)])"), _pence),
    (
        re.compile(
            rf"(?P<nation>\b(?:US|AU|NZ|A|C))?(?P<symbol>[$£€¥₹₽₩])\s?(?P<amount>{NUMBER})"
            rf"(?:\s?[-–—]\s?[$£€]?(?P<to>{NUMBER}))?"
            r"(?:(?P<short>bn|mn|tn|[mbkKM])\b|[\s-](?P<long>hundred|thousand|million|billion|trillion)\b)?"
        ),
        _sum,
    ),
    (
        re.compile(rf"(?P<amount>{NUMBER})\s?€"),
        lambda match, context: f"{number(match['amount'], british=context.british)} euros",
    ),
    (re.compile(rf"(?P<amount>{NUMBER})\s?¢"), _cents),
)
