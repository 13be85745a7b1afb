"""Who did what to which image: a file that only grows, each line holding the hash of the last.

An event is written to the database together with what it tells of, so that neither is there
without the other, and moved from there to the file. Patients and images of the hospital appear as
keyed hashes; model, destination, outcome and who read an image as they are called.

    {"id": 7, "at": "2026-11-28T04:00:00.000Z", "event": "result", "image": "ab12…", …,
     "previous": "…", "sha256": "…"}

`sha256` is that of the line without it, as it is written but for the spaces after `,` and `:`.
"""

import hashlib
import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from ribsight.deployment.service import tables
from ribsight.deployment.service.store import Store
from ribsight.errors import RibsightError

START = "0" * 64
"""What the first line calls the last."""

_TOGETHER = 500
_LONGEST_LINE = 1 << 16


def record(connection: Connection, event: str, **details: str | int | float | None) -> None:
    """Note an event in the transaction that makes it true; details that are None are left out."""
    said = {name: value for name, value in details.items() if value is not None}
    connection.execute(
        insert(tables.audit).values(at=time.time(), event=json.dumps({"event": event, **said}))
    )


class AuditLog:
    """The file, which this process alone writes."""

    def __init__(self, path: Path, store: Store):
        """Open the file, and cut off a last line that a crash left unfinished.

        Raises:
            RibsightError: the file cannot be written to, or its last line is none of an audit log.
        """
        self._path = path
        self._store = store
        try:
            _cut_torn_line(path)
            last = list(_last_lines(path, _TOGETHER))
        except OSError as error:
            raise RibsightError(f"cannot write {path}: {error.strerror}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise RibsightError(f"{path} is no audit log of ribsight, or was changed") from error
        self._previous: str = last[-1]["sha256"] if last else START
        # Written to the file, and perhaps not yet taken out of the database.
        self._written = {int(one["id"]) for one in last}

    def flush(self) -> int:
        """Move what waits in the database to the file; return how many events those were.

        Raises:
            OSError: the disk is full or broken; nothing is lost.
            SQLAlchemyError: the database does not answer; nothing is lost.
        """
        moved = 0
        while True:
            wanted = select(tables.audit).order_by(tables.audit.c.id).limit(_TOGETHER)
            with self._store.reading() as connection:
                rows = connection.execute(wanted).all()
            if not rows:
                return moved
            fresh = [row for row in rows if row.id not in self._written]
            self._append(fresh)
            self._written = {row.id for row in rows}
            with self._store.writing() as connection:
                connection.execute(delete(tables.audit).where(tables.audit.c.id.in_(self._written)))
            moved += len(fresh)

    def _append(self, rows: list[Any]) -> None:
        lines: list[str] = []
        previous = self._previous
        for row in rows:
            at = datetime.fromtimestamp(row.at, UTC).isoformat(timespec="milliseconds")
            event = {"id": row.id, "at": at.replace("+00:00", "Z"), **json.loads(row.event)}
            line, previous = chained(event, previous)
            lines.append(line)
        # Without a buffer, which would be written once more on closing.
        with self._path.open("ab", buffering=0) as stream:
            end = stream.seek(0, os.SEEK_END)
            rest = memoryview("".join(lines).encode())
            try:
                while rest:
                    rest = rest[stream.write(rest) :]
                os.fsync(stream.fileno())
            except OSError:
                os.ftruncate(stream.fileno(), end)
                raise
        self._previous = previous


def chained(event: dict[str, Any], previous: str) -> tuple[str, str]:
    """Return the line of an event, and its hash, which the next line holds."""
    said = {**event, "previous": previous}
    digest = _digest(said)
    return json.dumps({**said, "sha256": digest}) + "\n", digest


def _digest(said: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(said, separators=(",", ":")).encode()).hexdigest()


def verify(path: Path) -> tuple[int, str]:
    """Check that nobody changed, inserted or took out a line; what was cut off the end is not seen.

    Returns:
        the number of lines, and the last hash: written down elsewhere, it shows a cut too.

    Raises:
        RibsightError: no such file, or the first line that does not fit.
    """
    previous, number = START, 0
    try:
        with path.open("rb") as stream:
            for line in stream:
                number += 1
                previous = _checked(line, previous)
    except OSError as error:
        raise RibsightError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise RibsightError(
            f"{path}, line {number}, was changed, or lines before it were taken out or put in"
        ) from error
    return number, previous


def _checked(line: bytes, previous: str) -> str:
    said = json.loads(line)
    digest = said.pop("sha256")
    if said["previous"] != previous or digest != _digest(said):
        raise ValueError("the hash does not fit")
    return str(digest)


def _cut_torn_line(path: Path) -> None:
    path.touch(mode=0o600, exist_ok=True)
    with path.open("rb+") as stream:
        size = stream.seek(0, os.SEEK_END)
        start = max(size - _LONGEST_LINE, 0)
        stream.seek(start)
        tail = stream.read()
        if tail and not tail.endswith(b"\n"):
            stream.truncate(start + tail.rfind(b"\n") + 1)


def _last_lines(path: Path, count: int) -> Iterator[dict[str, Any]]:
    with path.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        start = max(size - count * _LONGEST_LINE // 64, 0)
        stream.seek(start)
        lines = stream.read().splitlines()
    for line in lines[-count:] if start == 0 else lines[1:][-count:]:
        yield json.loads(line)
