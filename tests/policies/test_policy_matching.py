"""Language ranges, works and territories; and words with the values in them."""

from __future__ import annotations

import re
from typing import get_args

import pytest

import policies
from consent.credentials import terms
from consent.policy import CONTENT, PERMISSIONS, PURPOSES, PolicyEngine
from consent.policy.matching import (
    countries,
    covers_work,
    missing_languages,
    normal_identifier,
    reaches,
)
from consent.policy.questions import ACTIONS, about_model, about_voice, work
from consent.policy.scenarios import read_scenario
from consent.policy.wording import NAMES, fill


@pytest.mark.parametrize(
    ("ranges", "tags", "missing"),
    [
        (["de"], ["de", "de-AT", "DE-ch", "de_DE"], ()),
        (["DE"], ["de"], ()),
        (["de-AT"], ["de"], ("de",)),
        (["de"], ["den"], ("den",)),
        (["de-DE"], ["de-Latn-DE", "de-DE-1996"], ()),  # RFC 4647, 3.3.2
        (["de-DE"], ["de-x-DE", "de-Deva"], ("de-Deva", "de-x-DE")),
        (["de-*-DE"], ["de-DE", "de-Latn-DE"], ()),
        (["*-CH"], ["fr-CH", "de"], ("de",)),
        (["zh-Hant"], ["zh-Hant-TW", "zh-Hans"], ("zh-Hans",)),
        (["he"], ["iw"], ()),
        (["*"], ["und", "tlh"], ()),
        ([], ["en"], ("en",)),
        (["en"], [""], ("",)),
        (["*"], [""], ("",)),
        (["en"], [], ()),
    ],
)
def test_languages_are_compared_as_ranges(
    ranges: list[str], tags: list[str], missing: tuple[str, ...]
) -> None:
    assert missing_languages(ranges, tags) == missing


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("urn:isbn:9780306406157", "978-0-306-40615-7", True),
        ("ISBN-10: 0306406152", "ISBN-13 9780306406157", True),
        ("080442957X", "urn:ISBN:978-0-8044-2957-3", True),
        ("urn:isbn:9780306406157", "urn:isbn:9780306406158", False),
        ("URN:UUID:ABCDEF", "urn:uuid:abcdef", True),
        ("urn:x-house:Ab", "urn:x-house:ab", False),
        ("doi:10.1/X", "doi:10.1/x", False),
    ],
)
def test_identifiers_of_one_book_are_the_same(one: str, other: str, same: bool) -> None:
    assert (normal_identifier(one) == normal_identifier(other)) is same


def test_no_title_is_no_match() -> None:
    assert not covers_work([("", "")], "", "")
    assert not covers_work([("A", "")], "", "")
    assert not covers_work([("A", "urn:x:1")], "A", "")
    assert covers_work([], "", "")


@pytest.mark.parametrize(
    ("territory", "found", "reached"),
    [
        ("DE", {"DE"}, {"EU"}),
        (" de ", {"DE"}, {"EU"}),
        ("RE", {"RE"}, {"EU"}),
        ("GB", {"GB"}, set()),
        ("US", {"US"}, {"US-CA"}),
        ("us-ca", {"US"}, {"US-CA"}),
        ("US-NY", {"US"}, set()),
        ("DE-BY", {"DE"}, {"EU"}),
        ("UK", {"world"}, {"EU", "US-CA"}),
        ("XX-YY", {"world"}, {"EU", "US-CA"}),
        ("DEU", {"world"}, {"EU", "US-CA"}),
        ("", {"world"}, {"EU", "US-CA"}),
    ],
)
def test_territories_are_taken_for_the_widest_they_can_mean(
    territory: str, found: set[str], reached: set[str]
) -> None:
    assert (countries(territory), reaches(territory)) == (found, reached)


def test_the_union_has_its_members() -> None:
    assert len(countries("EU")) == 27


def test_lists_are_those_that_grants_use() -> None:
    assert get_args(terms.Purpose) == PURPOSES
    assert get_args(terms.ContentCategory) == CONTENT
    assert get_args(terms.Permission) == PERMISSIONS
    assert set(ACTIONS.values()) == set(PERMISSIONS)


def test_policies_know_every_category_and_action() -> None:
    rules = PolicyEngine.load().rules
    assert {f"content/{category}" for category in CONTENT} <= set(rules)
    assert {f"base/permission-{permission}" for permission in PERMISSIONS} <= set(rules)
    text = policies.packs()["content.cedar"]
    for start in re.finditer(r'\["sexual", "political"', text):
        listed = text[start.start() : text.index("]", start.start())]
        assert set(re.findall(r'"([^"]+)"', listed)) == set(CONTENT)


def test_names_that_words_may_use_are_those_of_the_schema() -> None:
    def declared(name: str) -> set[str]:
        body = re.search(rf"(?:type|entity) {name} = {{(.*?)\n  }}", policies.schema(), re.DOTALL)
        assert body is not None
        return set(re.findall(r"^    (\w+)\??:", body.group(1), re.MULTILINE))

    expected = {"principal", "resource"}
    expected |= {f"resource.{name}" for name in declared("Voice") - {"grant"}}
    expected |= {f"resource.{name}" for name in declared("Model")}
    expected |= {f"resource.grant.{name}" for name in declared("Grant")}
    expected |= {f"context.{name}" for name in declared("Work")}
    assert expected == NAMES


def test_values_are_filled_in_as_people_write_them() -> None:
    scenario = read_scenario(
        {
            "asked": {"title": "A\n  title " + "x" * 200, "identifier": ""},
            "given": {"languages": [f"x{n:02}" for n in range(20)]},
        },
        "test",
    )
    request = scenario.request
    (grant,) = scenario.grants.values()
    question = about_voice(
        request,
        request.voices[0],
        registered=True,
        grant=grant,
        context=work(request, scenario.surroundings),
        action="speak",
    )
    model = about_model(request, request.models[0], context=question.context)

    def said(text: str) -> str:
        return fill(text, question)

    assert said("{resource} for {principal}") == "studio:marlene for a producer"
    assert said("{context.commercial}, {resource.grant.approved}") == "yes, no"
    assert said("{context.identifier}, {context.watermark}") == "not stated, not known"
    assert said("{context.content}, {resource.grant.territories}") == "nothing, DE, US"
    assert said("{context.title}").startswith("A title xxx")
    assert len(said("{context.title}")) == 120
    assert said("{resource.grant.languages}").endswith("x10, x11 and 8 more")
    assert fill("{resource.engine} {resource.grant.languages}", model) == "an-engine not known"
    # A value is never looked at for names itself.
    braces = read_scenario({"asked": {"title": "{principal}"}}, "test")
    tricky = about_model(
        braces.request, model_of(braces), context=work(braces.request, braces.surroundings)
    )
    assert fill("{context.title}", tricky) == "{principal}"


def model_of(scenario):
    return scenario.request.models[0]
