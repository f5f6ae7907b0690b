"""Kokoro-82M (StyleTTS 2 with an ISTFTNet decoder) in PyTorch, for inference on a processor.

Written from the architecture's description and the graph of its ONNX export. Everything is
(time, channels) and a single utterance; see :mod:`voice.engines.kokoro.layers`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from voice.engines.kokoro.layers import Convolution, Layers, Norm, Upsampling, pool
from voice.engines.kokoro.spectral import SAMPLES_PER_FRAME, Fourier, harmonic_source

#: Frames are rounded up to a multiple of this: libraries that compile for each new length then
#: meet few of them. What is added is silence after the last token, and is cut off again.
BUCKET = 16

_HEADS = 12
_ALBERT_LAYERS = 12
_ALBERT = "bert.encoder.albert_layer_groups.0.albert_layers.0"
_GENERATOR = "decoder.generator"
_DILATIONS = (1, 3, 5)
_KERNELS = (3, 7, 11)
_NOISE_KERNELS = (7, 11)
_HALF = math.sqrt(0.5)


@dataclass(slots=True)
class Utterance:
    """What the network makes of a token sequence.

    Attributes
    ----------
    samples
        (n,) float32 at 24 kHz.
    frames
        (tokens,) frames of 600 samples that each token takes.
    """

    samples: Tensor
    frames: Tensor


class Styles:
    """The scales and shifts of all adaptive norms for one style, by one product for each half."""

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        self._places: dict[str, tuple[int, int, int]] = {}
        matrices: tuple[list[Tensor], list[Tensor]] = ([], [])
        biases: tuple[list[Tensor], list[Tensor]] = ([], [])
        ends = [0, 0]
        for name in sorted(n for n in weights if n.endswith(".fc.weight")):
            module = name.removesuffix(".fc.weight")
            half = 0 if module.startswith("decoder.") else 1
            matrix = weights[name].float()
            self._places[module] = (half, ends[half], matrix.shape[0])
            ends[half] += matrix.shape[0]
            matrices[half].append(matrix)
            biases[half].append(weights[f"{module}.fc.bias"].float())
        self._matrices = [torch.cat(m) for m in matrices]
        self._biases = [torch.cat(b) for b in biases]
        self._values: list[Tensor] = []

    def set(self, style: Tensor) -> None:
        """Compute for a (256,) style: timbre for the decoder, then prosody."""
        self._values = [
            F.linear(part, matrix, bias)
            for part, matrix, bias in zip(
                (style[:128], style[128:]), self._matrices, self._biases, strict=True
            )
        ]

    def __getitem__(self, module: str) -> tuple[Tensor, Tensor]:
        half, start, length = self._places[module]
        gain, shift = self._values[half][start : start + length].chunk(2)
        return gain, shift


class Kokoro:
    """The network.

    Parameters
    ----------
    weights
        As :func:`voice.engines.kokoro.dequantise.dequantise` names them.
    layers
        The implementation of the heavy parts; its precision is used for the decoder.
    """

    def __init__(self, weights: Mapping[str, Tensor], layers: Layers) -> None:
        self._layers = layers
        self._convolutions: dict[str, Convolution] = {}
        self._upsamplings: dict[str, Upsampling] = {}
        self._recurrent: dict[str, nn.LSTM] = {}
        self._weights: dict[str, Tensor] = {}
        self._styles = Styles(weights)
        self._fourier = Fourier()
        convolutional = {
            name.removesuffix(".weight")
            for name, tensor in weights.items()
            if tensor.ndim == 3 and name.endswith(".weight") and ".pool." not in name
        }
        for name, tensor in weights.items():
            module = name.rpartition(".")[0]
            if ".fc." in name:
                continue
            if module in convolutional:
                if name.endswith(".weight"):
                    self._add_convolution(module, tensor, weights.get(f"{module}.bias"))
            elif "_l0" in name:
                if module not in self._recurrent:
                    self._recurrent[module] = _lstm(module, weights)
            elif ".alpha" in name:
                self._weights[name] = tensor.reshape(-1).clone()
            elif name.startswith(_ALBERT) and "orm." not in name:
                self._weights[name] = tensor.to(layers.dtype, copy=True)
            else:
                self._weights[name] = tensor.clone()

    def _add_convolution(self, module: str, weight: Tensor, bias: Tensor | None) -> None:
        layers, kernel = self._layers, weight.shape[2]
        if ".ups." in module and bias is not None:
            self._upsamplings[module] = Upsampling.make(weight, bias, layers.dtype)
            return
        padding, dilation, stride = (kernel - 1) // 2, 1, 1
        if ".convs1." in module:
            dilation = _DILATIONS[int(module[-1])]
            padding *= dilation
        elif module in ("decoder.F0_conv", "decoder.N_conv"):
            stride = 2
        elif module == f"{_GENERATOR}.noise_convs.0":
            padding, stride = 3, 6
        # The curves, the source and the last layer keep full precision: they cost little.
        exact = not module.startswith("decoder.") or module.endswith(
            ("F0_conv", "N_conv", "conv_post")
        )
        self._convolutions[module] = Convolution.make(
            weight,
            bias,
            torch.float32 if exact else layers.dtype,
            padding=padding,
            dilation=dilation,
            stride=stride,
        )

    @torch.inference_mode()
    def speak(self, tokens: Sequence[int], style: Tensor, speed: float = 1.0) -> Utterance:
        """Turn tokens into sound.

        Parameters
        ----------
        tokens
            Up to 512 ids, the padding token 0 at both ends included.
        style
            (256,) float32.
        speed
            Divides all durations.
        """
        ids = torch.tensor(tokens, dtype=torch.long)
        self._styles.set(style.float())
        prosody = style[128:].float()
        states, durations = self._text(ids, prosody, speed)
        frames = torch.round(durations).clamp(min=1).long()
        extra = -int(frames.sum()) % BUCKET
        frames[-1] += extra
        stretched = states.repeat_interleave(frames, 0)
        aligned = self._encode(ids).repeat_interleave(frames, 0)
        pitch, energy = self._curves(stretched)
        samples = self._decode(aligned, pitch, energy)
        frames[-1] -= extra
        return Utterance(samples[: len(samples) - SAMPLES_PER_FRAME * extra], frames)

    # -- text ---------------------------------------------------------------------------------

    def _linear(self, x: Tensor, module: str) -> Tensor:
        weight = self._weights[f"{module}.weight"]
        return F.linear(x.to(weight.dtype), weight, self._weights.get(f"{module}.bias"))

    def _layer_norm(self, x: Tensor, module: str, epsilon: float = 1e-12) -> Tensor:
        weight = self._weights[f"{module}.weight"]
        return F.layer_norm(x, weight.shape, weight, self._weights[f"{module}.bias"], epsilon)

    def _albert(self, ids: Tensor) -> Tensor:
        length = ids.shape[0]
        embedded = "bert.embeddings"
        x = (
            self._weights[f"{embedded}.word_embeddings.weight"][ids]
            + self._weights[f"{embedded}.position_embeddings.weight"][:length]
            + self._weights[f"{embedded}.token_type_embeddings.weight"][0]
        )
        x = self._layer_norm(x, f"{embedded}.LayerNorm")
        x = self._linear(x, "bert.encoder.embedding_hidden_mapping_in").float()
        for _ in range(_ALBERT_LAYERS):
            query, key, value = (
                self._linear(x, f"{_ALBERT}.attention.{part}")
                .view(1, length, _HEADS, -1)
                .transpose(1, 2)
                for part in ("query", "key", "value")
            )
            mixed = F.scaled_dot_product_attention(query, key, value)
            mixed = mixed.transpose(1, 2).reshape(length, -1)
            dense = self._linear(mixed, f"{_ALBERT}.attention.dense").float()
            x = self._layer_norm(x + dense, f"{_ALBERT}.attention.LayerNorm")
            hidden = F.gelu(self._linear(x, f"{_ALBERT}.ffn"), approximate="tanh")
            output = self._linear(hidden, f"{_ALBERT}.ffn_output").float()
            x = self._layer_norm(x + output, f"{_ALBERT}.full_layer_layer_norm")
        return x

    def _text(self, ids: Tensor, prosody: Tensor, speed: float) -> tuple[Tensor, Tensor]:
        """Return per-token states (tokens, 640) and durations in frames (tokens,)."""
        repeated = prosody.expand(ids.shape[0], -1)
        x = torch.cat([self._linear(self._albert(ids), "bert_encoder").float(), repeated], 1)
        for place in (0, 2, 4):
            x = self._recurrent[f"predictor.text_encoder.lstms.{place}"](x)[0]
            gain, shift = self._styles[f"predictor.text_encoder.lstms.{place + 1}"]
            x = F.layer_norm(x, (x.shape[1],), eps=1e-5) * (1 + gain) + shift
            x = torch.cat([x, repeated], 1)
        steps = self._linear(
            self._recurrent["predictor.lstm"](x)[0], "predictor.duration_proj.linear_layer"
        )
        return x, torch.sigmoid(steps).sum(1) / speed

    def _encode(self, ids: Tensor) -> Tensor:
        x = self._weights["text_encoder.embedding.weight"][ids]
        for place in range(3):
            x = self._convolutions[f"text_encoder.cnn.{place}.0"](x)
            norm = f"text_encoder.cnn.{place}.1"
            x = F.layer_norm(
                x, (512,), self._weights[f"{norm}.gamma"], self._weights[f"{norm}.beta"], 1e-5
            )
            x = F.leaky_relu(x, 0.2)
        result: Tensor = self._recurrent["text_encoder.lstm"](x)[0]
        return result

    # -- prosody and sound --------------------------------------------------------------------

    def _norm(self, module: str, alpha: str | None = None) -> Norm:
        gain, shift = self._styles[module]
        return Norm(gain, shift, None if alpha is None else self._weights[alpha])

    def _block(
        self, x: Tensor, module: str, *, double: bool = False, out: torch.dtype | None = None
    ) -> Tensor:
        """Residual block with adaptive norms; `double` doubles the length."""
        layers, convolutions = self._layers, self._convolutions
        h, _ = layers.norm_act(x, self._norm(f"{module}.norm1"), out=out)
        if double:
            name = f"{module}.pool"
            h = pool(h, self._weights[f"{name}.weight"], self._weights[f"{name}.bias"])
            x = x.repeat_interleave(2, 0)
        h = convolutions[f"{module}.conv1"](h)
        h, _ = layers.norm_act(h, self._norm(f"{module}.norm2"), out=out)
        h = convolutions[f"{module}.conv2"](h)
        shortcut = convolutions.get(f"{module}.conv1x1")
        if shortcut is not None:
            x = shortcut(x)
        return (h.float() + x.float()) * _HALF

    def _curves(self, stretched: Tensor) -> tuple[Tensor, Tensor]:
        """Return pitch in Hz and energy, each (2 * frames,)."""
        shared = self._recurrent["predictor.shared"](stretched)[0]
        curves: list[Tensor] = []
        for curve in ("F0", "N"):
            x = shared
            for place in range(3):
                x = self._block(
                    x, f"predictor.{curve}.{place}", double=place == 1, out=torch.float32
                )
            curves.append(self._convolutions[f"predictor.{curve}_proj"](x)[:, 0])
        return curves[0], curves[1]

    def _decode(self, aligned: Tensor, pitch: Tensor, energy: Tensor) -> Tensor:
        f0 = self._convolutions["decoder.F0_conv"](pitch[:, None])
        n = self._convolutions["decoder.N_conv"](energy[:, None])
        x = self._block(torch.cat([aligned, f0, n], 1), "decoder.encode")
        kept = self._convolutions["decoder.asr_res.0"](aligned).float()
        for place in range(4):
            joined = torch.cat([x, kept, f0, n], 1)
            x = self._block(joined, f"decoder.decode.{place}", double=place == 3)
        mixture = f"{_GENERATOR}.m_source.l_linear"
        source = harmonic_source(
            pitch, self._weights[f"{mixture}.weight"], self._weights[f"{mixture}.bias"]
        )
        return self._generate(x, self._fourier.analyse(source))

    def _generate(self, x: Tensor, source: Tensor) -> Tensor:
        """Turn decoder features and the source's spectrum into samples."""
        layers = self._layers
        x = F.leaky_relu(x, 0.1)
        for stage in range(2):
            last = stage == 1
            noise = self._convolutions[f"{_GENERATOR}.noise_convs.{stage}"](source).float()
            residual, pending = self._snake_block(noise, f"{_GENERATOR}.noise_res.{stage}")
            x = self._upsamplings[f"{_GENERATOR}.ups.{stage}"](x)
            if last:
                x = torch.cat([x[1:2], x])
            x = x + residual + pending
            branches = [
                self._snake_block(x, f"{_GENERATOR}.resblocks.{3 * stage + place}")
                for place in range(3)
            ]
            x = layers.average(
                branches, 0.01 if last else 0.1, torch.float32 if last else layers.dtype
            )
        return self._fourier.synthesise(self._convolutions[f"{_GENERATOR}.conv_post"](x))

    def _snake_block(self, x: Tensor, module: str) -> tuple[Tensor, Tensor]:
        """Return the residual and the last branch, still to be added to it."""
        layers, pending = self._layers, None
        for place in range(3):
            first = self._norm(f"{module}.adain1.{place}", f"{module}.alpha1.{place}")
            second = self._norm(f"{module}.adain2.{place}", f"{module}.alpha2.{place}")
            h, x = layers.norm_act(x, first, add=pending)
            h = self._convolutions[f"{module}.convs1.{place}"](h)
            h, _ = layers.norm_act(h, second)
            pending = self._convolutions[f"{module}.convs2.{place}"](h)
        assert pending is not None
        return x, pending


def _lstm(module: str, weights: Mapping[str, Tensor]) -> nn.LSTM:
    lstm = nn.LSTM(weights[f"{module}.weight_ih_l0"].shape[1], 256, bidirectional=True)
    own = {
        n.removeprefix(f"{module}."): w for n, w in weights.items() if n.startswith(f"{module}.")
    }
    lstm.load_state_dict(own)
    return lstm.requires_grad_(False)
