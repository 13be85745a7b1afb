"""Copies that an archive keeps of bytes it could not reach again, named by their hash."""

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from ribsight.archive.stored import object_path, objects_folder

_PART = ".part"


class CannotKeepError(Exception):
    """A copy could not be written: the machine's fault, not the file's."""


class Copy:
    """Bytes on their way to where their hash is their name; without a folder, nothing at all.

        with Copy(folder) as copy:
            copy.write(block)
            copy.finish(sha256)

    What is not finished leaves nothing behind. Every method raises CannotKeepError.
    """

    def __init__(self, folder: Path | None):
        self._folder = folder
        self._path: Path | None = None
        self._file: BinaryIO | None = None

    def __enter__(self) -> "Copy":
        if self._folder is not None:
            self._path = objects_folder(self._folder) / f"{secrets.token_hex(8)}{_PART}"
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self._path.open("wb")
            except OSError as error:
                raise _cannot(self._path, error) from error
        return self

    def write(self, block: bytes) -> None:
        """Add bytes."""
        if self._file is not None:
            assert self._path is not None
            try:
                self._file.write(block)
            except OSError as error:
                raise _cannot(self._path, error) from error

    def finish(self, sha256: str) -> None:
        """Let the copy be found under its hash."""
        if self._file is None or self._folder is None:
            return
        assert self._path is not None
        final = object_path(self._folder, sha256)
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            final.parent.mkdir(exist_ok=True)
            self._path.replace(final)
        except OSError as error:
            raise _cannot(final, error) from error

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # what was buffered may find no room; it is not wanted any more
            if self._file is not None:
                self._file.close()
        with suppress(OSError):
            if self._path is not None:
                self._path.unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Remove what interrupted runs left unfinished."""
    for left in objects_folder(folder).glob(f"*{_PART}"):
        left.unlink(missing_ok=True)


def _cannot(path: Path, error: OSError) -> CannotKeepError:
    return CannotKeepError(f"cannot write {path}: {error.strerror or error}")
