"""The parent's side of a process that decodes: start it, ask, wait no longer than allowed."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from ribsight.errors import RibsightError
from ribsight.radiographs.message import LENGTH, NO_MEMORY, parse_answer, sample_bytes
from ribsight.radiographs.radiograph import Radiograph, UnreadableImageError

_START_SECONDS = 120.0
_ENDING_SECONDS = 5.0
# The clock on the wall runs on while others have the processor or a disk is slow.
_WAITING = 10
_MAX_ANSWER = 1 << 20
_PIPE_BYTES = 1 << 20
_CHUNK = 1 << 20
# Given to the interpreter as it is, so that it finds the same ribsight and imports nothing else.
_PROGRAM = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from ribsight.radiographs.guarded_child import serve
serve(int(sys.argv[2]), float(sys.argv[3]))
"""
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class _TooLongError(Exception):
    pass


class _DiedError(Exception):
    pass


class ChildProcess:
    """One process that decodes, started when it is first needed."""

    def __init__(self, memory: int, seconds: float):
        """Allow `memory` bytes beyond those of an idle child, and `seconds` of work a file."""
        self._memory = memory
        self._seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._deadline = 0.0

    def read(self, source: Path | bytes, name: str, *, wide: bool = False) -> Radiograph:
        """Read one file; from one thread at a time.

        Raises:
            UnreadableImageError: as `GuardedReader.read` says.
            RibsightError: the process cannot be started.
        """
        if self._process is None or self._process.poll() is not None:
            self.kill()
            self._start()
        self._deadline = time.monotonic() + _WAITING * self._seconds
        try:
            self._ask(source, name, wide=wide)
            return self._answer(name)
        except _TooLongError:
            self.kill()
            reason = f"reading took longer than {_WAITING * self._seconds:g} s"
        except _DiedError:
            status = self._status()
            reason = "the decoder crashed"
            if status == -signal.SIGPROF:
                reason = f"decoding took longer than {self._seconds:g} s"
            elif status == NO_MEMORY:
                reason = self._too_much()
        raise UnreadableImageError(name, f"is not read: {reason}")

    def _too_much(self) -> str:
        gibibytes = self._memory / (1 << 30)
        size = f"{gibibytes:g} GiB" if gibibytes >= 1 else f"{1024 * gibibytes:g} MiB"
        return f"decoding needed more than {size}"

    def _status(self) -> int:
        """End the process, and return the status it had ended with, as Popen gives it."""
        process = self._process
        if process is None:
            return 0
        with suppress(subprocess.TimeoutExpired):  # it has closed its pipe: it is about to end
            process.wait(_ENDING_SECONDS)
        self.kill()
        return process.returncode

    def interrupt(self) -> None:
        """End the process from any thread; the one that waits for its answer cleans up."""
        process = self._process
        if process is not None:
            process.kill()

    def kill(self) -> None:
        """End the process, and wait until it has gone."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        process.wait()

    def _start(self) -> None:
        arguments = [json.dumps(sys.path), str(self._memory), str(self._seconds)]
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # decoders print there, and what they print is not ours
                bufsize=0,
                env={**os.environ, **_ONE_THREAD},
                start_new_session=True,  # Ctrl-C is for the parent, which then ends the child
            )
            for stream in (self._process.stdin, self._process.stdout):
                os.set_blocking(_number(stream), False)
                _widen(_number(stream))
            self._deadline = time.monotonic() + _START_SECONDS
            self._receive(bytearray(1))
        except (OSError, _DiedError, _TooLongError) as error:
            self.kill()
            raise RibsightError(
                f"the process that decodes untrusted images cannot be started: {error}"
            ) from error

    def _ask(self, source: Path | bytes, name: str, *, wide: bool) -> None:
        path, content = (None, source) if isinstance(source, bytes) else (source.absolute(), b"")
        file = path and str(path)
        request = {"name": name, "path": file, "bytes": len(content), "wide": wide}
        head = json.dumps(request).encode()
        self._send(LENGTH.pack(len(head)) + head)
        self._send(content)

    def _answer(self, name: str) -> Radiograph:
        length = bytearray(LENGTH.size)
        self._receive(length)
        (size,) = LENGTH.unpack(length)
        if size > _MAX_ANSWER:
            raise _DiedError("said nonsense")
        head = bytearray(size)
        self._receive(head)
        try:
            answer = parse_answer(bytes(head))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise _DiedError("said nonsense") from None
        if answer.radiograph is not None:
            self._receive(sample_bytes(answer.radiograph))
            return answer.radiograph
        if answer.is_out_of_memory:
            self.kill()
            raise UnreadableImageError(name, f"is not read: {self._too_much()}")
        raise UnreadableImageError(name, answer.reason)

    def _send(self, content: bytes) -> None:
        assert self._process is not None
        file, rest = _number(self._process.stdin), memoryview(content)
        while rest:
            self._wait_for(file, select.POLLOUT)
            try:
                rest = rest[os.write(file, rest[:_CHUNK]) :]
            except BlockingIOError:
                continue
            except OSError:
                raise _DiedError("ended") from None

    def _receive(self, target: bytearray | memoryview) -> None:
        assert self._process is not None
        file, rest = _number(self._process.stdout), memoryview(target)
        while rest:
            self._wait_for(file, select.POLLIN)
            try:
                count = os.readv(file, [rest])
            except BlockingIOError:
                continue
            except OSError:
                count = 0
            if count == 0:
                raise _DiedError("ended")
            rest = rest[count:]

    def _wait_for(self, file: int, event: int) -> None:
        poll = select.poll()
        poll.register(file, event)
        left = self._deadline - time.monotonic()
        if left <= 0 or not poll.poll(1000 * left):
            raise _TooLongError("took too long")


def _number(stream: object) -> int:
    return int(stream.fileno())  # type: ignore[attr-defined]


def _widen(file: int) -> None:
    """Let a pipe take a megabyte at once where the system can: fewer switches for each image."""
    with suppress(ImportError, AttributeError, OSError):
        import fcntl

        fcntl.fcntl(file, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
