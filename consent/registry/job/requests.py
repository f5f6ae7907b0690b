"""What is asked of the registry: a work, its voices and its models."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from consent.errors import InputError
from consent.policy.facts import PURPOSES, REVIEW, Surroundings
from consent.registry.job.checks import check_digest, check_minutes, check_texts, check_uses

#: Receipts may exceed the minutes authorized by this share, and by half a minute in any case:
#: the length of speech is known only when it has been spoken.
TOLERANCE = 0.10
GRACE_MS = 30_000


NOTHING_KNOWN = Surroundings()


def allowed_ms(minutes: float) -> int:
    """Return what receipts may use for `minutes`, tolerance included, in milliseconds."""
    return round(minutes * 60_000 * (1 + TOLERANCE)) + GRACE_MS


@dataclass(frozen=True, slots=True)
class VoiceUse:
    """A voice and how long it speaks.

    Attributes
    ----------
    voice
        Qualified name, ``kokoro:af_heart``.
    basis
        ``"stock"``: a licence, no person's yes; ``"grant"``: the yes of the person whose voice
        it is.
    licence
        SPDX identifier or short name; ``"grant"`` for a person's voice.
    commercial
        Whether the licence allows commercial use; for a person's voice the grant says it.
    minutes
        In a request, at most so long; in a receipt, so long in this file.
    grant
        In a request, id of the one grant to use; empty takes the newest that covers the work.
    """

    voice: str
    basis: str
    licence: str
    commercial: bool
    minutes: float
    grant: str = ""

    @property
    def duration_ms(self) -> int:
        """The minutes in whole milliseconds."""
        return round(self.minutes * 60_000)

    @property
    def allowed_ms(self) -> int:
        """What receipts may use for these minutes, tolerance included, in milliseconds."""
        return allowed_ms(self.minutes)


@dataclass(frozen=True, slots=True)
class ModelUse:
    """A model that makes the sound.

    Attributes
    ----------
    model
        Id of the model's card.
    sha256
        Digest of the weights, lower-case hex; empty where the card pins none.
    commercial
        ``"yes"``, ``"no"`` or ``"unknown"``.
    """

    model: str
    engine: str
    engine_version: str
    sha256: str
    licence: str
    commercial: str


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """Who wants to speak what, with which voices, where and for how long.

    Attributes
    ----------
    purpose
        One of :data:`PURPOSES`.
    job_digest
        SHA-256, lower-case hex, of everything that is to be spoken, and what for.
    languages
        BCP 47 tags.
    territory
        ISO 3166 code, or ``"world"``.
    channel
        Where it will be heard (``"private"``, ``"store"``, ...).
    minutes
        Length of the whole work, estimated.
    requester
        Who asks; stays in the registry and never reaches the log.
    licensee
        Party id of who uses the voices; needed for a person's voice.
    content
        Declared categories of content that a grant may exclude, ``("none",)`` for none of
        them; empty declares nothing.
    script_digest
        SHA-256, lower-case hex, of what is spoken and by whom, apart from what for: the same
        for the draft that a performer hears and for the work they approve by it.
    surroundings
        What will go with the sound, as far as it is known; some packs ask.
    """

    work_title: str
    work_author: str
    work_identifier: str
    purpose: str
    job_digest: str
    languages: tuple[str, ...]
    territory: str
    channel: str
    commercial: bool
    minutes: float
    voices: tuple[VoiceUse, ...]
    models: tuple[ModelUse, ...]
    requester: str
    licensee: str = ""
    content: tuple[str, ...] = ()
    script_digest: str = ""
    surroundings: Surroundings = NOTHING_KNOWN

    def check(self) -> None:
        """Refuse a request that cannot be meant.

        Raises
        ------
        InputError
            A field is missing, ill-formed or out of range.
        """
        check_texts(self)
        if self.purpose not in PURPOSES:
            raise InputError(f"purpose is {self.purpose!r}, expected one of {', '.join(PURPOSES)}")
        check_digest("job_digest", self.job_digest)
        if self.script_digest:
            check_digest("script_digest", self.script_digest)
        check_minutes("minutes", self.minutes)
        if not self.languages:
            raise InputError("the request names no language")
        if not all(self.content) or len(set(self.content)) != len(self.content):
            raise InputError(f"the declared content is {self.content!r}: each category once")
        if "none" in self.content and len(self.content) > 1:
            raise InputError(
                f"the declared content is {', '.join(self.content)}",
                hint='Declare the categories, or "none" alone.',
            )
        check_uses(self.voices, self.models)

    @property
    def approval_digest(self) -> str:
        """What a performer's approval is about."""
        return self.script_digest or self.job_digest

    @property
    def is_review(self) -> bool:
        """Whether this is a draft for the performer's ears, no publication."""
        return self.channel == REVIEW

    def payload(self) -> dict[str, Any]:
        """Return the request as JSON values."""
        fields: dict[str, Any] = _jsonable(dataclasses.asdict(self))
        # Left out where empty: what was signed before there were grants still reads the same.
        known = {k: v for k, v in fields["surroundings"].items() if v is not None}
        fields["surroundings"] = known
        for name in ("licensee", "content", "script_digest", "surroundings"):
            if not fields[name]:
                del fields[name]
        for voice in fields["voices"]:
            if not voice["grant"]:
                del voice["grant"]
        return fields

    @classmethod
    def from_payload(cls, data: Mapping[str, Any]) -> AuthorizationRequest:
        """Read back what :meth:`payload` gave."""
        fields = dict(data)
        fields["languages"] = tuple(fields["languages"])
        fields["content"] = tuple(fields.get("content", ()))
        fields["surroundings"] = Surroundings(**fields.get("surroundings", {}))
        fields["voices"] = tuple(VoiceUse(**voice) for voice in fields["voices"])
        fields["models"] = tuple(ModelUse(**model) for model in fields["models"])
        return cls(**fields)


def _jsonable(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(item) for item in value]
    return value
