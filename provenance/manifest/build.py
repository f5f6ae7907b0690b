"""What a manifest says: how the sound was made, by whose leave, and how to check it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from typing import Any

from consent.clock import rfc3339
from provenance.audio.tags import Tags, checked_cover

SYNTHETIC = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
CONSENT = "org.vivavoce.consent"
WATERMARK = "org.vivavoce.watermark"
THUMBNAIL = "cover"
FORMAT_VERSION = 1
HOW_TO_VERIFY = "vivavoce verify FILE, or any C2PA tool with the signer's trust bundle"
TRAINING = (
    "cawg.ai_generative_training",
    "cawg.ai_inference",
    "cawg.ai_training",
    "cawg.data_mining",
)


@dataclass(frozen=True, slots=True)
class VoiceClaim:
    """A voice as the manifest names it.

    Attributes
    ----------
    basis
        ``"stock"``: used under a licence. Nobody's consent is claimed for it. ``"grant"``: used
        by the consent of the person whose voice it is.
    opening
        For a person's voice, what opens the commitments of the log entry
        (:meth:`consent.registry.Opening.to_json`); None for a stock voice.
    """

    voice: str
    basis: str
    licence: str
    opening: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ModelClaim:
    """A model as the manifest names it; `sha256` is empty where it cannot be pinned."""

    model: str
    engine: str
    engine_version: str
    sha256: str
    licence: str


@dataclass(frozen=True, slots=True)
class Claims:
    """Everything a manifest says about one file.

    Attributes
    ----------
    leaf
        The log entry of the receipt, verbatim: it is what the proof proves.
    tlog_proof, log_vkey
        The offline proof and the key it is checked with (a hint: only a key known from
        elsewhere proves anything).
    pcm_sha256, pcm_format
        See :class:`provenance.audio.Encoding`.
    publisher
        As the user calls themselves; empty if they do not.
    watermark
        Details of the mark, or None when there is none.
    """

    output_id: str
    registry_tag: str
    created_at: datetime
    container: str
    duration_s: float
    sample_rate: int
    pcm_sha256: str
    pcm_format: str
    disclosure: str
    authorization_sha256: str
    policies: Sequence[str]
    purpose: str
    voices: Sequence[VoiceClaim]
    models: Sequence[ModelClaim]
    leaf: str
    tlog_proof: str
    log_vkey: str
    watermark: Mapping[str, Any] | None = None
    publisher: str = ""


def definition(tags: Tags, claims: Claims) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return the manifest definition and its resources (the cover, if there is one)."""
    made: dict[str, Any] = {
        "claim_generator_info": [{"name": "vivavoce", "version": version("vivavoce")}],
        "title": tags.title,
        "assertions": [
            _assertion("c2pa.actions.v2", _actions(claims)),
            *(_assertion("c2pa.ai-disclosure", d) for d in _disclosures(claims.models)),
            _assertion(
                "cawg.training-mining",
                {"entries": {name: {"use": "notAllowed"} for name in TRAINING}},
            ),
            {**_assertion("cawg.metadata", _metadata(tags, claims)), "kind": "Json"},
            _assertion(CONSENT, _consent(claims)),
        ],
    }
    if claims.watermark is not None:
        made["assertions"].append(_assertion(WATERMARK, dict(claims.watermark)))
    cover = checked_cover(tags)
    if cover is None:
        return made, {}
    made["thumbnail"] = {"format": cover[1], "identifier": THUMBNAIL}
    return made, {THUMBNAIL: cover[0]}


def _assertion(label: str, data: dict[str, Any]) -> dict[str, Any]:
    # "created": asserted by the signer, not gathered from elsewhere.
    return {"label": label, "created": True, "data": data}


