"""Crops: one warp, maps of the crop alone, placed where they should be, cut from whole targets."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ribsight.cohort.cache import PixelCache, fill_cache
from ribsight.cohort.tables import load_cohort
from ribsight.detector.settings import MarkSettings
from ribsight.distillation.augment import centred_on, draw_geometry, warp, warp_points
from ribsight.distillation.batch import Batch
from ribsight.distillation.batches import StepDataset, place_crops
from ribsight.distillation.crops import CropMaker, cut_maps, suspected
from ribsight.distillation.method_table import method_of
from ribsight.distillation.objective import step_objective
from ribsight.distillation.recipe import AugmentationSettings, CropSettings, Recipe
from ribsight.distillation.sampling import pools_of, rows_of_step
from ribsight.distillation.sharpening import sharpen_logits
from ribsight.distillation.training_data import TrainingData, training_data
from ribsight.findings import Split, Supervision
from ribsight.radiographs.preprocess import Preprocessing

MARKS = MarkSettings(separation=0.2)
STILL = AugmentationSettings(
    flip_horizontal=0, rotation=0, scale=0, shift=0, brightness=0, contrast=0, gamma=0, noise=0
)
SIDE = 32


@pytest.fixture
def data(trainable: Path, tmp_path: Path) -> TrainingData:
    cohort = load_cohort(trainable).select(Split.TRAIN)
    cache = fill_cache(cohort, Preprocessing(64), tmp_path, progress=False)
    return training_data(cohort, cache, pools_of(cohort.supervision()))


def maker(
    data: TrainingData, augmentation: AugmentationSettings = STILL, **crops: float
) -> CropMaker:
    settings = CropSettings.model_validate({"size": SIDE, **crops})
    return CropMaker(data, settings, augmentation, seed=3, stage=2)


def dataset(
    data: TrainingData, recipe: Recipe, rank: int = 0, world: int = 1, **crops: float
) -> StepDataset:
    return StepDataset(
        data,
        recipe.stage2.batch,
        recipe.augmentation,
        CropSettings.model_validate({"size": SIDE, **crops}),
        seed=3,
        stage=2,
        rank=rank,
        world=world,
    )


def blob_logits(batch: Batch, x: int, y: int) -> torch.Tensor:
    """Teacher's logits with one peak at the cell (x, y) of every positive row."""
    rows, columns = torch.meshgrid(torch.arange(16), torch.arange(16), indexing="ij")
    away = (rows - y) ** 2 + (columns - x) ** 2
    return (2.0 - 0.5 * away.float()).expand(len(batch.positive_rows), 1, 16, 16)


@pytest.mark.parametrize("seed", range(6))
def test_a_crop_is_the_piece_of_the_warped_whole(seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (96, 96), dtype=np.uint8)
    settings = AugmentationSettings(flip_vertical=0.5, rotation=30.0)
    moved = draw_geometry(settings, SIDE, np.random.default_rng(seed))
    matrix = centred_on(np.array([50.0, 40.0]), moved, SIDE)
    whole = warp(pixels, matrix, 96)
    np.testing.assert_array_equal(warp(pixels, matrix, SIDE), whole[:SIDE, :SIDE])
    if not settings.shift:
        middle = warp_points(np.array([[50.0, 40.0]]), matrix)[0]
        np.testing.assert_allclose(middle, [SIDE / 2, SIDE / 2])


