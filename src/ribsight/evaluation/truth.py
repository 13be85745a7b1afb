"""What is true of one finding on the images of a split, as arrays."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ribsight.cohort.tables import Cohort
from ribsight.errors import RibsightError
from ribsight.findings import DiagnosisState

POSITIVE, NEGATIVE, NOT_KNOWN = 1, 0, -1
_STATE_CODES = {DiagnosisState.POSITIVE: POSITIVE, DiagnosisState.NEGATIVE: NEGATIVE}


@dataclass(frozen=True, eq=False)
class Truth:
    """One finding on N images with L regions.

    Attributes:
        finding: its name.
        images: N ids.
        groups: (N,) codes of what a bootstrap resamples as one, usually the patient.
        sizes: (N, 2) stored width and height in pixels.
        state: (N,) 1 positive, 0 negative, -1 uncertain or unknown.
        region_image: (L,) index of the image each region lies on.
        region_boxes: (L, 4) x0, y0, x1, y1 in stored pixels, origin at the top-left corner of the
            top-left pixel.
    """

    finding: str
    images: tuple[str, ...]
    groups: NDArray[np.int64]
    sizes: NDArray[np.float64]
    state: NDArray[np.int8]
    region_image: NDArray[np.int64]
    region_boxes: NDArray[np.float64]

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

        On a positive image without a region nobody knows which mark is right.
        """
        return np.equal(self.state, NEGATIVE) | (self.positive & (self.lesions > 0))


def truth_of(cohort: Cohort, finding: str) -> Truth:
    """Return the truth of `finding` on all of the cohort's images, revealed regions or not.

    Raises:
        RibsightError: the cohort does not know the finding, or a region of it lies on an image
            whose diagnosis is negative.
    """
    if finding not in cohort.findings:
        known = ", ".join(cohort.findings)
        raise RibsightError(f"the cohort has no finding '{finding}'; it has {known}")
    named = cohort.states[:, cohort.findings.index(finding)]
    state = np.array([_STATE_CODES.get(name, NOT_KNOWN) for name in named], dtype=np.int8)
    drawn = [
        (index, region.box)
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
    return Truth(
        finding=finding,
        images=tuple(cohort.ids),
        groups=np.unique(groups, return_inverse=True)[1].astype(np.int64),
        sizes=cohort.radiographs.select("width", "height").to_numpy().astype(np.float64),
        state=state,
        region_image=np.array([index for index, _ in drawn], dtype=np.int64),
        region_boxes=np.array([box for _, box in drawn], dtype=np.float64).reshape(-1, 4),
    )


def known_only(truth: Truth) -> Truth:
    """Return the truth without images of uncertain or unknown state, nor regions on them."""
    kept = truth.state != NOT_KNOWN
    new_index = np.cumsum(kept) - 1
    regions = kept[truth.region_image]
    return Truth(
        finding=truth.finding,
        images=tuple(np.array(truth.images, dtype=object)[kept]),
        groups=np.unique(truth.groups[kept], return_inverse=True)[1].astype(np.int64),
        sizes=truth.sizes[kept],
        state=truth.state[kept],
        region_image=new_index[truth.region_image[regions]].astype(np.int64),
        region_boxes=truth.region_boxes[regions],
    )
