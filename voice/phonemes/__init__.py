"""Text to phonemes, for English voices.

>>> phonemize("The apple.", "en-GB")
'ði ˈapᵊl.'
"""

from __future__ import annotations

from voice.phonemes.alphabets import KOKORO_SYMBOLS, PIPER_SYMBOLS
from voice.phonemes.characters import speakable, unspeakable_characters
from voice.phonemes.phonemizer import Phonemizer

__all__ = [
    "KOKORO_SYMBOLS",
    "PIPER_SYMBOLS",
    "Phonemizer",
    "phonemize",
    "speakable",
    "unspeakable_characters",
]


def phonemize(text: str, language: str, *, alphabet: str = "kokoro") -> str:
    """Return the phonemes of normalised `text`; see `Phonemizer.phonemize`.

    Parameters
    ----------
    language
        BCP 47 tag: ``en-US`` or ``en-GB``.
    alphabet
        ``"kokoro"`` or ``"espeak"``.

    Raises
    ------
    InputError
        The language is not English, or an inline pronunciation is not IPA.
    """
    return Phonemizer.for_language(language).phonemize(text, alphabet=alphabet)
