"""An exported model folder: its files are what it says they are before anything runs."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ribsight.detector.foreign import and_is
from ribsight.detector.maps import MapFunction
from ribsight.detector.model_file import (
    DESCRIPTION,
    ExportedFiles,
    Format,
    ModelDescription,
    read_files,
)
from ribsight.detector.settings import STRIDE
from ribsight.errors import RibsightError

CARRIED = "ribsight"
"""The name under which a file carries its `carried_text`."""

Opener = Callable[[list[bytes], int | None], tuple[MapFunction, str]]
"""Contents and threads -> maps, and the text the file carries (empty if none)."""

_OPENERS: dict[Format, tuple[str, str, str]] = {
    "onnx": ("onnx_file", "onnxruntime", "pip install 'ribsight[onnx]'"),
    "openvino": ("openvino_file", "openvino", "pip install 'ribsight[openvino]'"),
    "torchscript": ("torchscript_file", "torch", "pip install torch"),
}


@dataclass(frozen=True)
class Carried:
    """What a file carries beside the network: a description without hashes, and JSON files."""

    model: dict[str, Any]
    files: dict[str, str] = field(default_factory=dict)

    def text(self) -> str:
        """Return it as it stands in the file."""
        return json.dumps({"model": self.model, "files": self.files}, sort_keys=True)


def described(description: ModelDescription) -> dict[str, Any]:
    """Return a description as its file carries it: without the hash of that file."""
    exported = description.exported
    assert exported is not None
    bare = description.model_copy(update={"exported": exported.model_copy(update={"files": {}})})
    return bare.model_dump(mode="json", by_alias=True, exclude_none=True)


def exported_maps(folder: Path, description: ModelDescription, threads: int | None) -> MapFunction:
    """Return the maps of an exported model folder.

    Raises:
        RibsightError: a file is missing, is another than described, is of another model or
            gives other maps; or its runtime is not installed.

    """
    exported = description.exported
    assert exported is not None
    if not exported.files:
        raise RibsightError(f"{folder / DESCRIPTION} names no file of the exported model")
    file = folder / next(iter(exported.files))
    contents = read_files(folder, exported.files)
    maps_of, text = _open(file, exported.format, contents, threads)
    _check_carried(folder, file, description, text)
    _try(file, maps_of, description)
    return maps_of


def _open(
    file: Path, form: Format, contents: list[bytes], threads: int | None
) -> tuple[MapFunction, str]:
    module, package, install = _OPENERS[form]
    try:
        opener: Opener = import_module(f"{__package__}.{module}").open_contents
        return opener(contents, threads)
    except ImportError as error:
        raise RibsightError(f"{file} is run by {package}, which is missing: {install}") from error
    except RibsightError as error:
        raise RibsightError(f"{file} {error}") from error
    except Exception as error:  # of whatever class the runtime likes
        first = (str(error).splitlines() or [""])[0][:200]
        raise RibsightError(
            f"{file} cannot be loaded by {package}{and_is(contents[0])}: {first}"
        ) from error


def _check_carried(folder: Path, file: Path, description: ModelDescription, text: str) -> None:
    if not text:
        raise RibsightError(
            f"{file} was not written by ribsight: it carries no description of a detector"
        )
    try:
        carried = Carried(**json.loads(text))
    except (ValueError, TypeError, RecursionError) as error:
        raise RibsightError(f"{file} carries a damaged description: {error}") from error
    expected = described(description)
    if carried.model != expected:
        keys = {*carried.model, *expected}
        differing = sorted(k for k in keys if carried.model.get(k) != expected.get(k))
        raise RibsightError(
            f"{file} is of another model than {folder / DESCRIPTION} describes: "
            + "; ".join(_differing(key, carried.model, expected) for key in differing)
        )
    exported = description.exported
    assert exported is not None
    _check_files(folder, file, exported, carried)


def _differing(key: str, carried: dict[str, Any], expected: dict[str, Any]) -> str:
    sides = [json.dumps(one.get(key)) for one in (carried, expected)]
    if sum(map(len, sides)) > 200:
        return f"'{key}' differs"
    return f"'{key}' is {sides[0]} in the file and {sides[1]} in {DESCRIPTION}"


def _check_files(folder: Path, file: Path, exported: ExportedFiles, carried: Carried) -> None:
    hashes = {
        name: hashlib.sha256(text.encode()).hexdigest() for name, text in carried.files.items()
    }
    if hashes != exported.carried:
        raise RibsightError(
            f"the thresholds that {file} carries are not those that {DESCRIPTION} describes: "
            "export again"
        )
    # The folder's own may be newer: they are bound to the model by whoever reads them.
    missing = [name for name in hashes if not (folder / name).is_file()]
    if missing:
        raise RibsightError(
            f"{folder} lacks {' and '.join(missing)}, with which it was exported: copy the whole "
            "folder again"
        )


def _try(file: Path, maps_of: MapFunction, description: ModelDescription) -> None:
    """Run an empty image: the file's network has the described size and findings."""
    size = description.images.size
    expected = (1, len(description.findings), size // STRIDE, size // STRIDE)
    try:
        found = maps_of(np.zeros((1, 1, size, size), np.float32))
    except Exception as error:  # of whatever class the runtime likes
        first = (str(error).splitlines() or [""])[0][:200]
        raise RibsightError(
            f"{file} does not run on an image of {size} x {size} pixels: {first}"
        ) from error
    if found.shape != expected or not _are_probabilities(found):
        raise RibsightError(
            f"{file} gives {found.shape} values where {DESCRIPTION} describes {expected} "
            "probabilities"
        )


def _are_probabilities(maps: NDArray[np.float32]) -> bool:
    return bool(np.all((maps >= 0) & (maps <= 1)))
