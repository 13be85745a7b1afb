"""Ribs that records name become bands of the picture, and each band is sharpened on its own."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from torch.nn.functional import softplus

from ribsight.cohort.cache import fill_cache
from ribsight.cohort.tables import Cohort, load_cohort, save_cohort
from ribsight.distillation.batch import Batch, NamedPlaces
from ribsight.distillation.batches import StepDataset, place_crops
from ribsight.distillation.layout import NO_LAYOUT, Layout
from ribsight.distillation.method_settings import PredictiveValues, RibsightSettings
from ribsight.distillation.method_table import method_of
from ribsight.distillation.objective import step_objective
from ribsight.distillation.recipe import CropSettings, Recipe
from ribsight.distillation.sampling import pools_of
from ribsight.distillation.sharpening import sharpen_place
from ribsight.distillation.training_data import TrainingData, training_data
from ribsight.findings import NamedRib, Side, Split, Supervision
from ribsight.radiographs.preprocess import Preprocessing

LAYOUT = Layout(side_margin=0.0, first_rib=0.125, rib_distance=0.25, rib_spread=0.125)
"""Four ribs, each a quarter of the picture's height."""
PICTURE = np.array([[8.0, 0.0], [56.0, 64.0]])


def named_cohort(trainable: Path, ribs: str) -> Cohort:
    cohort = load_cohort(trainable)
    named = pl.when(pl.col("state") == "positive").then(pl.lit(ribs)).otherwise(pl.lit(""))
    return replace(cohort, diagnoses=cohort.diagnoses.with_columns(ribs=named))


@pytest.fixture
def data(trainable: Path, tmp_path: Path) -> TrainingData:
    cohort = named_cohort(trainable, "left 2; 3").select(Split.TRAIN)
    cache = fill_cache(cohort, Preprocessing(64), tmp_path, progress=False)
    return training_data(cohort, cache, pools_of(cohort.supervision()))


def still(recipe: Recipe, **changes: float) -> Recipe:
    quiet = {"rotation": 0.0, "scale": 0.0, "shift": 0.0, "flip_horizontal": 0.0, **changes}
    augmentation = recipe.augmentation.model_copy(update=quiet)
    return recipe.model_copy(update={"augmentation": augmentation})


def batch_of(data: TrainingData, recipe: Recipe, layout: Layout = LAYOUT) -> Batch:
    return StepDataset(
        data, recipe.stage2.batch, recipe.augmentation, seed=3, stage=2, layout=layout
    )[0]


def test_halves_and_bands_lie_where_a_chest_has_them() -> None:
    left = LAYOUT.half(Side.LEFT, PICTURE)
    assert left is not None
    assert left[:, 0].min() == 32.0  # the patient's left is the picture's right
    assert left[:, 1].min() < -64
    band = LAYOUT.band(NamedRib(Side.RIGHT, 2), PICTURE)
    assert band is not None
    assert (band[:, 0].max(), band[:, 1].min(), band[:, 1].max()) == (32.0, 16.0, 32.0)
    both = LAYOUT.band(NamedRib(Side.UNKNOWN, 1), PICTURE)
    assert both is not None
    assert both[:, 0].min() < 8.0
    assert both[:, 0].max() > 56.0
    assert LAYOUT.half(Side.BOTH, PICTURE) is None
    assert NO_LAYOUT.half(Side.LEFT, PICTURE) is None
    assert NO_LAYOUT.band(NamedRib(Side.LEFT, 2), PICTURE) is None


def test_named_places_move_with_the_picture(data: TrainingData, recipe: Recipe) -> None:
    for flip, half in ((0.0, slice(8, 16)), (1.0, slice(0, 8))):
        batch = batch_of(data, still(recipe, flip_horizontal=flip))
        assert batch.named is not None
        assert batch.named.row.tolist() == [0, 0, 1, 1]
        second = torch.zeros(16, 16)
        second[4:8, half] = 1.0
        third = torch.zeros(16, 16)
        third[8:12] = 1.0
        for one in (0, 2):
            torch.testing.assert_close(batch.named.inside[one], second)
            torch.testing.assert_close(batch.named.inside[one + 1], third)


