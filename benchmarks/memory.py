"""Whether memory stays flat: resident memory over thousands of training steps.

    python benchmarks/memory.py [--method aals] [--steps 10000]
    python benchmarks/memory.py --cohort COHORT --recipe RECIPE [--steps 10000]

Stage 2 of the recipe, with its teacher, and looks at validation on the way. Without a cohort a tiny
one is made and the recipe of the tests trained on it.
"""

import argparse
import tempfile
from collections.abc import Mapping
from pathlib import Path

from made_cohort import made_cohort, made_pictures

_RECIPE = Path(__file__).parents[1] / "recipes" / "test.toml"
_ROWS, _SIDE = 60, 96


def resident_mib() -> float:
    """Return this process's resident memory now, MiB."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no VmRSS in /proc/self/status")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cohort", type=Path)
    parser.add_argument("--recipe", type=Path, default=_RECIPE)
    parser.add_argument("--method", default="aals")
    parser.add_argument("--steps", type=int, default=10_000)
    asked = parser.parse_args()

    from ribsight.cohort.tables import save_cohort
    from ribsight.distillation.loop import LoopOptions
    from ribsight.distillation.recipe import load_recipe
    from ribsight.distillation.train import Machine, train

    every = max(1, asked.steps // 10)
    seen: list[float] = []

    def say(record: Mapping[str, object]) -> None:
        step = int(str(record["step"]))
        if record["kind"] == "train" and record["stage"] == 2 and step % every == 0:
            seen.append(resident_mib())
            print(f"step {step:6}  {seen[-1]:7.1f} MiB", flush=True)

    changes = {"stage2.steps": asked.steps, "validate_every": every, "method": asked.method}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cohort = asked.cohort or folder / "cohort"
        if asked.cohort is None:
            (folder / "images").mkdir()
            made = made_cohort(_ROWS, _SIDE, folder / "images", every=2, drawn=8, held=12)
            save_cohort(made_pictures(made), cohort)
        train(
            load_recipe(asked.recipe, changes),
            cohort,
            folder / "run",
            machine=Machine(accelerator="cpu"),
            options=LoopOptions(progress=False, observe=say, checkpoint_every=every),
        )
    print(f"from step {every} to {asked.steps}: {seen[-1] - seen[0]:+.1f} MiB")


if __name__ == "__main__":
    main()
