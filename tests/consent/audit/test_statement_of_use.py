from __future__ import annotations

import csv
import dataclasses
import io
import itertools
import json
from datetime import timedelta
from decimal import Decimal
from html.parser import HTMLParser

import pytest
from audit_kit import NEW_YEAR, a_grant, a_head, a_use
from hypothesis import given
from hypothesis import strategies as st

from consent.audit.amounts import Price
from consent.audit.records import Event, Use
from consent.audit.rendering import statement_csv, statement_html
from consent.audit.statement import Period, make_statement
from consent.audit.tables import safe_cell, to_csv
from consent.errors import InputError

HOSTILE = '=HYPERLINK("http://x","y")<script>alert(1)</script>\'"&\u202e'


def test_published_uses_are_counted_and_paid_for() -> None:
    statement = make_statement(a_head(), [a_grant()], [a_use(1), a_use(2)])
    (account,) = statement.grants
    assert [line.use.title for line in account.lines] == ["Chapter 1", "Chapter 2"]
    assert account.amount == Decimal("4.00")
    assert (statement.used_ms, statement.amounts) == (240_000, {"EUR": Decimal("4.00")})
    assert statement.problems == []


def test_abandoned_and_unsealed_receipts_cost_nothing() -> None:
    issued = a_use(2, state="issued", sealed_index=-1, sealed_at=None)
    gone = a_use(3, state="abandoned", sealed_index=-1, sealed_at=None)
    (account,) = make_statement(a_head(), [a_grant()], [a_use(1), issued, gone]).grants
    assert account.amount == Decimal("2.00")
    assert [line.use.output_id for line in account.pending] == [issued.output_id]


def test_drafts_for_the_performer_are_listed_and_free() -> None:
    (account,) = make_statement(a_head(), [a_grant()], [a_use(1, review=True), a_use(2)]).grants
    assert [line.use.title for line in account.drafts] == ["Chapter 1"]
    assert [line.use.title for line in account.lines] == ["Chapter 2"]
    assert account.amount == Decimal("2.00")


def test_a_use_given_twice_is_refused_rather_than_counted_twice() -> None:
    with pytest.raises(InputError, match="is there twice"):
        make_statement(a_head(), [a_grant()], [a_use(1), a_use(1)])


def test_an_output_with_two_voices_is_counted_once_for_each() -> None:
    other = a_grant(id="urn:uuid:2", voice="coqui:otto")
    uses = [
        a_use(1, duration_ms=60_000),
        a_use(1, duration_ms=30_000, voice="coqui:otto", grant_id="urn:uuid:2"),
    ]
    statement = make_statement(a_head(), [a_grant(), other], uses)
    assert [(v.voice, v.used_ms) for v in statement.voices] == [
        ("coqui:emma", 60_000),
        ("coqui:otto", 30_000),
    ]
    assert statement.amounts == {"EUR": Decimal("1.50")}


def test_uses_of_others_grants_are_not_shown() -> None:
    foreign = a_use(2, grant_id="urn:uuid:other")
    stock = a_use(3, grant_id="", voice="kokoro:af_heart")
    (account,) = make_statement(a_head(), [a_grant()], [a_use(1), foreign, stock]).grants
    assert len(account.lines) == 1


@given(
    st.lists(st.integers(1, 5_000_000), min_size=1, max_size=20),
    st.lists(st.integers(1, 21), max_size=5),
    st.sampled_from(["0.07", "1.995", "33.333"]),
)
def test_statements_of_parts_of_a_year_add_up_to_that_of_the_year(
    durations: list[int], cuts: list[int], rate: str
) -> None:
    grant = a_grant(price=Price("EUR", Decimal(rate), "finished-minute"))
    uses = [a_use(day, duration_ms=ms) for day, ms in enumerate(durations, 1)]
    edges = [None, *(NEW_YEAR + timedelta(days=d) for d in sorted(set(cuts))), None]
    whole = make_statement(a_head(), [grant], uses)
    parts = [
        make_statement(a_head(since, until), [grant], uses)
        for since, until in itertools.pairwise(edges)
    ]
    assert sum(part.amounts["EUR"] for part in parts) == whole.amounts["EUR"]
    assert sum(part.used_ms for part in parts) == whole.used_ms


def test_the_period_includes_its_first_moment_and_not_its_last() -> None:
    at = a_use(5).sealed_at
    assert at is not None
    assert at in Period(since=at)
    assert at not in Period(until=at)
    with pytest.raises(InputError, match="is empty"):
        Period(at, at)


def test_a_flat_price_stands_in_the_period_of_the_first_output_alone() -> None:
    grant = a_grant(price=Price("EUR", Decimal(500), "flat"))
    uses = [a_use(1), a_use(40)]
    cut = NEW_YEAR + timedelta(days=31)
    first = make_statement(a_head(until=cut), [grant], uses)
    second = make_statement(a_head(since=cut), [grant], uses)
    assert (first.amounts["EUR"], second.amounts["EUR"]) == (500, 0)


