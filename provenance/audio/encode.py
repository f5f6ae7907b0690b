"""Streaming encoder: mono blocks in, one audio file out, in bounded memory.

Written with PyAV. Three things FFmpeg's command line does silently are done here by hand:

* ``ipod`` (the usual muxer for ``.m4b``) refuses a cover through the API, so ``mp4`` is used with
  the brand ``M4B``;
* faststart reads the file back while writing it, through a second handle;
* chapters must be known before the first packet, so their lengths are announced and checked.

Encoder delay: AAC's 1024 samples of priming are hidden by an edit list, MP3's by the Info header;
marks stay within 30 ms even in a player that knows neither.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from typing import IO, Any

import numpy as np

from consent.errors import InputError, VivavoceError
from provenance.audio.containers import WAV_LIMIT, Container, checked_bitrate
from provenance.audio.pcm import Dither, FloatArray, PcmDigest, checked_blocks
from provenance.audio.tags import Tags, checked_cover, clean_text, picture_size, player_tags

# Longer and steeper than swresample's default (32 taps): flat to 11 kHz for sound at 24 kHz, images
# and aliases more than 120 dB down (measured with sines).
RESAMPLER = {"filter_size": "128", "cutoff": "0.985", "kaiser_beta": "12"}
# FFmpeg's AAC: at two bits a sample and more, which is what a voice gets here, its simple coder is
# nearer to the source than the default one (segmental SNR 36.7 against 29.7 dB on speech at
# 64 kbit/s, 24 kHz) at three times the speed. Noise substitution, which replaces hiss by other
# hiss, is off because it would replace a watermark too.
AAC_FAST = {"aac_coder": "fast", "aac_pns": "0"}
AAC_LOW = {"aac_coder": "twoloop", "aac_pns": "0"}


@dataclass(frozen=True, slots=True)
class ChapterSpan:
    """Title of a chapter and its length in samples of the incoming sound."""

    title: str
    samples: int


@dataclass(frozen=True, slots=True)
class Encoding:
    """What was written.

    Attributes
    ----------
    duration_s
        Length of the sound that was put in.
    pcm_sha256, pcm_format
        Digest over the samples given to the encoder: ``"s16le"`` (lossless containers, after
        dither) or ``"f32le"``, at `sample_rate`.
    bitrate
        Bits per second asked for, None if lossless.
    """

    duration_s: float
    sample_rate: int
    codec: str
    bitrate: int | None
    pcm_sha256: str
    pcm_format: str
    warnings: tuple[str, ...]


class _SecondHandle(io.RawIOBase):
    """Reads a file that is being written, with a position of its own (for faststart)."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__()
        self._file = file
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_END:
            writing_at = self._file.tell()
            self._at = self._file.seek(offset, io.SEEK_END)
            self._file.seek(writing_at)
        else:
            self._at = offset if whence == io.SEEK_SET else self._at + offset
        return self._at

    def read(self, size: int = -1) -> bytes:
        writing_at = self._file.tell()
        self._file.seek(self._at)
        data = self._file.read(size)
        self._file.seek(writing_at)
        self._at += len(data)
        return data


def check_size(kind: Container, samples: int) -> None:
    """Refuse sound that the container cannot hold.

    Raises
    ------
    InputError
        A WAV file would pass 4 GB. RF64 could hold it, but cannot be signed.
    """
    if kind.name == "wav" and 2 * samples > WAV_LIMIT:
        raise InputError(
            f"{2 * samples / 2**30:.1f} GiB of sound do not fit a WAV file (4 GiB at most, and "
            "RF64 cannot carry a C2PA manifest)",
            hint="Write one file per chapter, or choose flac or m4b.",
        )


