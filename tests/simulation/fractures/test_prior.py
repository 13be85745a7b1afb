"""What breaks: shares by the table, and fractures that are possible."""

from collections import Counter

import numpy as np
import pytest

from ribsight.findings import Acuity
from ribsight.simulation.anatomy.build import draw_person
from ribsight.simulation.fractures.prior import FractureSettings, draw_fractures
from ribsight.simulation.truth import CLAVICLE_FRACTURE, RIB_FRACTURE, Displacement, Fracture


def _registry(settings: FractureSettings, count: int) -> list[tuple[Fracture, ...]]:
    drawn = []
    for number in range(count):
        random = np.random.default_rng([5, number])
        drawn.append(draw_fractures(draw_person("p", random), settings, random))
    return drawn


@pytest.fixture(scope="module")
def fresh() -> list[Fracture]:
    settings = FractureSettings(prevalence=1.0, old_share=0.0, clavicle_share=0.3)
    return [one for patient in _registry(settings, 1500) for one in patient]


def test_the_mix_of_displacements_follows_ribfrac(fresh: list[Fracture]) -> None:
    ribs = [one for one in fresh if one.finding == RIB_FRACTURE]
    shares = Counter(one.displacement for one in ribs)
    published = {
        Displacement.NON_DISPLACED: 215 / 470,
        Displacement.BUCKLE: 137 / 470,
        Displacement.DISPLACED: 89 / 470,
        Displacement.SEVERELY_DISPLACED: 29 / 470,
    }
    for displacement, share in published.items():
        assert shares[displacement] / len(ribs) == pytest.approx(share, abs=0.035)


def test_the_places_follow_ribfrac(fresh: list[Fracture]) -> None:
    ribs = [one for one in fresh if one.finding == RIB_FRACTURE]
    shares = Counter(one.place for one in ribs)
    for place, count in (("anterior", 209), ("lateral", 138), ("posterior", 123)):
        assert shares[place] / len(ribs) == pytest.approx(count / 470, abs=0.05)


def test_upper_and_middle_ribs_break_most(fresh: list[Fracture]) -> None:
    counts = Counter(one.rib for one in fresh if one.rib is not None)
    assert set(counts) <= set(range(1, 13))
    assert min(counts[rib] for rib in range(3, 8)) > 2 * max(counts[1], counts[11], counts[12])


def test_most_clavicles_break_in_the_middle_third(fresh: list[Fracture]) -> None:
    thirds = Counter(one.place for one in fresh if one.finding == CLAVICLE_FRACTURE)
    assert thirds["middle"] / sum(thirds.values()) == pytest.approx(0.76, abs=0.05)


def test_breaks_of_one_bone_lie_apart_and_names_are_unique() -> None:
    settings = FractureSettings(prevalence=1.0, segmental_share=0.5, old_share=1.0)
    for patient in _registry(settings, 200):
        assert len({one.name for one in patient}) == len(patient)
        for a in patient:
            for b in patient:
                if a is not b and (a.side, a.rib) == (b.side, b.rib):
                    assert abs(a.position - b.position) > 0.1


def test_prevalence_is_the_share_of_patients_with_a_fresh_fracture() -> None:
    patients = _registry(FractureSettings(prevalence=0.3, old_share=0.0), 2000)
    share = sum(bool(one) for one in patients) / len(patients)
    assert share == pytest.approx(0.3, abs=4 * (0.3 * 0.7 / 2000) ** 0.5)


def test_without_prevalence_fractures_are_old() -> None:
    patients = _registry(FractureSettings(prevalence=0.0, old_share=1.0), 100)
    found = [one for patient in patients for one in patient]
    assert found
    assert all(one.acuity is Acuity.OLD for one in found)
