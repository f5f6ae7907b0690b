"""Plans as TOML files made to be edited by hand.

A plan file holds the cast, the chapters and every segment: what is written, what is spoken, by
whom, with which pause. What equals the default is left out; reading the file back gives the
same plan.
"""

from __future__ import annotations

import base64
import binascii
import re
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from consent import toml
from consent.errors import InputError
from consent.files import read_limited, write_atomic
from voice.script.model import BlockKind, Plan, PlanChapter, Segment, Skipped
from voice.script.normalise import normalise
from voice.script.segments import MAX_CHARACTERS

FORMAT = 1
_MAX_PAUSE = 60.0
_MAX_NUMBER = 100_000
_MAX_BYTES = 512 << 20

_HEADER = """\
# A reading, as vivavoce will speak it. Edit it and feed it back:
#     vivavoce narrate this-file.plan.toml -o book.m4b
# Every [[chapter.segment]] is spoken once, in this order. Leave "spoken" out and it is made
# from "text". voice is a role of [cast] or the name of a voice; without it the narrator reads.
# pause is the silence after the segment, in seconds. docs/markup.md explains the rest.
"""

_PLAN_KEYS = {"plan", "cast", "chapter", "skipped", "cover"}
_META_KEYS = {
    "format", "title", "authors", "language", "narrator", "identifier", "publisher", "date",
    "source_sha256",
}  # fmt: skip
_CHAPTER_KEYS = {"number", "title", "segment"}
_SEGMENT_KEYS = {"id", "kind", "text", "spoken", "language", "voice", "pause", "speed"}


def save_plan(plan: Plan, path: Path) -> None:
    """Write a plan file, complete or not at all.

    Raises
    ------
    consent.errors.StorageError
        The file cannot be written.
    """
    write_atomic(Path(path), dump_plan(plan).encode("utf-8"))


def dump_plan(plan: Plan) -> str:
    """Return a plan as the text of a plan file."""
    return "\n".join(_lines(plan)) + "\n"


def _lines(plan: Plan) -> Iterator[str]:
    yield _HEADER
    yield "[plan]"
    yield f"format = {FORMAT}"
    yield f"title = {quote(plan.title)}"
    yield f"authors = [{', '.join(quote(author) for author in plan.authors)}]"
    yield f"language = {quote(plan.language)}"
    yield f"narrator = {quote(plan.narrator)}"
    for name in ("identifier", "publisher", "date", "source_sha256"):
        if value := getattr(plan, name):
            yield f"{name} = {quote(value)}"
    yield ""
    yield "[cast]"
    for role, voice in plan.cast.items():
        yield f"{quote(role)} = {quote(voice)}"
    for chapter in plan.chapters:
        yield ""
        yield "[[chapter]]"
        yield f"number = {chapter.number}"
        yield f"title = {quote(chapter.title)}"
        for segment in chapter.segments:
            yield from _segment_lines(segment, plan.language)
    for skipped in plan.skipped:
        yield ""
        yield "[[skipped]]"
        yield f"what = {quote(skipped.what)}"
        yield f"where = {quote(skipped.where)}"
        yield f"excerpt = {quote(skipped.excerpt)}"
        yield f"words = {skipped.words}"
        yield f"key = {quote(skipped.key)}"
    if plan.cover:
        yield ""
        yield "[cover]"
        yield f"type = {quote(plan.cover_type)}"
        encoded = base64.b64encode(plan.cover).decode("ascii")
        yield 'data = """'
        yield from textwrap.wrap(encoded, 96)
        yield '"""'


def _segment_lines(segment: Segment, language: str) -> Iterator[str]:
    yield ""
    yield "[[chapter.segment]]"
    yield f"id = {quote(segment.id)}"
    if segment.kind is not BlockKind.PARAGRAPH:
        yield f"kind = {quote(segment.kind.value)}"
    yield f"text = {quote(segment.text)}"
    plain = segment.spoken == segment.text
    if not plain or segment.spoken != normalise(segment.text, segment.language):
        yield f"spoken = {quote(segment.spoken)}"
    if segment.language != language:
        yield f"language = {quote(segment.language)}"
    if segment.voice is not None:
        yield f"voice = {quote(segment.voice)}"
    yield f"pause = {segment.pause_after:g}"
    if segment.speed != 1.0:
        yield f"speed = {segment.speed:g}"


