"""Reading audio files: what they are, and their samples, block by block.

Files come from strangers. FFmpeg is given an open file and a list of formats, never a name: a
text file that is really a playlist would otherwise make it open other files or the network.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

import numpy as np

from consent.errors import InputError
from provenance.audio.pcm import FloatArray

FORMATS = "mov,mp3,wav,w64,flac,ogg,aiff,aac,matroska,caf,au,asf,ac3,eac3,dsf,wv,ape,tta,amr"
COVER_LIMIT = 32 * 2**20


@dataclass(frozen=True, slots=True)
class Mark:
    """A chapter mark of a file, in seconds."""

    title: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """What a file says of itself.

    Attributes
    ----------
    format
        FFmpeg's short name of the container.
    duration_s
        As the container states it.
    bitrate
        Bits per second of the whole file.
    tags
        Lower-case key to text.
    cover
        The attached picture as stored, or None.
    """

    format: str
    codec: str
    sample_rate: int
    channels: int
    duration_s: float
    bitrate: int
    chapters: tuple[Mark, ...] = ()
    tags: dict[str, str] = field(default_factory=dict)
    cover: bytes | None = None


class _Nameless:
    """An open file without its name: FFmpeg would believe what the suffix says."""

    def __init__(self, file: IO[bytes]) -> None:
        self.read = file.read
        self.seek = file.seek
        self.tell = file.tell


def _refuse(url: str, flags: int, options: dict[str, str]) -> IO[bytes]:
    raise PermissionError(f"an audio file may not refer to another file: {url}")


def _name(source: Path | IO[bytes]) -> str:
    return str(source if isinstance(source, Path) else getattr(source, "name", "the audio"))


@contextmanager
def _opened(source: Path | IO[bytes]) -> Iterator[tuple[Any, Any]]:
    """Open `source` for reading; yield (container, its audio stream)."""
    import av

    name = _name(source)
    handle: IO[bytes] | None = None
    try:
        if isinstance(source, Path):
            handle = source.open("rb")
            opened = _Nameless(handle)
        else:
            source.seek(0)
            opened = _Nameless(source)
        file = av.open(
            opened,
            "r",
            options={"format_whitelist": FORMATS, "protocol_whitelist": "none"},
            metadata_errors="replace",
            io_open=_refuse,
        )
    except (IsADirectoryError, FileNotFoundError, PermissionError) as exc:
        if handle is not None:
            handle.close()
        raise InputError(f"cannot read {name}: {exc.strerror or exc}") from exc
    except (av.error.FFmpegError, OSError, ValueError) as exc:
        if handle is not None:
            handle.close()
        raise InputError(
            f"{name} is not an audio file this program can read ({exc.__class__.__name__})",
            hint="Give a WAV, FLAC, MP3, M4A, M4B, Ogg or AIFF file.",
        ) from exc
    try:
        # Without a codec context the codec is unknown, which damage can bring about.
        stream = next((s for s in file.streams.audio if s.codec_context is not None), None)
        if stream is None:
            raise InputError(f"{name} holds no sound that can be decoded")
        yield file, stream
    finally:
        file.close()
        if handle is not None:
            handle.close()


def probe(source: Path | IO[bytes]) -> AudioInfo:
    """Read what a file says of itself, without decoding it.

    Raises
    ------
    InputError
        It is missing, a folder, or not an audio file.
    """
    with _opened(source) as (file, stream):
        cover = None
        for picture in file.streams.video:
            cover = cover or _cover(file, picture)
        context = stream.codec_context
        duration = file.duration / 1_000_000 if file.duration else 0.0
        if not duration and stream.duration:
            duration = float(stream.duration * stream.time_base)
        marks = tuple(
            Mark(
                title=str(chapter["metadata"].get("title", "")),
                start_s=float(chapter["start"] * (chapter["time_base"] or Fraction(1, 1000))),
                end_s=float(chapter["end"] * (chapter["time_base"] or Fraction(1, 1000))),
            )
            for chapter in file.chapters()
        )
        tags = {str(k).lower(): str(v) for k, v in {**stream.metadata, **file.metadata}.items()}
        return AudioInfo(
            format=str(file.format.name),
            codec=str(context.codec.name),
            sample_rate=int(context.sample_rate or 0),
            channels=int(context.channels or 0),
            duration_s=duration,
            bitrate=int(file.bit_rate or 0),
            chapters=marks,
            tags=tags,
            cover=cover,
        )


def _cover(file: Any, picture: Any) -> bytes | None:
    """Return the attached picture, which FFmpeg hands out as the stream's first packet."""
    import av
    from av.stream import Disposition

    if not picture.disposition & Disposition.attached_pic:
        return None
    try:
        for packet in file.demux(picture):
            if packet.size:
                return bytes(packet) if packet.size <= COVER_LIMIT else None
    except av.error.FFmpegError:
        return None
    return None


