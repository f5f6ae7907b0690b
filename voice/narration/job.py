"""What a job is: every segment with its voice and key, and the request to speak it."""

from __future__ import annotations

import getpass
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from consent.canonical import digest
from consent.errors import InputError
from voice.narration.assemble import HEAD_S, TAIL_S
from voice.narration.cache import segment_key
from voice.narration.disclosure import with_disclosure
from voice.narration.pool import Task
from voice.narration.speaker import Speaker, find_speaker
from voice.narration.usage import Usage, surroundings
from voice.script.frontmatter import LOST
from voice.script.model import Plan, PlanChapter, Segment

if TYPE_CHECKING:
    from consent.registry import AuthorizationRequest, Registry

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
    disclosed
        The first segment says that the voice is synthetic.
    digest
        SHA-256 of all that shapes the speech and what it is for; the same command gives the
        same digest, so an interrupted job is found again.
    """

    plan: Plan
    utterances: tuple[Utterance, ...]
    speakers: Mapping[str, Speaker]
    request: AuthorizationRequest
    disclosed: bool = False

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
    usage: Usage | None = None,
    speed: float = 1.0,
    registry: Registry | None = None,
) -> Job:
    """Resolve the voices of `plan` and describe the job.

    Parameters
    ----------
    usage
        What the work is for; None is an audiobook for private use.
    registry
        Knows which voices are a person's, and in its home what files will carry. Without it
        every voice is described as its engine describes it, and the registry refuses the job
        if that is wrong.

    Raises
    ------
    InputError
        Unknown voice, speed out of range, or nothing to speak.
    ModelError
        A voice's model has no card.
    """
    usage = usage or Usage()
    speakers = _speakers(plan, registry)
    disclosed = usage.speaks_disclosure(granted=any(s.granted for s in speakers.values()))
    if disclosed:
        plan = with_disclosure(plan)
        speakers = _speakers(plan, registry)
    utterances = [
        Utterance(
            segment,
            chapter.number,
            speakers[plan.voice_of(segment)],
            _checked_speed(segment, speed),
        )
        for chapter, segment in _spoken(plan)
    ]
    if not utterances:
        raise InputError(
            f"there is nothing to speak in {plan.title or 'the text'!r}",
            hint="See what was left out: vivavoce plan BOOK; put it back with --keep.",
        )
    by_name = {speaker.name: speaker for speaker in speakers.values()}
    request = _request(plan, utterances, by_name.values(), usage, registry)
    if registry is not None:
        request = replace(
            request, surroundings=surroundings(registry.home, usage, disclosed=disclosed)
        )
    return Job(plan, tuple(utterances), by_name, request, disclosed)


def _spoken(plan: Plan) -> Iterator[tuple[PlanChapter, Segment]]:
    for chapter in plan.chapters:
        for segment in chapter.segments:
            if segment.spoken.strip():
                yield chapter, segment


def _speakers(plan: Plan, registry: Registry | None) -> dict[str, Speaker]:
    """Return who speaks, by the names the plan uses."""
    speakers: dict[str, Speaker] = {}
    for _, segment in _spoken(plan):
        name = plan.voice_of(segment)
        if name not in speakers:
            try:
                speakers[name] = find_speaker(name, registry)
            except InputError as exc:
                raise InputError(f"segment {segment.id}: {exc.message}", hint=exc.hint) from exc
    return speakers


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
    usage: Usage,
    registry: Registry | None,
) -> AuthorizationRequest:
    from consent.registry import AuthorizationRequest

    speech: dict[str, float] = {}
    for utterance in utterances:
        name = utterance.speaker.name
        pause = max(0.0, utterance.segment.pause_after)
        speech[name] = speech.get(name, 0.0) + utterance.seconds + pause
    share = {name: seconds / sum(speech.values()) for name, seconds in speech.items()}
    edges = (HEAD_S + TAIL_S) * len(plan.chapters)
    pauses = sum(s.pause_after for c in plan.chapters for s in c.segments if not s.spoken.strip())
    total = sum(speech.values()) + edges + max(0.0, pauses)
    # What is spoken, apart from what for: a performer approves it once, as a draft.
    script = {"title": plan.title, "segments": [[u.chapter, u.id, u.key(0)] for u in utterances]}
    licensee = usage.licensee
    if licensee and registry is not None:
        licensee = registry.party(licensee).id
    terms = asdict(usage) | {"licensee": licensee, "content": sorted(usage.content)}
    used = list(speakers)
    models = {speaker.card.id: speaker.model_use() for speaker in used}
    return AuthorizationRequest(
        work_title=plan.title[:2000],
        work_author=", ".join(plan.authors)[:2000],
        work_identifier=plan.identifier[:2000],
        purpose=usage.purpose,
        job_digest=digest({"format": 2, **script, **terms}),
        script_digest=digest(script),
        languages=tuple(dict.fromkeys(u.segment.language for u in utterances)),
        territory=usage.territory,
        channel=usage.channel,
        commercial=usage.commercial,
        licensee=licensee,
        content=tuple(sorted(usage.content)),
        minutes=total / 60 * MINUTES_MARGIN,
        voices=tuple(s.voice_use(total / 60 * MINUTES_MARGIN * share[s.name]) for s in used),
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
