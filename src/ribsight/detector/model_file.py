"""A model folder: `weights.safetensors` and `model.json`. Loading never unpickles."""

import hashlib
import json
from pathlib import Path
from typing import Any

from pydantic import Field
from safetensors import SafetensorError
from safetensors.torch import load, save

from ribsight.detector.network import DetectorNetwork
from ribsight.detector.settings import ImageSettings, MarkSettings, NetworkSettings
from ribsight.errors import RibsightError
from ribsight.files import write_bytes, write_text
from ribsight.settings import Settings, parse_settings

SCHEMA = "ribsight-model/1"
_WEIGHTS = "weights.safetensors"
_DESCRIPTION = "model.json"


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
        weights_sha256: of the weights file; also the model's identity.
        ribsight: version that wrote it.

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


def save_model(network: DetectorNetwork, description: ModelDescription, folder: Path) -> None:
    """Write a model folder; the description, which names the weights' hash, comes last.

    Raises:
        RibsightError: the folder cannot be written to.

    """
    tensors = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    content = save(tensors)
    hashed = description.model_copy(update={"weights_sha256": hashlib.sha256(content).hexdigest()})
    write_bytes(folder / _WEIGHTS, content)
    write_text(folder / _DESCRIPTION, hashed.model_dump_json(indent=1, by_alias=True) + "\n")


def load_model(folder: Path) -> tuple[DetectorNetwork, ModelDescription]:
    """Read a model folder; the network is in evaluation mode.

    Raises:
        RibsightError: the folder is no model, the weights are not the described ones (truncated,
            exchanged), or they do not fit the described network.

    """
    try:
        document = json.loads((folder / _DESCRIPTION).read_text(encoding="utf-8"))
        content = (folder / _WEIGHTS).read_bytes()
    except (OSError, ValueError) as error:
        raise RibsightError(
            f"{folder} is not a model folder: it needs {_DESCRIPTION} and {_WEIGHTS} ({error})"
        ) from error
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise RibsightError(f"{folder / _DESCRIPTION} is not of schema {SCHEMA}")
    description = parse_settings(ModelDescription, document, str(folder / _DESCRIPTION))
    if hashlib.sha256(content).hexdigest() != description.weights_sha256:
        raise RibsightError(
            f"{folder / _WEIGHTS} is not the file that {_DESCRIPTION} describes (its SHA-256 "
            "differs); copy the whole model folder again"
        )
    network = DetectorNetwork(description.network, len(description.findings), pretrained=False)
    try:
        network.load_state_dict(load(content))
    except (SafetensorError, RuntimeError) as error:
        raise RibsightError(
            f"{folder / _WEIGHTS} does not fit the described network: {error}"
        ) from error
    network.eval()
    return network, description


def is_model(folder: Path) -> bool:
    """Return whether a folder holds a model's description."""
    return (folder / _DESCRIPTION).is_file()


def find_model(path: Path) -> Path:
    """Return the model folder that `path` is, or that the run folder `path` holds.

    Raises:
        RibsightError: there is neither.

    """
    for folder in (path, path / "model"):
        if is_model(folder):
            return folder
    raise RibsightError(
        f"{path} is neither a model folder nor a finished run: it holds no {_DESCRIPTION}"
    )
