"""What a job is: every segment with its voice and key, and the request to speak it."""

from __future__ import annotations

import getpass
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any

from consent.errors import InputError, ModelError, VivavoceError
from voice.engines import SpeechEngine, Voice, find_voice
from voice.models import packaged_cards
from voice.models.card import forbids_commerce
from voice.narration.assemble import HEAD_S, TAIL_S
from voice.narration.cache import segment_key
from voice.narration.pool import Task
from voice.script.frontmatter import LOST
from voice.script.model import Plan, PlanChapter, Segment

if TYPE_CHECKING:
    from consent.registry import AuthorizationRequest, ModelUse, VoiceUse
    from voice.models.card import ModelCard

#: Minutes are asked for with this margin: how long speech is, is known when it has been spoken.
MINUTES_MARGIN = 1.25
#: Characters spoken per second; scripts that write syllables or words in one sign are slower.
_CHARACTERS_PER_S = 14.0
_SYLLABIC_PER_S = 4.5
_SYLLABIC = {"ja", "zh", "ko", "yue"}
_MARKUP = re.compile(r"\[([^\]]*)\]\([^)]*\)")
SPEED_RANGE = (0.5, 2.0)
_LISTED = 3
_VARIATION = re.compile(r"(.+)=([0-9]{1,6})")


