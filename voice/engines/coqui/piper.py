"""Reading a Piper voice: a VITS model as an ONNX graph, and the JSON beside it.

Piper's export folds what its training code keeps apart: weight-normalised convolutions appear
as plain weights under generated names, and the scale of the duration predictor's affine flow as
``exp(-log_scale)``. Names are recovered from the graph: from the node that uses a weight, or
from the bias beside it. The architecture (kernels, dilations, rates, sizes) is read from the
same graph, so every quality of voice is covered.

The result speaks coqui-tts's names; nothing here needs torch.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from consent.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_LARGEST_GRAPH = 1 << 30
_LARGEST_JSON = 8 << 20


@dataclass(frozen=True)
class PiperVoice:
    """A Piper voice in coqui-tts's terms.

    Attributes
    ----------
    tensors
        Weights by coqui-tts's names, weight normalisation folded; float32.
    architecture
        Keyword arguments of ``VitsArgs``.
    sample_rate
        In Hz.
    espeak_voice
        espeak's name of the language (``en-us``).
    language
        BCP 47 tag.
    phoneme_ids
        Phoneme (one code point, or a special sign) to token ids.
    noise_scale, noise_w, length_scale
        Sampling parameters that the voice's makers chose.
    speakers
        Speaker name to row of the speaker embedding; empty for a single speaker.
    """

    tensors: dict[str, NDArray[np.float32]]
    architecture: dict[str, Any]
    sample_rate: int
    espeak_voice: str
    language: str
    phoneme_ids: dict[str, tuple[int, ...]]
    noise_scale: float
    noise_w: float
    length_scale: float
    quality: str = ""
    speakers: dict[str, int] = field(default_factory=dict)


def read_piper_voice(onnx_path: Path, json_path: Path) -> PiperVoice:
    """Read a Piper voice.

    Raises
    ------
    InputError
        A file is missing, is not what it should be, or is not a Piper VITS voice.
    """
    settings = _read_settings(json_path)
    graph = _Graph.read(onnx_path)
    try:
        tensors, architecture = _translate(graph)
    except (KeyError, IndexError, ValueError) as exc:
        raise InputError(
            f"{onnx_path} is not a Piper voice: its graph has no {exc}",
            hint="Give the .onnx file of a Piper voice, as its makers published it.",
        ) from exc
    vocabulary = tensors["text_encoder.emb.weight"].shape[0]
    try:
        return _assemble(settings, tensors, architecture, vocabulary)
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise InputError(
            f"{json_path} is not the settings file of a Piper voice: {exc!r}",
            hint="Give the .onnx.json file that belongs to the voice.",
        ) from exc


def _read_settings(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _LARGEST_JSON:
            raise InputError(f"{path} is too large to be the settings file of a Piper voice")
        data = json.loads(path.read_bytes())
    except OSError as exc:
        raise InputError(f"cannot read {path}: {exc.strerror or exc}") from exc
    except (ValueError, RecursionError) as exc:
        raise InputError(f"{path} is not valid JSON: {exc}") from exc
    if not isinstance(data, dict):
        raise InputError(f"{path} is not the settings file of a Piper voice")
    return data


def _assemble(
    settings: dict[str, Any],
    tensors: dict[str, NDArray[np.float32]],
    architecture: dict[str, Any],
    vocabulary: int,
) -> PiperVoice:
    kind = settings.get("phoneme_type", "espeak")
    if kind not in {"espeak", "text", "PhonemeType.ESPEAK", "PhonemeType.TEXT"}:
        raise ValueError(f"phoneme_type {kind!r} is not supported")
    ids = {
        str(phoneme): tuple(int(i) for i in numbers)
        for phoneme, numbers in settings["phoneme_id_map"].items()
    }
    for sign in ("_", "^", "$"):
        if not ids.get(sign):
            raise ValueError(f"phoneme_id_map lacks {sign!r}")
    beyond = [p for p, numbers in ids.items() if any(not 0 <= i < vocabulary for i in numbers)]
    if beyond:
        raise ValueError(f"phoneme_id_map has ids beyond the model's {vocabulary}: {beyond[:3]}")
    rate = int(settings["audio"]["sample_rate"])
    if not 8_000 <= rate <= 96_000:
        raise ValueError(f"sample_rate is {rate}")
    inference = settings.get("inference", {})
    scales = {
        name: float(inference.get(name, default))
        for name, default in (("noise_scale", 0.667), ("noise_w", 0.8), ("length_scale", 1.0))
    }
    if not all(0.0 <= value <= 10.0 for value in scales.values()) or not scales["length_scale"]:
        raise ValueError(f"inference is {inference}")
    rows = tensors["emb_g.weight"].shape[0] if "emb_g.weight" in tensors else 0
    speakers = {str(k): int(v) for k, v in (settings.get("speaker_id_map") or {}).items()}
    if rows and not speakers:
        speakers = {str(i): i for i in range(rows)}
    if any(not 0 <= row < rows for row in speakers.values()):
        raise ValueError(f"speaker_id_map goes beyond the model's {rows} speakers")
    espeak = settings.get("espeak", {}).get("voice", "")
    if "text" in str(kind).lower():
        espeak = ""
    code = str(settings.get("language", {}).get("code", "") or espeak or "und")
    return PiperVoice(
        tensors=tensors,
        architecture=architecture,
        sample_rate=rate,
        espeak_voice=str(espeak),
        language=_tag(code),
        phoneme_ids=ids,
        quality=str(settings["audio"].get("quality", "")),
        speakers=speakers,
        **scales,
    )


def _tag(code: str) -> str:
    """Write ``en_US`` or ``en-us`` as the BCP 47 tag ``en-US``."""
    language, _, region = code.replace("_", "-").partition("-")
    if re.fullmatch(r"[A-Za-z]{2}", region):
        return f"{language.lower()}-{region.upper()}"
    return language.lower() if re.fullmatch(r"[A-Za-z]{2,3}", language) else "und"


# -- the graph ------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Node:
    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]
    module: str


@dataclass(frozen=True)
class _Graph:
    """Initialisers and nodes, with the module each convolution belongs to."""

    values: dict[str, NDArray[np.float32]]
    nodes: tuple[_Node, ...]

    @classmethod
    def read(cls, path: Path) -> _Graph:
        import onnx
        from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
        from onnx import numpy_helper

        try:
            size = path.stat().st_size
            if size > _LARGEST_GRAPH:
                raise InputError(f"{path} is too large for a Piper voice ({size / 1e6:.0f} MB)")
            # External data could name any file of this machine: it is never followed.
            model = onnx.load(str(path), load_external_data=False)
        except OSError as exc:
            raise InputError(f"cannot read {path}: {exc.strerror or exc}") from exc
        except (DecodeError, ValueError, RuntimeError) as exc:
            raise InputError(f"{path} is not an ONNX file: {exc}") from exc
        values: dict[str, NDArray[np.float32]] = {}
        try:
            for tensor in model.graph.initializer:
                if tensor.data_location == onnx.TensorProto.EXTERNAL:
                    raise InputError(f"{path} keeps its weights in other files; that is refused")
                values[tensor.name] = numpy_helper.to_array(tensor)
            nodes = []
            for node in model.graph.node:
                attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
                if node.op_type == "Constant" and "value" in attributes:
                    if attributes["value"].data_location == onnx.TensorProto.EXTERNAL:
                        raise InputError(f"{path} keeps values in other files; that is refused")
                    values[node.output[0]] = numpy_helper.to_array(attributes["value"])
                    continue
                nodes.append(
                    _Node(
                        node.op_type,
                        tuple(node.input),
                        tuple(node.output),
                        attributes,
                        _module_of(node.op_type, node.name, tuple(node.input)),
                    )
                )
        except InputError:
            raise
        except Exception as exc:  # a damaged tensor can fail in many ways inside onnx and numpy
            raise InputError(f"{path} is damaged: {exc}") from exc
        return cls(values, tuple(nodes))


def _module_of(kind: str, name: str, inputs: tuple[str, ...]) -> str:
    """Return the dotted path of the module that a convolution node came from."""
    if kind not in {"Conv", "ConvTranspose"}:
        return ""
    for value in inputs[1:]:
        if value.endswith((".weight", ".bias")) and not value.startswith("onnx::"):
            return value.rpartition(".")[0]
    return ".".join(part for part in name.split("/")[:-1] if part)


# -- translation ----------------------------------------------------------------------------

_FLOW = re.compile(r"^flow\.flows\.(\d+)\.(.+)$")
_DURATION_FLOW = re.compile(r"^dp\.flows\.(\d+)\.(.+)$")


def _coqui_name(name: str) -> str | None:
    """Translate a name of Piper's training code; None for what is not used when speaking."""
    if match := _FLOW.match(name):
        # Piper puts a flip after each coupling layer into the list; coqui flips in its loop.
        return f"flow.flows.{int(match[1]) // 2}.{match[2]}"
    if match := _DURATION_FLOW.match(name):
        index = int(match[1])  # 0 affine; 1, 3, 5, 7 spline flows with flips between
        return f"duration_predictor.flows.{(index + 1) // 2}.{match[2]}"
    for old, new in (
        ("enc_p.", "text_encoder."),
        ("dec.cond.", "waveform_decoder.cond_layer."),
        ("dec.", "waveform_decoder."),
        ("dp.", "duration_predictor."),
        ("emb_g.", "emb_g."),
    ):
        if name.startswith(old):
            return new + name.removeprefix(old)
    return None


