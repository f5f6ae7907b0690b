"""The log in words: every entry as a line that people can read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from consent.audit.logview import LogView
from consent.clock import rfc3339
from consent.errors import InputError

#: What kinds of entry there are, and what each means.
KINDS: Mapping[str, str] = {
    "registry": "the log begins",
    "party": "a person or organisation is on record",
    "party-key": "a party has a key",
    "mandate": "somebody may act for somebody",
    "voice": "a voice belongs to a party",
    "grant": "a grant came in",
    "statement": "a signed statement came in",
    "status-list": "a list of statuses began or came in",
    "receipt": "a file is about to be made",
    "sealed": "a file was finished",
    "abandoned": "a file was not published",
    "settled": "a job ended",
    "policy": "other policies are in force",
    "erasure": "a person's data were erased",
    "clock": "the clock was corrected",
}


@dataclass(frozen=True, slots=True)
class LogLine:
    """An entry of the log for people.

    Attributes
    ----------
    index
        Its 0-based place.
    time
        When it was made, by the registry's clock; None where it does not say.
    kind
        One of :data:`KINDS`, or another that a later program wrote.
    subject
        What it is about: an output id or a reference; short.
    words
        What it says.
    entry
        The entry itself.
    """

    index: int
    time: datetime | None
    kind: str
    subject: str
    words: str
    entry: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return the line as JSON values."""
        return {
            "index": self.index,
            "time": None if self.time is None else rfc3339(self.time),
            "kind": self.kind,
            "subject": self.subject,
            "words": self.words,
            "entry": dict(self.entry),
        }


@dataclass(frozen=True, slots=True)
class Filter:
    """Which entries to show; what is empty or None does not matter.

    Attributes
    ----------
    kinds
        Of :data:`KINDS`.
    about
        Whole or beginning of an output id, a digest or a reference that the entry holds anywhere.
    since, until
        Times: from the first, before the second.
    start, end
        Places: from the first, before the second.
    """

    kinds: tuple[str, ...] = ()
    about: str = ""
    since: datetime | None = None
    until: datetime | None = None
    start: int = 0
    end: int | None = None

    def __post_init__(self) -> None:
        unknown = [kind for kind in self.kinds if kind not in KINDS]
        if unknown:
            raise InputError(
                f"there is no kind of entry {unknown[0]!r}", hint=f"Kinds: {', '.join(KINDS)}."
            )
        if self.about and len(self.about) < 4:
            raise InputError(f"{self.about!r} is too short to look for: four characters at least")

    def shows(self, line: LogLine) -> bool:
        """Whether a line is wanted."""
        if self.kinds and line.kind not in self.kinds:
            return False
        if self.since is not None and (line.time is None or line.time < self.since):
            return False
        if self.until is not None and (line.time is None or line.time >= self.until):
            return False
        return not self.about or any(text.startswith(self.about) for text in _texts(line.entry))


def log_lines(view: LogView, wanted: Filter | None = None) -> Iterator[LogLine]:
    """Yield the entries of the log, each checked against its hash.

    Raises
    ------
    VerificationError
        An entry was changed.
    """
    wanted = wanted or Filter()
    for index, entry in view.entries(wanted.start, wanted.end):
        line = describe(index, entry)
        if wanted.shows(line):
            yield line


def describe(index: int, entry: Mapping[str, Any]) -> LogLine:
    """Return an entry in words."""
    kind = str(entry.get("kind", ""))
    words = _WORDS.get(kind)
    return LogLine(
        index=index,
        time=_time(entry),
        kind=kind,
        subject=_subject(entry),
        words=words(entry) if words is not None else KINDS.get(kind, "of a kind unknown here"),
        entry=entry,
    )


def _registry(entry: Mapping[str, Any]) -> str:
    return f"The log of the registry {entry.get('tag')} begins."


def _party(entry: Mapping[str, Any]) -> str:
    kind = "An organisation" if entry.get("type") == "organisation" else "A person"
    return f"{kind} is on record."


def _party_key(entry: Mapping[str, Any]) -> str:
    where = "held here" if entry.get("held") == "here" else "held elsewhere"
    return f"The party {_short(entry.get('party'))} has a key, {where}."


