"""The central table: what a record-positive radiograph without a region is trained toward.

| supervision | target | weight |
| --- | --- | --- |
| region | the drawn map | 1 |
| negative | zero | 1 |
| positive without region | `Method.positive_target` of the teacher's logits | its own |
| nothing | none | 0 |

A method fills in the third row with a target map, or replaces it by an objective on the whole
image, or both. Everything else (data, augmentation, budget, teacher, validation) is the loop's and
the same for all.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ribsight.distillation.recipe import BatchSettings, Recipe, StageSettings
from ribsight.distillation.sharpening import check_aals, sharpen_logits
from ribsight.findings import Supervision


@dataclass(frozen=True)
class Target:
    """What the student is trained toward: `map` and `weight`, each (N, K, h, w)."""

    map: Tensor
    weight: Tensor


@dataclass(frozen=True)
class Method:
    """One row of the table.

    Attributes:
        name: as given to `--method`.
        positive_target: teacher's logits (N, K, h, w) -> targets for record-positives, or None
            if the method gives them no map.
        image_loss: student's logits (N, K, h, w) -> loss (N, K) of a record-positive image as a
            whole, or None.
        push_centre: probability that the teacher's maximum must exceed for its target to differ
            from its own map; None where that has no meaning.

    """

    name: str
    positive_target: Callable[[Tensor], Target] | None = None
    image_loss: Callable[[Tensor], Tensor] | None = None
    push_centre: float | None = None

    @property
    def uses_positives(self) -> bool:
        """Whether record-positives without a region take part at all."""
        return self.positive_target is not None or self.image_loss is not None


def method_of(recipe: Recipe) -> Method:
    """Return the method that a recipe names, with its parameters.

    Raises:
        RibsightError: parameters out of range.

    """
    match recipe.method:
        case "supervised":
            return Method("supervised")
        case "distillation":
            return Method("distillation", positive_target=teacher_map)
        case "multiple_instance":
            return Method("multiple_instance", image_loss=maximum_loss)
        case "aals":
            a0, t = recipe.aals.a0, recipe.aals.t
            check_aals(a0, t)
            return Method(
                "aals",
                positive_target=lambda logits: _everywhere(sharpen_logits(logits, a0, t)),
                push_centre=t,
            )


def stage_batch(stage: StageSettings, method: Method) -> BatchSettings:
    """Return the composition of a stage's batches: same size whether positives are used or not."""
    return stage.batch if method.uses_positives else stage.batch.without_positives()


def teacher_map(logits: Tensor) -> Target:
    """Target: the teacher's own map (identity sharpening: plain distillation)."""
    return _everywhere(torch.sigmoid(logits.detach().float()))


def maximum_loss(logits: Tensor) -> Tensor:
    """Image-level objective: -log of the map's maximum (multiple-instance learning, max pooling).

    Args:
        logits: (N, K, h, w) student logits.

    Returns:
        (N, K) losses.

    """
    return torch.nn.functional.softplus(-logits.float().amax(dim=(-2, -1)))


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
        map_[positive_rows] = torch.where(is_positive, positive.map, map_[positive_rows])
        weight[positive_rows] = torch.where(is_positive, positive.weight, weight[positive_rows])
    return Target(map_, weight)


def _everywhere(map_: Tensor) -> Target:
    return Target(map_, torch.ones_like(map_))