def event(kind: str, index: int) -> Event:
    return Event(kind, index, NEW_YEAR + timedelta(days=index // 10))


@pytest.mark.parametrize(
    ("events", "problem"),
    [
        ((event("revocation", 25),), "had been revoked"),
        ((event("superseded", 25),), "had been superseded"),
        ((event("compromise", 25),), "reported stolen"),
        ((event("erasure", 25),), "erasure"),
        ((event("suspension", 25),), "was suspended"),
        ((event("suspension", 12), event("reinstatement", 25)), ""),
        ((event("suspension", 25), event("revocation", 26)), "had been revoked"),
        ((event("revocation", 32),), ""),
    ],
)
def test_a_use_after_the_end_of_its_grant_is_flagged(
    events: tuple[Event, ...], problem: str
) -> None:
    statement = make_statement(a_head(), [a_grant(events=events)], [a_use(3)])
    assert bool(statement.problems) is bool(problem)
    assert problem in "".join(statement.problems)


def test_order_in_the_log_decides_and_not_the_dates_of_documents() -> None:
    # Received after the seal, though it claims to be a month older.
    late = Event("revocation", 32, NEW_YEAR - timedelta(days=30))
    assert make_statement(a_head(), [a_grant(events=(late,))], [a_use(3)]).problems == []


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"valid_until": NEW_YEAR + timedelta(days=3)}, "had expired"),
        ({"valid_from": NEW_YEAR + timedelta(days=4)}, "the grant begins on"),
        ({"index": 35}, "before the grant was on record"),
        ({"voice": "coqui:otto"}, "for the voice coqui:otto"),
        ({"granted_ms": 60_000}, "1.00 minutes more were used than it covers"),
    ],
)
def test_a_use_its_grant_does_not_cover_is_flagged(
    changes: dict[str, object], problem: str
) -> None:
    (found,) = make_statement(a_head(), [a_grant(**changes)], [a_use(3)]).problems
    assert problem in found


def test_the_minutes_used_before_the_period_are_told() -> None:
    since = NEW_YEAR + timedelta(days=2)
    (account,) = make_statement(a_head(since=since), [a_grant()], [a_use(1), a_use(2)]).grants
    assert (account.used_before_ms, account.used_ms) == (120_000, 120_000)


def test_the_statement_names_the_state_of_the_log_it_was_made_at() -> None:
    data = make_statement(a_head(), [a_grant()], [a_use(1)]).to_json()
    assert data["log"]["checkpoint"] == a_head().checkpoint
    assert json.loads(json.dumps(data)) == data, "nothing but JSON values, no floats"


def hostile() -> Use:
    return a_use(1, work=HOSTILE, title="@SUM(A1)", identifier="\t=1+1")


def test_no_cell_of_the_csv_is_a_formula() -> None:
    grant = a_grant(owner_name="-2+3", licensee_name="＝cmd|' /C calc'!A0")
    text = statement_csv(make_statement(a_head(), [grant], [hostile()]))
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert len(rows) == 2
    assert {len(row) for row in rows} == {14}
    for cell in rows[1]:
        assert cell.lstrip()[:1] not in tuple("=+-@\t\r|%＝＋－＠") or cell == ""


@given(st.text())
def test_a_table_keeps_its_shape_whatever_is_in_it(text: str) -> None:
    rows = list(csv.reader(io.StringIO(to_csv(("a", "b"), [(text, "x")]), newline="")))
    assert rows == [["a", "b"], [safe_cell(text), "x"]]
    assert safe_cell(text).lstrip()[:1] not in tuple("=+-@\t\r")


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.handlers: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.handlers += [name for name, _ in attrs if name.startswith("on") or name == "src"]


def test_the_page_holds_no_markup_of_others_no_script_and_fetches_nothing() -> None:
    grant = a_grant(owner_name=HOSTILE, licensee_name=HOSTILE, id=HOSTILE)
    head = dataclasses.replace(a_head(), party_name=HOSTILE)
    page = statement_html(
        make_statement(head, [grant], [dataclasses.replace(hostile(), grant_id=HOSTILE)])
    )
    tags = Tags()
    tags.feed(page)
    assert not tags.names & {"script", "img", "link", "iframe", "a"}
    assert tags.handlers == []
    assert "\u202e" not in page
    assert "&lt;script&gt;" in page
    assert "default-src 'none'" in page


def test_the_page_says_in_red_what_is_wrong() -> None:
    good = statement_html(make_statement(a_head(), [a_grant()], [a_use(1)]))
    bad = statement_html(
        make_statement(a_head(), [a_grant(events=(event("revocation", 2),))], [a_use(1)])
    )
    assert "Every use listed here was covered" in good
    assert "Every use listed here was covered" not in bad
    assert "had been revoked" in bad
