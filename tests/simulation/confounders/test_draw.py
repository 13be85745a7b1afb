"""How often confounders are drawn."""

import numpy as np
import pytest

from ribsight.simulation.anatomy.build import Build, draw_build, draw_person
from ribsight.simulation.confounders.draw import draw_confounders, prevalence
from ribsight.simulation.truth import Confounder, Fracture, Person, Sex

DRAWS = 2000


@pytest.mark.parametrize("supine", [False, True])
def test_prevalences_agree_with_the_table(supine: bool, fractures: tuple[Fracture, ...]) -> None:
    loose = tuple(one for one in fractures if not one.fixed)
    found = np.zeros(len(Confounder))
    expected, variance = np.zeros(len(Confounder)), np.zeros(len(Confounder))
    for k in range(DRAWS):
        random = np.random.default_rng([11, k])
        person = draw_person("p", random)
        build = draw_build(person, supine=supine, random=random)
        drawn = draw_confounders(person, build, supine=supine, fractures=loose, random=random)
        found += [one in drawn for one in Confounder]
        chances = np.array(
            [prevalence(one, person, build, supine=supine, fractures=loose) for one in Confounder]
        )
        expected += chances
        variance += chances * (1 - chances)
    assert (np.abs(found - expected) <= 4 * np.sqrt(variance) + 1e-9).all()


def person_and_build(sex: Sex, age: int) -> tuple[Person, Build]:
    person = Person("p", sex, age, 1700.0, 75.0)
    return person, draw_build(person, supine=True, random=np.random.default_rng(0))


def drawn_often(sex: Sex, age: int, *, supine: bool, fractures: tuple[Fracture, ...] = ()
                ) -> list[set[Confounder]]:  # fmt: skip
    person, build = person_and_build(sex, age)
    return [
        set(
            draw_confounders(
                person, build, supine=supine, fractures=fractures,
                random=np.random.default_rng(k),
            )
        )
        for k in range(300)
    ]  # fmt: skip


def test_fixed_fractures_bring_their_plates(fractures: tuple[Fracture, ...]) -> None:
    ribs = tuple(one for one in fractures if one.rib is not None)
    for drawn in drawn_often("male", 40, supine=False, fractures=ribs):
        assert Confounder.RIB_PLATE in drawn
        assert Confounder.CLAVICLE_PLATE not in drawn


def test_men_wear_no_bra_and_nobody_stands_intubated() -> None:
    standing = drawn_often("male", 40, supine=False)
    lying = drawn_often("male", 40, supine=True)
    assert not any(Confounder.BRA_CLIPS in drawn for drawn in standing + lying)
    assert not any(Confounder.ENDOTRACHEAL_TUBE in drawn for drawn in standing)
    assert any(Confounder.ENDOTRACHEAL_TUBE in drawn for drawn in lying)


def test_the_intubated_are_the_ones_with_gastric_tubes() -> None:
    lying = drawn_often("female", 50, supine=True)
    intubated = [drawn for drawn in lying if Confounder.ENDOTRACHEAL_TUBE in drawn]
    others = [drawn for drawn in lying if Confounder.ENDOTRACHEAL_TUBE not in drawn]

    def share(films: list[set[Confounder]]) -> float:
        return float(np.mean([Confounder.GASTRIC_TUBE in drawn for drawn in films]))

    assert share(intubated) > share(others) + 0.3


def test_same_seed_same_draw_in_the_order_of_the_list() -> None:
    person, build = person_and_build("female", 80)
    first, second = (
        draw_confounders(person, build, supine=True, fractures=(), random=np.random.default_rng(5))
        for _ in range(2)
    )
    assert first == second
    assert list(first) == [one for one in Confounder if one in first]
