"""The central table: supervision -> target and weight; who gets a gradient and who does not."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ribsight.distillation.batch import Batch, Looks
from ribsight.distillation.ensemble import TemporalEnsemble, brought_back
from ribsight.distillation.method_settings import AalsSettings, RibsightSettings
from ribsight.distillation.method_table import (
    confident_labels,
    hard_labels,
    highest,
    method_of,
)
from ribsight.distillation.methods import Method, Source, Target, stage_batch, targets
from ribsight.distillation.objective import StepFacts, map_loss, step_objective
from ribsight.distillation.recipe import BatchSettings, CropSettings, Recipe
from ribsight.distillation.sharpening import sharpen_logits
from ribsight.errors import RibsightError
from ribsight.findings import Supervision as S
from ribsight.method_names import METHODS, MethodName


def recipe(method: MethodName) -> Recipe:
    return Recipe.model_validate(
        {
            "method": method,
            "stage1": {"steps": 1, "learning_rate": 1e-3, "batch": {}},
            "stage2": {"steps": 1, "learning_rate": 1e-3, "batch": {}},
        }
    )


def batch() -> Batch:
    """Two findings: region/negative, positive/negative, nothing/positive."""
    supervision = torch.tensor(
        [[S.REGION, S.NEGATIVE], [S.POSITIVE, S.NEGATIVE], [S.NOTHING, S.POSITIVE]]
    )
    drawn = torch.zeros(3, 2, 4, 4)
    drawn[0, 0, 1:3, 1:3] = 1.0
    images = torch.rand(3, 1, 16, 16)
    others = 0.7 * images[1:]  # the teacher's view has other intensities
    return Batch(
        images,
        drawn,
        supervision,
        torch.tensor([1, 2]),
        others,
        known=3,
        positives=2,
        possible=torch.ones_like(drawn),
    )


class Tiny(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.net = nn.Sequential(nn.Conv2d(1, 4, 4, stride=4), nn.ReLU(), nn.Conv2d(4, 2, 1))

    def forward(self, images: Tensor) -> Tensor:
        out: Tensor = self.net(images)
        return out


def loss_of(method: Method, student: nn.Module, teacher: nn.Module) -> tuple[Tensor, StepFacts]:
    """The target is made with gradient: that none flows back is the method's own doing."""
    one = batch()
    taught, known = None, None
    if method.source is Source.MEMORY:
        taught, known = remembered(student(one.teacher_images))
        one = replace(one, looks=LOOKS)
    elif method.positive_target:
        source = student if method.source is Source.BOTH_VIEWS else teacher
        taught = source(one.teacher_images)
    return step_objective(
        student(one.images),
        taught,
        one,
        method,
        positive_weight=1.0,
        lesion_weight=1.0,
        known=known,
    )


LOOKS = Looks(
    step=1,
    image=np.arange(2),
    row=np.array([4, 5]),
    place=np.array([1, 2]),
    matrices=np.tile([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], (2, 1, 1)),
)


def remembered(logits: Tensor) -> tuple[Tensor, Tensor]:
    """What a memory tells of two radiographs of which a student once said this."""
    assert LOOKS.matrices is not None
    ensemble = TemporalEnsemble(LOOKS.row, findings=2, size=16, decay=0.6)
    said = brought_back(logits, LOOKS.matrices, LOOKS.row, LOOKS.place, 16)
    ensemble.remember([said], places=3)
    return ensemble.recall(LOOKS.row)


def test_each_supervision_gets_its_target() -> None:
    one = batch()
    positive = Target(torch.full((2, 2, 4, 4), 0.7), torch.full((2, 2, 4, 4), 0.5))
    target = targets(one.supervision, one.drawn, positive, one.positive_rows)
    assert torch.equal(target.map[0, 0], one.drawn[0, 0])
    assert torch.equal(target.map[1, 1], torch.zeros(4, 4))
    assert torch.equal(target.map[1, 0], torch.full((4, 4), 0.7))
    assert torch.equal(target.map[2, 1], torch.full((4, 4), 0.7))
    weights = target.weight.mean(dim=(-2, -1))
    assert weights.tolist() == [[1.0, 1.0], [0.5, 1.0], [0.0, 0.5]]


