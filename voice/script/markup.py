"""Markup in Markdown and plain text: voices, pauses and pronunciations.

``[voice:NAME] ... [/voice]`` gives a passage, also over several paragraphs, to a role or
voice; ``[pause:1.5]`` is a silence in seconds; ``[Ukridge](/ˈjuːkɹɪdʒ/)`` is a pronunciation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from consent.errors import InputError
from voice.script.model import Span
from voice.script.phonetic import to_ipa

DEFAULT_PAUSE = 1.0
LONGEST_PAUSE = 60.0

_TAG = re.compile(
    r"\[voice:(?P<voice>[^\[\]\n]{1,80})\]|(?P<close>\[/voice\])|"
    r"\[pause(?::(?P<pause>[^\[\]\n]{0,20}))?\]|"
    r"\[(?P<written>[^\[\]\n]{1,80})\]\(/(?P<phonemes>[^()/\[\]\n]{1,120})/\)"
)


class MarkupReader:
    """Reads markup out of one text after another; a voice lasts until it is closed.

    Parameters
    ----------
    name
        The file, for errors.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.voice: str | None = None
        self.opened_at = ""

    def read(self, spans: Iterable[Span], place: str) -> list[Span]:
        """Return the spans without markup, with the properties it gave them.

        Parameters
        ----------
        place
            Where in the file they stand ("line 12"), for errors.

        Raises
        ------
        InputError
            A pause that is no number of seconds, or a closing tag without an opening one.
        """
        result: list[Span] = []
        for span in spans:
            if "[" not in span.text:
                result.append(replace(span, voice=span.voice or self.voice))
                continue
            position = 0
            for match in _TAG.finditer(span.text):
                self._text(result, span, span.text[position : match.start()])
                self._tag(result, span, match, place)
                position = match.end()
            self._text(result, span, span.text[position:])
        return result

    def finish(self) -> None:
        """Refuse a voice that is still open at the end of the file.

        Raises
        ------
        InputError
            Names the voice and where it was opened.
        """
        if self.voice is not None:
            raise InputError(
                f"{self.name}: {self.opened_at}: [voice:{self.voice}] is never closed",
                hint="Write [/voice] where the passage ends.",
            )

    def _text(self, result: list[Span], span: Span, text: str) -> None:
        if text:
            result.append(replace(span, text=text, voice=span.voice or self.voice))

    def _tag(self, result: list[Span], span: Span, match: re.Match[str], place: str) -> None:
        if match["voice"]:
            self.voice = match["voice"].strip()
            self.opened_at = place
        elif match["close"]:
            if self.voice is None:
                raise InputError(
                    f"{self.name}: {place}: [/voice] closes nothing",
                    hint="Open the passage with [voice:NAME].",
                )
            self.voice = None
        elif match["written"]:
            ipa = to_ipa(match["phonemes"])
            self._text(result, replace(span, phonemes=ipa), match["written"])
        else:
            seconds = self._seconds(match["pause"], place)
            result.append(Span("", voice=self.voice, pause=seconds))

    def _seconds(self, text: str | None, place: str) -> float:
        if text is None:
            return DEFAULT_PAUSE
        try:
            seconds = float(text.strip().removesuffix("s"))
        except ValueError:
            seconds = -1.0
        if not 0 <= seconds <= LONGEST_PAUSE:
            raise InputError(
                f"{self.name}: {place}: [pause:{text}] is not a pause",
                hint=f"Write seconds from 0 to {LONGEST_PAUSE:.0f}, for instance [pause:1.5].",
            )
        return seconds
