"""Money: what the use of a voice costs under its grant.

Amounts are decimal numbers, never floats. A grant's amount is rounded once, on its running
total in the order of the log, and each output bears the difference it made. So the outputs of
a grant add up to its amount to the cent, statements of twelve months add up to that of the
year, and no output's amount depends on how a period was cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation, localcontext

from consent.errors import InputError

FINISHED_MINUTE = "finished-minute"
FINISHED_HOUR = "finished-hour"
FLAT = "flat"
UNITS = (FINISHED_MINUTE, FINISHED_HOUR, FLAT)

_MS_PER_UNIT = {FINISHED_MINUTE: 60_000, FINISHED_HOUR: 3_600_000}

# ISO 4217, minor units; every other currency has two.
_MINOR_UNITS = {
    currency: digits
    for digits, currencies in (
        (0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"),
        (3, "BHD IQD JOD KWD LYD OMR TND"),
        (4, "CLF UYW"),
    )
    for currency in currencies.split()
}


@dataclass(frozen=True, slots=True)
class Price:
    """What a grant asks for the use of a voice.

    Attributes
    ----------
    currency
        ISO 4217 code.
    rate
        Per unit, not negative.
    unit
        ``"finished-minute"``, ``"finished-hour"``, or ``"flat"``: once for the whole grant,
        with its first published output.
    note
        As the parties wrote it.
    """

    currency: str
    rate: Decimal
    unit: str
    note: str = ""

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise InputError(f"unit of the price is {self.unit!r}, expected {', '.join(UNITS)}")
        if not self.rate.is_finite() or self.rate < 0:
            raise InputError(f"the rate of {self.rate} {self.currency} is not an amount of money")

    def exact(self, duration_ms: int) -> Decimal:
        """Return the amount for `duration_ms` of sound so far, unrounded.

        A flat price is due in full with the first output, however short.
        """
        if self.unit == FLAT:
            return self.rate
        with localcontext() as context:
            context.prec = 50
            return self.rate * duration_ms / _MS_PER_UNIT[self.unit]

    def words(self) -> str:
        """Say the price in words.

        >>> Price("EUR", Decimal("12.50"), "finished-minute").words()
        '12.50 EUR per finished minute'
        """
        if self.unit == FLAT:
            return f"{self.rate} {self.currency} once"
        return f"{self.rate} {self.currency} per {self.unit.replace('-', ' ')}"


def rate(text: str) -> Decimal:
    """Read a rate as it stands in a grant.

    Raises
    ------
    InputError
        It is not a plain decimal number.
    """
    try:
        if not text or set(text) - set("0123456789."):
            raise InvalidOperation
        return Decimal(text)
    except InvalidOperation as exc:
        raise InputError(f"the rate {text[:40]!r} is not a plain decimal number") from exc


def minor_units(currency: str) -> int:
    """Return how many decimals amounts of `currency` have.

    >>> minor_units("EUR"), minor_units("JPY"), minor_units("KWD")
    (2, 0, 3)
    """
    return _MINOR_UNITS.get(currency, 2)


def rounded(amount: Decimal, currency: str) -> Decimal:
    """Round to the smallest coin of `currency`, halves up."""
    with localcontext() as context:
        context.prec = 60
        return amount.quantize(Decimal(1).scaleb(-minor_units(currency)), ROUND_HALF_UP)


def shares(price: Price, durations_ms: Sequence[int]) -> list[Decimal]:
    """Return what each output of a grant adds to its amount, in the order of the log.

    Parameters
    ----------
    price
        Of the grant.
    durations_ms
        Of *every* published output of the grant, oldest first: those before the period asked
        for are needed to know where rounding stands.

    Examples
    --------
    >>> third = Price("EUR", Decimal("1"), "finished-minute")
    >>> [str(share) for share in shares(third, [20_000] * 3)]
    ['0.33', '0.34', '0.33']
    """
    found = []
    total_ms = 0
    before = Decimal(0)
    for duration_ms in durations_ms:
        total_ms += duration_ms
        now = rounded(price.exact(total_ms), price.currency)
        found.append(now - before)
        before = now
    return found


def totals(amounts: Iterable[tuple[str, Decimal]]) -> dict[str, Decimal]:
    """Add up (currency, amount) pairs by currency; currencies are never mixed."""
    found: dict[str, Decimal] = {}
    for currency, amount in amounts:
        found[currency] = found.get(currency, Decimal(0)) + amount
    return dict(sorted(found.items()))
