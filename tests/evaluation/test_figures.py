"""Calibration, thresholds, strata, comparisons, seeds, match files: by hand and by property."""

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score

from ribsight.errors import RibsightError
from ribsight.evaluation.bootstrap import (
    bca_interval,
    cluster_weights,
    interval,
    jackknife_weights,
)
from ribsight.evaluation.calibration import (
    brier,
    calibrated,
    calibration_error,
    error_bounds,
    gaps,
    reliability,
)
from ribsight.evaluation.comparing import holm, permutation_p
from ribsight.evaluation.figures import items_of, replicate
from ribsight.evaluation.froc import froc_curve, froc_events, froc_score
from ribsight.evaluation.match_file import read_matches, write_matches
from ribsight.evaluation.matching import match
from ribsight.evaluation.measure import Measured, measure
from ribsight.evaluation.operating_points import (
    choose,
    parse_aim,
    read_points,
    write_points,
)
from ribsight.evaluation.protocol import Protocol
from ribsight.evaluation.reading import Reading
from ribsight.evaluation.score import Answers, Scored, Scoring, TruthSet, compare_scored, score
from ribsight.evaluation.seeds import (
    across_seeds,
    difference_across_seeds,
    learning_curve,
)
from ribsight.evaluation.strata import Column, parse_column, parts_of, usual_columns
from ribsight.evaluation.threshold import calls_at, figures_at
from ribsight.evaluation.truth import Truth

MakeTruth = Callable[..., Truth]
MakeReading = Callable[..., Reading]
EXACT = Protocol(dilation=0.0)
BOX = (0.0, 0.0, 10.0, 10.0)
ONES = np.ones((1, 6))


@pytest.fixture
def truth(make_truth: MakeTruth) -> Truth:
    """Six images of three patients; two have the finding, the first with two regions."""
    made = make_truth(
        [1, 1, 0, 0, 0, 0], {0: [BOX, (20, 0, 60, 10)], 1: [BOX]}, groups=[0, 0, 1, 1, 2, 2]
    )
    return replace(
        made,
        patients=("p", "p", "q", "q", "r", "r"),
        image_columns={"sex": ("f", "f", "m", "m", None, "f")},
        region_columns={"age": ("10", "50", "70")},
    )


@pytest.fixture
def reading(make_reading: MakeReading) -> Reading:
    rows = [(0, 5, 5, 0.9), (0, 90, 90, 0.3), (1, 5, 5, 0.4), (2, 5, 5, 0.6), (4, 5, 5, 0.2)]
    return make_reading(rows, [0.9, 0.4, 0.6, 0.1, 0.2, 0.1])


def scored(truth: Truth, reading: Reading, model: str = "m", **rules: object) -> Scored:
    known = TruthSet({truth.finding: truth}, "data", "val")
    answers = Answers(model, model * 64, (truth.finding,), lambda _: reading)
    return score(known, answers, replace(Scoring(EXACT, replicates=200), **rules))  # type: ignore[arg-type]


def test_brier_and_calibration_error() -> None:
    generator = np.random.default_rng(0)
    scores, positive = generator.random(200), generator.random(200) < 0.4
    images = calibrated(scores, positive, np.arange(200))
    assert images is not None
    weights = np.ones((1, 200))
    assert brier(images, weights)[0] == pytest.approx(brier_score_loss(positive, scores))
    bins = reliability(images, weights)
    assert bins.weight.tolist() == [[20] * 10]
    order = np.argsort(scores).reshape(10, 20)
    expected = np.mean([abs(scores[o].mean() - positive[o].mean()) for o in order])
    assert calibration_error(bins)[0] == pytest.approx(expected)
    assert calibrated(scores * 2, positive, np.arange(200)) is None
    tied = calibrated(np.full(5, 0.3), np.arange(5) < 2, np.arange(5))
    assert tied is not None
    assert calibration_error(reliability(tied, np.ones((1, 5))))[0] == pytest.approx(0.1)