def test_without_a_map_for_positives_they_weigh_nothing() -> None:
    one = batch()
    target = targets(one.supervision, one.drawn, None, one.positive_rows)
    assert target.weight[1, 0].sum() == 0


def test_the_map_loss_is_the_mean_cross_entropy() -> None:
    logits = torch.zeros(1, 1, 2, 2)
    map_ = torch.tensor([[[[1.0, 0.0], [0.0, 0.0]]]])
    target = Target(map_, torch.ones_like(map_))
    half = -torch.log(torch.tensor(0.5))
    torch.testing.assert_close(map_loss(logits, target, 1.0)[0, 0], half)
    # A lesion weight of 5 counts the one lesion pixel five times among four.
    torch.testing.assert_close(map_loss(logits, target, 5.0)[0, 0], half * 8 / 4)


def test_the_image_is_what_its_highest_cell_says() -> None:
    logits = torch.full((1, 1, 2, 2), -9.0)
    logits[0, 0, 1, 1] = 0.0
    for said in highest(logits):
        assert float(-said) == pytest.approx(0.6931, abs=1e-4)


@pytest.mark.parametrize("name", METHODS)
def test_gradients_flow_into_the_student_and_never_into_the_teacher(name: MethodName) -> None:
    method = method_of(recipe(name))
    student, teacher = Tiny(), Tiny()
    loss, facts = loss_of(method, student, teacher)
    # A fresh network is sure of nothing: FixMatch has no label to give, as its definition says.
    assert (float(facts.loss_positive) > 0) == (method.uses_positives and name != "fixmatch")
    torch.autograd.backward(loss)
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in student.parameters())
    assert all(p.grad is None for p in teacher.parameters())


@pytest.mark.parametrize("name", METHODS)
def test_the_pairs_that_a_method_speaks_of_get_a_gradient_and_no_others(name: MethodName) -> None:
    method = method_of(recipe(name))
    one = batch()
    logits = torch.zeros(3, 2, 4, 4, requires_grad=True)
    # A teacher that is sure of one lesion and of the background, but for one cell.
    taught = torch.full((2, 2, 4, 4), -4.0)
    taught[:, :, 1, 1], taught[:, :, 2, 2] = 4.0, 0.1
    loss, _ = step_objective(
        logits,
        taught if method.positive_target else None,
        one,
        method,
        positive_weight=1.0,
        lesion_weight=1.0,
    )
    torch.autograd.backward(loss)
    assert logits.grad is not None
    moved = logits.grad.abs().sum(dim=(-2, -1)) > 0
    known = (one.supervision == S.REGION) | (one.supervision == S.NEGATIVE)
    expected = known | ((one.supervision == S.POSITIVE) & method.uses_positives)
    assert moved.tolist() == expected.tolist()
    # Negatives are pushed down, whatever the method.
    assert float(logits.grad[1, 1].sum()) > 0
    if method.uses_positives:
        # And a lesion that the teacher, or the record alone, speaks of is pushed up.
        assert float(logits.grad[1, 0].min()) < 0


AGREEING = ("pi_model", "temporal_ensembling", "mean_teacher_unlabelled", "mean_teacher")


@pytest.mark.parametrize("name", AGREEING)
def test_consistency_with_itself_costs_nothing_and_moves_nothing(name: MethodName) -> None:
    student = Tiny()
    one = replace(batch(), supervision=torch.full((3, 2), int(S.POSITIVE)), known=0, positives=6)
    one = replace(one, positive_rows=torch.arange(3))
    logits = student(one.images)
    loss, facts = step_objective(
        logits, logits, one, method_of(recipe(name)), positive_weight=1.0, lesion_weight=1.0
    )
    torch.autograd.backward(loss)
    assert float(facts.loss_positive) < 1e-12
    assert all(p.grad is not None and p.grad.abs().max() < 1e-6 for p in student.parameters())


