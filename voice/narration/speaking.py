"""A few sentences, spoken into one sealed file: the same way as a book, shorter."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from consent.errors import InputError
from voice.engines import find_voice
from voice.narration.events import Listener
from voice.narration.render import Check, narrate
from voice.narration.result import NarrationResult
from voice.narration.usage import Usage
from voice.script.model import Block, BlockKind, Book, BookChapter, Plan, Span

if TYPE_CHECKING:
    from consent.home import Home
    from consent.registry import Registry
    from voice.script import Lexicon

_TITLE_CHARACTERS = 60


def speak(
    text: str,
    *,
    voice: str,
    output: Path,
    home: Home,
    registry: Registry,
    language: str | None = None,
    lexicon: Lexicon | None = None,
    container: str | None = None,
    usage: Usage | None = None,
    workers: int | None = None,
    check: Check = "fast",
    bitrate: int | None = None,
    require_watermark: bool = False,
    overwrite: bool = False,
    speed: float = 1.0,
    progress: Listener | None = None,
) -> NarrationResult:
    """Speak a text into one sealed file.

    Parameters
    ----------
    text
        Prose; empty lines part paragraphs.
    usage
        What it is for; None is speech for private use.
    language
        BCP 47 tag; None is the voice's main language.

    Other parameters, results and errors are those of :func:`voice.narration.narrate`.
    """
    return narrate(
        text_plan(text, voice=voice, language=language, lexicon=lexicon),
        output=output,
        home=home,
        registry=registry,
        container=container,
        usage=usage or Usage(purpose="speech"),
        workers=1 if workers is None else workers,
        check=check,
        bitrate=bitrate,
        require_watermark=require_watermark,
        overwrite=overwrite,
        speed=speed,
        progress=progress,
    )


def text_plan(
    text: str, *, voice: str, language: str | None = None, lexicon: Lexicon | None = None
) -> Plan:
    """Return the plan of a plain text: one chapter without a title.

    Raises
    ------
    InputError
        There is nothing to speak, or no such voice.
    """
    from voice.script import make_plan

    paragraphs = [" ".join(part.split()) for part in re.split(r"\n\s*\n", text)]
    blocks = tuple(Block(BlockKind.PARAGRAPH, (Span(part),)) for part in paragraphs if part)
    if not blocks:
        raise InputError("there is nothing to speak: the text is empty")
    _, found = find_voice(voice)
    title = blocks[0].text
    if len(title) > _TITLE_CHARACTERS:
        title = title[:_TITLE_CHARACTERS].rsplit(" ", 1)[0] + "…"
    book = Book(
        title=title,
        authors=(),
        language=language or (found.languages[0] if found.languages else "en"),
        chapters=(BookChapter(title="", blocks=blocks),),
    )
    return make_plan(book, narrator=voice, lexicon=lexicon)
