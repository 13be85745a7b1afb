"""The folder of an exported model: its files, its description, and what belongs to both."""

import hashlib
from pathlib import Path

from ribsight.deployment.calibration import FILE as CALIBRATION
from ribsight.deployment.calibration import read_calibration
from ribsight.deployment.certainty import read_levels
from ribsight.deployment.export.graph import Graph
from ribsight.deployment.reference import FILE as REFERENCE
from ribsight.deployment.reference import read_reference
from ribsight.detector.model_file import (
    ExportedFiles,
    Format,
    ModelDescription,
    Precision,
    write_description,
)
from ribsight.detector.runtimes.exported import Carried, described
from ribsight.errors import RibsightError
from ribsight.evaluation.operating_points import FILE as POINTS
from ribsight.files import write_bytes, write_text

BESIDE = (POINTS, CALIBRATION, REFERENCE)
"""What `ribsight calibrate` writes beside a model, bound to its identity."""


def require_own(folder: Path, model_sha256: str) -> None:
    """Refuse thresholds, calibration or a reference that lie beside a model and are another's.

    Raises:
        RibsightError: they are, or one is damaged.
    """
    read_levels(folder, model_sha256)
    read_calibration(folder, model_sha256)
    reference = folder / REFERENCE
    if reference.is_file() and read_reference(reference).model_sha256 != model_sha256:
        raise RibsightError(f"{reference} was made with another model: run ribsight calibrate")


def write_model(
    graph: Graph,
    description: ModelDescription,
    source: Path,
    folder: Path,
    form: Format,
    precision: Precision,
) -> ModelDescription:
    """Write the files of the network, the description and what comes along with them.

    Args:
        graph: what runs.
        description: of the original.
        source: folder of the original.
        folder: of the exported model.
        form: of the graph.
        precision: "int8" gives the model an identity of its own, to which nothing is bound yet.

    Returns:
        the description of the exported model.

    Raises:
        RibsightError: what lies beside the original cannot be read, or nothing can be written.
    """
    identity, carried = description.weights_sha256, {}
    if precision == "fp32":
        # The same model within the tolerance: its thresholds hold. Another for int8.
        carried = _beside(source)
    else:
        identity = hashlib.sha256(b"".join(graph.files("").values())).hexdigest()
    hashes = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in carried.items()}
    exported = ExportedFiles(
        format=form,
        precision=precision,
        source_sha256=description.weights_sha256,
        carried=hashes,
    )
    bare = description.model_copy(update={"weights_sha256": identity, "exported": exported})
    files = graph.files(Carried(described(bare), carried).text())
    for name, content in files.items():
        write_bytes(folder / name, content)
    for name, text in carried.items():
        write_text(folder / name, text)
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    whole = bare.model_copy(update={"exported": exported.model_copy(update={"files": sums})})
    write_description(whole, folder)
    return whole


def _beside(folder: Path) -> dict[str, str]:
    try:
        return {
            name: (folder / name).read_text(encoding="utf-8")
            for name in BESIDE
            if (folder / name).is_file()
        }
    except (OSError, ValueError) as error:
        raise RibsightError(f"cannot read the thresholds beside {folder}: {error}") from error
