"""Kokoro's int8 ONNX turned back into floats, so that onnxruntime can be the reference."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

#: The source spectrum, which enters the generator.
SOURCE = "reference_source"


def float_graph(source: Path, target: Path) -> None:
    """Replace every integer operator by the float one that it approximates."""
    model = onnx.load(str(source))
    graph = model.graph
    stored = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    producer = {o: n for n in graph.node for o in n.output}
    consumers: dict[str, list[Any]] = defaultdict(list)
    for node in graph.node:
        for name in node.input:
            consumers[name].append(node)
    replaced: dict[int, Any] = {}
    added: dict[str, np.ndarray] = {}
    for node in graph.node:
        if node.op_type in ("ConvInteger", "MatMulInteger"):
            _product(node, stored, producer, consumers, replaced, added)
        elif node.op_type == "DynamicQuantizeLSTM":
            _lstm(node, stored, replaced, added)
    nodes = [replaced.get(id(node), node) for node in graph.node]
    spectrum = next(n.input[0] for n in nodes if n.op_type == "Conv" and "noise_convs.0" in n.name)
    nodes.append(helper.make_node("Identity", [spectrum], [SOURCE]))
    graph.output.append(helper.make_tensor_value_info(SOURCE, onnx.TensorProto.FLOAT, None))
    needed = {o.name for o in graph.output}
    kept = []
    for node in reversed(nodes):
        if any(o in needed for o in node.output):
            kept.append(node)
            needed.update(i for i in node.input if i)
    constants = [i for i in graph.initializer if i.name in needed]
    constants += [numpy_helper.from_array(a, n) for n, a in added.items() if n in needed]
    del graph.node[:], graph.initializer[:], graph.value_info[:]
    graph.node.extend(reversed(kept))
    graph.initializer.extend(constants)
    onnx.save(model, str(target))


def _product(
    node: Any, stored: Any, producer: Any, consumers: Any, replaced: Any, added: Any
) -> None:
    zero = stored[node.input[3]].astype(np.float32) if len(node.input) > 3 else np.float32(0)
    bias, current = [], node.output[0]
    while True:
        (step,) = consumers[current]
        other = [i for i in step.input if i != current]
        if step.op_type == "Mul":
            break
        if step.op_type == "Add":
            division = producer[other[0]]
            while division.op_type != "Div":
                division = producer[division.input[0]]
            bias = [division.input[0]]
        current = step.output[0]
    scale = next(stored[i] for i in producer[other[0]].input if i in stored)
    name = f"float.{node.input[1]}"
    added[name] = (stored[node.input[1]].astype(np.float32) - zero) * scale
    kind = "Conv" if node.op_type == "ConvInteger" else "MatMul"
    attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    replaced[id(step)] = helper.make_node(
        kind,
        [producer[node.input[0]].input[0], name, *bias],
        [step.output[0]],
        name=node.name,
        **attributes,
    )


def _lstm(node: Any, stored: Any, replaced: Any, added: Any) -> None:
    x, w, r, b, _, h0, c0, _, w_scale, w_zero, r_scale, r_zero = node.input
    for name, scale, zero in ((w, w_scale, w_zero), (r, r_scale, r_zero)):
        shape = (-1, 1, 1)
        values = stored[name].astype(np.float32) - stored[zero].reshape(shape)
        added[f"float.{name}"] = np.ascontiguousarray(
            (values * stored[scale].reshape(shape)).transpose(0, 2, 1), dtype=np.float32
        )
    replaced[id(node)] = helper.make_node(
        "LSTM",
        [x, f"float.{w}", f"float.{r}", b, "", h0, c0],
        list(node.output),
        direction="bidirectional",
        hidden_size=256,
    )
