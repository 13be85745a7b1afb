"""What an archive's folder holds while it is written: whose it is, its sources, its lock."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ribsight.archive.keeping import sweep
from ribsight.errors import RibsightError
from ribsight.files import write_text

_SOURCES = "sources.json"
_LOCK = ".lock"


@contextmanager
def own_folder(folder: Path) -> Iterator[None]:
    """Make the folder if it is not there, and keep other runs out of it meanwhile.

    Raises:
        RibsightError: it holds something else, cannot be written to, or another run is at work.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held = [path.name for path in folder.iterdir() if not path.name.startswith(".")]
        if held and _SOURCES not in held:
            raise RibsightError(f"{folder} is not empty and no archive: give another --out")
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise RibsightError(f"cannot write to {folder}: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for left in folder.glob(".*.part"):
            left.unlink()
        sweep(folder)
        yield
    except BlockingIOError as error:
        raise RibsightError(f"another `ribsight ingest` is writing {folder}") from error
    finally:
        os.close(lock)


def add_sources(folder: Path, sources: list[str]) -> list[str]:
    """Remember further sources, and return all of this archive, sorted.

    Raises:
        RibsightError: what was remembered is damaged, or cannot be written.
    """
    path = folder / _SOURCES
    try:
        before = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
        together = sorted({*before, *sources})
    except (OSError, ValueError, TypeError) as error:
        raise RibsightError(f"{path} is damaged: give another --out") from error
    if together != before:
        write_text(path, json.dumps(together, indent=2) + "\n")
    return together