def test_drawn_and_negative_radiographs_have_no_named_places(
    data: TrainingData, recipe: Recipe
) -> None:
    positive = data.supervision[:, 0] == Supervision.POSITIVE
    assert positive.any()
    assert not positive.all()
    for row in range(len(positive)):
        assert len(data.named(row, LAYOUT)) == (2 if positive[row] else 0)
    nothing = batch_of(data, recipe, NO_LAYOUT).named
    assert nothing is not None
    assert nothing.inside.shape == (0, 16, 16)


def test_a_place_is_sharpened_as_an_image_of_its_own() -> None:
    probability = torch.full((1, 4, 4), 0.001)
    probability[0, 0, 0], probability[0, 2, 1], probability[0, 3, 3] = 0.95, 0.2, 0.05
    inside = torch.zeros(1, 4, 4)
    inside[:, 2:] = 1.0
    raised = sharpen_place(torch.logit(probability), inside, 4.0, 0.4, 0.5)[0]
    # a = 4 - 3 * 0.2 = 3.4 around half of 0.2: logit = 3.4 logit(0.2) - 2.4 logit(0.1).
    expected = torch.sigmoid(3.4 * torch.logit(torch.tensor(0.2)) + 2.4 * np.log(9))
    assert float(raised[2, 1]) == pytest.approx(float(expected), abs=1e-5)
    assert float(raised.sum()) == pytest.approx(float(raised[2, 1]))  # 0.95 lies outside
    # A sure place has the image's centre, and a certain one is left as it is.
    sure = sharpen_place(torch.full((1, 1, 1), 9.0), torch.ones(1, 1, 1), 4.0, 0.4, 0.5)
    assert float(sure) == pytest.approx(float(torch.sigmoid(torch.tensor(9.0))), abs=1e-3)


def test_a_place_that_the_view_does_not_show_raises_nothing() -> None:
    raised = sharpen_place(torch.zeros(1, 4, 4), torch.zeros(1, 4, 4), 4.0, 0.4, 0.5)
    assert torch.equal(raised, torch.zeros(1, 4, 4))


def test_every_named_fracture_is_raised_and_counts(data: TrainingData, recipe: Recipe) -> None:
    maps_alone = RibsightSettings(a0=4.0, t=0.4, image_weight=0.0, negative_weight=0.0)
    ours = still(recipe).model_copy(update={"method": "ribsight", "ribsight": maps_alone})
    batch = batch_of(data, ours)
    logits = torch.full((2, 1, 16, 16), -6.0)
    logits[0, 0, 0, 0] = 3.0  # certain, and in no band
    logits[0, 0, 5, 12] = -1.5  # the best of `left 2`: 0.18, unsure by itself
    logits[0, 0, 9, 3] = -2.5  # the best of `3`
    student = torch.zeros(len(batch.images), 1, 16, 16, requires_grad=True)
    method = method_of(ours)
    loss, facts = step_objective(
        student, logits, batch, method, positive_weight=1.0, lesion_weight=1.0
    )
    torch.autograd.backward(loss)
    assert student.grad is not None
    first = int(batch.positive_rows[0])
    pushed = (student.grad[first, 0] < 0).nonzero().tolist()
    assert [0, 0] in pushed
    assert [5, 12] in pushed
    # 0.08 is raised to 0.2, half of what the student says, and no longer left out as unsure.
    assert float(student.grad[first, 0, 9, 3]) > 0
    plain = replace(method, named_target=None)
    student.grad = None
    torch.autograd.backward(
        step_objective(student, logits, batch, plain, positive_weight=1.0, lesion_weight=1.0)[0]
    )
    unnamed: torch.Tensor | None = student.grad
    assert unnamed is not None
    assert float(unnamed[first, 0, 5, 12]) == 0
    assert float(unnamed[first, 0, 9, 3]) == 0
    # Nobody is left without a push: both records name ribs.
    assert facts.without_push.tolist() == [0]


