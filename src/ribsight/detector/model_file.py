"""A model folder: `model.json`, and the weights or a file for another runtime.

Loading never unpickles. This module imports no torch until weights are read or written, so that an
exported model needs none.
"""

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from ribsight.detector.foreign import and_is, what_it_is
from ribsight.detector.settings import ImageSettings, MarkSettings, NetworkSettings
from ribsight.errors import RibsightError
from ribsight.files import write_bytes, write_text
from ribsight.settings import Settings, parse_settings

if TYPE_CHECKING:
    from ribsight.detector.network import DetectorNetwork

SCHEMA = "ribsight-model/1"
WEIGHTS = "weights.safetensors"
DESCRIPTION = "model.json"

Format = Literal["onnx", "openvino", "torchscript"]
Precision = Literal["fp32", "int8"]


class ExportedFiles(Settings):
    """The network as files for another runtime, in place of weights.

    Attributes:
        format: which runtime reads them.
        precision: "fp32", or "int8" where weights and activations are quantised.
        source_sha256: identity of the model that was exported.
        carried: SHA-256 of what the file carries of it, by name: operating points, calibration.
        files: SHA-256 of each file, by name, the one that describes the network first; empty
            in the copy of the description that the file itself carries.

    """

    format: Format
    precision: Precision
    source_sha256: str
    carried: dict[str, str] = Field(default_factory=dict)
    files: dict[str, str] = Field(default_factory=dict)


class ModelDescription(Settings):
    """Everything needed to use the weights, and where they come from.

    Attributes:
        schema_: the version of this description.
        name: of the run that made it.
        findings: names of the K maps, in order.
        images: size and bits of the network image.
        preprocessing: version of the pixel pipeline the weights were trained behind.
        intensity_mean: subtracted inside the network from intensities in [0, 1].
        intensity_std: divided by, inside the network.
        network: backbone, pyramid and head.
        marks: how marks are read off the maps.
        recipe: the recipe of the training run, as written.
        training: method, stage, step and which network (student or teacher) this is.
        cohort_sha256: fingerprint of what training saw.
        weights_sha256: of the weights file; also the model's identity, to which thresholds and
            calibration are bound. A quantised model has one of its own.
        ribsight: version that wrote it.
        exported: the files of an exported model; None where the folder holds weights.

    """

    schema_: str = Field(alias="schema")
    name: str
    findings: list[str]
    images: ImageSettings
    preprocessing: str
    intensity_mean: float
    intensity_std: float
    network: NetworkSettings
    marks: MarkSettings
    recipe: dict[str, Any]
    training: dict[str, str | int | float]
    cohort_sha256: str
    weights_sha256: str = ""
    ribsight: str
    exported: ExportedFiles | None = None


def write_description(description: ModelDescription, folder: Path) -> None:
    """Write `model.json`. Raises RibsightError if the folder cannot be written to."""
    text = description.model_dump_json(indent=1, by_alias=True, exclude_none=True)
    write_text(folder / DESCRIPTION, text + "\n")


def save_model(
    network: "DetectorNetwork", description: ModelDescription, folder: Path
) -> ModelDescription:
    """Write a model folder; the description, which names the weights' hash, comes last.

    Returns:
        the description with that hash.

    Raises:
        RibsightError: the folder cannot be written to.

    """
    from safetensors.torch import save

    tensors = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    content = save(tensors)
    hashed = description.model_copy(update={"weights_sha256": hashlib.sha256(content).hexdigest()})
    write_bytes(folder / WEIGHTS, content)
    write_description(hashed, folder)
    return hashed


def read_description(folder: Path) -> ModelDescription:
    """Read what a model folder says of itself.

    Raises:
        RibsightError: the folder is no model, or its description is of another schema or wrong.

    """
    path = folder / DESCRIPTION
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise RibsightError(
            f"{folder} is not a model folder: it needs a readable {DESCRIPTION} ({error})"
        ) from error
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise RibsightError(f"{path} is not of schema {SCHEMA}")
    return parse_settings(ModelDescription, document, str(path))


def read_files(folder: Path, hashes: dict[str, str]) -> list[bytes]:
    """Return the content of the files that a description names.

    Raises:
        RibsightError: one is missing or is not the file whose hash was written down.

    """
    contents = []
    for name, sha256 in hashes.items():
        path = folder / name
        if Path(name).name != name:
            raise RibsightError(f"{folder / DESCRIPTION} names '{name}', which is no file name")
        try:
            content = path.read_bytes()
        except OSError as error:
            raise RibsightError(
                f"{folder} is not a whole model folder: {DESCRIPTION} describes {name}, which "
                f"cannot be read ({error.strerror}); copy the whole folder again"
            ) from error
        if hashlib.sha256(content).hexdigest() != sha256:
            raise RibsightError(
                f"{path} is not the file that {DESCRIPTION} describes, its SHA-256 differs"
                f"{and_is(content)}: copy the whole model folder again"
            )
        contents.append(content)
    return contents


def load_model(folder: Path) -> "tuple[DetectorNetwork, ModelDescription]":
    """Read a model folder with weights; the network is in evaluation mode.

    Raises:
        RibsightError: the folder is no model, the weights are not the described ones (truncated,
            exchanged), or they do not fit the described network.

    """
    description = read_description(folder)
    if description.exported is not None:
        raise RibsightError(
            f"{folder} is a model exported as {description.exported.format} and holds no weights: "
            "give the run it was exported from"
        )
    return load_weights(folder, description), description


def load_weights(folder: Path, description: ModelDescription) -> "DetectorNetwork":
    """Return the network of a model folder. Raises RibsightError as `load_model` does."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    from ribsight.detector.network import DetectorNetwork

    (content,) = read_files(folder, {WEIGHTS: description.weights_sha256})
    network = DetectorNetwork(description.network, len(description.findings), pretrained=False)
    try:
        network.load_state_dict(load(content))
    except (SafetensorError, RuntimeError) as error:
        raise RibsightError(
            f"{folder / WEIGHTS} does not fit the described network: {error}"
        ) from error
    return network.eval()


def is_model(folder: Path) -> bool:
    """Return whether a folder holds a model's description."""
    return (folder / DESCRIPTION).is_file()


def find_model(path: Path) -> Path:
    """Return the model folder that `path` is, or that the run folder `path` holds.

    Raises:
        RibsightError: there is neither.

    """
    for folder in (path, path / "model"):
        if is_model(folder):
            return folder
    if path.is_file():
        with path.open("rb") as stream:
            words = what_it_is(stream.read(64)) or "a file of another kind"
        raise RibsightError(
            f"{path} is {words}: a model of ribsight is a folder with {DESCRIPTION}, as "
            "`ribsight train` and `ribsight export` write it"
        )
    raise RibsightError(
        f"{path} is neither a model folder nor a finished run: it holds no {DESCRIPTION}"
    )
