"""Pronunciations: the user's lexicon (TOML) and lexicons inside books (PLS).

An entry is written -> spoken. Spoken is IPA between slashes (``/ˈjuːkɹɪdʒ/``), or a respelling
in plain text (``Featherstonehaugh`` -> ``Fanshaw``).
PLS: W3C Pronunciation Lexicon Specification 1.0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from consent import toml
from consent.errors import InputError
from consent.files import read_limited
from voice.script.characters import clean, primary
from voice.script.phonetic import to_ipa
from voice.script.xml import attribute, children, descendants, local, parse_xml, text_of

_MAX_BYTES = 64 << 20
MAX_WORDS = 8
"""Longest phrase, in words."""

_TOKEN = re.compile(r"[^\W_]+(?:['’.-][^\W_]+)*['’.]?|[^\w\s]")


@dataclass(frozen=True)
class Lexicon:
    """Written words and phrases with their pronunciations.

    An entry written in lower case also matches the word with capitals; an entry with a capital
    matches only itself, so that ``Polish`` and ``polish`` can differ.

    Examples
    --------
    >>> lexicon = Lexicon({"Ukridge": "/ˈjuːkɹɪdʒ/", "st. john": "Sinjin"})
    >>> [(m.start, m.end, m.spoken) for m in lexicon.find("Mr. Ukridge met St. John.")]
    [(4, 11, '/ˈjuːkɹɪdʒ/'), (16, 24, 'Sinjin')]
    """

    entries: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        exact: dict[tuple[str, ...], str] = {}
        folded: dict[tuple[str, ...], str] = {}
        heads: dict[str, int] = {}
        for written, spoken in self.entries.items():
            key = tuple(_fold(match.group()) for match in _TOKEN.finditer(written))
            if not key:
                continue
            exact[key] = spoken
            if written == written.lower():
                folded[key] = spoken
            head = key[0].lower()
            heads[head] = max(heads.get(head, 0), len(key))
        object.__setattr__(self, "_exact", exact)
        object.__setattr__(self, "_folded", folded)
        object.__setattr__(self, "_heads", heads)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a lexicon file: TOML, or PLS when it is XML.

        Raises
        ------
        InputError
            The file cannot be read or an entry is wrong; the message names it.
        """
        try:
            data = read_limited(path, _MAX_BYTES)
        except OSError as exc:
            raise InputError(f"lexicon {path}: cannot be read: {exc.strerror}") from exc
        if data.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<"):
            return cls(parse_pls(data, f"lexicon {path}", ""))
        return cls(parse_toml(data, f"lexicon {path}"))

    def over(self, other: Lexicon | Mapping[str, str]) -> Lexicon:
        """Return both lexicons in one; entries of this one win."""
        below = other.entries if isinstance(other, Lexicon) else other
        return Lexicon({**below, **self.entries}) if below else self

    def find(self, text: str) -> Iterator[Match]:
        """Yield the entries found in `text`, left to right, the longest first, none overlapping."""
        if not self.entries:
            return
        exact: dict[tuple[str, ...], str] = self._exact  # type: ignore[attr-defined]
        folded: dict[tuple[str, ...], str] = self._folded  # type: ignore[attr-defined]
        heads: dict[str, int] = self._heads  # type: ignore[attr-defined]
        tokens = [(m.start(), m.end(), _fold(m.group())) for m in _TOKEN.finditer(text)]
        position = 0
        while position < len(tokens):
            step = 1
            for start in _variants(tokens[position][2]):
                longest = heads.get(start.lower(), 0)
                found = _match_at(tokens, position, start, longest, exact, folded)
                if found is not None:
                    length, spoken, end = found
                    yield Match(tokens[position][0], end, spoken)
                    step = length
                    break
            position += step

    def __bool__(self) -> bool:
        return bool(self.entries)


@dataclass(frozen=True, slots=True)
class Match:
    """A place in a text that has an entry."""

    start: int
    end: int
    spoken: str

    @property
    def ipa(self) -> str | None:
        """The pronunciation without slashes, or None for a respelling."""
        if len(self.spoken) > 2 and self.spoken[0] == self.spoken[-1] == "/":
            return self.spoken[1:-1]
        return None


def _fold(token: str) -> str:
    return token.replace("’", "'")


