"""Files of truth -> arrays by finding."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ribsight.cohort.tables import load_cohort
from ribsight.errors import RibsightError, nearest
from ribsight.evaluation.inputs.image_columns import names_of, with_columns, with_images
from ribsight.evaluation.inputs.readers import combine_readers
from ribsight.evaluation.inputs.rows import ImageRow, RegionRow, TruthRows
from ribsight.evaluation.inputs.truth_coco import read_truth_coco
from ribsight.evaluation.inputs.truth_csv import read_image_csv, read_truth_csv
from ribsight.evaluation.score import TruthSet
from ribsight.evaluation.truth import NEGATIVE, NOT_KNOWN, POSITIVE, STATE_CODES, Truth, truth_of
from ribsight.files import file_sha256
from ribsight.findings import DiagnosisState


@dataclass(frozen=True, eq=False)
class NamedTruth:
    """A truth, and the names by which files of marks may call its images and findings.

    Attributes:
        truth: by finding.
        names: image id by every name it goes by: its own, its file's name without ending.
        ids: image id by its id in a COCO file.
        categories: finding by its id in a COCO file.
    """

    truth: TruthSet
    names: Mapping[object, str]
    ids: Mapping[object, str]
    categories: Mapping[object, str]


def read_truth(
    path: Path,
    *,
    images: Path | None = None,
    split: str | None = None,
    readers: str | None = None,
    ignore: Sequence[tuple[str, str]] = (),
) -> NamedTruth:
    """Read a cohort's folder, COCO JSON or a CSV.

    Args:
        path: of the truth.
        images: a CSV about images, or about patients: sizes, spacing, columns for strata; of a
            cohort only the columns are taken.
        split: of a cohort; all of it if not given.
        readers: how to join several readers, see `combine_readers`.
        ignore: (column, value) of regions that become ignore regions.

    Raises:
        RibsightError: what is wrong, with its file and row.
    """
    if path.is_dir():
        return _from_cohort(path, split, images, readers, ignore)
    if split is not None:
        raise RibsightError(f"--split is for the folder of a cohort, and {path} is a file")
    read = read_truth_coco if path.suffix.lower() == ".json" else read_truth_csv
    rows = read(path)
    _refuse_doubled(rows.regions)
    rows = combine_readers(rows, readers)
    hashes = [file_sha256(path)]
    if images is not None:
        rows = with_images(rows, read_image_csv(images), str(images))
        hashes.append(file_sha256(images))
    rows = _with_ignored(rows, ignore)
    if not rows.images:
        raise RibsightError(f"{path} names no image")
    if not rows.findings:
        raise RibsightError(f"{path} names no finding: there is nothing to score")
    chosen = f"{readers or ''} {sorted(ignore)}"
    fingerprint = hashlib.sha256("\n".join([*hashes, chosen]).encode()).hexdigest()
    truths = {finding: _truth(rows, finding) for finding in rows.findings}
    names = names_of([one.name for one in rows.images])
    whole = TruthSet(truths, fingerprint, "all")
    return NamedTruth(whole, names, rows.coco_images, rows.coco_categories)


def _from_cohort(
    path: Path,
    split: str | None,
    images: Path | None,
    readers: str | None,
    ignore: Sequence[tuple[str, str]],
) -> NamedTruth:
    if readers is not None or ignore:
        raise RibsightError("--readers and --ignore are for files, not for a cohort")
    cohort = load_cohort(path)
    part = cohort if split is None else cohort.select(split)
    truths = {finding: truth_of(part, finding) for finding in cohort.findings}
    if images is not None:
        further = read_image_csv(images)
        truths = {
            finding: with_columns(one, further, str(images)) for finding, one in truths.items()
        }
    truth = TruthSet(truths, cohort.fingerprint(), split or "all")
    return NamedTruth(truth, names_of(part.ids), {}, {})


def _refuse_doubled(regions: Sequence[RegionRow]) -> None:
    """Hold that no reader's region is there twice: it would have to be found twice."""
    first: dict[object, RegionRow] = {}
    for one in regions:
        outline = tuple(polygon.tobytes() for polygon in one.outline)
        key = one.image, one.finding, one.reader, one.ignore, one.box, outline
        if key in first:
            raise RibsightError(
                f"{one.where}: the same region as {first[key].where}, which would count twice: "
                "remove one of them"
            )
        first[key] = one


