"""Training the watermark: resumable to the bit, honest about what is damaged or missing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from consent.errors import InputError, ModelError, VivavoceError  # noqa: E402
from provenance.watermark.training import (  # noqa: E402
    augment,
    checkpoint,
    codecs,
    handmade,
    losses,
    network,
    signals,
    validate,
)
from provenance.watermark.training import export as exporting  # noqa: E402
from provenance.watermark.training.config import CURRICULUM, Config, Phase  # noqa: E402
from provenance.watermark.training.dataset import MANIFEST, STRIP, Dataset, build  # noqa: E402
from provenance.watermark.training.speech import RATE, Recording, renderings, sentences  # noqa: E402
from provenance.watermark.training.trainer import LOG, STATE, Trainer  # noqa: E402

EVERYTHING = augment.Chances(
    clean=0.1, filtered=0.5, tilted=0.5, reverb=0.5, noise=0.5, music=0.5, rounded=0.5,
    squeezed=0.5, gain=0.5, polarity=0.5, gaps=0.5, codec=0.3, speed=0.5,
)  # fmt: skip


def speechlike(seed: int, seconds: float = 1.0) -> np.ndarray:
    return signals.modulated(np.random.default_rng(seed), int(seconds * RATE))


def recording(seed: int, speaker: str, language: str = "en") -> Recording:
    samples = np.round(speechlike(seed) * 32767).astype(np.int16)
    return Recording(f"made/{seed}", f"{seed:064x}", speaker, language, samples)


@pytest.fixture(scope="module")
def data_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    clips = [recording(n, f"made/speaker-{n % 5}") for n in range(14)]
    clips += [recording(n, "made/other", "fr") for n in range(14, 17)]
    clips += [recording(n, "asterisk/June", "en") for n in range(17, 20)]
    build(folder, clips, signals_s=8)
    return folder


def config(**changes: object) -> Config:
    phase = {"name": "only", "steps": 100, "marked": 2, "unmarked": 1, "seconds": 0.6,
             "margin_from": -6.0,
             "chances": EVERYTHING, "silence": 0.5, "constant": 0.0}  # fmt: skip
    return Config([Phase(**phase)], log_every=1, validate_every=10_000, **changes)  # type: ignore[arg-type]


def trainer(data_folder: Path, folder: Path, **changes: object) -> Trainer:
    folder.mkdir(exist_ok=True)
    made = Trainer(config(**changes), Dataset(data_folder), folder)
    made.start_by_hand()
    return made


def quiet(_: str) -> None:
    pass


@pytest.mark.slow
def test_a_run_that_is_cut_and_resumed_takes_the_steps_it_would_have_taken(
    data_folder: Path, tmp_path: Path
) -> None:
    whole = trainer(data_folder, tmp_path / "whole")
    before = [p.clone() for p in whole._parameters()]
    whole.run(steps=3, tell=quiet)
    cut = trainer(data_folder, tmp_path / "cut")
    cut.run(steps=1, tell=quiet)
    resumed = Trainer(config(), Dataset(data_folder), tmp_path / "cut")
    resumed.resume()
    resumed.run(steps=2, tell=quiet)
    assert any(not torch.equal(a, b) for a, b in zip(before, whole._parameters(), strict=True))
    for mine, other in (
        (whole._parameters(), resumed._parameters()),
        (whole.average, resumed.average),
    ):
        assert all(torch.equal(a, b) for a, b in zip(mine, other, strict=True))

    def logged(name: str) -> list[dict[str, object]]:
        rows = [json.loads(line) for line in (tmp_path / name / LOG).read_text().splitlines()]
        steps = [row for row in rows if "accuracy" in row]
        return [{k: v for k, v in row.items() if k != "s_per_step"} for row in steps]

    assert logged("whole") == logged("cut")
    assert [row["step"] for row in logged("whole")] == [1, 2, 3]


def test_a_run_stops_when_asked_and_leaves_a_checkpoint(data_folder: Path, tmp_path: Path) -> None:
    made = trainer(data_folder, tmp_path)
    asked = iter([False, True])
    made.run(tell=quiet, stop=lambda: next(asked))
    assert made.step == 1
    assert json.loads(checkpoint.load(tmp_path / STATE)["place"])["step"] == 1


@pytest.mark.parametrize("harm", ["flip", "cut", "other"])
def test_a_damaged_checkpoint_is_refused_by_name(
    data_folder: Path, tmp_path: Path, harm: str
) -> None:
    trainer(data_folder, tmp_path).save()
    path = tmp_path / STATE
    data = bytearray(path.read_bytes())
    if harm == "flip":
        data[len(data) // 2] ^= 1
    elif harm == "cut":
        del data[len(data) // 2 :]
    else:
        data[:4] = b"PK\3\4"
    path.write_bytes(data)
    resumed = Trainer(config(), Dataset(data_folder), tmp_path)
    with pytest.raises(ModelError, match=STATE):
        resumed.resume()


def test_a_checkpoint_of_another_card_is_refused(data_folder: Path, tmp_path: Path) -> None:
    trainer(data_folder, tmp_path).save()
    other = Trainer(config(n_filters=4, dimension=16), Dataset(data_folder), tmp_path)
    with pytest.raises(ModelError, match="does not fit"):
        other.resume()
    with pytest.raises(InputError, match="n_filters 8"):
        other.start_by_hand()


@pytest.mark.parametrize("gone", ["folder", STRIP, MANIFEST])
def test_a_missing_data_set_is_named_with_how_to_make_it(
    data_folder: Path, tmp_path: Path, gone: str
) -> None:
    folder = tmp_path / "data"
    if gone != "folder":
        folder.mkdir()
        for name in {STRIP, MANIFEST} - {gone}:
            (folder / name).write_bytes((data_folder / name).read_bytes())
    with pytest.raises(InputError, match="holds no data set") as raised:
        Dataset(folder)
    assert "training data --folder" in str(raised.value.hint)


def test_audio_that_does_not_fit_its_manifest_is_refused(data_folder: Path, tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_bytes((data_folder / MANIFEST).read_bytes())
    np.save(tmp_path / STRIP, np.load(data_folder / STRIP)[:1000])
    with pytest.raises(InputError, match="does not fit"):
        Dataset(tmp_path)


def test_whole_speakers_and_languages_are_held_out(data_folder: Path) -> None:
    data = Dataset(data_folder)
    assert data.speakers("validation") == ["asterisk/June", "made/other"]
    assert data.speakers("train") == [f"made/speaker-{n}" for n in range(5)]


def test_data_without_a_held_out_speaker_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no speech for validation"):
        build(tmp_path, [recording(1, "made/one")], signals_s=4)


def test_renderings_are_read_back_with_speaker_and_language(tmp_path: Path) -> None:
    folder = tmp_path / "synthetic" / "coqui" / "joe"
    folder.mkdir(parents=True)
    np.save(folder / "00001.npy", np.ones(100, np.int16))
    (folder / "00001.json").write_text('{"voice": "coqui:joe", "language": "en-US", "text": ""}')
    (found,) = renderings(tmp_path)
    assert (found.speaker, found.language, found.held_out) == ("coqui/joe", "en", True)


def test_sentences_are_whole_and_plain() -> None:
    text = "Too short. This one is long enough to be spoken by a voice.\n<b>No</b> tags in a line."
    assert sentences(text) == ["This one is long enough to be spoken by a voice."]


def test_the_shipped_curriculum_can_be_read_and_given_back() -> None:
    found = Config.load(CURRICULUM)
    assert len(found.phases) >= 3
    assert Config.from_json(json.loads(json.dumps(found.to_json()))) == found


@pytest.mark.parametrize(
    "text", ["steps = ", "seed = 1", "[[phases]]\nsteps = 1", "[[phases]]\nname='a'\nsteps=1\nx=1"]
)
def test_a_curriculum_that_cannot_be_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "c.toml"
    path.write_text(text)
    with pytest.raises(VivavoceError, match=r"c\.toml"):
        Config.load(path)


def test_one_word_throughout_is_audioseals_own_mark() -> None:
    torch.manual_seed(3)
    generator, _ = network.build(network.card(n_filters=4, dimension=16))
    x = torch.randn(2, 1, 3300) * 0.1
    word = torch.randint(0, 2, (2, 16))
    with torch.no_grad():
        mine = network.watermark(generator, x, word[:, None].expand(2, 11, 16))
        theirs = generator.get_watermark(x, message=word)
    torch.testing.assert_close(mine, theirs)


def test_bits_made_by_hand_are_read_at_every_alignment_before_any_training() -> None:
    torch.manual_seed(1)
    generator, detector = network.build(network.card())
    handmade.lay_out(generator, detector)
    x = torch.stack([torch.from_numpy(speechlike(n)) for n in range(12)])[:, None] * 0.5
    words = torch.from_numpy(np.random.default_rng(2).integers(0, 2, (12, 1, 16))).float()
    with torch.no_grad():
        mark = network.watermark(generator, x, words.expand(12, 50, 16))
        for shift in (0, 37, 160, 301):
            _, bits = network.logits(detector, (x + 3 * mark)[..., shift:])
            right = ((bits.mean(-1) > 0) == (words[:, 0] > 0.5)).float().mean()
            assert right > 0.6  # 192 bits: chance exceeds this once in 400


def test_the_limit_holds_in_every_cell_and_silence_stays_silent() -> None:
    noise = signals.coloured_noise(np.random.default_rng(5), 2 * RATE, 1.0)
    x = torch.from_numpy(noise)[None, None].clone()
    x[..., 8000:16000] = 0
    limited, excess = network.limit(x, torch.randn_like(x), 6.0)
    assert (excess > 0).any()
    _, left = network.limit(x, limited, 6.0)
    steady = left[..., 140:-10]  # away from where the sound begins and ends at once
    assert steady.median() < 0.02
    assert steady.flatten().quantile(0.99) < 0.4  # 3.5 dB: cells overlap, nepers
    assert limited[..., 9000:15000].abs().max() < 1e-5
    faint = limited * 0.1
    torch.testing.assert_close(network.limit(x, faint, 0.0)[0], faint, atol=1e-3, rtol=1e-2)


def test_what_cannot_be_differentiated_passes_gradients_straight_through() -> None:
    y = torch.linspace(-0.5, 0.5, 100, requires_grad=True)
    coarse = augment.straight_through(y, augment.mu_law(y))
    coarse.sum().backward()
    assert not torch.equal(coarse, y)
    assert torch.equal(y.grad, torch.ones(100))


def test_augmentation_is_repeatable_and_leaves_finite_sound() -> None:
    def once() -> torch.Tensor:
        rng = np.random.default_rng(4)
        clips = torch.stack([torch.from_numpy(speechlike(n, 0.6)) for n in range(8)])[:, None]
        added = np.stack([speechlike(n + 50, 0.6) for n in range(8)])
        augmenter = augment.Augmenter(rng, lambda *_: added, lambda *_: added)
        y, _ = augmenter.speed(clips, EVERYTHING)
        return augmenter(clips[..., : y.shape[-1]], EVERYTHING)

    first = once()
    assert torch.isfinite(first).all()
    assert torch.equal(first, once())


@pytest.mark.parametrize(("name", "kbit"), [("mp3", 64), ("aac", 64), ("opus", 32)])
def test_codecs_give_back_sound_of_the_same_length_in_place(name: str, kbit: int) -> None:
    x = speechlike(8)
    y = codecs.transcode(x, name, kbit)
    assert y.shape == x.shape
    lags = [np.corrcoef(x[400 + n : 15000 + n], y[400:15000])[0, 1] for n in range(-40, 41)]
    assert abs(int(np.argmax(lags)) - 40) <= 1
    assert max(lags) > 0.9


def test_means_are_taken_word_by_word() -> None:
    logit = torch.arange(6.0)[None, :, None].expand(1, 6, 16)
    word = torch.tensor([[0, 0, 1, 1, 1, 1]])
    weight = torch.tensor([[1.0, 1, 1, 1, 0, 0]])
    means, size = losses.word_means(logit, word, weight)
    assert means[0, :, 0].tolist() == [0.5, 2.5]
    assert size[0].tolist() == [2, 2]


def test_an_unknown_condition_is_not_measured_as_clean() -> None:
    with pytest.raises(ValueError, match="vinyl"):
        validate.disturbed(torch.zeros(1, 1, 800), "vinyl", np.random.default_rng(0))


def test_what_is_exported_opens_with_audioseal_unchanged(tmp_path: Path) -> None:
    from audioseal.loader import AudioSeal

    torch.manual_seed(6)
    card = network.card(n_filters=4, dimension=16)
    generator, detector = network.build(card)
    exporting.write(generator, card, tmp_path / "g.pth", 1.5)
    exporting.write(detector, card, tmp_path / "d.pth")
    x, word = torch.randn(1, 1, 4800) * 0.1, torch.ones(1, 16, dtype=torch.int64)
    with torch.no_grad():
        opened = AudioSeal.load_generator(str(tmp_path / "g.pth"))
        torch.testing.assert_close(
            opened.get_watermark(x, message=word),
            generator.get_watermark(x, message=word),
            rtol=0.02,
            atol=1e-4,
        )
        read, bits = AudioSeal.load_detector(str(tmp_path / "d.pth"))(x)
        torch.testing.assert_close(read, detector(x)[0], rtol=0.02, atol=1e-3)
    assert bits.shape == (1, 16)


@pytest.mark.slow
def test_an_export_is_measured_as_written_and_says_what_it_was_trained_on(
    data_folder: Path, tmp_path: Path
) -> None:
    made = trainer(data_folder, tmp_path / "run")
    made.run(steps=2, tell=quiet)
    figures = exporting.export(
        tmp_path / "run",
        Dataset(data_folder),
        tmp_path / "out",
        margin_db=0,
        count=4,
        notes="Bad.",
        conditions=("clean", "mp3 64k"),
    )
    card = (tmp_path / "out" / exporting.CARD).read_text()
    summary = json.loads((tmp_path / "out" / exporting.TRAINING_LOG).read_text())
    assert f"{figures['1 s']['clean']['bits']:.3f}" in card
    assert "5 voices (en)" in card
    assert card.rstrip().endswith("Bad.")
    assert summary["place"]["step"] == 2
    assert summary["weights"].keys() == {exporting.GENERATOR, exporting.DETECTOR}
