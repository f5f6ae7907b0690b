"""Reading files back: every verdict, its basis, and hostile input."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from provenance_studio import Studio

from consent.errors import InputError, VerificationError
from consent.home import Home
from provenance.manifest import build, certificates, read, signer, trust
from provenance.report import EXIT_CODES, plain
from provenance.seal import SealedOutput
from provenance.verify import verify

KINDS = ("m4b", "m4a", "mp3", "wav", "flac")
MIMES = {"m4b": "audio/mp4", "m4a": "audio/mp4", "mp3": "audio/mpeg", "wav": "audio/wav",
         "flac": "audio/flac"}  # fmt: skip
Copy = Callable[[str], Path]


def test_exit_codes_are_the_documented_ones() -> None:
    assert EXIT_CODES == {
        "trusted": 0, "untrusted": 10, "altered": 11, "absent": 12, "invalid": 13,
    }  # fmt: skip


def test_ones_own_file_is_trusted_layer_by_layer(
    sealed: dict[str, SealedOutput], publisher: Studio
) -> None:
    report = verify(sealed["m4b"].path, home=publisher.home)
    assert (report.status, report.exit_code) == ("trusted", 0)
    layers = {f.layer: f.status for f in report.findings}
    assert layers == {
        "manifest": "confirmed",
        "time": "absent",
        "receipt": "confirmed",
        "registry": "confirmed",
        "watermark": "not run",
    }
    text = " ".join(report.sentences)
    assert "stock voice, licence Apache-2.0" in text
    assert "synthetic" in text
    assert "No outside witness" in text
    for word in ("consented", "human", "real voice"):
        assert word not in text
    data = json.loads(json.dumps(report.to_json()))
    assert data["details"]["consent"]["output"] == sealed["m4b"].output_id
    assert data["details"]["audio"]["chapters"] == 2


@pytest.mark.parametrize("kind", KINDS)
def test_elsewhere_it_is_untrusted_until_the_bundle_is_added(
    kind: str,
    sealed: dict[str, SealedOutput],
    publisher: Studio,
    stranger: Home,
    tmp_path: Path,
) -> None:
    report = verify(sealed[kind].path, home=stranger)
    assert (report.status, report.exit_code) == ("untrusted", 10)
    receipt = report.finding("receipt")
    assert receipt is not None
    assert receipt.status == "inconclusive"
    trust.trust_export(publisher.home, tmp_path / "b.toml")
    trust.trust_add(stranger, tmp_path / "b.toml", name="the-publisher")
    report = verify(sealed[kind].path, home=stranger)
    assert (report.status, report.exit_code) == ("trusted", 0)
    assert report.details["trusted_by"] == "the-publisher"
    receipt = report.finding("receipt")
    assert receipt is not None
    assert receipt.status == "confirmed"
    assert report.finding("registry") is None
    trust.trust_remove(stranger, "the-publisher")
    assert verify(sealed[kind].path, home=stranger).status == "untrusted"


def test_without_the_logs_key_the_receipt_stays_open(
    sealed: dict[str, SealedOutput], publisher: Studio, stranger: Home, tmp_path: Path
) -> None:
    root = tmp_path / "root.pem"
    root.write_text(certificates.pem(certificates.signing_identity(publisher.home).root))
    trust.trust_add(stranger, root, name="anchor-only")
    report = verify(sealed["wav"].path, home=stranger)
    assert report.status == "trusted"
    receipt = report.finding("receipt")
    assert receipt is not None
    assert receipt.status == "inconclusive"
    assert "no log key" in receipt.sentence


def test_verifying_makes_no_keys_and_no_registry(
    sealed: dict[str, SealedOutput], stranger: Home
) -> None:
    before = sorted(stranger.root.rglob("*"))
    verify(sealed["m4b"].path, home=stranger)
    assert sorted(stranger.root.rglob("*")) == before


@pytest.mark.parametrize("kind", KINDS)
def test_one_bit_of_sound_changed_is_altered(kind: str, copy_of: Copy, publisher: Studio) -> None:
    path = copy_of(kind)
    data = bytearray(path.read_bytes())
    at = {"wav": 3000, "m4b": len(data) - 3000, "m4a": len(data) - 3000}.get(kind, len(data) - 900)
    data[at] ^= 1
    path.write_bytes(data)
    report = verify(path, home=publisher.home)
    assert (report.status, report.exit_code) == ("altered", 11)
    assert any(code.endswith("Hash.mismatch") for code in report.details["codes"])


@pytest.mark.parametrize("kind", ["mp3", "m4b", "flac"])
def test_another_title_is_altered(
    kind: str, sealed: dict[str, SealedOutput], copy_of: Copy, publisher: Studio
) -> None:
    path = copy_of(kind)
    data = path.read_bytes()
    # The manifest names the title too; the tag is the one outside it.
    manifest = _manifest_store(sealed[kind].path, kind)
    start = data.index(manifest)
    tag = data.find(b"Wodehouse", 0, start)
    if tag < 0:
        tag = data.index(b"Wodehouse", start + len(manifest))
    path.write_bytes(data[:tag] + b"Shakespea" + data[tag + 9 :])
    assert verify(path, home=publisher.home).status == "altered"


def _manifest_store(path: Path, kind: str) -> bytes:
    """The JUMBF superbox as it is in the file."""
    data = path.read_bytes()
    at = data.index(b"jumb") - 4
    return data[at : at + int.from_bytes(data[at : at + 4], "big")]


def test_tags_changed_in_a_wav_leave_the_sound_recognisable(
    copy_of: Copy, publisher: Studio
) -> None:
    path = copy_of("wav")
    data = path.read_bytes()
    path.write_bytes(data.replace(b"1921", b"1922", 1))
    report = verify(path, home=publisher.home)
    assert report.status == "altered"
    sound = report.finding("sound")
    assert sound is not None
    assert sound.status == "confirmed"
    spoiled = bytearray(path.read_bytes())
    spoiled[3000] ^= 4
    path.write_bytes(spoiled)
    sound = verify(path, home=publisher.home).finding("sound")
    assert sound is not None
    assert sound.status == "contradicted"


@pytest.mark.parametrize("kind", KINDS)
def test_remuxed_or_converted_carries_no_manifest_and_is_not_called_human(
    kind: str, sealed: dict[str, SealedOutput], publisher: Studio, tmp_path: Path
) -> None:
    suffix = {"m4b": "mp4", "m4a": "mp4"}.get(kind, kind)
    remuxed = tmp_path / f"remux.{suffix}"
    with av.open(str(sealed[kind].path)) as source, av.open(str(remuxed), "w") as sink:
        stream = sink.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(source.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = stream
                sink.mux(packet)
    report = verify(remuxed, home=publisher.home)
    assert (report.status, report.exit_code) == ("absent", 12)
    text = " ".join(report.sentences)
    assert "says nothing about who or what made the sound" in text
    assert "human" not in text


def test_a_manifest_moved_to_another_file_is_altered(
    sealed: dict[str, SealedOutput],
    publisher: Studio,
    plain_files: dict[str, bytes],
    tmp_path: Path,
) -> None:
    whole = sealed["wav"].path.read_bytes()
    chunk = whole[whole.index(b"C2PA") :]
    other = bytearray(plain_files["wav"] + chunk)
    other[4:8] = struct.pack("<I", len(other) - 8)
    path = tmp_path / "moved.wav"
    path.write_bytes(other)
    report = verify(path, home=publisher.home)
    assert report.status == "altered"
    assert "taken from another file" in report.headline


def test_signed_again_by_another_is_untrusted_and_copied_receipts_prove_nothing(
    sealed: dict[str, SealedOutput],
    publisher: Studio,
    stranger: Home,
    plain_files: dict[str, bytes],
    tmp_path: Path,
) -> None:
    with sealed["wav"].path.open("rb") as stream:
        consent = read.read_manifest(stream, "audio/wav").assertions[build.CONSENT]
    fake = tmp_path / "fake.wav"
    _sign_with(stranger, plain_files["wav"], fake, consent)
    # Nobody knows the forger: untrusted.
    report = verify(fake, home=publisher.home)
    assert report.status == "untrusted"
    assert [f.status for f in report.findings if f.layer == "receipt"] == ["inconclusive"]
    # Even somebody trusted cannot borrow another's receipt.
    trust.trust_export(stranger, tmp_path / "s.toml")
    trust.trust_add(publisher.home, tmp_path / "s.toml", name="borrower")
    try:
        report = verify(fake, home=publisher.home)
    finally:
        trust.trust_remove(publisher.home, "borrower")
    assert (report.status, report.exit_code) == ("invalid", 13)
    receipt = report.finding("receipt")
    assert receipt is not None
    assert receipt.status == "contradicted"
    assert "log of own" in receipt.sentence


def _sign_with(home: Home, sound: bytes, path: Path, consent: Any, title: str = "t") -> None:
    definition = {
        "claim_generator_info": [{"name": "test", "version": "1"}],
        "title": title,
        "assertions": [
            {
                "label": "c2pa.actions.v2",
                "created": True,
                "data": {
                    "actions": [{"action": "c2pa.created", "digitalSourceType": build.SYNTHETIC}]
                },
            },
            {"label": build.CONSENT, "created": True, "data": consent},
        ],
    }
    with path.open("w+b") as out:
        signer.sign(
            io.BytesIO(sound), out, mime="audio/wav", definition=definition,
            identity=certificates.signing_identity(home),
        )  # fmt: skip


def _own_consent(sealed: dict[str, SealedOutput], publisher: Studio) -> dict[str, Any]:
    with sealed["wav"].path.open("rb") as stream:
        reading = read.read_manifest(stream, "audio/wav", trust.trust_list(publisher.home))
    return dict(reading.assertions[build.CONSENT])


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"output": "ffffffffffff"}, "output_id"),
        ({"watermark": "audioseal"}, "watermark"),
        ({"voices": [{"voice": "kokoro:bf_emma", "basis": "stock", "licence": "MIT"}]}, "voices"),
        ({"pcm": {"sha256": "0" * 64, "format": "s16le"}}, "source_pcm_sha256"),
        ({"authorization": {"sha256": "0" * 64}}, "authorization"),
        ({"models": "none"}, "models"),
    ],
)
def test_a_receipt_of_another_file_under_the_right_signature_is_a_contradiction(
    change: dict[str, Any],
    named: str,
    sealed: dict[str, SealedOutput],
    publisher: Studio,
    plain_files: dict[str, bytes],
    tmp_path: Path,
) -> None:
    consent = {**_own_consent(sealed, publisher), **change}
    _sign_with(publisher.home, plain_files["wav"], tmp_path / "x.wav", consent)
    report = verify(tmp_path / "x.wav", home=publisher.home)
    assert report.status == "invalid"
    assert "contradicts its own receipt" in report.headline
    receipt = report.finding("receipt")
    assert receipt is not None
    assert named in receipt.sentence


@pytest.mark.parametrize(
    "receipt",
    [
        {},
        {"leaf": 7, "proof": "x"},
        {"leaf": "{}", "proof": ""},
        {"leaf": "{" * 10_000, "proof": "c2sp.org/tlog-proof@v1\nindex 0\n\nx"},
        "text",
        None,
    ],
)
def test_a_mangled_receipt_is_a_contradiction_not_a_crash(
    receipt: Any,
    sealed: dict[str, SealedOutput],
    publisher: Studio,
    plain_files: dict[str, bytes],
    tmp_path: Path,
) -> None:
    consent = {**_own_consent(sealed, publisher), "receipt": receipt}
    _sign_with(publisher.home, plain_files["wav"], tmp_path / "x.wav", consent)
    report = verify(tmp_path / "x.wav", home=publisher.home)
    assert report.status == "invalid"


def test_a_file_whose_receipt_was_abandoned_is_not_trusted(studio: Studio, out: Path) -> None:
    output = studio.seal(out / "a.wav")
    assert verify(output.path, home=studio.home).status == "trusted"
    studio.registry.abandon(output.output_id, "withdrawn")
    report = verify(output.path, home=studio.home)
    assert report.status == "invalid"
    registry = report.finding("registry")
    assert registry is not None
    assert "abandoned" in registry.sentence


def test_other_bytes_of_padding_do_not_shake_the_verdict_but_are_told(
    sealed: dict[str, SealedOutput], copy_of: Copy, publisher: Studio
) -> None:
    path = copy_of("wav")
    data = bytearray(path.read_bytes())
    data[-1000] ^= 1  # in the signature's zero padding, which nothing covers
    path.write_bytes(data)
    report = verify(path, home=publisher.home)
    assert report.status == "trusted"
    registry = report.finding("registry")
    assert registry is not None
    assert registry.status == "inconclusive"


# -- hostile and hopeless input -------------------------------------------------------------


def test_what_is_no_audio_file_is_an_error_that_names_it(publisher: Studio, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty.m4b").touch()
    (tmp_path / "text.m4b").write_text("Once upon a time\n" * 100)
    (tmp_path / "zeros.mp3").write_bytes(bytes(4096))
    (tmp_path / "list.m4b").write_text("#EXTM3U\n#EXTINF:9,\nhttp://127.0.0.1:9/a.wav\n")
    (tmp_path / "page.flac").write_text("<html></html>")
    for name, said in (
        (".", "is a folder"),
        ("nothing.wav", "No such file"),
        ("pipe", "not a regular file"),
        ("empty.m4b", "is empty"),
        ("text.m4b", "not an audio file"),
        ("zeros.mp3", "not an audio file"),
        ("list.m4b", "not an audio file"),
        ("page.flac", "not an audio file"),
    ):
        with pytest.raises(InputError, match=said):
            verify(tmp_path / name, home=publisher.home)


def test_a_file_over_the_limit_is_refused_unread(
    sealed: dict[str, SealedOutput], publisher: Studio
) -> None:
    with pytest.raises(InputError, match="GiB"):
        verify(sealed["wav"].path, home=publisher.home, max_bytes=1000)


@pytest.mark.parametrize("kind", KINDS)
def test_cut_short_is_altered_or_invalid_never_trusted(
    kind: str, copy_of: Copy, publisher: Studio
) -> None:
    path = copy_of(kind)
    data = path.read_bytes()
    for share in (0.9, 0.5, 0.02):
        path.write_bytes(data[: int(len(data) * share)])
        assert verify(path, home=publisher.home).status in ("altered", "invalid", "absent")


def test_audio_that_cannot_carry_a_manifest_is_absent(publisher: Studio, tmp_path: Path) -> None:
    source = Path(__file__).parent / "listening" / "data" / "chickens.ogg"
    path = Path(shutil.copy(source, tmp_path / "speech.mp3"))  # the name lies
    report = verify(path, home=publisher.home)
    assert report.status == "absent"
    assert "cannot carry" in report.sentences[1]


@pytest.mark.parametrize("kind", KINDS)
def test_unsigned_audio_is_absent(
    kind: str, plain_files: dict[str, bytes], publisher: Studio, tmp_path: Path
) -> None:
    (tmp_path / "x").write_bytes(plain_files[kind])
    assert verify(tmp_path / "x", home=publisher.home).status == "absent"


@pytest.mark.parametrize("kind", KINDS)
def test_random_damage_never_crashes_and_never_changes_what_is_trusted(
    kind: str, sealed: dict[str, SealedOutput], publisher: Studio, tmp_path: Path
) -> None:
    data = sealed[kind].path.read_bytes()
    whole = verify(sealed[kind].path, home=publisher.home).details
    random = np.random.default_rng(int.from_bytes(kind.encode(), "big"))
    manifest = data.index(b"jumb")
    path = tmp_path / "x"
    seen = set()
    for round_ in range(60):
        spoiled = bytearray(data)
        near = manifest if round_ % 2 else 0
        span = 14_000 if round_ % 2 else len(data)
        for at in random.integers(near, min(len(data), near + span), int(random.integers(1, 4))):
            spoiled[at] = int(random.integers(0, 256))
        path.write_bytes(spoiled)
        try:
            report = verify(path, home=publisher.home)
        except InputError:
            seen.add("error")
            continue
        seen.add(report.status)
        if report.status == "trusted":
            assert report.details["consent"] == whole["consent"]
            assert report.details["title"] == whole["title"]
    assert seen & {"altered", "invalid"}


def test_text_from_a_stranger_cannot_move_the_terminal(
    stranger: Home, publisher: Studio, plain_files: dict[str, bytes], tmp_path: Path
) -> None:
    nasty = "Safe\x1b[2J\u202eevil\u2066\x07" + "x" * 5000
    voices = [{"voice": nasty, "basis": nasty, "licence": nasty}]
    path = tmp_path / "x.wav"
    _sign_with(stranger, plain_files["wav"], path, {"voices": voices, nasty: nasty}, title="t")
    report = verify(path, home=publisher.home)
    text = json.dumps(report.to_json(), ensure_ascii=False) + " ".join(report.sentences)
    assert not set(text) & {"\x1b", "\u202e", "\u2066", "\x07"}
    assert len(text) < 20_000
    assert plain("a\nb\u200bc") == "a bc"


def test_a_damaged_trust_entry_stops_the_verdict(
    sealed: dict[str, SealedOutput], stranger: Home
) -> None:
    (stranger.trust / "x.toml").write_text("rubbish")
    with pytest.raises(VerificationError, match=r"x\.toml"):
        verify(sealed["wav"].path, home=stranger)


def test_a_registry_that_cannot_be_opened_is_told_not_fatal(studio: Studio, out: Path) -> None:
    path = studio.seal(out / "a.wav").path
    studio.close()
    (studio.home.log / "checkpoint").write_text("rubbish")
    report = verify(path, home=studio.home)
    registry = report.finding("registry")
    assert registry is not None
    assert registry.status == "not run"
    assert report.status == "trusted"
    receipt = report.finding("receipt")
    assert receipt is not None
    assert receipt.status == "inconclusive"


def test_the_report_is_plain_data(sealed: dict[str, SealedOutput], publisher: Studio) -> None:
    report = verify(sealed["mp3"].path, home=publisher.home)
    data = report.to_json()
    assert data["status"] == "trusted"
    assert data["findings"][0] == dataclasses.asdict(report.findings[0])
    assert json.loads(json.dumps(data)) == data
