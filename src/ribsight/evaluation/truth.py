"""What is true of one finding on the images of a split, as arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ribsight.cohort.tables import RADIOGRAPHS, Cohort
from ribsight.errors import RibsightError
from ribsight.findings import DiagnosisState
from ribsight.regions import Polygon

POSITIVE, NEGATIVE, NOT_KNOWN = 1, 0, -1
STATE_CODES = {DiagnosisState.POSITIVE: POSITIVE, DiagnosisState.NEGATIVE: NEGATIVE}

_T = TypeVar("_T")

Columns = Mapping[str, Sequence[str | None]]
"""What is known of each image (or region) besides, by name of the column: text or None."""


def _no_indices() -> NDArray[np.int64]:
    return np.zeros(0, dtype=np.int64)


def _no_boxes() -> NDArray[np.float64]:
    return np.zeros((0, 4))


@dataclass(frozen=True, eq=False)
class Truth:
    """One finding on N images with L regions and I ignore regions.

    Attributes:
        finding: its name.
        images: N ids.
        groups: (N,) codes of what a bootstrap resamples as one, usually the patient.
        sizes: (N, 2) stored width and height in pixels; NaN where not known.
        state: (N,) 1 positive, 0 negative, -1 uncertain or unknown.
        region_image: (L,) index of the image each region lies on.
        region_boxes: (L, 4) x0, y0, x1, y1 in stored pixels, origin at the top-left corner of the
            top-left pixel.
        patients: N ids of patients; empty if patients are not known.
        spacing: (N,) mm per stored pixel, NaN where not known; empty if known of none.
        outlines: L lists of the drawn polygons; empty if only boxes are known.
        ignored_image: (I,) index of the image each ignore region lies on.
        ignored_boxes: (I, 4) as `region_boxes`.
        image_columns: N values by column, for strata.
        region_columns: L values by column, for strata.
    """

    finding: str
    images: tuple[str, ...]
    groups: NDArray[np.int64]
    sizes: NDArray[np.float64]
    state: NDArray[np.int8]
    region_image: NDArray[np.int64]
    region_boxes: NDArray[np.float64]
    patients: tuple[str, ...] = ()
    spacing: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    outlines: tuple[tuple[Polygon, ...], ...] = ()
    ignored_image: NDArray[np.int64] = field(default_factory=_no_indices)
    ignored_boxes: NDArray[np.float64] = field(default_factory=_no_boxes)
    image_columns: Columns = field(default_factory=dict)
    region_columns: Columns = field(default_factory=dict)

    @property
    def positive(self) -> NDArray[np.bool_]:
        """(N,) whether the finding is there."""
        return np.equal(self.state, POSITIVE)

    @property
    def lesions(self) -> NDArray[np.int64]:
        """(N,) number of regions on each image."""
        return np.bincount(self.region_image, minlength=len(self.images)).astype(np.int64)

    @property
    def located(self) -> NDArray[np.bool_]:
        """(N,) images a FROC can use: negative, or positive with at least one region drawn.

        On a positive image without a region nobody knows which mark is right. A positive image
        whose regions are all ignore regions counts: any mark elsewhere on it is false.
        """
        drawn = self.lesions + np.bincount(self.ignored_image, minlength=len(self.images))
        return np.equal(self.state, NEGATIVE) | (self.positive & (drawn > 0))


def truth_of(cohort: Cohort, finding: str) -> Truth:
    """Return the truth of `finding` on all of the cohort's images, revealed regions or not.

    Further columns of the cohort's tables come along for strata: those of `radiographs.parquet`
    beyond its schema, and acuity and side of the diagnosis.

    Raises:
        RibsightError: the cohort does not know the finding, or a region of it lies on an image
            whose diagnosis is negative.
    """
    if finding not in cohort.findings:
        known = ", ".join(cohort.findings)
        raise RibsightError(f"the cohort has no finding '{finding}'; it has {known}")
    named = cohort.states[:, cohort.findings.index(finding)]
    state = np.array([STATE_CODES.get(name, NOT_KNOWN) for name in named], dtype=np.int8)
    drawn = [
        (index, region)
        for index, regions in enumerate(cohort.drawn(revealed_only=False))
        for region in regions
        if region.finding == finding
    ]
    for index, _ in drawn:
        if state[index] == NEGATIVE:
            raise RibsightError(
                f"radiograph {cohort.ids[index]} has a region of '{finding}' but its diagnosis is "
                "negative: correct one of them and build the cohort again"
            )
    # A radiograph without a group stands for itself.
    groups = cohort.radiographs.select(pl.coalesce("group", "radiograph"))["group"].to_numpy()
    patients = cohort.radiographs["patient"].to_list()
    return Truth(
        finding=finding,
        images=tuple(cohort.ids),
        groups=np.unique(groups, return_inverse=True)[1].astype(np.int64),
        sizes=cohort.radiographs.select("width", "height").to_numpy().astype(np.float64),
        state=state,
        region_image=np.array([index for index, _ in drawn], dtype=np.int64),
        region_boxes=np.array([one.box for _, one in drawn], dtype=np.float64).reshape(-1, 4),
        patients=() if None in patients else tuple(patients),
        spacing=_spacing(cohort),
        outlines=tuple(one.polygons for _, one in drawn),
        image_columns=_cohort_columns(cohort, finding),
    )


def _spacing(cohort: Cohort) -> NDArray[np.float64]:
    """Return (N,) mm per stored pixel as the headers say, NaN where they say nothing."""
    if "spacing_mm" not in cohort.radiographs.columns:
        return np.full(cohort.radiographs.height, np.nan)
    said = cohort.radiographs["spacing_mm"].cast(pl.Float64, strict=False).to_numpy()
    return np.where(said > 0, said, np.nan)


def _cohort_columns(cohort: Cohort, finding: str) -> Columns:
    further = [name for name in cohort.radiographs.columns if name not in RADIOGRAPHS]
    columns: dict[str, list[str | None]] = {
        name: cohort.radiographs[name].cast(pl.String).to_list() for name in further
    }
    own = cohort.diagnoses.filter(pl.col("finding") == finding)
    for name in ("acuity", "side"):
        by_id = dict(own.select("radiograph", name).rows())
        values = [by_id.get(id_) for id_ in cohort.ids]
        columns[name] = [None if value == "unknown" else value for value in values]
    return columns


def known_only(truth: Truth) -> Truth:
    """Return the truth without images of uncertain or unknown state, nor regions on them."""
    return select_images(truth, truth.state != NOT_KNOWN)


def select_images(truth: Truth, kept: NDArray[np.bool_]) -> Truth:
    """Return the truth of the (N,) `kept` images, with the regions on them."""
    new_index = np.cumsum(kept) - 1
    regions, ignored = kept[truth.region_image], kept[truth.ignored_image]
    return Truth(
        finding=truth.finding,
        images=_kept(truth.images, kept),
        groups=np.unique(truth.groups[kept], return_inverse=True)[1].astype(np.int64),
        sizes=truth.sizes[kept],
        state=truth.state[kept],
        region_image=new_index[truth.region_image[regions]].astype(np.int64),
        region_boxes=truth.region_boxes[regions],
        patients=_kept(truth.patients, kept),
        spacing=truth.spacing[kept] if len(truth.spacing) else truth.spacing,
        outlines=_kept(truth.outlines, regions),
        ignored_image=new_index[truth.ignored_image[ignored]].astype(np.int64),
        ignored_boxes=truth.ignored_boxes[ignored],
        image_columns={name: _kept(v, kept) for name, v in truth.image_columns.items()},
        region_columns={name: _kept(v, regions) for name, v in truth.region_columns.items()},
    )


def _kept(values: Sequence[_T], kept: NDArray[np.bool_]) -> tuple[_T, ...]:
    return tuple(value for value, keep in zip(values, kept, strict=True) if keep) if values else ()
