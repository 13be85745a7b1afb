"""A folder that names the models that work together: `at_work.json`, and what was calibrated.

    {"schema": "ribsight-at-work/1", "name": "a + b, flipped too", "flip": true,
     "members": [{"path": "../a/model", "sha256": "..."}, ...], "sha256": "..."}

Beside it lie the thresholds, the calibration and the reference for these members together, as they
lie beside the weights of a model that works alone.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ribsight.documents import read_document, reading
from ribsight.errors import RibsightError
from ribsight.files import write_text

SCHEMA = "ribsight-at-work/1"
FILE = "at_work.json"


@dataclass(frozen=True)
class Members:
    """Which models work together, and how.

    Attributes:
        folders: of the models.
        sha256s: their identities, as they were when this was written; None before.
        flip: whether each also sees the mirrored image.
    """

    folders: tuple[Path, ...]
    sha256s: tuple[str, ...] | None
    flip: bool


def joint_sha256(sha256s: Sequence[str], *, flip: bool) -> str:
    """Return the identity of models that work together; a model alone keeps its own.

    Their order does not matter, because maps are averaged.
    """
    if len(sha256s) == 1 and not flip:
        return sha256s[0]
    told = json.dumps({"members": sorted(sha256s), "flip": flip}, sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()


def joint_name(names: Sequence[str], *, flip: bool) -> str:
    """Return what people call them: `a + b, flipped too`."""
    return " + ".join(names) + (", flipped too" if flip else "")


def write_members(members: Members, sha256s: Sequence[str], name: str, folder: Path) -> None:
    """Write `at_work.json`; models inside or near the folder are named relative to it.

    Raises:
        RibsightError: the folder cannot be written to.
    """
    document = {
        "schema": SCHEMA,
        "name": name,
        "flip": members.flip,
        "members": [
            {"path": os.path.relpath(path.resolve(), folder.resolve()), "sha256": sha256}
            for path, sha256 in zip(members.folders, sha256s, strict=True)
        ],
        "sha256": joint_sha256(sha256s, flip=members.flip),
    }
    write_text(folder / FILE, json.dumps(document, indent=1) + "\n")


def read_members(folder: Path) -> Members:
    """Read what `write_members` wrote.

    Raises:
        RibsightError: the file is damaged.
    """
    path = folder / FILE
    with reading(path, "list of models that work together"):
        document = read_document(path, SCHEMA)
        members = Members(
            folders=tuple(folder / one["path"] for one in document["members"]),
            sha256s=tuple(str(one["sha256"]) for one in document["members"]),
            flip=bool(document["flip"]),
        )
    if not members.folders:
        raise RibsightError(f"{path} is no list of models that work together: it is empty")
    return members
