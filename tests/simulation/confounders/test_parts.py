"""Where confounders lie, and what they are made of."""

from collections import Counter

import numpy as np
import pytest

from ribsight.simulation.anatomy.chest import Chest
from ribsight.simulation.confounders import implants, plates, tubes
from ribsight.simulation.confounders.landmarks import SIDES, outward, rib_of, skin_of, windpipe
from ribsight.simulation.confounders.part import Part, Setting
from ribsight.simulation.confounders.place import BUILDERS, confounder_parts
from ribsight.simulation.mesh import Mesh
from ribsight.simulation.projection.exposure import spectrum
from ribsight.simulation.truth import CLAVICLE_FRACTURE, Confounder, Fracture, View

SEEDS = range(4)
MATERIALS = {
    Confounder.ECG_LEADS: {"steel", "silver"},
    Confounder.CENTRAL_LINE: {"barium_stripe"},
    Confounder.ENDOTRACHEAL_TUBE: {"plastic", "barium_stripe"},
    Confounder.GASTRIC_TUBE: {"plastic", "barium_stripe"},
    Confounder.CHEST_TUBE: {"plastic", "barium_stripe"},
    Confounder.PACEMAKER: {"titanium", "steel"},
    Confounder.STERNAL_WIRES: {"steel"},
    Confounder.SURGICAL_CLIPS: {"titanium"},
    Confounder.RIB_PLATE: {"titanium"},
    Confounder.CALCIFIED_CARTILAGE: {"cortical_bone"},
    Confounder.BONE_ISLAND: {"cortical_bone", "spongiosa"},
    Confounder.NUTRIENT_GROOVE: {"cortical_bone"},
    Confounder.SKIN_FOLD: {"soft_tissue"},
}


def placed(
    chest: Chest, fractures: tuple[Fracture, ...], which: Confounder, seed: int = 0
) -> list[Part]:
    random = np.random.default_rng(seed)
    return confounder_parts([which], chest, fractures, View.AP_SUPINE, random)


def open_edges(mesh: Mesh) -> int:
    """Directed edges without their opposite: 0 in a closed, consistently turned surface."""
    a, b, c = mesh.triangles.T
    edges = Counter(zip(np.r_[a, b, c].tolist(), np.r_[b, c, a].tolist(), strict=True))
    return sum(edges[v, u] != count for (u, v), count in edges.items())


