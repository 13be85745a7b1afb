"""An ONNX file, run by ONNX Runtime."""

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ribsight.detector.maps import MapFunction
from ribsight.detector.runtimes.exported import CARRIED

_ERRORS_ONLY = 3


def open_contents(contents: list[bytes], threads: int | None) -> tuple[MapFunction, str]:
    """Return the maps of a model, and the text its `metadata_props` carry."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    if threads is not None:
        options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(contents[0], options, providers=["CPUExecutionProvider"])
    carried: str = session.get_modelmeta().custom_metadata_map.get(CARRIED, "")
    name = session.get_inputs()[0].name

    def maps_of(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        maps: NDArray[np.float32] = session.run(None, {name: batch})[0]
        return maps

    return maps_of, carried
