"""Drift: statistics against SciPy, false alarms and power by simulation."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom, chi2_contingency, ks_2samp, norm

from ribsight.deployment.drift import (
    Change,
    Column,
    changes,
    design_effect,
    numbers_column,
    stability,
    words_column,
)


def singles(count: int) -> NDArray[np.int64]:
    return np.arange(count)


def test_distances_are_those_of_scipy() -> None:
    random = np.random.default_rng(0)
    before, now = random.normal(size=80), np.round(random.normal(0.3, 1, 50), 1)
    views = random.choice(["pa", "ap", "frontal"], 130, p=[0.5, 0.3, 0.2]).tolist()
    columns = [numbers_column("x", before, now), words_column("v", views[:80], views[80:])]
    numbers, words = changes(columns, singles(80))
    expected = ks_2samp(before, now)
    assert numbers.distance == pytest.approx(expected.statistic)
    assert numbers.p == pytest.approx(expected.pvalue, abs=0.03)
    table = [[views[:80].count(one), views[80:].count(one)] for one in ("pa", "ap", "frontal")]
    pearson = chi2_contingency(table, correction=False)
    assert words.distance**2 * 80 * 50 / 130 == pytest.approx(pearson.statistic)
    assert words.p == pytest.approx(pearson.pvalue, abs=0.04)


def test_one_thing_watched_three_times_costs_nothing() -> None:
    random = np.random.default_rng(1)
    before, now = random.normal(size=100), random.normal(0.35, 1, 60)
    alone = changes([numbers_column("x", before, now)], singles(100))
    thrice = changes([numbers_column(name, before, now) for name in "xyz"], singles(100))
    assert {one.p_adjusted for one in thrice} == {alone[0].p_adjusted}
    assert alone[0].p_adjusted == alone[0].p
    other = numbers_column("o", random.normal(size=100), random.normal(size=60))
    both = changes([numbers_column("x", before, now), other], singles(100))
    assert both[0].p_adjusted > both[0].p == alone[0].p


def made(
    seed: int, sizes: tuple[int, int], *, of_one: int = 1, shift: float = 0.0
) -> tuple[list[Column], NDArray[np.int64]]:
    """Return columns that hang together, of patients with `of_one` images each that are alike."""
    random = np.random.default_rng(seed)
    drawn: list[tuple[NDArray[np.float64], NDArray[np.int64]]] = []
    for count in sizes:
        groups = np.arange(count) // of_one
        alike = 0.0 if of_one == 1 else 0.6
        latent = np.sqrt(alike) * random.normal(size=(groups[-1] + 1, 3))[groups]
        drawn.append((latent + np.sqrt(1 - alike) * random.normal(size=(count, 3)), groups))
    (before, groups), (now, _) = drawn
    before[:, 1] += 0.7 * before[:, 0]
    now[:, 1] += 0.7 * now[:, 0]
    now[:, 0] += shift
    views = [["pa" if one > 0.2 else "ap" for one in part[:, 2]] for part in (before, now)]
    scores = [norm.cdf(one[:, 0]) for one in (before, now)]
    return [
        numbers_column("score", *scores),
        words_column("doubtful", *[np.where(one > 0.4, "yes", "no").tolist() for one in scores]),
        words_column("confident", *[np.where(one > 0.9, "yes", "no").tolist() for one in scores]),
        numbers_column("middle", before[:, 1], now[:, 1]),
        words_column("view", *views),
    ], groups  # fmt: skip


def flagged(found: list[Change]) -> bool:
    return min(one.p_adjusted for one in found) <= 0.05


@pytest.mark.parametrize("of_one", [1, 3])
def test_without_drift_one_report_in_twenty_raises_an_alarm(of_one: int) -> None:
    reports = 240
    alarms = sum(
        flagged(changes(*made(seed, (120, 60), of_one=of_one), permutations=399))
        for seed in range(reports)
    )
    # 99.8 % of what a rate of 5 % gives; few images of grouped patients may cost a little more.
    low, high = (float(binom.ppf(share, reports, 0.05)) for share in (0.001, 0.999))
    assert low - 2 <= alarms <= high + (0 if of_one == 1 else 4)


def test_images_of_one_patient_taken_for_independent_would_raise_more_alarms() -> None:
    alarms = 0
    for seed in range(120):
        columns, groups = made(seed, (120, 60), of_one=6)
        alarms += flagged(changes(columns, np.arange(len(groups)), permutations=199))
    assert alarms > 20


def test_a_shift_is_found_and_named() -> None:
    found = 0
    for seed in range(20):
        result = {one.name: one for one in changes(*made(seed, (400, 200), shift=0.6))}
        found += result["score"].p_adjusted <= 0.01
        assert result["score"].psi > 0.1
        assert result["score"].psi_low > 0
    assert found == 20


def test_the_design_effect_is_the_size_of_patients_whose_images_are_all_alike() -> None:
    groups = np.repeat(np.arange(200), 4)
    values = np.random.default_rng(0).normal(size=200)
    alike = numbers_column("x", values[groups], np.zeros(5))
    assert design_effect(alike, groups) == pytest.approx(4, rel=0.05)
    apart = numbers_column("x", np.random.default_rng(1).normal(size=800), np.zeros(5))
    assert design_effect(apart, np.arange(800)) == pytest.approx(1, abs=0.01)
    words = ["pa" if one > 0 else "ap" for one in values[groups]]
    assert design_effect(words_column("v", words, ["pa"]), groups) == pytest.approx(4, rel=0.05)


def test_the_stability_index_is_held_by_its_interval() -> None:
    p, q = np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.2, 0.25, 0.3, 0.25])
    true = float(((q - p) * np.log(q / p)).sum())
    random = np.random.default_rng(0)
    drawn = [stability(random.multinomial(500, p), random.multinomial(300, q)) for _ in range(400)]
    held = np.mean([low <= true <= high for _, low, high in drawn])
    assert 0.92 <= held <= 0.98
    assert np.mean([index for index, _, _ in drawn]) == pytest.approx(true, rel=0.15)
    same = [stability(random.multinomial(500, p), random.multinomial(300, p)) for _ in range(400)]
    assert np.mean([low > 0 for _, low, _ in same]) <= 0.05


def test_what_is_not_known_is_a_value_of_its_own() -> None:
    before, now = np.full(100, 0.143), np.full(100, np.nan)
    now[:50] = 0.143
    (found,) = changes([numbers_column("spacing", before, now)], singles(100))
    assert found.distance == pytest.approx(0.5)
    assert found.p_adjusted < 0.01