def test_one_threshold_by_hand(truth: Truth, reading: Reading) -> None:
    calls = calls_at(0.4, truth, reading, match(truth, reading, EXACT))
    found = {key: float(value[0]) for key, value in figures_at(calls, ONES).items()}
    # Called: images 0, 1 (right) and 2 (wrong) of 2 + 4. Hits 2 of 3 regions, one false mark.
    assert found == pytest.approx(
        {
            "sensitivity": 1, "specificity": 0.75, "ppv": 2 / 3, "npv": 1,
            "lesion_recall": 2 / 3, "lesion_precision": 2 / 3, "lesion_f1": 2 / 3,
            "lesion_f2": 2 / 3, "false_positives_per_image": 1 / 6,
        }
    )  # fmt: skip
    rare = figures_at(calls, ONES, prevalence=0.01)
    assert rare["ppv"][0] == pytest.approx(0.01 / (0.01 + 0.25 * 0.99))


def test_patients_and_their_denominator(truth: Truth, reading: Reading) -> None:
    table = match(truth, reading, EXACT)
    figures = replicate(items_of(truth, reading, table), ONES).figures
    assert figures["patient_auroc"][0] == roc_auc_score([1, 0, 0], [0.9, 0.6, 0.2])
    per_patient = replace(EXACT, denominator="patients")
    table = match(truth, reading, per_patient)
    curve = froc_curve(froc_events(table, truth, per_patient))
    assert curve.rate.tolist() == pytest.approx([0, 0, 1 / 3, 1 / 3, 2 / 3, 1])
    unknown = replace(truth, patients=())
    with pytest.raises(RibsightError, match="patients are not known"):
        froc_events(match(unknown, reading, per_patient), unknown, per_patient)


def test_beyond_the_last_mark_can_be_undefined(truth: Truth, reading: Reading) -> None:
    strict = replace(EXACT, beyond="undefined", operating_points=(0.1, 0.9))
    items = items_of(truth, reading, match(truth, reading, strict))
    figures = replicate(items, ONES).figures
    assert np.isnan(figures["sensitivity_at_0.9"][0])
    assert figures["sensitivity_at_0.1"][0] == pytest.approx(1 / 3)
    held = replace(strict, beyond="hold")
    figures = replicate(items_of(truth, reading, match(truth, reading, held)), ONES).figures
    assert figures["sensitivity_at_0.9"][0] == pytest.approx(2 / 3)


def test_linear_reads_between_thresholds(truth: Truth, reading: Reading) -> None:
    # From (1/6, 1/3) over (1/6, 2/3) on: at 1/12 half way along the first flat part.
    linear = replace(EXACT, interpolation="linear", operating_points=(1 / 12, 1 / 6))
    table = match(truth, reading, linear)
    items = items_of(truth, reading, table)
    figures = replicate(items, ONES).figures
    assert figures["froc_score"][0] == pytest.approx((1 / 3 + 2 / 3) / 2)
    curve = froc_curve(froc_events(table, truth, linear))
    assert froc_score(curve, linear) == pytest.approx(figures["froc_score"][0])


def test_strata_of_images_and_regions(truth: Truth, reading: Reading) -> None:
    result = measure(
        truth, reading, EXACT, replicates=50, seed=0,
        strata=[Column("sex"), Column("age", (40.0,)), Column("size_share", (0.2,))],
    ).result  # fmt: skip
    found = {(one.column, one.label): one for one in result.strata}
    assert list(found) == [
        ("sex", "f"), ("sex", "m"), ("sex", "not known"), ("age", "below 40"),
        ("age", "40 and more"), ("size_share", "below 0.2"), ("size_share", "0.2 and more"),
    ]  # fmt: skip
    women = found["sex", "f"]
    assert (women.images, women.positive, women.lesions) == (3, 2, 3)
    assert women.figures[0].figure.value == 1  # AUROC: 0.9, 0.4 against 0.1
    assert "no image is positive" in found["sex", "m"].figures[0].figure.note
    young, old = found["age", "below 40"], found["age", "40 and more"]
    # Each against the two false marks on normal images and one on image 0, on 6 images.
    assert young.figures[0].figure.value == 1
    assert old.lesions == 2
    assert old.figures[0].figure.value == pytest.approx((0 + 4 * 0.5) / 5)
    with pytest.raises(RibsightError, match=r"no column 'sx' to part by \(did you mean 'sex'"):
        parts_of(truth, Column("sx"))
    with pytest.raises(RibsightError, match="its values are text"):
        parts_of(truth, Column("sex", (1.0,)))
    assert [one.name for one in usual_columns(truth)] == [
        "size_share", "regions_on_image", "age", "sex",
    ]  # fmt: skip
    assert parse_column("age:18,65") == Column("age", (18.0, 65.0))
    for bad in ("age:x", "age:3,2"):
        with pytest.raises(RibsightError, match="the cuts after ':'"):
            parse_column(bad)


