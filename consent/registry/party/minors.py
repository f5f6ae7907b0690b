"""Whose yes a minor's voice needs: the guardian's, until the 18th birthday and no longer."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

from consent.credentials.grant import Grant
from consent.credentials.rules import RuleError, add_years
from consent.registry.party.keyring import Actor
from consent.registry.party.records import Party


def adult_on(birth_date: date) -> date:
    """Return the 18th birthday; of somebody born on 29 February, 28 February."""
    return add_years(datetime.combine(birth_date, time(), UTC), 18).date()


def is_minor(party: Party, now: datetime) -> bool:
    """Whether the party is known to be under 18."""
    return party.birth_date is not None and now.date() < adult_on(party.birth_date)


def check(owner: Party, grant: Grant, actor: Actor, now: datetime) -> None:
    """Hold a grant to the date of birth that is on record.

    Raises
    ------
    RuleError
        A minor grants by themselves or by an agent, a guardian for an adult, or the grant
        names another 18th birthday.
    """
    guardian = actor.mandate is not None and actor.mandate.kind == "guardian"
    if not guardian:
        if is_minor(owner, now) and (actor.mandate is None or actor.mandate.kind == "agent"):
            raise RuleError(
                "basis/minor",
                f"{owner.id} is a minor until {adult_on(owner.birth_date or now.date())}: "
                "their voice is granted by a guardian",
                hint="Let the guardian sign, with their mandate and proof.",
            )
        return
    if owner.birth_date is None or not is_minor(owner, now):
        raise RuleError(
            "basis/guardian",
            f"{owner.id} is no minor by the date of birth on record",
            hint="An adult grants by themselves.",
        )
    if grant.terms.minor_until != adult_on(owner.birth_date):
        raise RuleError(
            "term/minor",
            f"the grant says that {owner.id} comes of age on {grant.terms.minor_until}; by the "
            f"date of birth on record it is {adult_on(owner.birth_date)}",
            hint="Have it drafted again with the right date.",
        )
