"""The CT projector against DiffDRR's renderers: same volume, same beam, same size, one run.

    python benchmarks/simulation_ct.py VOLUME.nii.gz LABELS.nii.gz NAMES.csv [--size 512]
        [--diffdrr PYTHON]

DiffDRR is no dependency: `--diffdrr` names the interpreter of an environment that has it
(`pip install diffdrr`); it gets the same voxels and the same camera through a file. Times are
seconds of one core (`time.process_time`), the fastest of three; the ratio is what counts.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

THEIRS = """
import json, sys, time
import numpy as np, torch
from diffdrr.renderers import Siddon, Trilinear
torch.set_num_threads(1)
given = np.load(sys.argv[1])
volume = torch.from_numpy(given["volume"])
affine = torch.from_numpy(given["to_voxels"])
source = torch.from_numpy(given["source"])[None, None]
target = torch.from_numpy(given["target"])[None]
length = (target - source).norm(dim=-1)[:, None]
inverse = lambda p: p @ affine[:3, :3].T + affine[:3, 3]
pictures, seconds = {}, {}
for name, renderer, options in (
    ("siddon", Siddon(), {}),
    ("trilinear", Trilinear(), {"n_points": int(given["points"])}),
):
    best = float("inf")
    for _ in range(int(given["repeats"])):
        start = time.process_time()
        rows = []
        with torch.no_grad():
            for part in torch.split(torch.arange(target.shape[1]), 16384):
                ends = target[:, part]
                rows.append(renderer(volume, inverse(source), inverse(ends),
                                     length[..., part], **options).ravel())
        picture = torch.cat(rows)
        best = min(best, time.process_time() - start)
    pictures[name], seconds[name] = picture.numpy(), best
np.savez(sys.argv[2], **pictures)
print(json.dumps(seconds))
"""


def fastest(call: Callable[[], object], repeats: int = 3) -> float:
    """Return seconds of one core of the fastest of some calls."""
    best = float("inf")
    for _ in range(repeats):
        start = time.process_time()
        call()
        best = min(best, time.process_time() - start)
    return best


def main() -> None:
    from ribsight.simulation.ct.deform import identity
    from ribsight.simulation.ct.materials import UNIT
    from ribsight.simulation.ct.patient import camera_on, load_scan, patient_of
    from ribsight.simulation.ct.project import project
    from ribsight.simulation.truth import View

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("volume", type=Path)
    parser.add_argument("labels", type=Path)
    parser.add_argument("names", type=Path)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--diffdrr", default=sys.executable)
    parser.add_argument("--repeats", type=int, default=2)
    options = parser.parse_args()
    scan = load_scan(options.volume, options.labels, options.names)
    materials, grid = scan.materials, scan.materials.grid
    patient = patient_of(scan, identity(grid))
    for rotation in (0.0, 4.0):
        camera = camera_on(patient, View.PA_ERECT, options.size, rotation=rotation)
        project(materials.soft_tissue, grid, camera, UNIT)  # compiles
        one = fastest(lambda c=camera: project(materials.soft_tissue, grid, c, UNIT))
        bone = fastest(lambda c=camera: project(materials.bone, grid, c, UNIT))
        ours = project(materials.soft_tissue, grid, camera, UNIT)
        print(f"{options.size} x {options.size}, turned by {rotation:g} degrees")
        print(f"  ribsight   soft tissue {one:6.2f} s   bone {bone:6.2f} s")
        with tempfile.TemporaryDirectory() as folder:
            given, made = Path(folder, "in.npz"), Path(folder, "out.npz")
            to_voxels = np.eye(4)
            to_voxels[:3, :3] = np.diag(1 / np.asarray(grid.spacing))
            to_voxels[:3, 3] = -np.asarray(grid.origin) / np.asarray(grid.spacing)
            ends = camera.pixel_centres().reshape(-1, 3)
            np.savez(
                given,
                volume=(materials.soft_tissue / np.float32(UNIT)).transpose(2, 0, 1),
                to_voxels=to_voxels.astype(np.float32),
                source=camera.source.astype(np.float32),
                target=ends.astype(np.float32),
                points=grid.shape[0],
                repeats=options.repeats,
            )
            run = subprocess.run(
                [options.diffdrr, "-c", THEIRS, str(given), str(made)],
                check=True, capture_output=True, text=True,
            )  # fmt: skip
            seconds = json.loads(run.stdout.strip().splitlines()[-1])
            pictures = np.load(made)
            # Beyond the scan's ends ribsight carries it on and DiffDRR sees air.
            rows = slice(options.size // 16, -options.size // 16)
            for name, spent in seconds.items():
                theirs = pictures[name].reshape(ours.shape)
                alike = np.corrcoef(ours[rows].ravel(), theirs[rows].ravel())[0, 1]
                apart = np.abs(ours[rows] - theirs[rows]).mean()
                print(
                    f"  DiffDRR {name:10s} {spent:6.2f} s ({spent / one:.0f} times)   "
                    f"correlation {alike:.5f}, mean difference {apart:.2f} mm"
                )


if __name__ == "__main__":
    main()
