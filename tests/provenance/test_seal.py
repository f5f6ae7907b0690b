"""The door: what passes, what is refused, and that a failure leaves nothing."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import resource
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from provenance_studio import MODEL, RATE, VOICE, Studio, chapter, png, speechlike

from consent.errors import (
    InputError,
    ModelError,
    RefusedError,
    StorageError,
    VerificationError,
    VivavoceError,
)
from consent.home import Home
from provenance import seal as door
from provenance.audio import CONTAINERS, FloatArray, Tags, decode, probe
from provenance.manifest import read, trust
from provenance.rehearsal import encoded_peaks
from provenance.seal import ChapterAudio, SealedOutput, check_destination, seal
from provenance.verify import verify


def nothing_left(studio: Studio, folder: Path, *, kept: tuple[str, ...] = ()) -> None:
    """No file, no note, no open receipt."""
    assert sorted(p.name for p in folder.iterdir()) == sorted(kept)
    sealing = studio.home.root / "sealing"
    assert not sealing.exists() or list(sealing.iterdir()) == []
    assert studio.registry.pending_receipts() == []


@pytest.mark.parametrize("kind", CONTAINERS)
def test_every_container_leaves_signed_trusted_and_on_record(
    kind: str, sealed: dict[str, SealedOutput], publisher: Studio
) -> None:
    output = sealed[kind]
    assert output.container == kind
    assert output.duration_s == pytest.approx(1.5)
    data = output.path.read_bytes()
    assert hashlib.sha256(data).hexdigest() == output.sha256
    receipt = publisher.registry.receipt(output.output_id)
    assert receipt is not None
    assert (receipt.state, receipt.sha256, receipt.size) == ("sealed", output.sha256, len(data))
    assert receipt.published_as == f"book.{kind}"
    report = verify(output.path, home=publisher.home)
    assert report.status == "trusted"
    assert report.details["manifest"] == output.manifest_label


@pytest.mark.parametrize("kind", ["m4b", "m4a", "mp3", "flac"])
def test_signing_keeps_chapters_cover_and_tags(kind: str, sealed: dict[str, SealedOutput]) -> None:
    info = probe(sealed[kind].path)
    assert [m.title for m in info.chapters] == ["A Letter with a Postscript", "Zwölf"]
    assert info.chapters[1].start_s == pytest.approx(0.9, abs=0.002)
    assert info.cover == png()
    assert info.tags["composer"] == "af_heart (AI voice)"
    assert info.tags["track"] == "1/23"
    assert "synthetic speech" in info.tags["comment"]


def test_the_user_is_told_that_there_is_no_watermark(sealed: dict[str, SealedOutput]) -> None:
    assert sealed["m4b"].watermark == "none"
    assert sealed["m4b"].warnings == (door.NO_WATERMARK,)


def test_published_files_can_be_read_by_others_and_nothing_hidden_stays(
    sealed: dict[str, SealedOutput],
) -> None:
    path = sealed["mp3"].path
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert all(not p.name.startswith(".") for p in path.parent.iterdir())


def test_the_receipt_names_the_samples_that_were_encoded(
    sealed: dict[str, SealedOutput], publisher: Studio
) -> None:
    blocks, _ = decode(sealed["flac"].path)
    samples = np.rint(np.concatenate(list(blocks)) * 32768).astype("<i2")
    receipt = publisher.registry.receipt(sealed["flac"].output_id)
    assert receipt is not None
    leaf = json.loads(receipt.leaf_json)
    assert leaf["source_pcm_sha256"] == hashlib.sha256(samples.tobytes()).hexdigest()


def test_a_required_watermark_is_refused_as_long_as_there_is_no_model(
    studio: Studio, out: Path
) -> None:
    with pytest.raises(RefusedError, match="watermark"):
        studio.seal(out / "a.m4b", require_watermark=True)
    (studio.home.config_file).write_text("[seal]\nrequire_watermark = true\n")
    strict = Home.open(studio.home.root)
    with pytest.raises(RefusedError, match="watermark"):
        seal(studio.request(out / "a.m4b"), registry=studio.registry, home=strict)
    (studio.home.config_file).write_text('[watermark]\nmodel = "audioseal"\n')
    with pytest.raises(ModelError, match="audioseal"):
        seal(
            studio.request(out / "a.m4b"),
            registry=studio.registry,
            home=Home.open(studio.home.root),
        )
    nothing_left(studio, out)


def test_an_authorization_that_was_never_given_writes_nothing(studio: Studio, out: Path) -> None:
    for made_up in ("0" * 32, "", "../../etc/passwd", "' or 1=1 --"):
        with pytest.raises(RefusedError, match="no authorization"):
            studio.seal(out / "a.wav", authorization_id=made_up)
    nothing_left(studio, out)


def test_an_authorization_of_another_registry_writes_nothing(
    studio: Studio, out: Path, tmp_path: Path
) -> None:
    other = Studio(tmp_path / "other")
    with pytest.raises(RefusedError, match="no authorization"):
        studio.seal(out / "a.wav", authorization_id=other.authorization.id)
    other.close()
    nothing_left(studio, out)


def test_an_authorization_that_has_ended_or_not_begun_writes_nothing(
    studio: Studio, out: Path
) -> None:
    fresh = studio.registry.authorize(studio.authorization.request)
    with pytest.raises(RefusedError, match="not started"):
        studio.seal(out / "a.wav", authorization_id=fresh.id)
    studio.registry.revoke(studio.authorization.id, "second thoughts")
    with pytest.raises(RefusedError, match="revoked"):
        studio.seal(out / "a.wav")
    nothing_left(studio, out)


def test_voices_models_and_minutes_beyond_the_authorization_write_nothing(
    studio: Studio, out: Path
) -> None:
    voice = dataclasses.replace(VOICE, voice="kokoro:am_adam", minutes=0.01)
    with pytest.raises(RefusedError, match="am_adam"):
        studio.seal(out / "a.wav", voices=(voice,))
    with pytest.raises(RefusedError, match="kokoro-82m"):
        studio.seal(out / "a.wav", models=(dataclasses.replace(MODEL, sha256="cd" * 32),))
    long = ChapterAudio("long", 12 * 60 * RATE, lambda: pytest.fail("was asked for sound"))
    with pytest.raises(RefusedError, match="minutes"):
        studio.seal(out / "a.wav", chapters=(long,))
    nothing_left(studio, out)


def test_revoked_while_encoding_still_writes_nothing(studio: Studio, out: Path) -> None:
    def progress(step: str, done: float) -> None:
        if step == "encode":
            with contextlib.suppress(RefusedError):
                studio.registry.revoke(studio.authorization.id, "now")

    with pytest.raises(RefusedError, match="revoked"):
        seal(
            studio.request(out / "a.wav"),
            registry=studio.registry, home=studio.home, progress=progress,
        )  # fmt: skip
    nothing_left(studio, out)


def test_a_chapter_of_another_length_than_announced_writes_nothing(
    studio: Studio, out: Path
) -> None:
    short = ChapterAudio("Short", RATE, lambda: speechlike(RATE - 5, 1))
    with pytest.raises(InputError, match=r"'Short'.*24000.*23995"):
        studio.seal(out / "a.m4b", chapters=(chapter("One", 0.5), short))
    nothing_left(studio, out)


class Interrupted(BaseException):
    pass


@pytest.mark.parametrize("step", ["encode", "check", "sign", "publish"])
@pytest.mark.parametrize("error", [KeyError("bug"), Interrupted()])
def test_a_failure_at_any_step_leaves_nothing(
    studio: Studio, out: Path, step: str, error: BaseException
) -> None:
    def progress(now: str, done: float) -> None:
        if now == step:
            raise error

    with pytest.raises(type(error)):
        seal(
            studio.request(out / "a.m4b"),
            registry=studio.registry, home=studio.home, progress=progress,
        )  # fmt: skip
    if step == "publish":
        # "publish" is announced before the file is put on record: nothing is out yet.
        assert studio.registry.check().problems == ()
    nothing_left(studio, out)
    assert studio.seal(out / "a.m4b").path.exists()


def test_sound_that_fails_in_the_middle_leaves_nothing(studio: Studio, out: Path) -> None:
    def broken() -> Iterator[FloatArray]:
        yield from speechlike(RATE // 2, 1)
        raise OSError(5, "Input/output error")

    with pytest.raises(VivavoceError, match="Input/output error"):
        studio.seal(out / "a.mp3", chapters=(ChapterAudio("x", RATE, broken),))
    nothing_left(studio, out)


def test_the_registry_failing_after_the_signature_leaves_nothing(
    studio: Studio, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise VerificationError("the log was rolled back")

    monkeypatch.setattr(studio.registry, "mark_sealed", refuse)
    with pytest.raises(VerificationError, match="rolled back"):
        studio.seal(out / "a.wav")
    nothing_left(studio, out)
    (entry,) = [json.loads(e) for e in studio.registry.log.entries() if b"abandoned" in e]
    assert entry["kind"] == "abandoned"


def test_a_signature_that_does_not_verify_is_not_published(
    studio: Studio, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = door.sign

    def then_spoil(source: object, destination: object, **more: object) -> bytes:
        made = real(source, destination, **more)  # type: ignore[arg-type]
        fd = destination.fileno()  # type: ignore[attr-defined]
        byte = os.pread(fd, 1, 2000)
        os.pwrite(fd, bytes([byte[0] ^ 1]), 2000)
        return made

    monkeypatch.setattr(door, "sign", then_spoil)
    with pytest.raises(VerificationError, match="does not verify"):
        studio.seal(out / "a.wav")
    nothing_left(studio, out)


# -- the destination ------------------------------------------------------------------------


def test_an_existing_file_is_replaced_only_on_request(studio: Studio, out: Path) -> None:
    path = out / "a.m4b"
    path.write_text("precious")
    with pytest.raises(InputError, match="exists already"):
        studio.seal(path)
    assert path.read_text() == "precious"
    assert studio.seal(path, overwrite=True).path == path
    assert verify(path, home=studio.home).status == "trusted"
    nothing_left(studio, out, kept=("a.m4b",))


def test_a_file_that_appears_meanwhile_is_not_replaced(studio: Studio, out: Path) -> None:
    path = out / "a.wav"

    def progress(step: str, done: float) -> None:
        if step == "sign":
            path.write_text("precious")

    with pytest.raises(InputError, match="exists already"):
        seal(studio.request(path), registry=studio.registry, home=studio.home, progress=progress)
    assert path.read_text() == "precious"
    nothing_left(studio, out, kept=("a.wav",))


def test_destinations_that_cannot_be_are_refused_before_any_work(
    studio: Studio, out: Path, tmp_path: Path
) -> None:
    def never() -> Iterator[FloatArray]:
        pytest.fail("sound was asked for")

    chapters = (ChapterAudio("x", RATE, never),)
    (tmp_path / "file").write_text("x")
    os.mkfifo(out / "pipe.wav")
    for path, error, said in (
        (out, InputError, "is a folder"),
        (out / "missing" / "a.wav", StorageError, "does not exist"),
        (tmp_path / "file" / "a.wav", StorageError, "not a folder"),
        (out / ("x" * 300 + ".wav"), InputError, "too long"),
        (out / "pipe.wav", InputError, "not a regular file"),
        (out / "caf\udce9.wav", InputError, "not a name in UTF-8"),
    ):
        with pytest.raises(error, match=said):
            studio.seal(path, container="wav", chapters=chapters, overwrite=True)
        with pytest.raises(error, match=said):
            check_destination(path, "wav", overwrite=True)
    with pytest.raises(InputError, match="'ogg' cannot be written"):
        check_destination(out / "a.ogg", "ogg")
    (out / "pipe.wav").unlink()
    nothing_left(studio, out)


def test_too_little_room_is_noticed_before_any_work(out: Path) -> None:
    with pytest.raises(StorageError, match="MiB are needed"):
        check_destination(out / "a.m4b", "m4b", needed=1 << 60)
    assert check_destination(out / "a.m4b", "m4b", needed=1) == out / "a.m4b"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("needs the right to mount a file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("step", ["encode", "sign"])
@pytest.mark.parametrize("kind", ["wav", "m4b"])
def test_a_disk_that_fills_up_at_any_step_leaves_nothing(
    studio: Studio, small_disk: Path, kind: str, step: str
) -> None:
    filler = small_disk / "filler"

    def progress(now: str, done: float) -> None:
        if now == step and not filler.exists():
            with filler.open("wb") as stream:
                try:
                    while True:
                        stream.write(b"\0" * 65536)
                except OSError:
                    pass

    request = studio.request(
        small_disk / f"a.{kind}", chapters=(chapter("One", 20.0, 1),),
        voices=(dataclasses.replace(VOICE, minutes=1 / 3),),
    )  # fmt: skip
    with pytest.raises(StorageError, match="the disk is full"):
        seal(request, registry=studio.registry, home=studio.home, progress=progress)
    nothing_left(studio, small_disk, kept=("filler",))
    free = shutil.disk_usage(small_disk).free
    filler.unlink()
    assert shutil.disk_usage(small_disk).free > free
    assert seal(request, registry=studio.registry, home=studio.home).path.exists()


def test_a_read_only_folder_is_refused_before_any_work(studio: Studio, small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(StorageError, match="read-only"):
        studio.seal(small_disk / "a.wav")
    with pytest.raises(StorageError, match="read-only"):
        check_destination(small_disk / "a.wav", "wav")
    nothing_left(studio, small_disk)


LIMITED = """
import resource, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from provenance_studio import Studio, chapter
from consent.errors import StorageError
studio = Studio(Path(sys.argv[2]))
studio.seal(Path(sys.argv[3]) / "small.wav")
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
try:
    studio.seal(Path(sys.argv[3]) / "big.wav", chapters=(chapter("One", 8.0),))
