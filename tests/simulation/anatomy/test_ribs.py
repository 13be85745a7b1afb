"""Twenty-four ribs, whoever they belong to."""

from functools import cache

import numpy as np
import pytest

from ribsight.findings import Side
from ribsight.simulation.anatomy.bone import cross_sections, whole
from ribsight.simulation.anatomy.build import draw_build, draw_person
from ribsight.simulation.anatomy.ribs import Rib, make_ribs, two_spirals
from ribsight.simulation.anatomy.spine import make_spine

PEOPLE = range(6)


@cache
def ribs_of(number: int) -> tuple[Rib, ...]:
    random = np.random.default_rng([9, number])
    build = draw_build(draw_person("x", random), supine=False, random=random)
    return make_ribs(build, make_spine(build), random)


@pytest.mark.parametrize("person", PEOPLE)
def test_twelve_on_each_side_in_order(person: int) -> None:
    ribs = ribs_of(person)
    assert [(r.side, r.number) for r in ribs] == [
        (side, k) for side in (Side.RIGHT, Side.LEFT) for k in range(1, 13)
    ]
    assert len({r.bone.name for r in ribs}) == 24
    for side in (Side.RIGHT, Side.LEFT):
        heads = [r.bone.centres[0, 2] for r in ribs if r.side is side]
        assert (np.diff(heads) < 0).all()
        ends = [r.bone.centres[-1, 2] for r in ribs if r.side is side and r.number <= 10]
        assert (np.diff(ends) < 0).all()


@pytest.mark.parametrize("person", PEOPLE)
def test_none_crosses_the_midline(person: int) -> None:
    random = np.random.default_rng([9, person])
    build = draw_build(draw_person("x", random), supine=False, random=random)
    spine = make_spine(build)
    for rib in ribs_of(person):
        sign = 1 if rib.side is Side.LEFT else -1
        middle = np.interp(-rib.bone.centres[:, 2], -spine.centres[:, 2], spine.centres[:, 0])
        assert (sign * (rib.bone.centres[:, 0] - middle)).min() > 5


@pytest.mark.parametrize("person", PEOPLE)
def test_lengths_are_those_of_people(person: int) -> None:
    # Mohr et al. 2007, Holcombe et al. 2016: the seventh or eighth is longest, about 30 cm.
    lengths = {(r.side, r.number): r.bone.length for r in ribs_of(person)}
    for side in (Side.RIGHT, Side.LEFT):
        assert 80 < lengths[side, 1] < 180
        assert 230 < lengths[side, 7] < 400
        assert lengths[side, 12] < lengths[side, 7]
        longest = int(np.argmax([lengths[side, k] for k in range(1, 13)])) + 1
        assert 5 <= longest <= 9


@pytest.mark.parametrize("person", PEOPLE)
def test_meshes_look_outwards_and_marrow_lies_inside_the_cortex(person: int) -> None:
    for rib in ribs_of(person):
        surfaces = whole(rib.bone)
        outer, marrow = surfaces.outer.volume(), surfaces.marrow.volume()
        assert 0 < marrow < outer
        across = np.abs(cross_sections(rib.bone))
        inside = np.abs(cross_sections(rib.bone, rib.bone.cortex))
        assert (inside <= across + 1e-9).all()


@pytest.mark.parametrize("height", [0.1, 0.4, 0.8])
def test_two_spirals_are_logarithmic(height: float) -> None:
    """Along r = r0 exp(b a), tangent and radius meet at one angle everywhere: arccot b."""
    pitch = 0.3
    points = two_spirals(200, 200 * height, peak=0.4, proximal=pitch, distal=pitch)
    top = int(points[:, 1].argmax())
    half = points[top + 2 : -3]
    # The pole lies where all points of a half give the same angle: solved by least squares.
    tangent = np.gradient(points, axis=0)[top + 2 : -3]
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    # Turning the tangent by the constant angle gives the radius: the pole is on every such line.
    angle = np.arctan2(1.0, pitch)
    cos, sin = np.cos(angle), np.sin(angle)
    radial = tangent @ np.array([[cos, -sin], [sin, cos]])
    normals = np.stack([-radial[:, 1], radial[:, 0]], axis=1)
    pole, *_ = np.linalg.lstsq(normals, (normals * half).sum(axis=1), rcond=None)
    misses = np.abs(((half - pole) * normals).sum(axis=1))
    away = np.degrees(np.arcsin(misses / np.linalg.norm(half - pole, axis=1)))
    assert away.max() < 1.0
    np.testing.assert_allclose(points[0], [0, 0], atol=1e-9)
    np.testing.assert_allclose(points[-1], [200, 0], atol=1e-9)


def test_same_generator_same_ribs() -> None:
    first = ribs_of(0)
    ribs_of.cache_clear()
    for a, b in zip(first, ribs_of(0), strict=True):
        np.testing.assert_array_equal(a.bone.centres, b.bone.centres)
        np.testing.assert_array_equal(a.bone.high, b.bone.high)
