"""What goes into the registry and what comes out, as plain values."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from consent.canonical import digest
from consent.clock import rfc3339
from consent.errors import InputError

#: An authorization must be started this soon.
START_WITHIN = timedelta(minutes=15)
#: A lease that was not renewed for so long has ended; work renews it by itself.
LEASE_LIFETIME = timedelta(days=7)
#: Receipts may exceed the minutes authorized by this share, and by half a minute in any case:
#: the length of speech is known only when it has been spoken.
TOLERANCE = 0.10
GRACE_MS = 30_000

PURPOSES = ("audiobook", "speech")
CONTAINERS = ("m4b", "m4a", "mp3", "wav", "flac")

_HEX64 = re.compile(r"[0-9a-f]{64}")
_OUTPUT_ID = re.compile(r"[0-9a-f]{12}")
_MAX_TEXT = 2_000
_MAX_MINUTES = 1_000_000.0


@dataclass(frozen=True, slots=True)
class VoiceUse:
    """A voice and how long it speaks.

    Attributes
    ----------
    voice
        Qualified name, ``kokoro:af_heart``.
    basis
        ``"stock"``: a licence, no person's yes.
    licence
        SPDX identifier or short name.
    commercial
        Whether the licence allows commercial use.
    minutes
        In a request, at most so long; in a receipt, so long in this file.
    """

    voice: str
    basis: str
    licence: str
    commercial: bool
    minutes: float


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
        ``"audiobook"`` or ``"speech"``.
    job_digest
        SHA-256, lower-case hex, of everything that is to be spoken.
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

    def check(self) -> None:
        """Refuse a request that cannot be meant.

        Raises
        ------
        InputError
            A field is missing, ill-formed or out of range.
        """
        _check_texts(self)
        if self.purpose not in PURPOSES:
            raise InputError(f"purpose is {self.purpose!r}, expected one of {', '.join(PURPOSES)}")
        _check_digest("job_digest", self.job_digest)
        _check_minutes("minutes", self.minutes)
        if not self.languages:
            raise InputError("the request names no language")
        _check_uses(self.voices, self.models)

    def payload(self) -> dict[str, Any]:
        """Return the request as JSON values."""
        fields: dict[str, Any] = _jsonable(dataclasses.asdict(self))
        return fields

    @classmethod
    def from_payload(cls, data: Mapping[str, Any]) -> AuthorizationRequest:
        """Read back what :meth:`payload` gave."""
        fields = dict(data)
        fields["languages"] = tuple(fields["languages"])
        fields["voices"] = tuple(VoiceUse(**voice) for voice in fields["voices"])
        fields["models"] = tuple(ModelUse(**model) for model in fields["models"])
        return cls(**fields)


@dataclass(frozen=True, slots=True)
class Authorization:
    """A signed yes: this job, these voices and models, this long, started soon.

    Attributes
    ----------
    id
        32 hex digits, random.
    start_before
        The lease must be opened before this time.
    policy_decision
        Ids of the policies that decided.
    policy_digest
        Which policies were in force.
    signature
        By the registry's key over :meth:`payload` in canonical JSON; hex.
    """

    id: str
    request: AuthorizationRequest
    issued_at: datetime
    start_before: datetime
    policy_decision: tuple[str, ...]
    policy_digest: str
    registry_tag: str
    signature: str = ""

    def payload(self) -> dict[str, Any]:
        """Return what is signed, as JSON values."""
        return {
            "kind": "authorization",
            "version": 1,
            "id": self.id,
            "request": self.request.payload(),
            "issued_at": rfc3339(self.issued_at),
            "start_before": rfc3339(self.start_before),
            "policy_decision": list(self.policy_decision),
            "policy_digest": self.policy_digest,
            "registry_tag": self.registry_tag,
        }

    @property
    def digest(self) -> str:
        """What receipts name it by: SHA-256 of the payload. The random id makes it hiding."""
        return digest(self.payload())

    @property
    def allowed_ms(self) -> int:
        """How much audio receipts may cover in all, tolerance included, in milliseconds."""
        return round(self.request.minutes * 60_000 * (1 + TOLERANCE)) + GRACE_MS


@dataclass(frozen=True, slots=True)
class ReceiptDraft:
    """One file about to leave, as the door describes it.

    Attributes
    ----------
    output_id
        12 hex digits, from ``Registry.new_output_id()``.
    duration_s
        Length of the file in seconds.
    text_digest
        Salted digest of the text spoken in it, 64 hex digits (``consent.canonical.commitment``).
    source_pcm_sha256
        Digest of the samples given to the encoder, the mark included; 64 hex digits.
    watermark
        ``"none"`` or the id of the model that marked it.
    voices
        Voices in this file, each with the minutes it speaks *in this file*.
    title
        For people; stays in the registry.
    """

    authorization_id: str
    output_id: str
    container: str
    duration_s: float
    text_digest: str
    source_pcm_sha256: str
    watermark: str
    voices: tuple[VoiceUse, ...]
    models: tuple[ModelUse, ...]
    title: str

    @property
    def duration_ms(self) -> int:
        """Length in whole milliseconds."""
        return round(self.duration_s * 1000)

    def check(self) -> None:
        """Refuse a draft that cannot be meant.

        Raises
        ------
        InputError
            A field is missing, ill-formed or out of range.
        """
        _check_texts(self)
        if not _OUTPUT_ID.fullmatch(self.output_id):
            raise InputError(f"output id {self.output_id!r}: 12 lower-case hex digits expected")
        if self.container not in CONTAINERS:
            raise InputError(
                f"container {self.container!r}, expected one of {', '.join(CONTAINERS)}"
            )
        _check_digest("text_digest", self.text_digest)
        _check_digest("source_pcm_sha256", self.source_pcm_sha256)
        _check_minutes("duration_s / 60", self.duration_s / 60)
        if not self.watermark:
            raise InputError('watermark is empty; write "none" where there is none')
        _check_uses(self.voices, self.models)
        longest = self.duration_s / 60 * (1 + TOLERANCE) + GRACE_MS / 60_000
        for voice in self.voices:
            if voice.minutes > longest:
                raise InputError(
                    f"{voice.voice} is said to speak {voice.minutes:.2f} minutes in a file of "
                    f"{self.duration_s / 60:.2f}",
                    hint="Give the minutes each voice speaks in this file, not in the whole work.",
                )


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the registry remembers of one file, and the proof that it was logged.

    Attributes
    ----------
    state
        ``"issued"`` (no file yet), ``"sealed"`` or ``"abandoned"``.
    leaf_json
        The log entry, canonical JSON; :func:`consent.log.verify_proof` takes it as it is.
    leaf_index
        Its 0-based place in the log.
    tlog_proof
        Text of the form c2sp.org/tlog-proof@v1.
    authorization_id
        Empty when the registry was rebuilt from the log and the authorization is unknown.
    sha256, size, published_as
        Of the finished file, once sealed.
    """

    output_id: str
    authorization_id: str
    leaf_index: int
    leaf_json: str
    tlog_proof: str
    created_at: datetime
    state: str
    title: str = ""
    container: str = ""
    duration_ms: int = 0
    sha256: str = ""
    size: int = 0
    published_as: str = ""
    reason: str = ""

    @property
    def leaf_bytes(self) -> bytes:
        """The log entry as bytes."""
        return self.leaf_json.encode()


