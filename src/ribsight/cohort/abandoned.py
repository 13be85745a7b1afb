"""Half-written files of processes that were killed: found, and taken away when nobody writes."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_UNFINISHED = ".*.part"


@contextmanager
def writing_into(folder: Path) -> Iterator[None]:
    """Hold a shared lock on `folder` while writing into it.

    Whoever comes alone first removes what killed processes left unfinished. Where folders cannot
    be locked (on Windows, some network shares), nothing is removed.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder, os.O_RDONLY)
    except OSError:  # writing will say what is wrong
        yield
        return
    try:
        with suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for unfinished in folder.glob(_UNFINISHED):
                unfinished.unlink(missing_ok=True)
        with suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_SH)
        yield
    finally:
        os.close(lock)
