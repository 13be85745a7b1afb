"""Processes that read files nobody vouches for: one that dies or hangs costs one file."""

import json
import multiprocessing
import os
import resource
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from typing import Any

from ribsight.archive.keeping import CannotKeepError
from ribsight.archive.reading import Pulse, Reading, read_task
from ribsight.archive.sighting import ITSELF, Row, Task
from ribsight.errors import RibsightError
from ribsight.radiographs.quiet import unchecking_pydicom

MEMORY = 1 << 30
"""Bytes that a reader may take beyond what an idle one has."""
SECONDS = 30.0
"""How long a reader may show no sign of life."""

_BATCH = 256
_LOOK = 0.5
_BIRTH_SECONDS = 300.0
_STILLBORN = 3
_MAX_ANSWER = 1 << 28
_AT, _POSITION, _BEATS = range(3)

Chunk = Sequence[Task]


ReadChunks = Callable[[Iterable[Chunk]], Iterator[list[Row]]]
"""Chunks of tasks -> their rows, a list now and then, in any order."""


@contextmanager
def readers(
    reading: Reading, processes: int, *, memory: int = MEMORY, seconds: float = SECONDS
) -> Iterator[ReadChunks]:
    """Yield what reads chunks in child processes, which start when needed and end here.

    A file at which a reader dies is tried again alone, and refused if that reader dies too.

    Args:
        reading: how files are read.
        processes: children at most.
        memory: bytes that one may take beyond what an idle one has.
        seconds: without a sign of life, after which one is killed.

    Raises:
        RibsightError: while reading: a copy cannot be written, or no reader can be started.
    """
    crew: list[_Reader] = []

    def read(chunks: Iterable[Chunk]) -> Iterator[list[Row]]:
        waiting, again = iter(chunks), deque[Chunk]()
        while True:
            while sum(bool(reader.chunk) for reader in crew) < processes:
                chunk = again.popleft() if again else next(waiting, None)
                if not chunk:
                    break
                idle = next((reader for reader in crew if not reader.chunk), None)
                if idle is None:
                    idle = _Reader(reading, memory, seconds)
                    crew.append(idle)
                idle.begin(chunk)
            busy = {reader.pipe: reader for reader in crew if reader.chunk}
            if not busy:
                return
            ready = wait(list(busy), timeout=_LOOK)
            for pipe, reader in busy.items():
                if pipe in ready:
                    rows = reader.receive(again)
                    if rows:
                        yield rows
                elif reader.hangs():
                    reader.bury(again)

    try:
        yield read
    finally:
        for reader in crew:
            reader.kill()


class _Reader:
    """One child process and the chunk that it reads."""

    def __init__(self, reading: Reading, memory: int, seconds: float):
        self._reading, self._memory, self._seconds = reading, memory, seconds
        self._context = multiprocessing.get_context("spawn")
        self.chunk: Chunk = ()
        self._done: set[tuple[int, int]] = set()
        self._stillborn = 0
        self._start()

    def _start(self) -> None:
        self._state = self._context.RawArray("q", 3)
        self.pipe, theirs = self._context.Pipe()
        limits = (self._reading, self._memory, os.getpid())
        self._process = self._context.Process(
            target=_work, args=(theirs, self._state, *limits), daemon=True
        )
        try:
            self._process.start()
        except OSError as error:
            raise RibsightError(f"cannot start a process that reads: {error.strerror}") from error
        theirs.close()
        self._seen, self._since = 0, time.monotonic()

    def begin(self, chunk: Chunk) -> None:
        self.chunk, self._done = chunk, set()
        self._state[_AT], self._state[_POSITION] = 0, ITSELF
        self._since = time.monotonic()
        with suppress(OSError):  # if it has died, receiving will show
            self.pipe.send(chunk)

    def receive(self, again: deque[Chunk]) -> list[Row]:
        try:
            answer: dict[str, Any] = json.loads(self.pipe.recv_bytes(_MAX_ANSWER))
        except (EOFError, OSError, ValueError):
            self.bury(again)
            return []
        if "cannot" in answer:
            raise RibsightError(str(answer["cannot"]))
        if answer["done"]:
            self.chunk = ()
        self._done |= {(at, row["position"]) for at, row in answer["rows"]}
        return [row for _, row in answer["rows"]]

    def hangs(self) -> bool:
        """Say whether nothing has happened for too long."""
        beats = self._state[_BEATS]
        if beats != self._seen:
            self._seen, self._since = beats, time.monotonic()
        patience = self._seconds if beats else max(self._seconds, _BIRTH_SECONDS)
        return time.monotonic() - self._since > patience

    def bury(self, again: deque[Chunk]) -> None:
        """Replace a dead child, and put back what it had not read."""
        at, position, beats = self._state
        self.kill()
        chunk, self.chunk = self.chunk, ()
        self._stillborn = 0 if beats else self._stillborn + 1
        if self._stillborn >= _STILLBORN:
            raise RibsightError(
                "the processes that read files end before they read: is memory short?"
            )
        again.extend(_what_is_left(chunk, at, position, self._done) if beats else [chunk])
        self._start()

    def kill(self) -> None:
        self._process.kill()
        self._process.join()
        self.pipe.close()