def pieces(mesh: Mesh) -> list[Mesh]:
    """The surfaces a joined mesh consists of."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    count = len(mesh.vertices)
    pairs = np.concatenate([mesh.triangles[:, :2], mesh.triangles[:, 1:]])
    graph = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), (count, count))
    labels = connected_components(graph, directed=False)[1]
    member = labels[mesh.triangles[:, 0]]
    order = np.argsort(member, kind="stable")
    cuts = np.flatnonzero(np.diff(member[order])) + 1
    return [Mesh(mesh.vertices, mesh.triangles[rows]) for rows in np.split(order, cuts)]


@pytest.mark.parametrize("which", list(Confounder))
def test_every_confounder_is_closed_surfaces_of_known_material(
    chest: Chest, fractures: tuple[Fracture, ...], which: Confounder
) -> None:
    known = set(spectrum(120).materials)
    for seed in SEEDS:
        parts = placed(chest, fractures, which, seed)
        if which is Confounder.BRA_CLIPS and not chest.breasts:
            assert parts == []
            continue
        materials = {one.material for one in parts}
        assert materials
        assert materials <= known
        assert materials == MATERIALS.get(which, materials)
        for part in parts:
            assert np.isfinite(part.mesh.vertices).all()
            assert open_edges(part.mesh) == 0
            assert all(one.volume() > 0 for one in pieces(part.mesh))


@pytest.mark.parametrize("which", list(Confounder))
def test_every_confounder_is_at_the_body(
    chest: Chest, fractures: tuple[Fracture, ...], which: Confounder
) -> None:
    skin = chest.soft.body.vertices
    low = skin.min(axis=0) - np.array([0, 40, 0])
    high = skin.max(axis=0) + np.array([0, 10, 0])
    for seed in SEEDS:
        for part in placed(chest, fractures, which, seed):
            middle = part.mesh.vertices.mean(axis=0)
            assert ((middle > low) & (middle < high)).all()


def test_what_lies_on_the_skin_is_on_the_skin(chest: Chest) -> None:
    skin = skin_of(chest)
    for which in (Confounder.ECG_LEADS, Confounder.BUTTONS, Confounder.NIPPLE_SHADOW):
        for part in placed(chest, (), which):
            points = part.mesh.vertices
            inside = np.abs(points[:, 0]) < 0.7 * np.abs(skin.reach).max()
            surface = skin.in_front(points[:, 0], points[:, 2])
            assert np.abs(points[inside, 1] - surface[inside, 1]).max() < 30


def test_skin_is_where_the_body_is(chest: Chest) -> None:
    skin = skin_of(chest)
    body = chest.soft.body.vertices[:-2]
    side = body[np.abs(body[:, 2]) < 150]
    found = skin.in_front(side[:, 0], side[:, 2])[:, 1]
    behind = skin.behind(side[:, 0], side[:, 2])[:, 1]
    assert (found < behind).all()
    # Every vertex lies between front and back; the breasts lie before the body.
    assert (side[:, 1] > found - 12).all()
    assert (side[:, 1] < behind + 12).all()


def test_endotracheal_tube_ends_above_the_carina_in_the_trachea(chest: Chest) -> None:
    line = windpipe(chest)
    for seed in range(12):
        tube = placed(chest, (), Confounder.ENDOTRACHEAL_TUBE, seed)[0].mesh.vertices
        tip = tube[np.argmin(tube[:, 2])]
        assert 8 < tip[2] - line[0, 2] < 80
        axis = [np.interp(tip[2], line[:, 2], column) for column in line.T]
        assert np.linalg.norm(tip - axis) < 9


def test_gastric_tube_and_its_side_hole_end_below_the_diaphragm(chest: Chest) -> None:
    for seed in range(12):
        parts = placed(chest, (), Confounder.GASTRIC_TUBE, seed)
        lowest = min(one.mesh.vertices[:, 2].min() for one in parts)
        assert lowest < chest.soft.domes[1, 2] - 60
        stripes = [one.mesh.vertices for one in parts if one.material == "barium_stripe"]
        assert len(stripes) == 2
        assert stripes[1][:12, 2].max() < chest.soft.domes[1, 2]
        assert parts[0].mesh.vertices[:, 2].max() > chest.sternum.line[0, 2]


def test_central_line_ends_in_the_cava_or_the_atrium(chest: Chest) -> None:
    carina = windpipe(chest)[0]
    for seed in range(12):
        tip = placed(chest, (), Confounder.CENTRAL_LINE, seed)[0].mesh.vertices[0]
        assert tip[0] < chest.sternum.line[1, 0] - 8
        assert chest.soft.domes[0, 2] < tip[2] < carina[2] + 30


def test_chest_tube_ends_within_the_ribs_of_the_broken_side(
    chest: Chest, fractures: tuple[Fracture, ...]
) -> None:
    right = tuple(one for one in fractures if one.rib in (7, 8))
    for seed in range(8):
        tube = placed(chest, right, Confounder.CHEST_TUBE, seed)[0].mesh.vertices
        tip = tube[:12].mean(axis=0)
        cavity = chest.soft.cavities[0].vertices
        assert (tip > cavity.min(axis=0) - 3).all()
        assert (tip < cavity.max(axis=0) + 3).all()
        assert tip[0] < 0


def test_pacing_lead_ends_left_of_the_midline_above_the_diaphragm(chest: Chest) -> None:
    setting = Setting(chest, (), View.PA_ERECT)
    for seed in range(6):
        parts = implants.pacemaker(setting, np.random.default_rng(seed))
        tips = [one.mesh.vertices.mean(axis=0) for one in parts if one.density == 0.8]
        assert chest.soft.domes[1, 2] < tips[0][2] < windpipe(chest)[0, 2]
        assert tips[0][0] > 0


def test_sternal_wires_run_around_the_sternum(chest: Chest) -> None:
    (part,) = placed(chest, (), Confounder.STERNAL_WIRES)
    sternum = chest.sternum.mesh.vertices
    wires = part.mesh.vertices
    assert np.abs(wires[:, 0] - sternum[:, 0].mean()).max() < np.ptp(sternum[:, 0]) / 2 + 12
    assert wires[:, 2].max() < sternum[:, 2].max() + 3
    assert wires[:, 2].min() > sternum[:, 2].min() - 3


def test_plates_lie_on_their_fixed_fractures(chest: Chest, fractures: tuple[Fracture, ...]) -> None:
    setting = Setting(chest, fractures, View.PA_ERECT)
    random = np.random.default_rng(0)
    found = plates.clavicle_plates(setting, random) + plates.rib_plates(setting, random)
    fixed = [one for one in fractures if one.fixed]
    assert len(found) == 3 * len(fixed)  # plate, empty holes, screws
    for one, plate in zip(fixed, found[::3], strict=True):
        clavicle = one.finding == CLAVICLE_FRACTURE
        bone = (
            chest.clavicles[SIDES.index(one.side)]
            if clavicle
            else rib_of(chest, one.side, one.rib or 0).bone
        )
        points = plate.mesh.vertices
        break_at = plates.plate_centre(bone, one.position)
        assert np.linalg.norm(points - break_at, axis=1).min() < 14
        # It follows the bone without entering it.
        away = np.linalg.norm(points[:, None] - bone.centres, axis=2).min(axis=1)
        assert away.max() < 18
        assert away.min() > 0.6 * min(bone.thick.min(), bone.high.min())


def test_no_fixed_fracture_no_plate(chest: Chest, fractures: tuple[Fracture, ...]) -> None:
    loose = tuple(one for one in fractures if not one.fixed)
    assert placed(chest, loose, Confounder.RIB_PLATE) == []
    assert placed(chest, loose, Confounder.CLAVICLE_PLATE) == []


def test_outward_points_out_on_both_sides(chest: Chest) -> None:
    for rib in chest.ribs:
        widest = int(np.argmax(np.abs(rib.bone.centres[:, 0])))
        x = outward(chest, rib.bone)[widest, 0]
        assert x * rib.bone.centres[widest, 0] > 0


def test_bone_islands_and_grooves_lie_in_a_bone(chest: Chest) -> None:
    bones = chest.breakable
    for seed in range(10):
        for which in (Confounder.BONE_ISLAND, Confounder.NUTRIENT_GROOVE):
            for part in placed(chest, (), which, seed):
                points = part.mesh.vertices
                near = min(
                    float(np.linalg.norm(points[:, None] - bone.centres, axis=2).min(axis=1).max())
                    for bone in bones
                )
                assert near < 13
                assert part.density < 0 or part.material == "cortical_bone"


def test_same_seed_same_parts_and_no_influence_of_one_on_another(
    chest: Chest, fractures: tuple[Fracture, ...]
) -> None:
    everything = list(BUILDERS)
    first, second = (
        confounder_parts(everything, chest, fractures, View.PA_ERECT, np.random.default_rng(8))
        for _ in range(2)
    )
    assert [one.material for one in first] == [one.material for one in second]
    for a, b in zip(first, second, strict=True):
        assert np.array_equal(a.mesh.vertices, b.mesh.vertices)
    alone = confounder_parts(
        [Confounder.PACEMAKER], chest, fractures, View.PA_ERECT, np.random.default_rng(8)
    )
    among = [one.mesh.vertices for one in first]
    assert all(any(np.array_equal(one.mesh.vertices, v) for v in among) for one in alone)


def test_implants_stay_and_loose_things_move_between_films(chest: Chest) -> None:
    def at(which: Confounder, view: View) -> np.ndarray:
        parts = confounder_parts([which], chest, (), view, np.random.default_rng(2))
        return parts[0].mesh.vertices

    kept = [at(Confounder.PACEMAKER, view) for view in (View.PA_ERECT, View.LATERAL)]
    moved = [at(Confounder.NECKLACE, view) for view in (View.PA_ERECT, View.LATERAL)]
    assert np.array_equal(kept[0], kept[1])
    assert moved[0].shape != moved[1].shape or not np.allclose(moved[0], moved[1])


def test_every_confounder_has_a_builder() -> None:
    assert set(BUILDERS) == set(Confounder)
    assert tubes.central_line is BUILDERS[Confounder.CENTRAL_LINE]
