"""What the documents are made of: a strict base model and the types of single values.

Every value is checked the same way when a document is drafted here and when one from
elsewhere is opened.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Annotated, Any, ClassVar, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PlainSerializer,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic.alias_generators import to_camel

from consent.clock import to_utc
from consent.errors import InputError
from consent.identity.did import public_from_did
from consent.identity.names import checked_name, checked_voice

_DATE_TIME = re.compile(
    r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.0{1,9})?(?:Z|[+-]\d{2}:\d{2})", re.ASCII
)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
# RFC 5646 without its irregular and private tags, as a range of RFC 4647. Languages of four to
# eight letters are reserved, and none is registered: "english" is a slip that covers nothing.
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8}){0,7}")
_YEARS = range(1900, 2201)

_T = TypeVar("_T")

PARTY_PATTERN = "^p[0-9a-f]{16}$"
URN_PATTERN = "^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"
DIGEST_PATTERN = "^[0-9a-f]{64}$"
DID_PATTERN = "^did:key:z6Mk[1-9A-HJ-NP-Za-km-z]{44}$"


class Model(BaseModel):
    """A frozen part of a document; members that it does not know are refused.

    Names are snake_case in Python and camelCase in JSON. A value that does not fit raises
    :class:`consent.errors.InputError`, whichever way the model is made.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        hide_input_in_errors=True,
        json_schema_serialization_defaults_required=True,
    )
    #: What it is, for messages.
    noun: ClassVar[str] = "the document"

    @model_validator(mode="wrap")
    @classmethod
    def _in_words(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(data)
        except ValidationError as exc:
            raise InputError(f"{cls.noun}: {_words(exc)}") from exc

    def to_json(self) -> dict[str, Any]:
        """Return the members as JSON values, absent ones left out."""
        return self.model_dump(mode="json", exclude_none=True)


#: Of a bound that pydantic checks: its name there, and ours.
_BOUNDS = {
    "greater_than_equal": ("ge", "less than the least"),
    "less_than_equal": ("le", "more than the most"),
}


def _words(exc: ValidationError) -> str:
    """Return the first few faults of a document as one line."""
    faults = []
    errors = exc.errors(include_url=False)
    # What is left of a list whose members are faulty is too short only because they are.
    faulty = {error["loc"][:-1] for error in errors if error["loc"]}
    errors = [e for e in errors if not (e["type"] == "too_short" and e["loc"] in faulty)]
    for error in errors[:5]:
        where = ".".join(str(step) for step in error["loc"])[:120]
        reason = error["msg"].removeprefix("Value error, ")
        if error["type"] == "extra_forbidden":
            reason = "has no place here"
        elif error["type"] == "literal_error":
            reason = f"{str(error['input'])[:40]!r} is none of {error['ctx']['expected']}"
        elif error["type"] in _BOUNDS:
            bound = error["ctx"][_BOUNDS[error["type"]][0]]
            reason = f"{str(error['input'])[:40]} is {_BOUNDS[error['type']][1]}, {bound}"
        faults.append(f"{where}: {reason}" if where else reason)
    more = len(errors) - len(faults)
    return "; ".join(faults) + (f"; and {more} more" if more > 0 else "")


def matching(text: str, pattern: str, what: str) -> str:
    """Return `text` if the whole of it matches `pattern`; else say that it is not `what`."""
    if not re.fullmatch(pattern, text):
        raise InputError(f"{text[:80]!r} is not {what}")
    return text


def said(check: Callable[[Any], _T]) -> Callable[[Any], _T]:
    """Let `check` tell pydantic its reason, so that the message names the member too."""

    def checked(value: Any) -> _T:
        try:
            return check(value)
        except InputError as exc:
            raise ValueError(f"{exc.message}. {exc.hint}" if exc.hint else exc.message) from exc

    return checked


def _party_id(text: str) -> str:
    return matching(text, PARTY_PATTERN, "the id of a party (p and 16 hex digits)")


def _urn(text: str) -> str:
    return matching(text, URN_PATTERN, "an id of the form urn:uuid:… (version 4)")


def _digest(text: str) -> str:
    return matching(text, DIGEST_PATTERN, "a SHA-256 of 64 lower-case hex digits")


def _urn_or_none(text: str) -> str:
    return _urn(text) if text else text


def _digest_or_none(text: str) -> str:
    return _digest(text) if text else text


def _did(text: str) -> str:
    public_from_did(text)
    return text


def _language(text: str) -> str:
    if text != "*" and not _LANGUAGE.fullmatch(text):
        raise InputError(f"{text[:40]!r} is not a language", hint="Write a BCP 47 tag: en, de-AT.")
    return text


def _label(text: str) -> str:
    return checked_name(text, "the text", 200)


def _line(text: str) -> str:
    return checked_name(text, "the text", 2000) if text else text


def _credit(text: str) -> str:
    return checked_name(text, "the credit", 200) if text else text


def parse_moment(value: Any) -> datetime:
    """Return a time in UTC and whole seconds, from an aware ``datetime`` or RFC 3339 text.

    Signed documents count in whole seconds, as the JWT times ``nbf`` and ``exp`` do; what a
    clock says more precisely is cut off.

    Raises
    ------
    InputError
        It has no time zone, says fractions of a second in text, or is no such time.
    """
    if isinstance(value, str):
        if not _DATE_TIME.fullmatch(value):
            raise InputError(
                f"{value[:40]!r} is not a time in whole seconds with its zone",
                hint="Write 2026-11-21T09:30:00Z or 2026-11-21T10:30:00+01:00.",
            )
        try:
            value = datetime.fromisoformat(value)
        except ValueError as exc:
            raise InputError(f"{value!r} is no time: {exc}") from exc
    if not isinstance(value, datetime):
        raise InputError(f"{str(value)[:40]!r} is not a time")
    try:
        moment = to_utc(value).replace(microsecond=0)
    except (ValueError, OverflowError) as exc:
        raise InputError(
            f"the time {value.isoformat()} cannot be used: {exc}", hint="Give its time zone."
        ) from exc
    if moment.year not in _YEARS:
        raise InputError(f"the time {moment.isoformat()} is out of range")
    return moment


def moment_text(moment: datetime) -> str:
    """Return `moment` as documents write it, ``2026-11-21T09:30:00Z``."""
    return to_utc(moment).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def same_json(one: Any, other: Any) -> bool:
    """Return whether two JSON values are equal, types included: 1 is not true, nor 1.0."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def from_epoch(seconds: int, what: str) -> datetime:
    """Return the time of a JWT claim such as ``iat``."""
    try:
        return parse_moment(datetime.fromtimestamp(seconds, UTC))
    except (ValueError, OverflowError, OSError) as exc:
        raise InputError(f"{what} is {seconds}, which is no time") from exc


def _day(value: Any) -> date:
    if isinstance(value, str):
        if not _DATE.fullmatch(value):
            raise InputError(f"{value[:40]!r} is not a date", hint="Write 2031-05-17.")
        try:
            value = date.fromisoformat(value)
        except ValueError as exc:
            raise InputError(f"{value!r} is no date: {exc}") from exc
    if not isinstance(value, date) or isinstance(value, datetime) or value.year not in _YEARS:
        raise InputError(f"{str(value)[:40]!r} is not a date that can be used")
    return value


def _pattern(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern})


PartyId = Annotated[str, AfterValidator(said(_party_id)), _pattern(PARTY_PATTERN)]
Urn = Annotated[str, AfterValidator(said(_urn)), _pattern(URN_PATTERN)]
Digest = Annotated[str, AfterValidator(said(_digest)), _pattern(DIGEST_PATTERN)]
#: Absent values are empty texts where a member is always there.
UrnOrNone = Annotated[str, AfterValidator(said(_urn_or_none)), _pattern(f"^$|{URN_PATTERN}")]
DigestOrNone = Annotated[
    str, AfterValidator(said(_digest_or_none)), _pattern(f"^$|{DIGEST_PATTERN}")
]
Did = Annotated[str, AfterValidator(said(_did)), _pattern(DID_PATTERN)]
VoiceName = Annotated[
    str,
    AfterValidator(said(checked_voice)),
    _pattern("^[a-z0-9][a-z0-9_-]*:[A-Za-z0-9][A-Za-z0-9_.-]*$"),
]
Language = Annotated[
    str,
    AfterValidator(said(_language)),
    _pattern(r"^(\*|[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8}){0,7})$"),
]
#: A text of one line, 1 to 200 characters.
Label = Annotated[str, AfterValidator(said(_label)), Field(min_length=1, max_length=200)]
#: A text of one line, up to 2,000 characters, or none.
Line = Annotated[str, AfterValidator(said(_line)), Field(max_length=2000)]
Credit = Annotated[str, AfterValidator(said(_credit)), Field(max_length=200)]
#: An aware time in whole seconds; in JSON as UTC text.
Moment = Annotated[
    datetime,
    BeforeValidator(said(parse_moment)),
    PlainSerializer(moment_text, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
Day = Annotated[
    date, BeforeValidator(said(_day)), WithJsonSchema({"type": "string", "format": "date"})
]
Flag = Annotated[bool, Field(strict=True)]
