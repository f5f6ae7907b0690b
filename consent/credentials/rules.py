"""What no grant may say, whoever signs it: terms, bases and permissions that contradict law.

Each rule has a name, which refusals carry. The figures are those of the strictest published
text there is: ten years, and for minors five and never past the 18th birthday (NO FAKES Act of
2026 as reported), a guardian or an estate only with proof (Tennessee's ELVIS Act, California's
AB 1836), specific uses (California's AB 2602).
"""

from __future__ import annotations

from datetime import UTC, datetime, time

from consent.clock import to_utc
from consent.credentials.model import moment_text
from consent.credentials.terms import GrantTerms
from consent.errors import RefusedError

MAX_YEARS = 10
MAX_YEARS_MINOR = 5


class RuleError(RefusedError):
    """A grant breaks a rule.

    Attributes
    ----------
    rule
        Its name, ``"term/ten-years"``.
    """

    def __init__(self, rule: str, message: str, *, hint: str) -> None:
        super().__init__(f"{message} [{rule}]", hint=hint)
        self.rule = rule


def add_years(moment: datetime, years: int) -> datetime:
    """Return the same moment of the calendar `years` later, in UTC.

    29 February becomes 28 February where the year has no leap day, so that a term never grows
    by the calendar.
    """
    moment = to_utc(moment)
    try:
        return moment.replace(year=moment.year + years)
    except ValueError:
        return moment.replace(year=moment.year + years, day=28)


def check_rules(terms: GrantTerms, now: datetime) -> None:
    """Refuse terms that no signature makes good.

    Parameters
    ----------
    terms
        The terms.
    now
        When they are signed: the term counts from here if the grant begins later, so that a
        chain of grants signed in advance is not a longer grant.

    Raises
    ------
    RuleError
        A :class:`consent.errors.RefusedError` that names the rule.
    """
    _check_term(terms, now)
    _check_basis(terms)
    _check_minor(terms, now)
    _check_content(terms)


def _check_term(terms: GrantTerms, now: datetime) -> None:
    if terms.valid_until <= terms.valid_from:
        raise RuleError(
            "term/order",
            f"the grant ends {moment_text(terms.valid_until)}, before it begins "
            f"{moment_text(terms.valid_from)}",
            hint="Give an end after the beginning.",
        )
    if terms.valid_until <= now:
        raise RuleError(
            "term/over",
            f"the grant ends {moment_text(terms.valid_until)} and is signed later, "
            f"{moment_text(now)}",
            hint="Give an end in the future.",
        )
    _check_longest(terms, now, MAX_YEARS, "term/ten-years", "a grant lasts ten years at most")


def _check_longest(terms: GrantTerms, now: datetime, years: int, rule: str, words: str) -> None:
    latest = add_years(min(terms.valid_from, to_utc(now).replace(microsecond=0)), years)
    if terms.valid_until > latest:
        raise RuleError(
            rule,
            f"{words}: it ends {moment_text(terms.valid_until)}, and {moment_text(latest)} is "
            "the latest",
            hint=f"Let it end {moment_text(latest)} or earlier; it can be renewed then.",
        )


def _check_basis(terms: GrantTerms) -> None:
    basis = terms.basis
    if basis.kind == "self" and (basis.mandate or basis.proof):
        raise RuleError(
            "basis/self",
            "a person who grants their own voice needs no mandate and no proof",
            hint='Leave them out, or say on what basis the grant is made ("agent", ...).',
        )
    if basis.kind != "self" and not basis.mandate:
        raise RuleError(
            f"basis/{basis.kind}",
            f"a grant by {_WHO[basis.kind]} names the mandate it rests on",
            hint="Record the mandate first and give its id.",
        )
    if basis.kind in ("guardian", "estate") and not basis.proof:
        raise RuleError(
            f"basis/{basis.kind}",
            f"a grant by {_WHO[basis.kind]} holds the commitment to its proof",
            hint="Put the document (court order, will, certificate) in the vault and name it.",
        )


_WHO = {"agent": "an agent", "guardian": "a guardian", "estate": "an estate"}


def _check_minor(terms: GrantTerms, now: datetime) -> None:
    guardian = terms.basis.kind == "guardian"
    if terms.minor_until is None:
        if guardian:
            raise RuleError(
                "basis/guardian",
                "a guardian grants the voice of a minor; the grant does not say when they "
                "come of age",
                hint="Give the minor's 18th birthday (minor_until).",
            )
        return
    if not guardian:
        raise RuleError(
            "basis/minor",
            f"the voice of a minor is granted by a guardian, not on the basis {terms.basis.kind!r}",
            hint="Let the guardian sign, with their mandate and proof.",
        )
    adult = datetime.combine(terms.minor_until, time(), UTC)
    if adult > add_years(now, 18):
        raise RuleError(
            "term/minor",
            f"{terms.minor_until} is no 18th birthday of anybody born by now",
            hint="Give the date on which the minor becomes 18.",
        )
    _check_longest(
        terms, now, MAX_YEARS_MINOR, "term/minor", "a guardian grants five years at most"
    )
    if terms.valid_until > adult:
        raise RuleError(
            "term/minor",
            f"a guardian's grant ends on the 18th birthday: it ends "
            f"{moment_text(terms.valid_until)}, and {moment_text(adult)} is the latest",
            hint="Let it end then; from that day the person decides for themselves.",
        )


def _check_content(terms: GrantTerms) -> None:
    if "training-data" in terms.purposes and "training" not in terms.permissions:
        raise RuleError(
            "permissions/training",
            'the purpose "training-data" needs the permission "training", a yes of its own',
            hint="Take the purpose out, or ask for that permission.",
        )
    if "advertising" in terms.purposes and "advertising" in terms.exclusions:
        raise RuleError(
            "content/contradiction",
            "the grant both allows and excludes advertising",
            hint="Take out one of the two.",
        )
