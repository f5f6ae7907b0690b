"""Which words are kept from training: whole families, so that inflections do not leak."""

from __future__ import annotations

import hashlib

HELD_OUT = 40


def held_out(word: str) -> bool:
    """Say whether `word`, in plain letters, is of a family that is kept from training.

    A family is the words with the same first five letters; one in `HELD_OUT` is kept.
    """
    digest = hashlib.sha256(word[:5].encode()).digest()
    return int.from_bytes(digest[:4], "big") % HELD_OUT == 0
