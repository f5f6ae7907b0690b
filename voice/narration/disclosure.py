"""Saying aloud that the voice is synthetic, before the work begins."""

from __future__ import annotations

from dataclasses import replace

from consent.errors import InputError
from voice.script.model import BlockKind, Plan, Segment

#: The sentence by language; short and plain, as the EU's Code of Practice asks for.
SENTENCES = {
    "de": "Diese Aufnahme wird von einer synthetischen Stimme gesprochen.",
    "en": "This recording is spoken by a synthetic voice.",
    "es": "Esta grabación está leída por una voz sintética.",
    "fr": "Cet enregistrement est lu par une voix de synthèse.",
    "it": "Questa registrazione è letta da una voce sintetica.",
    "nl": "Deze opname wordt gesproken door een synthetische stem.",
    "pl": "To nagranie jest czytane przez głos syntetyczny.",
    "pt": "Esta gravação é lida por uma voz sintética.",
}
PAUSE_S = 1.0


def with_disclosure(plan: Plan) -> Plan:
    """Return `plan` with the spoken disclosure before its first chapter's first sentence.

    Its segment is number 0 of that chapter: numbers of the plan itself stay as they are.

    Raises
    ------
    InputError
        There is no sentence in the plan's language.
    """
    if not plan.chapters:
        return plan
    first = plan.chapters[0]
    language = plan.language
    sentence = SENTENCES.get(language.split("-")[0].lower())
    if sentence is None:
        raise InputError(
            f"there is no spoken disclosure in the language {language!r}",
            hint=f"It is there in {', '.join(SENTENCES)}. Leave it out with "
            "--no-spoken-disclosure where grant and law allow that.",
        )
    opening = Segment(
        id=f"{first.number}.0",
        kind=BlockKind.PARAGRAPH,
        text=sentence,
        spoken=sentence,
        language=language,
        pause_after=PAUSE_S,
    )
    chapter = replace(first, segments=(opening, *first.segments))
    return replace(plan, chapters=(chapter, *plan.chapters[1:]))
