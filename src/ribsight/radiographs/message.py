"""What a child process says of the file that it was given: JSON, because it is not believed.

A decoder that a hostile file has taken over may send anything; a pickle would carry that into this
process.
"""

import dataclasses
import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ribsight.radiographs.eligibility import Eligibility
from ribsight.radiographs.radiograph import (
    Identifiers,
    Orientation,
    Pixels,
    Provenance,
    Radiograph,
    View,
    why_impossible,
)

_EMPTY: dict[int, Callable[[int, int], Pixels]] = {
    8: lambda height, width: np.empty((height, width), np.uint8),
    16: lambda height, width: np.empty((height, width), np.uint16),
}
NO_MEMORY = 3
"""The exit status of a child that has no memory left to say so."""
LENGTH = struct.Struct("<Q")
"""Stands before each JSON text and says how many bytes it has."""


@dataclass(frozen=True, eq=False)
class Answer:
    """What a child says.

    Attributes:
        radiograph: with pixels that are still to be filled; None if there is none.
        reason: why there is none.
        is_out_of_memory: whether that was because memory was not enough: the child is spent.
    """

    radiograph: Radiograph | None = None
    reason: str = ""
    is_out_of_memory: bool = False


def refusal(reason: str, *, is_out_of_memory: bool) -> bytes:
    """Return as JSON that there is no radiograph."""
    return json.dumps({"reason": reason, "is_out_of_memory": is_out_of_memory}).encode()


def sample_bytes(radiograph: Radiograph) -> memoryview:
    """Return the samples of a radiograph as bytes that can be read and filled."""
    return radiograph.pixels.reshape(-1).view(np.uint8).data


def answer_text(radiograph: Radiograph) -> bytes:
    """Return everything but the samples of a radiograph as JSON."""
    values: dict[str, Any] = {
        one.name: getattr(radiograph, one.name)
        for one in dataclasses.fields(Radiograph)
        if one.name != "pixels"
    }
    for name in ("provenance", "identifiers", "eligibility", "orientation"):
        if values[name] is not None:
            values[name] = dataclasses.asdict(values[name])
    return json.dumps({"radiograph": values, "shape": radiograph.pixels.shape}).encode()


def parse_answer(text: bytes) -> Answer:
    """Return what a child said.

    Raises:
        ValueError, TypeError, KeyError, AttributeError: it is no answer.
    """
    said = json.loads(text)
    if "radiograph" not in said:
        return Answer(None, str(said["reason"]), bool(said["is_out_of_memory"]))
    values = said["radiograph"]
    height, width = map(int, said["shape"])
    if height < 0 or width < 0 or why_impossible(width, height):
        raise ValueError("an impossible size")
    bits = int(values["bits"])
    if bits not in _EMPTY:
        raise ValueError("an impossible type")
    spacing, view = values["pixel_spacing"], values["view"]
    provenance, field, window = values["provenance"], values["field"], values["window"]
    said = values["eligibility"]
    radiograph = Radiograph(
        pixels=_EMPTY[bits](height, width),
        bits=bits,
        warnings=tuple(map(str, values["warnings"])),
        pixel_spacing=None if spacing is None else (float(spacing[0]), float(spacing[1])),
        view=None if view is None else View(view),
        provenance=None if provenance is None else Provenance(**provenance),
        identifiers=Identifiers(**values["identifiers"]),
        orientation=Orientation(**values["orientation"]),
        field=None if field is None else (field[0], field[1], field[2], field[3]),
        eligibility=None if said is None else Eligibility(**said),
        window=None if window is None else (int(window[0]), int(window[1])),
    )
    return Answer(radiograph)
