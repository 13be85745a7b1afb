"""Trains a few steps of every method from one stage 1, in as many processes as asked for.

Not a test: `test_every_method.py` runs it as a program of its own, because the processes of a run
must import what they execute, and because one start of two processes then serves all methods.

    python every_method.py COHORT STAGE1 OUT DEVICES
"""

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lightning_fabric import Fabric

from ribsight.cohort.cache import fill_cache
from ribsight.cohort.tables import load_cohort
from ribsight.distillation.look import Look
from ribsight.distillation.loop import LoopOptions, TrainingLoop
from ribsight.distillation.method_table import method_of
from ribsight.distillation.recipe import CropSettings, Recipe, load_recipe
from ribsight.distillation.run_folder import RunFolder, start_run
from ribsight.distillation.sampling import pools_of
from ribsight.distillation.training_data import training_data
from ribsight.distillation.validation import Validation
from ribsight.findings import Split
from ribsight.method_names import METHODS

ON_CROPS = "temporal_ensembling_on_crops"
CASES = (*METHODS, ON_CROPS)
_STEPS = 7


@dataclass(frozen=True)
class Asked:
    cohort: Path
    stage1: Path
    out: Path
    accumulate: int = 1


def recipe_of(case: str) -> Recipe:
    """The recipe of the tests with frozen statistics: sums over a batch then do not care how it
    is shared out.
    """
    recipe = load_recipe(Path(__file__).parents[2] / "recipes" / "test.toml")
    frozen = recipe.detector.model_copy(update={"batch_norm": "frozen"})
    longer = recipe.stage2.model_copy(update={"steps": _STEPS})
    changes = {"detector": frozen, "stage2": longer, "method": case}
    if case == ON_CROPS:
        whole = recipe.images.model_copy(update={"size": 96})
        changes |= {"method": "temporal_ensembling", "images": whole}
        changes |= {"crops": CropSettings(size=64, per_positive=1)}
    return recipe.model_copy(update=changes)


def train_all(fabric: Fabric, asked: Asked) -> None:
    """Train every case into OUT/CASE."""
    cohort = load_cohort(asked.cohort)
    training, held = cohort.select(Split.TRAIN), cohort.select(Split.VAL)
    for case in CASES:
        recipe = recipe_of(case)
        with fabric.rank_zero_first():
            caches = [
                fill_cache(one, recipe.images.preprocessing, asked.cohort / "cache", progress=False)
                for one in (training, held)
            ]
        run = RunFolder(asked.out / case)
        if fabric.is_global_zero:
            start_run(run, recipe, asked.cohort, "")
        fabric.barrier()
        loop = TrainingLoop(
            fabric,
            recipe,
            method_of(recipe),
            cohort.findings,
            training_data(training, caches[0], pools_of(training.supervision())),
            Look(Validation(held, caches[1], recipe.marks), None),
            run,
            LoopOptions(progress=False, accumulate=asked.accumulate),
        )
        loop.start_from_stage1(RunFolder(asked.stage1))
        assert loop.run()


if __name__ == "__main__":
    cohort, stage1, out, devices = sys.argv[1:]
    strategy = "auto" if devices == "1" else "ddp_spawn"
    fabric = Fabric(accelerator="cpu", devices=int(devices), strategy=strategy)
    fabric.launch(partial(train_all, asked=Asked(Path(cohort), Path(stage1), Path(out))))
