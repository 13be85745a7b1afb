"""Truth from a CSV: a row a region, or a row without a box for an image on which none is drawn."""

from collections.abc import Mapping
from pathlib import Path

from ribsight.errors import RibsightError
from ribsight.evaluation.inputs.csv_table import FALSE, TRUE, CsvTable, read_csv, require
from ribsight.evaluation.inputs.rows import ImageRow, RegionRow, StateRow, TruthRows
from ribsight.findings import DiagnosisState

NO_FINDING = {"", "no finding", "no_finding", "normal"}
ONLY_FINDING = "finding"
"""The finding of a CSV without a column for it."""

_OF_IMAGES = ("patient", "group", "image_width", "image_height", "spacing")
_KNOWN = {
    "image", "finding", "reader", "state", "ignore", "x0", "y0", "x1", "y1", "x", "y",
    "box_width", "box_height", "class_id", *_OF_IMAGES,
}  # fmt: skip
_STATES = {"1": "positive", "0": "negative", "true": "positive", "false": "negative"}


def read_truth_csv(path: Path) -> TruthRows:
    """Read a CSV of truth (docs/evaluation.md has its columns).

    A row with a box is a region. A row without one says of its image and finding (of all findings,
    if that is empty or "No finding") what `state` says, or that the image is without it. Columns
    of other names are kept for strata: of images if no image has two values, else of regions.

    Raises:
        RibsightError: no such file, no column `image`, or a cell that cannot be understood, with
            its row.
    """
    table = read_csv(path)
    require(table, "image")
    if "score" in table.columns and not {"x0", "box_width", "state"} & set(table.columns):
        raise RibsightError(
            f"{path} has scores but neither boxes nor states, so it seems to be marks (are --truth "
            "and --marks swapped?)"
        )
    extra = [name for name in table.columns if name not in _KNOWN]
    of_images, first = _by_image(table, extra)
    regions, states = [], []
    for row, cells in enumerate(table.rows):
        box = table.box(row)
        finding, reader = _finding(table, row), cells.get("reader", "")
        if box is None:
            state = _state(table, row)
            states.append(StateRow(cells["image"], finding, state, reader, table.where(row)))
            continue
        if not finding:
            raise RibsightError(f"{table.where(row)}: a box without a finding")
        if cells.get("state") and _state(table, row) == DiagnosisState.NEGATIVE:
            raise RibsightError(f"{table.where(row)}: a box, and the state negative")
        own = {name: cells[name] for name in extra if name not in of_images}
        regions.append(
            RegionRow(
                image=cells["image"],
                finding=finding,
                box=box,
                reader=reader,
                ignore=_ignore(table, row),
                where=table.where(row),
                columns=own,
            )
        )
    images = [
        _image(table, row, {name: of_images[name].get(image, "") for name in of_images})
        for image, row in first.items()
    ]
    named = [one.finding for one in regions] + [one.finding for one in states if one.finding]
    return TruthRows(images, regions, states, tuple(dict.fromkeys(named)))


def read_image_csv(path: Path) -> list[ImageRow]:
    """Read a CSV with one row an image: patient, group, size, spacing, columns for strata.

    Without a column `image` but with `patient`, a row says of all images of a patient; then its
    name is empty.

    Raises:
        RibsightError: no such file, neither column, an image or patient twice, or a cell that
            cannot be understood, with its row.
    """
    table = read_csv(path)
    if "image" not in table.columns and "patient" in table.columns:
        return _patient_rows(table)
    require(table, "image")
    extra = [name for name in table.columns if name not in _KNOWN]
    seen: dict[str, int] = {}
    for row, cells in enumerate(table.rows):
        if cells["image"] in seen:
            raise RibsightError(
                f"{table.where(row)}: image {cells['image']} is also in row "
                f"{table.numbers[seen[cells['image']]]}: give each image one row"
            )
        seen[cells["image"]] = row
    return [
        _image(table, row, {name: table.rows[row][name] for name in extra}) for row in seen.values()
    ]


def _patient_rows(table: CsvTable) -> list[ImageRow]:
    extra = [name for name in table.columns if name not in _KNOWN]
    first: dict[str, int] = {}
    for row, cells in enumerate(table.rows):
        if not cells["patient"]:
            raise RibsightError(f"{table.where(row)}: no patient is named")
        if cells["patient"] in first:
            raise RibsightError(
                f"{table.where(row)}: patient {cells['patient']} is also in row "
                f"{table.numbers[first[cells['patient']]]}: give each patient one row"
            )
        first[cells["patient"]] = row
    return [
        ImageRow(
            name="",
            where=table.where(row),
            patient=patient,
            group=table.rows[row].get("group", ""),
            columns={name: table.rows[row][name] for name in extra},
        )
        for patient, row in first.items()
    ]


def _by_image(
    table: CsvTable, extra: list[str]
) -> tuple[dict[str, dict[str, str]], dict[str, int]]:
    """Return the columns that belong to images, with their values, and each image's first row."""
    first: dict[str, int] = {}
    of_images: dict[str, dict[str, str]] = {name: {} for name in extra}
    for row, cells in enumerate(table.rows):
        image = cells["image"]
        if not image:
            raise RibsightError(f"{table.where(row)}: no image is named")
        first.setdefault(image, row)
        for name in _OF_IMAGES:
            before = table.rows[first[image]].get(name, "")
            if cells.get(name, "") != before:
                raise RibsightError(
                    f"{table.where(row)}: {name} of image {image} is '{cells[name]}' here and "
                    f"'{before}' in row {table.numbers[first[image]]}"
                )
        for name in list(of_images):
            if of_images[name].setdefault(image, cells[name]) != cells[name]:
                del of_images[name]
    return of_images, first


def _image(table: CsvTable, row: int, columns: Mapping[str, str]) -> ImageRow:
    cells = table.rows[row]
    width, height, spacing = (
        table.number(row, name) if cells.get(name) else None
        for name in ("image_width", "image_height", "spacing")
    )
    for value in (width, height, spacing):
        if value is not None and value <= 0:
            raise RibsightError(f"{table.where(row)}: size and spacing must be above 0")
    return ImageRow(
        name=cells["image"],
        where=table.where(row),
        patient=cells.get("patient", ""),
        group=cells.get("group", ""),
        width=width,
        height=height,
        spacing=spacing,
        columns=columns,
    )


def _finding(table: CsvTable, row: int) -> str:
    if "finding" not in table.columns:
        return ONLY_FINDING
    name = table.rows[row]["finding"]
    return "" if name.lower() in NO_FINDING else name


def _state(table: CsvTable, row: int) -> str:
    text = table.rows[row].get("state", "").lower()
    state = _STATES.get(text, text or "negative")
    if state not in set(DiagnosisState):
        raise RibsightError(
            f"{table.where(row)}: state is '{text}'; it can be {', '.join(DiagnosisState)}, 1 or 0"
        )
    return state


def _ignore(table: CsvTable, row: int) -> bool:
    text = table.rows[row].get("ignore", "").lower()
    if text not in TRUE | FALSE:
        raise RibsightError(f"{table.where(row)}: ignore is '{text}'; it can be 1 or 0")
    return text in TRUE
