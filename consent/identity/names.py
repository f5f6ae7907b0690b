"""Names that mean what they show: of people, works, voices, and the handles one types.

A name is shown to somebody who decides by it. So it must not turn the writing direction
round, hide characters, or look like another name by characters that nobody sees.
"""

from __future__ import annotations

import re
import unicodedata

from consent.errors import InputError

_HANDLE = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_VOICE = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}:[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?!\.)){0,134}")
# Blank, but not of a category that is refused; U+2800 is a Braille pattern without dots.
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_REFUSED = {
    "Cc": "a control character",
    "Cf": "an invisible formatting character",
    "Cn": "not an assigned character",
    "Co": "a private-use character",
    "Cs": "half of a surrogate pair",
    "Zl": "a line separator",
    "Zp": "a paragraph separator",
}
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_ZERO_WIDTH = frozenset("\u200b\u200c\u200d\u2060\ufeff")
# More marks on one letter than any writing system uses run over the lines around it.
_MAX_MARKS = 8


def checked_name(text: str, what: str, max_length: int = 200) -> str:
    """Return `text` in Unicode's composed form (NFC), or say why it is no name.

    Parameters
    ----------
    text
        The name of a party, a work or a voice, or another short text that people read.
    what
        What it is, for the message ("the display name").
    max_length
        In characters, after composing.

    Raises
    ------
    InputError
        It is blank, too long, begins or ends with a space, or holds a control, bidirectional,
        zero-width, unassigned or private character; the message says which one and where.
    """
    if len(text) > 4 * max_length:
        raise InputError(f"{what} has {len(text):,} characters; {max_length:,} is the most")
    # Plain ASCII, the usual case, has nothing to hide.
    suspects = "" if text.isascii() and text.isprintable() else text
    for place, character in enumerate(suspects, start=1):
        if fault := _fault(character):
            raise InputError(
                f"{what} holds U+{ord(character):04X} at place {place}: {fault}",
                hint="Type the name again without it.",
            )
    name = unicodedata.normalize("NFC", text)
    if not name.strip():
        raise InputError(f"{what} is empty", hint="Give a name that people can read.")
    if len(name) > max_length:
        raise InputError(f"{what} has {len(name):,} characters; {max_length:,} is the most")
    if name != name.strip():
        raise InputError(f"{what} begins or ends with a space: {name!r}")
    if suspects:
        _check_marks(name, what)
    return name


def checked_handle(text: str) -> str:
    """Return `text` if it is a handle: lower-case letters, digits and hyphens, 63 at most.

    Raises
    ------
    InputError
        It is not.
    """
    if not _HANDLE.fullmatch(text):
        raise InputError(
            f"{text[:80]!r} is not a handle",
            hint="Use lower-case letters a to z, digits and hyphens, 63 at most: anna-meyer.",
        )
    return text


def checked_voice(text: str) -> str:
    """Return `text` if it is the qualified name of a voice, ``engine:name``.

    Raises
    ------
    InputError
        It is not, or could mean another folder when it becomes part of a path.
    """
    if not _VOICE.fullmatch(text):
        raise InputError(
            f"{text[:80]!r} is not the name of a voice",
            hint="Write ENGINE:NAME, as in kokoro:af_heart; no spaces, no slashes, no '..'.",
        )
    return text


def _fault(character: str) -> str | None:
    if character in _BIDI:
        return "a character that turns the writing direction"
    if character in _ZERO_WIDTH:
        return "a character of no width"
    if character in _INVISIBLE:
        return "a character that shows nothing"
    return _REFUSED.get(unicodedata.category(character))


def _check_marks(name: str, what: str) -> None:
    run = 0
    for place, character in enumerate(name, start=1):
        run = run + 1 if unicodedata.category(character) in ("Mn", "Me") else 0
        if run > _MAX_MARKS or (run and place == 1):
            raise InputError(
                f"{what} has a combining mark U+{ord(character):04X} at place {place} "
                "with no letter to stand on",
                hint="Type the name again without it.",
            )
