"""Pronunciations as people write them (IPA) into the Kokoro alphabet."""

from __future__ import annotations

import re
import unicodedata

from consent.errors import InputError
from voice.phonemes.alphabets import (
    CONSONANTS,
    KOKORO_SYMBOLS,
    PRIMARY,
    SECONDARY,
    VOWELS,
)

# Marks that say more than the voices can: places of articulation, devoicing, tones, ...
_IGNORED = frozenset("\u0325\u030a\u032a\u033a\u031f\u0320\u031e\u031d\u032c\u0339\u031c\u0324")
_IGNORED |= frozenset("\u0330\u033c\u0318\u0319\u0306\u032f\u0311\u0334\u031a\u0308\u0300\u0301")
_IGNORED |= frozenset("\u0304\u030b\u030f\u030c\u0302\u0361\u035c\u203f.·-|‖ˑˠˤˀʷⁿˡ()_")
_SYLLABIC = "\u0329\u030d"

_COMMON = {
    "tʃ": "ʧ", "dʒ": "ʤ", "aɪ": "I", "aj": "I", "ai": "I", "ɑɪ": "I", "aʊ": "W", "aw": "W",
    "au": "W", "ɑʊ": "W", "eɪ": "A", "ej": "A", "ei": "A", "ɛɪ": "A", "ɔɪ": "Y", "ɔi": "Y",
    "oɪ": "Y", "oi": "Y", "ɔj": "Y", "r": "ɹ", "g": "ɡ", "ʍ": "w", "ɫ": "l", "ɬ": "l", "ʔ": "t",
    "ʉ": "u", "ʏ": "y", "ɵ": "ʊ", "ɘ": "ə", "ɞ": "ɜ", "ɦ": "h", "ħ": "h", "ɱ": "m", "ʀ": "ʁ",
    "ɭ": "l", "ʟ": "l", "ʐ": "ʒ", "ʑ": "ʒ", "ɺ": "ɾ", "ɶ": "œ", "ɢ": "ɡ", "ⱱ": "v", "ʎ": "ʎ",
    "ɪi": "i", "ʊu": "u", "ʌɪ": "I", "hw": "w",
}  # fmt: skip

_AMERICAN = _COMMON | {
    "oʊ": "O", "ow": "O", "ou": "O", "əʊ": "O", "ɔʊ": "O", "o": "O", "ɒ": "ɑ", "a": "ɑ",
    "æ": "æ", "e": "ɛ", "ɚ": "əɹ", "ɝ": "ɜɹ", "ɜː": "ɜɹ", "ɜːɹ": "ɜɹ", "ɜːr": "ɜɹ", "ɜ˞": "ɜɹ",
    "ə˞": "əɹ", "eə": "ɛɹ", "ɛə": "ɛɹ", "eəɹ": "ɛɹ", "ɛəɹ": "ɛɹ", "eər": "ɛɹ", "ɛər": "ɛɹ",
    "ɪəɹ": "ɪɹ", "ɪər": "ɪɹ", "ɪə": "iə", "ʊəɹ": "ʊɹ", "ʊər": "ʊɹ", "ɪɚ": "ɪɹ", "ʊɚ": "ʊɹ",
    "ɛɚ": "ɛɹ", "ɑɚ": "ɑɹ", "ɔɚ": "ɔɹ", "oɹ": "ɔɹ", "or": "ɔɹ", "oːɹ": "ɔɹ", "oːr": "ɔɹ",
    "oːɹə": "ɔɹə", "ː": "", "ɾ": "T", "ɨ": "ᵻ", "aɪɚ": "Iəɹ", "aʊɚ": "Wəɹ", "ʌ": "ʌ",
    "ɜɹ": "ɜɹ", "ɜr": "ɜɹ", "Q": "O",
}  # fmt: skip