def _with_ignored(rows: TruthRows, ignore: Sequence[tuple[str, str]]) -> TruthRows:
    """Turn regions whose column has the value into ignore regions."""
    of_image = {one.name: one.columns for one in rows.images}
    for column, _ in ignore:
        known = {name for one in rows.regions for name in (*one.columns, *of_image[one.image])}
        if column not in known:
            raise RibsightError(
                f"--ignore: no region has a column '{column}'{nearest(column, known)}; there are: "
                f"{', '.join(sorted(known)) or 'none'}"
            )

    def ignored(one: RegionRow) -> bool:
        columns = {**of_image[one.image], **one.columns}
        return one.ignore or any(columns.get(column) == value for column, value in ignore)

    return replace(rows, regions=[replace(one, ignore=ignored(one)) for one in rows.regions])


def _truth(rows: TruthRows, finding: str) -> Truth:
    index = {one.name: place for place, one in enumerate(rows.images)}
    own = [one for one in rows.regions if one.finding == finding]
    regions = [one for one in own if not one.ignore]
    ignored = [one for one in own if one.ignore]
    _inside(own, {one.name: one for one in rows.images})
    patients = tuple(one.patient for one in rows.images)
    groups = np.array([one.group or one.patient or f"image {one.name}" for one in rows.images])
    return Truth(
        finding=finding,
        images=tuple(one.name for one in rows.images),
        groups=np.unique(groups, return_inverse=True)[1].astype(np.int64),
        sizes=np.array([(_number(one.width), _number(one.height)) for one in rows.images]),
        state=_states(rows, finding, regions, index),
        region_image=np.array([index[one.image] for one in regions], dtype=np.int64),
        region_boxes=np.array([one.box for one in regions], dtype=np.float64).reshape(-1, 4),
        patients=patients if all(patients) else (),
        spacing=np.array([_number(one.spacing) for one in rows.images]),
        outlines=tuple(one.outline or (_box_outline(one),) for one in regions),
        ignored_image=np.array([index[one.image] for one in ignored], dtype=np.int64),
        ignored_boxes=np.array([one.box for one in ignored], dtype=np.float64).reshape(-1, 4),
        image_columns=_columns([one.columns for one in rows.images]),
        region_columns=_columns([one.columns for one in regions]),
    )


def _states(
    rows: TruthRows, finding: str, regions: Sequence[RegionRow], index: Mapping[str, int]
) -> "np.ndarray[tuple[int], np.dtype[np.int8]]":
    """Return positive where a region is drawn, else what is stated, else negative."""
    state = np.full(len(index), NEGATIVE, dtype=np.int8)
    drawn = {one.image: one for one in reversed(regions)}
    for stated in rows.states:
        if stated.finding in {finding, ""}:
            code = STATE_CODES.get(DiagnosisState(stated.state), NOT_KNOWN)
            state[index[stated.image]] = code
            if code == NEGATIVE and stated.finding and stated.image in drawn:
                raise RibsightError(
                    f"{stated.where} says that image {stated.image} is without '{finding}', and "
                    f"{drawn[stated.image].where} has a region of it: correct one of them"
                )
    state[[index[one.image] for one in regions]] = POSITIVE
    return state


def _inside(regions: Sequence[RegionRow], images: Mapping[str, ImageRow]) -> None:
    for one in regions:
        image = images[one.image]
        x0, y0, x1, y1 = one.box
        if x1 <= 0 or y1 <= 0 or x0 >= _number(image.width) or y0 >= _number(image.height):
            raise RibsightError(
                f"{one.where}: the box {x0:g}, {y0:g}, {x1:g}, {y1:g} lies outside image "
                f"{one.image} of {image.width:g} x {image.height:g} pixels"
                if image.width and image.height
                else f"{one.where}: the box {x0:g}, {y0:g}, {x1:g}, {y1:g} lies outside its image"
            )


def _box_outline(region: RegionRow) -> "np.ndarray[tuple[int, int], np.dtype[np.float64]]":
    x0, y0, x1, y1 = region.box
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])


def _columns(rows: Sequence[Mapping[str, str]]) -> dict[str, tuple[str | None, ...]]:
    names = dict.fromkeys(name for one in rows for name in one)
    return {name: tuple(one.get(name) or None for one in rows) for name in names}


def _number(value: float | None) -> float:
    return np.nan if value is None else value
