"""A small studio for the tests: a home, an authorized job with its lease, and sound to seal."""

from __future__ import annotations

import dataclasses
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from consent.home import Home
from consent.registry import AuthorizationRequest, ModelUse, Registry, VoiceUse
from provenance.audio.pcm import FloatArray
from provenance.audio.tags import Tags
from provenance.seal import ChapterAudio, SealedOutput, SealRequest, seal

RATE = 24000
VOICE = VoiceUse("kokoro:af_heart", "stock", "Apache-2.0", True, 10.0)
MODEL = ModelUse("kokoro-82m", "kokoro", "0.1", "ab" * 32, "Apache-2.0", "yes")


def png(width: int = 8, height: int = 8) -> bytes:
    """A real PNG, one colour."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    rows = b"".join(b"\0" + b"\xc0\x20\x20" * width for _ in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )  # fmt: skip


def speechlike(samples: int, seed: int) -> Iterator[FloatArray]:
    """Yield sound with the rhythm and the band of speech, in uneven blocks."""
    random = np.random.default_rng(seed)
    at = 0
    while at < samples:
        n = min(int(random.integers(500, 7000)), samples - at)
        t = np.arange(at, at + n) / RATE
        tone = sum(np.sin(2 * np.pi * 140 * k * t) / k for k in range(1, 12))
        noise = random.standard_normal(n)
        yield (0.08 * (1 + np.sin(2 * np.pi * 3 * t)) * (tone + 0.2 * noise)).astype(np.float32)
        at += n


def chapter(title: str, seconds: float, seed: int = 0) -> ChapterAudio:
    samples = int(seconds * RATE)
    return ChapterAudio(title, samples, lambda: speechlike(samples, seed))


class Studio:
    """A home with a running job."""

    def __init__(self, root: Path) -> None:
        self.home = Home.open(root)
        self.registry = Registry.open(self.home)
        self.authorization = self.registry.authorize(
            AuthorizationRequest(
                work_title="Love Among the Chickens",
                work_author="P. G. Wodehouse",
                work_identifier="",
                purpose="audiobook",
                job_digest="12" * 32,
                languages=("en-GB",),
                territory="world",
                channel="private",
                commercial=False,
                minutes=10.0,
                voices=(VOICE,),
                models=(MODEL,),
                requester="tests",
            )
        )
        self.lease = self.registry.lease(self.authorization.id)

    def request(self, destination: Path, **changes: Any) -> SealRequest:
        chapters = changes.pop(
            "chapters", (chapter("A Letter with a Postscript", 0.9, 1), chapter("Zwölf", 0.6, 2))
        )
        minutes = sum(c.samples for c in chapters) / RATE / 60
        values: dict[str, Any] = {
            "destination": destination,
            "container": destination.suffix.lstrip(".") or "m4b",
            "sample_rate": RATE,
            "chapters": chapters,
            "tags": Tags(
                "Love Among the Chickens",
                artist="P. G. Wodehouse",
                composer="af_heart (AI voice)",
                date="1921",
                language="en-GB",
                track=(1, 23),
                cover=png(),
                cover_type="image/png",
            ),
            "authorization_id": self.authorization.id,
            "text_digest": "34" * 32,
            "voices": (dataclasses.replace(VOICE, minutes=minutes),),
            "models": (MODEL,),
            **changes,
        }
        return SealRequest(**values)

    def seal(self, destination: Path, **changes: Any) -> SealedOutput:
        return seal(self.request(destination, **changes), registry=self.registry, home=self.home)

    def close(self) -> None:
        self.lease.release()
        self.registry.close()
