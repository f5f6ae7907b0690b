"""Words in capitals: shouted words are words, acronyms are letters.

What stays in capitals in the spoken text is meant to be spelled out (or is an acronym the
voice's own lexicon knows).
"""

from __future__ import annotations

import re

from voice.script.characters import word_set

_SHORT_WORDS = word_set(
    "A AM AN AS AT BE BY DO GO HE IF IN IS IT ME MY NO OF OH ON OR SO TO UP WE ALL AND ANY ARE ASK "
    "BAD BIG BOY BUT BUY CAN DAY DEN DID DIE EAT END FAR FEW FLY FOR FUN GET GOD GOT HAD HAS HER "
    "HIM HIS HOT HOW ITS JOB KEY LAW LAY LET LIE LOT LOW MAN MAY MEN NEW NOR NOT NOW OFF OLD ONE "
    "OUR OUT OWN PAY PUT RAN RED RUN SAD SAT SAW SAY SEA SEE SET SHE SIT SIX SON SUN TEN THE TIE "
    "TOO TOP TRY TWO USE WAR WAS WAY WHO WHY WIN YES YET YOU AGE ARM ART BED BOX CAR CRY CUT DOG "
    "DRY EAR EYE FIT FIX HEY HIT ICE ILL KID LAD LAST LEG LOVE MAD MIX PEN SIR SKY TEA"
)
_ACRONYMS = word_set(
    "USA UK US UN EU BBC NBC CBS CIA FBI NASA NATO UNESCO UNICEF OPEC AIDS HIV DNA RNA CEO CFO GDP "
    "GPS HTML HTTP IBM IEEE IMF IQ ISBN IT_ LCD LED MIT NBA NFL NHS NYU OECD PDF PHD PTSD RAF SOS "
    "SUV TNT TV UFO UNHCR USB USAF USSR VAT VIP WHO_ WWI WWII AD BC AM PM ID OK IOU ISO LA NY DC "
    "ACLU AFL CIO ABC ATM AWOL CCTV DVD ESP FAQ FIFA HMS USS IRA IRS KGB LSD MGM MP NAACP PC PR "
    "RSVP SAS SS TVA UCLA UEFA YMCA YWCA ASAP DIY"
)
_WORD = re.compile(r"(?<![\w'])[A-ZÀ-ÖØ-Þ][A-ZÀ-ÖØ-Þ]+(?:'[A-ZÀ-ÖØ-Þ]+)*(?![\w])")
_VOWELS = frozenset("AEIOUYÀÁÂÃÄÅÆÈÉÊËÌÍÎÏÒÓÔÕÖØÙÚÛÜÝ")
_HARD = re.compile(r"[BCDFGHJKLMNPQRSTVWXZ]{5,}")


def lower_shouts(text: str) -> str:
    """Write shouted words in lower case and leave acronyms in capitals."""
    matches = list(_WORD.finditer(text))
    if not matches:
        return text
    letters = [character for character in text if character.isalpha()]
    capital = sum(character.isupper() for character in letters)
    all_caps = len(letters) >= 6 and capital >= 0.8 * len(letters)
    pieces: list[str] = []
    position = 0
    for index, match in enumerate(matches):
        word = match.group()
        in_run = all_caps or _touches(text, matches, index)
        pieces.append(text[position : match.start()])
        pieces.append(_lower(text, match) if _is_word(word, in_run) else word)
        position = match.end()
    pieces.append(text[position:])
    result = "".join(pieces)
    if all_caps:
        result = re.sub(r"\bA\b(?! [A-Z]\b)", "a", result)
        result = result[:1].upper() + result[1:]
    return result


def _lower(text: str, match: re.Match[str]) -> str:
    word = match.group().lower()
    before = text[: match.start()].rstrip(" \"'(—")
    opens = not before or before[-1] in ".!?…"
    return word[0].upper() + word[1:] if opens else word


def _touches(text: str, matches: list[re.Match[str]], index: int) -> bool:
    """Say whether a neighbouring word is in capitals too."""
    here = matches[index]
    for other in (index - 1, index + 1):
        if 0 <= other < len(matches):
            first, second = sorted((here, matches[other]), key=lambda match: match.start())
            between = text[first.end() : second.start()]
            if len(between) <= 4 and re.fullmatch(r"[\s,'-]*(?:[AI]\s)?", between):
                return True
    return False


def _is_word(word: str, in_run: bool) -> bool:
    bare = word.split("'")[0]
    if bare in _ACRONYMS:
        return False
    if bare in _SHORT_WORDS:
        return True
    if not set(bare) & _VOWELS or _HARD.search(bare):
        return False
    return in_run or len(bare) > 3