def test_what_was_never_seen_teaches_nothing() -> None:
    method = method_of(recipe("temporal_ensembling"))
    one = replace(batch(), looks=LOOKS)
    nothing, known = TemporalEnsemble(LOOKS.row, findings=2, size=16, decay=0.6).recall(LOOKS.row)
    logits = torch.zeros(3, 2, 4, 4, requires_grad=True)
    loss, facts = step_objective(
        logits, nothing, one, method, positive_weight=1.0, lesion_weight=1.0, known=known
    )
    assert float(facts.loss_positive) == 0
    torch.autograd.backward(loss)
    assert logits.grad is not None
    assert float(logits.grad[2].abs().sum()) == 0
    # Half of the picture was seen: only there is anything taught.
    known[..., :2] = 1.0
    _, facts = step_objective(
        logits, nothing, one, method, positive_weight=1.0, lesion_weight=1.0, known=known
    )
    assert float(facts.loss_positive) == pytest.approx(0.5 * 0.25, rel=1e-3)


@pytest.mark.parametrize("name", METHODS)
def test_nothing_known_teaches_nothing(name: MethodName) -> None:
    one = batch()
    unknown = Batch(
        one.images,
        one.drawn,
        torch.zeros_like(one.supervision),
        torch.empty(0, dtype=torch.long),
        one.teacher_images[:0],
        known=0,
        positives=0,
        possible=torch.ones_like(one.drawn),
    )
    student = Tiny()
    loss, _ = step_objective(
        student(unknown.images),
        None,
        unknown,
        method_of(recipe(name)),
        positive_weight=1.0,
        lesion_weight=1.0,
    )
    torch.autograd.backward(loss)
    # Zero, but present: no parameter may be unused when several processes train together.
    assert all(p.grad is not None and p.grad.abs().sum() == 0 for p in student.parameters())


def test_distillation_of_an_agreeing_student_has_no_gradient() -> None:
    method = method_of(recipe("distillation"))
    student = Tiny()
    one = batch()
    logits = student(one.images)
    assert method.positive_target is not None
    target = method.positive_target(logits[one.positive_rows])
    loss = map_loss(logits[one.positive_rows], target, 1.0).sum()
    torch.autograd.backward(loss)
    largest = max(float(p.grad.abs().max()) for p in student.parameters() if p.grad is not None)
    assert largest < 1e-6


def test_the_facts_count_who_was_not_pushed() -> None:
    method = method_of(recipe("aals"))
    one = batch()
    teacher_logits = torch.full((2, 2, 4, 4), -3.0)
    teacher_logits[1, 1, 0, 0] = 1.0  # probability 0.73, above t = 0.4
    _, facts = step_objective(
        torch.zeros(3, 2, 4, 4), teacher_logits, one, method, positive_weight=1.0, lesion_weight=1.0
    )
    assert facts.positives.tolist() == [1, 1]
    assert facts.without_push.tolist() == [1, 0]
    assert facts.teacher_maximum.tolist() == pytest.approx([0.0474, 0.7311], abs=1e-4)
    expected = sharpen_logits(teacher_logits[1, 1])
    assert float(facts.target_area[1]) == pytest.approx(float(expected.mean()))
    assert float(facts.target_maximum[1]) == pytest.approx(float(expected.max()))
    assert facts.target_counted.tolist() == [1, 1]
    assert float(facts.disagreement[1]) == pytest.approx(float((0.5 - expected).abs().mean()))


def test_the_facts_know_how_much_of_a_target_counts_and_what_it_weighs() -> None:
    teacher_logits = torch.full((2, 2, 4, 4), -9.0)
    teacher_logits[0, 0, 0] = 0.0  # of 16 cells 4 are unsure
    loss, facts = step_objective(
        torch.zeros(3, 2, 4, 4),
        teacher_logits,
        batch(),
        method_of(recipe("fixmatch")),
        positive_weight=0.25,
        lesion_weight=1.0,
    )
    assert facts.target_counted.tolist() == [0.75, 1]
    assert float(facts.loss_weighted) == pytest.approx(0.25 * float(facts.loss_positive))
    assert float(loss) == pytest.approx(float(facts.loss_known + facts.loss_weighted))


SUPERVISION = np.array(
    [
        [S.REGION, S.NEGATIVE],
        [S.POSITIVE, S.NEGATIVE],
        [S.NEGATIVE, S.NEGATIVE],
        [S.NOTHING, S.POSITIVE],
    ],
    dtype=np.int8,
)


def test_regions_only_never_sees_a_record() -> None:
    known = method_of(recipe("regions_only")).supervision(SUPERVISION, 1)
    assert known.tolist() == [[S.REGION, S.NEGATIVE], [0, 0], [0, 0], [0, 0]]