def _mandate(entry: Mapping[str, Any]) -> str:
    return (
        f"The party {_short(entry.get('representative'))} may act for "
        f"{_short(entry.get('principal'))} ({entry.get('type')})."
    )


def _voice(entry: Mapping[str, Any]) -> str:
    return f"A voice belongs to the party {_short(entry.get('owner'))}."


def _grant(entry: Mapping[str, Any]) -> str:
    instead = entry.get("supersedes")
    taking = f", in place of {_short(instead)}" if instead else ""
    return f"A grant for the voice {_short(entry.get('voice'))} came in{taking}."


def _statement(entry: Mapping[str, Any]) -> str:
    what = _STATEMENTS.get(str(entry.get("type")), "A statement ({type}) about {subject}")
    words = what.format(type=entry.get("type"), subject=_short(entry.get("subject")))
    return f"{words}{', waiting for what it is about' if entry.get('pending') else ''}."


_STATEMENTS = {
    "revocation": "{subject} was revoked",
    "suspension": "The grant {subject} was suspended",
    "reinstatement": "The grant {subject} is in force again",
    "approval": "The performer approved {subject}",
    "retake": "The performer asked for a retake of {subject}",
    "override": "A check of {subject} was overridden by a person",
    "rotation": "The party {subject} has a new key",
    "compromise": "The key {subject} was reported stolen",
    "mandate": "A mandate was given by {subject}",
}


def _status_list(entry: Mapping[str, Any]) -> str:
    changes = entry.get("changes") or ()
    if entry.get("type") == "own":
        return "A status list of this registry begins."
    return f"A status list came in; it changes {len(changes)} grants."


def _receipt(entry: Mapping[str, Any]) -> str:
    voices = entry.get("voices") or ()
    persons = sum(1 for voice in voices if voice.get("basis") == "grant")
    names = [str(voice.get("voice")) for voice in voices if voice.get("basis") != "grant"]
    if persons:
        names.append(f"{persons} voice{'s' if persons > 1 else ''} by grant")
    use = "commercial" if entry.get("commercial") else "not commercial"
    return (
        f"Receipt: {_minutes(entry)} as {entry.get('container')}, {entry.get('purpose')}, {use}; "
        f"{', '.join(names)}."
    )


def _sealed(entry: Mapping[str, Any]) -> str:
    return f"Sealed: {entry.get('size'):,} bytes, SHA-256 {_short(entry.get('sha256'))}."


def _abandoned(_entry: Mapping[str, Any]) -> str:
    return "Abandoned: not published, its minutes are free again."


def _settled(entry: Mapping[str, Any]) -> str:
    return f"A job ended: {entry.get('outputs')} outputs, {_minutes(entry)}."


def _policy(entry: Mapping[str, Any]) -> str:
    rules = entry.get("rules") or ()
    return f"Policies {_short(entry.get('digest'))} are in force ({len(rules)} rules)."


def _erasure(entry: Mapping[str, Any]) -> str:
    return f"The data of the party {_short(entry.get('subject'))} were erased for good."


_WORDS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "registry": _registry,
    "party": _party,
    "party-key": _party_key,
    "mandate": _mandate,
    "voice": _voice,
    "grant": _grant,
    "statement": _statement,
    "status-list": _status_list,
    "receipt": _receipt,
    "sealed": _sealed,
    "abandoned": _abandoned,
    "settled": _settled,
    "policy": _policy,
    "erasure": _erasure,
}


def _subject(entry: Mapping[str, Any]) -> str:
    for name in ("output_id", "subject", "authorization", "tag"):
        value = entry.get(name)
        if isinstance(value, str) and value:
            return _short(value)
    return ""


def _short(value: object) -> str:
    text = str(value)
    return f"{text[:12]}…" if len(text) > 24 else text


def _minutes(entry: Mapping[str, Any]) -> str:
    return f"{int(entry.get('duration_ms') or 0) / 60_000:.2f} minutes"


def _time(entry: Mapping[str, Any]) -> datetime | None:
    value = entry.get("time")
    return datetime.fromisoformat(value) if isinstance(value, str) else None


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
