from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.audit.amounts import Price, minor_units, rate, rounded, shares, totals
from consent.errors import InputError

PRICES = st.builds(
    Price,
    currency=st.sampled_from(["EUR", "JPY", "KWD"]),
    rate=st.decimals(0, 10_000, allow_nan=False, allow_infinity=False, places=4),
    unit=st.sampled_from(["finished-minute", "finished-hour", "flat"]),
)
DURATIONS = st.lists(st.integers(0, 40_000_000), min_size=1, max_size=40)


@given(PRICES, DURATIONS)
def test_outputs_add_up_to_the_amount_of_the_grant_to_the_coin(
    price: Price, durations: list[int]
) -> None:
    assert sum(shares(price, durations)) == rounded(price.exact(sum(durations)), price.currency)


@given(PRICES, DURATIONS, st.integers(0, 40))
def test_what_an_output_costs_does_not_depend_on_what_comes_later(
    price: Price, durations: list[int], cut: int
) -> None:
    assert shares(price, durations)[:cut] == shares(price, durations[:cut])


@given(PRICES, DURATIONS)
def test_no_output_costs_less_than_nothing(price: Price, durations: list[int]) -> None:
    assert all(share >= 0 for share in shares(price, durations))


def test_a_flat_price_is_due_once_with_the_first_output() -> None:
    flat = Price("EUR", Decimal(500), "flat")
    assert shares(flat, [1, 60_000, 60_000]) == [Decimal(500), Decimal(0), Decimal(0)]
    assert shares(flat, []) == []


def test_an_hour_costs_sixty_minutes() -> None:
    hourly = Price("EUR", Decimal("90"), "finished-hour")
    minutely = Price("EUR", Decimal("1.5"), "finished-minute")
    assert hourly.exact(5_400_000) == minutely.exact(5_400_000) == Decimal(135)


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [("0.125", "EUR", "0.13"), ("0.5", "JPY", "1"), ("0.0005", "KWD", "0.001")],
)
def test_amounts_have_the_decimals_of_their_currency(
    amount: str, currency: str, expected: str
) -> None:
    assert str(rounded(Decimal(amount), currency)) == expected
    assert minor_units(currency) == len(expected.partition(".")[2])


def test_currencies_are_never_mixed() -> None:
    found = totals([("USD", Decimal(1)), ("EUR", Decimal(2)), ("USD", Decimal(3))])
    assert found == {"EUR": Decimal(2), "USD": Decimal(4)}


@pytest.mark.parametrize("text", ["", "1e9", "-1", "NaN", "1,50", "٣", "1.2.3", " 1"])
def test_a_rate_is_a_plain_decimal_number(text: str) -> None:
    with pytest.raises(InputError, match="not a plain decimal number"):
        rate(text)
    assert rate("12.50") == Decimal("12.50")


def test_a_price_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match="unit of the price is 'word'"):
        Price("EUR", Decimal(1), "word")
    with pytest.raises(InputError, match="not an amount of money"):
        Price("EUR", Decimal("NaN"), "flat")
