"""Loading weights: ours, Meta's form, a folder; and the id in real sound where weights ship."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from consent.errors import ModelError  # noqa: E402
from consent.home import Home  # noqa: E402
from provenance.watermark import active, loader  # noqa: E402
from provenance.watermark.files import read_file, reader  # noqa: E402
from provenance.watermark.presence import Calibration  # noqa: E402
from provenance.watermark.training import export, network  # noqa: E402

ONE = "0123456789ab"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with random weights, written as training writes it."""
    torch.manual_seed(3)
    path = tmp_path_factory.mktemp("model")
    seanet = network.card(n_filters=4, dimension=16, lstm=1)
    for model, name in zip(network.build(seanet), (loader.GENERATOR, loader.DETECTOR), strict=True):
        export.write(model, seanet, path / name)
    return path


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.open(tmp_path / "home")


def settle(home: Home, model: str) -> Home:
    home.config_file.write_text(f"[watermark]\nmodel = {json.dumps(model)}\n")
    return Home.open(home.root)


def test_a_folder_of_weights_is_a_model(folder: Path, home: Home) -> None:
    model = active(settle(home, str(folder)))
    assert model is not None
    assert model.name.startswith("local:")
    sound = (0.1 * np.random.default_rng(1).standard_normal(48_000)).astype(np.float32)
    made = np.concatenate(list(model.embed([sound], 24_000, ONE)))
    assert made.shape == sound.shape
    assert not np.array_equal(made, sound)
    assert model.read([made], 24_000).output_id is None  # random weights hear nothing


def test_its_mark_is_audioseals_own_for_a_word_that_does_not_change(folder: Path) -> None:
    from audioseal import AudioSeal

    ours = loader.load(str(folder)).networks
    theirs = AudioSeal.load_generator(str(folder / loader.GENERATOR)).eval()
    sound = (0.1 * np.random.default_rng(2).standard_normal(16_000)).astype(np.float32)
    word = np.random.default_rng(3).integers(0, 2, 16).astype(np.float32)
    made = ours.mark(sound, np.tile(word, (50, 1)), 1.0)
    with torch.no_grad():
        expected = theirs.get_watermark(
            torch.from_numpy(sound)[None, None], message=torch.from_numpy(word)[None].int()
        )
    assert np.allclose(made, expected[0, 0].numpy(), atol=1e-6)