def _translate(graph: _Graph) -> tuple[dict[str, NDArray[np.float32]], dict[str, Any]]:
    import numpy as np

    tensors: dict[str, NDArray[np.float32]] = {}

    def put(name: str, value: NDArray[Any]) -> None:
        translated = _coqui_name(name)
        if translated is not None:
            tensors[translated] = np.array(value, dtype=np.float32, order="C")

    for name, value in graph.values.items():
        if name.startswith(("enc_p.", "dp.", "flow.", "dec.", "emb_g.")):
            put(name, value)
    for node in graph.nodes:
        if node.module:
            put(f"{node.module}.weight", graph.values[node.inputs[1]])
            if len(node.inputs) > 2:
                put(f"{node.module}.bias", graph.values[node.inputs[2]])
    put("enc_p.emb.weight", _looked_up(graph, "input"))
    if any("sid" in node.inputs for node in graph.nodes) and "sid" not in graph.values:
        put("emb_g.weight", _looked_up(graph, "sid"))
    tensors.pop("duration_predictor.flows.0.m", None)
    tensors.pop("duration_predictor.flows.0.logs", None)
    if any(name.startswith("duration_predictor.flows.") for name in tensors):
        translation, log_scale = _affine(graph)
        tensors["duration_predictor.flows.0.translation"] = translation
        tensors["duration_predictor.flows.0.log_scale"] = log_scale
    return tensors, _architecture(graph, tensors)