def _variants(token: str) -> list[str]:
    """Return the token and its forms without what may only be punctuation or a possessive."""
    forms = [token]
    if token.endswith((".", "'")):
        forms.append(token[:-1])
    bare = forms[-1]
    if bare.endswith(("'s", "'S")):
        forms.append(bare[:-2])
    return forms


def _match_at(
    tokens: list[tuple[int, int, str]],
    position: int,
    start: str,
    longest: int,
    exact: dict[tuple[str, ...], str],
    folded: dict[tuple[str, ...], str],
) -> tuple[int, str, int] | None:
    whole = start == tokens[position][2]
    limit = min(longest, len(tokens) - position) if whole else min(longest, 1)
    for length in range(limit, 0, -1):
        words = [start] + [token for _, _, token in tokens[position + 1 : position + length]]
        for last in _variants(words[-1]) if length > 1 else [words[-1]]:
            key = (*words[:-1], last)
            spoken = exact.get(key)
            if spoken is None:
                spoken = folded.get(tuple(word.lower() for word in key))
            if spoken is not None:
                first, end, token = tokens[position + length - 1]
                used = len(last) if length > 1 else len(start)
                return length, spoken, end - (len(token) - used) if length > 1 else first + used
    return None


def parse_toml(data: bytes, where: str) -> dict[str, str]:
    """Read ``[words]`` (or a bare table) of written = "spoken".

    Raises
    ------
    InputError
        Not TOML, or an entry that is no pronunciation.
    """
    table = toml.parse(data, where)
    alphabet = str(table.pop("alphabet", "ipa"))
    words = table.pop("words", {})
    if not isinstance(words, dict):
        raise InputError(f"{where}: words is not a table", hint="Write [words] on its own line.")
    merged: dict[str, Any] = {**table, **words}
    return {
        _phrase(key, where): _spoken(key, value, alphabet, where) for key, value in merged.items()
    }


def _phrase(written: str, where: str) -> str:
    phrase = clean(written).strip()
    count = len(phrase.split())
    if not phrase or count > MAX_WORDS:
        raise InputError(
            f"{where}: {written!r} is not a word or a phrase of up to {MAX_WORDS} words"
        )
    return phrase


def _spoken(written: str, value: Any, alphabet: str, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise InputError(
            f"{where}: {written!r} has no pronunciation (got {value!r})",
            hint='Write IPA between slashes ("/ˈjuːkɹɪdʒ/") or a respelling ("You-kridge").',
        )
    spoken = value.strip()
    if spoken.startswith("/"):
        ipa = to_ipa(spoken, alphabet) if spoken.endswith("/") else None
        if ipa is None:
            raise InputError(
                f"{where}: {written!r}: {spoken!r} is not a pronunciation in {alphabet}",
                hint="Letters, stress and length marks only, between two slashes.",
            )
        return f"/{ipa}/"
    if any(bracket in spoken for bracket in "[]"):
        raise InputError(f"{where}: {written!r}: a respelling cannot hold square brackets")
    return spoken


def parse_pls(data: bytes, where: str, language: str) -> dict[str, str]:
    """Read a PLS lexicon; lexemes for another language than `language` are left out.

    Pronunciations in alphabets other than IPA and X-SAMPA are left out too.

    Raises
    ------
    InputError
        Not a PLS lexicon.
    """
    root = parse_xml(data, where)
    if local(root) != "lexicon":
        raise InputError(f"{where}: not a PLS lexicon (its root is <{local(root)}>)")
    own = attribute(root, "xml:lang")
    if language and own and primary(own) != primary(language):
        return {}
    alphabet = attribute(root, "alphabet") or "ipa"
    entries: dict[str, str] = {}
    for lexeme in descendants(root, "lexeme"):
        spoken = ""
        phonemes = list(children(lexeme, "phoneme"))
        phonemes.sort(key=lambda element: attribute(element, "prefer") != "true")
        for phoneme in phonemes:
            ipa = to_ipa(text_of(phoneme), attribute(phoneme, "alphabet") or alphabet)
            if ipa:
                spoken = f"/{ipa}/"
                break
        if not spoken:
            alias = next(children(lexeme, "alias"), None)
            spoken = re.sub(r"[\[\]]", "", text_of(alias)) if alias is not None else ""
        for grapheme in children(lexeme, "grapheme"):
            written = clean(text_of(grapheme)).strip()
            if written and spoken:
                entries[written] = spoken
    return entries
