"""The output folder: what is where, with which key it was made, and what has been done so far.

`images/` may be handed on. `review/` holds what a person has to look at first, and is private.
`journal.jsonl` has one line a source: keyed names, no old value. A torn last line is ignored.
"""

import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

import tomli_w

from ribsight.deidentification.subject import Policy
from ribsight.errors import RibsightError
from ribsight.files import write_text

_STATE = "deidentification.toml"
_PRIVATE = 0o700


@dataclass(frozen=True)
class Record:
    """What became of one source.

    Attributes:
        source: keyed name of its path.
        content: keyed name of its bytes, blank if it could not be read.
        image_id: keyed name of its file name without ending, as tables name it.
        image: name of its de-identified file without ending, blank if there is none.
        reason: why there is none, blank if there is one.
        row: what `images.csv` says of it.
        boxes: left, top, right, bottom, score of text that may be in the picture.
        remarks: what was noticed.
    """

    source: str
    content: str
    image_id: str
    image: str = ""
    reason: str = ""
    row: Mapping[str, str] = field(default_factory=dict)
    boxes: tuple[tuple[int, int, int, int, float], ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Folder:
    """The paths of an output folder."""

    out: Path

    @property
    def images(self) -> Path:
        """Files that may be handed on."""
        return self.out / "images"

    @property
    def review(self) -> Path:
        """Files that a person has to look at."""
        return self.out / "review"

    @property
    def journal(self) -> Path:
        """What was done."""
        return self.out / "journal.jsonl"

    def image(self, name: str) -> Path:
        """Return the file of an image that may be handed on."""
        return self.images / f"{name}.dcm"

    def held(self, name: str) -> Path:
        """Return the file of an image that a person has to look at."""
        return self.review / f"{name}.dcm"

    def has(self, name: str) -> bool:
        """Say whether an image is in either place."""
        return bool(name) and (self.image(name).is_file() or self.held(name).is_file())


def prepare(out: Path, policy: Policy) -> Folder:
    """Make the output folder, or go on with one that was made with this key and these options.

    Raises:
        RibsightError: it holds something else, or was made with another key or other options.
    """
    folder = Folder(out)
    state = {
        "key": policy.key.fingerprint,
        "dates": policy.dates,
        "characteristics": policy.characteristics,
    }
    path = out / _STATE
    try:
        if path.is_file():
            was = tomllib.loads(path.read_text())
            for name, value in state.items():
                if was.get(name) != value:
                    raise RibsightError(
                        f"{out} was made with other {name}: one folder, one key and one way; "
                        "give another --out"
                    )
        elif out.is_dir() and any(out.iterdir()):
            raise RibsightError(f"{out} is not empty and no output of this: give another --out")
        folder.images.mkdir(parents=True, exist_ok=True)
        folder.review.mkdir(mode=_PRIVATE, exist_ok=True)
        for place in (folder.images, folder.review):
            for torn in place.glob(".*.part"):  # a run was killed while it wrote
                torn.unlink()
    except OSError as error:
        raise RibsightError(f"cannot write to {out}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise RibsightError(f"{path} is damaged: give another --out") from None
    write_text(path, tomli_w.dumps(state))
    return folder


def existing(out: Path) -> Folder:
    """Return an output folder that is there.

    Raises:
        RibsightError: it is none.
    """
    if not (out / _STATE).is_file():
        raise RibsightError(f"{out} is no output of `ribsight deidentify`")
    return Folder(out)


def read_journal(folder: Folder) -> list[Record]:
    """Return what was done, the last word on each source."""
    try:
        lines = folder.journal.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    records = {one.source: one for one in map(_record, lines) if one is not None}
    return list(records.values())


def _record(line: bytes) -> Record | None:
    try:
        cells: dict[str, Any] = json.loads(line)
        boxes = tuple(
            (int(a), int(b), int(c), int(d), float(e)) for a, b, c, d, e in cells["boxes"]
        )
        return Record(**{**cells, "boxes": boxes, "remarks": tuple(cells["remarks"])})
    except (ValueError, TypeError, KeyError):
        return None


def append(stream: IO[str], record: Record) -> None:
    """Write one line of the journal at once."""
    stream.write(json.dumps(asdict(record)) + "\n")
    stream.flush()


def known_images(records: Iterable[Record]) -> dict[str, set[str]]:
    """Return the de-identified images by the keyed name of the file name they had."""
    known: dict[str, set[str]] = {}
    for record in records:
        if record.image:
            known.setdefault(record.image_id, set()).add(record.image)
    return known


def finished(folder: Folder, records: Iterable[Record]) -> Iterator[Record]:
    """Yield the last record of every image that may be handed on, by name."""
    by_image = {one.image: one for one in records if one.image}
    for image in sorted(by_image):
        if folder.image(image).is_file():
            yield by_image[image]


def waiting(folder: Folder, records: Iterable[Record]) -> Iterator[Record]:
    """Yield the last record of every image that a person has to look at, by name."""
    by_image = {one.image: one for one in records if one.image}
    for image in sorted(by_image):
        if folder.held(image).is_file():
            yield by_image[image]
