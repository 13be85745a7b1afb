"""`reference.json`: what validation images were like and what the detector said of them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ribsight.deployment.watched import Watched
from ribsight.documents import read_document, reading
from ribsight.evaluation.predictions import Levels
from ribsight.files import write_text

SCHEMA = "ribsight-reference/1"
FILE = "reference.json"
_DIGITS = 6


@dataclass(frozen=True, eq=False)
class Reference:
    """What later images are held against.

    Attributes:
        model: name of the model.
        model_sha256: its identity.
        cohort: fingerprint of the cohort whose validation split this is.
        levels: thresholds that were applied.
        watched: the images.
        groups: (N,) codes of what belongs together, usually the patient.
    """

    model: str
    model_sha256: str
    cohort: str
    levels: Mapping[str, Levels]
    watched: Watched
    groups: NDArray[np.int64]


def write_reference(reference: Reference, path: Path) -> None:
    """Write `reference` in one step; it names no patient and no file.

    Raises:
        RibsightError: `path` cannot be written.
    """
    watched = reference.watched
    document = {
        "schema": SCHEMA,
        "model": {"name": reference.model, "sha256": reference.model_sha256},
        "cohort": {"fingerprint": reference.cohort, "split": "val"},
        "levels": {
            name: {"doubtful": one.doubtful, "confident": one.confident}
            for name, one in reference.levels.items()
        },
        "images": len(watched),
        "groups": reference.groups.tolist(),
        "numbers": {
            name: [None if np.isnan(one) else round(float(one), _DIGITS) for one in values]
            for name, values in watched.numbers.items()
        },
        "words": {name: list(values) for name, values in watched.words.items()},
    }
    write_text(path, json.dumps(document, allow_nan=False) + "\n")


def read_reference(path: Path) -> Reference:
    """Read what `write_reference` wrote.

    Raises:
        RibsightError: no such file, or it is damaged.
    """
    with reading(path, "reference of ribsight"):
        document = read_document(path, SCHEMA)
        numbers = {
            name: np.array([np.nan if one is None else one for one in values], np.float64)
            for name, values in document["numbers"].items()
        }
        words = {name: tuple(map(str, values)) for name, values in document["words"].items()}
        groups = np.array(document["groups"], np.int64)
        lengths = {len(groups), *map(len, numbers.values()), *map(len, words.values())}
        if lengths != {int(document["images"])}:
            raise ValueError("columns of different lengths")
        return Reference(
            model=document["model"]["name"],
            model_sha256=document["model"]["sha256"],
            cohort=document["cohort"]["fingerprint"],
            levels={
                name: Levels(float(one["doubtful"]), float(one["confident"]))
                for name, one in document["levels"].items()
            },
            watched=Watched(numbers, words),
            groups=groups,
        )
