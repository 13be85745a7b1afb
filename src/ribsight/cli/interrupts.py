"""Ctrl-C while modules are imported, which Python answers with a traceback."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

INTERRUPTED = 130
SENTENCE = "ribsight: interrupted"


@contextmanager
def leaving_at_once() -> Iterator[None]:
    """End the process at Ctrl-C, without cleaning up: nothing has begun.

    Only where Ctrl-C has its usual meaning: a program that imports the command line and handles
    signals itself, or imports it in a thread, is left alone.
    """
    is_ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if is_ours:
        signal.signal(signal.SIGINT, _leave)
    try:
        yield
    finally:
        if is_ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def was_interrupted(error: BaseException) -> bool:
    """Return whether an error came of Ctrl-C: an import that it hits may fail in its own way."""
    cause: BaseException | None = error
    seen: set[int] = set()
    while cause is not None and id(cause) not in seen:
        if isinstance(cause, KeyboardInterrupt):
            return True
        seen.add(id(cause))
        cause = cause.__cause__ or cause.__context__
    return False


def _leave(*_: Any) -> NoReturn:
    os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, f"{SENTENCE}\n".encode())
    os._exit(INTERRUPTED)