def test_the_card_says_name_margin_and_habits(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "model"
    shutil.copytree(folder, path)
    habits = Calibration.from_scores(
        [np.random.default_rng(n).normal(-2, 1, 4000).astype(np.float32) for n in range(3)],
        [np.full(100, 2, np.float32)],
        [50, 100],
    )
    card = {"name": "mine", "margin_db": 6.0, "presence": habits.to_json(),
            "detector_sha256": loader.sha256(path / loader.DETECTOR)}  # fmt: skip
    (path / loader.CARD).write_text(json.dumps(card))
    model = loader.load(str(path))
    assert (model.name, model.networks.margin_db) == ("mine", 6.0)
    assert model.calibration == habits
    card["detector_sha256"] = "0" * 64
    (path / loader.CARD).write_text(json.dumps(card))
    with pytest.raises(ModelError, match="another detector"):
        loader.load(str(path))


def test_p_values_fall_with_the_score_and_never_below_what_was_measured() -> None:
    rng = np.random.default_rng(4)
    habits = Calibration.from_scores(
        [rng.normal(-2, 1, 20_000).astype(np.float32)], [rng.normal(2, 1, 500).astype(np.float32)],
        [25, 50],
    )  # fmt: skip
    values = [habits.p_value(mean, 60) for mean in np.linspace(-3, 6, 40)]
    assert values == sorted(values, reverse=True)
    assert values[0] == 1.0
    assert values[-1] == 1e-6
    assert habits.p_value(6.0, 10) == 1.0  # shorter than anybody measured
    share = np.mean([habits.p_value(float(rng.normal(-2, 1, 50).mean()), 50) < 0.01
                     for _ in range(4000)])  # fmt: skip
    assert share < 0.03


def meta_form(folder: Path, target: Path) -> None:
    """Write weights as Meta publishes them: weight norm, a config of omegaconf, other names."""
    from omegaconf import OmegaConf

    for name, file in loader._META_FILES.items():
        found = torch.load(folder / name, weights_only=True)
        weights: dict[str, Any] = {}
        for key, value in found["model"].items():
            value = value.float()
            if key.endswith(("conv.weight", "convtr.weight")):
                stem = key.removesuffix("weight")
                weights[stem + "weight_g"] = value.flatten(1).norm(dim=1)[:, None, None]
                weights[stem + "weight_v"] = value
            else:
                weights[key] = value
        config = OmegaConf.create({**found["xp.cfg"], "seed": 7, "optim": {"lr": [1e-4]}})
        torch.save({"xp.cfg": config, "model": weights}, target / file)


def test_metas_checkpoints_load_from_where_they_lie(folder: Path, home: Home) -> None:
    place = home.models / "facebook--audioseal"
    place.mkdir()
    meta_form(folder, place)
    meta, same = loader.load(loader.META, home), loader.load(str(folder))
    assert meta.name == "facebook/audioseal"
    sound = (0.1 * np.random.default_rng(5).standard_normal(16_000)).astype(np.float32)
    words = np.random.default_rng(6).integers(0, 2, (50, 16)).astype(np.float32)
    assert np.allclose(meta.networks.mark(sound, words, 1.0), same.networks.mark(sound, words, 1.0),
                       atol=1e-4)  # fmt: skip
    for one, two in zip(meta.networks.hear(sound), same.networks.hear(sound), strict=True):
        assert np.allclose(one, two, atol=1e-3)


def test_metas_checkpoints_that_are_not_here_are_not_fetched(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUDIOSEAL_CACHE_DIR", str(tmp_path / "cache"))
    with pytest.raises(ModelError, match=r"generator_base\.pth is not on this machine") as caught:
        loader.load(loader.META, home)
    assert "huggingface.co/facebook/audioseal" in (caught.value.hint or "")
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("damage", ["empty", "cut", "text", "other pickle", "swapped", "missing"])
def test_damaged_weights_are_refused_by_name(folder: Path, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "model"
    shutil.copytree(folder, path)
    detector = path / loader.DETECTOR
    whole = detector.read_bytes()
    if damage == "missing":
        detector.unlink()
    elif damage == "other pickle":
        torch.save([1, 2, 3], detector)
    elif damage == "swapped":
        shutil.copy(path / loader.GENERATOR, detector)
    else:
        detector.write_bytes({"empty": b"", "cut": whole[:9000], "text": b"hello" * 99}[damage])
    with pytest.raises(ModelError, match="detector"):
        loader.load(str(path))


def test_a_checkpoint_cannot_run_code(folder: Path, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "sprung",))

    path = tmp_path / "model"
    shutil.copytree(folder, path)
    torch.save({"xp.cfg": Trap(), "model": {}}, path / loader.GENERATOR)
    with pytest.raises(ModelError, match="generator"):
        loader.load(str(path))
    assert not (tmp_path / "sprung").exists()


def test_an_unknown_model_is_refused_and_none_is_a_choice_that_is_logged(
    home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ModelError, match="'perth'"):
        active(settle(home, "perth"))
    with caplog.at_level(logging.WARNING):
        assert active(settle(home, "none")) is None
    assert "carries no watermark" in caplog.text


def test_the_weights_that_ship_mark_only_where_they_are_named(home: Home) -> None:
    assert active(home) is None


def test_without_any_model_there_is_nothing_to_read_with(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loader, "shipped", lambda: False)
    with pytest.raises(ModelError, match="no watermark model to read with"):
        reader(home)


# With the weights that ship -----------------------------------------------------------------------

needs_weights = pytest.mark.skipif(
    not loader.shipped(), reason="no trained weights in provenance/watermark/weights"
)


def speech(seconds: float) -> np.ndarray:
    from provenance.watermark.training import signals

    return 0.5 * signals.modulated(np.random.default_rng(8), int(seconds * 16_000))


@pytest.mark.slow
@needs_weights
def test_the_shipped_model_reads_back_its_id(tmp_path: Path, home: Home) -> None:
    import soundfile

    model = active(settle(home, loader.SHIPPED))
    assert model is not None
    sound = speech(12.0)
    made = np.concatenate(list(model.embed([sound], 16_000, ONE)))
    error = made - sound  # in noise of the rhythm of speech; in speech it is 10 dB fainter
    assert 10 * np.log10(np.sum(sound**2) / np.sum(error**2)) > 8
    soundfile.write(tmp_path / "marked.wav", made, 16_000)
    reading = read_file(tmp_path / "marked.wav", model)
    assert reading.output_id == ONE
    assert reading.p_value < 1e-9
    assert not model.read([sound], 16_000).present
