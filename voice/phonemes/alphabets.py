"""The two alphabets that voices are given, and stress within them.

``kokoro`` is the alphabet of misaki's lexicons, with which Kokoro was trained: one letter for
each diphthong and affricate (A I O Q W Y, ʤ ʧ), stress marks directly before the vowel.
``espeak`` is IPA as espeak-ng's English voices write it, with which Piper voices were trained.
Inside the package everything is in the first.
"""

from __future__ import annotations

import re

PRIMARY = "ˈ"
SECONDARY = "ˌ"
VOWELS = frozenset("AIOQWYaiuæɑɒɔəɛɜɪʊʌᵻᵊɐeoyøœɚɨɯɤ")
STRESSABLE = frozenset("AIOQWYaiuæɑɒɔəɛɜɪʊʌᵻ")
CONSONANTS = frozenset("bdfhjklmnpstvwzðŋɡɹɾʃʒʤʧθTʔ")
PAUSES = frozenset(";:,.!?—…")
KOKORO_PUNCTUATION = ';:,.!?—…"()“” '

#: Every symbol that Kokoro-82M v1.0 has an embedding for (its ``config.json``).
KOKORO_SYMBOLS = frozenset(
    KOKORO_PUNCTUATION + "\u0303ʣʥʦʨᵝ\uab67AIOQSTWYᵊabcdefhijklmnopqrstuvwxyz"
    "ɑɐɒæβɔɕçɖðʤəɚɛɜɟɡɥɨɪʝɯɰŋɳɲɴøɸθœɹɾɻʁɽʂʃʈʧʊʋʌɣɤχʎʒʔˈˌːʰʲ↓→↗↘ᵻ"
)

#: Every symbol that Piper's English voices have an id for (``phoneme_id_map``).
PIPER_SYMBOLS = frozenset(
    " !'(),-.:;?abcdefhijklmnopqrstuvwxyzæçðøħŋœǀǁǂǃɐɑɒɓɔɕɖɗɘəɚɛɜɞɟɠɡɢɣɤɥɦɧɨɪɫɬɭɮɯɰɱɲɳɴɵɶɸɹɺɻɽɾ"
    'ʀʁʂʃʄʈʉʊʋʌʍʎʏʐʑʒʔʕʘʙʛʜʝʟʡʢʲˈˌːˑ˞βθχᵻⱱ0123456789\u0327\u032a\u032f\u0329\u0303ʰˤε↓#"'
)

_PIPER_PUNCTUATION = str.maketrans(
    {"—": ",", "…": ".", "“": "", "”": "", '"': "", "(": "", ")": ""}
)
_ESPEAK_LETTERS = {"A": "eɪ", "I": "aɪ", "O": "oʊ", "Q": "əʊ", "W": "aʊ", "Y": "ɔɪ"}
_ESPEAK_LETTERS |= {"ʤ": "dʒ", "ʧ": "tʃ", "T": "ɾ", "ᵊ": "ə", "ʣ": "dz", "ʦ": "ts", "S": "s"}
_ESPEAK_LETTERS |= {"ʥ": "dʑ", "ʨ": "tɕ", "ᵝ": "β", "\uab67": "tʂ", "→": "", "↗": "", "↘": ""}
_WORD = re.compile(r"[^\s" + re.escape(KOKORO_PUNCTUATION.strip()) + r"]+")


def stressed(phonemes: str, level: float | None) -> str:
    """Return `phonemes` with another stress, by misaki's rules.

    Parameters
    ----------
    level
        None leaves it; below -1 removes all stress; -1 and 0 weaken primary stress to
        secondary; 0 to 1 give secondary stress to a word that has none; 1 raises secondary to
        primary; 2 gives primary stress to a word that has none.
    """
    if level is None or not phonemes:
        return phonemes
    bare = PRIMARY not in phonemes and SECONDARY not in phonemes
    if level < -1:
        return phonemes.replace(PRIMARY, "").replace(SECONDARY, "")
    if level == -1 or (level in (0, -0.5) and PRIMARY in phonemes):
        return phonemes.replace(SECONDARY, "").replace(PRIMARY, SECONDARY)
    if level in (0, 0.5, 1) and bare:
        return _before_vowel(SECONDARY, phonemes)
    if level >= 1 and PRIMARY not in phonemes and SECONDARY in phonemes:
        return phonemes.replace(SECONDARY, PRIMARY)
    if level > 1 and bare:
        return _before_vowel(PRIMARY, phonemes)
    return phonemes


def _before_vowel(mark: str, phonemes: str) -> str:
    for i, symbol in enumerate(phonemes):
        if symbol in STRESSABLE:
            return phonemes[:i] + mark + phonemes[i:]
    return phonemes


def weight(phonemes: str) -> int:
    """Return misaki's measure of how much of a word there is: diphthongs count double."""
    return sum(2 if symbol in "AIOQWYʤʧ" else 1 for symbol in phonemes)


def to_espeak(phonemes: str, *, british: bool) -> str:
    """Rewrite phonemes of the Kokoro alphabet as espeak-ng's IPA.

    Every symbol of the result is in `PIPER_SYMBOLS`; dashes become commas, an ellipsis a full
    stop, and quotation marks and brackets, which espeak-ng does not write, are dropped.
    """
    rewritten = _WORD.sub(lambda m: _espeak_word(m.group(), british), phonemes)
    result = re.sub(r",(?=[^\s,.;:!?])", ", ", rewritten.translate(_PIPER_PUNCTUATION))
    return re.sub(r"([,.])(?:\s*[,.])+", r"\1", re.sub(r" {2,}", " ", result)).strip()


def _espeak_word(word: str, british: bool) -> str:
    many = sum(symbol in VOWELS for symbol in word) > 1
    out: list[str] = []
    for i, symbol in enumerate(word):
        following = word[i + 1 : i + 2]
        if symbol in _ESPEAK_LETTERS:
            out.append(_ESPEAK_LETTERS[symbol])
        elif not british and symbol in "iu" and following != "ː":
            # espeak writes the unstressed [i] of "happy" and "area" short, all others long.
            weak = many and word[i - 1 : i] not in (PRIMARY, SECONDARY)
            weak = weak and symbol == "i" and (not following or following in VOWELS | {PRIMARY})
            out.append(symbol if weak else symbol + "ː")
        elif not british and symbol in "ɑɔɜ" and following != "ː":
            out.append(symbol + "ː")
        elif not british and symbol == "ɹ" and word[i - 1 : i] == "ɜ":
            # "ɜɹ" is one vowel for espeak; the r is heard again before another vowel.
            if following and following in VOWELS:
                out.append("ɹ")
        elif british and symbol == "ɛ" and following == "ː":
            out.append("e")
        elif british and symbol == "ː" and word[i - 1 : i] == "ɛ":
            out.append("ə")
        elif british and symbol == "ɪ" and following == "ə":
            out.append("i")
        else:
            out.append(symbol)
    joined = "".join(out)
    if not british:
        joined = re.sub(r"əɹ(?![aeiouæɑɔəɛɜɪʊʌᵻˈˌ])", "ɚ", joined).replace("əɹ", "ɚɹ")
    return "".join(symbol for symbol in joined if symbol in PIPER_SYMBOLS)
