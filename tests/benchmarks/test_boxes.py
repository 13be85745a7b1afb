"""The box detector of the benchmark: who gets a gradient, and from file to marks."""

from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks.methods import boxes
from benchmarks.methods.boxes import BoxTraining, predict

from ribsight.cohort.cache import PixelCache, fill_cache
from ribsight.cohort.tables import Cohort, load_cohort
from ribsight.distillation.recipe import Recipe, load_recipe
from ribsight.distillation.sampling import pools_of
from ribsight.distillation.training_data import TrainingData, training_data
from ribsight.findings import Split, Supervision

RECIPE = Path(__file__).parents[2] / "recipes" / "test.toml"


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return load_recipe(
        RECIPE,
        {"detector.batch_norm": "frozen", "detector.pyramid_channels": 32, "teacher.decay": 0.5},
    )


def cached(folder: Path, split: Split, recipe: Recipe) -> tuple[Cohort, PixelCache]:
    cohort = load_cohort(folder).select(split)
    preprocessing = recipe.images.preprocessing
    return cohort, fill_cache(cohort, preprocessing, folder / "cache", progress=False)


@pytest.fixture
def data(trainable: Path, recipe: Recipe) -> TrainingData:
    cohort, cache = cached(trainable, Split.TRAIN, recipe)
    return training_data(cohort, cache, pools_of(cohort.supervision()))


def training_of(recipe: Recipe, data: TrainingData, *, sure: bool) -> BoxTraining:
    """Self-training with a teacher like the fresh student, or one that sees boxes everywhere."""
    training = BoxTraining(recipe, data, 1, self_training=True)
    teacher = boxes.box_detector(recipe.detector, 1, recipe.images.size).eval()
    teacher.load_state_dict(training.student.state_dict())
    if sure:
        torch.nn.init.constant_(teacher.head.regression_head.bbox_reg.bias, 2.0)
        torch.nn.init.constant_(teacher.head.classification_head.cls_logits.bias, 3.0)
    training.teacher = teacher
    return training


def rows_of(data: TrainingData) -> tuple[list[int], list[int]]:
    """A drawn and a negative radiograph, and two record-positives."""
    known = data.supervision[:, 0]
    places = [np.flatnonzero(known == one) for one in (Supervision.REGION, Supervision.NEGATIVE)]
    positive = np.flatnonzero(known == Supervision.POSITIVE)
    return [int(one[0]) for one in places], positive[:2].tolist()


def gradients(training: BoxTraining, rows: list[int]) -> tuple[float, dict[str, float]]:
    """Return the loss and the size of the student's gradients; the teacher must have none."""
    training.student.zero_grad(set_to_none=True)
    loss = training._loss(np.array(rows), [1, 2, 3])
    torch.autograd.backward(loss)
    assert training.teacher is not None
    assert all(one.grad is None for one in training.teacher.parameters())
    named = training.student.named_parameters()
    return float(loss.detach()), {
        name: 0.0 if one.grad is None else float(one.grad.abs().sum()) for name, one in named
    }


@pytest.mark.parametrize("sure", [False, True])
def test_record_positives_reach_the_student_and_never_the_teacher(
    recipe: Recipe, data: TrainingData, *, sure: bool
) -> None:
    training = training_of(recipe, data, sure=sure)
    known, positive = rows_of(data)
    without, plain = gradients(training, known)
    loss, taught = gradients(training, [*known, *positive])
    assert loss > without > 0
    classifier = [name for name in taught if "classification_head" in name]
    assert all(taught[name] > 0 for name in classifier)
    assert any(abs(taught[name] - plain[name]) > 1e-6 for name in classifier)
    # The borders of taught boxes are unsure: they teach no regression.
    for name in taught:
        if "regression_head" in name:
            assert taught[name] == pytest.approx(plain[name], rel=1e-4, abs=1e-6)


def test_taught_boxes_are_pushed_up(recipe: Recipe, data: TrainingData) -> None:
    training = training_of(recipe, data, sure=True)
    pairs = [training._views(row, [1, 2, place]) for place, row in enumerate(rows_of(data)[1])]
    taught = training._pseudo(pairs)
    for one in taught:
        assert len(one.boxes) > 0
        assert set(one.labels.tolist()) == {1}
        assert float((one.boxes[:, 2:] - one.boxes[:, :2]).min()) >= 2
    head = training.student.head.classification_head.cls_logits
    loss = training._losses(taught)["classification"]
    (with_boxes,) = torch.autograd.grad(loss, [head.bias])
    empty = [boxes.View(one.image, one.boxes[:0], one.labels[:0]) for one in taught]
    (without,) = torch.autograd.grad(training._losses(empty)["classification"], [head.bias])
    # Against its gradient goes the bias of the finding: up with boxes, down without.
    assert float(with_boxes[1]) < 0 < float(without[1])


@pytest.mark.parametrize("self_training", [False, True])
def test_from_files_to_marks(trainable: Path, recipe: Recipe, *, self_training: bool) -> None:
    training, cache = cached(trainable, Split.TRAIN, recipe)
    data = training_data(training, cache, pools_of(training.supervision()))
    held, held_cache = cached(trainable, Split.VAL, recipe)
    said = [
        predict(
            BoxTraining(recipe, data, 1, self_training=self_training).run(),
            held,
            held_cache,
            "boxes",
        )
        for _ in range(2)
    ]
    assert said[0] == said[1]
    assert [one.id for one in said[0].images] == held.ids
    marks = [mark for image in said[0].images for mark in image.findings["fracture"].marks]
    assert marks
    for mark in marks:
        x0, y0, x1, y1 = mark.box
        assert 0 <= x0 <= mark.x <= x1 <= 64
        assert 0 <= y0 <= mark.y <= y1 <= 64
        assert 0 <= mark.score <= 1
    for image in said[0].images:
        found = image.findings["fracture"]
        assert found.score == max((mark.score for mark in found.marks), default=0.0)


def test_the_teacher_follows_the_student(recipe: Recipe, data: TrainingData) -> None:
    training = BoxTraining(recipe, data, 1, self_training=True)
    teacher = training.run()
    own, theirs = dict(teacher.named_parameters()), dict(training.student.named_parameters())
    moved = [name for name in own if not torch.equal(own[name], theirs[name])]
    assert moved
    for name in moved:
        torch.testing.assert_close(own[name], theirs[name], rtol=0.5, atol=0.05)