@pytest.mark.parametrize(
    "name", ["pi_model", "temporal_ensembling", "mean_teacher_unlabelled", "fixmatch"]
)
def test_methods_that_ignore_records_do_so_after_the_common_stage(name: MethodName) -> None:
    method = method_of(recipe(name))
    assert method.supervision(SUPERVISION, 1).tolist() == SUPERVISION.tolist()
    taught = [S.POSITIVE, S.POSITIVE]
    assert method.supervision(SUPERVISION, 2).tolist() == [[S.REGION, S.NEGATIVE]] + [taught] * 3


@pytest.mark.parametrize("name", METHODS)
def test_every_method_sees_as_many_images_in_a_step(name: MethodName) -> None:
    one = recipe(name)
    batch = BatchSettings(regions=3, positives=4, negatives=5)
    stage = one.stage2.model_copy(update={"batch": batch})
    assert stage_batch(stage, method_of(one), 2).size == 12


def test_fixmatch_labels_only_what_it_is_sure_of() -> None:
    logits = torch.logit(torch.tensor([[[[0.97, 0.9], [0.5, 0.02]]]]))
    target = confident_labels(logits, 0.95)
    assert target.map.flatten().tolist() == [1, 1, 0, 0]
    assert target.weight.flatten().tolist() == [1, 0, 0, 1]


def test_pseudo_labels_are_hard() -> None:
    logits = torch.logit(torch.tensor([[[[0.6, 0.4]]]]))
    target = hard_labels(logits, 0.5)
    assert target.map.flatten().tolist() == [1, 0]
    assert target.weight.flatten().tolist() == [1, 1]


def test_our_method_leaves_the_unsure_out_and_helps_every_site() -> None:
    # Two sites far apart: one certain, one not.
    probability = torch.full((1, 1, 1, 40), 0.001)
    probability[0, 0, 0, 2], probability[0, 0, 0, 35], probability[0, 0, 0, 20] = 0.99, 0.5, 0.2
    logits = torch.logit(probability)
    settings = {"ribsight": {"a0": 4.0, "t": 0.4, "reach": 5, "unsure_from": 0.02}}
    changed = recipe("ribsight").model_copy(
        update={"ribsight": RibsightSettings.model_validate(settings["ribsight"])}
    )
    method = method_of(changed)
    assert method.positive_target is not None
    target = method.positive_target(logits)
    ours, theirs = target.map[0, 0, 0], sharpen_logits(logits)[0, 0, 0]
    assert float(theirs[35]) == pytest.approx(0.503, abs=2e-3)
    assert float(ours[35]) == pytest.approx(0.6475, abs=1e-4)
    assert float(ours[2]) == pytest.approx(float(theirs[2]), abs=1e-6)
    assert target.weight[0, 0, 0].tolist() == [float(n != 20) for n in range(40)]


def test_what_a_record_forbids_is_background() -> None:
    one = batch()
    possible = torch.ones_like(one.drawn)
    possible[1, 0, :, :2] = 0.0  # of the record-positive: only the picture's right half is possible
    teacher_logits = torch.full((2, 2, 4, 4), 1.0)
    student = torch.zeros(3, 2, 4, 4, requires_grad=True)
    loss, _ = step_objective(
        student,
        teacher_logits,
        replace(one, possible=possible),
        method_of(recipe("ribsight")),
        positive_weight=1.0,
        lesion_weight=1.0,
    )
    torch.autograd.backward(loss)
    assert student.grad is not None
    gradient = student.grad[1, 0]
    assert (gradient[:, :2] > 0).all()  # downward where no lesion can be
    assert (gradient[:, 2:] < 0).all()  # upward where the teacher says so


def test_the_worst_false_alarm_of_a_negative_costs_as_a_whole() -> None:
    changed = recipe("ribsight").model_copy(
        update={"ribsight": RibsightSettings(negative_weight=0.5)}
    )
    plain, with_alarm = (
        step_objective(
            torch.full((3, 2, 4, 4), 0.3),
            torch.zeros(2, 2, 4, 4),
            batch(),
            method_of(one),
            positive_weight=1.0,
            lesion_weight=1.0,
        )[0]
        for one in (recipe("ribsight"), changed)
    )
    # Two of three known pairs are negative.
    more = 0.5 - RibsightSettings().negative_weight
    expected = more * 2 / 3 * torch.nn.functional.softplus(torch.tensor(0.3))
    torch.testing.assert_close(with_alarm - plain, expected)


