"""Canonical JSON, commitments and times: the same bytes everywhere, and nothing given away."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from consent.canonical import canonical, commitment, new_salt
from consent.clock import FixedClock, SystemClock, rfc3339
from consent.errors import InputError


def test_the_example_of_rfc_8785_comes_out_as_printed() -> None:
    value = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": '\u20ac$\u000f\nA\'B"\\\\"/',
        "literals": [None, True, False],
    }
    assert canonical(value).decode() == (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**53, "\ud800"])
def test_what_json_cannot_say_is_refused(value: object) -> None:
    with pytest.raises(InputError, match="canonical JSON"):
        canonical({"value": value})


def test_a_commitment_cannot_be_guessed_without_its_salt() -> None:
    text = b"It was the best of times"
    salt = new_salt()
    assert commitment(text, salt) == commitment(text, salt)
    assert commitment(text, salt) != commitment(text, new_salt())
    assert commitment(text + b"!", salt) != commitment(text, salt)
    assert commitment(salt[-1:] + text, salt[:-1] + b"xx") != commitment(text, salt)
    with pytest.raises(ValueError, match="16 or more"):
        commitment(text, b"short")


def test_times_are_in_utc_whatever_the_zone_they_come_in() -> None:
    moment = datetime(2028, 2, 29, 23, 30, tzinfo=timezone(timedelta(hours=-5)))
    assert rfc3339(moment) == "2028-03-01T04:30:00.000Z"
    assert datetime.fromisoformat(rfc3339(moment)) == moment
    assert SystemClock().now().tzinfo is not None
    with pytest.raises(ValueError, match="no time zone"):
        FixedClock(datetime(2028, 2, 29))
