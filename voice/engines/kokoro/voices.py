"""The stock voices: style rows, kept as a low-rank factorisation.

A Kokoro voice is 510 rows of 256 numbers: row n - 1 is the style for an utterance of n tokens
(first half timbre, second half prosody). Within a voice the rows span hardly more than eight
dimensions, so a voice is stored as a mean and a few directions in half precision;
:mod:`voice.engines.kokoro.pack` makes the file and measures what is lost.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from consent.errors import InputError, ModelError
from voice.engines.base import Voice

ROWS = 510
WIDTH = 256
FILE = "voices.npz"

_LANGUAGES = {"a": "en-US", "b": "en-GB"}
_GENDERS = {"f": "female", "m": "male"}
_ACCENTS = {"en-US": "American", "en-GB": "British"}


@cache
def _archive() -> dict[str, NDArray[Any]]:
    file = resources.files("voice.engines.kokoro") / "data" / FILE
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError) as exc:
        raise ModelError(
            f"the stock voices cannot be read: {exc}", hint="Reinstall vivavoce."
        ) from exc


def names() -> tuple[str, ...]:
    """Return the names of the stock voices in alphabetical order."""
    return tuple(str(name) for name in _archive()["names"])


def stock() -> tuple[Voice, ...]:
    """Return the stock voices for lists."""
    return tuple(_describe(name) for name in names())


def style(name: str) -> NDArray[np.float32]:
    """Return the style rows of a voice.

    Returns
    -------
    ndarray, shape (510, 256), float32

    Raises
    ------
    InputError
        There is no such voice.
    """
    archive = _archive()
    place = _place(name)
    rows = archive["coefficients"][place].astype(np.float32) * archive["scales"][place]
    styles: NDArray[np.float32] = rows @ archive["directions"][place].astype(np.float32)
    styles += archive["means"][place].astype(np.float32)
    return styles


def style_digest(name: str) -> str:
    """Return a digest of what is stored of a voice.

    Raises
    ------
    InputError
        There is no such voice.
    """
    archive = _archive()
    place = _place(name)
    digest = hashlib.sha256()
    for key in ("means", "directions", "scales", "coefficients"):
        digest.update(np.ascontiguousarray(archive[key][place]).tobytes())
    return digest.hexdigest()[:16]


def language_of(name: str) -> str:
    """Return the language tag that the name's first letter stands for."""
    return _LANGUAGES[name[0]]


def _place(name: str) -> int:
    try:
        return names().index(name)
    except ValueError:
        raise InputError(
            f"kokoro has no voice {name!r}", hint="See the list: vivavoce voices list"
        ) from None


def _describe(name: str) -> Voice:
    language, gender = _LANGUAGES[name[0]], _GENDERS[name[1]]
    return Voice(
        name=name,
        engine="kokoro",
        languages=(language,),
        gender=gender,
        model="kokoro-82m",
        licence="Apache-2.0",
        commercial=True,
        description=f"{_ACCENTS[language]} English, {gender}, Kokoro stock voice",
    )
