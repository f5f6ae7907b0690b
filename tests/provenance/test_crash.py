"""kill -9 in the middle of sealing: nothing playable is left unsealed, and records agree."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from consent.errors import InputError
from consent.home import Home
from consent.registry import Registry
from provenance.audio import probe
from provenance.seal import recover
from provenance.verify import verify

# Seals one file after the other. With a step named, it dies there by its own hand; every step of
# the door is a place to die, and so are the two moments around the record "sealed".
CHILD = """
import dataclasses, os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from provenance_studio import Studio, chapter
import provenance.scratch, provenance.seal
from provenance.seal import seal
home, out, step = Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]
if sys.argv[5] == "named":
    del os.O_TMPFILE
studio = Studio(home)
def die(*args, **kwargs): os.kill(os.getpid(), signal.SIGKILL)
def progress(now, done):
    if now == step: die()
if step == "before-sealed": studio.registry.mark_sealed = die
if step == "after-sealed": provenance.seal.publish = die
print("ready", flush=True)
kinds = ("m4b", "wav", "mp3", "flac")
for number in range(1000):
    kind = kinds[number % 4]
    request = studio.request(out / f"{number}.{kind}", chapters=(chapter("One", 2.0, number),))
    if number and not step: print(number, flush=True)
    seal(request, registry=studio.registry, home=studio.home, progress=progress if step else None)
"""


def start(home: Path, out: Path, step: str = "", files: str = "nameless") -> subprocess.Popen[str]:
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(Path(__file__).parent), str(home), str(out), step, files],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    return child


def playable(*folders: Path) -> list[Path]:
    """Every file in `folders` that is sound, whatever it is called."""
    found = []
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file() and path.stat().st_size:
                try:
                    probe(path)
                except InputError:
                    continue
                found.append(path)
    return found


def check_aftermath(home_path: Path, out: Path) -> None:
    """Nothing unsealed can be heard; after recovery, files and records agree."""
    home = Home.open(home_path)
    for path in playable(home_path, out):
        assert path.parent == out
        assert verify(path, home=home).status == "trusted", path
    with Registry.open(home) as registry:
        recover(registry, home)
        assert registry.pending_receipts() == []
        assert registry.check().problems == ()
        assert all(not path.name.startswith(".") for path in out.iterdir())
        assert list((home.root / "sealing").iterdir()) == []
        sealed = set()
        for path in out.iterdir():
            report = verify(path, home=home)
            assert report.status == "trusted"
            layer = report.finding("registry")
            assert layer is not None
            assert layer.status == "confirmed", layer
            sealed.add(report.details["consent"]["output"])
        # What is on record as sealed is there: no file was lost between record and rename.
        import json

        said = {
            json.loads(entry)["output_id"]
            for entry in registry.log.entries()
            if json.loads(entry)["kind"] == "sealed"
        }
        assert said == sealed


@pytest.mark.parametrize("files", ["nameless", pytest.param("named", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("step", "published"),
    [
        ("encode", 0),
        ("check", 0),
        ("sign", 0),
        ("publish", 0),
        ("before-sealed", 0),
        ("after-sealed", 1),
    ],
)
def test_killed_at_each_step(tmp_path: Path, step: str, files: str, published: int) -> None:
    out = tmp_path / "out"
    out.mkdir()
    child = start(tmp_path / "home", out, step, files)
    assert child.wait(60) == -signal.SIGKILL
    check_aftermath(tmp_path / "home", out)
    # Killed between "sealed" and the rename, recovery completes the publication.
    assert len(list(out.iterdir())) == published


@pytest.mark.slow
def test_killed_at_ten_random_moments(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    chance = random.Random(20261121)
    for _ in range(10):
        child = start(tmp_path / "home", out)
        time.sleep(chance.uniform(0.02, 0.6))
        os.kill(child.pid, signal.SIGKILL)
        child.wait(60)
        check_aftermath(tmp_path / "home", out)
        for path in out.iterdir():
            path.unlink()
        _forget_sealed(tmp_path / "home")


def _forget_sealed(home: Path) -> None:
    """Begin a new home: the next round counts its own records."""
    import shutil

    shutil.rmtree(home)


def test_recovery_leaves_the_work_of_the_living_alone(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    child = start(tmp_path / "home", out)
    try:
        home = Home.open(tmp_path / "home")
        with Registry.open(home) as registry:
            deadline = time.monotonic() + 1.5
            while time.monotonic() < deadline:
                assert recover(registry, home) == []
                assert child.poll() is None
    finally:
        child.kill()
        child.wait()
    check_aftermath(tmp_path / "home", out)
    assert len(list(out.iterdir())) >= 1


def test_a_damaged_note_is_told_and_removed(tmp_path: Path) -> None:
    home = Home.open(tmp_path / "home")
    with Registry.open(home) as registry:
        assert recover(registry, home) == []
        (home.root / "sealing" / "abc.json").write_text("{")
        (told,) = recover(registry, home)
        assert "damaged" in told
        assert recover(registry, home) == []


def test_a_note_cannot_be_made_to_remove_another_file(tmp_path: Path) -> None:
    home = Home.open(tmp_path / "home")
    precious = tmp_path / "precious.m4b"
    precious.write_text("x")
    with Registry.open(home) as registry:
        recover(registry, home)
        import json

        (home.root / "sealing" / "abc.json").write_text(
            json.dumps({"output": "abc", "hidden": str(precious), "destination": str(precious),
                        "overwrite": True, "sha256": ""})
        )  # fmt: skip
        recover(registry, home)
    assert precious.read_text() == "x"
