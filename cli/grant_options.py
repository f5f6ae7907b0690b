"""The terms of a grant on the command line: as options, or asked for one by one."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from cli.party import moment
from consent.errors import InputError

Purposes = Annotated[
    list[str] | None,
    typer.Option("--purpose", help="What for, e.g. audiobook; may be given more than once."),
]
Languages = Annotated[
    list[str] | None, typer.Option("--language", help="BCP 47, e.g. en (covers en-GB); * is any.")
]
Territories = Annotated[
    list[str] | None, typer.Option("--territory", help="Country (ISO 3166), or world.")
]
Channels = Annotated[
    list[str] | None, typer.Option("--channel", help="Where it may be heard; * is anywhere.")
]
Works = Annotated[
    list[str] | None,
    typer.Option("--work", help='Title, or "Title | urn:isbn:..."; if none is named, any work.'),
]
Exclusions = Annotated[
    list[str] | None,
    typer.Option("--exclude", help="Content the voice must not say, e.g. political."),
]
From = Annotated[
    str | None, typer.Option("--from", help="From when: YYYY-MM-DD; now if not given.")
]
Until = Annotated[str | None, typer.Option("--until", help="Until when: YYYY-MM-DD.")]
Minutes = Annotated[
    str | None, typer.Option("--minutes", help="Minutes of finished audio, or unlimited.")
]
Commercial = Annotated[
    bool | None, typer.Option("--commercial/--no-commercial", help="May it be used commercially?")
]
Permissions = Annotated[
    list[str] | None,
    typer.Option(
        "--permission",
        help="synthesis (if none is named), cloning, training, derivatives, export: each a yes.",
    ),
]
Approval = Annotated[
    bool | None,
    typer.Option(
        "--approval/--no-approval", help="Must the performer approve each work before it is out?"
    ),
]
Audible = Annotated[
    bool | None,
    typer.Option("--audible/--no-audible", help="Must works say aloud that it is synthetic?"),
]
DisclosureText = Annotated[
    str | None, typer.Option(help="Words of the disclosure in the files' metadata.")
]
Rate = Annotated[
    str | None,
    typer.Option(help='What it pays: "12.50 EUR finished-hour" (or finished-minute, flat).'),
]
StatusHours = Annotated[
    float | None,
    typer.Option(help="How old the last word on its status may be, in hours; 24 if not given."),
]
Credit = Annotated[
    str | None, typer.Option(help="How published files name the voice; not at all if not given.")
]
Locale = Annotated[str | None, typer.Option(help="Language the terms are presented in.")]

#: A year, as grants allow it.
_MOST_HOURS = 366 * 24

_RATE = re.compile(r"([0-9.]+)\s+([A-Z]{3})\s+([a-z-]+)")
#: What must be said, by name: the question, and an example.
_QUESTIONS: Mapping[str, tuple[str, str]] = {
    "purposes": ("What may the voice be used for?", "audiobook"),
    "languages": ("In which languages? (* is any)", "en"),
    "territories": ("In which countries? (world, or codes such as DE FR)", "world"),
    "valid_until": ("Until when? (YYYY-MM-DD)", ""),
    "minutes": ("How many minutes of finished audio? (or unlimited)", ""),
    "commercial": ("May it be used commercially? (yes/no)", "no"),
    "performer_approval": (
        "Must the performer approve each work before it is out? (yes/no)",
        "yes",
    ),
}


def terms_from(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return members of the grant's terms from options; what was not given is left out.

    Parameters
    ----------
    given
        Values by parameter name, as the command line's context has them; others are passed over.

    Raises
    ------
    InputError
        An option is ill-formed.
    """
    terms: dict[str, Any] = {}
    for name, (member, read) in _READERS.items():
        value = given[name]
        if value is not None and value not in ([], ()):
            terms[member] = read(value)
    disclosure = {k: terms.pop(k) for k in ("audible", "text") if k in terms}
    if disclosure:
        terms["disclosure"] = disclosure
    return terms


def ask_missing(terms: dict[str, Any]) -> dict[str, Any]:
    """Ask a person for the terms that must be said and were not; return all of them.

    Raises
    ------
    InputError
        There is no terminal to ask at, or an answer is ill-formed.
    """
    missing = [name for name in _QUESTIONS if name not in terms]
    if missing and not sys.stdin.isatty():
        needed = [name for name in missing if name != "performer_approval"]
        if needed:
            raise InputError(
                f"the grant does not say: {', '.join(needed)}",
                hint="A yes says what it is for. Give "
                + ", ".join(_OPTIONS[name] for name in needed)
                + ".",
            )
        missing = []
    for name in missing:
        question, example = _QUESTIONS[name]
        answer = str(typer.prompt(question, default=example or None, err=True)).strip()
        terms[name] = _ANSWERS[name](answer)
    terms.setdefault("performer_approval", False)
    terms.setdefault("permissions", ("synthesis",))
    return terms


def _minutes(text: str) -> int | None:
    if text == "unlimited":
        return None
    if not text.isascii() or not text.isdigit():
        raise InputError(f"{text[:40]!r} is no number of minutes", hint="Write 600, or unlimited.")
    return int(text)


def _seconds(hours: float) -> int:
    if not 0 <= hours <= _MOST_HOURS:
        raise InputError(
            f"--status-hours is {hours}", hint=f"Give a number from 0 to {_MOST_HOURS}: 24, say."
        )
    return round(hours * 3600)


def _rate(text: str) -> dict[str, str]:
    match = _RATE.fullmatch(text.strip())
    if match is None:
        raise InputError(
            f"{text[:60]!r} is no rate",
            hint='Write amount, currency and unit: "12.50 EUR finished-hour".',
        )
    return {"rate": match[1], "currency": match[2], "unit": match[3]}


def _work(text: str) -> dict[str, str]:
    title, _, identifier = text.partition("|")
    return {"title": title.strip(), "identifier": identifier.strip()}


def _yes(text: str) -> bool:
    answers = {"yes": True, "y": True, "no": False, "n": False}
    if text.lower() not in answers:
        raise InputError(f"{text[:40]!r} is neither yes nor no")
    return answers[text.lower()]


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.replace(",", " ").split())


_READERS: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "purposes": ("purposes", tuple),
    "languages": ("languages", tuple),
    "territories": ("territories", tuple),
    "channels": ("channels", tuple),
    "works": ("works", lambda texts: tuple(_work(text) for text in texts)),
    "exclusions": ("exclusions", tuple),
    "valid_from": ("valid_from", moment),
    "valid_until": ("valid_until", moment),
    "minutes": ("minutes", _minutes),
    "commercial": ("commercial", bool),
    "permissions": ("permissions", tuple),
    "approval": ("performer_approval", bool),
    "audible": ("audible", bool),
    "disclosure_text": ("text", str),
    "rate": ("compensation", _rate),
    "status_hours": ("status_interval_s", _seconds),
    "credit": ("credit", str),
    "locale": ("locale", str),
}
_ANSWERS: Mapping[str, Callable[[str], Any]] = {
    "purposes": _split,
    "languages": _split,
    "territories": _split,
    "valid_until": moment,
    "minutes": _minutes,
    "commercial": _yes,
    "performer_approval": _yes,
}
_OPTIONS = {
    "purposes": "--purpose",
    "languages": "--language",
    "territories": "--territory",
    "valid_until": "--until",
    "minutes": "--minutes",
    "commercial": "--commercial or --no-commercial",
}
