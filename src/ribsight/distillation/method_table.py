"""The rows of the central table: every method that a recipe can name."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from ribsight.distillation import pooling
from ribsight.distillation.layout import Layout
from ribsight.distillation.methods import Distance, Knowledge, Method, Source, Target, everywhere
from ribsight.distillation.recipe import Recipe
from ribsight.distillation.record_term import Pool, RecordTerm
from ribsight.distillation.sharpening import (
    check_aals,
    image_centre,
    sharpen_always,
    sharpen_both_ways,
    sharpen_by_temperature,
    sharpen_logits,
    sharpen_place,
    sharpen_sites,
)
from ribsight.errors import RibsightError
from ribsight.findings import Supervision
from ribsight.method_names import MethodName


def method_of(recipe: Recipe, findings: tuple[str, ...] = ()) -> Method:
    """Return the method that a recipe names, with its parameters.

    Args:
        recipe: of the run.
        findings: of the cohort, in the order of the maps; needed if the recipe has `record_noise`.

    Raises:
        RibsightError: parameters out of range, crops where only whole images make sense, or noise
            of records that the method never asks or of a finding that the cohort has not.

    """
    make = _WITH_PARAMETERS.get(recipe.method)
    fixed = {method.name: method for method in _FIXED}
    method = make(recipe) if make else fixed[recipe.method]
    if recipe.crops.size and method.sees_whole_images:
        raise RibsightError(
            f"{method.name} cannot be trained on crops: a record says that the whole image is "
            "positive, and a crop need not hold the lesion; set crops.size = 0"
            + (" or ribsight.image_weight = 0" if method.name == "ribsight" else "")
        )
    return _allowing_for_noise(method, recipe, findings) if recipe.record_noise else method


def _allowing_for_noise(method: Method, recipe: Recipe, findings: tuple[str, ...]) -> Method:
    unknown = sorted(set(recipe.record_noise) - set(findings))
    if unknown:
        raise RibsightError(
            f"record_noise.{unknown[0]} is no finding of the cohort ({', '.join(findings)}): "
            "leave it out of the recipe, or of the audit's file"
        )
    batch = recipe.stage2.batch
    known = batch.regions + batch.negatives
    record = (method.record or RecordTerm(highest, positive=0.0)).knowing(
        recipe.record_noise,
        findings,
        positives=recipe.loss.positive_weight * (batch.positives > 0),
        negatives=batch.negatives / max(known, 1),
    )
    return replace(method, record=record)


def teacher_map(logits: Tensor) -> Target:
    """Target: the teacher's own map (identity sharpening: plain distillation)."""
    return everywhere(torch.sigmoid(logits.detach().float()))


def other_view(logits: Tensor) -> Target:
    """Target: the map of the same network's other view, gradient and all (Pi-model)."""
    return everywhere(torch.sigmoid(logits.float()))


def hard_labels(logits: Tensor, threshold: float) -> Target:
    """Target: 1 where the probability exceeds `threshold`, else 0 (pseudo-labels)."""
    return everywhere((torch.sigmoid(logits.detach().float()) > threshold).float())


def confident_labels(logits: Tensor, confidence: float) -> Target:
    """Target: hard labels where either class is at least so probable; others count nothing."""
    probability = torch.sigmoid(logits.detach().float())
    sure = torch.maximum(probability, 1 - probability) >= confidence
    return Target((probability > 0.5).float(), sure.float())