except StorageError as exc:
    print("refused:", exc.message)
"""


def test_a_limit_on_file_sizes_is_reported_and_leaves_nothing(tmp_path: Path, out: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", LIMITED, str(Path(__file__).parent), str(tmp_path / "h"), str(out)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "refused: cannot write" in result.stdout
    assert [p.name for p in out.iterdir()] == ["small.wav"]


def test_a_file_system_without_nameless_files_works_as_well(
    studio: Studio, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "O_TMPFILE")
    output = studio.seal(out / "a.m4b")
    assert verify(output.path, home=studio.home).status == "trusted"
    nothing_left(studio, out, kept=("a.m4b",))
    with pytest.raises(InputError):
        studio.seal(out / "a.m4b")
    with pytest.raises(VivavoceError):
        studio.seal(out / "b.m4b", voices=())
    nothing_left(studio, out, kept=("a.m4b",))


# -- requests -------------------------------------------------------------------------------


def test_requests_that_cannot_be_meant_are_refused(studio: Studio, out: Path) -> None:
    for changes, said in (
        ({"chapters": ()}, "no chapter"),
        ({"container": "ogg"}, "'ogg'"),
        ({"sample_rate": 4000}, "4000 Hz"),
        ({"bitrate": 5}, "bit rate 5 "),
        ({"tags": Tags("x", cover=b"GIF89a")}, "cover"),
        ({"text_digest": "short"}, "text_digest"),
        ({"chapters": (ChapterAudio("none", 0, lambda: iter(())),)}, "no sound|minutes|positive"),
    ):
        with pytest.raises(InputError, match=said):
            studio.seal(out / "a.m4b", **changes)
    nothing_left(studio, out)


def test_silence_can_be_sealed(studio: Studio, out: Path) -> None:
    silence = ChapterAudio("Silence", RATE, lambda: iter([np.zeros(RATE, dtype=np.float32)]))
    assert studio.seal(out / "s.m4b", chapters=(silence,)).path.exists()


def test_time_stamps_come_from_the_configured_server_and_its_failure_stops_the_door(
    studio: Studio, out: Path
) -> None:
    studio.home.config_file.write_text('[seal]\ntimestamp_url = "http://127.0.0.1:9/"\n')
    with pytest.raises(VivavoceError, match="cannot be reached"):
        seal(
            studio.request(out / "a.wav"),
            registry=studio.registry, home=Home.open(studio.home.root),
        )  # fmt: skip
    nothing_left(studio, out)


def test_the_disclosure_can_be_worded_by_the_publisher(studio: Studio, out: Path) -> None:
    studio.home.config_file.write_text('[seal]\npublisher = "Georgia Press"\n')
    request = studio.request(out / "a.m4a", disclosure="Gesprochen von einer KI-Stimme.")
    output = seal(request, registry=studio.registry, home=Home.open(studio.home.root))
    assert "KI-Stimme" in probe(output.path).tags["comment"]
    with output.path.open("rb") as stream:
        reading = read.read_manifest(stream, "audio/mp4", trust.trust_list(studio.home))
    (action,) = reading.assertions["c2pa.actions.v2"]["actions"]
    assert action["description"] == "Gesprochen von einer KI-Stimme."
    assert reading.assertions["cawg.metadata"]["dc:publisher"] == ["Georgia Press"]


def test_progress_goes_through_the_steps_in_order(studio: Studio, out: Path) -> None:
    steps: list[tuple[str, float]] = []
    seal(
        studio.request(out / "a.mp3"),
        registry=studio.registry, home=studio.home,
        progress=lambda step, done: steps.append((step, done)),
    )  # fmt: skip
    assert list(dict.fromkeys(step for step, _ in steps)) == ["encode", "check", "sign", "publish"]
    assert all(0 <= done <= 1 for _, done in steps)
    assert steps[-1] == ("publish", 1.0)


def test_a_rehearsal_measures_what_the_sealed_file_has_and_leaves_no_file(
    studio: Studio, out: Path
) -> None:
    chapters = (chapter("One", 1.0, 4), chapter("Two", 1.5, 5))
    peaks = encoded_peaks(
        chapters, sample_rate=RATE, kind=CONTAINERS["m4b"], bitrate=None, home=studio.home
    )
    assert list(studio.home.cache.iterdir()) == []
    blocks, _ = decode(studio.seal(out / "a.m4b", chapters=chapters).path)
    heard = np.abs(np.concatenate(list(blocks)))
    assert max(peaks) == pytest.approx(20 * np.log10(heard.max()), abs=1e-3)
    assert peaks[0] == pytest.approx(20 * np.log10(heard[:RATE].max()), abs=1e-3)


def test_memory_does_not_grow_with_the_sound(studio: Studio, out: Path) -> None:
    def peak() -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    studio.seal(out / "a.m4b")
    before = peak()
    studio.seal(out / "b.m4b", chapters=(chapter("Long", 120.0),))
    assert peak() - before < 60_000  # kB; the sound alone is 11 MB as float, the file 1 MB
