"""What kind of file it is, by its first bytes: names are wishes."""

from __future__ import annotations

from typing import IO

# What the C2PA library can read a manifest from, and how it calls it.
_HEAD = 64


def sniff(stream: IO[bytes]) -> str | None:
    """Return the media type of an audio file.

    ``"other"`` is sound that cannot hold a manifest; None does not look like sound at all. A FLAC
    file with a manifest begins with an ID3 tag, like an MP3: the tag is stepped over.
    """
    stream.seek(0)
    head = stream.read(_HEAD)
    if head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE":
        return "audio/wav"
    if head[4:8] == b"ftyp":
        return "audio/mp4"
    if head[:4] == b"fLaC":
        return "audio/flac"
    if head[:3] == b"ID3" and len(head) >= 10:
        return _after_id3(stream, head)
    if len(head) >= 2 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0 and head[1] & 0x06:
        return "audio/mpeg"
    if head[:4] == b"OggS" or (head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC")):
        return "other"
    return None


def _after_id3(stream: IO[bytes], head: bytes) -> str:
    """Look behind up to three ID3v2 tags; their size is four bytes of seven bits."""
    at = 0
    for _ in range(3):
        size = 0
        for byte in head[6:10]:
            size = size << 7 | byte & 0x7F
        at += 10 + size + (10 if head[5] & 0x10 else 0)
        stream.seek(at)
        head = stream.read(_HEAD)
        if head[:4] == b"fLaC":
            return "audio/flac"
        if head[:3] != b"ID3" or len(head) < 10:
            break
    return "audio/mpeg"
