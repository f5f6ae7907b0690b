"""What a player shows: title, author, narrator, cover."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from consent.errors import InputError

DISCLOSURE = "AI voice (synthetic speech). Verify with vivavoce verify / c2pa"
COVER_LIMIT = 16 * 2**20


@dataclass(frozen=True, slots=True)
class Tags:
    """Tags of a file; empty strings are left out.

    Attributes
    ----------
    artist
        The author, as audiobook players expect it.
    composer
        The narrator.
    comment
        Free text; the disclosure of the synthetic voice is added to it.
    language
        BCP 47 tag.
    track
        (number, of how many), or None.
    cover, cover_type
        A JPEG or PNG picture and its media type.
    """

    title: str
    artist: str = ""
    album: str = ""
    album_artist: str = ""
    composer: str = ""
    genre: str = "Audiobook"
    date: str = ""
    comment: str = ""
    language: str = ""
    track: tuple[int, int] | None = None
    cover: bytes | None = None
    cover_type: str = ""


def picture_type(data: bytes) -> str | None:
    """Return ``"image/jpeg"`` or ``"image/png"`` from the first bytes, None for anything else."""
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    return None


def picture_size(data: bytes) -> tuple[int, int] | None:
    """Return (width, height) of a JPEG or PNG from its header, None if it cannot be read."""
    if data.startswith(b"\x89PNG\r\n\x1a\n") and len(data) >= 24:
        return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    at = 2
    while data.startswith(b"\xff\xd8") and at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height = int.from_bytes(data[at + 5 : at + 7], "big")
            return int.from_bytes(data[at + 7 : at + 9], "big"), height
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def checked_cover(tags: Tags) -> tuple[bytes, str] | None:
    """Return the cover and its real media type, or None if there is none.

    Raises
    ------
    InputError
        The cover is neither JPEG nor PNG, or too large.
    """
    if not tags.cover:
        return None
    kind = picture_type(tags.cover)
    if kind is None or picture_size(tags.cover) is None:
        raise InputError(
            f"the cover ({tags.cover_type or 'unknown type'}) is neither a JPEG nor a PNG picture",
            hint="Convert it to JPEG, or narrate without a cover.",
        )
    if len(tags.cover) > COVER_LIMIT:
        raise InputError(
            f"the cover is {len(tags.cover)} bytes; at most {COVER_LIMIT} fit",
            hint="Scale it down; stores ask for 2400 x 2400 pixels or so.",
        )
    return tags.cover, kind


def player_tags(tags: Tags, *, disclosure: str) -> dict[str, str]:
    """Return FFmpeg's metadata keys for `tags`, with the disclosure in the comment."""
    comment = tags.comment.strip()
    if disclosure and disclosure not in comment:
        comment = f"{comment}\n{disclosure}" if comment else disclosure
    values = {
        "title": tags.title,
        "artist": tags.artist,
        "album": tags.album or tags.title,
        "album_artist": tags.album_artist or tags.artist,
        "composer": tags.composer,
        "genre": tags.genre,
        "date": tags.date,
        "comment": comment,
        "track": "" if tags.track is None else f"{tags.track[0]}/{tags.track[1]}",
    }
    clean = {key: clean_text(value) for key, value in values.items()}
    return {k: v for k, v in clean.items() if v}


def clean_text(text: str) -> str:
    """Return `text` as a player can take it.

    A NUL would end the tag early; other control characters confuse players, and terminals that
    show what is in a file.
    """
    return "".join(c for c in text if c == "\n" or unicodedata.category(c) not in ("Cc", "Cs"))