def _actions(claims: Claims) -> dict[str, Any]:
    agent = {"name": "vivavoce", "version": version("vivavoce")}
    when = rfc3339(claims.created_at)
    actions: list[dict[str, Any]] = [
        {
            "action": "c2pa.created",
            "digitalSourceType": SYNTHETIC,
            "softwareAgent": agent,
            "when": when,
            "description": claims.disclosure,
        }
    ]
    if claims.watermark is not None:
        # Unbound: the framing of our id is not a registered soft-binding algorithm.
        actions.append({"action": "c2pa.watermarked.unbound", "softwareAgent": agent, "when": when})
    return {"actions": actions, "allActionsIncluded": True}


def _disclosures(models: Sequence[ModelClaim]) -> list[dict[str, Any]]:
    """Return one C2PA 2.4 AI disclosure per model."""
    # "prompt_guided": a person chose text and voice. That somebody approved every minute of the
    # result ("human_validated") is not ours to claim.
    made = []
    for model in models:
        identifier = f"{model.engine}:{model.model}"
        if model.sha256:
            identifier += f"@sha256:{model.sha256}"
        made.append(
            {
                "modelType": "c2pa.types.model",
                "modelName": model.model,
                "modelIdentifier": identifier,
                "contentProfile": {"humanOversightLevel": "prompt_guided"},
            }
        )
    return made


def _metadata(tags: Tags, claims: Claims) -> dict[str, Any]:
    values: dict[str, Any] = {
        "@context": {"dc": "http://purl.org/dc/elements/1.1/"},
        "dc:title": tags.title,
        "dc:creator": [tags.artist] if tags.artist else [],
        "dc:contributor": [f"{voice.voice} (synthetic voice)" for voice in claims.voices],
        "dc:language": [tags.language] if tags.language else [],
        "dc:date": tags.date,
        "dc:publisher": [claims.publisher] if claims.publisher else [],
        "dc:description": claims.disclosure,
    }
    return {key: value for key, value in values.items() if value}


def _consent(claims: Claims) -> dict[str, Any]:
    # No list of small integers here: the library would turn it into base64.
    return {
        "version": FORMAT_VERSION,
        "output": claims.output_id,
        "registry": claims.registry_tag,
        "created": rfc3339(claims.created_at),
        "container": claims.container,
        "duration_s": f"{claims.duration_s:.3f}",
        "pcm": {
            "sha256": claims.pcm_sha256,
            "format": claims.pcm_format,
            "rate": claims.sample_rate,
            "channels": 1,
        },
        "authorization": {
            "sha256": claims.authorization_sha256,
            "purpose": claims.purpose,
            "policies": list(claims.policies),
        },
        "voices": [_voice(voice) for voice in claims.voices],
        "models": [
            {
                "model": model.model,
                "engine": model.engine,
                "engine_version": model.engine_version,
                "sha256": model.sha256,
                "licence": model.licence,
            }
            for model in claims.models
        ],
        "watermark": "none" if claims.watermark is None else str(claims.watermark["model"]),
        "receipt": {
            "leaf": claims.leaf,
            "proof": claims.tlog_proof,
            "log": claims.log_vkey,
        },
        "verify": HOW_TO_VERIFY,
    }


def _voice(voice: VoiceClaim) -> dict[str, Any]:
    grant = "" if voice.opening is None else str(voice.opening["grant_id"])
    said: dict[str, Any] = {
        "voice": voice.voice,
        "basis": voice.basis,
        "licence": voice.licence,
        "statement": basis_sentence(voice.voice, voice.basis, voice.licence, grant),
    }
    if voice.opening is not None:
        said["grant"] = {
            "id": voice.opening["grant_id"],
            "sha256": voice.opening["grant_digest"],
            "salts": dict(voice.opening["salts"]),
        }
    return said


def basis_sentence(voice: str, basis: str, licence: str, grant: str = "") -> str:
    """Say on what ground a voice was used, claiming no more than is known."""
    if basis == "stock":
        return f"{voice}: stock voice, licence {licence}."
    if basis == "grant" and grant:
        return f"{voice}: a person's voice, used by their signed consent, grant {grant}."
    return f"{voice}: basis {basis!r}, licence {licence}."