def test_each_named_place_is_asked_instead_of_the_image(data: TrainingData, recipe: Recipe) -> None:
    alone = RibsightSettings(a0=4.0, t=0.4, image_weight=1.0, negative_weight=0.0, unsure_from=0.01)
    ours = still(recipe).model_copy(update={"method": "ribsight", "ribsight": alone})
    batch = batch_of(data, ours)
    unsure = torch.full((2, 1, 16, 16), -1.0)  # of 0.27: counts nothing, so only records speak
    method = replace(method_of(ours), named_target=None)
    logits = torch.full((len(batch.images), 1, 16, 16), -4.0)
    first, second = batch.positive_rows.tolist()
    logits[first, 0, 0, 0] = 5.0  # the image's highest, in no named place
    logits[first, 0, 5, 12], logits[first, 0, 9, 3] = 1.0, -2.0
    student = logits.clone().requires_grad_()
    loss, facts = step_objective(
        student, unsure, batch, method, positive_weight=1.0, lesion_weight=1.0
    )
    expected = softplus(torch.tensor([-1.0, 2.0, 4.0, 4.0]))
    assert float(facts.loss_positive) == pytest.approx(float(expected.mean()), abs=1e-5)
    torch.autograd.backward(loss)
    assert student.grad is not None
    pushed = (student.grad[first, 0] < 0).nonzero().tolist()
    assert pushed == [[5, 12], [9, 3]]
    assert (student.grad[second, 0] <= 0).all()
    # With what an audit says of it, a place is no longer believed without doubt.
    values = {"fracture": PredictiveValues(positive_predictive_value=0.8)}
    assert method.record is not None
    asking_both = replace(method.record, negative=1.0)
    doubting = asking_both.knowing(values, ("fracture",), positives=1.0, negatives=1.0)
    _, less = step_objective(
        student,
        unsure,
        batch,
        replace(method, record=doubting),
        positive_weight=1.0,
        lesion_weight=1.0,
    )
    assert float(less.loss_positive) < float(facts.loss_positive)


def test_on_crops_named_places_are_those_of_the_whole_image(
    data: TrainingData, recipe: Recipe
) -> None:
    crops = CropSettings(size=32, around=0.0, matched=0.0)
    quiet = still(recipe)
    steps = StepDataset(
        data, recipe.stage2.batch, quiet.augmentation, crops, seed=3, stage=2, layout=LAYOUT
    )
    batch = steps[0]
    assert batch.named is not None
    assert batch.named.inside.shape == (4, 16, 16)
    second = torch.zeros(16, 16)
    second[4:8, 8:] = 1.0
    torch.testing.assert_close(batch.named.inside[0], second)
    logits = torch.full((2, 1, 16, 16), -6.0)
    placed = place_crops(batch, steps.maker, logits, recipe.marks)
    assert placed.named is batch.named


def test_named_places_go_to_a_device_with_their_batch() -> None:
    places = NamedPlaces(torch.tensor([1]), torch.tensor([0]), torch.ones(1, 2, 2))
    moved = places.to(torch.device("cpu"))
    assert torch.equal(moved.inside, places.inside)


def test_a_cohort_keeps_ribs_and_knows_when_they_change(trainable: Path, tmp_path: Path) -> None:
    plain = load_cohort(trainable)
    assert plain.named_places.is_empty()
    one, other = (named_cohort(trainable, ribs) for ribs in ("left 2", "left 3"))
    assert len({plain.fingerprint(), one.fingerprint(), other.fingerprint()}) == 3
    save_cohort(one, tmp_path / "named")
    again = load_cohort(tmp_path / "named")
    assert again.fingerprint() == one.fingerprint()
    assert set(again.named_places["ribs"]) == {"left 2"}
