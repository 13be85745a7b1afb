"""What was looked at so far, in numbered files that an interrupted run leaves whole.

Each shard's name holds its number and a hash of its content. A shard with `base` in its name
replaces all with lower numbers. Later shards win.
"""

import hashlib
import io
import re
from pathlib import Path

import polars as pl

from ribsight.archive.sighting import SIGHTINGS
from ribsight.files import write_bytes

_FOLDER = "shards"
_NAME = re.compile(r"(\d{8})-(base|more)-([0-9a-f]{16})\.parquet")
_HASH = 16
_BASE, _MORE = "base", "more"


class Shards:
    """The shards of one archive, for one writer at a time."""

    def __init__(self, folder: Path):
        """Look for shards in the archive at `folder`, and remove what interrupted runs left."""
        self._folder = folder / _FOLDER
        found = {}
        for path in sorted(self._folder.glob("*")) + sorted(self._folder.glob(".*")):
            match = _NAME.fullmatch(path.name)
            if match:
                found[int(match[1])] = (path, match[2] == _BASE)
            elif path.is_file():
                path.unlink()
        base = max((number for number, (_, is_base) in found.items() if is_base), default=0)
        for number, (path, _) in found.items():
            if number < base:
                path.unlink()
        self._paths = [path for number, (path, _) in sorted(found.items()) if number >= base]
        self._next = max(found, default=0) + 1
        self.damaged = 0

    def read(self) -> pl.DataFrame:
        """Return the last sighting of each file and member, schema `SIGHTINGS`.

        A shard that is not what was written counts in `damaged`, and its files are read again.
        """
        tables = [pl.DataFrame(schema=SIGHTINGS)]
        for path in self._paths:
            content = path.read_bytes()
            if hashlib.sha256(content).hexdigest()[:_HASH] != path.stem.rpartition("-")[2]:
                self.damaged += 1
                continue
            table = pl.read_parquet(io.BytesIO(content))
            # Another version's columns: as if nothing had been read.
            if table.schema == SIGHTINGS:
                tables.append(table)
        return last_of_each(pl.concat(tables))

    def append(self, rows: pl.DataFrame) -> None:
        """Write further sightings. Raises RibsightError if they cannot be written."""
        self._paths.append(self._write(rows, _MORE))

    def replace(self, rows: pl.DataFrame) -> None:
        """Let `rows` be all that is known. Raises RibsightError if they cannot be written."""
        old, self._paths = self._paths, [self._write(rows, _BASE)]
        for path in old:
            path.unlink()

    def _write(self, rows: pl.DataFrame, kind: str) -> Path:
        content = io.BytesIO()
        rows.rechunk().write_parquet(content)
        digest = hashlib.sha256(content.getvalue()).hexdigest()[:_HASH]
        path = self._folder / f"{self._next:08d}-{kind}-{digest}.parquet"
        write_bytes(path, content.getvalue())
        self._next += 1
        return path


def last_of_each(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the last row of each place; members of a container that has changed go."""
    last = rows.unique(["source", "position"], keep="last", maintain_order=True)
    newest = (
        last.group_by("source", maintain_order=True).last().select("source", "size", "mtime_ns")
    )
    return last.join(newest, on=["source", "size", "mtime_ns"], how="semi", nulls_equal=True)
