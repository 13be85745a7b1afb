"""OpenVINO without its telemetry."""

import importlib
import sys
from typing import Any


def import_openvino() -> Any:
    """Import OpenVINO so that it tells nobody.

    `import openvino` sends an event to an analytics service unless the user has opted out or the
    package of its telemetry is missing. A hospital's machine must not: here it is always missing.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    return importlib.import_module("openvino")
