"""The moving average: warm-up, buffers, isolation from gradients."""

import pytest
import torch
from torch import nn

from ribsight.distillation.recipe import TeacherSettings
from ribsight.distillation.teacher import Teacher, warmed_up_decay


def student() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 1, 1))


def train_a_step(network: nn.Module) -> None:
    network.train()
    torch.autograd.backward(network(torch.rand(4, 1, 8, 8)).square().sum())
    with torch.no_grad():
        for parameter in network.parameters():
            assert parameter.grad is not None
            parameter.sub_(parameter.grad, alpha=1e-3)
            parameter.grad = None


def test_the_warm_up_is_a_true_average_and_then_the_decay() -> None:
    assert [warmed_up_decay(n, 0.9) for n in (0, 1, 3)] == [0.0, 0.5, 0.75]
    assert warmed_up_decay(100, 0.9) == 0.9


def test_the_first_updates_average_all_students_seen() -> None:
    network = student()
    teacher = Teacher(network, TeacherSettings(decay=0.999))
    seen = []
    for _ in range(4):
        train_a_step(network)
        seen.append([p.detach().clone() for p in network.parameters()])
        teacher.update(network)
    for index, parameter in enumerate(teacher.network.parameters()):
        mean = torch.stack([one[index] for one in seen]).mean(dim=0)
        torch.testing.assert_close(parameter, mean)


def test_without_decay_the_teacher_is_the_student_bit_for_bit() -> None:
    network = student()
    teacher = Teacher(network, TeacherSettings(decay=0.0))
    for _ in range(3):
        train_a_step(network)
        teacher.update(network)
    for name, tensor in network.state_dict().items():
        assert torch.equal(teacher.network.state_dict()[name], tensor), name


@pytest.mark.parametrize(("policy", "share"), [("copy", 1.0), ("average", 0.5)])
def test_buffers_follow_their_policy(policy: str, share: float) -> None:
    network = student()
    settings = TeacherSettings.model_validate({"decay": 0.5, "buffers": policy})
    teacher = Teacher(network, settings)
    teacher.updates = 10  # past the warm-up
    before = dict(network.named_buffers())["1.running_mean"].clone()
    train_a_step(network)
    teacher.update(network)
    after = dict(network.named_buffers())["1.running_mean"]
    mine = dict(teacher.network.named_buffers())
    torch.testing.assert_close(mine["1.running_mean"], before + share * (after - before))
    assert mine["1.num_batches_tracked"] == 1


def test_a_teacher_gives_no_gradient_and_takes_none() -> None:
    teacher = Teacher(student(), TeacherSettings())
    assert not teacher.logits(torch.rand(1, 1, 8, 8)).requires_grad
    assert not any(p.requires_grad for p in teacher.network.parameters())
    assert not teacher.network.training


def test_the_number_of_updates_is_part_of_the_state() -> None:
    network = student()
    teacher = Teacher(network, TeacherSettings())
    teacher.update(network)
    other = Teacher(network, TeacherSettings())
    other.load_state_dict(teacher.state_dict())
    assert other.updates == 1
