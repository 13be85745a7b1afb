"""When an exported model is refused, and what a small number of images leaves open."""

import pytest

from ribsight.deployment.export.parity import MarkAgreement, Parity
from ribsight.deployment.export.tolerance import Tolerance
from ribsight.evaluation.results import Difference, Figure


def parity(
    maps: float = 0.0, auroc: float | None = 0.0, froc: float | None = 0.0, width: float = 0.01
) -> Parity:
    def figure(value: float | None) -> Figure:
        if value is None:
            return Figure(None, None, None, 0, 0, "no region")
        return Figure(value, value - width, value + width, 100, 0)

    difference = Difference("fracture", figure(auroc), None, figure(froc), None)
    agreement = MarkAgreement(2, 2, 2)
    return Parity(50, maps, "film7", maps, agreement, agreement, (difference,))


def test_fp32_is_held_to_its_maps() -> None:
    tolerance = Tolerance("fp32", 1e-3)
    assert not tolerance.objection(parity(maps=1e-3, auroc=-0.5))
    assert "by up to 0.0011 (on film7), more than the tolerance of 0.001" in tolerance.objection(
        parity(maps=1.1e-3)
    )
    assert tolerance.objection(parity(maps=float("inf")))


def test_int8_is_held_to_its_figures() -> None:
    tolerance = Tolerance("int8", 0.02)
    assert not tolerance.objection(parity(maps=0.3, auroc=-0.02, froc=0.05))
    assert tolerance.objection(parity(auroc=-0.021, froc=-0.1)) == (
        "quantising lowers AUROC of fracture by 0.021 (95 % interval 0.011 to 0.031) and "
        "FROC score of fracture by 0.100 (95 % interval 0.090 to 0.110), more than 0.02"
    )
    assert not tolerance.objection(parity(auroc=0.0, froc=None))
    assert "cannot be measured" in tolerance.objection(parity(auroc=None, froc=None))


def test_few_images_leave_a_loss_open() -> None:
    tolerance = Tolerance("int8", 0.02)
    assert not tolerance.reservation(parity(auroc=-0.005, froc=-0.005))
    assert tolerance.reservation(parity(auroc=-0.005, froc=-0.015)) == (
        "the 50 images do not rule out that more than 0.02 is lost in FROC score of fracture"
    )
    assert not Tolerance("fp32", 1e-3).reservation(parity(auroc=-0.9))


@pytest.mark.parametrize(("marks", "share"), [((0, 0, 0), 1.0), ((3, 1, 1), 0.5)])
def test_the_share_of_marks_that_both_have(marks: tuple[int, int, int], share: float) -> None:
    assert MarkAgreement(*marks).share == share
