"""From text to the token ids of a Piper voice.

English is pronounced by this project's own :mod:`voice.phonemes`. Other languages need
espeak-ng, whose rules the voices were trained with. It is GPL-3 and not part of this project:
if the program is on the machine it is run as a separate process.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache

from consent.errors import InputError, ModelError

PAD, START, END = "_", "^", "$"

_MARKUP = re.compile(r"\[([^\]\[]*)\]\((/[^()]*/|[+-]?[0-9.]+)\)")
_PAUSE = re.compile(r"\s*([.!?;:,…—–]+)[\"'”’»)\]]*(?:\s+|$)")
_SIGNS = {"…": ".", "—": ",", "–": ","}


def encode(phonemes: str, ids: Mapping[str, Sequence[int]]) -> list[int]:
    """Return token ids: start, then each phoneme followed by the pad sign, then end.

    Symbols without an id are left out, as Piper does.

    Returns
    -------
    list of int
        Empty if no symbol but punctuation and spaces has an id.
    """
    known = [symbol for symbol in unicodedata.normalize("NFD", phonemes) if symbol in ids]
    if not any(unicodedata.category(symbol).startswith(("L", "N")) for symbol in known):
        return []
    tokens = [*ids[START], *ids[PAD]]
    for symbol in known:
        tokens += [*ids[symbol], *ids[PAD]]
    return [*tokens, *ids[END]]


def pronounce(text: str, *, language: str, espeak_voice: str) -> str:
    """Return the phonemes of `text` in espeak-ng's IPA.

    Parameters
    ----------
    text
        May contain inline pronunciations; outside English they are kept, stress marks are not.
    language
        BCP 47 tag of the voice: an English voice keeps its accent whatever the text's is.
    espeak_voice
        espeak-ng's name of the language (``de``); empty for voices that read letters.

    Raises
    ------
    InputError
        An inline pronunciation is not IPA.
    ModelError
        espeak-ng is needed and not on this machine.
    """
    if not espeak_voice:  # a voice trained on letters
        return unicodedata.normalize("NFD", _MARKUP.sub(r"\1", text).lower())
    if espeak_voice.split("-")[0] == "en":
        from voice.phonemes import phonemize

        return phonemize(text, _english(language, espeak_voice), alphabet="espeak")
    return _with_espeak(text, espeak_voice)


def needs_espeak(espeak_voice: str) -> bool:
    """Say whether a voice of this language needs the espeak-ng program."""
    return bool(espeak_voice) and espeak_voice.split("-")[0] != "en"


def _english(language: str, espeak_voice: str) -> str:
    if language.lower().startswith("en-"):
        return language
    return "en-US" if espeak_voice in {"en-us", "en"} else "en-GB"


@cache
def espeak_program() -> str | None:
    """Return the path of the espeak-ng program, or None."""
    return shutil.which("espeak-ng")


def _with_espeak(text: str, espeak_voice: str) -> str:
    pieces: list[str] = []
    position = 0
    for match in _MARKUP.finditer(text):
        pieces.append(_clauses(text[position : match.start()], espeak_voice))
        replacement = match[2].strip("/") if match[2].startswith("/") else None
        pieces.append(
            _clauses(match[1], espeak_voice) if replacement is None else f" {replacement} "
        )
        position = match.end()
    pieces.append(_clauses(text[position:], espeak_voice))
    spoken = re.sub(r"\s+(?=[.,!?;:])", "", "".join(pieces))
    return re.sub(r"\s+", " ", spoken).strip()


def _clauses(text: str, espeak_voice: str) -> str:
    """Pronounce clause by clause: the program leaves punctuation out of what it prints."""
    spoken: list[str] = []
    position = 0
    for match in [*_PAUSE.finditer(text), None]:
        clause = text[position : match.start() if match else len(text)]
        if clause.strip():
            spoken.append(_run_espeak(clause, espeak_voice))
        if match is None:
            break
        spoken.append(_SIGNS.get(match[1][0], match[1][0]) + " ")
        position = match.end()
    lead = " " if text[:1].isspace() else ""
    return lead + "".join(spoken)


def _run_espeak(text: str, espeak_voice: str) -> str:
    program = espeak_program()
    if program is None:
        raise ModelError(
            f"this voice speaks {espeak_voice!r}, and its phonemes come from espeak-ng, "
            "which is not on this machine",
            hint="Install the program, for instance: apt install espeak-ng",
        )
    if not re.fullmatch(r"[a-z0-9-]{2,24}", espeak_voice):
        raise InputError(f"{espeak_voice!r} is not the name of a language of espeak-ng")
    try:
        result = subprocess.run(
            [program, "-q", "--ipa", "-b", "1", "-v", espeak_voice, "--stdin"],
            input=text,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=60,
            check=True,
        )
    except subprocess.CalledProcessError as exc:
        raise ModelError(f"espeak-ng failed for {espeak_voice!r}: {exc.stderr.strip()}") from exc
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError) as exc:
        raise ModelError(f"espeak-ng could not be run: {exc}") from exc
    # Language switches inside a text are printed as "(en)"; they are not phonemes.
    return re.sub(r"\([a-z-]+\)", "", " ".join(result.stdout.split()))
