"""An OpenVINO model (XML and binary), run by OpenVINO on the CPU."""

import numpy as np
from numpy.typing import NDArray

from ribsight.detector.maps import MapFunction
from ribsight.detector.runtimes.exported import CARRIED
from ribsight.detector.runtimes.openvino_quiet import import_openvino


def open_contents(contents: list[bytes], threads: int | None) -> tuple[MapFunction, str]:
    """Return the maps of a model, and the text its `rt_info` carries."""
    openvino = import_openvino()
    xml, weights = contents
    model = openvino.Core().read_model(xml, weights)
    carried = str(model.get_rt_info(CARRIED).value) if model.has_rt_info(CARRIED) else ""
    # Left to itself it takes bfloat16 where the processor knows it: other maps on other machines.
    config = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    if threads is not None:
        config["INFERENCE_NUM_THREADS"] = str(threads)
    compiled = openvino.Core().compile_model(model, "CPU", config)

    def maps_of(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        # A request of its own, so that threads do not write into each other's.
        found = compiled.create_infer_request().infer([batch])[0]
        maps: NDArray[np.float32] = np.array(found, np.float32)
        return maps

    return maps_of, carried
