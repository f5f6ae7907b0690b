"""Cut normalised text, with inline pronunciations, into words, numbers and punctuation."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from voice.phonemes.characters import SYMBOL_WORDS, plain, words


class Kind(Enum):
    """What a token is."""

    WORD = "word"
    NUMBER = "number"
    INITIALS = "initials"
    PAUSE = "pause"
    QUOTE = "quote"
    SPOKEN = "spoken"


@dataclass(slots=True)
class Token:
    """A piece of text.

    Attributes
    ----------
    text
        As written, in plain characters; for ``SPOKEN`` the pronunciation in IPA.
    space
        Whether white space (or anything that separates words) comes before it.
    stress
        Stress asked for by markup, else None.
    written
        The word a pronunciation was given for.
    """

    kind: Kind
    text: str
    space: bool = False
    stress: float | None = None
    written: str = ""


MARKUP = re.compile(
    r"\[(?P<written>[^\[\]\n]{1,200})\]\("
    r"(?:/(?P<ipa>[^()\n]{0,200}?)/|(?P<stress>[+-]?(?:[0-2]|[01]?\.5)))\)"
)

# Latin letters (ASCII, Latin-1, Extended A and B, Additional) and marks on them.
_L = "A-Za-zªºÀ-ÖØ-öø-ɏḀ-ỿⱠ-Ɀ\u0300-\u036f"
_TOKEN = re.compile(
    rf"""
    (?P<space>\s+)
  | (?P<initials>(?<![{_L}])(?:[A-Za-z]\.){{2,}}(?![{_L}])|Ph\.D\.)
  | (?P<number>[$£€]?(?:(?<![\d{_L}.])-)?\d+(?:,\d{{3}}(?!\d))*(?:\.\d+)*
      (?:(?:st|nd|rd|th|'?s)(?![{_L}]))?)
  | (?P<word>'?[{_L}]+(?:['-][{_L}]+)*'?)
  | (?P<dash>-{{2,}}|[—–]|(?<=\s)-(?=\s))
  | (?P<ellipsis>\.{{2,}}|\.(?:\s\.)+|…(?:\s*[.…])*)
  | (?P<pause>[;:,.!?])
  | (?P<quote>["“”()])
  | (?P<symbol>[{re.escape("".join(SYMBOL_WORDS))}])
  | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)

#: Abbreviations that keep their full stop in the middle of a sentence.
ABBREVIATIONS = {
    "mr": "mister", "mrs": "missis", "ms": "miz", "dr": "doctor", "prof": "professor",
    "rev": "reverend", "hon": "honourable", "capt": "captain", "col": "colonel",
    "gen": "general", "lt": "lieutenant", "sgt": "sergeant", "sr": "senior", "jr": "junior",
    "st": "saint", "mt": "mount", "messrs": "messers", "esq": "esquire", "vs": "versus",
    "etc": "et cetera", "vol": "volume", "ch": "chapter", "fig": "figure", "viz": "namely",
    "cf": "compare", "co": "company", "inc": "incorporated", "ltd": "limited", "bros": "brothers",
    "maj": "major", "cmdr": "commander", "adm": "admiral", "gov": "governor", "sen": "senator",
    "rep": "representative", "pres": "president", "supt": "superintendent",
    "approx": "approximately", "dept": "department", "mlle": "mademoiselle", "mme": "madame",
}  # fmt: skip
#: Those that are abbreviations before any word; the others only before a capital.
ALWAYS = words("mr mrs ms prof sgt messrs mme mlle etc esq vs viz cf approx dept")


def tokenize(text: str) -> list[Token]:
    """Return the tokens of `text`."""
    tokens: list[Token] = []
    start = 0
    for match in MARKUP.finditer(text):
        space = _read(text[start : match.start()], tokens)
        first = len(tokens)
        if match["ipa"] is not None:
            tokens.append(Token(Kind.SPOKEN, match["ipa"], written=match["written"]))
        else:
            _read(match["written"], tokens)
            for token in tokens[first:]:
                token.stress = float(match["stress"])
        if space and len(tokens) > first:
            tokens[first].space = True
        start = match.end()
    _read(text[start:], tokens)
    return _without_stops(tokens)


def _read(text: str, tokens: list[Token]) -> bool:
    """Append the tokens of text without markup; say whether it ends in white space."""
    text = plain(text)
    space = False
    for match in _TOKEN.finditer(text):
        kind, value = match.lastgroup, match.group()
        if kind == "space" or kind == "other":
            # What cannot be said still parts the words around it.
            space = True
            continue
        if kind == "word":
            tokens.append(Token(Kind.WORD, value, space))
        elif kind == "number":
            tokens.append(Token(Kind.NUMBER, value, space))
        elif kind == "initials":
            tokens.append(Token(Kind.INITIALS, value, space))
        elif kind == "symbol":
            tokens.extend(Token(Kind.WORD, word, True) for word in SYMBOL_WORDS[value].split())
            space = True
            continue
        elif kind == "quote":
            tokens.append(Token(Kind.QUOTE, _curly(value, text, match), space))
        else:
            mark = {"dash": "—", "ellipsis": "…"}.get(kind or "", value)
            # A run of the same mark is one; "!?" stays, as the voices know both.
            if not tokens or tokens[-1].kind is not Kind.PAUSE or tokens[-1].text != mark:
                tokens.append(Token(Kind.PAUSE, mark))
        space = False
    return space


def _curly(value: str, text: str, match: re.Match[str]) -> str:
    if value != '"':
        return value
    before = text[match.start() - 1 : match.start()] if match.start() else ""
    after = text[match.end() : match.end() + 1]
    opens = (not before or before.isspace() or before in "(—–-“") and after and not after.isspace()
    return "“" if opens else "”"


def _without_stops(tokens: list[Token]) -> list[Token]:
    """Take the full stops of abbreviations and initials out; write abbreviations in full."""
    result: list[Token] = []
    i = 0
    while i < len(tokens):
        token = tokens[i]
        following = tokens[i + 1] if i + 1 < len(tokens) else None
        if token.kind is Kind.INITIALS and following is None:
            result += [token, Token(Kind.PAUSE, ".")]
            break
        if token.kind is not Kind.WORD or following is None or following.text != ".":
            result.append(token)
            i += 1
            continue
        after = tokens[i + 2] if i + 2 < len(tokens) else None
        named = after is not None and after.kind in (Kind.WORD, Kind.SPOKEN, Kind.INITIALS)
        named = named and (after.kind is not Kind.WORD or after.text[:1].isupper())  # type: ignore[union-attr]
        lower = token.text.lower()
        if lower in ABBREVIATIONS and (after is not None if lower in ALWAYS else named):
            words = ABBREVIATIONS[lower].split()
            result.append(Token(Kind.WORD, words[0], token.space, token.stress))
            result.extend(Token(Kind.WORD, word, True, token.stress) for word in words[1:])
            i += 2
        elif named and len(token.text) == 1 and token.text.isupper() and token.text != "I":
            token.kind = Kind.INITIALS
            result.append(token)
            i += 2
        else:
            result.append(token)
            i += 1
    return result