def _what_is_left(
    chunk: Chunk, at: int, position: int, done: set[tuple[int, int]]
) -> Iterator[Chunk]:
    """Yield what a reader that died at a task, at a member's position, has not sent.

    The task in hand comes back alone, and if that reader dies too, with the place poisoned.
    """
    at = min(max(at, 0), len(chunk) - 1)
    rest = [
        replace(task, passed_over=task.passed_over | {one for where, one in done if where == index})
        for index, task in enumerate(chunk)
        if index != at and not (task.kind == "file" and (index, ITSELF) in done)
    ]
    if rest:
        yield rest
    dead = chunk[at]
    known = dead.passed_over | {one for where, one in done if where == at}
    dead = replace(dead, passed_over=known)
    if not dead.is_suspect:
        yield [replace(dead, is_suspect=True)]
    else:
        # Where passing over the place is deadly too, all of the task is given up.
        place = ITSELF if position in dead.poison else position
        yield [replace(dead, poison=dead.poison | {place})]


def _work(pipe: Connection, state: Any, reading: Reading, memory: int, parent: int) -> None:
    """Read chunks until the parent is gone."""
    _limit(memory)
    pulse = _Shown(state, parent)
    pulse.beat()
    with unchecking_pydicom(), suppress(EOFError, OSError, KeyboardInterrupt):
        while True:
            chunk: Chunk = pipe.recv()
            rows: list[tuple[int, Row]] = []
            try:
                for at, task in enumerate(chunk):
                    state[_AT] = at
                    for row in read_task(task, reading, pulse):
                        rows.append((at, row))
                        if len(rows) >= _BATCH:
                            _send(pipe, rows, done=False)
                            rows = []
            except CannotKeepError as error:
                pipe.send_bytes(json.dumps({"cannot": str(error)}).encode())
                return
            _send(pipe, rows, done=True)


class _Shown(Pulse):
    """A pulse that the parent can see, whatever becomes of this process."""

    def __init__(self, state: Any, parent: int):
        self._state, self._parent = state, parent
        super().__init__()

    def beat(self) -> None:
        self._state[_POSITION] = self.position
        self._state[_BEATS] += 1
        if os.getppid() != self._parent:
            sys.exit(0)  # nobody waits for what would come


def _send(pipe: Connection, rows: list[tuple[int, Row]], *, done: bool) -> None:
    # JSON, not a pickle: what a hostile file has taken over must not speak for this program.
    pipe.send_bytes(json.dumps({"rows": rows, "done": done}).encode())


def _limit(memory: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError, ValueError):
        pages = int(open("/proc/self/statm").read().split()[0])  # noqa: PTH123, SIM115
        limit = pages * resource.getpagesize() + memory
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
