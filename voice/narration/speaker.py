"""Who speaks: a voice with its engine, the card of its model, and on what ground it may be used."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING

from consent.errors import ModelError, VivavoceError
from voice.engines import SpeechEngine, Voice, find_voice
from voice.models import packaged_cards
from voice.models.card import forbids_commerce

if TYPE_CHECKING:
    from consent.registry import ModelUse, Registry, VoiceUse
    from voice.models.card import ModelCard


@dataclass(frozen=True, slots=True)
class Speaker:
    """A voice of the job with its engine, model card and fingerprint.

    Attributes
    ----------
    granted
        The voice is a person's: it speaks by their grant, whatever its card says.
    """

    voice: Voice
    card: ModelCard
    engine_version: str
    fingerprint: str
    granted: bool = False

    @property
    def name(self) -> str:
        """Qualified name of the voice."""
        return self.voice.qualified

    def voice_use(self, minutes: float) -> VoiceUse:
        """Return the record of this voice speaking for `minutes`."""
        from consent.registry import VoiceUse

        return VoiceUse(
            voice=self.name,
            basis="grant" if self.granted else self.voice.basis,
            licence="grant" if self.granted else self.voice.licence,
            commercial=self.voice.commercial,
            minutes=minutes,
        )

    def model_use(self) -> ModelUse:
        """Return the record of the model behind this voice."""
        from consent.registry import ModelUse

        return ModelUse(
            model=self.card.id,
            engine=self.voice.engine,
            engine_version=self.engine_version,
            sha256=self.card.sha256,
            licence=self.card.licence,
            commercial=self.card.commercial,
        )


def find_speaker(name: str, registry: Registry | None) -> Speaker:
    """Return the voice `name` with all that a job needs to know of it.

    Raises
    ------
    InputError
        There is no such voice.
    ModelError
        Its model has no card, or one that cannot be true, or the engine failed.
    """
    engine, voice = find_voice(name)
    card = next((card for card in engine.cards() if card.id == voice.model), None)
    if card is None:
        raise ModelError(
            f"the voice {voice.qualified!r} names the model {voice.model!r}, which has no card",
            hint="Every model needs a card that states its licence; see docs/models.md.",
        )
    if card.commercial == "yes" and forbids_commerce(card.licence):
        raise ModelError(
            f"the card of {card.id!r} says that {card.licence} allows commercial use; it does not",
            hint="Report it to the engine's authors.",
        )
    reviewed = packaged_cards().get(card.id)
    if reviewed is not None and reviewed != card:
        raise ModelError(
            f"the engine {voice.engine!r} has a card of its own for the model {card.id!r}, which "
            "ships with vivavoce",
            hint="Ask the engine's authors to give their model an id of its own.",
        )
    granted = registry is not None and registry.registered_voice(voice.qualified) is not None
    return Speaker(voice, card, _version(engine), _fingerprint(engine, voice), granted)


def _fingerprint(engine: SpeechEngine, voice: Voice) -> str:
    """Return the engine's digest of `voice`; without one, a wrong sound could be in the cache."""
    try:
        digest: object = engine.fingerprint(voice.name)
    except VivavoceError:
        raise
    except Exception as exc:
        raise ModelError(
            f"the engine {voice.engine!r} failed: fingerprint(): {type(exc).__name__}: {exc}",
            hint="Try another voice, or report it to the engine's authors.",
        ) from exc
    if not isinstance(digest, str) or not digest:
        raise ModelError(
            f"the engine {voice.engine!r} gives {voice.name!r} the fingerprint {digest!r}, not a "
            "digest",
            hint="Report it to the engine's authors.",
        )
    return digest


def _version(engine: SpeechEngine) -> str:
    """Return the engine's own statement of its version, else that of its distribution."""
    stated = getattr(engine, "version", None)
    if isinstance(stated, str) and stated:
        return stated
    package = type(engine).__module__.partition(".")[0]
    for distribution in metadata.packages_distributions().get(package, []):
        return metadata.version(distribution)
    return "unknown"
