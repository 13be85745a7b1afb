"""Whether memory stays flat: resident memory over thousands of training steps.

    python benchmarks/memory.py COHORT RECIPE [--steps 10000]

Stage 2 of the recipe, with its teacher, on a cohort with revealed regions.
"""

import argparse
import tempfile
from collections.abc import Mapping
from pathlib import Path


def resident_mib() -> float:
    """Return this process's resident memory now, MiB."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no VmRSS in /proc/self/status")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cohort", type=Path)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--steps", type=int, default=10_000)
    asked = parser.parse_args()

    from ribsight.distillation.loop import LoopOptions
    from ribsight.distillation.recipe import load_recipe
    from ribsight.distillation.train import Machine, train

    every = max(1, asked.steps // 10)

    def say(record: Mapping[str, object]) -> None:
        step = int(str(record["step"]))
        if record["kind"] == "train" and record["stage"] == 2 and step % every == 0:
            print(f"step {step:6}  {resident_mib():7.0f} MiB", flush=True)

    changes = {"stage2.steps": asked.steps, "validate_every": asked.steps}
    with tempfile.TemporaryDirectory() as folder:
        train(
            load_recipe(asked.recipe, changes),
            asked.cohort,
            Path(folder) / "run",
            machine=Machine(accelerator="cpu"),
            options=LoopOptions(progress=False, observe=say, checkpoint_every=every),
        )


if __name__ == "__main__":
    main()