def test_holm_by_hand() -> None:
    assert holm([0.01, None, 0.04, 0.03]) == [0.03, None, 0.06, 0.06]
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_permutation_equals_all_exchanges(truth: Truth, reading: Reading) -> None:
    generator = np.random.default_rng(1)
    other = replace(reading, image_scores=generator.permutation(reading.image_scores))
    table = match(truth, reading, EXACT)
    found = permutation_p(
        truth, (reading, table), (other, table), permutations=4000, seed=0
    )["auroc"]  # fmt: skip
    both = [np.argsort(np.argsort(one.image_scores)) / 1.0 for one in (reading, other)]
    both = [
        np.array(
            [(r.image_scores < s).sum() + (r.image_scores == s).sum() / 2 for s in r.image_scores]
        )
        for r in (reading, other)
    ]
    differences = []
    for swap in itertools.product([False, True], repeat=3):
        chosen = np.array(swap)[truth.groups]
        a, b = np.where(chosen, both[1], both[0]), np.where(chosen, both[0], both[1])
        differences.append(roc_auc_score(truth.state, b) - roc_auc_score(truth.state, a))
    expected = np.mean(np.abs(differences) >= abs(differences[0]) - 1e-12)
    assert found == pytest.approx(expected, abs=0.03)


def test_a_detector_against_itself_and_under_other_rules(truth: Truth, reading: Reading) -> None:
    one = scored(truth, reading)
    difference = compare_scored(one, scored(truth, reading), permutations=50, seed=0).differences[0]
    for named in difference.figures:
        if named.difference.value is not None:
            assert (named.difference.value, named.p) == (0, 1)
    assert {one.key for one in difference.figures if one.p_holm is not None} == {
        "auroc", "patient_auroc", "froc_score", "wafroc",
    }  # fmt: skip
    with pytest.raises(RibsightError, match="two protocols cannot be compared: dilation"):
        compare_scored(one, scored(truth, reading, protocol=Protocol()), permutations=0, seed=0)
    with pytest.raises(RibsightError, match="different resamples"):
        compare_scored(one, scored(truth, reading, seed=5), permutations=0, seed=0)


@pytest.mark.parametrize(
    ("aim", "threshold"),
    [
        ("sensitivity 0.5", 0.9),
        ("sensitivity 1", 0.4),
        ("specificity 1", np.nextafter(0.9, 1)),
        ("specificity 0.75", 0.4),
        ("youden", 0.4),
        ("regions 0.6", 0.4),
        ("0.2 false positives per image", 0.4),
        ("0.4 FPPI", 0.3),
    ],
)
def test_thresholds_by_hand(truth: Truth, reading: Reading, aim: str, threshold: float) -> None:
    if aim == "specificity 1":
        reading = replace(reading, image_scores=np.array([0.5, 0.4, 0.9, 0.1, 0.2, 0.1]))
    point = choose([parse_aim(aim)], scored(truth, reading), replicates=50)[0]
    assert point.threshold == pytest.approx(threshold, abs=1e-12)
    assert point.chosen_on == "val"
    assert point.low is not None


