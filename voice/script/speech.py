"""From a stretch of spans to what an engine is given: pronunciations, stress, normalised words.

The markup of the result is the one of :class:`voice.engines.base.Synthesizer`:
``[written](/IPA/)`` and ``[word](+1)``. Square brackets of the text itself never survive, so
that a book cannot forge it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from voice.script.characters import primary, script, speakable_scripts
from voice.script.lexicon import Lexicon
from voice.script.model import Span
from voice.script.normalise import LANGUAGES, normalise
from voice.script.normalise.capitals import lower_shouts
from voice.script.normalise.symbols import LONE_GREEK

_MARK = 0xF0000
"""Protected runs stand in the text as private characters from here while it is normalised."""
_MARKS = re.compile("[\U000f0000-\U000fffff]")
_MAX_MARKS = 0xFFFF

MAX_STRESSED_WORDS = 3
"""Emphasis on more words than this is a title or a passage, not stress."""

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_SIBILANTS = ("s", "z", "ʃ", "ʒ", "tʃ", "dʒ", "ʧ", "ʤ")
_VOICELESS = ("p", "t", "k", "f", "θ")


@dataclass(frozen=True, slots=True)
class Spoken:
    """What is to be spoken, and what of the text cannot be."""

    text: str
    dropped: tuple[str, ...] = ()


class Speaker:
    """Turns text into speech markup for one book.

    Parameters
    ----------
    language
        The book's language: that of its voices.
    lexicon
        Pronunciations.
    """

    def __init__(self, language: str, lexicon: Lexicon | Mapping[str, str] | None = None) -> None:
        self.language = language
        self.lexicon = lexicon if isinstance(lexicon, Lexicon) else Lexicon(dict(lexicon or {}))
        self.scripts = speakable_scripts(language)

    def speak(
        self,
        spans: Sequence[Span],
        *,
        language: str | None = None,
        heading: bool = False,
        opens_chapter: bool = False,
    ) -> Spoken:
        """Return the spoken form of `spans`, one sentence or less.

        Parameters
        ----------
        language
            Of this stretch, where it differs from the book's.
        heading, opens_chapter
            See :func:`voice.script.normalise.normalise`.
        """
        language = language or self.language
        if primary(language) != "en" and primary(language) not in LANGUAGES:
            language = self.language
        dropped: list[str] = []
        spans = [self._speakable(span, dropped) for span in spans]
        held: list[str] = []
        text = self._protect(spans, held)
        text = normalise(text, language, heading=heading, opens_chapter=opens_chapter)
        text = _MARKS.sub(lambda mark: held[ord(mark.group()) - _MARK], text)
        if not any(character.isalnum() for character in text):
            text = ""
        elif heading and text[-1] not in ".!?…":
            text += "."
        return Spoken(text, tuple(dropped))

    def _speakable(self, span: Span, dropped: list[str]) -> Span:
        """Take out runs in scripts the voice cannot read, and pictures."""
        if span.text.isascii() or span.phonemes is not None:
            return span
        text = span.text
        kept: list[str] = []
        run: list[str] = []
        gap: list[str] = []
        named = set()
        if primary(self.language) == "en":
            named = {match.start() for match in LONE_GREEK.finditer(text)}
        for at, character in enumerate(text):
            foreign = script(character) not in self.scripts and at not in named
            if character == "\ufffd" or foreign:
                run.extend(gap)
                run.append(character)
                gap = []
            elif run and not character.isalnum():
                gap.append(character)
            else:
                if run:
                    dropped.append("".join(run))
                    kept.append(" ")
                    kept.extend(gap)
                    run, gap = [], []
                kept.append(character)
        if run:
            dropped.append("".join(run))
            kept.append(" ")
        kept.extend(gap)
        if len(kept) == len(text) and not dropped:
            return span
        return Span("".join(kept), span.emphasis, span.language, None, span.voice, span.pause)

    def _protect(self, spans: Sequence[Span], held: list[str]) -> str:
        """Join the spans; pronounced and stressed words become marks."""
        joined: list[str] = []
        stressed: list[tuple[int, int]] = []
        position = 0
        whole = sum(len(span.text.strip()) for span in spans)
        for span in spans:
            if span.phonemes is not None and len(held) < _MAX_MARKS:
                written = _plain(span.text)
                lead = " " if span.text[:1].isspace() else ""
                tail = " " if span.text[-1:].isspace() else ""
                piece = lead + _hold(held, f"[{written}](/{span.phonemes}/)") + tail
                piece = piece if written else span.text
            else:
                piece = _MARKS.sub("", span.text)
                if span.emphasis and len(span.text.strip()) < 0.7 * whole:
                    stressed.extend(_stressed(piece, position))
            joined.append(piece)
            position += len(piece)
        text = "".join(joined)
        changes = [(m.start, m.end, m.spoken, m.ipa) for m in self.lexicon.find(text)]
        taken = 0
        merged: list[tuple[int, int, str]] = []
        for start, end, spoken, ipa in changes:
            merged.append((start, *_pronounced(text, start, end, spoken, ipa)))
        for start, end in stressed:
            if all(end <= other[0] or start >= other[1] for other in merged):
                merged.append((start, end, f"[{_plain(_calm(text[start:end]))}](+1)"))
        merged.sort()
        pieces: list[str] = []
        for start, end, markup in merged:
            if start < taken or len(held) >= _MAX_MARKS:
                continue
            pieces.append(text[taken:start])
            pieces.append(_hold(held, markup))
            taken = end
        pieces.append(text[taken:])
        return "".join(pieces)


def _hold(held: list[str], markup: str) -> str:
    held.append(markup)
    return chr(_MARK + len(held) - 1)


def _calm(word: str) -> str:
    """Return a shouted word in lower case; an acronym as it is."""
    return word.lower() if lower_shouts(word) != word else word


def _plain(text: str) -> str:
    """Return text that can stand between square brackets."""
    return " ".join(re.sub(r"[\[\](){}/\U000f0000-\U000fffff]", "", text).replace("’", "'").split())


def _stressed(piece: str, position: int) -> list[tuple[int, int]]:
    """Find the words an emphasised run stresses; titles and long runs stress nothing."""
    words = list(_WORD.finditer(piece))
    plain = _WORD.sub("", piece).strip(" .,;:!?…—-\"'“”‘’")
    if not words or len(words) > MAX_STRESSED_WORDS or plain:
        return []
    if len(words) > 1 and sum(word.group()[0].isupper() for word in words) > 1:
        return []
    return [(position + word.start(), position + word.end()) for word in words]


def _pronounced(text: str, start: int, end: int, spoken: str, ipa: str | None) -> tuple[int, str]:
    """Return where a pronounced word ends and its markup; a possessive is pronounced with it."""
    written = _plain(text[start:end])
    if ipa is None:
        return end, spoken
    possessive = re.match(r"['’]s\b", text[end:])
    if possessive:
        end += possessive.end()
        written += "'s"
        if ipa.endswith(_SIBILANTS):
            ipa += "ɪz"
        else:
            ipa += "s" if ipa.endswith(_VOICELESS) else "z"
    return end, f"[{written}](/{ipa}/)" if written else text[start:end]
