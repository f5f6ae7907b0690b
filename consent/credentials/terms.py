"""What a grant says: the terms a person agrees to, value by value."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema
from pydantic import model_validator as _model_validator

from consent.credentials.codes import COUNTRIES, CURRENCIES
from consent.credentials.model import (
    Credit,
    Day,
    Did,
    Digest,
    DigestOrNone,
    Flag,
    Label,
    Language,
    Line,
    Model,
    Moment,
    PartyId,
    Urn,
    UrnOrNone,
    VoiceName,
    matching,
    said,
)
from consent.errors import InputError

Purpose = Literal[
    "audiobook", "speech", "podcast", "broadcast", "film", "dubbing", "game", "advertising",
    "e-learning", "accessibility", "assistant", "telephony", "research", "training-data",
]  # fmt: skip
ContentCategory = Literal[
    "sexual", "political", "religious", "hate", "violence", "medical-advice", "legal-advice",
    "financial-advice", "gambling", "alcohol", "tobacco", "impersonation-of-others", "children",
    "advertising",
]  # fmt: skip
Permission = Literal["synthesis", "cloning", "training", "derivatives", "export"]
RateUnit = Literal["finished-minute", "finished-hour", "flat"]
BasisKind = Literal["self", "agent", "guardian", "estate"]

UNLIMITED = "unlimited"
MAX_STATUS_INTERVAL_S = 90 * 24 * 3600
_MAX_MINUTES = 10_000_000
_RATE = r"(?:0|[1-9][0-9]{0,8})(?:\.[0-9]{1,4})?"
_CHANNEL = r"\*|[a-z][a-z0-9-]{0,39}"
_KIND = r"[a-z][a-z0-9-]{0,39}"
_SALT = r"(?:[0-9a-f]{2}){16,64}|"
_MAX_LIST = 500


def _territory(text: str) -> str:
    if text != "world" and text not in COUNTRIES:
        raise InputError(
            f"{text[:40]!r} is not a territory",
            hint='Write a country as ISO 3166 has it (DE, US), or "world".',
        )
    return text


def _currency(text: str) -> str:
    if text not in CURRENCIES:
        raise InputError(f"{text[:40]!r} is not a currency", hint="Write it as in EUR, USD, JPY.")
    return text


def _rate(text: str) -> str:
    return matching(text, _RATE, 'a rate (a decimal number such as "2.50", four places at most)')


def _channel(text: str) -> str:
    return matching(text, _CHANNEL, 'a channel (lower-case letters, digits, hyphens; "*" is any)')


def _identifier(text: str) -> str:
    if len(text) > 200 or any(not "!" <= character <= "~" for character in text):
        raise InputError(
            f"{text[:80]!r} is not the identifier of a work",
            hint="Write an ISBN or a URN without spaces: urn:isbn:9780141439518.",
        )
    return text


def _kind(text: str) -> str:
    return matching(text, _KIND, "a kind of evidence (lower-case letters, digits, hyphens)")


def _salt(text: str) -> str:
    return matching(text, _SALT, "a salt of 16 bytes or more in hex")


def _minutes_in(value: object) -> object:
    return None if value == UNLIMITED else value


def _minutes_out(value: int | None) -> int | str:
    return UNLIMITED if value is None else value


def _pattern(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^(?:{pattern})$"})


Territory = Annotated[
    str, AfterValidator(said(_territory)), WithJsonSchema({"enum": ["world", *sorted(COUNTRIES)]})
]
Channel = Annotated[str, AfterValidator(said(_channel)), _pattern(_CHANNEL)]
#: "No limit" is said, never left out.
Minutes = Annotated[
    Annotated[int, Field(strict=True, ge=1, le=_MAX_MINUTES)] | None,
    BeforeValidator(_minutes_in),
    PlainSerializer(_minutes_out, return_type=int | str, when_used="json"),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 1, "maximum": _MAX_MINUTES},
                   {"const": UNLIMITED}]}
    ),
]  # fmt: skip


class Work(Model):
    """A work the voice may be used in.

    Attributes
    ----------
    title
        As people know it.
    identifier
        ISBN or URN; may be empty, then the title has to match.
    """

    noun: ClassVar[str] = "a work"
    title: Label
    identifier: Annotated[str, AfterValidator(said(_identifier)), Field(max_length=200)] = ""


class Disclosure(Model):
    """How listeners are told that the voice is synthetic.

    Attributes
    ----------
    text
        The words, for the file's metadata; may be empty.
    audible
        Whether they must also be heard.
    """

    noun: ClassVar[str] = "the disclosure"
    text: Line = ""
    audible: Flag = True


class Compensation(Model):
    """What is paid.

    Attributes
    ----------
    currency
        ISO 4217.
    rate
        Decimal text: money is never a binary fraction.
    unit
        ``"finished-minute"``, ``"finished-hour"`` or ``"flat"`` (once for the grant).
    """

    noun: ClassVar[str] = "the compensation"
    currency: Annotated[
        str, AfterValidator(said(_currency)), WithJsonSchema({"enum": sorted(CURRENCIES)})
    ]
    rate: Annotated[str, AfterValidator(said(_rate)), _pattern(_RATE)]
    unit: RateUnit
    note: Line = ""


class Basis(Model):
    """By what right the issuer grants.

    Attributes
    ----------
    kind
        ``"self"``: it is the issuer's own voice; ``"agent"``, ``"guardian"`` or ``"estate"``:
        somebody else's.
    mandate
        Id of the mandate statement; empty for ``"self"``.
    proof
        Commitment to the document that proves it (court order, will, contract), or empty.
    """

    noun: ClassVar[str] = "the basis"
    kind: BasisKind
    mandate: UrnOrNone = ""
    proof: DigestOrNone = ""


class Evidence(Model):
    """A commitment to something that is kept elsewhere: the spoken consent, a contract.

    Attributes
    ----------
    kind
        What it is (``"spoken-consent"``, ``"contract"``, ``"identity-check"``).
    commitment
        :func:`consent.canonical.commitment` of its bytes, hex.
    salt
        Hex, if whoever holds the grant may check it; empty otherwise.
    """

    noun: ClassVar[str] = "the evidence"
    kind: Annotated[str, AfterValidator(said(_kind)), _pattern(_KIND)]
    commitment: Digest
    salt: Annotated[
        str,
        AfterValidator(said(_salt)),
        _pattern(_SALT),
    ] = ""


class Conditions(Model):
    """The part of the terms that stands in the credential's subject under the same names."""

    voice: VoiceName
    owner: PartyId
    licensee: PartyId
    registry_did: Annotated[Did, Field(alias="registry")]
    purposes: Annotated[tuple[Purpose, ...], Field(min_length=1)]
    works: Annotated[tuple[Work, ...], Field(max_length=_MAX_LIST)] = ()
    exclusions: tuple[ContentCategory, ...] = ()
    languages: Annotated[tuple[Language, ...], Field(min_length=1, max_length=_MAX_LIST)]
    territories: Annotated[tuple[Territory, ...], Field(min_length=1, max_length=_MAX_LIST)]
    channels: Annotated[tuple[Channel, ...], Field(min_length=1, max_length=100)] = ("*",)
    minutes: Minutes
    commercial: Flag
    permissions: Annotated[tuple[Permission, ...], Field(min_length=1)]
    performer_approval: Flag
    disclosure: Disclosure = Disclosure()
    compensation: Compensation | None = None
    basis: Basis
    minor_until: Day | None = None
    # The credential itself has a member "evidence", with another meaning.
    evidence: Annotated[
        tuple[Evidence, ...], Field(max_length=50, alias="evidenceCommitments")
    ] = ()
    status_interval_s: Annotated[
        int, Field(strict=True, ge=0, le=MAX_STATUS_INTERVAL_S, alias="statusInterval")
    ]
    supersedes: Urn | None = None
    credit: Credit = ""
    owner_name: Credit = ""
    licensee_name: Credit = ""
    locale: Language = "en"

    @_model_validator(mode="after")
    def _each_once(self) -> Self:
        for name in ("purposes", "exclusions", "languages", "territories", "channels",
                     "permissions"):  # fmt: skip
            values = [value.casefold() for value in getattr(self, name)]
            if len(set(values)) != len(values):
                raise InputError(f"{name} names something twice: {', '.join(values)[:200]}")
            everything = {"languages": "*", "territories": "world", "channels": "*"}.get(name)
            if everything in values and len(values) > 1:
                raise InputError(
                    f"{name} says {everything!r} and more: {', '.join(values)[:200]}",
                    hint=f"Write {everything!r} alone, or leave it out.",
                )
        if len(set(self.works)) != len(self.works):
            raise InputError("works names a work twice")
        if self.locale == "*":
            raise InputError("locale is '*'", hint="Write one language: en, de-AT.")
        return self


