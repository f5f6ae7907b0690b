"""Phonetic alphabets: X-SAMPA to IPA, and what may stand in an IPA pronunciation.

X-SAMPA as in J. C. Wells, "Computer-coding the IPA: a proposed extension of SAMPA" (1995).
"""

from __future__ import annotations

import re
import unicodedata

_XSAMPA: dict[str, str] = {
    # vowels
    "i": "i", "y": "y", "1": "ɨ", "}": "ʉ", "M": "ɯ", "u": "u", "I": "ɪ", "Y": "ʏ", "U": "ʊ",
    "e": "e", "2": "ø", "@\\": "ɘ", "8": "ɵ", "7": "ɤ", "o": "o", "@": "ə", "E": "ɛ", "9": "œ",
    "3": "ɜ", "3\\": "ɞ", "V": "ʌ", "O": "ɔ", "{": "æ", "6": "ɐ", "a": "a", "&": "ɶ", "A": "ɑ",
    "Q": "ɒ", "@`": "ɚ", "3`": "ɝ", "I\\": "ᵻ", "U\\": "ᵿ",
    # consonants
    "p": "p", "b": "b", "t": "t", "d": "d", "t`": "ʈ", "d`": "ɖ", "c": "c", "J\\": "ɟ", "k": "k",
    "g": "ɡ", "q": "q", "G\\": "ɢ", "?": "ʔ", "m": "m", "F": "ɱ", "n": "n", "n`": "ɳ", "J": "ɲ",
    "N": "ŋ", "N\\": "ɴ", "B\\": "ʙ", "r": "r", "R\\": "ʀ", "4": "ɾ", "r`": "ɽ", "p\\": "ɸ",
    "B": "β", "f": "f", "v": "v", "T": "θ", "D": "ð", "s": "s", "z": "z", "S": "ʃ", "Z": "ʒ",
    "s`": "ʂ", "z`": "ʐ", "C": "ç", "j\\": "ʝ", "x": "x", "G": "ɣ", "X": "χ", "R": "ʁ",
    "X\\": "ħ", "?\\": "ʕ", "h": "h", "h\\": "ɦ", "K": "ɬ", "K\\": "ɮ", "P": "ʋ", "v\\": "ʋ",
    "r\\": "ɹ", "r\\`": "ɻ", "j": "j", "M\\": "ɰ", "l": "l", "l`": "ɭ", "L": "ʎ", "L\\": "ʟ",
    "w": "w", "W": "ʍ", "H": "ɥ", "s\\": "ɕ", "z\\": "ʑ", "l\\": "ɺ", "x\\": "ɧ", "5": "ɫ",
    "H\\": "ʜ", "<\\": "ʢ", ">\\": "ʡ", "b_<": "ɓ", "d_<": "ɗ", "g_<": "ɠ", "J\\_<": "ʄ",
    # suprasegmentals and diacritics
    '"': "ˈ", "%": "ˌ", ":": "ː", ":\\": "ˑ", ".": ".", "|": "|", "||": "‖", "-\\": "‿", "-": "",
    "_h": "ʰ", "_j": "ʲ", "'": "ʲ", "_w": "ʷ", "_G": "ˠ", "_?\\": "ˤ", "_>": "ʼ", "_}": "̚",
    "_0": "̥", "_v": "̬", "_~": "̃", "~": "̃", "=": "̩", "_=": "̩", "_^": "̯", "_d": "̪", "_a": "̺",
    "_r": "̝", "_o": "̞", "_+": "̟", "_-": "̠", "_x": "̽", "_\"": "̈", "`": "˞", "_l": "ˡ",
    "_n": "ⁿ", "_t": "̤", "_k": "̰", "_A": "̘", "_q": "̙", "_c": "̜", "_O": "̹", "_e": "̴",
    " ": " ",
}  # fmt: skip
_XSAMPA_TOKEN = re.compile(
    "|".join(re.escape(key) for key in sorted(_XSAMPA, key=len, reverse=True))
)

_ALPHABETS = {
    "ipa": "ipa",
    "": "ipa",
    "x-sampa": "x-sampa",
    "xsampa": "x-sampa",
    "x-microsoft-sapi": "",
}

_ALLOWED = re.compile(r"[^\[\](){}<>/\\|#@*_=+\d]+")


def from_xsampa(text: str) -> str | None:
    """Convert X-SAMPA to IPA, or return None if `text` is not X-SAMPA."""
    result: list[str] = []
    position = 0
    while position < len(text):
        match = _XSAMPA_TOKEN.match(text, position)
        if match is None:
            return None
        result.append(_XSAMPA[match.group()])
        position = match.end()
    return unicodedata.normalize("NFC", "".join(result))


def to_ipa(text: str, alphabet: str = "ipa") -> str | None:
    """Return a pronunciation in IPA, safe to stand in ``[word](/IPA/)``.

    Parameters
    ----------
    text
        The pronunciation, with or without slashes around it.
    alphabet
        ``"ipa"`` or ``"x-sampa"``, as in ``ssml:alphabet`` and PLS.

    Returns
    -------
    str or None
        None for an unknown alphabet or a pronunciation that is none.
    """
    kind = _ALPHABETS.get(alphabet.strip().lower())
    if not kind:
        return None
    stripped = text.strip()
    if len(stripped) > 2 and stripped[0] == stripped[-1] == "/":
        stripped = stripped[1:-1].strip()
    if kind == "x-sampa":
        converted = from_xsampa(stripped)
        if converted is None:
            return None
        stripped = converted
    stripped = " ".join(stripped.replace("'", "ˈ").split())
    if not stripped or not _ALLOWED.fullmatch(stripped):
        return None
    letters = any(unicodedata.category(character) in {"Ll", "Lu", "Lo"} for character in stripped)
    return stripped if letters else None
