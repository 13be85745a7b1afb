"""A network as an OpenVINO model."""

import io
import logging
import tempfile
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ribsight.deployment.export.graph import INPUT, OUTPUT, exported_program
from ribsight.detector.network import DetectorNetwork
from ribsight.detector.runtimes.exported import CARRIED
from ribsight.detector.runtimes.openvino_quiet import import_openvino

FILES = ("model.xml", "model.bin")


def make(network: DetectorNetwork, size: int) -> "OpenVinoGraph":
    """Translate a network for images of side `size`."""
    openvino = import_openvino()
    model = openvino.convert_model(exported_program(network, size))
    model.inputs[0].get_tensor().set_names({INPUT})
    model.outputs[0].get_tensor().set_names({OUTPUT})
    model.reshape(openvino.PartialShape([-1, 1, size, size]))
    return OpenVinoGraph(model)


@dataclass(frozen=True)
class OpenVinoGraph:
    """An OpenVINO model in memory."""

    model: Any

    def quantised(self, images: Sequence[NDArray[np.float32]]) -> "OpenVinoGraph":
        """Return it with 8-bit weights (by channel) and activations.

        Ranges reach to the extremes of all images: the usual mean of each image's maximum cuts off
        the highest activations, which are the lesions. Biases are corrected layer by layer.
        """
        import_openvino()
        import nncf
        from nncf.quantization.range_estimator import RangeEstimatorParametersSet

        nncf.set_log_level(logging.ERROR)
        with redirect_stdout(io.StringIO()):
            quantised = nncf.quantize(
                self.model.clone(),
                nncf.Dataset(images),
                preset=nncf.QuantizationPreset.MIXED,
                subset_size=len(images),
                fast_bias_correction=False,
                advanced_parameters=nncf.AdvancedQuantizationParameters(
                    activations_range_estimator_params=RangeEstimatorParametersSet.MINMAX
                ),
            )
        return OpenVinoGraph(quantised)

    def files(self, carried: str) -> dict[str, bytes]:
        """Return `model.xml`, which carries the text in its `rt_info`, and `model.bin`."""
        model = self.model.clone()
        model.set_rt_info(carried, CARRIED)
        return _saved(model)


def _saved(model: Any) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, FILES[0])
        # Not as float16, which would be another model.
        import_openvino().save_model(model, path, compress_to_fp16=False)
        return {name: Path(folder, name).read_bytes() for name in FILES}