def encode(
    blocks: Iterator[FloatArray],
    out: IO[bytes],
    *,
    kind: Container,
    sample_rate: int,
    chapters: Sequence[ChapterSpan],
    tags: Tags,
    bitrate: int | None = None,
    disclosure: str = "",
    progress: Callable[[float], None] | None = None,
) -> Encoding:
    """Encode mono sound into the open file `out`.

    Parameters
    ----------
    blocks
        Mono float32 in [-1, 1] at `sample_rate`, all chapters one after the other.
    out
        Readable, writable, seekable binary file, empty.
    chapters
        Spans in order; together they must be exactly as long as `blocks`.
    bitrate
        Bits/s; None takes the container's own (AAC 64 or 96 kbit/s, MP3 192 kbit/s CBR).
    progress
        Called with the fraction done, 0 to 1.

    Raises
    ------
    InputError
        Lengths disagree, a sample is not a number, or the container cannot hold it.
    """
    import av

    total = sum(span.samples for span in chapters)
    if total <= 0:
        raise InputError("there is no sound to write", hint="Narrate at least one sentence.")
    check_size(kind, total)
    rate = kind.output_rate(sample_rate)
    bits = checked_bitrate(kind, rate, bitrate)
    cover = checked_cover(tags) if kind.cover else None
    warnings = _warnings(kind, chapters, tags)
    digest = PcmDigest()
    file = av.open(
        out,
        "w",
        format=kind.muxer,
        options=_muxer_options(kind, rate),
        io_open=lambda url, flags, options: _SecondHandle(out),
    )
    finished = False
    try:
        stream: Any = file.add_stream(
            kind.codec, rate=rate, layout="mono", options=_encoder_options(kind, rate, bits)
        )
        stream.time_base = Fraction(1, rate)
        stream.codec_context.format = kind.sample_format
        if bits is not None:
            stream.bit_rate = bits
        _describe(file, stream, kind, chapters, sample_rate, tags, disclosure)
        if cover is not None:
            _attach(file, *cover)
        done = 0
        for frame, taken in _frames(blocks, kind, sample_rate, rate, digest):
            done += taken
            if done > total:
                raise InputError(f"more sound came than the {total} samples announced")
            if frame is not None:
                file.mux(stream.encode(frame))
            if progress is not None and taken:
                progress(done / total)
        if done != total:
            raise InputError(f"{done} samples of sound came, {total} were announced")
        file.mux(stream.encode(None))
        finished = True
    except av.error.FFmpegError as exc:
        raise _encoding_error(exc, kind) from exc
    finally:
        # Closing writes the trailer; after a failure there is nothing worth completing.
        if finished:
            try:
                file.close()
            except av.error.FFmpegError as exc:
                raise _encoding_error(exc, kind) from exc
        else:
            with suppress(Exception):
                file.close()
    return Encoding(
        duration_s=total / sample_rate,
        sample_rate=rate,
        codec=kind.codec,
        bitrate=bits,
        pcm_sha256=digest.hexdigest(),
        pcm_format="s16le" if kind.sample_format == "s16" else "f32le",
        warnings=warnings,
    )


def _encoding_error(exc: Exception, kind: Container) -> Exception:
    if isinstance(exc, OSError) and exc.errno and 0 < exc.errno < 200:
        return OSError(exc.errno, exc.strerror or str(exc))
    return VivavoceError(f"the {kind.name} encoder failed: {exc}")


def _warnings(kind: Container, chapters: Sequence[ChapterSpan], tags: Tags) -> tuple[str, ...]:
    lost = []
    if not kind.chapters and len(chapters) > 1:
        lost.append("chapter marks")
    if not kind.cover and tags.cover:
        lost.append("a cover picture (it is in the manifest)")
    return tuple(f"a {kind.name} file cannot hold {what}" for what in lost)


def _encoder_options(kind: Container, rate: int, bits: int | None) -> dict[str, str]:
    if kind.codec != "aac" or bits is None:
        return {}
    return AAC_FAST if bits >= 2 * rate else AAC_LOW


def _muxer_options(kind: Container, rate: int) -> dict[str, str]:
    if kind.muxer == "mp4":
        return {
            "movflags": "+faststart",
            "brand": "M4B " if kind.name == "m4b" else "M4A ",
            # The edit list that hides priming and padding counts in this unit; the default of
            # 1 ms would leave up to a millisecond of padding at the end.
            "movie_timescale": str(rate),
        }
    if kind.muxer == "mp3":
        return {"id3v2_version": "4", "write_id3v1": "0", "write_xing": "1"}
    return {}


