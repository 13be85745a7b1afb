"""Reading files that nobody vouches for, in processes that may die without harm.

    with GuardedReader(processes=2) as reader:
        radiograph = reader.read(path)                    # as read_radiograph(path)
        radiograph = reader.read(content, "a.zip/1.dcm")  # bytes, and what errors call them
        for result in reader.map(paths):                  # in order; a failure ends nothing
            if isinstance(result, UnreadableImageError): ...

    radiograph = read_guarded(path)   # in a worker of a process pool: one child for each worker

A child imports this room only and is held to a share of memory, to a time for each file, to no
core dump and to writing no file. What it sends back is checked before it is believed: JSON, and
samples of the size that the JSON says, never a pickle. A child that hangs is killed, one that dies
is replaced when the next file comes.
"""

import multiprocessing.util
import os
import queue
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path, PurePath
from types import TracebackType
from typing import TypeAlias

from ribsight.radiographs.child_process import ChildProcess
from ribsight.radiographs.radiograph import Radiograph, UnreadableImageError

Source: TypeAlias = Path | bytes | tuple[bytes, PurePath | str]
"""A file, its content, or its content and its name."""

MEMORY = 2 << 30
SECONDS = 20.0

_UNNAMED = "the image"


class GuardedReader:
    """Reads radiographs in child processes of limited memory and time.

    Children start with the first file, are killed on leaving the `with` block, and end by
    themselves if this process dies. One reader may be used from several threads.
    """

    def __init__(self, processes: int = 1, *, memory: int = MEMORY, seconds: float = SECONDS):
        """Read up to `processes` files at once.

        Args:
            processes: children.
            memory: bytes that one file may take beyond what an idle child takes. Where the system
                knows no such limit (RLIMIT_AS), only time is limited.
            seconds: of computing that one file may take, and ten times that by the clock.
        """
        self.processes = processes
        self.memory = memory
        self.seconds = seconds
        self._owner = os.getpid()
        self._children, self._idle = self._new_children()

    def __enter__(self) -> "GuardedReader":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __reduce__(self) -> tuple[object, ...]:
        return _reader, (self.processes, self.memory, self.seconds)

    def close(self) -> None:
        """Kill the children and wait for their end. A later `read` starts new ones."""
        if os.getpid() != self._owner:
            return
        for _ in range(self.processes):
            child = self._idle.get()
            child.kill()
            self._idle.put(child)

    def read(
        self, source: Path | bytes, name: PurePath | str | None = None, *, wide: bool = False
    ) -> Radiograph:
        """Read one file as `read_radiograph` does.

        Args:
            source: a file, or its content.
            name: what errors call it; the path, if there is one.
            wide: as for `read_radiograph`.

        Raises:
            UnreadableImageError: as `read_radiograph` says; or decoding took too long or needed
                too much memory, or the decoder crashed.
            RibsightError: no child can be started.
        """
        if os.getpid() != self._owner:  # a fork: the children are the other process's
            self._owner = os.getpid()
            self._children, self._idle = self._new_children()
        child = self._idle.get()
        try:
            called = str(name or (source if isinstance(source, Path) else _UNNAMED))
            return child.read(source, called, wide=wide)
        except UnreadableImageError:
            raise
        except BaseException:
            child.kill()  # interrupted within an answer, whose rest the next file would get
            raise
        finally:
            self._idle.put(child)

    def interrupt(self) -> None:
        """Let what is being read fail at once, from any thread: nobody waits for it any more."""
        for child in self._children:
            child.interrupt()

    def map(self, sources: Iterable[Source]) -> Iterator[Radiograph | UnreadableImageError]:
        """Yield what each of `sources` gives, in their order, reading a few ahead.

        Raises:
            RibsightError: no child can be started.
        """
        ahead: deque[Future[Radiograph | UnreadableImageError]] = deque()
        threads = ThreadPoolExecutor(self.processes, "ribsight-guarded")
        try:
            for source in sources:
                ahead.append(threads.submit(self._result, source))
                if len(ahead) > 2 * self.processes:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            if ahead:
                self.interrupt()
            threads.shutdown(wait=True, cancel_futures=True)

    def _result(self, source: Source) -> Radiograph | UnreadableImageError:
        content, name = source if isinstance(source, tuple) else (source, None)
        try:
            return self.read(content, name)
        except UnreadableImageError as error:
            return error

    def _new_children(self) -> "tuple[list[ChildProcess], queue.SimpleQueue[ChildProcess]]":
        children = [ChildProcess(self.memory, self.seconds) for _ in range(self.processes)]
        idle: queue.SimpleQueue[ChildProcess] = queue.SimpleQueue()
        for child in children:
            idle.put(child)
        return children, idle


_own_lock = threading.Lock()
_own: dict[int, GuardedReader] = {}


def read_guarded(path: Path) -> Radiograph:
    """Read a file as `read_radiograph` does, in the one child that this process keeps.

    Raises:
        UnreadableImageError: as `GuardedReader.read` says.
        RibsightError: no child can be started.
    """
    return _own_reader().read(path)


def read_guarded_content(content: bytes, name: PurePath | str) -> Radiograph:
    """Read a file's content as `read_guarded` reads a file; `name` is what errors call it."""
    return _own_reader().read(content, name)


def _own_reader() -> GuardedReader:
    with _own_lock:
        reader = _own.get(os.getpid())
        if reader is None:
            reader = _own[os.getpid()] = GuardedReader()
            # Worker processes leave without atexit; this is run by them and by others.
            multiprocessing.util.Finalize(None, reader.close, exitpriority=10)
    return reader


def _reader(processes: int, memory: int, seconds: float) -> GuardedReader:
    return GuardedReader(processes, memory=memory, seconds=seconds)
