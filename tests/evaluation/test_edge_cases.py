"""What happens where data run out: a result or a reason, never a silent number."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ribsight.errors import RibsightError
from ribsight.evaluation.documents import evaluation_document
from ribsight.evaluation.inputs.marks import read_marks
from ribsight.evaluation.inputs.truth_set import read_truth
from ribsight.evaluation.presets import PRESETS, preset
from ribsight.evaluation.reading import Reading, check_reading
from ribsight.evaluation.report import write_report
from ribsight.evaluation.results import FindingResult
from ribsight.evaluation.score import Answers, Scored, Scoring, TruthSet, compare_scored, score
from ribsight.evaluation.truth import Truth

MakeTruth = Callable[..., Truth]
MakeReading = Callable[..., Reading]
BOX = (20.0, 20.0, 30.0, 30.0)
HIT = (25.0, 25.0)


def scored(truth: Truth, reading: Reading, preset_name: str = "ribsight") -> Scored:
    known = TruthSet({truth.finding: truth}, "data", "test")
    answers = Answers("m", "m" * 64, (truth.finding,), lambda _: reading)
    return score(known, answers, Scoring(preset(preset_name), replicates=60, strata=None))


def result(truth: Truth, reading: Reading) -> FindingResult:
    one = scored(truth, reading).evaluation
    json.dumps(evaluation_document(one), allow_nan=False)
    for named in one.findings[0].figures:
        assert named.figure.value is not None or named.figure.note, named.key
        assert named.figure.low is not None or named.figure.note, named.key
    return one.findings[0]


def value(one: FindingResult, key: str) -> float | None:
    figure = one.find(key)
    assert figure is not None, key
    return figure.value


def note(one: FindingResult, key: str) -> str:
    figure = one.find(key)
    assert figure is not None, key
    return figure.note


def test_no_marks(make_truth: MakeTruth, make_reading: MakeReading) -> None:
    one = result(make_truth([1, 0, 1, 0], {0: [BOX], 2: [BOX]}), make_reading([], [0.0] * 4))
    assert [value(one, key) for key in ("auroc", "froc_score", "lesion_ap")] == [0.5, 0, 0]
    # Lesions and normal images are all unmarked: ties.
    assert [value(one, key) for key in ("afroc", "wafroc", "wafroc1")] == [0.5, 0.5, 0.5]


def test_no_lesions(make_truth: MakeTruth, make_reading: MakeReading) -> None:
    one = result(make_truth([1, 0, 0]), make_reading([(1, *HIT, 0.5)], [0.9, 0.5, 0.0]))
    assert value(one, "auroc") == 1
    for key in ("froc_score", "lesion_ap", "afroc", "wafroc", "afroc1"):
        assert value(one, key) is None
        assert "no region of 'rib_fracture' is drawn" in note(one, key)


def test_no_negatives(make_truth: MakeTruth, make_reading: MakeReading) -> None:
    truth = make_truth([1, 1], {0: [BOX], 1: [BOX]})
    one = result(truth, make_reading([(0, *HIT, 0.9), (1, 80, 80, 0.5)], [0.9, 0.5]))
    assert "no image is negative" in note(one, "auroc")
    assert "no image without 'rib_fracture'" in note(one, "wafroc")
    # Lesions 0.9 and none against false marks none and 0.5.
    assert value(one, "wafroc1") == (1 + 1 + 0.5 + 0) / 4
    assert value(one, "froc_score") == 0.5


def test_all_scores_tied(make_truth: MakeTruth, make_reading: MakeReading) -> None:
    truth = make_truth([1, 1, 0, 0], {0: [BOX], 1: [BOX]})
    rows = [(0, *HIT, 0.5), (1, *HIT, 0.5), (2, 80, 80, 0.5), (3, 80, 80, 0.5)]
    one = result(truth, make_reading(rows, [0.5] * 4))
    assert [value(one, key) for key in ("auroc", "wafroc")] == [0.5, 0.5]
    # Two false marks on four images: reached at 0.5 per image and not before.
    assert value(one, "sensitivity_at_0.4") == 0
    assert value(one, "sensitivity_at_0.5") == 1


def test_one_patient(make_truth: MakeTruth, make_reading: MakeReading) -> None:
    truth = replace(make_truth([1, 0, 0], {0: [BOX]}, groups=[0, 0, 0]), patients=("p",) * 3)
    one = result(truth, make_reading([(0, *HIT, 0.9)], [0.9, 0.1, 0.2]))
    assert value(one, "auroc") == 1
    for key in ("auroc", "froc_score", "brier", "ece"):
        assert note(one, key) == "no interval: all images are of one group"
    assert "needs two groups of each kind" in note(one, "auroc_delong")
    assert "no patient is negative" in note(one, "patient_auroc")
    assert one.reliability is None


def test_comparison_where_nothing_is_defined(
    make_truth: MakeTruth, make_reading: MakeReading
) -> None:
    one = scored(make_truth([0, 0]), make_reading([], [0.1, 0.2]))
    difference = compare_scored(one, one, permutations=20, seed=0).differences[0]
    for named in difference.figures:
        assert named.difference.value is not None or named.difference.note, named.key


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_no_numbers(
    make_truth: MakeTruth, make_reading: MakeReading, bad: float
) -> None:
    truth = make_truth([1, 0], {0: [BOX]})
    with pytest.raises(RibsightError, match=r"r1 is .*not a finite number"):
        check_reading(make_reading([], [0.5, bad]), truth)
    with pytest.raises(RibsightError, match="on radiograph r0 has score"):
        check_reading(make_reading([(0, *HIT, bad)], [0.5, 0.5]), truth)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a,rib,nan,5,0.5", "row 2: x is 'nan'"),
        ("a,rib,5,5,nan", "row 2: score is 'nan'"),
        ("a,rib,5,5,", "row 2: score is ''"),
        ("a,rib,105,5,0.5", r"at \(105, 5\) lies outside radiograph a of 100 x 100"),
        ("a,rib,-1,5,0.5", r"at \(-1, 5\) lies outside radiograph a"),
        ("z,rib,5,5,0.5", "row 2: image 'z' is not in the truth"),
        ("a,rib,,,0.5\na,rib,,,0.6", "row 3: a second image score of a"),
        ("a,ribs,5,5,0.5", "row 2: the truth has no finding 'ribs' .did you mean 'rib'"),
    ],
)
def test_files_that_make_no_sense(tmp_path: Path, row: str, message: str) -> None:
    truth = tmp_path / "truth.csv"
    truth.write_text(
        "image,finding,x0,y0,x1,y1,image_width,image_height\n"
        "a,rib,20,20,30,30,100,100\nb,rib,,,,,100,100\n"
    )
    marks = tmp_path / "marks.csv"
    marks.write_text(f"image,finding,x,y,score\n{row}\n")
    known = read_truth(truth)
    with pytest.raises(RibsightError, match=message):
        score(known.truth, read_marks(marks, known), Scoring(replicates=20))


numbers = st.integers(0, 4)
tiny = st.lists(
    st.tuples(
        st.sampled_from([1, 0, 0]),
        numbers,
        st.lists(st.tuples(st.sampled_from([25.0, 80.0]), numbers), max_size=3),
    ),
    min_size=1,
    max_size=5,
)


@pytest.mark.parametrize("name", PRESETS)
@given(images=tiny, drawn=st.booleans(), one_patient=st.booleans())
@settings(max_examples=25, deadline=None)
def test_any_small_data_give_numbers_or_reasons(
    name: str,
    make_truth: MakeTruth,
    make_reading: MakeReading,
    images: list[tuple[int, int, list[tuple[float, int]]]],
    drawn: bool,
    one_patient: bool,
) -> None:
    state = [one[0] for one in images]
    boxes = {i: [BOX] for i, one in enumerate(state) if one and drawn}
    truth = make_truth(state, boxes, groups=[0] * len(state) if one_patient else None)
    truth = replace(truth, patients=tuple(f"p{one}" for one in truth.groups))
    rows = [(i, x, x, s / 4) for i, (_, _, marks) in enumerate(images) for x, s in marks]
    reading = make_reading(rows, [one[1] / 4 for one in images])
    centre = reading.mark_xy
    reading = replace(reading, mark_boxes=np.concatenate([centre - 5, centre + 5], axis=1))
    made = scored(truth, reading, name)
    text = json.dumps(evaluation_document(made.evaluation), allow_nan=False)
    assert "NaN" not in text
    for named in made.evaluation.findings[0].figures:
        figure = named.figure
        assert figure.value is not None or figure.note, named.key
        if figure.low is not None and figure.high is not None:
            assert figure.low <= figure.high, named.key


@pytest.mark.parametrize("state", [[1, 0], [0, 0], [1, 1]])
@pytest.mark.parametrize("drawn", [True, False])
def test_a_report_of_what_is_hardly_defined(
    make_truth: MakeTruth,
    make_reading: MakeReading,
    tmp_path: Path,
    state: list[int],
    drawn: bool,
) -> None:
    truth = make_truth(state, {0: [BOX]} if drawn and state[0] else {})
    made = scored(truth, make_reading([(0, *HIT, 0.9)], [0.9, 0.1]))
    write_report(tmp_path / "report.html", made.evaluation, [], None)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert ">nan<" not in page
    assert "None" not in page
