"""The header of an accepted file, for the objects that are about it."""

import io
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset

from ribsight.radiographs.quiet import unchecking_pydicom

_MOST_UNTRUSTED = 1 << 18


def trusted_header(path: Path) -> Dataset:
    """Read all before the pixels of a file that was read before, in a guarded child process."""
    with unchecking_pydicom():
        return pydicom.dcmread(path, stop_before_pixels=True)


def untrusted_header(path: Path) -> Dataset | None:
    """Read all before the pixels of a file that could not be read; None if that fails too.

    No file that could not be read gets more than 256 KiB looked at: a parser in this process has
    no limits of its own, and that much takes neither long nor much memory.
    """
    try:
        with path.open("rb") as stream:
            content = stream.read(_MOST_UNTRUSTED)
        with unchecking_pydicom():
            dataset = pydicom.dcmread(io.BytesIO(content), stop_before_pixels=True)
            # Values are read when they are asked for: those that cannot be go now.
            for tag in list(dataset.keys()):
                try:
                    dataset[tag]
                except Exception:  # pydicom raises nearly anything on damaged values
                    del dataset[tag]
            return dataset
    except Exception:  # RecursionError too
        return None