@contextmanager
def opened_blocks(
    source: Path | IO[bytes], *, mono: bool = False, rate: int | None = None
) -> Iterator[tuple[Iterator[FloatArray], int]]:
    """Open a file and give (its blocks, their rate); closes the file afterwards.

    See :func:`decode` for the parameters.
    """
    with _opened(source) as (file, stream):
        out_rate = rate or int(stream.codec_context.sample_rate or 0)
        if out_rate <= 0:
            raise InputError(f"{_name(source)} states no sample rate")
        yield _blocks(file, stream, mono, out_rate, _name(source)), out_rate


def decode(
    source: Path | IO[bytes], *, mono: bool = False, rate: int | None = None
) -> tuple[Iterator[FloatArray], int]:
    """Decode a file block by block, in bounded memory.

    Parameters
    ----------
    source
        Path, or a readable and seekable binary file (read from its start).
    mono
        Mix all channels into one.
    rate
        Resample to this rate in Hz; None keeps the file's.

    Returns
    -------
    blocks, rate
        Float32 blocks in [-1, 1], of shape (n,) for mono and (n, channels) otherwise. Encoder
        padding at either end is left out where the container says how much there is.

    Raises
    ------
    InputError
        Not an audio file, or damaged; for a damaged file while iterating.
    """
    context = opened_blocks(source, mono=mono, rate=rate)
    blocks, out_rate = context.__enter__()

    def run() -> Iterator[FloatArray]:
        try:
            yield from blocks
        finally:
            context.__exit__(None, None, None)

    return run(), out_rate


def _blocks(file: Any, stream: Any, mono: bool, rate: int, name: str) -> Iterator[FloatArray]:
    import av

    native = int(stream.codec_context.sample_rate)
    left = _stated_samples(file, stream, native)
    channels = 1 if mono else int(stream.codec_context.channels or 1)
    resampler = av.AudioResampler(
        format="flt", layout="mono" if mono else stream.codec_context.layout, rate=rate
    )
    out_left = None if left is None else round(left * rate / native)

    def convert(frame: Any) -> Iterator[FloatArray]:
        nonlocal out_left
        for made in resampler.resample(frame):
            samples = made.to_ndarray().reshape(-1, channels).astype(np.float32, copy=False)
            if out_left is not None:
                samples = samples[:out_left]
                out_left -= len(samples)
            if len(samples):
                yield np.ascontiguousarray(samples[:, 0] if channels == 1 else samples)

    try:
        for frame in file.decode(stream):
            frame.pts = None  # gaps in time stamps are no reason to invent silence
            yield from convert(frame)
        yield from convert(None)
    except (av.error.FFmpegError, ValueError) as exc:
        raise InputError(
            f"{name} is damaged: decoding stopped with {exc.__class__.__name__}",
            hint="Get the file again from where it came from.",
        ) from exc


def _stated_samples(file: Any, stream: Any, rate: int) -> int | None:
    """Return how many samples an MP4 track says it holds: AAC pads the last frame."""
    if "mp4" not in file.format.name or not stream.duration or not stream.time_base:
        return None
    samples: int = round(stream.duration * stream.time_base * rate)
    return samples