def highest(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Statement on the image: its map's maximum, (N, K, h, w) -> log p, log(1 - p), (N, K)."""
    return pooling.said_by(pooling.maximum(logits))


def without_unsure(target: Tensor, logits: Tensor, least: float, t: float | Tensor) -> Target:
    """Leave out pixels whose probability lies above `least` and not above t."""
    probability = torch.sigmoid(logits.detach().float())
    unsure = (probability > least) & (probability <= t)
    return Target(target, (~unsure).float())


def _fixmatch(recipe: Recipe) -> Method:
    confidence = recipe.baselines.confidence
    return Method(
        "fixmatch",
        positive_target=partial(confident_labels, confidence=confidence),
        source=Source.STUDENT,
        knows=Knowledge.UNLABELLED,
    )


def _pseudo_labels(recipe: Recipe) -> Method:
    threshold = recipe.baselines.pseudo_threshold
    return Method(
        "pseudo_labels",
        positive_target=partial(hard_labels, threshold=threshold),
        push_centre=threshold,
    )


def _temperature(recipe: Recipe) -> Method:
    temperature = recipe.baselines.temperature
    return Method(
        "temperature",
        positive_target=lambda z: everywhere(sharpen_by_temperature(z, temperature)),
        push_centre=0.5,
    )


def _sharpened(
    name: str, sharpen: Callable[[Tensor, float, float], Tensor], recipe: Recipe
) -> Method:
    a0, t = recipe.aals.a0, recipe.aals.t
    check_aals(a0, t)
    return Method(name, positive_target=lambda z: everywhere(sharpen(z, a0, t)), push_centre=t)


def _pooled(name: str, pool: Pool, recipe: Recipe) -> Method:
    """Return a method that asks the pooled map for the record, positive or negative."""
    weight = recipe.baselines.image_weight
    return Method(name, record=RecordTerm(pool, positive=weight, negative=weight))


def _maximum(recipe: Recipe) -> Method:
    return _pooled("multiple_instance", highest, recipe)


def _pcam(recipe: Recipe) -> Method:
    return _pooled("pcam", lambda z: pooling.said_by(pooling.attended(z)), recipe)


def _log_sum_exp(recipe: Recipe) -> Method:
    sharpness = recipe.baselines.sharpness
    return _pooled(
        "log_sum_exp", lambda z: pooling.said_by(pooling.log_sum_exp(z, sharpness)), recipe
    )


def _noisy_or(recipe: Recipe) -> Method:
    return _pooled("noisy_or", pooling.noisy_or, recipe)


def _patches(recipe: Recipe) -> Method:
    cells, weight = recipe.baselines.patch_cells, recipe.baselines.patch_region_weight
    return Method(
        "patches",
        record=RecordTerm(partial(pooling.patch_noisy_or, cells=cells), positive=1.0),
        known_loss=partial(pooling.patch_loss, cells=cells, region_weight=weight),
    )


def _known_images(logits: Tensor, drawn: Tensor, supervision: Tensor) -> Tensor:
    del drawn
    loss = pooling.image_cross_entropy(logits, supervision)
    return loss * (supervision != Supervision.POSITIVE)


def _ribsight(recipe: Recipe) -> Method:
    own = recipe.ribsight
    a0, t = own.a0, own.t
    check_aals(a0, t, "ribsight")

    def target(logits: Tensor) -> Target:
        centre = image_centre(logits, t, own.centre_share)
        raised = sharpen_sites(logits, a0, centre, own.reach)
        return without_unsure(raised, logits, own.unsure_from, centre)

    record = RecordTerm(highest, positive=own.image_weight, negative=own.negative_weight)
    return Method(
        "ribsight",
        positive_target=target,
        record=record if own.image_weight or own.negative_weight else None,
        push_centre=t,
        named_target=partial(sharpen_place, a0=a0, t=t, share=own.named_share),
        layout=Layout(
            side_margin=own.side_margin if own.side_margin < 1 else None,
            first_rib=own.first_rib,
            rib_distance=own.rib_distance,
            rib_spread=own.rib_spread,
            first_rib_weight=own.first_rib_weight,
        ),
    )


_FIXED = (
    Method("regions_only", knows=Knowledge.REGIONS),
    Method("supervised"),
    Method(
        "pi_model",
        positive_target=other_view,
        source=Source.BOTH_VIEWS,
        distance=Distance.SQUARED,
        knows=Knowledge.UNLABELLED,
    ),
    Method(
        "temporal_ensembling",
        positive_target=teacher_map,
        source=Source.MEMORY,
        distance=Distance.SQUARED,
        knows=Knowledge.UNLABELLED,
    ),
    Method(
        "mean_teacher_unlabelled",
        positive_target=teacher_map,
        distance=Distance.SQUARED,
        knows=Knowledge.UNLABELLED,
    ),
    Method("mean_teacher", positive_target=teacher_map, distance=Distance.SQUARED),
    Method("distillation", positive_target=teacher_map),
    Method(
        "cam",
        record=RecordTerm(lambda z: pooling.said_by(z.float().mean(dim=(-2, -1))), positive=1.0),
        known_loss=_known_images,
    ),
)

_WITH_PARAMETERS: Mapping[MethodName, Callable[[Recipe], Method]] = {
    "pseudo_labels": _pseudo_labels,
    "fixmatch": _fixmatch,
    "temperature": _temperature,
    "asymmetric": partial(_sharpened, "asymmetric", sharpen_always),
    "adaptive": partial(_sharpened, "adaptive", sharpen_both_ways),
    "aals": partial(_sharpened, "aals", sharpen_logits),
    "multiple_instance": _maximum,
    "log_sum_exp": _log_sum_exp,
    "noisy_or": _noisy_or,
    "pcam": _pcam,
    "patches": _patches,
    "ribsight": _ribsight,
}
