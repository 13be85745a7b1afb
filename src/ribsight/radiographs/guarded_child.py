"""The other side of `guarded.py`: the process that decodes and may die."""

import io
import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

from ribsight.radiographs.message import LENGTH, NO_MEMORY, answer_text, refusal, sample_bytes
from ribsight.radiographs.radiograph import UnreadableImageError
from ribsight.radiographs.read import read_content, read_radiograph


def serve(memory: int, seconds: float) -> None:
    """Read the files that standard input asks for until it ends.

    Args:
        memory: bytes that may be taken beyond those of now.
        seconds: of computing for one file. The system ends this process after them, in the middle
            of native code too.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    requests = os.fdopen(0, "rb", buffering=0, closefd=False)
    # Decoders print to standard output; it must not end up between answers.
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    sys.dont_write_bytecode = True
    _limit(memory)
    _write(answers, b"\0")
    with suppress(BrokenPipeError):  # the parent is gone
        try:
            _serve(requests, answers, seconds)
        except MemoryError:  # too little even for the file or for what it became
            os._exit(NO_MEMORY)


def _serve(requests: io.FileIO, answers: io.FileIO, seconds: float) -> None:
    while True:
        request = _request(requests)
        if request is None:
            return
        path, content, name, wide = request
        signal.setitimer(signal.ITIMER_PROF, seconds)
        head, samples = _read(path, content, name, wide=wide)
        signal.setitimer(signal.ITIMER_PROF, 0)
        _write(answers, LENGTH.pack(len(head)) + head)
        _write(answers, samples)


def _limit(memory: int) -> None:
    import resource

    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump shows the patient
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    with suppress(OSError, ValueError):
        limit = _address_space() + memory
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _address_space() -> int:
    """Return the bytes of address space that this process has; 0 where that is not told."""
    with suppress(OSError, ValueError, IndexError):
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        return pages * os.sysconf("SC_PAGE_SIZE")
    return 0


def _request(stream: io.FileIO) -> tuple[Path | None, bytes, str, bool] | None:
    length = _exactly(stream, LENGTH.size)
    if length is None:
        return None
    head = _exactly(stream, LENGTH.unpack(length)[0])
    if head is None:
        return None
    request = json.loads(head)
    content = _exactly(stream, request["bytes"])
    if content is None:
        return None
    path = None if request["path"] is None else Path(request["path"])
    return path, bytes(content), request["name"], request["wide"]


def _exactly(stream: io.FileIO, count: int) -> bytearray | None:
    """Return the next `count` bytes, or None if the parent is gone."""
    content = bytearray(count)
    rest = memoryview(content)
    while rest:
        got = stream.readinto(rest)
        if not got:
            return None
        rest = rest[got:]
    return content


def _read(path: Path | None, content: bytes, name: str, *, wide: bool) -> tuple[bytes, memoryview]:
    try:
        if path is None:
            radiograph = read_content(content, name, wide=wide)
        else:
            radiograph = read_radiograph(path, wide=wide)
        return answer_text(radiograph), sample_bytes(radiograph)
    except UnreadableImageError as error:
        return refusal(error.reason, is_out_of_memory=_is_memory(error)), memoryview(b"")
    except MemoryError:
        return refusal("", is_out_of_memory=True), memoryview(b"")


def _is_memory(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, MemoryError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _write(stream: io.FileIO, content: bytes | memoryview) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[stream.write(rest) or 0 :]