def quote(text: str) -> str:
    """Return a TOML string: literal where that is easier to read, else basic."""
    if '"' in text and "'" not in text and not re.search(r"[\x00-\x1f\x7f]", text):
        return f"'{text}'"
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + re.sub(r"[\x00-\x1f\x7f]", lambda m: f"\\u{ord(m.group()):04x}", escaped) + '"'


def load_plan(path: Path) -> Plan:
    """Read a plan file.

    Raises
    ------
    InputError
        The file cannot be read, is not TOML (the message has line and column), or an entry is
        wrong (the message names the line and the segment).
    """
    path = Path(path)
    try:
        text = read_limited(path, _MAX_BYTES).decode("utf-8-sig")
    except OSError as exc:
        raise InputError(f"plan {path}: cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise InputError(f"plan {path}: not UTF-8 text") from exc
    return parse_plan(text, f"plan {path}")


def parse_plan(text: str, where: str = "plan") -> Plan:
    """Read the text of a plan file; `where` names it in errors."""
    data = toml.parse(text, where, hint="Look at that line: a quote may be missing.")
    return _Loader(text, where).load(data)


class _Loader:
    def __init__(self, text: str, where: str) -> None:
        self.where = where
        self.text = text
        self.ids: set[str] = set()
        self.segment_lines = [
            number
            for number, line in enumerate(text.split("\n"), 1)
            if line.strip().startswith("[[chapter.segment]]")
        ]
        self.chapter_lines = [
            number
            for number, line in enumerate(text.split("\n"), 1)
            if line.strip().startswith("[[chapter]]")
        ]
        self.count = 0

    def fail(self, message: str, hint: str | None = None) -> InputError:
        return InputError(f"{self.where}: {message}", hint=hint)

    def load(self, data: Mapping[str, Any]) -> Plan:
        self.known(data, _PLAN_KEYS, "the file")
        meta = self.table(data.get("plan"), "[plan]")
        self.known(meta, _META_KEYS, "[plan]")
        if meta.get("format", FORMAT) != FORMAT:
            raise self.fail(
                f"[plan]: format is {meta['format']!r}, this program reads {FORMAT}",
                "Export the plan again.",
            )
        authors = meta.get("authors", [])
        if not isinstance(authors, list) or not all(isinstance(a, str) for a in authors):
            raise self.fail(f"[plan]: authors is {authors!r}, not a list of names")
        language = self.string(meta, "language", "[plan]", default="en")
        cast = self.table(data.get("cast", {}), "[cast]")
        for role, voice in cast.items():
            if not isinstance(voice, str) or not voice:
                raise self.fail(f"[cast]: {role!r} is {voice!r}, not the name of a voice")
        cover, cover_type = self.cover(data.get("cover"))
        return Plan(
            title=self.string(meta, "title", "[plan]"),
            authors=tuple(authors),
            language=language,
            narrator=self.string(meta, "narrator", "[plan]"),
            chapters=self.chapters(data.get("chapter"), language),
            cast=dict(cast),
            skipped=self.all_skipped(data.get("skipped", [])),
            identifier=self.string(meta, "identifier", "[plan]", default=""),
            publisher=self.string(meta, "publisher", "[plan]", default=""),
            date=self.string(meta, "date", "[plan]", default=""),
            cover=cover,
            cover_type=cover_type,
            source_sha256=self.string(meta, "source_sha256", "[plan]", default=""),
        )

    def chapters(self, value: Any, language: str) -> tuple[PlanChapter, ...]:
        if not isinstance(value, list) or not value:
            raise self.fail("there is no [[chapter]]", "A plan needs at least one chapter.")
        chapters: list[PlanChapter] = []
        numbers: set[int] = set()
        for position, entry in enumerate(value):
            line = self.chapter_lines[position] if position < len(self.chapter_lines) else 0
            place = f"line {line}: chapter {position + 1}"
            table = self.table(entry, place)
            self.known(table, _CHAPTER_KEYS, place)
            number = table.get("number", position + 1)
            if (
                isinstance(number, bool)
                or not isinstance(number, int)
                or not 1 <= number <= _MAX_NUMBER
            ):
                raise self.fail(
                    f"{place}: number is {number!r}, not a whole number from 1 to {_MAX_NUMBER}"
                )
            if number in numbers:
                raise self.fail(f"{place}: there are two chapters with number {number}")
            numbers.add(number)
            entries = table.get("segment", [])
            if not isinstance(entries, list):
                raise self.fail(f"{place}: segment is {entries!r}, not [[chapter.segment]]")
            segments = tuple(
                self.segment(segment, number, ordinal, language)
                for ordinal, segment in enumerate(entries, 1)
            )
            title = self.string(table, "title", place, default=f"Chapter {number}")
            chapters.append(PlanChapter(number, title, segments))
        return tuple(chapters)

    def segment(self, entry: Any, number: int, ordinal: int, language: str) -> Segment:
        line = self.segment_lines[self.count] if self.count < len(self.segment_lines) else 0
        self.count += 1
        given = entry.get("id") if isinstance(entry, dict) else None
        identifier = given if given is not None else f"{number}.{ordinal}"
        place = f"line {line}: segment {identifier}"
        table = self.table(entry, place)
        self.known(table, _SEGMENT_KEYS, place)
        if not isinstance(identifier, str) or not identifier.strip():
            raise self.fail(f"{place}: id is {identifier!r}, not a text")
        if identifier in self.ids:
            raise self.fail(
                f"{place}: there are two segments with this id",
                "Give the new one an id of its own, for instance by adding a letter.",
            )
        self.ids.add(identifier)
        try:
            kind = BlockKind(table.get("kind", "paragraph"))
        except ValueError as exc:
            kinds = ", ".join(kind.value for kind in BlockKind)
            raise self.fail(
                f"{place}: kind is {table['kind']!r}", f"Choose one of: {kinds}."
            ) from exc
        text = self.string(table, "text", place, default="")
        own_language = self.string(table, "language", place, default=language)
        spoken = self.string(table, "spoken", place, default="")
        if "spoken" not in table:
            spoken = normalise(text, own_language, heading=kind is BlockKind.HEADING)
        if not spoken.strip():
            raise self.fail(
                f"{place}: there is nothing to speak", "Fill in spoken or text, or delete it."
            )
        if len(spoken) > 4 * MAX_CHARACTERS + 1000:
            raise self.fail(
                f"{place}: spoken has {len(spoken)} characters",
                f"Split it into segments of at most {MAX_CHARACTERS}.",
            )
        voice = self.string(table, "voice", place, default="")
        return Segment(
            id=identifier,
            kind=kind,
            text=text,
            spoken=spoken,
            language=own_language,
            voice=voice or None,
            pause_after=self.number(table, "pause", place, 0.0, 0.0, _MAX_PAUSE),
            speed=self.number(table, "speed", place, 1.0, 0.5, 2.0),
        )

    def all_skipped(self, value: Any) -> tuple[Skipped, ...]:
        if not isinstance(value, list):
            raise self.fail(f"skipped is {value!r}, not [[skipped]]")
        return tuple(self.skipped(entry) for entry in value)

    def skipped(self, entry: Any) -> Skipped:
        table = self.table(entry, "[[skipped]]")
        words = table.get("words", 0)
        return Skipped(
            what=self.string(table, "what", "[[skipped]]", default=""),
            where=self.string(table, "where", "[[skipped]]", default=""),
            excerpt=self.string(table, "excerpt", "[[skipped]]", default=""),
            words=words if isinstance(words, int) else 0,
            key=self.string(table, "key", "[[skipped]]", default=""),
        )

    def cover(self, value: Any) -> tuple[bytes | None, str]:
        if value is None:
            return None, ""
        table = self.table(value, "[cover]")
        try:
            data = base64.b64decode(
                "".join(self.string(table, "data", "[cover]").split()), validate=True
            )
        except (binascii.Error, ValueError) as exc:
            raise self.fail("[cover]: data is not base64", "Delete [cover].") from exc
        return data, self.string(table, "type", "[cover]", default="image/jpeg")

    # -- values -------------------------------------------------------------------------------

    def table(self, value: Any, place: str) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            raise self.fail(f"{place}: is missing or not a table")
        return value

    def known(self, table: Mapping[str, Any], keys: set[str], place: str) -> None:
        for key in table:
            if key not in keys:
                raise self.fail(
                    f"{place}: unknown entry {key!r}", f"Possible are: {', '.join(sorted(keys))}."
                )

    def string(
        self, table: Mapping[str, Any], key: str, place: str, default: str | None = None
    ) -> str:
        value = table.get(key, default)
        if not isinstance(value, str) or (default is None and not value):
            raise self.fail(f"{place}: {key} is {value!r}, not a text")
        return value

    def number(
        self,
        table: Mapping[str, Any],
        key: str,
        place: str,
        default: float,
        low: float,
        high: float,
    ) -> float:
        value = table.get(key, default)
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not low <= value <= high
        ):
            raise self.fail(f"{place}: {key} is {value!r}; it may be {low:g} to {high:g}")
        return float(value)
