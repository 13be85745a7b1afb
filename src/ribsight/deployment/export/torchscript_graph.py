"""A network as a TorchScript archive."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
import torch
from numpy.typing import NDArray

from ribsight.deployment.export.graph import Probabilities, example
from ribsight.detector.network import DetectorNetwork
from ribsight.detector.runtimes.exported import CARRIED
from ribsight.detector.runtimes.torchscript_file import torchscript_is_deprecated
from ribsight.errors import RibsightError

FILE = "model.torchscript"


def make(network: DetectorNetwork, size: int) -> "TorchScriptGraph":
    """Trace a network on images of side `size` and fold what is constant."""
    network = network.to(memory_format=torch.channels_last)
    with torchscript_is_deprecated(), torch.no_grad():
        traced = torch.jit.trace(Probabilities(network), example(size), check_trace=False)  # type: ignore[no-untyped-call]
        return TorchScriptGraph(torch.jit.freeze(traced))


@dataclass(frozen=True)
class TorchScriptGraph:
    """A TorchScript module in memory."""

    module: torch.jit.ScriptModule

    def quantised(self, images: Sequence[NDArray[np.float32]]) -> NoReturn:  # noqa: ARG002
        """Raise RibsightError: there is none."""
        raise RibsightError(
            "torchscript has no int8 variant, because torch has given up quantised TorchScript: "
            "export with --format onnx or openvino"
        )

    def files(self, carried: str) -> dict[str, bytes]:
        """Return `model.torchscript`, which carries the text as an extra file."""
        content = io.BytesIO()
        with torchscript_is_deprecated():
            torch.jit.save(self.module, content, {CARRIED: carried})
        return {FILE: content.getvalue()}
