from collections.abc import Callable

import pytest

from ribsight.cohort.tables import Cohort
from ribsight.errors import RibsightError
from ribsight.evaluation.truth import known_only, truth_of

MakeCohort = Callable[..., Cohort]

BOX = (20.0, 20.0, 30.0, 40.0)
STATES = ["unknown", "positive", "uncertain", "negative", "positive"]


def test_cohort_becomes_arrays(make_cohort: MakeCohort) -> None:
    cohort = make_cohort(STATES, {0: [BOX], 4: [BOX, BOX]}, groups=["c", "b", "c", "a", "b"])
    truth = truth_of(cohort, "rib_fracture")
    assert truth.state.tolist() == [-1, 1, -1, 0, 1]
    assert truth.groups.tolist() == [2, 1, 2, 0, 1]
    assert truth.region_image.tolist() == [0, 4, 4]
    assert truth.region_boxes[0].tolist() == list(BOX)
    assert truth.sizes[0].tolist() == [100, 100]


def test_known_only_leaves_out_images_with_their_regions_and_groups(
    make_cohort: MakeCohort,
) -> None:
    cohort = make_cohort(STATES, {0: [BOX], 4: [BOX]}, groups=["a", "b", "c", "d", "d"])
    truth = known_only(truth_of(cohort, "rib_fracture"))
    assert truth.images == ("r1", "r3", "r4")
    assert truth.state.tolist() == [1, 0, 1]
    # Codes close up again: a group without images would be drawn for nothing.
    assert truth.groups.tolist() == [0, 1, 1]
    assert truth.region_image.tolist() == [2]
    assert truth.located.tolist() == [False, True, True]


def test_radiograph_without_group_stands_for_itself(make_cohort: MakeCohort) -> None:
    cohort = make_cohort(STATES, groups=[None, "g", None, "g", None])
    groups = truth_of(cohort, "rib_fracture").groups
    assert groups[1] == groups[3]
    assert len(set(groups.tolist())) == 4


def test_unknown_finding_is_an_error(make_cohort: MakeCohort) -> None:
    with pytest.raises(RibsightError, match=r"no finding 'nodule'; it has rib_fracture"):
        truth_of(make_cohort(STATES), "nodule")
