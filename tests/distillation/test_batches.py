"""What a step sees: the same for any number of processes, region and pixels moved alike."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ribsight.cohort.cache import fill_cache
from ribsight.cohort.tables import Cohort, load_cohort
from ribsight.distillation.batches import StepDataset
from ribsight.distillation.layout import Layout
from ribsight.distillation.recipe import Recipe
from ribsight.distillation.sampling import pools_of
from ribsight.distillation.training_data import LEFT, TrainingData, training_data
from ribsight.findings import Split, Supervision
from ribsight.radiographs.preprocess import Preprocessing


@pytest.fixture
def cohort(trainable: Path) -> Cohort:
    return load_cohort(trainable).select(Split.TRAIN)


@pytest.fixture
def data(cohort: Cohort, tmp_path: Path) -> TrainingData:
    cache = fill_cache(cohort, Preprocessing(64), tmp_path, progress=False)
    return training_data(cohort, cache, pools_of(cohort.supervision()))


def dataset(data: TrainingData, recipe: Recipe, rank: int = 0, world: int = 1) -> StepDataset:
    return StepDataset(
        data, recipe.stage2.batch, recipe.augmentation, seed=3, stage=2, rank=rank, world=world
    )


def test_the_shares_of_three_processes_are_the_step_of_one(
    data: TrainingData, recipe: Recipe
) -> None:
    whole = dataset(data, recipe)[5]
    shares = [dataset(data, recipe, rank, 3)[5] for rank in range(3)]
    for rank, share in enumerate(shares):
        assert torch.equal(share.images, whole.images[rank::3])
        assert torch.equal(share.drawn, whole.drawn[rank::3])
        assert torch.equal(share.supervision, whole.supervision[rank::3])
        assert (share.known, share.positives) == (whole.known, whole.positives) == (2, 2)
    assert sum(len(share.teacher_images) for share in shares) == len(whole.teacher_images) == 2


def test_steps_differ_and_repeat(data: TrainingData, recipe: Recipe) -> None:
    steps = dataset(data, recipe)
    assert torch.equal(steps[4].images, steps[4].images)
    assert not torch.equal(steps[4].images, steps[5].images)


def test_the_drawn_map_lies_on_the_bright_stroke(data: TrainingData, recipe: Recipe) -> None:
    steps = dataset(data, recipe)
    seen = 0
    for step in range(12):
        batch = steps[step]
        drawn = batch.supervision[:, 0] == Supervision.REGION
        image, map_ = batch.images[drawn][0, 0].numpy(), batch.drawn[drawn][0, 0].numpy()
        # The stroke is far brighter than everything else; its mean per cell of 4 x 4 pixels.
        cells = image.reshape(16, 4, 16, 4).mean(axis=(1, 3))
        if (map_ > 0.5).sum() < 2:
            continue  # moved out of the view
        seen += 1
        assert cells[map_ > 0.5].mean() > cells[map_ == 0].mean() + 0.2
    assert seen >= 6


def test_teacher_and_student_see_one_geometry_and_two_intensities(
    data: TrainingData, recipe: Recipe
) -> None:
    batch = dataset(data, recipe)[2]
    student, teacher = batch.images[batch.positive_rows], batch.teacher_images
    assert not torch.equal(student, teacher)
    for one, other in zip(student[:, 0].numpy(), teacher[:, 0].numpy(), strict=True):
        coarse = [view.reshape(16, 4, 16, 4).mean(axis=(1, 3)).ravel() for view in (one, other)]
        assert np.corrcoef(*coarse)[0, 1] > 0.9


def test_regions_that_are_not_revealed_reach_no_batch(
    cohort: Cohort, data: TrainingData, recipe: Recipe
) -> None:
    hidden = [r for r, one in enumerate(cohort.drawn(revealed_only=False)) if one]
    shown = [r for r, one in enumerate(data.regions) if one]
    assert len(shown) < len(hidden)
    steps = dataset(data, recipe)
    for step in range(8):
        batch = steps[step]
        has_map = batch.drawn.flatten(1).any(dim=1)
        assert not (has_map & (batch.supervision[:, 0] != Supervision.REGION)).any()


def test_the_possible_half_moves_with_the_picture(data: TrainingData, recipe: Recipe) -> None:
    sides = np.zeros_like(data.sides)
    positive = data.supervision[:, 0] == Supervision.POSITIVE
    sides[positive] = LEFT
    plain = recipe.augmentation.model_copy(
        update={"rotation": 0.0, "scale": 0.0, "shift": 0.0, "flip_horizontal": 0.0}
    )
    mirrored = plain.model_copy(update={"flip_horizontal": 1.0})
    for augmentation, half in ((plain, slice(8, 16)), (mirrored, slice(0, 8))):
        steps = StepDataset(
            replace(data, sides=sides),
            recipe.stage2.batch,
            augmentation,
            seed=3,
            stage=2,
            layout=Layout(side_margin=0.0),
        )
        batch = steps[0]
        rows = batch.positive_rows
        expected = torch.zeros(16, 16)
        expected[:, half] = 1.0
        # The patient's left is the picture's right, until the picture is mirrored.
        for row in rows.tolist():
            torch.testing.assert_close(batch.possible[row, 0], expected)
        others = torch.ones(len(batch.possible), dtype=torch.bool)
        others[rows] = False
        assert (batch.possible[others] == 1).all()


def test_without_a_side_everything_is_possible(data: TrainingData, recipe: Recipe) -> None:
    assert (data.sides == 0).all()
    steps = StepDataset(
        data,
        recipe.stage2.batch,
        recipe.augmentation,
        seed=3,
        stage=2,
        layout=Layout(side_margin=0.1),
    )
    assert (steps[0].possible == 1).all()
