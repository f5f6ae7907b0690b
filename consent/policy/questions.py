"""What is asked of Cedar: one question for each voice and model, with all its attributes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from consent.clock import rfc3339
from consent.policy import matching
from consent.policy.facts import GrantFacts, Surroundings

if TYPE_CHECKING:
    from datetime import datetime

    from consent.registry.job.requests import AuthorizationRequest, ModelUse, VoiceUse

#: What can be done with a voice: the action, and the permission that a grant needs for it.
ACTIONS: Mapping[str, str] = {
    "speak": "synthesis",
    "clone": "cloning",
    "train": "training",
    "derive": "derivatives",
    "exportVoice": "export",
}
USE_MODEL = "useModel"

# Names in the schema of what the caller knows.
_SURROUNDINGS = {
    "signed_metadata": "signedMetadata",
    "watermark": "watermark",
    "timestamp": "timestamp",
    "provider": "provider",
    "audible_disclosure": "audibleDisclosure",
    "written_disclosure": "writtenDisclosure",
    "artistic": "artistic",
}


@dataclass(frozen=True, slots=True)
class Question:
    """Whether this requester may do this with this voice or model, for this work.

    Attributes
    ----------
    kind
        ``"Voice"`` or ``"Model"``.
    subject
        Name of the voice or id of the model.
    attributes, context
        As the schema has them.
    """

    requester: str
    action: str
    kind: str
    subject: str
    attributes: Mapping[str, Any]
    context: Mapping[str, Any]


def work(request: AuthorizationRequest, surroundings: Surroundings) -> dict[str, Any]:
    """Return the context of every question of a request."""
    known = {
        _SURROUNDINGS[field.name]: getattr(surroundings, field.name)
        for field in fields(surroundings)
    }
    return {
        "title": request.work_title,
        "author": request.work_author,
        "identifier": request.work_identifier,
        "purpose": request.purpose,
        "languages": sorted(set(request.languages)),
        "territory": matching.normal_territory(request.territory),
        "countries": sorted(matching.countries(request.territory)),
        "reaches": sorted(matching.reaches(request.territory)),
        "channel": request.channel,
        "commercial": request.commercial,
        "minutes": math.ceil(request.minutes),
        "licensee": request.licensee,
        "content": sorted(set(request.content)),
        **{name: value for name, value in known.items() if value is not None},
    }


def about_voice(
    request: AuthorizationRequest,
    voice: VoiceUse,
    *,
    registered: bool,
    grant: GrantFacts | None,
    context: Mapping[str, Any],
    action: str,
) -> Question:
    """Return the question whether `voice` may be used."""
    attributes: dict[str, Any] = {
        "basis": voice.basis,
        "licence": voice.licence,
        "licenceLower": voice.licence.strip().lower(),
        "commercial": voice.commercial,
        "registered": registered,
        "milliseconds": voice.duration_ms,
        "minutes": _minutes(math.ceil(voice.duration_ms / 600)),
    }
    if grant is not None:
        attributes["grant"] = _grant(grant, request)
    return Question(request.requester, action, "Voice", voice.voice, attributes, context)


def about_model(
    request: AuthorizationRequest, model: ModelUse, *, context: Mapping[str, Any]
) -> Question:
    """Return the question whether `model` may be used."""
    attributes = {
        "engine": model.engine,
        "version": model.engine_version,
        "licence": model.licence,
        "licenceLower": model.licence.strip().lower(),
        "commercial": model.commercial,
    }
    return Question(request.requester, USE_MODEL, "Model", model.model, attributes, context)


def _grant(facts: GrantFacts, request: AuthorizationRequest) -> dict[str, Any]:
    left = facts.left_ms
    return {
        "id": facts.id,
        "status": facts.status,
        "statusSince": _moment(facts.status_since),
        "supersededBy": facts.superseded_by,
        "validFrom": _moment(facts.valid_from),
        "validUntil": _moment(facts.valid_until),
        "termDays": facts.term_days,
        "owner": facts.owner,
        "licensee": facts.licensee,
        "forThisRegistry": facts.registry_matches,
        "permissions": sorted(set(facts.permissions)),
        "purposes": sorted(set(facts.purposes)),
        "works": sorted({_named(*one) for one in facts.works}),
        "anyWork": not facts.works,
        "coversWork": matching.covers_work(
            facts.works, request.work_title, request.work_identifier
        ),
        "languages": sorted(set(facts.languages)),
        "missingLanguages": list(matching.missing_languages(facts.languages, request.languages)),
        "territories": sorted({matching.normal_territory(one) for one in facts.territories}),
        "channels": sorted(set(facts.channels)),
        "exclusions": sorted(set(facts.exclusions)),
        "commercial": facts.commercial,
        "unlimited": left is None,
        "millisecondsLeft": 0 if left is None else left,
        "minutesLeft": "any" if left is None else _minutes(left // 600),
        "basis": facts.basis,
        "mandateValid": facts.mandate_valid,
        "proof": facts.proof,
        "minor": facts.minor,
        "approvalRequired": facts.approval_required,
        "approved": facts.approved,
        "audibleDisclosure": facts.disclosure_audible,
        "evidence": sorted(set(facts.evidence)),
    }


def _named(title: str, identifier: str) -> str:
    return f"{title} ({identifier})" if title and identifier else title or identifier


def _minutes(hundredths: int) -> str:
    """Write hundredths of a minute.

    >>> _minutes(1200), _minutes(1256), _minutes(10)
    ('12', '12.56', '0.1')
    """
    return f"{hundredths / 100:.2f}".rstrip("0").rstrip(".")


def _moment(moment: datetime | None) -> str:
    return "" if moment is None else rfc3339(moment)
