"""Silence is material too: every pause of a reading in one table.

Values are seconds added after a segment, on top of the little silence that voices leave at the
ends of what they say. They follow what audiobook producers ask of narrators: about half a
second between paragraphs, a second and more where a scene ends, two seconds around chapter
headings.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from consent.errors import InputError


@dataclass(frozen=True, slots=True)
class Pauses:
    """Seconds of silence by structure.

    Attributes
    ----------
    clause
        Between the parts of an over-long sentence.
    turn
        Where the voice changes inside a sentence.
    sentence
        Between sentences of a paragraph.
    paragraph
        After a paragraph, and between paragraphs of a quotation.
    quote
        Before and after a block quotation.
    verse_line
        After a line of verse.
    stanza
        After a stanza.
    list_item
        After an item of a list or a row of a table.
    heading
        After a heading.
    before_heading
        Before a heading inside a chapter.
    chapter_heading
        After the last heading that opens a chapter.
    section
        At a section break (``* * *``, a rule).
    silence
        For a paragraph that holds nothing to say ("…").
    chapter_end
        After the last words of a chapter.
    """

    clause: float = 0.08
    turn: float = 0.12
    sentence: float = 0.3
    paragraph: float = 0.6
    quote: float = 0.8
    verse_line: float = 0.3
    stanza: float = 0.9
    list_item: float = 0.5
    heading: float = 0.8
    before_heading: float = 1.4
    chapter_heading: float = 1.5
    section: float = 1.6
    silence: float = 0.9
    chapter_end: float = 1.0

    @classmethod
    def from_mapping(cls, values: dict[str, object], where: str) -> Pauses:
        """Build from a table of a cast file, refusing unknown names and odd values.

        Raises
        ------
        InputError
            A name is unknown or a value is not a number of seconds from 0 to 30.
        """
        known = {field.name for field in fields(cls)}
        chosen: dict[str, float] = {}
        for name, value in values.items():
            if name not in known:
                raise InputError(
                    f"{where}: there is no pause called {name!r}",
                    hint=f"Choose from: {', '.join(sorted(known))}.",
                )
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise InputError(f"{where}: pause {name} is {value!r}, not a number of seconds")
            if not 0 <= value <= 30:
                raise InputError(f"{where}: pause {name} is {value} s; it may be 0 to 30")
            chosen[name] = float(value)
        return cls(**chosen)


DEFAULT = Pauses()
