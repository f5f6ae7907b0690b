"""What is asked of the door, and what comes out of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from provenance.audio.pcm import FloatArray
from provenance.audio.tags import Tags

if TYPE_CHECKING:
    from consent.registry import ModelUse, VoiceUse


@dataclass(frozen=True, slots=True)
class ChapterAudio:
    """The sound of a chapter.

    Attributes
    ----------
    samples
        Exact length in samples.
    blocks
        Gives mono float32 blocks in [-1, 1]; may be called again.
    """

    title: str
    samples: int
    blocks: Callable[[], Iterator[FloatArray]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SealRequest:
    """One file to be made.

    Attributes
    ----------
    container
        ``"m4b"``, ``"m4a"``, ``"mp3"``, ``"wav"`` or ``"flac"``.
    sample_rate
        Of the chapters' blocks, in Hz. The file may have another (MP3: 44.1 kHz).
    text_digest
        Salted digest of the text spoken in this file.
    voices, models
        As authorized, each voice with the minutes it speaks in this file.
    bitrate
        Bits per second; None takes the container's own.
    disclosure
        The sentence that says the voice is synthetic; empty takes the standard one.
    overwrite
        Replace a file that is already there.
    """

    destination: Path
    container: str
    sample_rate: int
    chapters: tuple[ChapterAudio, ...]
    tags: Tags
    authorization_id: str
    text_digest: str
    voices: tuple[VoiceUse, ...]
    models: tuple[ModelUse, ...]
    bitrate: int | None = None
    require_watermark: bool = False
    disclosure: str = ""
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class SealedOutput:
    """A file that left through the door.

    Attributes
    ----------
    watermark
        Id of the model that marked it, ``"none"`` if none did.
    manifest_label
        Names the manifest inside for ever; the file's hash does not.
    warnings
        Sentences for the person who asked.
    """

    path: Path
    output_id: str
    sha256: str
    duration_s: float
    container: str
    watermark: str
    manifest_label: str
    warnings: tuple[str, ...]
