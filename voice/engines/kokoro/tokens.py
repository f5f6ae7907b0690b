"""Phonemes to token ids, and long phoneme strings to pieces that the network speaks well."""

from __future__ import annotations

from dataclasses import dataclass

#: The network's position table has 512 entries, two of which pad both ends.
MAX_TOKENS = 510

# Symbols by id, from the model's configuration; ids between them were never trained.
_RUNS: dict[int, str] = {
    1: ";:,.!?",
    9: '—…"()“” \u0303ʣʥʦʨᵝ\uab67AI',
    31: "O",
    33: "Q",
    35: "ST",
    39: "W",
    41: "Yᵊabcdef",
    50: "hijklmnopqrstuvwxyzɑɐɒæ",
    75: "βɔɕç",
    80: "ɖðʤə",
    85: "ɚɛɜ",
    90: "ɟ",
    92: "ɡ",
    99: "ɥ",
    101: "ɨɪʝ",
    110: "ɯɰŋɳɲɴø",
    118: "ɸθœ",
    123: "ɹ",
    125: "ɾɻ",
    128: "ʁɽʂʃʈʧ",
    135: "ʊʋ",
    138: "ʌɣɤ",
    142: "χʎ",
    147: "ʒʔ",
    156: "ˈˌː",
    162: "ʰ",
    164: "ʲ",
    169: "↓",
    171: "→↗↘",
    177: "ᵻ",
}
IDS: dict[str, int] = {
    symbol: start + place for start, run in _RUNS.items() for place, symbol in enumerate(run)
}

_PUNCTUATION = frozenset(';:,.!?—…"()“” ')
_CLOSING = '"”)'
_SENTENCE, _CLAUSE, _COMMA, _WORD = range(4)
#: How unwelcome a cut is, as a fraction of the piece that it may be off the middle instead.
_COST = (0.0, 0.15, 0.25, 0.7)
#: Silence put at a cut, in seconds, on top of the edges that trimming leaves.
_PAUSES = (0.32, 0.20, 0.12, 0.0)


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of phonemes spoken in one go.

    Attributes
    ----------
    phonemes
        Symbols that all have a token.
    pause
        Seconds of silence after it.
    """

    phonemes: str
    pause: float = 0.0


def known(phonemes: str) -> str:
    """Drop what has no token and bring white space to single blanks."""
    return "".join(c for c in " ".join(phonemes.split()) if c in IDS).strip()


def encode(phonemes: str) -> list[int]:
    """Return the token ids between the two padding tokens the network expects."""
    return [0, *(IDS[symbol] for symbol in phonemes), 0]


def speakable(phonemes: str) -> bool:
    """Say whether there is anything but punctuation."""
    return any(symbol not in _PUNCTUATION for symbol in phonemes)


def stressed(phonemes: str) -> str:
    """Give an utterance without any primary stress one, where its last secondary stress is.

    Weak words are weak beside others: "Sir?" or "I." alone, with the secondary stress that the
    lexicon gives them, come out slurred.
    """
    if "ˈ" in phonemes or "ˌ" not in phonemes:
        return phonemes
    return "ˈ".join(phonemes.rsplit("ˌ", 1))


def split(phonemes: str, limit: int) -> list[Piece]:
    """Cut phonemes into pieces of at most `limit` tokens, at the best places near the middles.

    Sentence ends are preferred to clause ends, those to commas, those to blanks; only a single
    word longer than `limit` is cut inside.

    Parameters
    ----------
    phonemes
        As :func:`known` returns them.
    limit
        1 to 510.
    """
    return _merge_silent(_split(phonemes, limit, 0.0))


def _split(phonemes: str, limit: int, pause: float) -> list[Piece]:
    phonemes = phonemes.strip()
    length = len(phonemes)
    if length <= limit:
        return [Piece(phonemes, pause)] if phonemes else []
    best, cost, kind = length // 2, 2.0, _WORD
    for place in range(1, length - 1):
        if phonemes[place] != " " and phonemes[place - 1] != "—":
            continue
        here = _kind(phonemes, place)
        price = _COST[here] + abs(place - length / 2) / length
        if price < cost:
            best, cost, kind = place, price, here
    head, tail = phonemes[:best], phonemes[best:]
    return _split(head, limit, _PAUSES[kind]) + _split(tail, limit, pause)


def _kind(phonemes: str, place: int) -> int:
    before = phonemes[:place].rstrip(_CLOSING + " ")[-1:]
    if before in ".!?…":
        return _SENTENCE
    if before in ";:—":
        return _CLAUSE
    return _COMMA if before == "," else _WORD


def _merge_silent(pieces: list[Piece]) -> list[Piece]:
    """Turn pieces of nothing but punctuation into pauses of those before them."""
    merged: list[Piece] = []
    for piece in pieces:
        if speakable(piece.phonemes):
            merged.append(piece)
        elif merged:
            merged[-1] = Piece(merged[-1].phonemes, max(merged[-1].pause, piece.pause))
    return merged
