"""A task -> its rows: what a worker does, in whatever process it lives."""

import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ribsight.archive.containers import COMPRESSED, Container, Member, stream_members
from ribsight.archive.examine import examine, shown
from ribsight.archive.reasons import Reason, RefusedError
from ribsight.archive.sighting import ITSELF, Row, Task, new_row
from ribsight.archive.stored import HEAD_BYTES, container_kind
from ribsight.radiographs.dicom import is_dicom

_OPEN = 2


@dataclass(frozen=True)
class Reading:
    """How files are read.

    Attributes:
        folder: of the archive, where copies go.
        hash_content: hash files to their end, or their heads only.
    """

    folder: Path
    hash_content: bool = True


@dataclass
class Pulse:
    """A worker's sign of life, and where it is: what is known of it if it dies.

    Attributes:
        position: of the member in hand, -1 of a file.
        beats: grows with every block and member.
    """

    position: int = ITSELF
    beats: int = 0

    def beat(self) -> None:
        """Show that something was done."""
        self.beats += 1


def read_task(task: Task, reading: Reading, pulse: Pulse) -> Iterator[Row]:
    """Yield a row for each file or member of a task; a container's own row comes last.

    Raises:
        CannotKeepError: a copy could not be written.
    """
    pulse.position = ITSELF
    pulse.beat()
    row = new_row(task)
    if ITSELF in task.poison:
        yield refused(row, died())
        return
    try:
        if task.kind == "file":
            yield _file(task, reading, pulse, row)
        elif task.kind in COMPRESSED:
            yield from _streamed(task, reading, pulse, row)
        else:
            yield from _members(task, reading, pulse)
    except RefusedError as refusal:
        yield refused(row, refusal)
    except MemoryError:
        yield refused(row, _too_hungry())
    except OSError as error:
        yield refused(row, RefusedError(Reason.UNREADABLE, f"cannot be read: {error.strerror}"))


def refused(row: Row, refusal: RefusedError) -> Row:
    """Return the row of a file that is not taken in."""
    where = ("source", "size", "mtime_ns", "position", "member", "offset", "members", "sha256")
    kept = {column: row.get(column) for column in (*where, "head_sha256")}
    return {**kept, "reason": str(refusal.reason), "sentence": refusal.sentence}


def died() -> RefusedError:
    """Return why a file is refused at which its reader died, or did nothing for too long."""
    return RefusedError(Reason.CRASH, "ended or held up the process that read it")


def _too_hungry() -> RefusedError:
    return RefusedError(Reason.MEMORY, "needs too much memory to be read")


def _file(task: Task, reading: Reading, pulse: Pulse, row: Row) -> Row:
    # Without waiting where the path has become a pipe since it was listed.
    with os.fdopen(os.open(task.source, os.O_RDONLY | os.O_NONBLOCK), "rb", 0) as stream:
        _refuse_changed(task, stream.fileno())
        start = stream.read(HEAD_BYTES)
        kind = None if is_dicom(start) else container_kind(start)
        if kind is not None:
            return _container(task, kind, row, pulse)
        stream.seek(0)
        examine(stream, task.size, row, hash_content=reading.hash_content, beat=pulse.beat)
        _refuse_changed(task, stream.fileno())
    return row


def _refuse_changed(task: Task, file: int) -> None:
    found = os.fstat(file)
    if (found.st_size, found.st_mtime_ns) != (task.size, task.mtime_ns):
        raise RefusedError(
            Reason.CHANGING, "changed while it was read: run `ribsight ingest` again"
        )


def _container(task: Task, kind: str, row: Row, pulse: Pulse) -> Row:
    """Return a container's row; that of a compressed one does not know yet what is in it."""
    row["format"] = kind
    if kind in COMPRESSED:
        return row
    container = _open_container(task, kind, pulse.beat)
    row["members"] = len(container.members)
    if container.damage is not None:
        return {**refused(row, container.damage), "format": kind}
    return row


def _members(task: Task, reading: Reading, pulse: Pulse) -> Iterator[Row]:
    container = _open_container(task, task.kind, pulse.beat)
    for member in container.members[task.start : task.stop]:
        if member.position in task.passed_over:
            continue
        row = _member_row(task, member)

        def look(member: Member = member, row: Row = row) -> None:
            with container.open(member) as stream:
                examine(
                    stream, member.size, row, hash_content=reading.hash_content, beat=pulse.beat
                )

        yield _look(task, member, row, pulse, look)


def _streamed(task: Task, reading: Reading, pulse: Pulse, row: Row) -> Iterator[Row]:
    row["format"], row["members"] = task.kind, 0
    try:
        for member, stream in stream_members(Path(task.source), task.kind):
            row["members"] = member.position + 1
            if member.position in task.passed_over:
                pulse.beat()
                continue
            one = _member_row(task, member)

            def look(member: Member = member, row: Row = one, stream: object = stream) -> None:
                assert hasattr(stream, "read")
                # A member of a compressed tar file can only be reached past all those before it.
                examine(
                    stream, member.size, row, hash_content=True, keep=reading.folder,
                    beat=pulse.beat,
                )  # fmt: skip

            yield _look(task, member, one, pulse, look)
    except RefusedError as refusal:
        yield {**refused(row, refusal), "format": task.kind}
        return
    yield row


def _member_row(task: Task, member: Member) -> Row:
    return new_row(task, member.position, shown(member.name) or "?", member.offset)


def _look(task: Task, member: Member, row: Row, pulse: Pulse, look: Callable[[], None]) -> Row:
    pulse.position = member.position
    pulse.beat()
    if member.position in task.poison:
        return refused(row, died())
    if member.refused is not None:
        return refused(row, member.refused)
    try:
        look()
    except RefusedError as refusal:
        return refused(row, refusal)
    except MemoryError:
        return refused(row, _too_hungry())
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        kind = type(error).__name__
        return refused(
            row, RefusedError(Reason.DAMAGED, f"cannot be unpacked ({kind}): get it again")
        )
    return row


def _open_container(task: Task, kind: str, beat: Callable[[], None]) -> Container:
    return _containers(task.source, task.size, task.mtime_ns, kind, beat)


@lru_cache(maxsize=_OPEN)
def _containers(
    source: str,
    size: int,  # noqa: ARG001 with the next, so that a changed file is listed again
    mtime_ns: int,  # noqa: ARG001
    kind: str,
    beat: Callable[[], None],
) -> Container:
    return Container(Path(source), kind, beat)