def _looked_up(graph: _Graph, indices: str) -> NDArray[np.float32]:
    """Return the table that the graph's input `indices` looks up."""
    aliases = {indices}
    for node in graph.nodes:
        if node.kind in {"Cast", "Identity", "Unsqueeze", "Squeeze"} and node.inputs[0] in aliases:
            aliases.update(node.outputs)
        if node.kind == "Gather" and node.inputs[1] in aliases and node.inputs[0] in graph.values:
            return graph.values[node.inputs[0]]
    raise KeyError(f"embedding of its input {indices!r}")


def _affine(graph: _Graph) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Recover translation and log-scale of the duration predictor's affine flow.

    The graph computes ``(x - m) * exp(-logs)``; with constants folded, only ``exp(-logs)`` is
    left of ``logs``.
    """
    import numpy as np

    translation = graph.values["dp.flows.0.m"].astype(np.float32)
    if "dp.flows.0.logs" in graph.values:
        return translation, graph.values["dp.flows.0.logs"].astype(np.float32)
    for difference in graph.nodes:
        if difference.kind != "Sub" or "dp.flows.0.m" not in difference.inputs:
            continue
        for product in graph.nodes:
            if product.kind == "Mul" and difference.outputs[0] in product.inputs:
                (other,) = set(product.inputs) - {difference.outputs[0]}
                scale = graph.values[other].astype(np.float64)
                if scale.shape != translation.shape or not (scale > 0).all():
                    raise ValueError("usable scale in the duration predictor's affine flow")
                return translation, (-np.log(scale)).astype(np.float32)
    raise KeyError("affine flow in its duration predictor")


def _architecture(graph: _Graph, tensors: dict[str, NDArray[np.float32]]) -> dict[str, Any]:
    """Read the arguments of coqui's ``VitsArgs`` from weights and convolution attributes."""
    convolutions = {node.module: node.attributes for node in graph.nodes if node.module}

    def count(pattern: str) -> int:
        found = {int(m[1]) for name in tensors if (m := re.match(pattern, name))}
        if found != set(range(len(found))) or not found:
            raise ValueError(f"unbroken series of layers {pattern}")
        return len(found)

    vocabulary, hidden = tensors["text_encoder.emb.weight"].shape
    key = tensors["text_encoder.encoder.attn_layers.0.emb_rel_k"]
    if key.shape[1] != 9:
        raise ValueError("attention window of 4")
    upsamplings = count(r"waveform_decoder\.ups\.(\d+)\.weight")
    blocks = count(r"waveform_decoder\.resblocks\.(\d+)\.")
    kernels_per_stage = blocks // upsamplings
    kind = "1" if "waveform_decoder.resblocks.0.convs1.0.weight" in tensors else "2"
    inner = "convs1" if kind == "1" else "convs"
    kernels: list[int] = []
    dilations: list[list[int]] = []
    for block in range(kernels_per_stage):
        prefix = f"resblocks.{block}.{inner}"
        layers = count(rf"waveform_decoder\.{re.escape(prefix)}\.(\d+)\.weight")
        kernels.append(int(tensors[f"waveform_decoder.{prefix}.0.weight"].shape[2]))
        dilations.append(
            [int(convolutions[f"dec.{prefix}.{i}"]["dilations"][0]) for i in range(layers)]
        )
    rates = [int(convolutions[f"dec.ups.{i}"]["strides"][0]) for i in range(upsamplings)]
    architecture: dict[str, Any] = {
        "num_chars": int(vocabulary),
        "hidden_channels": int(hidden),
        "hidden_channels_ffn_text_encoder": int(
            tensors["text_encoder.encoder.ffn_layers.0.conv_1.weight"].shape[0]
        ),
        "num_heads_text_encoder": int(hidden // key.shape[2]),
        "num_layers_text_encoder": count(r"text_encoder\.encoder\.attn_layers\.(\d+)\."),
        "kernel_size_text_encoder": int(
            tensors["text_encoder.encoder.ffn_layers.0.conv_1.weight"].shape[2]
        ),
        "kernel_size_flow": int(tensors["flow.flows.0.enc.in_layers.0.weight"].shape[2]),
        "num_layers_flow": count(r"flow\.flows\.0\.enc\.in_layers\.(\d+)\."),
        "dilation_rate_flow": 1,
        "resblock_type_decoder": kind,
        "resblock_kernel_sizes_decoder": kernels,
        "resblock_dilation_sizes_decoder": dilations,
        "upsample_rates_decoder": rates,
        "upsample_initial_channel_decoder": int(
            tensors["waveform_decoder.conv_pre.weight"].shape[0]
        ),
        "upsample_kernel_sizes_decoder": [
            int(tensors[f"waveform_decoder.ups.{i}.weight"].shape[2]) for i in range(upsamplings)
        ],
        "use_sdp": "duration_predictor.flows.0.translation" in tensors,
    }
    if "emb_g.weight" in tensors:
        speakers, channels = tensors["emb_g.weight"].shape
        architecture |= {
            "use_speaker_embedding": True,
            "num_speakers": int(speakers),
            "speaker_embedding_channels": int(channels),
            "condition_dp_on_speaker": "duration_predictor.cond.weight" in tensors,
        }
    return architecture
