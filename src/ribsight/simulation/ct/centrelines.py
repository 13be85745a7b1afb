"""The centre line of each labelled rib and clavicle.

A label is a cloud of voxels. Distances through the cloud from one end order it; the middles of
slices of equal distance, smoothed, are the centre line. Gaps are bridged by the shortest links.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import make_splprep
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, dijkstra
from scipy.spatial import cKDTree

from ribsight.simulation.ct.grid import Grid, Points
from ribsight.simulation.ct.volume import BREAKABLE

Numbers = NDArray[np.float64]

STEP = 1.0
"""mm between the stations of a centre line."""
_SLICE = 6.0
_LINK = 4.0
_CELL = 2.5
_FEWEST = 200
_SHORTEST = {"rib": 45.0, "clavicle": 60.0}
_THICKEST = 14.0
_SMOOTH = 0.8


@dataclass(frozen=True, eq=False)
class Centreline:
    """Where a bone runs.

    Attributes:
        name: "rib_left_7", "clavicle_right".
        centres: (N, 3) mm, `STEP` apart, from the spine (rib) or the sternum (clavicle) outwards.
        radius: (N,) mm, of a circle of the bone's cross-section.

    """

    name: str
    centres: Points
    radius: Numbers

    @property
    def stations(self) -> Numbers:
        """(N,) mm along the centre line."""
        steps = np.linalg.norm(np.diff(self.centres, axis=0), axis=1)
        return np.concatenate([[0.0], np.cumsum(steps)])

    @property
    def length(self) -> float:
        """Mm along the centre line."""
        return float(self.stations[-1])


def centrelines(
    labels: NDArray[np.uint16], grid: Grid, names: dict[int, str]
) -> tuple[dict[str, Centreline], dict[str, str]]:
    """Return the centre line of every breakable bone, and why the others have none.

    Args:
        labels: [y, z, x].
        grid: where the voxels lie.
        names: name of each label.

    Returns:
        Centre lines by the bone's name; reasons by the bone's name.

    """
    numbers = {name: number for number, name in names.items()}
    clouds = _clouds(labels, grid, numbers)
    spine = np.concatenate(
        [cloud for name, cloud in clouds.items() if name.startswith("vertebrae_")]
        or [np.array([[0.0, 0.0, z] for z in np.arange(-250, 250, 5.0)])]
    )
    begins = {"rib": cKDTree(spine[::20])}
    if "sternum" in clouds:
        begins["clavicle"] = cKDTree(clouds["sternum"][::20])
    lines, reasons = {}, {}
    for name in BREAKABLE:
        kind = name.split("_")[0]
        cloud = clouds.get(name)
        if cloud is None:
            reasons[name] = "not labelled"
            continue
        tree = begins.get(kind)
        nearness = np.abs(cloud[:, 0]) if tree is None else np.asarray(tree.query(cloud)[0])
        found = trace(name, cloud, nearness, grid.voxel_volume)
        if isinstance(found, Centreline):
            lines[name] = found
        else:
            reasons[name] = found
    return lines, reasons


def trace(name: str, cloud: Points, nearness: Numbers, voxel_volume: float) -> Centreline | str:
    """Return the centre line of a cloud of voxels, or why it has none.

    Args:
        name: of the bone.
        cloud: (N, 3) mm, the middles of its voxels.
        nearness: (N,) mm from where the bone begins.
        voxel_volume: mm^3.

    """
    if len(cloud) < _FEWEST:
        return f"only {len(cloud)} voxels"
    nodes, member = _thinned(cloud)
    graph = _linked(nodes)
    begin = int(member[int(np.argmin(nearness))])
    # The far end gives flatter slices at the near end than a start in the middle of the head.
    outwards = np.asarray(dijkstra(graph, indices=np.array([begin])))[0]
    inwards = np.asarray(dijkstra(graph, indices=np.array([np.argmax(outwards)])))[0]
    along = (inwards.max() - inwards)[member]
    slices = np.floor(along / _SLICE).astype(int)
    counts = np.bincount(slices)
    held = counts >= 3
    if held.sum() < 5:
        return "too short for a centre line"
    sums = np.stack([np.bincount(slices, weights=cloud[:, k]) for k in range(3)], axis=1)
    knots = sums[held] / counts[held, None]
    curve = _smoothed(_reaching_ends(knots))
    shortest = _SHORTEST[name.split("_")[0]]
    line = Centreline(name, curve, np.ones(len(curve)))
    if line.length < shortest:
        return f"only {line.length:.0f} mm long"
    radius = _radius(curve, cloud, voxel_volume)
    if np.median(radius) > _THICKEST:
        return f"too thick ({np.median(radius):.0f} mm): its label holds more than the bone"
    apart = cKDTree(curve).query(cloud)[0]
    if np.percentile(apart, 90) > 3 * np.median(radius) + 2:
        return "the label is not one tube"
    return Centreline(name, curve, radius)


def _clouds(labels: NDArray[np.uint16], grid: Grid, numbers: dict[str, int]) -> dict[str, Points]:
    wanted = {number: name for name, number in numbers.items()
              if name in BREAKABLE or name.startswith(("vertebrae_T", "sternum"))}  # fmt: skip
    found = np.flatnonzero(labels)
    values = labels.ravel()[found]
    order = np.argsort(values, kind="stable")
    found, values = found[order], values[order]
    starts = np.searchsorted(values, list(wanted))
    ends = np.searchsorted(values, list(wanted), side="right")
    clouds = {}
    for (_, name), start, end in zip(wanted.items(), starts, ends, strict=True):
        if end > start:
            voxels = np.stack(np.unravel_index(found[start:end], labels.shape), axis=1)
            clouds[name] = grid.points(voxels)
    return clouds


def _thinned(cloud: Points) -> tuple[Points, NDArray[np.intp]]:
    """Return one node for each occupied cell, and each point's node."""
    cells = np.floor(cloud / _CELL).astype(np.int64)
    _, member, counts = np.unique(cells, axis=0, return_inverse=True, return_counts=True)
    member = member.ravel()
    sums = np.stack([np.bincount(member, weights=cloud[:, k]) for k in range(3)], axis=1)
    return sums / counts[:, None], member