_BRITISH = _COMMON | {
    "əʊ": "Q", "oʊ": "Q", "ow": "Q", "ou": "Q", "ɔʊ": "Q", "o": "Q", "O": "Q", "æ": "a",
    "e": "ɛ", "eə": "ɛː", "ɛə": "ɛː", "ɛː": "ɛː", "ɚ": "ə", "ɝ": "ɜː", "ɜ˞": "ɜː", "ə˞": "ə",
    "ɑː": "ɑː", "ɑ": "ɑː", "ɔː": "ɔː", "oː": "ɔː", "ɔ": "ɔː", "ɜː": "ɜː", "ɜ": "ɜː", "iː": "iː",
    "uː": "uː", "ɾ": "t", "ɨ": "ɪ", "ᵻ": "ɪ", "iə": "ɪə", "T": "t", "əː": "ɜː",
}  # fmt: skip

_LONGEST = 4
_SILENT_R = re.compile(rf"([{''.join(VOWELS)}]ː?)ɹ(?![ˈˌ]?[{''.join(VOWELS)}])")


def from_ipa(written: str, *, british: bool, word: str = "") -> str:
    """Rewrite a pronunciation in IPA, or in the Kokoro alphabet, in the Kokoro alphabet.

    Tie bars, syllable dots and marks of fine detail are accepted and ignored. A stress mark may
    stand before the syllable (ordinary IPA) or before the vowel.

    Parameters
    ----------
    written
        The pronunciation without slashes or brackets; several words have spaces between them.
    british
        Whether it is for a British voice: /ɒ/, /əʊ/ and length stay as they are, and an r that
        no vowel follows is silent; otherwise they become what an American says.
    word
        The word it belongs to, for the error message.

    Raises
    ------
    InputError
        A symbol is not known, or nothing is left to speak.
    """
    text = unicodedata.normalize("NFD", written.strip().strip("/[]"))
    # NFD takes ç apart.
    text = text.replace("c\u0327", "ç").replace("'", PRIMARY).replace("ʼ", "").replace("ʹ", PRIMARY)
    text = text.replace("’", PRIMARY).replace(":", "ː")
    table = _BRITISH if british else _AMERICAN
    text = "".join(c for c in text if c not in _IGNORED)
    words = [_word(part, table, british, word or written) for part in text.split()]
    result = " ".join(part for part in words if part)
    if not any(c in VOWELS or c in CONSONANTS for c in result):
        raise InputError(
            f"the pronunciation /{written}/ of {word!r} holds no sound",
            hint="Write IPA between the slashes, for instance [Ukridge](/ˈjuːkrɪdʒ/).",
        )
    return result


def _word(text: str, table: dict[str, str], british: bool, word: str) -> str:
    out: list[str] = []
    pending = ""
    i = 0
    while i < len(text):
        symbol = text[i]
        if symbol in (PRIMARY, SECONDARY):
            pending = symbol
            i += 1
            continue
        if symbol in _SYLLABIC:
            if out and out[-1] not in VOWELS:
                out.insert(len(out) - 1, "ᵊ")
            i += 1
            continue
        for length in range(_LONGEST, 0, -1):
            piece = text[i : i + length]
            if piece in table:
                value = table[piece]
                break
        else:
            piece = value = symbol
            if symbol not in KOKORO_SYMBOLS or not (symbol.isalpha() or symbol in "ː\u0303"):
                name = unicodedata.name(symbol, "a control character")
                raise InputError(
                    f"the pronunciation of {word!r} holds {symbol!r} "
                    f"(U+{ord(symbol):04X}, {name}), which is not an IPA symbol this voice knows",
                    hint="See docs/pronunciation.md for the symbols that can be used.",
                )
        if pending and value and value[0] in VOWELS:
            out.append(pending)
            pending = ""
        out.extend(value)
        i += len(piece)
    result = "".join(out)
    if british:
        # Only these vowels are long in the British alphabet.
        result = result.replace("ɪː", "iː").replace("ʊː", "uː")
        # ... and an r is heard only before another. Broad IPA for all accents writes every r.
        result = _SILENT_R.sub(r"\1", result).replace("ɪəə", "ɪə").replace("ʊəə", "ʊə")
    return result
