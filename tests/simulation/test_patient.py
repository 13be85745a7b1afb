"""One simulated patient: a function of its number, with films that show what is broken."""

import numpy as np
import pytest

from ribsight.findings import Acuity, Side
from ribsight.simulation.anatomy.build import draw_build, draw_person
from ribsight.simulation.anatomy.girdle import arms_for
from ribsight.simulation.exam import (
    break_skeleton,
    chest_for,
    draw_position,
    take_film,
)
from ribsight.simulation.fractures.prior import FractureSettings
from ribsight.simulation.patient import draw_truth, simulate_patient, split_of
from ribsight.simulation.settings import FilmSettings, RegistrySettings
from ribsight.simulation.truth import (
    CLAVICLE_FRACTURE,
    RIB_FRACTURE,
    Displacement,
    Fracture,
    FractureOnFilm,
    View,
)

SETTINGS = RegistrySettings(
    seed=8, fractures=FractureSettings(prevalence=1.0), films=FilmSettings(size=256)
)


def _film(
    fractures: tuple[Fracture, ...], view: View = View.PA_ERECT
) -> tuple[np.ndarray, tuple[FractureOnFilm, ...]]:
    random = np.random.default_rng(1)
    build = draw_build(draw_person("p", random), supine=False, random=random)
    chest = chest_for(build, view, [1, 2], arms_for(view, random))
    position = draw_position(view, chest, 256, random)
    return take_film(
        chest, break_skeleton(chest, fractures, 5), (), position,
        np.random.default_rng(2), np.random.default_rng(3),
    )  # fmt: skip


def _fracture(displacement: Displacement, rib: int | None = 6, name: str = "f1") -> Fracture:
    finding = RIB_FRACTURE if rib else CLAVICLE_FRACTURE
    return Fracture(name, finding, Side.LEFT, rib, "lateral", 0.5, displacement, Acuity.ACUTE)


def test_the_same_number_gives_the_same_patient() -> None:
    one, other = simulate_patient(SETTINGS, 3), simulate_patient(SETTINGS, 3)
    assert one.truth == other.truth
    assert one.drawings == other.drawings
    assert all(np.array_equal(a, b) for a, b in zip(one.films, other.films, strict=True))
    assert simulate_patient(SETTINGS, 4).truth != one.truth


def test_who_breaks_what_does_not_depend_on_the_films() -> None:
    larger = SETTINGS.model_copy(update={"films": FilmSettings(size=512, supine_share=1.0)})
    assert draw_truth(SETTINGS, 5) == draw_truth(larger, 5)
    assert split_of(SETTINGS, 5) == split_of(larger, 5)


def test_films_are_greys_between_black_and_white() -> None:
    for film in simulate_patient(SETTINGS, 0).films:
        assert film.shape == (256, 256)
        assert film.dtype == np.float32
        assert film.min() >= 0
        assert film.max() <= 1
        assert film.std() > 0.1


def test_a_break_changes_the_film_inside_its_outline_most() -> None:
    fracture = _fracture(Displacement.SEVERELY_DISPLACED, rib=None)
    intact, nothing = _film(())
    broken, (seen,) = _film((fracture,))
    assert nothing == ()
    assert seen.visible
    difference = np.abs(broken - intact)
    x, y = np.asarray(seen.outline).T
    inside = difference[int(y.min()) : int(y.max()) + 1, int(x.min()) : int(x.max()) + 1]
    assert inside.max() > 0.95 * difference.max()
    assert inside.mean() > 10 * difference.mean()


def test_displaced_breaks_show_better_than_others() -> None:
    ratios = [
        np.mean([_film((_fracture(kind, rib),))[1][0].contrast_to_noise for rib in (4, 6, 8)])
        for kind in (Displacement.NON_DISPLACED, Displacement.SEVERELY_DISPLACED)
    ]
    assert ratios[1] > 2 * ratios[0]


def test_each_of_two_breaks_of_one_bone_has_its_own_visibility() -> None:
    one = Fracture("f1", RIB_FRACTURE, Side.LEFT, 6, "posterior", 0.2, Displacement.NON_DISPLACED,
                   Acuity.ACUTE)  # fmt: skip
    other = Fracture("f2", RIB_FRACTURE, Side.LEFT, 6, "lateral", 0.6,
                     Displacement.SEVERELY_DISPLACED, Acuity.ACUTE)  # fmt: skip
    _, seen = _film((one, other))
    assert [s.fracture for s in seen] == ["f1", "f2"]
    assert seen[1].contrast_to_noise > seen[0].contrast_to_noise


@pytest.mark.parametrize("view", View)
def test_every_view_can_be_taken(view: View) -> None:
    shown, seen = _film((_fracture(Displacement.DISPLACED),), view)
    assert np.isfinite(shown).all()
    for one in seen:
        assert np.isfinite(one.contrast_to_noise)
        outline = np.asarray(one.outline)
        assert (outline >= 0).all()
        assert (outline <= 256).all()


def test_left_is_on_the_right_of_the_film() -> None:
    for view in (View.PA_ERECT, View.AP_SUPINE):
        _, (seen,) = _film((_fracture(Displacement.DISPLACED),), view)
        assert np.asarray(seen.outline)[:, 0].mean() > 128


def test_bones_are_found_by_name() -> None:
    assert _fracture(Displacement.DISPLACED, rib=3).bone == "rib_left_3"
    assert _fracture(Displacement.DISPLACED, rib=None).bone == "clavicle_left"
