"""What is known of one file or member that was looked at: the row that a run can go on from."""

from dataclasses import dataclass
from typing import Any

import polars as pl

from ribsight.archive.index import HEADER

ITSELF = -1
"""The position of a file that was looked at as a whole."""

KEY = ("source", "size", "mtime_ns")
"""What tells a file that need not be read again."""

SIGHTINGS = pl.Schema(
    {
        "source": pl.String(),
        "size": pl.Int64(),  # of the file at `source`; null of an address
        "mtime_ns": pl.Int64(),
        "position": pl.Int64(),  # of the member in its container, from 0; -1 of the file itself
        "member": pl.String(),
        "offset": pl.Int64(),
        "members": pl.Int64(),  # of a container whose members were listed, else null
        "reason": pl.String(),  # empty of an image and of a container
        "sentence": pl.String(),
        "image": pl.String(),  # SOP Instance UID; null of PNG, JPEG and TIFF
        "format": pl.String(),
        "bytes": pl.Int64(),
        "sha256": pl.String(),
        "head_sha256": pl.String(),
        "pixels": pl.String(),  # a hash of the pixel data alone, as stored
        **HEADER,
    }
)

Row = dict[str, Any]
"""One sighting by column of `SIGHTINGS`; a column that is left out is null."""


@dataclass(frozen=True)
class Task:
    """A file to look at, or some members of one.

    Attributes:
        source: path of the file.
        size, mtime_ns: as listed.
        kind: `file`, or the kind of container whose members are wanted.
        start, stop: positions of the wanted members; `stop` None: to the end.
        passed_over: positions that are known already.
        poison: positions at which a reader died: refused without a look.
        is_suspect: whether a reader died at it, which may have been another's fault.
    """

    source: str
    size: int
    mtime_ns: int
    kind: str = "file"
    start: int = 0
    stop: int | None = None
    passed_over: frozenset[int] = frozenset()
    poison: frozenset[int] = frozenset()
    is_suspect: bool = False


def new_row(task: Task, position: int = ITSELF, member: str = "", offset: int = 0) -> Row:
    """Return a row that says where and nothing of what."""
    return {
        "source": task.source,
        "size": task.size,
        "mtime_ns": task.mtime_ns,
        "position": position,
        "member": member,
        "offset": offset,
        "reason": "",
        "sentence": "",
        "sha256": "",
        "head_sha256": "",
    }


def sightings(rows: list[Row]) -> pl.DataFrame:
    """Return rows as a table."""
    columns = {name: [row.get(name) for row in rows] for name in SIGHTINGS}
    return pl.DataFrame(columns, schema=SIGHTINGS)
