"""Rules for several readers, by hand-computed cases."""

from dataclasses import replace

import pytest

from ribsight.errors import RibsightError
from ribsight.regions import AnnotatedImage, Annotations, Fusion, ImageLabel, Region, Rule, agree
from ribsight.regions.region import Box, box_polygon

READERS = ("R1", "R2", "R3")


def drawn(
    reader: str, *box: float, finding: str = "fracture", score: float | None = None
) -> Region:
    x0, y0, x1, y1 = box
    return Region("a", finding, (box_polygon(x0, y0, x1, y1),), is_box=True, reader=reader,
                  source=f"f.csv, {reader}", score=score)  # fmt: skip


def read_by(*regions: Region, readers: tuple[str, ...] = READERS) -> Annotations:
    images = {"a": AnnotatedImage("a", readers=readers)}
    return Annotations("f.csv", images, regions, ("fracture", "nodule"))


def boxes(content: Annotations) -> list[Box]:
    return sorted(one.box for one in content.regions)


LESION = (drawn("R1", 0, 0, 10, 10), drawn("R2", 2, 0, 12, 10))
ALONE = drawn("R3", 50, 50, 60, 60)


def test_union_majority_and_all_count_lesions() -> None:
    content = read_by(*LESION, ALONE)
    # The median of two corners is their mean.
    assert boxes(agree(content, Rule.UNION)) == [(1, 0, 11, 10), (50, 50, 60, 60)]
    assert boxes(agree(content, Rule.MAJORITY)) == [(1, 0, 11, 10)]
    assert boxes(agree(content, Rule.ALL)) == []
    third = drawn("R3", 4, 0, 20, 10)
    assert boxes(agree(read_by(*LESION, third), Rule.ALL)) == [(2, 0, 12, 10)]


def test_who_agreed_is_kept() -> None:
    (region,) = agree(read_by(*LESION, ALONE), Rule.MAJORITY).regions
    assert region.reader == "consensus"
    assert region.score == pytest.approx(2 / 3)
    assert region.attributes == {"readers": "R1; R2", "agreed": 2, "read_by": 3}
    assert region.source == "f.csv, R1; f.csv, R2"


def test_the_readers_of_the_image_count_and_not_those_of_the_file() -> None:
    content = agree(read_by(*LESION, readers=("R1", "R2")), Rule.ALL)
    assert boxes(content) == [(1, 0, 11, 10)]
    half = agree(read_by(LESION[0], readers=("R1", "R2")), Rule.MAJORITY)
    assert boxes(half) == []
    assert half.images["a"].readers == ("consensus",)


def test_findings_are_counted_apart_and_one_reader_does_not_agree_with_himself() -> None:
    other = drawn("R2", 0, 0, 10, 10, finding="nodule")
    assert boxes(agree(read_by(LESION[0], other), Rule.MAJORITY)) == []
    twice = drawn("R1", 1, 0, 11, 10)
    assert boxes(agree(read_by(LESION[0], twice), Rule.MAJORITY)) == []


def test_a_small_box_whose_centre_lies_in_a_large_one_is_the_same_lesion() -> None:
    small = drawn("R2", 4, 4, 6, 6)
    assert len(agree(read_by(LESION[0], small), Rule.UNION).regions) == 1
    touching = drawn("R2", 9, 0, 19, 10)
    assert len(agree(read_by(LESION[0], touching), Rule.UNION).regions) == 2


def test_labels_of_the_image_are_counted_too() -> None:
    content = read_by()
    labels = (ImageLabel("poor", "R1"), ImageLabel("poor", "R2"), ImageLabel("lateral", "R3"))
    content = replace(content, images={"a": replace(content.images["a"], labels=labels)})
    (label,) = agree(content, Rule.MAJORITY).images["a"].labels
    assert (label.name, label.reader) == ("poor", "consensus")


def test_an_outline_nobody_else_drew_stays_an_outline() -> None:
    outline = replace(ALONE, polygons=(box_polygon(50, 50, 60, 60)[:3],), is_box=False)
    (region,) = agree(read_by(outline), Rule.UNION).regions
    assert not region.is_box


def test_weighted_fusion_of_persons_is_the_mean_box_and_the_share_of_readers() -> None:
    # IoU of the two: 80 / 120 = 0.67 > 0.55.
    fused, alone = agree(read_by(*LESION, ALONE), Rule.WEIGHTED).regions
    assert fused.box == (1.0, 0.0, 11.0, 10.0)
    assert fused.score == pytest.approx(2 / 3)
    assert alone.box == (50.0, 50.0, 60.0, 60.0)
    assert alone.score == pytest.approx(1 / 3)


def test_weighted_fusion_by_confidence_and_weight() -> None:
    # Confidences 0.9 * 2 = 1.8 and 0.6 * 1 = 0.6; weights of all readers sum to 4.
    # x0 = (1.8 * 0 + 0.6 * 2) / 2.4 = 0.5; score = (2.4 / 2) * min(2, 3) / 4 = 0.6.
    content = read_by(drawn("R1", 0, 0, 10, 10, score=0.9), drawn("R2", 2, 0, 12, 10, score=0.6))
    (fused,) = agree(content, Rule.WEIGHTED, Fusion(weights={"R1": 2})).regions
    assert fused.box == pytest.approx((0.5, 0, 10.5, 10))
    assert fused.score == pytest.approx(0.6)


def test_a_box_joins_the_fused_box_and_not_the_first_box() -> None:
    # Third against first: 60 / 140 = 0.43; against the fused 1..11: 70 / 130 = 0.54.
    third = drawn("R3", 4, 0, 14, 10)
    content = read_by(*LESION, third)
    assert len(agree(content, Rule.WEIGHTED, Fusion(iou=0.5)).regions) == 1
    assert len(agree(content, Rule.WEIGHTED, Fusion(iou=0.55)).regions) == 2
    (fused,) = agree(content, Rule.WEIGHTED, Fusion(iou=0.5)).regions
    assert fused.box == pytest.approx((2, 0, 12, 10))
    assert fused.score == pytest.approx(1)


def test_several_boxes_of_one_reader_do_not_exceed_certainty() -> None:
    many = [drawn("R1", 0, 0, 10, 10 + one / 10) for one in range(5)]
    (fused,) = agree(read_by(*many), Rule.WEIGHTED).regions
    assert fused.score == pytest.approx(1)
    assert fused.attributes["agreed"] == 1


def test_a_minimum_score_and_a_weight_of_nothing_leave_out() -> None:
    content = read_by(*LESION, ALONE)
    assert len(agree(content, Rule.WEIGHTED, Fusion(minimum_score=0.5)).regions) == 1
    assert len(agree(content, Rule.WEIGHTED, Fusion(weights={"R3": 0})).regions) == 1


def test_a_weight_of_an_unknown_reader_is_refused() -> None:
    with pytest.raises(RibsightError, match=r"no reader is called 'R4' \(did you mean"):
        agree(read_by(*LESION), Rule.WEIGHTED, Fusion(weights={"R4": 1}))
