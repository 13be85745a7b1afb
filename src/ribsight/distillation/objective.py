"""The objective of one step, and what is worth knowing about it."""

from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from ribsight.distillation.batch import Batch
from ribsight.distillation.crops import cut_maps
from ribsight.distillation.layout import MOSTLY
from ribsight.distillation.methods import Distance, Method, Target, targets
from ribsight.distillation.record_term import NOWHERE, RecordTerm
from ribsight.findings import Supervision

_TRACE = 1e-3


@dataclass(frozen=True)
class StepFacts:
    """Sums over one process's share of a step; they add up over processes and steps.

    Attributes:
        loss_known: () share of this process in the mean loss of pairs with a known map.
        loss_positive: () likewise for record-positives without a region, unweighted.
        loss_weighted: () the same with its weight, as it enters the objective.
        positives: (K,) record-positives whose target came from the teacher.
        without_push: (K,) of these, how many had a teacher maximum at or below the centre, and no
            place that is raised because their record names it.
        teacher_maximum: (K,) sum over them of the teacher's maximum, over the whole image.
        target_area: (K,) sum over them of the target's mean over the student's view.
        target_maximum: (K,) sum over them of its maximum there: how sure it is of a lesion.
        target_counted: (K,) sum over them of the mean weight of its cells.
        disagreement: (K,) sum over them of the mean distance of the student's map from it.

    """

    loss_known: Tensor
    loss_positive: Tensor
    loss_weighted: Tensor
    positives: Tensor
    without_push: Tensor
    teacher_maximum: Tensor
    target_area: Tensor
    target_maximum: Tensor
    target_counted: Tensor
    disagreement: Tensor

    def vector(self) -> Tensor:
        """Return all sums as one vector, for adding."""
        return torch.cat([getattr(self, one.name).reshape(-1).float() for one in fields(self)])

    @staticmethod
    def from_vector(vector: Tensor, findings: int) -> "StepFacts":
        """Undo `vector`."""
        return StepFacts(*torch.split(vector, [1] * 3 + [findings] * 7))


def map_loss(logits: Tensor, target: Target, lesion_weight: float) -> Tensor:
    """Return the weighted binary cross-entropy, as the mean over each map.

    Args:
        logits: (N, K, h, w) student logits.
        target: maps and weights, (N, K, h, w).
        lesion_weight: of a pixel whose target is 1, against 1 for a target of 0.

    Returns:
        (N, K) losses, float32.

    """
    map_ = target.map.detach()
    weight = target.weight * (1.0 + (lesion_weight - 1.0) * map_)
    return binary_cross_entropy_with_logits(
        logits.float(), map_, weight=weight, reduction="none"
    ).mean(dim=(-2, -1))


def squared_loss(logits: Tensor, target: Target) -> Tensor:
    """Return the weighted squared difference of probabilities, as the mean over each map.

    Args:
        logits: (N, K, h, w) student logits.
        target: maps and weights, (N, K, h, w).

    Returns:
        (N, K) losses, float32.

    """
    difference = torch.sigmoid(logits.float()) - target.map
    return (target.weight * difference.square()).mean(dim=(-2, -1))


def step_objective(
    logits: Tensor,
    teacher_logits: Tensor | None,
    batch: Batch,
    method: Method,
    *,
    positive_weight: float,
    lesion_weight: float,
    known: Tensor | None = None,
) -> tuple[Tensor, StepFacts]:
    """Return this process's share of the step's loss, and its facts.

    The shares of all processes add up to the loss of the whole step: both means are taken over
    the pairs of the whole step. Every image enters with weight zero where it teaches nothing, so
    no parameter is ever without a gradient.

    Args:
        logits: (N, K, h, w) of the student, with gradient.
        teacher_logits: (P, K, H, W) of the teacher's view (or whatever `method.source` is) of each
            positive row, or None if the method needs none. Views of whole images give whole
            targets, of which the crops that `batch.looks` places are cut out.
        batch: the step.
        method: what record-positives are trained toward.
        positive_weight: of record-positives, against pairs with a known map.
        lesion_weight: see `map_loss`.
        known: (P, 1, H, W) 1 where `teacher_logits` say anything, else 0; None: everywhere.

    """
    positive = None
    if method.positive_target is not None and teacher_logits is not None:
        seen = _as_seen(_targets_of(teacher_logits, batch, method), batch)
        positive = _allowed(seen if known is None else _where_known(seen, known, batch), batch)
    target = targets(batch.supervision, batch.drawn, positive, batch.positive_rows)
    is_positive = batch.supervision == Supervision.POSITIVE
    losses = _losses(logits, target, batch, method, lesion_weight)
    if method.record is not None:
        # Where the record forbids a lesion, none can explain it.
        allowed = logits.masked_fill(batch.possible < MOSTLY, NOWHERE)
        asked = method.record.loss(allowed, batch.supervision)
        losses = losses + _asked_by_place(asked, logits, batch, method.record)
    loss_known = (losses * ~is_positive).sum() / max(batch.known, 1)
    loss_positive = (losses * is_positive).sum() / max(batch.positives, 1)
    loss_weighted = positive_weight * loss_positive
    facts = StepFacts(
        loss_known.detach(),
        loss_positive.detach(),
        loss_weighted.detach(),
        *_facts(logits, positive, teacher_logits, batch, method),
    )
    return loss_known + loss_weighted, facts