def _linked(nodes: Points) -> csr_array[np.float64]:
    """Return the graph of near nodes, its parts joined by their shortest links."""
    pairs = cKDTree(nodes).query_pairs(_LINK, output_type="ndarray")
    while True:
        weights = np.linalg.norm(nodes[pairs[:, 0]] - nodes[pairs[:, 1]], axis=1)
        both = np.concatenate([pairs, pairs[:, ::-1]])
        graph = csr_array(
            (np.concatenate([weights, weights]), (both[:, 0], both[:, 1])),
            shape=(len(nodes), len(nodes)),
        )
        count, part = connected_components(graph, directed=False)
        if count == 1:
            return graph
        own, rest = np.flatnonzero(part == 0), np.flatnonzero(part != 0)
        far, which = (np.asarray(a) for a in cKDTree(nodes[own]).query(nodes[rest]))
        nearest = int(np.argmin(far))
        pairs = np.concatenate([pairs, [[own[which[nearest]], rest[nearest]]]])


def _reaching_ends(knots: Points) -> Points:
    """Return knots with both ends half a slice further out: slices end where the bone does."""
    first = knots[0] + 0.4 * (knots[0] - knots[1])
    last = knots[-1] + 0.4 * (knots[-1] - knots[-2])
    return np.concatenate([[first], knots, [last]])


def _smoothed(knots: Points) -> Points:
    spline, _ = make_splprep(knots.T, s=len(knots) * _SMOOTH**2, k=3)
    dense = np.asarray(spline(np.linspace(0, 1, 20 * len(knots)))).T
    run = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(dense, axis=0), axis=1))])
    stations = np.linspace(0, run[-1], max(round(run[-1] / STEP), 1) + 1)
    return np.stack([np.interp(stations, run, dense[:, k]) for k in range(3)], axis=1)


def _radius(curve: Points, cloud: Points, voxel_volume: float) -> Numbers:
    """Return the radius of the circle of the same area as the cross-section, smoothed."""
    _, nearest = cKDTree(curve).query(cloud)
    counts = np.bincount(nearest, minlength=len(curve)).astype(np.float64)
    width = 9
    padded = np.pad(counts, width // 2, mode="reflect")
    area = np.convolve(padded, np.ones(width) / width, mode="valid") * voxel_volume / STEP
    return np.sqrt(np.maximum(area, 1.0) / np.pi)
