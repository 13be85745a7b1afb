import numpy as np
import pytest

from ribsight.errors import RibsightError
from ribsight.evaluation.bootstrap import (
    band,
    cluster_weights,
    interval,
    reach,
    two_sided_p,
    weight_parts,
)
from ribsight.evaluation.roc import auroc_weighted

GROUPS = np.array([0, 0, 1, 2, 2, 2])


def test_groups_are_drawn_whole_and_as_many_as_there_are() -> None:
    weights = cluster_weights(GROUPS, 200, seed=1)
    assert weights.shape == (200, 6)
    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights[:, 3] == weights[:, 5]).all()
    assert (weights[:, [0, 2, 3]].sum(axis=1) == 3).all()


def test_draws_are_uniform_over_groups() -> None:
    mean = cluster_weights(GROUPS, 20_000, seed=0).mean(axis=0)
    np.testing.assert_allclose(mean, 1, atol=0.03)


def test_same_seed_same_numbers_however_they_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = cluster_weights(GROUPS, 50, seed=5)
    assert (whole == cluster_weights(GROUPS, 50, seed=5)).all()
    assert (whole != cluster_weights(GROUPS, 50, seed=6)).any()
    monkeypatch.setattr("ribsight.evaluation.bootstrap._WEIGHTS_AT_ONCE", 20)
    monkeypatch.setattr("ribsight.evaluation.bootstrap._ROWS_AT_ONCE", 1)
    parts = list(weight_parts(GROUPS, 50, seed=5))
    assert len(parts) == 17
    assert (whole == np.concatenate(parts)).all()


def test_no_resample_is_an_error() -> None:
    with pytest.raises(RibsightError, match="at least 1"):
        cluster_weights(GROUPS, 0, seed=0)


def test_few_groups_widen_the_interval() -> None:
    values = np.random.default_rng(0).normal(size=200_000)
    plain, few = interval(values), interval(values, groups=10)
    assert plain.high == pytest.approx(1.96, abs=0.02)
    # Student's 2.262 of 9 degrees of freedom, times the root of 10 / 9.
    assert few.high == pytest.approx(2.262 * (10 / 9) ** 0.5, abs=0.04)
    assert few.low == pytest.approx(-few.high, abs=0.06)
    low, high = band(values[:, None], groups=10)
    assert (low[0], high[0]) == (few.low, few.high)
    assert reach(0.95, 100_000) == pytest.approx(reach(0.95), abs=1e-3)


def test_interval_without_any_value_says_so() -> None:
    bounds = interval(np.full(3, np.nan))
    assert (bounds.used, bounds.dropped) == (0, 3)
    assert np.isnan(bounds.low)
    assert np.isnan(band(np.full((3, 2), np.nan))[0]).all()


def test_p_value_by_hand() -> None:
    # 1 of 9 differences is at or below 0: 2 (1 + 1) / 10.
    differences = np.array([-1.0, 1, 2, 3, 4, 5, 6, 7, 8, np.nan])
    assert two_sided_p(differences) == 0.4
    assert two_sided_p(-differences) == 0.4
    assert two_sided_p(np.zeros(9)) == 1


def test_clustered_interval_covers_where_images_alone_do_not() -> None:
    # 40 patients of 5 equal images; true AUROC of N(1, 1) against N(0, 1) is 0.7602.
    covered = {"patients": 0, "images": 0}
    for seed in range(150):
        generator = np.random.default_rng(seed)
        positive = np.repeat(np.arange(40) < 20, 5)
        scores = np.repeat(generator.normal(size=40), 5) + positive
        for name, groups in (("patients", np.arange(200) // 5), ("images", np.arange(200))):
            bounds = interval(auroc_weighted(scores, positive, cluster_weights(groups, 200, seed)))
            covered[name] += bounds.low <= 0.7602 <= bounds.high
    assert 132 <= covered["patients"] <= 150
    assert covered["images"] <= 110
