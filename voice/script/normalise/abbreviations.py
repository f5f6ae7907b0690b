"""English abbreviations spoken in full."""

from __future__ import annotations

import re

from voice.script.normalise.rules import Context, Rule, ends_text

_FIXED: dict[str, str] = {
    "Mr": "Mister",
    "Mrs": "Missus",
    "Messrs": "Messers",
    "Mme": "Madame",
    "Mlle": "Mademoiselle",
    "Prof": "Professor",
    "Revd": "Reverend",
    "Rev": "Reverend",
    "Capt": "Captain",
    "Col": "Colonel",
    "Cmdr": "Commander",
    "Lieut": "Lieutenant",
    "Lt": "Lieutenant",
    "Sgt": "Sergeant",
    "Cpl": "Corporal",
    "Maj": "Major",
    "Gov": "Governor",
    "Supt": "Superintendent",
    "Insp": "Inspector",
    "Hon": "Honourable",
    "Esq": "Esquire",
    "Jr": "Junior",
    "Sr": "Senior",
    "Mt": "Mount",
    "Mts": "Mountains",
    "Ste": "Sainte",
    "Bros": "Brothers",
    "Ltd": "Limited",
    "Inc": "Incorporated",
    "Co": "Company",
    "Corp": "Corporation",
    "Dept": "Department",
    "Univ": "University",
    "Assn": "Association",
    "Ave": "Avenue",
    "Blvd": "Boulevard",
    "Rd": "Road",
    "approx": "approximately",
    "dept": "department",
    "govt": "government",
    "etc": "et cetera",
    "&c": "et cetera",
    "viz": "namely",
    "cf": "compare",
    "Cf": "Compare",
    "vs": "versus",
    "ibid": "ibidem",
    "Ibid": "Ibidem",
    "e.g": "for example",
    "E.g": "For example",
    "i.e": "that is",
    "I.e": "That is",
    "q.v": "which see",
    "n.b": "note well",
    "N.B": "Note well",
    "et al": "and others",
    "lat": "latitude",
    "Wm": "William",
    "Geo": "George",
    "Chas": "Charles",
    "Thos": "Thomas",
    "Jas": "James",
}
_TITLE_BEFORE_NAME = {"Gen": "General", "Sen": "Senator", "Rep": "Representative", "Fr": "Father"}
_BEFORE_NUMBER = {
    "no": "number",
    "nos": "numbers",
    "vol": "volume",
    "vols": "volumes",
    "ch": "chapter",
    "chap": "chapter",
    "chaps": "chapters",
    "sec": "section",
    "secs": "sections",
    "art": "article",
    "fig": "figure",
    "figs": "figures",
    "p": "page",
    "pp": "pages",
    "pg": "page",
    "l": "line",
    "ll": "lines",
    "bk": "book",
    "ed": "edition",
    "eq": "equation",
    "pt": "part",
    "par": "paragraph",
    "para": "paragraph",
    "op": "opus",
    "c": "circa",
    "ca": "circa",
    "pl": "plate",
}
_MONTHS = {
    "Jan": "January",
    "Feb": "February",
    "Aug": "August",
    "Sept": "September",
    "Oct": "October",
    "Nov": "November",
    "Dec": "December",
}
_NATIONS = frozenset({"US", "UK", "UN", "EU", "USA", "USSR", "UAE", "NYC"})
_DOTTED = re.compile(r"\.\s?")


def _fixed(match: re.Match[str], _: Context) -> str:
    said = _FIXED[match["short"]]
    return said + _stop(match)


def _stop(match: re.Match[str]) -> str:
    """Keep the full stop where it ends the sentence."""
    if not match.group().endswith("."):
        return ""
    return "." if ends_text(match) else ""


def _before_number(match: re.Match[str], _: Context) -> str:
    short = match["short"]
    said = _BEFORE_NUMBER[short.lower()]
    return f"{said.capitalize() if short[0].isupper() else said} "


def _saint_or_street(match: re.Match[str], _: Context) -> str:
    """Read "St. Louis" as Saint, "Main St." as Street."""
    before = match.string[: match.start()].rstrip()
    after = match.string[match.end() :].lstrip()
    named = re.search(r"[A-Z0-9][\w'’]*$", before)
    if not after[:1].isupper():
        return f"Street{_stop(match)} "
    numbered = re.search(r"\d+\w*\s+(?:[A-Z][\w'’]*\s+){0,2}[A-Z][\w'’]*$", before)
    return f"Street{_stop(match)} " if named and numbered else "Saint "


