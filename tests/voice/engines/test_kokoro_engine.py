"""Kokoro with its real weights."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from kokoro_reference import SOURCE, float_graph

from consent.errors import InputError, ModelError
from consent.home import Home
from voice.engines.kokoro import KokoroEngine, machine, voices, weights

pytestmark = pytest.mark.slow

RATE = 24_000
SENTENCE = "The old clock in the hall struck seven as she opened the letter."
PHONEMES = "ði ˈOld klˈɑk ɪn ðə hˈɔl stɹˈʌk sˈɛvən."


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home.open(tmp_path_factory.mktemp("kokoro"))


@pytest.fixture(scope="module")
def engine(home: Home):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIVAVOCE_HOME", str(home.root))
        yield KokoroEngine()


@pytest.fixture(scope="module")
def synthesizer(engine):
    return engine.load()


def say(synthesizer, text: str, **options):
    return synthesizer.synthesize(text, **{"voice": "af_heart", "language": "en-US", **options})


def test_the_network_is_the_reference_network(home: Home, tmp_path: Path, monkeypatch):
    """Same weights, same source spectrum: the waveform of onnxruntime in float32."""
    import onnxruntime
    import torch

    from voice.engines.kokoro import model, tokens
    from voice.engines.kokoro.layers import Layers
    from voice.models import resolve

    graph = tmp_path / "float.onnx"
    float_graph(resolve(weights.card(), home), graph)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    ids = tokens.encode(PHONEMES)
    style = voices.style("af_heart")[len(PHONEMES) - 1]
    inputs = {"tokens": np.array([ids]), "style": style[None], "speed": np.ones(1, np.float32)}
    expected, source = session.run(["audio", SOURCE], inputs)

    monkeypatch.setattr(model, "BUCKET", 1)
    network = model.Kokoro(weights.load(home), Layers(torch.float32))
    computed = network._fourier.analyse
    seen = []

    def reference_source(samples):
        seen.append(computed(samples))
        return torch.from_numpy(source[0].T.copy())

    network._fourier.analyse = reference_source
    spoken = network.speak(ids, torch.from_numpy(style)).samples.numpy()
    expected = expected.ravel()
    assert spoken.shape == expected.shape  # so all durations agree
    # Magnitudes of our own source; phases differ where a magnitude is next to nothing.
    assert np.abs(seen[0].numpy()[:, :11] - source[0].T[:, :11]).max() < 0.02
    # The export never divides by the sum of its windows: it is 1.5 times as loud.
    edge = slice(50, -50)
    assert np.corrcoef(spoken[edge], expected[edge])[0, 1] > 0.99999
    assert np.abs(1.5 * spoken[edge] - expected[edge]).max() < 0.005


def test_kernels_do_what_pytorch_does(home: Home):
    import torch

    from voice.engines.kokoro import native
    from voice.engines.kokoro.layers import Layers, Norm

    if machine.compiler() is None:
        pytest.skip("no compiler here")
    torch.manual_seed(0)
    path = native.library(home)
    for threads, channels in ((1, 128), (2, 22), (3, 1090)):
        plain, fast = Layers(), native.NativeLayers(path, torch.float32, threads=threads)
        x, add = 3 * torch.randn(301, channels) + 1, torch.randn(301, channels)
        gain, shift = torch.randn(2, channels)
        for alpha in (None, 0.1 + 5 * torch.rand(channels)):
            norm = Norm(gain, shift, alpha)
            for second in (None, add, add.bfloat16()):
                expected, residual = plain.norm_act(x, norm, add=second)
                found, kept = fast.norm_act(x, norm, add=second)
                torch.testing.assert_close(found, expected, rtol=1e-4, atol=2e-4)
                torch.testing.assert_close(kept, residual)
                halved, _ = fast.norm_act(x.bfloat16(), norm, add=second, out=torch.bfloat16)
                assert (halved.float() - expected).abs().max() < 0.35
        branches = [(torch.randn(301, channels), torch.randn(301, channels)) for _ in range(3)]
        torch.testing.assert_close(
            fast.average(branches, 0.1, torch.float32),
            plain.average(branches, 0.1, torch.float32),
            rtol=1e-5,
            atol=1e-6,
        )


def test_short_and_long_utterances_come_out_whole(synthesizer):
    for text in ("Sir?", "No.", "I."):
        spoken = say(synthesizer, text)
        assert 0.2 < len(spoken) / RATE < 1.6, text
    long = "; and ".join(["he walked on by the grey sea, thinking of nothing at all"] * 16)
    assert len(long) > 900
    spoken = say(synthesizer, long + ".")
    assert 40 < len(spoken) / RATE < 90
    assert np.abs(spoken).max() < 1.0


def test_edges_are_silent_and_short(synthesizer):
    spoken = say(synthesizer, SENTENCE)
    assert spoken.dtype == np.float32
    assert abs(spoken[0]) < 1e-3 and abs(spoken[-1]) < 1e-3
    loud = np.flatnonzero(np.abs(spoken) > 0.02 * np.abs(spoken).max())
    assert loud[0] < 0.15 * RATE and len(spoken) - loud[-1] < 0.3 * RATE


def test_the_same_text_gives_the_same_samples(synthesizer, engine):
    first, second = say(synthesizer, "Come in, sir."), say(synthesizer, "Come in, sir.")
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first, say(engine.load(), "Come in, sir."))


def test_another_attempt_is_another_rendering(synthesizer):
    assert not np.array_equal(
        say(synthesizer, "Sir?"), spoken := say(synthesizer, "Sir?", variation=1)
    )
    assert 0.2 < len(spoken) / RATE < 1.6


def test_speed_changes_the_length(synthesizer):
    slow, fast = (len(say(synthesizer, SENTENCE, speed=s)) for s in (0.8, 1.25))
    assert 1.3 < slow / fast < 1.8


def test_nothing_to_say_is_silence_and_the_unspeakable_is_refused(synthesizer):
    for text in ("", "  \n", "...", "—"):
        assert len(say(synthesizer, text)) == 0
    for text in ("这是一本书", "Привет"):
        with pytest.raises(InputError):
            say(synthesizer, text)
    with pytest.raises(InputError, match="speak English"):
        say(synthesizer, "Bonjour", language="fr-FR")
    with pytest.raises(InputError, match="speed is 3"):
        say(synthesizer, "Hello", speed=3)


def test_the_fingerprint_tells_voices_and_versions_apart(engine, monkeypatch):
    first = engine.fingerprint("af_heart")
    assert first == engine.fingerprint("af_heart") != engine.fingerprint("bm_george")
    monkeypatch.setattr("voice.engines.kokoro.SOUND_VERSION", 999)
    assert engine.fingerprint("af_heart") != first


def test_a_machine_without_compiler_works_and_says_so(home: Home, tmp_path, monkeypatch, caplog):
    from voice.engines.kokoro import model, synthesizer, tuning

    monkeypatch.setattr(machine, "compiler", lambda: None)
    fresh = Home.open(tmp_path)
    choice = tuning.choose(fresh)
    assert not choice.kernels
    assert "Install a C++ compiler" in choice.note and "Install a C++ compiler" in caplog.text
    layers = tuning.make_layers(choice, fresh)
    plain = synthesizer.KokoroSynthesizer(model.Kokoro(weights.load(home), layers))
    spoken = plain.speak_phonemes(PHONEMES, voices.style("bm_george"))
    assert 1 < len(spoken) / RATE < 6


def test_damaged_weights_are_made_anew_and_wrong_ones_refused(home: Home, tmp_path, monkeypatch):
    path = weights.prepared(home)
    noted = json.loads((path.parent / "dequantised.json").read_bytes())["sha256"]
    with path.open("r+b") as stream:
        stream.seek(200_000_000)
        stream.write(b"not a weight")
    from voice.models.integrity import digest_file

    assert digest_file(path) != noted
    assert digest_file(weights.prepared(home)) == noted

    wrong = dataclasses.replace(weights.card(), sha256="0" * 64)
    monkeypatch.setattr(weights, "card", lambda: wrong)
    with pytest.raises(ModelError, match="not what they should be"):
        weights.prepared(Home.open(tmp_path))
