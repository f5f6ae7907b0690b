"""What no signature makes good: too long, too young, by nobody's right. Every rule is named."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from credentials_kit import ANNA, ENTRY, MANDATE, NOW, did_of, forged, payload, terms

from consent.credentials.grant import (
    Basis,
    RuleError,
    add_years,
    check_rules,
    draft_grant,
    open_grant,
)
from consent.errors import RefusedError

SECOND = timedelta(seconds=1)
GUARDIAN = Basis(kind="guardian", mandate=MANDATE, proof="a" * 64)


def broken(rule: str, *, now: datetime = NOW, **changes: Any) -> None:
    with pytest.raises(RefusedError) as caught:
        check_rules(terms(**changes), now)
    assert isinstance(caught.value, RuleError)
    assert caught.value.rule == rule
    assert f"[{rule}]" in str(caught.value)
    assert caught.value.hint


def holds(*, now: datetime = NOW, **changes: Any) -> None:
    check_rules(terms(**changes), now)


@pytest.mark.parametrize(
    ("start", "years", "end"),
    [
        ("2026-11-21T12:00:00Z", 10, "2036-11-21T12:00:00Z"),
        ("2028-02-29T12:00:00Z", 10, "2038-02-28T12:00:00Z"),
        ("2028-02-29T12:00:00Z", 4, "2032-02-29T12:00:00Z"),
        ("2027-02-28T23:59:59Z", 1, "2028-02-28T23:59:59Z"),
        ("2026-01-01T00:30:00+01:00", 10, "2035-12-31T23:30:00Z"),
    ],
)
def test_a_year_later_is_the_same_day_of_the_calendar(start: str, years: int, end: str) -> None:
    moment = datetime.fromisoformat(start)
    assert add_years(moment, years) == datetime.fromisoformat(end)


def test_ten_years_to_the_second_and_no_more() -> None:
    limit = datetime(2036, 11, 21, 12, tzinfo=UTC)
    holds(valid_until=limit)
    broken("term/ten-years", valid_until=limit + SECOND)


def test_ten_years_from_a_leap_day_end_on_28_february() -> None:
    start = datetime(2028, 2, 29, 9, tzinfo=UTC)
    limit = datetime(2038, 2, 28, 9, tzinfo=UTC)
    holds(now=start, valid_from=start, valid_until=limit)
    broken("term/ten-years", now=start, valid_from=start, valid_until=limit + SECOND)


def test_ten_years_are_counted_in_utc_whatever_the_zone() -> None:
    zone = timezone(timedelta(hours=14))
    start = datetime(2027, 1, 1, 1, tzinfo=zone)
    holds(now=start, valid_from=start, valid_until=datetime(2037, 1, 1, 1, tzinfo=zone))
    broken(
        "term/ten-years",
        now=start,
        valid_from=start,
        valid_until=datetime(2037, 1, 1, 1, tzinfo=UTC),
    )


def test_a_grant_that_begins_later_does_not_last_longer() -> None:
    # Otherwise a chain of grants, all signed today, would be a grant for ever.
    later = add_years(NOW, 10)
    broken("term/ten-years", valid_from=later, valid_until=add_years(later, 10))
    holds(valid_from=later - timedelta(days=1), valid_until=later)


def test_a_grant_ends_after_it_begins_and_after_it_is_signed() -> None:
    broken("term/order", valid_until=NOW)
    broken("term/order", valid_until=NOW - SECOND)
    broken("term/over", now=NOW + timedelta(days=366))


def test_a_mandate_is_named_by_all_but_the_person_themselves() -> None:
    holds(basis=Basis(kind="self"))
    broken("basis/self", basis=Basis(kind="self", mandate=MANDATE))
    broken("basis/agent", basis=Basis(kind="agent"))
    holds(basis=Basis(kind="agent", mandate=MANDATE))


def test_an_estate_needs_its_mandate_and_its_proof() -> None:
    broken("basis/estate", basis=Basis(kind="estate"))
    broken("basis/estate", basis=Basis(kind="estate", mandate=MANDATE))
    broken("basis/estate", basis=Basis(kind="estate", proof="a" * 64))
    holds(basis=Basis(kind="estate", mandate=MANDATE, proof="a" * 64))


def test_a_guardian_grants_five_years_to_the_second() -> None:
    birthday = date(2040, 6, 1)
    limit = datetime(2031, 11, 21, 12, tzinfo=UTC)
    holds(basis=GUARDIAN, minor_until=birthday, valid_until=limit)
    broken("term/minor", basis=GUARDIAN, minor_until=birthday, valid_until=limit + SECOND)


def test_a_guardians_grant_ends_on_the_18th_birthday() -> None:
    birthday = date(2028, 2, 29)
    limit = datetime(2028, 2, 29, tzinfo=UTC)
    holds(basis=GUARDIAN, minor_until=birthday, valid_until=limit)
    broken("term/minor", basis=GUARDIAN, minor_until=birthday, valid_until=limit + SECOND)
    broken("term/minor", basis=GUARDIAN, minor_until=date(2026, 1, 1))


def test_a_guardian_needs_mandate_proof_and_the_birthday() -> None:
    birthday = date(2030, 1, 1)
    broken("basis/guardian", basis=Basis(kind="guardian", mandate=MANDATE), minor_until=birthday)
    broken("basis/guardian", basis=GUARDIAN)
    broken("term/minor", basis=GUARDIAN, minor_until=date(2099, 1, 1))


@pytest.mark.parametrize("kind", ["self", "agent", "estate"])
def test_nobody_but_a_guardian_grants_the_voice_of_a_minor(kind: str) -> None:
    basis = Basis.model_validate(
        {"kind": kind} | ({} if kind == "self" else {"mandate": MANDATE, "proof": "a" * 64})
    )
    broken("basis/minor", basis=basis, minor_until=date(2030, 1, 1))


def test_training_is_a_yes_of_its_own() -> None:
    broken("permissions/training", purposes=("training-data",))
    holds(purposes=("training-data",), permissions=("training",))


def test_content_is_not_both_allowed_and_excluded() -> None:
    broken("content/contradiction", purposes=("advertising",), exclusions=("advertising",))


def test_rules_hold_for_grants_signed_elsewhere_too() -> None:
    late = datetime(2036, 11, 21, 12, 0, 1, tzinfo=UTC)
    members = payload(validUntil="2036-11-21T12:00:01Z", exp=int(late.timestamp()))
    with pytest.raises(RuleError, match="term/ten-years"):
        open_grant(forged(members))
    with pytest.raises(RuleError, match="term/ten-years"):
        draft_grant(terms(valid_until=late), issuer_did=did_of(ANNA), status=ENTRY, now=NOW)
