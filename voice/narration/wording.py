"""The words of a text in one normal form, so that script and transcript can be compared.

A recogniser writes ``20``, ``Mr.`` and ``color`` where the script says ``twenty``, ``mister`` and
``colour``. Both are brought to the same form: lower case, no punctuation, numbers in words,
contractions spelt out, American spelling.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_MARKUP = re.compile(r"\[([^\[\]]*)\]\((?:/[^()]*/|[+-]?\d+(?:\.\d+)?)\)")
_TOKEN = re.compile(
    r"(?P<cjk>[\u3040-\u30ff\u3400-\u9fff])"
    r"|(?P<number>\d+(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)(?P<ordinal>st|nd|rd|th)?(?![^\W\d_])"
    r"|(?P<digits>\d+)"
    r"|(?P<word>[^\W\d_]+(?:'[^\W\d_]+)*)"
)
_ROMAN = re.compile(r"\b(?=[IVX]{2,}\b)X{0,3}(?:IX|IV|V?I{0,3})\b")
_MONEY = re.compile(
    r"([£$€])\s?(\d[\d,]*(?:\.\d+)?)(\s(?:hundred|thousand|million|billion))?", re.I
)
_CURRENCY = {"£": "pounds", "$": "dollars", "€": "euros"}
_SYMBOLS = {"%": " percent ", "&": " and ", "+": " plus ", "=": " equals ", "°": " degrees "}

_ABBREVIATIONS = {
    "mr": "mister", "mrs": "missus", "missis": "missus", "dr": "doctor", "st": "saint",
    "prof": "professor", "capt": "captain", "col": "colonel", "rev": "reverend", "gen": "general",
    "lt": "lieutenant", "sgt": "sergeant", "jr": "junior", "sr": "senior", "vs": "versus",
    "esq": "esquire", "ok": "okay", "mt": "mount", "o": "oh", "alright": "all right",
    "cannot": "can not", "thankyou": "thank you", "goodbye": "good bye",
}  # fmt: skip
_CONTRACTIONS = {
    "won't": "will not", "can't": "can not", "shan't": "shall not", "ain't": "aint",
    "let's": "let us", "o'clock": "oclock", "'em": "them", "y'all": "you all",
}  # fmt: skip
_ENDINGS = (("n't", " not"), ("'re", " are"), ("'ll", " will"), ("'ve", " have"), ("'m", " am"),
            ("'d", " would"))  # fmt: skip

_SPELLING = tuple(
    (re.compile(pattern), to)
    for pattern, to in (
        (r"^(col|hon|lab|hum|fav|flav|neighb|harb|rum|vap|splend|behavi|endeav|od|arm|clam|parl|"
         r"savi|rig|vig|val|tum|ferv|ranc|rig|glam|sav|cand|ard|succ|demean)our", r"\1or"),
        (r"^(cent|theat|met|lit|fib|spect|somb|meag|calib|lust|sab|reconnoit|manoeuv)re(s|d)?$",
         r"\1er\2"),
        (r"(?<=[a-z]{3})is(e|es|ed|ing|ation|ations|er|ers)$", r"iz\1"),
        (r"(?<=[a-z]{2})ys(e|es|ed|ing)$", r"yz\1"),
        (r"(trave|cance|labe|mode|leve|fue|equa|quarre|marve|jewe|counse|signa|riva|tunne|grove)"
         r"ll(ed|ing|er|ers|ous|ery)$", r"\1l\2"),
        (r"^(defen|offen|licen|preten)ce(s|d)?$", r"\1se\2"),
        (r"^(catal|dial|anal|monol|prol|epil)ogue", r"\1og"),
        (r"^grey", "gray"), (r"^plough", "plow"), (r"^sceptic", "skeptic"), (r"^tyre", "tire"),
        (r"^pyjama", "pajama"), (r"^jewellery$", "jewelry"), (r"^programme", "program"),
        (r"^cheque", "check"), (r"^gaol", "jail"), (r"^kerb", "curb"), (r"^mould", "mold"),
        (r"^moustache", "mustache"), (r"^whisky$", "whiskey"), (r"^storey", "story"),
        (r"^waggon", "wagon"), (r"^aeroplane", "airplane"), (r"^judgement", "judgment"),
        (r"^enquir", "inquir"), (r"(to|a|back|for|up|down)wards$", r"\1ward"),
        (r"^(whil|among|amid)st$", lambda m: {"whil": "while"}.get(m[1], m[1])),
        (r"aemia", "emia"), (r"^manoeuv", "maneuv"), (r"^(skil|wil|ful)ful", r"\1lful"),
    )
)  # fmt: skip

_UNITS = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7,
    "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14,
    "fifteen": 15, "sixteen": 16, "seventeen": 17, "eighteen": 18, "nineteen": 19,
}  # fmt: skip
_TENS = {
    "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70,
    "eighty": 80, "ninety": 90,
}  # fmt: skip
_SCALES = {"thousand": 1000, "million": 10**6, "billion": 10**9}
_ORDINALS = {
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7,
    "eighth": 8, "ninth": 9, "tenth": 10, "eleventh": 11, "twelfth": 12, "thirteenth": 13,
    "fourteenth": 14, "fifteenth": 15, "sixteenth": 16, "seventeenth": 17, "eighteenth": 18,
    "nineteenth": 19, "twentieth": 20, "thirtieth": 30, "fortieth": 40, "fiftieth": 50,
    "sixtieth": 60, "seventieth": 70, "eightieth": 80, "ninetieth": 90,
}  # fmt: skip
_NUMBER_WORDS = {*_UNITS, *_TENS, *_SCALES, *_ORDINALS, "hundred", "hundredth", "oh"}


def plain_text(spoken: str) -> str:
    """Return `spoken` without inline pronunciations ``[word](/IPA/)`` and stress ``[word](+1)``."""
    return _MARKUP.sub(r"\1", spoken)


def words_of(text: str, language: str = "en") -> list[str]:
    """Return the words of `text` in normal form.

    Parameters
    ----------
    text
        Prose, a segment's ``spoken`` with its markup, or a transcript.
    language
        BCP 47 tag; numbers are spelt out where the language is known to num2words, the rest of
        the normal form is English's.
    """
    code = language.replace("_", "-").split("-")[0].lower()
    text = unicodedata.normalize("NFKC", plain_text(text))
    text = text.replace("\u2019", "'").replace("\u2018", "'").replace("\u02bc", "'")
    if code == "en":
        text = _ROMAN.sub(lambda match: str(_roman(match[0])), text)
        text = _MONEY.sub(lambda m: f"{m[2]}{m[3] or ''} {_CURRENCY[m[1]]}", text)
        text = re.sub(r"\b[Nn]o\.\s?(?=\d)", "number ", text)
    text = text.casefold()
    if code == "en":
        for symbol, name in _SYMBOLS.items():
            text = text.replace(symbol, name)
    words: list[str] = []
    for match in _TOKEN.finditer(text):
        if match["number"] or match["digits"]:
            number = (match["number"] or match["digits"]).replace(",", "")
            year = "," not in match[0]
            words += _spell_number(number, match["ordinal"] is not None, year, code)
        elif match["cjk"]:
            words.append(match["cjk"])
        else:
            words += _english(match["word"]) if code == "en" else [_bare(match["word"])]
    return _without_and(words) if code == "en" else words


def number_value(words: tuple[str, ...]) -> int | None:
    """Return the number that English `words` say, or None if they say none.

    Cardinals, ordinals, and years by halves ("nineteen oh six"); "and" and "the" are passed over.
    """
    total, current, seen = 0, 0, False
    for word in words:
        if word in {"and", "the"}:
            continue
        seen = True
        value = _UNITS.get(word, _TENS.get(word, _ORDINALS.get(word)))
        if value is not None:
            fits = current % 100 == 0 or (current % 100 >= 20 and current % 10 == 0 and value < 10)
            current = current + value if fits else current * 100 + value
        elif word in {"hundred", "hundredth", "oh"}:
            current = max(current, 1) * 100
        elif word in _SCALES:
            total, current = total + max(current, 1) * _SCALES[word], 0
        else:
            return None
    return total + current if seen else None


def _roman(letters: str) -> int:
    values = [{"I": 1, "V": 5, "X": 10}[letter] for letter in letters]
    return sum(
        -value if value < later else value
        for value, later in zip(values, [*values[1:], 0], strict=True)
    )


def _bare(word: str) -> str:
    """Drop apostrophes and, from Latin letters, accents."""
    parts = unicodedata.normalize("NFD", word.replace("'", ""))
    return unicodedata.normalize(
        "NFC", "".join(part for part in parts if unicodedata.category(part) != "Mn")
    )


@lru_cache(maxsize=65_536)
def _english_words(word: str) -> tuple[str, ...]:
    whole = _CONTRACTIONS.get(word)
    if whole is None:
        for ending, full in _ENDINGS:
            if word.endswith(ending) and len(word) > len(ending):
                whole = word[: -len(ending)] + full
                break
    parts = []
    for part in (whole or word).split():
        for plain in _ABBREVIATIONS.get(_bare(part), _bare(part)).split():
            for pattern, to in _SPELLING:
                plain = pattern.sub(to, plain)
            parts.append(plain)
    return tuple(parts)


def _english(word: str) -> list[str]:
    return list(_english_words(word))


@lru_cache(maxsize=8192)
def _spelt(number: str, ordinal: bool, year: bool, code: str) -> tuple[str, ...]:
    from num2words import num2words

    if len(number) > 18:
        return tuple(number)
    if "." in number:
        kind, value = "cardinal", float(number)
    else:
        value = int(number)
        is_year = year and code == "en" and len(number) == 4 and 1100 <= value < 2000
        kind = "ordinal" if ordinal else "year" if is_year else "cardinal"
    try:
        said = str(num2words(value, lang=code, to=kind))
    except (NotImplementedError, OverflowError, ValueError):
        return (number,)
    return tuple(_bare(word) for word in re.findall(r"[^\W\d_]+", said.casefold()))


def _spell_number(number: str, ordinal: bool, year: bool, code: str) -> list[str]:
    return list(_spelt(number, ordinal, year, code))


def _without_and(words: list[str]) -> list[str]:
    """Drop the "and" of "a hundred and five", which speakers and recognisers use at will."""
    kept: list[str] = []
    for index, word in enumerate(words):
        between = 0 < index < len(words) - 1
        if (
            word == "and"
            and between
            and words[index - 1] in {"hundred", "thousand", "million"}
            and words[index + 1] in _NUMBER_WORDS
        ):
            continue
        kept.append(word)
    return kept
