"""Encoding and reading back: sound, chapters, cover, tags."""

from __future__ import annotations

import hashlib
import http.server
import io
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from provenance_studio import RATE, png

from consent.errors import InputError
from provenance.audio import (
    CONTAINERS,
    DISCLOSURE,
    ChapterSpan,
    Encoding,
    FloatArray,
    Tags,
    container,
    decode,
    encode,
    probe,
)
from provenance.audio.containers import WAV_LIMIT
from provenance.audio.encode import check_size

TAGS = Tags(
    "Ünïcode",
    artist="Author",
    composer="Narrator",
    genre="Audiobook",
    date="1906",
    language="de-DE",
    comment="first",
    track=(2, 9),
    cover=png(),
)
SPANS = [ChapterSpan("Eins", RATE), ChapterSpan("Zwei – drei", RATE // 2), ChapterSpan("", 777)]
TOTAL = sum(span.samples for span in SPANS)


def sine(frequency: float, samples: int = TOTAL, rate: int = RATE) -> FloatArray:
    return (0.5 * np.sin(2 * np.pi * frequency * np.arange(samples) / rate)).astype(np.float32)


def written(
    name: str,
    sound: FloatArray,
    *,
    block: int = 4001,
    rate: int = RATE,
    spans: list[ChapterSpan] | None = None,
    tags: Tags = TAGS,
    bitrate: int | None = None,
) -> tuple[io.BytesIO, Encoding]:
    out = io.BytesIO()
    blocks: Iterator[FloatArray] = (sound[i : i + block] for i in range(0, len(sound), block))
    encoding = encode(
        blocks,
        out,
        kind=container(name),
        sample_rate=rate,
        chapters=spans or SPANS,
        tags=tags,
        disclosure=DISCLOSURE,
        bitrate=bitrate,
    )
    return out, encoding


def heard(file: io.BytesIO) -> tuple[FloatArray, int]:
    blocks, rate = decode(file)
    return np.concatenate(list(blocks)), rate


@pytest.mark.parametrize("name", CONTAINERS)
def test_sound_comes_back_as_long_and_in_place(name: str) -> None:
    out, _ = written(name, sine(441))
    sound, rate = heard(out)
    assert len(sound) == round(TOTAL * rate / RATE)
    assert rate == (44100 if name == "mp3" else RATE)
    # The phase of the sine tells a shift of far less than a sample.
    t = np.arange(len(sound)) / rate
    middle = slice(rate // 5, -rate // 5)
    basis = np.stack([np.sin(2 * np.pi * 441 * t), np.cos(2 * np.pi * 441 * t)], 1)
    (a, b), *_ = np.linalg.lstsq(basis[middle], sound[middle], rcond=None)
    assert abs(np.arctan2(b, a)) / (2 * np.pi * 441) < 1e-4
    assert np.hypot(a, b) == pytest.approx(0.5, rel=0.04)
    residue = sound[middle] - basis[middle] @ (a, b)
    assert np.std(residue) < 0.5 * 10 ** (-30 / 20)


@pytest.mark.parametrize("name", ["m4b", "m4a", "mp3", "flac"])
def test_chapter_marks_stand_where_the_chapters_begin(name: str) -> None:
    out, encoding = written(name, sine(300))
    marks = probe(out).chapters
    assert [m.title for m in marks] == ["Eins", "Zwei – drei", "Chapter 3"]
    assert [m.start_s for m in marks] == pytest.approx([0.0, 1.0, 1.5], abs=0.002)
    assert encoding.warnings == ()


def test_one_chapter_needs_no_mark_in_an_mp3() -> None:
    out, _ = written("mp3", sine(300), spans=[ChapterSpan("All", TOTAL)])
    assert probe(out).chapters == ()


@pytest.mark.parametrize("name", ["m4b", "mp3", "flac"])
def test_titles_from_strangers_lose_their_control_characters_and_nothing_else(name: str) -> None:
    hostile = "One\x00 \x1b[31mand \x9b2J a\u00e9"
    spans = [ChapterSpan(hostile, TOTAL - 9), ChapterSpan("\x1b", 9)]
    tags = Tags(title=hostile, language="\x1b[1")
    info = probe(written(name, sine(300), spans=spans, tags=tags)[0])
    assert info.tags["title"] == "One [31mand 2J a\u00e9"
    assert [mark.title for mark in info.chapters] == ["One [31mand 2J a\u00e9", "Chapter 2"]
    assert not any("\x1b" in value for value in info.tags.values())


@pytest.mark.parametrize("name", ["m4b", "m4a", "mp3", "flac"])
def test_cover_and_tags_survive(name: str) -> None:
    out, _ = written(name, sine(300))
    info = probe(out)
    assert info.cover == TAGS.cover
    expected = {
        "title": "Ünïcode",
        "artist": "Author",
        "album": "Ünïcode",
        "composer": "Narrator",
        "genre": "Audiobook",
        "date": "1906",
        "track": "2/9",
    }
    assert {k: info.tags.get(k) for k in expected} == expected
    assert info.tags["comment"].splitlines() == ["first", DISCLOSURE]


def test_a_wav_file_says_what_it_cannot_hold() -> None:
    out, encoding = written("wav", sine(300))
    assert probe(out).tags["title"] == "Ünïcode"
    assert "chapter marks" in encoding.warnings[0]
    assert "cover" in encoding.warnings[1]


def test_an_m4b_is_branded_as_one_and_can_start_before_it_is_all_there() -> None:
    out, _ = written("m4b", sine(300))
    data = out.getvalue()
    assert data[4:12] == b"ftypM4B "
    assert data.index(b"moov") < data.index(b"mdat")


def test_mp3_has_the_bit_rate_that_stores_ask_for() -> None:
    out, encoding = written("mp3", sine(300, 10 * RATE), spans=[ChapterSpan("x", 10 * RATE)])
    assert encoding.bitrate == 192_000
    info = probe(out)
    assert (info.codec, info.sample_rate, info.channels) == ("mp3float", 44100, 1)
    # Constant: every frame header says 192 kbit/s, 44.1 kHz.
    data = out.getvalue()
    at = data.index(b"\xff\xfb")
    frames = 0
    while at + 4 <= len(data) and data[at] == 0xFF:
        assert (data[at + 2] >> 4, data[at + 2] >> 2 & 3) == (11, 0)
        at += 144 * 192_000 // 44100 + (data[at + 2] >> 1 & 1)
        frames += 1
    assert frames > 380


@pytest.mark.parametrize("name", ["wav", "flac"])
def test_anyone_can_recompute_the_digest_of_a_lossless_file(name: str) -> None:
    out, encoding = written(name, sine(440))
    sound, _ = heard(out)
    samples = np.rint(sound * 32768).astype("<i2")
    assert encoding.pcm_format == "s16le"
    assert hashlib.sha256(samples.tobytes()).hexdigest() == encoding.pcm_sha256


def test_dither_makes_noise_of_what_rounding_would_make_distortion() -> None:
    quiet = (sine(1000, 4 * RATE) * 3e-5).astype(np.float32)  # half a 16-bit step
    out, _ = written("wav", quiet, spans=[ChapterSpan("x", len(quiet))])
    sound, _ = heard(out)
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    tone = spectrum[4 * 1000]
    harmonics = [spectrum[4 * 1000 * k] for k in (3, 5, 7)]
    floor = np.median(spectrum)
    assert tone > 10 * floor  # plain rounding would leave silence
    assert max(harmonics) < 5 * floor


def test_the_same_sound_gives_the_same_samples() -> None:
    first = written("flac", sine(440))[1].pcm_sha256
    assert written("flac", sine(440), block=123)[1].pcm_sha256 != ""
    assert written("flac", sine(440))[1].pcm_sha256 == first


def test_resampling_adds_no_images() -> None:
    sound = sine(10_500, 2 * RATE)
    out, _ = written("mp3", sound, spans=[ChapterSpan("x", len(sound))], bitrate=320_000)
    decoded, rate = heard(out)
    middle = decoded[rate // 4 : -rate // 4]
    power = np.abs(np.fft.rfft(middle * np.hanning(len(middle)))) ** 2
    frequency = np.fft.rfftfreq(len(middle), 1 / rate)
    image = power[frequency > 12_500].sum() / power.sum()
    assert 10 * np.log10(image) < -60  # MP3's own noise; a poor filter leaves -20


@pytest.mark.parametrize(("name", "bitrate"), [("mp3", 100_000), ("m4b", 8_000), ("m4b", 400_000)])
def test_impossible_bit_rates_are_refused_by_name(name: str, bitrate: int) -> None:
    with pytest.raises(InputError, match=str(bitrate)):
        written(name, sine(300), bitrate=bitrate)


def test_four_gigabytes_of_wav_are_refused_before_anything_is_written() -> None:
    with pytest.raises(InputError, match="RF64"):
        check_size(CONTAINERS["wav"], WAV_LIMIT // 2 + 1)
    check_size(CONTAINERS["flac"], WAV_LIMIT // 2 + 1)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_sample_that_is_no_number_is_refused(bad: float) -> None:
    sound = sine(300)
    sound[17] = bad
    with pytest.raises(InputError, match="NaN"):
        written("wav", sound)


@pytest.mark.parametrize("change", [-1, 1])
def test_more_or_less_sound_than_announced_is_refused(change: int) -> None:
    with pytest.raises(InputError, match="announced"):
        written("m4b", sine(300, TOTAL + change))


def test_a_cover_that_is_no_picture_is_refused() -> None:
    with pytest.raises(InputError, match="cover"):
        written("m4b", sine(300), tags=Tags("x", cover=b"<svg/>", cover_type="image/svg+xml"))


def test_louder_than_full_scale_is_clipped_not_wrapped() -> None:
    out, _ = written("wav", (sine(100) * 4).astype(np.float32))
    sound, _ = heard(out)
    assert np.abs(np.diff(sound)).max() < 0.2


@pytest.mark.parametrize(
    "data", [b"", b"hello, I am a text file\n" * 50, b"\x00" * 5000, b"RIFF\x10\0\0\0WAVE"]
)
def test_what_is_no_audio_is_called_so(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "odd.mp3"
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"odd\.mp3"):
        probe(path)


def test_a_playlist_opens_neither_the_network_nor_other_files(tmp_path: Path) -> None:
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, format: str, *args: object) -> None: ...

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    out, _ = written("wav", sine(300))
    (tmp_path / "secret.wav").write_bytes(out.getvalue())
    try:
        for number, target in enumerate(
            (f"http://127.0.0.1:{server.server_port}/a.wav", "secret.wav", tmp_path / "secret.wav")
        ):
            path = tmp_path / f"list{number}.m4b"
            path.write_text(
                f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{target}\n#EXT-X-ENDLIST\n"
            )
            with pytest.raises(InputError):
                probe(path)
            concat = tmp_path / f"concat{number}.wav"
            concat.write_text(f"ffconcat version 1.0\nfile '{target}'\n")
            with pytest.raises(InputError):
                probe(concat)
    finally:
        server.shutdown()
    assert asked == []


def test_damage_in_the_middle_ends_in_an_error_or_in_sound_never_in_a_crash() -> None:
    random = np.random.default_rng(5)
    for name in CONTAINERS:
        data = bytearray(written(name, sine(300))[0].getvalue())
        for at in random.integers(0, len(data), 60):
            data[at] ^= 0xFF
        try:
            blocks, _ = decode(io.BytesIO(bytes(data)))
            assert all(np.isfinite(block).all() for block in blocks)
        except InputError as exc:
            assert any(w in exc.message for w in ("damaged", "not an audio", "no sound"))