def _asked_by_place(whole: Tensor, logits: Tensor, batch: Batch, record: RecordTerm) -> Tensor:
    """Ask each place that a record names, instead of the image, for its finding.

    A crop shows too little to be asked: there `record.positive` is 0.
    """
    named = batch.named
    if named is None or not len(named.row) or not record.positive:
        return whole
    rows = batch.positive_rows[named.row]
    losses = record.place_loss(logits[rows, named.finding], named.inside, named.finding)
    at = (rows, named.finding)
    count = torch.zeros_like(whole).index_put(at, torch.ones_like(losses), accumulate=True)
    total = torch.zeros_like(whole).index_put(at, losses, accumulate=True)
    return torch.where(count > 0, total / count.clamp(min=1), whole)


def _targets_of(teacher_logits: Tensor, batch: Batch, method: Method) -> Target:
    """Return the targets of the teacher's views, named places raised in them."""
    assert method.positive_target is not None
    target, named = method.positive_target(teacher_logits), batch.named
    if method.named_target is None or named is None or not len(named.row):
        return target
    raised = method.named_target(teacher_logits[named.row, named.finding], named.inside)
    flat = named.row * teacher_logits.shape[1] + named.finding
    index = flat[:, None, None].expand_as(raised)
    maps = torch.zeros_like(target.map).flatten(0, 1).scatter_reduce(0, index, raised, "amax")
    maps = maps.view_as(target.map)
    weight = torch.where(maps > 0, 1.0, target.weight)
    return Target(torch.maximum(target.map, maps), weight)


def _losses(
    logits: Tensor, target: Target, batch: Batch, method: Method, lesion_weight: float
) -> Tensor:
    """Return what every pair costs, (N, K), but for the image-level part."""
    losses = map_loss(logits, target, lesion_weight)
    is_positive = batch.supervision == Supervision.POSITIVE
    if method.distance is Distance.SQUARED:
        losses = torch.where(is_positive, squared_loss(logits, target), losses)
    if method.known_loss is not None:
        known = method.known_loss(logits, batch.drawn, batch.supervision)
        losses = torch.where(is_positive, losses, known)
    return losses


def _as_seen(target: Target, batch: Batch) -> Target:
    """Bring targets of the teacher's views into the student's."""
    if batch.looks is None or batch.looks.matrices is None:
        return target
    matrices, size = batch.looks.matrices, batch.images.shape[-1]
    # Beyond the image lies padding, which is background: its target is 0, its weight 1.
    weight = 1.0 - cut_maps(1.0 - target.weight, matrices, size)
    return Target(cut_maps(target.map, matrices, size), weight)


def _where_known(target: Target, known: Tensor, batch: Batch) -> Target:
    """Count only cells of the view that nothing unknown flows into."""
    unknown = _as_seen(Target(1.0 - known, known), batch).map
    return Target(target.map, target.weight * (unknown < _TRACE))


def _allowed(target: Target, batch: Batch) -> Target:
    """Make background of what the record forbids, and count it."""
    possible = batch.possible[batch.positive_rows]
    return Target(target.map * possible, torch.maximum(target.weight, 1.0 - possible))


def _facts(
    logits: Tensor,
    positive: Target | None,
    teacher_logits: Tensor | None,
    batch: Batch,
    method: Method,
) -> tuple[Tensor, ...]:
    """Return the facts of the record-positives, (K,) each."""
    if positive is None or teacher_logits is None:
        return (torch.zeros(batch.supervision.shape[1], device=logits.device),) * 7
    taught = batch.supervision[batch.positive_rows] == Supervision.POSITIVE
    maximum = torch.sigmoid(teacher_logits.detach().float().amax(dim=(-2, -1)))
    centre = 0.0 if method.push_centre is None else method.push_centre
    is_silent = taught & (maximum <= centre)
    if method.named_target is not None and batch.named is not None:
        is_silent[batch.named.row, batch.named.finding] = False
    target = positive.map.detach()
    student = torch.sigmoid(logits.detach()[batch.positive_rows].float())
    return (
        taught.sum(dim=0),
        is_silent.sum(dim=0),
        (maximum * taught).sum(dim=0),
        (target.mean(dim=(-2, -1)) * taught).sum(dim=0),
        (target.amax(dim=(-2, -1)) * taught).sum(dim=0),
        (positive.weight.mean(dim=(-2, -1)) * taught).sum(dim=0),
        ((student - target).abs().mean(dim=(-2, -1)) * taught).sum(dim=0),
    )