def _jsonable(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(item) for item in value]
    return value


def _check_texts(record: AuthorizationRequest | ReceiptDraft) -> None:
    fields = [(f.name, getattr(record, f.name)) for f in dataclasses.fields(record)]
    uses: tuple[VoiceUse | ModelUse, ...] = (*record.voices, *record.models)
    for use in uses:
        fields += [(f.name, getattr(use, f.name)) for f in dataclasses.fields(use)]
    for name, value in fields:
        if not isinstance(value, str):
            continue
        if len(value) > _MAX_TEXT:
            raise InputError(f"{name} has {len(value):,} characters; {_MAX_TEXT:,} is the most")
        try:
            value.encode()
        except UnicodeEncodeError as exc:
            raise InputError(f"{name} is not valid Unicode: {value[:80]!r}") from exc


def _check_digest(name: str, value: str) -> None:
    if not _HEX64.fullmatch(value):
        raise InputError(f"{name} is {value[:80]!r}, expected 64 lower-case hex digits")


def _check_minutes(name: str, value: float) -> None:
    if not (math.isfinite(value) and 0 < value <= _MAX_MINUTES):
        raise InputError(f"{name} is {value!r}, expected more than 0 minutes")


def _check_uses(voices: tuple[VoiceUse, ...], models: tuple[ModelUse, ...]) -> None:
    if not voices:
        raise InputError("no voice is named")
    if not models:
        raise InputError("no model is named")
    names = [voice.voice for voice in voices]
    if len(set(names)) != len(names):
        raise InputError(f"a voice is named twice: {', '.join(names)}")
    for voice in voices:
        if not voice.voice or len(voice.voice) > 200:
            raise InputError(f"{voice.voice[:80]!r} is not the name of a voice")
        if not (math.isfinite(voice.minutes) and 0 <= voice.minutes <= _MAX_MINUTES):
            raise InputError(f"{voice.voice} is said to speak {voice.minutes!r} minutes")
    for model in models:
        if not model.model or len(model.model) > 200:
            raise InputError(f"{model.model[:80]!r} is not the name of a model")
        if model.commercial not in ("yes", "no", "unknown"):
            raise InputError(
                f"commercial use of the model {model.model} is {model.commercial!r}",
                hint='Write "yes", "no" or "unknown".',
            )
        if model.sha256:
            _check_digest(f"sha256 of the model {model.model}", model.sha256)
