"""The five containers that can be written and signed, and what each is good for."""

from __future__ import annotations

from dataclasses import dataclass

from consent.errors import InputError

# What AAC-LC has a code for and a voice needs. Speech models speak at 22.05 or 24 kHz: encoding
# at their own rate keeps every bit for sound that is there.
AAC_RATES = frozenset({16000, 22050, 24000, 32000, 44100, 48000})
# MPEG-1 layer III, the only bit rates a decoder at 44.1 kHz must know (ISO/IEC 11172-3).
MP3_BITRATES = tuple(
    k * 1000 for k in (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
)
STORE_RATE = 44100
# RIFF sizes are 32 bit, and RF64 cannot carry a C2PA manifest; the margin is for tags, cover
# and manifest.
WAV_LIMIT = 2**32 - 2**26


@dataclass(frozen=True, slots=True)
class Container:
    """A kind of file.

    Attributes
    ----------
    name
        Also the usual suffix without the dot.
    muxer
        FFmpeg's name of the format.
    codec
        FFmpeg's name of the encoder.
    sample_format
        What the encoder is given: ``"fltp"`` (float) or ``"s16"``.
    mime
        The media type under which the file is signed and read.
    """

    name: str
    muxer: str
    codec: str
    sample_format: str
    mime: str
    lossless: bool
    chapters: bool
    cover: bool

    def output_rate(self, rate: int) -> int:
        """Return the sample rate of the file for sound at `rate` Hz."""
        if self.name == "mp3":
            return STORE_RATE
        if self.codec == "aac":
            return rate if rate in AAC_RATES else STORE_RATE
        return rate

    def default_bitrate(self, rate: int) -> int | None:
        """Return the bit rate in bits/s for sound at `rate` Hz; None for lossless containers."""
        if self.lossless:
            return None
        if self.name == "mp3":
            return 192_000
        return 64_000 if rate <= 24000 else 96_000


CONTAINERS: dict[str, Container] = {
    "m4b": Container("m4b", "mp4", "aac", "fltp", "audio/mp4", False, True, True),
    "m4a": Container("m4a", "mp4", "aac", "fltp", "audio/mp4", False, True, True),
    "mp3": Container("mp3", "mp3", "libmp3lame", "fltp", "audio/mpeg", False, True, True),
    "wav": Container("wav", "wav", "pcm_s16le", "s16", "audio/wav", True, False, False),
    "flac": Container("flac", "flac", "flac", "s16", "audio/flac", True, True, True),
}


def container(name: str) -> Container:
    """Return the container called `name`.

    Raises
    ------
    InputError
        There is no such container.
    """
    try:
        return CONTAINERS[name.lower().lstrip(".")]
    except KeyError:
        raise InputError(
            f"container {name!r} cannot be written",
            hint=f"Choose one of {', '.join(CONTAINERS)}.",
        ) from None


def checked_bitrate(kind: Container, rate: int, bitrate: int | None) -> int | None:
    """Return the bit rate to encode with, in bits/s, or refuse the one asked for.

    Raises
    ------
    InputError
        The codec has no such bit rate.
    """
    if kind.lossless:
        return None
    if bitrate is None:
        return kind.default_bitrate(rate)
    if kind.name == "mp3":
        if bitrate not in MP3_BITRATES:
            allowed = ", ".join(str(b // 1000) for b in MP3_BITRATES)
            raise InputError(
                f"bit rate {bitrate} bits/s is not one that MP3 has",
                hint=f"Choose one of {allowed} kbit/s (192 is what stores ask for).",
            )
        return bitrate
    highest = min(320_000, 6 * rate)  # AAC: at most 6144 bits per frame of 1024 samples
    if not 24_000 <= bitrate <= highest:
        raise InputError(
            f"bit rate {bitrate} bits/s is out of range for mono AAC at {rate} Hz",
            hint=f"Choose 24000 to {highest}.",
        )
    return bitrate
