"""What goes into the registry and what comes out, as plain values."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from consent.canonical import digest
from consent.clock import rfc3339
from consent.errors import InputError
from consent.policy.facts import PURPOSES, REVIEW
from consent.registry.job.checks import check_digest, check_minutes, check_texts, check_uses
from consent.registry.job.requests import (
    GRACE_MS,
    TOLERANCE,
    AuthorizationRequest,
    ModelUse,
    VoiceUse,
    allowed_ms,
)

__all__ = [
    "CONTAINERS",
    "GRACE_MS",
    "LEASE_LIFETIME",
    "PURPOSES",
    "REVIEW",
    "START_WITHIN",
    "TOLERANCE",
    "Authorization",
    "AuthorizationRequest",
    "GrantUse",
    "ModelUse",
    "Opening",
    "Receipt",
    "ReceiptDraft",
    "VoiceUse",
]

#: An authorization must be started this soon.
START_WITHIN = timedelta(minutes=15)
#: A lease that was not renewed for so long has ended; work renews it by itself.
LEASE_LIFETIME = timedelta(days=7)
CONTAINERS = ("m4b", "m4a", "mp3", "wav", "flac")

_OUTPUT_ID = re.compile(r"[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class GrantUse:
    """A grant that an authorization rests on.

    Attributes
    ----------
    voice
        Qualified name of the voice.
    grant_id, grant_digest
        Which grant; the digest is of the signed document.
    reserved_ms
        Milliseconds held for the job; receipts of this voice can cover so many.
    review
        Drafts for the performer's ears: on record, but none of the grant's minutes are spent.
    """

    voice: str
    grant_id: str
    grant_digest: str
    reserved_ms: int
    review: bool


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
    grants
        The grants of the persons whose voices are used.
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
    grants: tuple[GrantUse, ...] = ()

    def payload(self) -> dict[str, Any]:
        """Return what is signed, as JSON values."""
        fields = {
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
        if self.grants:
            fields["grants"] = [dataclasses.asdict(use) for use in self.grants]
        return fields

    @classmethod
    def from_payload(cls, data: Mapping[str, Any], signature: str) -> Authorization:
        """Read back what :meth:`payload` gave."""
        return cls(
            id=data["id"],
            request=AuthorizationRequest.from_payload(data["request"]),
            issued_at=datetime.fromisoformat(data["issued_at"]),
            start_before=datetime.fromisoformat(data["start_before"]),
            policy_decision=tuple(data["policy_decision"]),
            policy_digest=data["policy_digest"],
            registry_tag=data["registry_tag"],
            signature=signature,
            grants=tuple(GrantUse(**use) for use in data.get("grants", ())),
        )

    @property
    def digest(self) -> str:
        """What receipts name it by: SHA-256 of the payload. The random id makes it hiding."""
        return digest(self.payload())

    @property
    def allowed_ms(self) -> int:
        """How much audio receipts may cover in all, tolerance included, in milliseconds."""
        return allowed_ms(self.request.minutes)


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
        check_texts(self)
        if not _OUTPUT_ID.fullmatch(self.output_id):
            raise InputError(f"output id {self.output_id!r}: 12 lower-case hex digits expected")
        if self.container not in CONTAINERS:
            raise InputError(
                f"container {self.container!r}, expected one of {', '.join(CONTAINERS)}"
            )
        check_digest("text_digest", self.text_digest)
        check_digest("source_pcm_sha256", self.source_pcm_sha256)
        check_minutes("duration_s / 60", self.duration_s / 60)
        if not self.watermark:
            raise InputError('watermark is empty; write "none" where there is none')
        check_uses(self.voices, self.models)
        longest = self.duration_s / 60 * (1 + TOLERANCE) + GRACE_MS / 60_000
        for voice in self.voices:
            if voice.minutes > longest:
                raise InputError(
                    f"{voice.voice} is said to speak {voice.minutes:.2f} minutes in a file of "
                    f"{self.duration_s / 60:.2f}",
                    hint="Give the minutes each voice speaks in this file, not in the whole work.",
                )


@dataclass(frozen=True, slots=True)
class Opening:
    """What opens the commitments of a log entry to a voice and its grant.

    The entry of a person's voice holds no name: with these values, given to the readers of a
    file inside it, anyone can compute the commitments again and see that they fit.

    Attributes
    ----------
    voice, voice_salt
        ``commitment(voice in UTF-8, voice_salt)`` is the entry's ``voice``; salts in hex.
    grant_id, grant_digest, grant_salt
        ``commitment(canonical JSON of {"id", "digest"}, grant_salt)`` is its ``grant``.
    """

    voice: str
    grant_id: str
    grant_digest: str
    voice_salt: str
    grant_salt: str

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {
            "voice": self.voice,
            "grant_id": self.grant_id,
            "grant_digest": self.grant_digest,
            "salts": {"voice": self.voice_salt, "grant": self.grant_salt},
        }


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
    openings
        One for each person's voice in it.
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
    openings: tuple[Opening, ...] = ()

    @property
    def leaf_bytes(self) -> bytes:
        """The log entry as bytes."""
        return self.leaf_json.encode()
