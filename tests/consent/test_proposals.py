"""What is drafted for people to sign says in words who gets what, wherever it is signed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from grants_kit import ANNA, Stage

from consent.credentials.jws import ToSign
from consent.credentials.summary import summary
from consent.errors import InputError
from consent.proposals import accept, propose_amendment, propose_grant, sign_here
from consent.registry import Registry

TERMS: dict[str, Any] = {
    "purposes": ("audiobook",),
    "languages": ("en",),
    "territories": ("world",),
    "minutes": 60,
    "commercial": True,
    "permissions": ("synthesis",),
    "performer_approval": False,
}


@pytest.fixture
def stage(registry: Registry) -> Stage:
    return Stage(registry)


def proposed(registry: Registry, **terms: Any) -> ToSign:
    dates = {"valid_from": registry.now(), "valid_until": registry.now() + timedelta(days=365)}
    return propose_grant(registry, voice=ANNA, licensee="studio", **{**TERMS, **dates, **terms})


def test_whoever_signs_on_another_machine_sees_who_gets_the_voice(stage: Stage) -> None:
    first, *_ = summary(proposed(stage.registry).payload)
    assert "Anna Example" in first
    assert "The Studio" in first


def test_the_names_are_part_of_what_is_signed(stage: Stage) -> None:
    record = accept(stage.registry, sign_here(stage.registry, proposed(stage.registry), "anna"))
    grant = stage.registry.grant(record.id).grant
    assert grant is not None
    assert (grant.terms.owner_name, grant.terms.licensee_name) == ("Anna Example", "The Studio")


def test_an_amendment_keeps_what_it_does_not_change(stage: Stage) -> None:
    registry = stage.registry
    old = accept(registry, sign_here(registry, proposed(registry, credit="Anna"), "anna"))
    waiting = propose_amendment(registry, old.id, minutes=90)
    new = registry.grant(accept(registry, sign_here(registry, waiting, "anna")).id).grant
    assert new is not None
    assert (new.terms.minutes, new.terms.credit, new.terms.supersedes) == (90, "Anna", old.id)
    assert new.terms.purposes == ("audiobook",)


def test_a_voice_of_nobodys_cannot_be_granted(stage: Stage) -> None:
    with pytest.raises(InputError, match="not registered as anybody's"):
        propose_grant(stage.registry, voice="clone:nobody", licensee="studio", **TERMS)
