"""A network as an ONNX model."""

import logging
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from ribsight.deployment.export.graph import INPUT, OUTPUT, exported_program
from ribsight.detector.network import DetectorNetwork
from ribsight.detector.runtimes.exported import CARRIED

FILE = "model.onnx"
_OPSET = 18
# Group norm and resizing are a few percent of the time, and lose most.
_QUANTISED = ["Conv", "Clip", "Relu", "MaxPool", "Add"]


def make(network: DetectorNetwork, size: int) -> "OnnxGraph":
    """Translate a network for images of side `size`."""
    with _quiet():
        program = torch.onnx.export(
            exported_program(network, size),
            input_names=[INPUT],
            output_names=[OUTPUT],
            opset_version=_OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    for node in model.graph.node:
        # Where the operation came from: file names of this machine, of no use elsewhere.
        del node.metadata_props[:]
        node.doc_string = ""
    return OnnxGraph(model)


@dataclass(frozen=True)
class OnnxGraph:
    """An ONNX model in memory."""

    model: Any

    def quantised(self, images: Sequence[NDArray[np.float32]]) -> "OnnxGraph":
        """Return it with 8-bit weights (by channel) and activations."""
        from onnxruntime.quantization import CalibrationMethod, QuantType, quantize_static
        from onnxruntime.quantization.shape_inference import quant_pre_process

        with tempfile.TemporaryDirectory() as folder, _quiet():
            plain, folded, quantised = (Path(folder, f"{one}.onnx") for one in "abc")
            onnx.save(self.model, plain)
            quant_pre_process(plain, folded, skip_symbolic_shape=True)
            quantize_static(
                folded,
                quantised,
                _Images(iter(images)),
                op_types_to_quantize=_QUANTISED,
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                calibrate_method=CalibrationMethod.MinMax,
            )
            return OnnxGraph(onnx.load(quantised))

    def files(self, carried: str) -> dict[str, bytes]:
        """Return `model.onnx`, which carries the text in its `metadata_props`."""
        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        onnx.helper.set_model_props(model, {CARRIED: carried})
        onnx.checker.check_model(model)
        return {FILE: model.SerializeToString(deterministic=True)}


class _Images:
    """Network images as ONNX Runtime asks for them, one by one."""

    def __init__(self, images: Iterator[NDArray[np.float32]]):
        self._images = images

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """Return the next image by the name of the input; None after the last."""
        image = next(self._images, None)
        return None if image is None else {INPUT: image}


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide what the tools say of their own parts, which no user can change."""
    level = logging.root.level
    logging.root.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.root.setLevel(level)
