"""Images that a person has to look at: the list, the pages, and what was decided.

All of it shows what may be burnt into pictures, so it is as private as the films that came in.
"""

import base64
import csv
import io
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import cv2
import jinja2
import numpy as np
from numpy.typing import NDArray

from ribsight.deidentification.blackout import Box, paint_file
from ribsight.deidentification.folder import Folder, Record
from ribsight.deidentification.opening import open_film
from ribsight.errors import RibsightError, nearest
from ribsight.files import write_bytes, write_text
from ribsight.radiographs.attributes import UnusableDicomError
from ribsight.radiographs.quiet import silent_pydicom

COLUMNS = ("image_id", "left", "top", "right", "bottom", "score", "decision")
RELEASE, BLACKOUT, WITHHOLD = "release", "blackout", "withhold"
DECISIONS = (RELEASE, BLACKOUT, WITHHOLD)
_IMAGES_A_PAGE = 100
_FILM_SIDE = 420
_LINE_WIDTH = 700
_AROUND = 24


def write_review(folder: Folder, records: Sequence[Record]) -> None:
    """Write `review/review.csv` and its pages for the images that wait; none if none does."""
    for old in folder.review.glob("review_*.html"):
        old.unlink()
    if not records:
        (folder.review / "review.csv").unlink(missing_ok=True)
        return
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for record in records:
        for box in record.boxes or (("", "", "", "", ""),):
            writer.writerow((record.image, *box, ""))
    write_text(folder.review / "review.csv", stream.getvalue())
    template = jinja2.Environment(autoescape=True).from_string(
        files(__package__).joinpath("review.html").read_text(encoding="utf-8")
    )
    pages = range(0, len(records), _IMAGES_A_PAGE)
    for number, start in enumerate(pages, start=1):
        shown = [_shown(folder, one) for one in records[start : start + _IMAGES_A_PAGE]]
        page = template.render(images=shown, number=number, pages=len(pages))
        write_text(folder.review / f"review_{number}.html", page)


def accept_review(folder: Folder, path: Path) -> dict[str, int]:
    """Do what a filled-in `review.csv` says; return how many images got each decision.

    `release` hands an image on as it is, `blackout` paints the boxes of its rows over first,
    `withhold` and a blank leave it where it is. An image is handed on when all its rows say one of
    the first two. Rows may be added for what the search has missed.

    Raises:
        RibsightError: no such file, or a row that cannot be followed; nothing has been done then.
    """
    decided = _read_decisions(folder, path)
    counts = dict.fromkeys(DECISIONS, 0)
    for image, rows in decided.items():
        decisions = {decision for decision, _ in rows}
        if not decisions <= {RELEASE, BLACKOUT}:
            counts[WITHHOLD] += 1
            continue
        held = folder.held(image)
        content = held.read_bytes()
        boxes = [box for decision, box in rows if decision == BLACKOUT and box is not None]
        if boxes:
            try:
                content = paint_file(content, boxes)
            except UnusableDicomError as error:
                raise RibsightError(f"{held} {error}: delete it and run again") from None
        write_bytes(folder.image(image), content)
        held.unlink()
        counts[BLACKOUT if boxes else RELEASE] += 1
    return counts


_Rows = list[tuple[str, Box | None]]


def _read_decisions(folder: Folder, path: Path) -> dict[str, _Rows]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except OSError as error:
        raise RibsightError(f"cannot read {path}: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error):
        raise RibsightError(f"{path} is no CSV of UTF-8 text") from None
    decided: dict[str, _Rows] = {}
    for number, row in enumerate(rows, start=2):
        where = f"{path}, row {number}"
        missing = [name for name in COLUMNS if row.get(name) is None and name != "score"]
        if missing:
            raise RibsightError(f"{where} has no cell '{missing[0]}'")
        image, decision = row["image_id"].strip(), row["decision"].strip().lower()
        if decision and decision not in DECISIONS:
            raise RibsightError(
                f"{where}: a decision is one of {', '.join(DECISIONS)}, or blank"
                f"{nearest(decision, DECISIONS)}"
            )
        if len(image) != 32 or not folder.held(image).is_file():
            if len(image) == 32 and folder.image(image).is_file():
                continue  # done by an earlier run
            raise RibsightError(f"{where} names an image that does not wait in {folder.review}")
        box = _box(row, where)
        if decision == BLACKOUT and box is None:
            raise RibsightError(f"{where} says blackout and has no box")
        decided.setdefault(image, []).append((decision, box))
    return decided


def _box(row: dict[str, str], where: str) -> Box | None:
    cells = [row[name].strip() for name in ("left", "top", "right", "bottom")]
    if not any(cells):
        return None
    try:
        left, top, right, bottom = (int(cell) for cell in cells)
    except ValueError:
        raise RibsightError(f"{where}: left, top, right and bottom are whole pixels") from None
    if not (0 <= left < right and 0 <= top < bottom):
        raise RibsightError(f"{where}: left is less than right, top less than bottom, none below 0")
    return left, top, right, bottom


def _shown(folder: Folder, record: Record) -> dict[str, object]:
    try:
        with silent_pydicom():
            grey = (open_film(folder.held(record.image).read_bytes()).shown >> 8).astype(np.uint8)
    except Exception as error:  # pydicom and decoders raise nearly anything on damaged bytes
        raise RibsightError(
            f"{folder.held(record.image)} is damaged ({type(error).__name__}): "
            "delete it and run again"
        ) from None
    lines = [
        {"picture": _png(_around(grey, (left, top, right, bottom))), "score": score}
        for left, top, right, bottom, score in record.boxes
    ]
    return {
        "name": record.image,
        "film": _png(_with_boxes(grey, record)),
        "lines": lines,
        "remarks": record.remarks,
    }


def _with_boxes(grey: NDArray[np.uint8], record: Record) -> NDArray[np.uint8]:
    scale = min(1.0, _FILM_SIDE / max(grey.shape))
    small = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    colour = cv2.cvtColor(small, cv2.COLOR_GRAY2BGR)
    for box in record.boxes:
        left, top, right, bottom = (round(edge * scale) for edge in box[:4])
        cv2.rectangle(colour, (left, top), (right, bottom), (0, 200, 255), 1)
    return np.asarray(colour, np.uint8)


def _around(grey: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
    left, top, right, bottom = box
    part = grey[max(0, top - _AROUND) : bottom + _AROUND, max(0, left - _AROUND) : right + _AROUND]
    scale = min(1.0, _LINE_WIDTH / max(part.shape))
    return np.asarray(cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))


def _png(picture: NDArray[np.uint8]) -> str:
    _, content = cv2.imencode(".png", picture)
    return base64.b64encode(content.tobytes()).decode()