@dataclass(frozen=True, slots=True)
class Speaker:
    """A voice of the job with its engine, model card and fingerprint."""

    voice: Voice
    card: ModelCard
    engine_version: str
    fingerprint: str

    @property
    def name(self) -> str:
        """Qualified name of the voice."""
        return self.voice.qualified

    def voice_use(self, minutes: float) -> VoiceUse:
        """Return the record of this voice speaking for `minutes`."""
        from consent.registry import VoiceUse

        return VoiceUse(
            voice=self.name,
            basis=self.voice.basis,
            licence=self.voice.licence,
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


@dataclass(frozen=True, slots=True)
class Utterance:
    """A segment to be spoken: who speaks it, how fast, and its name in the cache."""

    segment: Segment
    chapter: int
    speaker: Speaker
    speed: float

    @property
    def id(self) -> str:
        """The segment's id."""
        return self.segment.id

    @property
    def seconds(self) -> float:
        """Expected length of the speech."""
        base = self.segment.language.split("-")[0].lower()
        per_second = _SYLLABIC_PER_S if base in _SYLLABIC else _CHARACTERS_PER_S
        return len(_MARKUP.sub(r"\1", self.segment.spoken)) / per_second / self.speed + 0.3

    def key(self, variation: int) -> str:
        """Return the name of its rendering in the cache."""
        return segment_key(
            fingerprint=self.speaker.fingerprint,
            voice=self.speaker.name,
            spoken=self.segment.spoken,
            language=self.segment.language,
            speed=self.speed,
            variation=variation,
        )

    def task(self, variation: int) -> Task:
        """Return the task of rendering it."""
        message = {
            "do": "render",
            "key": self.key(variation),
            "voice": self.speaker.name,
            "spoken": self.segment.spoken,
            "language": self.segment.language,
            "speed": self.speed,
            "variation": variation,
        }
        return Task(self.id, len(self.segment.spoken), message)


@dataclass(frozen=True, slots=True)
class Job:
    """Everything that is to be spoken, resolved.

    Attributes
    ----------
    plan
        With the chosen chapters alone.
    utterances
        In the order of the book; segments that are only a pause are not among them.
    request
        What the registry is asked for.
    digest
        SHA-256 of all that shapes the speech and what it is for; the same command gives the
        same digest, so an interrupted job is found again.
    """

    plan: Plan
    utterances: tuple[Utterance, ...]
    speakers: Mapping[str, Speaker]
    request: AuthorizationRequest

    @property
    def digest(self) -> str:
        """The job's digest."""
        return self.request.job_digest

    def by_chapter(self) -> list[tuple[PlanChapter, tuple[Utterance, ...]]]:
        """Return the chapters with their utterances."""
        groups: dict[int, list[Utterance]] = {}
        for utterance in self.utterances:
            groups.setdefault(utterance.chapter, []).append(utterance)
        return [(c, tuple(groups.get(c.number, ()))) for c in self.plan.chapters]


def make_job(
    plan: Plan,
    *,
    purpose: str = "audiobook",
    commercial: bool = False,
    channel: str = "private",
    territory: str = "world",
    speed: float = 1.0,
) -> Job:
    """Resolve the voices of `plan` and describe the job.

    Raises
    ------
    InputError
        Unknown voice, speed out of range, or nothing to speak.
    ModelError
        A voice's model has no card.
    """
    speakers: dict[str, Speaker] = {}
    utterances = []
    for chapter in plan.chapters:
        for segment in chapter.segments:
            if not segment.spoken.strip():
                continue
            name = plan.voice_of(segment)
            if name not in speakers:
                try:
                    speakers[name] = _speaker(name)
                except InputError as exc:
                    raise InputError(f"segment {segment.id}: {exc.message}", hint=exc.hint) from exc
            pace = _checked_speed(segment, speed)
            utterances.append(Utterance(segment, chapter.number, speakers[name], pace))
    if not utterances:
        raise InputError(
            f"there is nothing to speak in {plan.title or 'the text'!r}",
            hint="See what was left out: vivavoce plan BOOK; put it back with --keep.",
        )
    by_name = {speaker.name: speaker for speaker in speakers.values()}
    request = _request(plan, utterances, by_name.values(), purpose, commercial, channel, territory)
    return Job(plan, tuple(utterances), by_name, request)


def _speaker(name: str) -> Speaker:
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
    return Speaker(voice, card, _version(engine), _fingerprint(engine, voice))


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


def _checked_speed(segment: Segment, speed: float) -> float:
    pace = segment.speed * speed
    low, high = SPEED_RANGE
    if not low <= pace <= high:
        raise InputError(
            f"segment {segment.id} would be spoken at speed {pace:g}",
            hint=f"Speeds from {low:g} to {high:g} are possible (segment speed times --speed).",
        )
    return pace


def _request(
    plan: Plan,
    utterances: Sequence[Utterance],
    speakers: Iterable[Speaker],
    purpose: str,
    commercial: bool,
    channel: str,
    territory: str,
) -> AuthorizationRequest:
    from consent.registry import AuthorizationRequest

    speech: dict[str, float] = {}
    for utterance in utterances:
        name = utterance.speaker.name
        pause = max(0.0, utterance.segment.pause_after)
        speech[name] = speech.get(name, 0.0) + utterance.seconds + pause
    edges = (HEAD_S + TAIL_S) * len(plan.chapters)
    pauses = sum(s.pause_after for c in plan.chapters for s in c.segments if not s.spoken.strip())
    total = sum(speech.values()) + edges + max(0.0, pauses)
    described: dict[str, Any] = {
        "format": 1,
        "title": plan.title,
        "purpose": purpose,
        "commercial": commercial,
        "channel": channel,
        "territory": territory,
        "segments": [[u.chapter, u.id, u.key(0)] for u in utterances],
    }
    text = json.dumps(described, ensure_ascii=True, separators=(",", ":"), sort_keys=True)
    used = list(speakers)
    models = {speaker.card.id: speaker.model_use() for speaker in used}
    return AuthorizationRequest(
        work_title=plan.title[:2000],
        work_author=", ".join(plan.authors)[:2000],
        work_identifier=plan.identifier[:2000],
        purpose=purpose,
        job_digest=hashlib.sha256(text.encode()).hexdigest(),
        languages=tuple(dict.fromkeys(u.segment.language for u in utterances)),
        territory=territory,
        channel=channel,
        commercial=commercial,
        minutes=total / 60 * MINUTES_MARGIN,
        voices=tuple(s.voice_use((speech[s.name] + edges) / 60 * MINUTES_MARGIN) for s in used),
        models=tuple(models.values()),
        requester=_user(),
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def losses(plan: Plan) -> list[str]:
    """Say what of the book could not be read: missing files, damage, signs no voice can speak.

    What is left out by design (notes, contents) is not among it.
    """
    places: dict[str, list[str]] = {}
    for item in plan.skipped:
        if item.key in LOST:
            places.setdefault(item.what, []).append(item.where or item.excerpt)
    return [
        f"{len(where)} x {what}: {'; '.join(where[:_LISTED])}"
        + (f"; and {len(where) - _LISTED} more" if len(where) > _LISTED else "")
        for what, where in places.items()
    ]


def parse_orders(orders: Sequence[str], utterances: Iterable[Utterance]) -> dict[str, int | None]:
    """Read requests for new renderings: ``"3.12"`` or ``"3.12=2"``.

    Returns
    -------
    dict
        Segment id -> the variation asked for, or None for the next one.

    Raises
    ------
    InputError
        There is no such segment among the chosen chapters.
    """
    known = {utterance.id for utterance in utterances}
    asked: dict[str, int | None] = {}
    for order in orders:
        segment, variation = order.strip(), None
        if segment not in known and (match := _VARIATION.fullmatch(segment)):
            segment, variation = match.groups()
        if segment not in known:
            raise InputError(
                f"there is no segment {segment!r} to speak",
                hint="Write its id, for instance 3.12, or 3.12=2 for its variation 2. The ids are "
                "in an exported plan: vivavoce plan BOOK -o FILE.",
            )
        asked[segment] = None if variation is None else int(variation)
    return asked