def test_stage_1_is_the_same_for_every_method_that_has_a_teacher() -> None:
    method = method_of(recipe("patches")).in_stage(1)
    assert method.known_loss is None
    assert method.record is None
    assert method_of(recipe("aals")).in_stage(2).push_centre == 0.4


@pytest.mark.parametrize("name", ["multiple_instance", "noisy_or", "patches", "cam", "pi_model"])
def test_what_is_said_of_whole_images_is_refused_on_crops(name: MethodName) -> None:
    on_crops = recipe(name).model_copy(update={"crops": CropSettings(size=64)})
    with pytest.raises(RibsightError, match="need not hold the lesion"):
        method_of(on_crops)


def test_ours_is_taken_on_crops_once_it_asks_no_positive_image_as_a_whole() -> None:
    changes = {"crops": CropSettings(size=64), "ribsight": RibsightSettings(image_weight=0.0)}
    method = method_of(recipe("ribsight").model_copy(update=changes))
    # A negative record is true of every crop.
    assert method.record is not None
    assert method.record.negative > 0


def test_facts_survive_being_a_vector() -> None:
    _, facts = loss_of(method_of(recipe("aals")), Tiny(), Tiny())
    again = StepFacts.from_vector(facts.vector(), 2)
    assert again.positives.tolist() == facts.positives.tolist()
    assert float(again.loss_positive) == pytest.approx(float(facts.loss_positive))
    assert again.disagreement.tolist() == facts.disagreement.tolist()


@pytest.mark.parametrize("name", ["multiple_instance", "log_sum_exp", "noisy_or", "pcam"])
def test_pooled_methods_ask_negative_images_too(name: MethodName) -> None:
    """Without it the whole map rises: nothing but a mean over cells would hold it down."""
    asked = recipe(name)
    method, weight = method_of(asked), asked.baselines.image_weight
    assert method.record is not None
    # On a map of one cell every pooling is that cell.
    one_cell = torch.full((2, 1, 1, 1), 0.7)
    loss = method.record.loss(one_cell, torch.tensor([[S.NEGATIVE], [S.POSITIVE]]))
    expected = weight * torch.nn.functional.softplus(torch.tensor([[0.7], [-0.7]]))
    torch.testing.assert_close(loss, expected)


def test_our_method_sharpens_by_parameters_of_its_own() -> None:
    other = recipe("ribsight").model_copy(update={"aals": AalsSettings(a0=6.0, t=0.9)})
    assert method_of(other).push_centre == RibsightSettings().t
    wrong = recipe("ribsight").model_copy(update={"ribsight": RibsightSettings(t=1.5)})
    with pytest.raises(RibsightError, match=r"ribsight\.t = 1\.5"):
        method_of(wrong)


def test_with_a_centre_of_its_own_every_record_positive_is_pushed() -> None:
    faint = torch.logit(torch.tensor([[[[0.05, 0.2]]]]))
    plain, pushed = (
        method_of(recipe("ribsight").model_copy(update={"ribsight": own}))
        for own in (
            RibsightSettings(a0=4.0, t=0.4),
            RibsightSettings(a0=4.0, t=0.4, centre_share=0.5, reach=0, unsure_from=1.0),
        )
    )
    assert plain.positive_target is not None
    assert pushed.positive_target is not None
    torch.testing.assert_close(plain.positive_target(faint).map, torch.sigmoid(faint))
    target = pushed.positive_target(faint).map
    # a = 4 - 3 * 0.2 = 3.4 around 0.1: logit(target) = 3.4 logit(0.2) - 2.4 logit(0.1).
    expected = torch.sigmoid(3.4 * torch.logit(torch.tensor(0.2)) + 2.4 * np.log(9))
    assert float(target[0, 0, 0, 1]) == pytest.approx(float(expected), abs=1e-5)
    assert float(target[0, 0, 0, 0]) == pytest.approx(0.05)
