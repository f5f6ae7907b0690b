"""The receipt a person keeps: complete, in plain words, and harmless whatever the names are."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any, get_args

import pytest
from credentials_kit import ANNA, ANNA_ID, ENTRY, MANDATE, NOW, STUDIO_ID, did_of, terms
from lxml import html

from consent.credentials.grant import (
    Basis,
    Compensation,
    ContentCategory,
    Disclosure,
    Grant,
    Permission,
    Purpose,
    Work,
    draft_grant,
    open_grant,
)
from consent.credentials.receipt import consent_receipt_html, plain_sentences
from consent.credentials.wording import LOCALES, wording
from consent.errors import InputError

NAMES = {ANNA_ID: "Anna Meyer", STUDIO_ID: "Klang & Co."}
EVIL = "<script>alert(1)</script>\"'><img src=x onerror=y>"


def a_grant(**changes: Any) -> Grant:
    waiting = draft_grant(terms(**changes), issuer_did=did_of(ANNA), status=ENTRY, now=NOW)
    return open_grant(waiting.sign(ANNA))


def receipt(grant: Grant, **options: Any) -> str:
    return consent_receipt_html(grant, **({"status": "active", "parties": NAMES} | options))


def text_of(page: str) -> str:
    body = html.fromstring(page).find("body")
    return re.sub(r"\s+", " ", " ".join(body.itertext()))


def test_it_says_who_what_where_until_when_and_how_much() -> None:
    text = text_of(receipt(a_grant(), used_ms=754_321, contact="+49 30 1234", leaf_index=17))
    for part in (
        "You, Anna Meyer , allow Klang & Co. to use your voice, coqui:anna , for audiobooks.",
        "Only in: Love Among the Chickens (urn:isbn:9780141439518) .",
        "Languages: English.",
        "everywhere in the world",
        "until 21 November 2027, 12:00 UTC",
        "At most 600 minutes",
        "12.6 minutes have been used",
        "Klang & Co. may earn money",
        "Nothing is published before you have heard it",
        "2.50 EUR for each finished minute",
        "take this back at any time",
        "+49 30 1234",
        "at least every 24 hours",
        "Anna Meyer (voice replica)",
        "ISO/IEC TS 27560:2023",
    ):
        assert part in text, part


def test_every_permission_not_given_is_said_not_to_be() -> None:
    page = html.fromstring(receipt(a_grant(permissions=("synthesis", "cloning"))))
    answers = {row[0].text: row[2].text for row in page.xpath("//table[1]/tr")}
    assert answers == {
        "Making speech": "allowed",
        "Cloning": "allowed",
        "Training": "not allowed",
        "Changing the voice": "not allowed",
        "Passing it on": "not allowed",
    }


def test_every_other_purpose_is_said_not_to_be_allowed() -> None:
    text = text_of(receipt(a_grant()))
    said = text.partition("did not allow any other purpose: ")[2].partition(".")[0]
    say = wording("en")
    for code in get_args(Purpose):
        assert (say.term("purpose", code) in said) == (code != "audiobook")


def test_ids_keys_and_digests_stand_at_its_end() -> None:
    grant = a_grant(basis=Basis(kind="agent", mandate=MANDATE, proof="e" * 64), supersedes=MANDATE)
    record = text_of(receipt(grant)).partition("For the record")[2]
    for value in (grant.id, grant.digest, grant.issuer_did, grant.terms.licensee_did,
                  grant.terms.registry_did, f"{ENTRY.list_id}#{ENTRY.index}", MANDATE, "e" * 64,
                  ANNA_ID, STUDIO_ID, "explicit consent"):  # fmt: skip
        assert value in record


@pytest.mark.parametrize("status", ["suspended", "revoked", "superseded", "expired",
                                    "not-yet-valid", "status-stale", "key-not-valid"])  # fmt: skip
def test_a_grant_that_does_not_hold_says_so_at_the_top(status: str) -> None:
    page = html.fromstring(receipt(a_grant(), status=status, status_since=NOW))
    (box,) = page.xpath("//div[contains(@class, 'status')]")
    assert "bad" in box.get("class")
    assert wording("en").term("status", status) in box.text_content()
    assert "21 November 2026" in box.text_content()
    assert "In force" not in page.text_content()
    ended = status in ("revoked", "superseded", "expired")
    assert ("vivavoce consent revoke" in page.text_content()) != ended


def test_an_unknown_status_is_refused() -> None:
    with pytest.raises(InputError, match="'fine'"):
        receipt(a_grant(), status="fine")


def test_minors_estates_and_agents_are_not_spoken_to_as_if_they_had_signed() -> None:
    guardian = Basis(kind="guardian", mandate=MANDATE, proof="a" * 64)
    text = text_of(receipt(a_grant(basis=guardian, minor_until=date(2030, 5, 17))))
    assert "A guardian signed for Anna Meyer" in text and "17 May 2030" in text
    estate = Basis(kind="estate", mandate=MANDATE, proof="a" * 64)
    assert "rights of the estate signed" in text_of(receipt(a_grant(basis=estate)))
    agent = Basis(kind="agent", mandate=MANDATE)
    assert "An agent signed" in text_of(receipt(a_grant(basis=agent)))


@pytest.mark.parametrize("locale", LOCALES)
def test_every_language_has_every_word(locale: str) -> None:
    def keys(table: dict[str, Any], path: str = "") -> set[str]:
        found = set()
        for name, value in table.items():
            found |= keys(value, f"{path}{name}.") if isinstance(value, dict) else {path + name}
        return found

    def slots(table: dict[str, Any], path: str = "") -> dict[str, set[str]]:
        found = {}
        for name, value in table.items():
            if isinstance(value, dict):
                found |= slots(value, f"{path}{name}.")
            elif isinstance(value, str):
                found[path + name] = set(re.findall(r"\{(\w+)\}", value))
        return found

    english, other = wording("en")._words, wording(locale)._words
    assert keys(other) == keys(english)
    assert slots(other) == slots(english)
    assert len(other["months"]) == 12
    for table, codes in (("purpose", Purpose), ("content", ContentCategory)):
        assert set(get_args(codes)) == other[table].keys()
    assert set(get_args(Permission)) == other["permission"].keys()


@pytest.mark.parametrize("locale", LOCALES)
def test_every_language_fills_every_sentence(locale: str) -> None:
    full = a_grant(
        compensation=Compensation(currency="EUR", rate="1234.5", unit="flat", note="in advance"),
        minutes=12_600,
        languages=("de-AT", "tlh"),
        territories=("DE", "SM"),
        minor_until=date(2030, 1, 1),
        basis=Basis(kind="guardian", mandate=MANDATE, proof="a" * 64),
        status_interval_s=0,
    )
    page = receipt(
        full,
        locale=locale,
        status="superseded",
        superseded_by=MANDATE,
        made_at=NOW,
        status_since=NOW,
        used_ms=0,
        contact="x",
    )
    assert not re.search(r"\{\w+\}", text_of(page))
    assert html.fromstring(page).get("lang") == locale


def test_the_language_is_that_of_the_grant_or_english() -> None:
    assert "Einwilligungsbeleg" in receipt(a_grant(locale="de-AT"))
    assert "Consent receipt" in receipt(a_grant(locale="ja"))
    assert "Deutsch (Österreich)" in receipt(a_grant(locale="de", languages=("de-AT",)))
    assert "12.600 Minuten" in receipt(a_grant(locale="de", minutes=12_600))


@pytest.mark.parametrize("locale", LOCALES)
def test_nothing_anybody_wrote_becomes_markup(locale: str) -> None:
    grant = a_grant(
        works=(Work(title=EVIL),),
        credit=EVIL,
        disclosure=Disclosure(text=EVIL + "{x}", audible=False),
        compensation=Compensation(currency="EUR", rate="1", unit="flat", note=EVIL),
    )
    page = receipt(
        grant, locale=locale, parties={ANNA_ID: EVIL, STUDIO_ID: "{0} {voice}"}, contact=EVIL
    )
    tree = html.fromstring(page)
    assert not tree.xpath("//script | //img | //@onerror | //a | //link | //iframe | //object")
    assert text_of(page).count("<script>") >= 6
    assert "{0} {voice}" in text_of(page)


def test_it_loads_nothing_and_runs_nothing() -> None:
    page = receipt(a_grant())
    assert "default-src 'none'" in page
    assert not re.search(r"https?://|url\(|@import|src=|<script", page)
    assert "@media print" in page


def test_without_names_the_ids_are_shown() -> None:
    sentences = plain_sentences(terms(), {})
    assert sentences[0].startswith(f"You, {ANNA_ID}, allow {STUDIO_ID}")


def test_no_limit_and_no_money_are_said_in_words() -> None:
    text = text_of(receipt(a_grant(minutes=None, compensation=None, commercial=False, works=())))
    assert "no limit to the minutes" in text
    assert "No payment was agreed" in text
    assert "may not earn money" in text
    assert "In any work of that kind." in text


def test_a_receipt_is_small_enough_to_keep_a_thousand_works() -> None:
    works = tuple(Work(title=f"Work {number}") for number in range(500))
    grant = a_grant(works=works, valid_until=NOW + timedelta(days=30))
    assert len(receipt(grant)) < 100_000
