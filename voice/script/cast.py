"""Who speaks what: the cast file, and which quoted speech belongs to which character."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from consent import toml
from consent.errors import InputError
from consent.files import read_limited
from voice.script.attribution import Attributor
from voice.script.characters import primary
from voice.script.model import Block
from voice.script.pauses import Pauses

_KEYS = frozenset({"narrator", "roles", "chapters", "characters", "languages", "pauses"})


@dataclass(frozen=True, slots=True)
class Character:
    """Someone who speaks in the book.

    Attributes
    ----------
    aliases
        Names under which the text says that they speak, the key of the table among them. ``"I"``
        is allowed for a narrator who takes part.
    """

    name: str
    voice: str
    aliases: tuple[str, ...] = ()
    speed: float = 1.0


@dataclass(frozen=True)
class Cast:
    """The voices of a reading; see docs/markup.md for the file."""

    narrator: str = ""
    roles: Mapping[str, str] = field(default_factory=dict)
    chapters: Mapping[int, str] = field(default_factory=dict)
    characters: tuple[Character, ...] = ()
    languages: Mapping[str, str] = field(default_factory=dict)
    pauses: Pauses = field(default_factory=Pauses)
    source: str = "cast"

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a cast file.

        Raises
        ------
        InputError
            The file cannot be read, is not TOML, or an entry is wrong; the message names it.
        """
        where = f"cast {path}"
        try:
            data = read_limited(path)
        except OSError as exc:
            raise InputError(f"{where}: cannot be read: {exc.strerror}") from exc
        return cls.from_mapping(toml.parse(data, where), where=where)

    @classmethod
    def from_mapping(cls, data: Mapping[str, Any], *, where: str = "cast") -> Self:
        """Build a cast from parsed TOML; `where` names it in errors."""
        for key in data:
            if key not in _KEYS:
                raise InputError(
                    f"{where}: unknown entry {key!r}",
                    hint=f"A cast file has: {', '.join(sorted(_KEYS))}.",
                )
        roles = _strings(data.get("roles", {}), f"{where}: roles")
        chapters: dict[int, str] = {}
        for key, voice in _strings(data.get("chapters", {}), f"{where}: chapters").items():
            for number in _numbers(key, where):
                chapters[number] = voice
        characters = tuple(
            _character(name, entry, f"{where}: characters.{name}")
            for name, entry in _table(data.get("characters", {}), f"{where}: characters").items()
        )
        languages = {
            primary(tag): voice
            for tag, voice in _strings(data.get("languages", {}), f"{where}: languages").items()
        }
        narrator = data.get("narrator", "")
        if not isinstance(narrator, str):
            raise InputError(f"{where}: narrator is {narrator!r}, not the name of a voice")
        pauses = Pauses.from_mapping(
            dict(_table(data.get("pauses", {}), f"{where}: pauses")), f"{where}: pauses"
        )
        return cls(narrator, roles, chapters, characters, languages, pauses, where)

    def voices(self) -> dict[str, str]:
        """Return role or character -> voice, as it stands in a plan."""
        return {**self.roles, **{person.name: person.voice for person in self.characters}}

    def chapter_voice(self, number: int) -> str | None:
        """Return the role or voice that reads a chapter, or None for the narrator."""
        return self.chapters.get(number)

    def language_voice(self, language: str) -> str | None:
        """Return the role or voice for passages in another language than the book's, or None."""
        return self.languages.get(primary(language))

    def check_chapters(self, count: int) -> None:
        """Refuse voices for chapters that do not exist.

        Raises
        ------
        InputError
            Names the chapter.
        """
        for number in self.chapters:
            if number > count:
                raise InputError(
                    f"{self.source}: chapters: there is no chapter {number}",
                    hint=f"The book has {count} chapters; see vivavoce plan.",
                )

    def speed_of(self, voice: str | None) -> float:
        """Return the pace of a character, 1.0 for everyone else."""
        return next((c.speed for c in self.characters if c.name == voice), 1.0)

    def attribute(self, blocks: Sequence[Block]) -> Sequence[Block]:
        """Give quoted speech to the characters that the text says speak it."""
        if not self.characters:
            return blocks
        aliases = {
            alias: person.name
            for person in self.characters
            for alias in (person.name, *person.aliases)
        }
        return Attributor(aliases).attribute(blocks)


def _table(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InputError(f"{where} is {value!r}, not a table")
    return value


def _strings(value: Any, where: str) -> dict[str, str]:
    table = _table(value, where)
    for key, entry in table.items():
        if not isinstance(entry, str) or not entry.strip():
            raise InputError(f"{where}: {key!r} is {entry!r}, not the name of a voice")
    return dict(table)


def _numbers(key: str, where: str) -> range:
    first, dash, last = key.partition("-")
    try:
        low = int(first)
        high = int(last) if dash else low
    except ValueError:
        low, high = 0, 0
    if not 1 <= low <= high <= 100_000:
        raise InputError(
            f"{where}: chapters: {key!r} is not a chapter number",
            hint='Write "3" = "VOICE" or "3-5" = "VOICE".',
        )
    return range(low, high + 1)


def _character(name: str, entry: Any, where: str) -> Character:
    if isinstance(entry, str):
        entry = {"voice": entry}
    table = _table(entry, where)
    for key in table:
        if key not in {"voice", "aliases", "speed"}:
            raise InputError(
                f"{where}: unknown entry {key!r}", hint="A character has voice, aliases, speed."
            )
    voice, aliases, speed = table.get("voice"), table.get("aliases", []), table.get("speed", 1.0)
    if not isinstance(voice, str) or not voice.strip():
        raise InputError(f"{where}: has no voice", hint='Write voice = "NAME".')
    if not isinstance(aliases, list) or not all(isinstance(a, str) and a.strip() for a in aliases):
        raise InputError(f"{where}: aliases is {aliases!r}, not a list of names")
    if isinstance(speed, bool) or not isinstance(speed, int | float) or not 0.5 <= speed <= 2:
        raise InputError(f"{where}: speed is {speed!r}; it may be 0.5 to 2")
    return Character(name, voice, tuple(aliases), float(speed))
