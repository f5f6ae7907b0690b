"""Fixtures: studios that can seal, files they sealed, and a stranger."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from provenance_studio import RATE, Studio, speechlike

from consent.home import Home
from provenance.audio.tags import Tags
from provenance.seal import SealedOutput


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    made = Studio(tmp_path / "studio")
    yield made
    made.close()


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


@pytest.fixture(scope="session")
def publisher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A studio whose files and home are only read."""
    made = Studio(tmp_path_factory.mktemp("publisher"))
    yield made
    made.close()


@pytest.fixture(scope="session")
def sealed(publisher: Studio, tmp_path_factory: pytest.TempPathFactory) -> dict[str, SealedOutput]:
    """One sealed file per container."""
    folder = tmp_path_factory.mktemp("sealed")
    return {
        kind: publisher.seal(folder / f"book.{kind}")
        for kind in ("m4b", "m4a", "mp3", "wav", "flac")
    }


@pytest.fixture
def copy_of(sealed: dict[str, SealedOutput], tmp_path: Path) -> Callable[[str], Path]:
    """Give a private copy of a sealed file."""

    def make(kind: str) -> Path:
        return Path(shutil.copy(sealed[kind].path, tmp_path / f"copy.{kind}"))

    return make


@pytest.fixture
def stranger(tmp_path: Path) -> Home:
    """Somebody else's empty home."""
    return Home.open(tmp_path / "stranger")


@pytest.fixture(scope="session")
def plain_files() -> dict[str, bytes]:
    """The same sound encoded and not signed, per container."""
    from provenance.audio import CONTAINERS, ChapterSpan, encode

    made = {}
    for name, kind in CONTAINERS.items():
        out = io.BytesIO()
        encode(
            speechlike(RATE, 3), out, kind=kind, sample_rate=RATE,
            chapters=[ChapterSpan("One", RATE)], tags=Tags("Plain"),
        )  # fmt: skip
        made[name] = out.getvalue()
    return made