def test_points_are_frozen_with_their_model(truth: Truth, reading: Reading, tmp_path: Path) -> None:
    chosen = scored(truth, reading)
    points = choose([parse_aim("youden"), parse_aim("regions 0.6")], chosen, replicates=50)
    path = tmp_path / "operating_points.json"
    write_points(points, chosen, path)
    assert list(read_points(path, "m" * 64, EXACT)) == points
    applied = scored(truth, reading, points=tuple(points))
    figure = applied.evaluation.findings[0].find("youden/sensitivity")
    assert figure is not None
    assert figure.value == points[0].achieved["sensitivity"] == 1
    with pytest.raises(RibsightError, match=r"chosen for model mmmm.*, not for nnnn"):
        read_points(path, "n" * 64, EXACT)
    with pytest.raises(RibsightError, match="two protocols"):
        read_points(path, "m" * 64, Protocol())
    path.write_text("{}")
    with pytest.raises(RibsightError, match="no file of operating points"):
        read_points(path, "m" * 64, EXACT)
    with pytest.raises(RibsightError, match=r"no threshold reaches 'regions 0\.9'"):
        choose([parse_aim("regions 0.9")], chosen)
    for bad in ("sensitivity 95", "sensitivty 0.9", "0 fppi", ""):
        with pytest.raises(RibsightError, match="is no aim"):
            parse_aim(bad)


def test_matches_hold_all_that_statistics_need(
    truth: Truth, reading: Reading, tmp_path: Path
) -> None:
    one = scored(truth, reading).measured["rib_fracture"]
    write_matches([one], tmp_path / "matches.parquet")
    frame, protocol = read_matches(tmp_path / "matches.parquet")
    assert protocol == EXACT
    assert frame["outcome"].value_counts().sort("outcome").rows() == [
        ("false", 3), ("hit", 2), ("missed", 1), ("none", 2),
    ]  # fmt: skip
    # The FROC from the file alone: sensitivity at no more than 0.2 false marks an image.
    images = frame.filter("counted")["image"].n_unique()
    lesions = frame.filter(pl.col("lesion").is_not_null())["lesion"].n_unique()
    marks = frame.filter(pl.col("outcome").is_in(["hit", "false"])).sort("score", descending=True)
    rates = (marks["outcome"] == "false").cum_sum() / images
    best = ((marks["outcome"] == "hit").cum_sum() / lesions).filter(rates <= 0.2).max()
    assert best == one.result.sensitivity_at[1].sensitivity.value
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "other.parquet")
    with pytest.raises(RibsightError, match="no file of matches"):
        read_matches(tmp_path / "other.parquet")


def _trained(truth: Truth, seed: int) -> Measured:
    generator = np.random.default_rng(seed)
    scores = truth.state + generator.normal(size=len(truth.state))
    empty = np.zeros(0)
    said = Reading(scores, empty.astype(np.int64), empty.reshape(0, 2), empty)
    return measure(truth, said, EXACT, replicates=300, seed=0)


def test_several_trainings_have_a_wider_interval(make_truth: MakeTruth) -> None:
    truth = make_truth([int(i % 3 == 0) for i in range(60)])
    runs = [_trained(truth, seed) for seed in range(4)]
    summary = across_seeds(runs, "auroc")
    values = [one.result.auroc.value for one in runs]
    assert summary.seeds == tuple(values)
    assert summary.mean.value == pytest.approx(np.mean([v for v in values if v is not None]))
    assert summary.mean.low is not None
    assert summary.mean.high is not None
    assert summary.mean.low < min(v for v in values if v is not None) + 0.2
    alone = across_seeds(runs[:1], "auroc")
    assert alone.deviation is None
    curve = learning_curve({20: runs[2:], 10: runs[:2]}, "auroc")
    assert [amount for amount, _ in curve] == [10, 20]
    with pytest.raises(RibsightError, match="'froc_score' is not defined"):
        across_seeds(runs, "froc_score")


