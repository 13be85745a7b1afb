"""The central table: what a record-positive radiograph without a region is trained toward.

| supervision | target | weight |
| --- | --- | --- |
| region | the drawn map | 1 |
| negative | zero | 1 |
| positive without region | `Method.positive_target` of the teacher's logits | its own |
| nothing | none | 0 |

A method fills in the third row with a target map, or replaces it by an objective on the whole
image, or both; a few change what the other rows know (`Method.knows`) or how a map is compared.
Everything else (data, augmentation, budget, teacher, validation) is the loop's and the same for
all. The rows themselves are in `method_table`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ribsight.distillation.layout import NO_LAYOUT, Layout
from ribsight.distillation.recipe import BatchSettings, StageSettings
from ribsight.distillation.record_term import RecordTerm
from ribsight.findings import Supervision


@dataclass(frozen=True)
class Target:
    """What the student is trained toward: `map` and `weight`, each (N, K, h, w)."""

    map: Tensor
    weight: Tensor


class Source(Enum):
    """Who makes the target of a record-positive, from its own view of the image."""

    TEACHER = "the moving average"
    STUDENT = "the student, without gradient"
    BOTH_VIEWS = "the student, with gradient through both views"
    MEMORY = "the student in earlier turns"


class Distance(Enum):
    """How the student's map is compared with a target that a network made."""

    CROSS_ENTROPY = "binary cross-entropy"
    SQUARED = "squared difference of probabilities"


class Knowledge(Enum):
    """What of the cohort a method may use."""

    ALL = "regions and records"
    REGIONS = "drawn regions only"
    UNLABELLED = "drawn regions, and all other radiographs as if they had no record"


@dataclass(frozen=True)
class Method:
    """One row of the table.

    Attributes:
        name: as given to `--method`.
        positive_target: logits (N, K, h, w) of `source` -> targets for record-positives, or None
            if the method gives them no map.
        record: what the record asks of images as a whole, or None.
        known_loss: student's logits, drawn maps (N, K, h, w) and supervision (N, K) -> loss
            (N, K) of pairs with a region or a negative record; None: the cross-entropy of maps.
        source: who makes the targets.
        distance: how record-positives' targets are compared with the student's map.
        knows: what of the cohort counts.
        push_centre: probability that the teacher's maximum must exceed for its target to differ
            from its own map; None where that has no meaning.
        named_target: teacher's logits and the place that a record names, (M, h, w) each -> what
            that place is raised to, (M, h, w), 0 where nothing is; None: named places are not
            raised.
        layout: where the places lie that records name; beyond a named side is background.

    """

    name: str
    positive_target: Callable[[Tensor], Target] | None = None
    record: RecordTerm | None = None
    known_loss: Callable[[Tensor, Tensor, Tensor], Tensor] | None = None
    source: Source = Source.TEACHER
    distance: Distance = Distance.CROSS_ENTROPY
    knows: Knowledge = Knowledge.ALL
    push_centre: float | None = None
    named_target: Callable[[Tensor, Tensor], Tensor] | None = None
    layout: Layout = NO_LAYOUT

    @property
    def uses_positives(self) -> bool:
        """Whether record-positives without a region take part at all."""
        return self.positive_target is not None or self.record is not None

    @property
    def sees_negatives(self) -> bool:
        """Whether negative records take part, in stage 1 and after."""
        return self.knows is not Knowledge.REGIONS

    @property
    def sees_whole_images(self) -> bool:
        """Whether its objective makes sense on whole images only, not on crops."""
        # That a negative image is negative holds for each of its crops.
        asks_positives = self.record is not None and self.record.positive > 0
        is_whole = asks_positives or self.known_loss is not None
        return is_whole or self.source is Source.BOTH_VIEWS

    def in_stage(self, number: int) -> "Method":
        """Return what it does in a stage: stage 1 is supervised and common to all methods."""
        return self if number == 2 else Method(self.name, knows=self.knows)

    def supervision(self, known: NDArray[np.int8], stage: int) -> NDArray[np.int8]:
        """Return what this method knows in a stage.

        Args:
            known: (N, K) `Supervision` of the cohort.
            stage: 1 or 2. A method that ignores records does so in stage 2: stage 1 is common to
                all methods that have a teacher.

        Returns:
            (N, K): with `Knowledge.REGIONS`, nothing but regions and what is absent on drawn
            images; with `Knowledge.UNLABELLED`, every image without a region as a record-positive
            is, to be taught by the teacher.

        """
        undrawn = ~(known == Supervision.REGION).any(axis=1)
        changed = known.copy()
        if not self.sees_negatives:
            changed[undrawn] = Supervision.NOTHING
        elif self.knows is Knowledge.UNLABELLED and stage == 2:
            changed[undrawn] = Supervision.POSITIVE
        return changed


def stage_batch(stage: StageSettings, method: Method, number: int) -> BatchSettings:
    """Return the composition of a stage's batches; their size is the same for all methods."""
    batch = stage.batch
    if not method.sees_negatives:
        return BatchSettings(regions=batch.size, negatives=0)
    if not method.uses_positives:
        return batch.without_positives()
    if method.knows is Knowledge.UNLABELLED and number == 2:
        others = batch.positives + batch.negatives
        return BatchSettings(regions=batch.regions, positives=others, negatives=0)
    return batch


def targets(
    supervision: Tensor, drawn: Tensor, positive: Target | None, positive_rows: Tensor
) -> Target:
    """Fill in the table for one batch.

    Args:
        supervision: (N, K) `Supervision`.
        drawn: (N, K, h, w) area coverage of the drawn regions.
        positive: targets of the images in `positive_rows`, or None if the method has none.
        positive_rows: (P,) rows of the images that have a record-positive without region.

    Returns:
        The target of every (image, finding); weight 0 where nothing is to be learned.

    """
    shape = (*supervision.shape, 1, 1)
    known = (supervision == Supervision.REGION) | (supervision == Supervision.NEGATIVE)
    weight = known.view(shape).to(drawn.dtype).expand_as(drawn).clone()
    map_ = torch.where((supervision == Supervision.REGION).view(shape), drawn, 0.0)
    if positive is not None and len(positive_rows):
        is_positive = (supervision[positive_rows] == Supervision.POSITIVE)[:, :, None, None]
        map_ = map_.index_copy(
            0, positive_rows, torch.where(is_positive, positive.map, map_[positive_rows])
        )
        weight[positive_rows] = torch.where(is_positive, positive.weight, weight[positive_rows])
    return Target(map_, weight)


def everywhere(map_: Tensor) -> Target:
    """Return a target that counts the same in every pixel."""
    return Target(map_, torch.ones_like(map_))