def test_without_shift_the_point_comes_to_the_middle() -> None:
    settings = AugmentationSettings(rotation=90.0, flip_horizontal=0.5, shift=0.0)
    for seed in range(5):
        moved = draw_geometry(settings, SIDE, np.random.default_rng(seed))
        matrix = centred_on(np.array([11.0, 70.0]), moved, SIDE)
        middle = warp_points(np.array([[11.0, 70.0]]), matrix)
        np.testing.assert_allclose(middle, [[SIDE / 2, SIDE / 2]], atol=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_maps_and_pixels_are_cut_alike(seed: int) -> None:
    random = np.random.default_rng(seed)
    map_ = random.random((24, 24), dtype=np.float32)
    settings = AugmentationSettings(flip_vertical=0.5, rotation=30.0, scale=0.3)
    moved = draw_geometry(settings, SIDE, random)
    matrix = centred_on(random.uniform(0, 96, 2), moved, SIDE)
    cells = matrix.copy()
    cells[:, 2] /= 4
    expected = warp(map_, cells, SIDE // 4)  # type: ignore[arg-type]
    cut = cut_maps(torch.from_numpy(map_)[None, None], matrix[None], SIDE)[0, 0]
    # OpenCV rounds positions to 1/32 of a pixel.
    np.testing.assert_allclose(cut.numpy(), expected, atol=0.05)


def test_a_still_crop_on_the_grid_of_cells_is_a_slice() -> None:
    map_ = torch.rand(1, 2, 24, 24)
    matrix = np.array([[[1.0, 0.0, -20.0], [0.0, 1.0, -48.0]]])
    cut = cut_maps(map_, matrix, SIDE)
    torch.testing.assert_close(cut, map_[:, :, 12:20, 5:13], atol=1e-5, rtol=0)


def test_a_crop_around_a_region_holds_it_and_its_map_lies_on_it(data: TrainingData) -> None:
    crops = maker(data, around=1.0, jitter=0.1)
    for place, row in enumerate(data.pools.regions.tolist()):
        crop = crops.crop(row, step=0, place=place)
        assert crop.image.shape == (SIDE, SIDE)
        cells = crop.image.reshape(8, 4, 8, 4).mean(axis=(1, 3))
        assert crop.drawn[0].max() > 0.5
        assert cells[crop.drawn[0] > 0.5].mean() > cells[crop.drawn[0] == 0].mean() + 0.2


def test_the_share_of_crops_around_a_region_is_the_recipes(data: TrainingData) -> None:
    row = int(data.pools.regions[0])
    held = [
        maker(data, around=around, matched=0.0, jitter=0.0).crop(row, step, 0).drawn.max() > 0.7
        for around in (0.0, 0.5, 1.0)
        for step in range(60)
    ]
    shares = np.reshape(held, (3, 60)).mean(axis=1)
    assert shares[2] == 1.0
    assert shares[0] + 0.1 < shares[1] < shares[2] - 0.1


def test_other_crops_lie_in_the_radiograph_and_not_in_its_padding(data: TrainingData) -> None:
    narrow = data.content.copy()
    narrow[:, :, 0] = [20.0, 44.0]
    crops = maker(replace(data, content=narrow), matched=0.0)
    row = int(data.pools.negatives[0])
    middles = np.array([_middle(crops.crop(row, step, 0).matrix) for step in range(200)])
    assert middles[:, 0].min() >= 28.0
    assert middles[:, 0].max() <= 36.0
    assert middles[:, 1].min() < 12.0
    assert middles[:, 1].max() > 52.0


def test_other_crops_prefer_contrast_to_air(data: TrainingData, tmp_path: Path) -> None:
    image = np.zeros((1, 64, 64), dtype=np.uint8)
    image[0, :, 40:] = np.random.default_rng(0).integers(0, 256, (64, 24))
    np.save(tmp_path / "half.npy", image)
    first = np.zeros(len(data.cache), dtype=np.int32)
    half = PixelCache((tmp_path / "half.npy",), first, first, data.cache.affines)
    crops = maker(replace(data, cache=half), matched=0.0)
    row = int(data.pools.negatives[0])
    right = [_middle(crops.crop(row, step, 0).matrix)[0] > 24 for step in range(100)]
    # One point in three would lie in the air; two of two do so in one case of nine.
    assert np.mean(right) > 0.8


def test_matched_crops_lie_where_others_have_regions(data: TrainingData) -> None:
    crops = maker(data, matched=1.0, jitter=0.0)
    places = [np.concatenate(p) for one in data.regions for _, p in one]
    known = np.array([(one.min(axis=0) + one.max(axis=0)) / 2 for one in places])
    row = int(data.pools.negatives[0])
    for step in range(20):
        away = np.abs(known - _middle(crops.crop(row, step, 0).matrix)).sum(axis=1)
        assert away.min() < 1e-6


def _middle(matrix: np.ndarray) -> np.ndarray:
    """The network point in the middle of an unmoved crop."""
    middle: np.ndarray = np.full(2, SIDE / 2) - matrix[:, 2]
    return middle


def test_suspicions_are_the_peaks_at_least_half_as_high() -> None:
    map_ = np.zeros((32, 32), dtype=np.float32)
    map_[4, 6], map_[20, 25], map_[28, 2] = 0.5, 0.3, 0.2
    assert suspected(map_, MARKS).tolist() == [[26.0, 18.0], [102.0, 82.0]]
    assert suspected(np.zeros((8, 8), dtype=np.float32), MARKS).shape == (0, 2)


def test_the_shares_of_three_processes_are_the_step_of_one(
    data: TrainingData, recipe: Recipe
) -> None:
    whole = finished(dataset(data, recipe, per_positive=2)[5], data, recipe, per_positive=2)
    for rank in range(3):
        share = dataset(data, recipe, rank, 3, per_positive=2)[5]
        assert (share.known, share.positives) == (whole.known, whole.positives) == (2, 2)
        if len(share.positive_rows):
            share = finished(share, data, recipe, per_positive=2)
        assert torch.equal(share.images, whole.images[rank::3])
        assert torch.equal(share.drawn, whole.drawn[rank::3])
        if len(share.positive_rows):
            assert torch.equal(share.teacher_images, whole.teacher_images)


def finished(batch: Batch, data: TrainingData, recipe: Recipe, **crops: float) -> Batch:
    placed = maker(data, recipe.augmentation, **crops)
    return place_crops(batch, placed, blob_logits(batch, 5, 9), MARKS)


def test_crops_of_one_record_positive_share_a_look(data: TrainingData, recipe: Recipe) -> None:
    batch = dataset(data, recipe, per_positive=2)[0]
    assert batch.looks is not None
    assert len(set(batch.looks.row.tolist())) == 1
    assert batch.teacher_images.shape == (1, 1, 64, 64)
    assert batch.looks.image.tolist() == [0, 0]
    images = finished(batch, data, recipe, per_positive=2).images[batch.positive_rows]
    assert not torch.equal(images[0], images[1])
    alone = dataset(data, recipe)[0]
    assert alone.teacher_images.shape == (2, 1, 64, 64)


def test_repeated_positives_keep_the_size_of_the_batch(data: TrainingData, recipe: Recipe) -> None:
    rows = rows_of_step(data.pools, recipe.stage2.batch, 0, 2, 7, per_positive=2)
    assert len(rows) == recipe.stage2.batch.size
    assert rows[1] == rows[2]
    assert rows[1] in data.pools.positives


def test_a_record_positives_crop_holds_the_suspicion_and_the_whole_images_target(
    data: TrainingData, recipe: Recipe
) -> None:
    batch = dataset(data, recipe)[1]
    logits = blob_logits(batch, 5, 9)
    placed = place_crops(batch, maker(data, around=1.0, jitter=0.0), logits, MARKS)
    assert placed.looks is not None
    assert placed.looks.matrices is not None
    target = cut_maps(sharpen_logits(logits), placed.looks.matrices, SIDE)
    for one in range(len(target)):
        assert _middle(placed.looks.matrices[one]).tolist() == [22.0, 38.0]  # of cell (5, 9)
        crop = placed.images[batch.positive_rows[one], 0].numpy()
        pixels = data.cache.pixels(int(placed.looks.row[one])) / np.float32(255)
        np.testing.assert_allclose(crop[:, 10:26], pixels[22:54, 16:32], atol=1e-6)
        # The middle of the peak's cell is the corner of four cells of the crop.
        assert float(target[one].max()) == float(target[one, 0, 3:5, 3:5].max())


def test_the_strength_of_sharpening_comes_from_the_whole_image(
    data: TrainingData, recipe: Recipe
) -> None:
    """A crop far from the peak must be sharpened less than one that were an image of its own."""
    batch = dataset(data, recipe, around=0.0, matched=0.0)[1]
    logits = torch.full((len(batch.positive_rows), 1, 16, 16), 0.2)  # 0.55, above t
    logits[:, :, 0, 0] = 6.0
    placed = place_crops(batch, maker(data, around=0.0, matched=0.0), logits, MARKS)
    student = torch.zeros(len(batch.images), 1, 8, 8, requires_grad=True)
    method = method_of(recipe)
    loss, facts = step_objective(
        student, logits, placed, method, positive_weight=1.0, lesion_weight=1.0
    )
    torch.autograd.backward(loss)
    assert student.grad is not None
    target = 0.5 - student.grad[batch.positive_rows, 0, 4, 4] * 64 * placed.positives
    whole = sharpen_logits(logits)[:, 0, 8, 8]
    torch.testing.assert_close(target, whole, atol=1e-4, rtol=0)
    assert float(whole[0]) < float(sharpen_logits(torch.full((1, 1), 0.2))) - 0.05
    assert facts.teacher_maximum[0] > 0.99 * facts.positives[0]


def test_beyond_the_image_the_target_is_background_that_counts(
    data: TrainingData, recipe: Recipe
) -> None:
    batch = dataset(data, recipe)[1]
    logits = torch.full((len(batch.positive_rows), 1, 16, 16), 3.0)
    placed = place_crops(batch, maker(data), logits, MARKS)
    assert placed.looks is not None
    away = np.repeat(np.array([[[1.0, 0.0, 20.0], [0.0, 1.0, 0.0]]]), len(logits), axis=0)
    placed = replace(placed, looks=replace(placed.looks, matrices=away))
    student = torch.zeros(len(batch.images), 1, 8, 8, requires_grad=True)
    loss, _ = step_objective(
        student, logits, placed, method_of(recipe), positive_weight=1.0, lesion_weight=1.0
    )
    torch.autograd.backward(loss)
    assert student.grad is not None
    gradient = student.grad[batch.positive_rows, 0] * 64 * placed.positives
    torch.testing.assert_close(gradient[:, :, :4], torch.full_like(gradient[:, :, :4], 0.5))
    assert (gradient[:, :, 6:] < 0).all()


def test_without_a_teacher_every_crop_is_complete(data: TrainingData, recipe: Recipe) -> None:
    steps = StepDataset(
        data,
        recipe.stage1.batch,
        recipe.augmentation,
        CropSettings(size=SIDE),
        seed=3,
        stage=1,
        source=None,
    )
    batch = steps[0]
    assert batch.looks is None
    assert batch.images.shape == (4, 1, SIDE, SIDE)
    assert batch.drawn.shape == (4, 1, 8, 8)
    assert (batch.images.flatten(1).max(dim=1).values > 0).all()
    assert batch.drawn[batch.supervision[:, 0] == Supervision.NEGATIVE].sum() == 0