def _doctor_or_drive(match: re.Match[str], _: Context) -> str:
    before = match.string[: match.start()].rstrip()
    after = match.string[match.end() :].lstrip()
    street = re.search(r"\d+\w*\s+(?:[A-Z][\w'’]*\s?){1,3}$", before)
    return "Drive" + _stop(match) if street and not after[:1].isupper() else "Doctor"


def _fort(match: re.Match[str], _: Context) -> str:
    return "Fort "


def _title(match: re.Match[str], _: Context) -> str:
    return _TITLE_BEFORE_NAME[match["short"]]


def _versus(match: re.Match[str], _: Context) -> str:
    return " versus "


def _dotted(match: re.Match[str], _: Context) -> str:
    """Write initials and acronyms without full stops: "U.S.A." -> "USA", "J. R. R." -> "J R R"."""
    text = match.group()
    letters = [letter for letter in _DOTTED.split(text) if letter]
    stop = _stop(match)
    name_follows = re.match(r"\s?[A-Z][a-z]", match.string[match.end() :])
    if " " in text.strip() or (name_follows and "".join(letters) not in _NATIONS):
        # Initials of a name: "M.R. Hall" must not become "MR Hall".
        tail = "" if stop and not text.endswith(" ") else " "
        return " ".join(letters) + stop + tail
    joined = "".join(letters)
    return joined + stop + (" " if text.endswith(" ") else "")


def _month(match: re.Match[str], _: Context) -> str:
    return _MONTHS[match["short"]] + _stop(match)


def _alternatives(keys: dict[str, str]) -> str:
    return "|".join(re.escape(key) for key in sorted(keys, key=len, reverse=True))


_LONG_REFERENCES = {k: v for k, v in _BEFORE_NUMBER.items() if len(k) > 1}

REFERENCES: tuple[Rule, ...] = (
    (re.compile(r"№\s?(?=\d)"), lambda match, context: "number "),
    (
        re.compile(
            # One-letter forms only in small letters: "C. C. Jones" is a name, "c. 1914" a time.
            rf"(?<![\w.])(?P<short>[cpl]\b|(?i:{_alternatives(_LONG_REFERENCES)}))\.\s?"
            r"(?=\d|[ivxlcIVXLC]+\b(?!\.\s?[A-Z]))"
        ),
        _before_number,
    ),
    (
        re.compile(r"(?<![\w.])pp?\s(?=\d)"),
        lambda match, context: "page " if match.group()[1] == " " else "pages ",
    ),
    (re.compile(r"(?<![\w.])No\s(?=\d)"), lambda match, context: "Number "),
)
"""Before Roman numerals are read: "Vol. II", "No. 5"."""

ABBREVIATIONS: tuple[Rule, ...] = (
    (re.compile(r"\bSt\b(?:\.\s?|\s(?=[A-Z]))"), _saint_or_street),
    (re.compile(r"\bDr\b\.?"), _doctor_or_drive),
    (re.compile(r"\bFt\.?\s(?=[A-Z])"), _fort),
    (re.compile(rf"\b(?P<short>{_alternatives(_TITLE_BEFORE_NAME)})\.(?=\s[A-Z])"), _title),
    (re.compile(rf"\b(?P<short>{_alternatives(_MONTHS)})\."), _month),
    (
        re.compile(rf"(?<![\w.])(?P<short>{_alternatives(_FIXED)})\.(?!\w)"),
        _fixed,
    ),
    (re.compile(r"\b(?P<short>Mr|Mrs|Messrs|Mme|Mlle)\b(?=\s[A-Z])"), _fixed),
    (re.compile(r"(?<=\w)\sv\.\s(?=[A-Z])"), _versus),
    (re.compile(r"\bw/(?=\s?[a-z])"), lambda match, context: "with "),
    (
        re.compile(
            r"(?<![\w.'’])(?:[A-Z]\.\s?){2,}(?![\w.])|(?<![\w.'’])(?:[A-Z]\.\s?){2,}(?=[A-Z][a-z])"
        ),
        _dotted,
    ),
    (
        re.compile(r"(?<![\w.'’])[A-Z]\.(?=\s[A-Z][a-z'’])(?!\sI\b)"),
        lambda match, context: match.group()[0],
    ),
    (
        re.compile(r"(?<![\w.'’])(?:[a-z]\.){2,}(?!\w)"),
        lambda match, context: match.group().replace(".", "").upper() + _stop(match),
    ),
)
