"""What one process sees of one step."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Looks:
    """What ties the views of record-positives to maps of whole images that do not move.

    Such maps are the teacher's looks before crops are placed, or what the student said before.

    Attributes:
        step: of the stage.
        image: (P,) which of `Batch.teacher_images` shows the radiograph of each positive row.
        row: (P,) that radiograph's row of `TrainingData`.
        place: (P,) of the positive row in the whole step.
        matrices: (P, 2, 3) from network pixels to the view; None until `place_crops`.

    """

    step: int
    image: NDArray[np.intp]
    row: NDArray[np.intp]
    place: NDArray[np.intp]
    matrices: NDArray[np.float64] | None = None


@dataclass(frozen=True, eq=False)
class NamedPlaces:
    """Places that records of record-positives name, in the views of which targets are made.

    Attributes:
        row: (M,) which of `Batch.positive_rows`.
        finding: (M,) column.
        inside: (M, h, w) share of each cell of that view that the place covers.

    """

    row: Tensor
    finding: Tensor
    inside: Tensor

    def to(self, device: torch.device) -> "NamedPlaces":
        """Return them on `device`."""
        return NamedPlaces(
            *(one.to(device, non_blocking=True) for one in (self.row, self.finding, self.inside))
        )


@dataclass(frozen=True)
class Batch:
    """One process's share of one step. Views are whole images (c = S) or crops.

    Attributes:
        images: (N, 1, c, c) the student's views, intensities in [0, 1].
        drawn: (N, K, c/4, c/4) area coverage of the drawn regions.
        possible: (N, K, c/4, c/4) share of each cell in which the record allows a lesion.
        supervision: (N, K) `Supervision`.
        positive_rows: (P,) rows that have a record-positive without a region.
        teacher_images: the teacher's views of these rows, other intensities. Whole images:
            (P, 1, S, S), same geometry. Crops: (Q, 1, S, S), each radiograph once and not moved.
            None at all, (0, 1, S, S), where targets come from memory.
        known: pairs (image, finding) with a known map in the whole step, over all processes.
        positives: record-positive pairs without a region in the whole step.
        looks: where targets are made on whole images that do not move, else None. On crops the
            positive rows of `images` and `drawn` are then blank until `place_crops`.
        named: places that records name; None: none.

    """

    images: Tensor
    drawn: Tensor
    supervision: Tensor
    positive_rows: Tensor
    teacher_images: Tensor
    known: int
    positives: int
    possible: Tensor
    looks: Looks | None = None
    named: NamedPlaces | None = None

    def to(self, device: torch.device) -> "Batch":
        """Return the batch on `device`."""
        return replace(
            self,
            images=self.images.to(device, non_blocking=True),
            drawn=self.drawn.to(device, non_blocking=True),
            possible=self.possible.to(device, non_blocking=True),
            supervision=self.supervision.to(device, non_blocking=True),
            positive_rows=self.positive_rows.to(device, non_blocking=True),
            teacher_images=self.teacher_images.to(device, non_blocking=True),
            named=None if self.named is None else self.named.to(device),
        )