def test_bounds_of_the_calibration_error_hold_it_where_percentiles_do_not() -> None:
    held = {"bounds": 0, "percentiles": 0}
    for seed in range(60):
        generator = np.random.default_rng(seed)
        said = generator.random(150)
        images = calibrated(said, generator.random(150) < said, np.arange(150))
        assert images is not None
        plain = gaps(reliability(images, np.ones((1, 150))))[0]
        drawn = gaps(reliability(images, cluster_weights(np.arange(150), 200, seed)))
        bounds = error_bounds(plain, drawn)
        assert 0 <= bounds.low <= bounds.middle <= bounds.high
        # Every score means what it says: the true error is 0, the observed one never.
        held["bounds"] += bounds.low == 0
        held["percentiles"] += np.quantile(np.abs(drawn).sum(axis=1), 0.025) <= 0
    assert held["bounds"] >= 54
    assert held["percentiles"] == 0


def test_bounds_of_a_gross_calibration_error_are_about_it() -> None:
    generator = np.random.default_rng(0)
    said = np.full(400, 0.9) + generator.random(400) / 20
    images = calibrated(said, generator.random(400) < 0.3, np.arange(400))
    assert images is not None
    plain = gaps(reliability(images, np.ones((1, 400))))[0]
    bounds = error_bounds(plain, gaps(reliability(images, cluster_weights(np.arange(400), 500, 0))))
    assert bounds.low == pytest.approx(0.625 - 0.055, abs=0.03)
    assert bounds.high == pytest.approx(0.625 + 0.055, abs=0.03)
    nothing = error_bounds(np.zeros(3), np.zeros((5, 3)))
    assert (nothing.low, nothing.middle, nothing.high) == (0, 0, 0)


def test_differences_of_trainings_are_paired_by_patient(make_truth: MakeTruth) -> None:
    truth = make_truth([int(i % 3 == 0) for i in range(60)])
    runs = [_trained(truth, seed) for seed in range(2)]
    same, p = difference_across_seeds(runs[:1], runs[:1], "auroc")
    assert (same.value, same.low, same.high, p) == (0, 0, 0, 1)
    figure, _ = difference_across_seeds(runs[:1], runs[1:], "auroc")
    values = [one.result.auroc.value for one in runs]
    assert values[0] is not None
    assert values[1] is not None
    assert figure.value == pytest.approx(values[1] - values[0])
    drawn = runs[1].replicates["auroc"] - runs[0].replicates["auroc"]
    bounds = interval(drawn, groups=60)
    assert (figure.low, figure.high) == (bounds.low, bounds.high)


def test_bca_moves_towards_where_the_truth_is() -> None:
    generator = np.random.default_rng(0)
    draws = generator.exponential(size=40)
    weights = generator.multinomial(40, np.full(40, 1 / 40), size=4000)
    replicates = weights @ draws / 40
    left_out = jackknife_weights(np.arange(40)) @ draws / 39
    interval = bca_interval(float(draws.mean()), replicates, left_out)
    # Right-skewed: both ends lie above the plain percentiles.
    low, high = np.quantile(replicates, [0.025, 0.975])
    assert interval.low > low
    assert interval.high > high
    same = bca_interval(1.0, np.ones(50), np.ones(5))
    assert (same.low, same.high) == (1, 1)
    assert jackknife_weights(np.repeat(np.arange(1000), 2)).shape == (200, 2000)


def test_intervals_do_not_depend_on_the_order_of_images(truth: Truth, reading: Reading) -> None:
    document = json.dumps([str(one) for one in measure(
        truth, reading, EXACT, replicates=60, seed=3
    ).result.figures])  # fmt: skip
    shuffled = replace(
        reading,
        mark_image=reading.mark_image[::-1],
        mark_xy=reading.mark_xy[::-1],
        mark_scores=reading.mark_scores[::-1],
    )
    again = measure(truth, shuffled, EXACT, replicates=60, seed=3).result.figures
    assert json.dumps([str(one) for one in again]) == document