def _describe(
    file: Any,
    stream: Any,
    kind: Container,
    chapters: Sequence[ChapterSpan],
    rate: int,
    tags: Tags,
    disclosure: str,
) -> None:
    """Set tags, language and chapter marks (before the header is written)."""
    values = player_tags(tags, disclosure=disclosure)
    marks: list[Any] = []
    at = 0
    for number, span in enumerate(chapters):
        start, end = (round(1000 * n / rate) for n in (at, at + span.samples))
        at += span.samples
        marks.append(
            {
                "id": number,
                "start": start,
                "end": end,
                "time_base": Fraction(1, 1000),
                "metadata": {"title": clean_text(span.title) or f"Chapter {number + 1}"},
            }
        )
    if kind.muxer == "mp4":
        # 2 is "audiobook" among iTunes' kinds: players then remember the place.
        values["media_type"] = "2" if kind.name == "m4b" else "1"
    if tags.language:
        if kind.muxer == "mp4":
            stream.metadata["language"] = iso639_2(tags.language)
        else:
            own = clean_text(tags.language)
            values["language"] = iso639_2(own) if kind.muxer == "mp3" else own
    if kind.name == "flac" and len(marks) > 1:
        # FFmpeg's muxer writes none; this is the Vorbis comment convention it reads.
        for number, mark in enumerate(marks):
            seconds, ms = divmod(mark["start"], 1000)
            clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{ms:03}"
            values[f"CHAPTER{number:03}"] = clock
            values[f"CHAPTER{number:03}NAME"] = mark["metadata"]["title"]
    file.metadata.update(values)
    if kind.muxer == "mp4" or (kind.muxer == "mp3" and len(marks) > 1):
        file.set_chapters(marks)


def iso639_2(tag: str) -> str:
    """Return the three-letter code MP4 wants for a BCP 47 tag; ``"und"`` if it is not known."""
    base = tag.split("-")[0].lower()
    known = {
        "en": "eng", "de": "ger", "fr": "fre", "es": "spa", "it": "ita", "pt": "por", "nl": "dut",
        "ka": "geo", "ja": "jpn", "zh": "chi", "ko": "kor", "ru": "rus", "uk": "ukr", "pl": "pol",
        "cs": "cze", "sv": "swe", "da": "dan", "no": "nor", "nb": "nob", "nn": "nno", "fi": "fin",
        "tr": "tur", "ar": "ara", "he": "heb", "hi": "hin", "el": "gre", "hu": "hun", "ro": "rum",
        "la": "lat", "ca": "cat", "vi": "vie", "id": "ind", "th": "tha", "fa": "per",
    }  # fmt: skip
    return known.get(base, base if re.fullmatch(r"[a-z]{3}", base) else "und")


def _attach(file: Any, data: bytes, kind: str) -> None:
    """Add the cover as attached picture; its packet must come before any sound."""
    import av
    from av.stream import Disposition

    width, height = picture_size(data) or (1, 1)
    codec = "png" if kind == "image/png" else "mjpeg"
    picture = file.add_mux_stream(codec, width=width, height=height)
    picture.time_base = Fraction(1, 90000)
    picture.disposition = Disposition.attached_pic
    packet = av.Packet(data)
    packet.stream = picture
    packet.pts = packet.dts = 0
    packet.time_base = Fraction(1, 90000)
    packet.is_keyframe = True
    file.mux(packet)


def _frames(
    blocks: Iterator[FloatArray], kind: Container, rate_in: int, rate: int, digest: PcmDigest
) -> Iterator[tuple[Any, int]]:
    """Yield (frame for the encoder or None, samples of the source it took)."""
    import av

    at = 0

    def frame(samples: Any, layout_format: str) -> Any:
        nonlocal at
        digest.update(samples)
        made = av.AudioFrame.from_ndarray(samples[None, :], format=layout_format, layout="mono")
        made.sample_rate = rate
        made.time_base = Fraction(1, rate)
        made.pts = at
        at += len(samples)
        return made

    dither = Dither()
    resampler = None
    if rate != rate_in:
        resampler = av.AudioResampler(format="fltp", layout="mono", rate=rate, options=RESAMPLER)
    source_at = 0
    for block in checked_blocks(blocks):
        if resampler is None:
            if kind.sample_format == "s16":
                yield frame(dither(block), "s16"), len(block)
            else:
                yield frame(block, "fltp"), len(block)
            continue
        piece = av.AudioFrame.from_ndarray(block[None, :], format="fltp", layout="mono")
        piece.sample_rate = rate_in
        piece.time_base = Fraction(1, rate_in)
        piece.pts = source_at
        source_at += len(block)
        yield None, len(block)
        for made in resampler.resample(piece):
            yield frame(np.ascontiguousarray(made.to_ndarray()[0]), "fltp"), 0
    if resampler is not None:
        for made in resampler.resample(None):
            yield frame(np.ascontiguousarray(made.to_ndarray()[0]), "fltp"), 0