class GrantTerms(Conditions):
    """Everything a grant says.

    Attributes
    ----------
    voice
        Qualified name, ``engine:name``.
    owner, licensee
        Party ids: the rights holder, and who may use the voice.
    licensee_did
        The licensee's key: the subject of the credential.
    registry_did
        The one registry that may spend the minutes.
    purposes
        At least one of :data:`Purpose`.
    works
        Empty: any work.
    exclusions
        Content the voice must not say.
    languages
        BCP 47 ranges (RFC 4647: ``en`` covers ``en-GB``); ``"*"`` is any.
    territories
        ISO 3166-1 codes, or ``"world"`` alone.
    channels
        Where it may be heard; ``"*"`` is anywhere.
    valid_from, valid_until
        From the first moment to just before the second, in whole seconds.
    minutes
        Of finished audio; None is no limit.
    permissions
        Each its own yes: ``"synthesis"`` (make speech), ``"cloning"`` (fit a voice model to
        recordings), ``"training"`` (of models beyond this voice), ``"derivatives"`` (change the
        voice), ``"export"`` (give the voice model away).
    performer_approval
        Whether the performer must approve each work before it is published.
    minor_until
        The 18th birthday, for a voice of a minor.
    status_interval_s
        How old the last word on the status may be, in seconds; 0 asks at every use.
    supersedes
        Id of the grant this one replaces.
    owner_name, licensee_name
        What the parties are called, so that whoever signs elsewhere sees who gets the voice.
    credit
        How published files name the voice; empty: not at all.
    locale
        Language the terms were presented in.
    """

    noun: ClassVar[str] = "the terms"
    licensee_did: Did
    valid_from: Moment
    valid_until: Moment

    def to_json(self) -> dict[str, Any]:
        """Return the terms as JSON values, under the names they have in the credential."""
        # An absent limit is said in words; the other absent members are left out.
        return super().to_json() | {"minutes": _minutes_out(self.minutes)}
