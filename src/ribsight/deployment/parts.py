"""Results as they come, one line each, so that a run that was killed can go on.

`OUT.parts` lies beside the output until that is written whole. Its first line names the model, each
further line is an image as it stands in the output. A line that ends in the middle was never said.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ribsight import __version__
from ribsight.errors import RibsightError
from ribsight.evaluation.predictions import ImagePrediction
from ribsight.evaluation.predictions_file import image_document, image_from

SCHEMA = "ribsight-prediction-parts/1"
_SYNC_SECONDS = 5.0
_LONGEST_LINE = 1 << 26


class Parts:
    """An append-only file of images that are done, found again by the hash of their content."""

    def __init__(self, file: int, path: Path, places: dict[str, tuple[int, int]], end: int):
        """Use an open file; `open_parts` makes one."""
        self.path = path
        self._file = file
        self._places = places
        self._end = end
        self._synced = time.monotonic()

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, sha256: str) -> bool:
        return sha256 in self._places

    def find(self, sha256: str) -> ImagePrediction | None:
        """Return the image of that content; None if it was not done."""
        place = self._places.get(sha256)
        if place is None:
            return None
        return image_from(json.loads(os.pread(self._file, place[1], place[0])))

    def add(self, image: ImagePrediction) -> None:
        """Append an image whose `sha256` is known; it outlives this process from here on.

        Raises:
            RibsightError: the disk is full.
        """
        assert image.sha256 is not None
        length = self._write(json.dumps(image_document(image)))
        self._places[image.sha256] = (self._end - length, length)

    def _write(self, line: str) -> int:
        content = line.encode() + b"\n"
        rest = memoryview(content)
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
            if time.monotonic() - self._synced > _SYNC_SECONDS:
                os.fsync(self._file)
                self._synced = time.monotonic()
        except OSError as error:
            raise RibsightError(f"cannot write {self.path}: {error.strerror}") from error
        self._end += len(content)
        return len(content)


@contextmanager
def open_parts(
    out: Path, model_sha256: str, preprocessing: str, *, resume: bool
) -> Iterator[Parts]:
    """Yield the parts of an output, empty or with what an interrupted run left.

    Leaving without an exception removes the file: the output has been written. So does leaving
    with one while there is no image in it, as nothing would be gone on with.

    Args:
        out: of the run.
        model_sha256: identity of the model; parts of another are refused.
        preprocessing: name of the pixel pipeline, likewise.
        resume: go on; without it parts that are there are an error, for they cost time to make.

    Raises:
        RibsightError: the output is a folder, another run is writing, parts are there and
            `resume` is not, or they are not this model's.
    """
    if out.is_dir():
        raise RibsightError(f"cannot write {out}: it is a folder; name a file, like {out}.json")
    path = out.with_name(f"{out.name}.parts")
    head = {
        "schema": SCHEMA,
        "model": model_sha256,
        "preprocessing": preprocessing,
        "ribsight": __version__,
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise RibsightError(f"cannot write {path}: {error.strerror}") from error
    try:
        _lock(file, path)
        places, end = _read(file, path, head)
        if places and not resume:
            raise RibsightError(
                f"{path} holds {len(places)} images of a run that did not end: go on with "
                "--resume, or remove the file"
            )
        parts = Parts(file, path, places, end)
        if end == 0:
            parts._write(json.dumps(head))
        try:
            yield parts
        except BaseException:
            if not len(parts):
                path.unlink(missing_ok=True)
            raise
        path.unlink(missing_ok=True)
    finally:
        os.close(file)


def _lock(file: int, path: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise RibsightError(f"another run is writing {path}: wait for it") from error


def _read(file: int, path: Path, head: dict[str, str]) -> tuple[dict[str, tuple[int, int]], int]:
    """Return where each image's line is, and where the last whole line ends; cut off the rest."""
    places: dict[str, tuple[int, int]] = {}
    end = 0
    with os.fdopen(os.dup(file), "rb") as stream:
        stream.seek(0)
        for line in iter(lambda: stream.readline(_LONGEST_LINE), b""):
            if not line.endswith(b"\n"):
                break
            try:
                document: Any = json.loads(line)
                if end == 0:
                    _require_same(document, head, path)
                else:
                    places[str(document["sha256"])] = (end, len(line))
            except (ValueError, KeyError, TypeError) as error:
                raise RibsightError(
                    f"{path} is no file of interrupted results: remove it ({error!r})"
                ) from error
            end += len(line)
    os.ftruncate(file, end)
    return places, end


def _require_same(found: dict[str, str], head: dict[str, str], path: Path) -> None:
    if found["schema"] != SCHEMA:
        raise ValueError(f"of schema {found['schema']}")
    for key in ("model", "preprocessing", "ribsight"):
        if found[key] != head[key]:
            raise RibsightError(
                f"{path} was begun by another {key} ({found[key][:12]}, this is "
                f"{head[key][:12]}): remove it to begin again"
            )
