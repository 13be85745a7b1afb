"""The real training loop, with the time between two steps and the teacher's part of it."""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ribsight.distillation.recipe import Recipe


@dataclass(frozen=True)
class Step:
    """Seconds of a step, and of what would not happen without a teacher."""

    whole: float
    teacher: float


def measure(
    folder: Path, recipe: "Recipe", steps: int, clock: str, *, compiled: bool = False
) -> Step:
    """Return the fastest of some steps of stage 2.

    Args:
        folder: a made cohort with its cache filled.
        recipe: of the run.
        steps: how many.
        clock: "wall" or "cpu".
        compiled: with `torch.compile`.

    """
    from lightning_fabric import Fabric

    from ribsight.cohort.cache import fill_cache
    from ribsight.cohort.tables import load_cohort
    from ribsight.detector.memory import keep_freed_memory
    from ribsight.distillation import batches, optimisation
    from ribsight.distillation.checkpoint import Position
    from ribsight.distillation.loop import LoopOptions, TrainingLoop
    from ribsight.distillation.method_table import method_of
    from ribsight.distillation.run_folder import RunFolder, start_run
    from ribsight.distillation.sampling import pools_of
    from ribsight.distillation.teacher import Teacher
    from ribsight.distillation.training_data import training_data

    keep_freed_memory()
    now = time.perf_counter if clock == "wall" else time.process_time
    ends: list[float] = []
    spent: list[float] = [0.0]

    def timed(work: Callable[..., Any], *, counts: Callable[..., bool]) -> Callable[..., Any]:
        def wrapped(*args: Any, **rest: Any) -> Any:
            start = now()
            result = work(*args, **rest)
            if counts(*args):
                spent[-1] += now() - start
            return result

        return wrapped

    Teacher.logits = timed(Teacher.logits, counts=lambda *_: True)
    Teacher.update = timed(Teacher.update, counts=lambda *_: True)
    weak = recipe.augmentation.teacher_strength
    batches.perturb = timed(batches.perturb, counts=lambda *args: args[3:] == (weak,))
    step = optimisation.Optimisation.step

    def marked(self: Any, *args: Any) -> Any:
        result = step(self, *args)
        ends.append(now())
        spent.append(0.0)
        return result

    optimisation.Optimisation.step = marked
    cohort = load_cohort(folder)
    cache = fill_cache(cohort, recipe.images.preprocessing, folder / "cache", progress=False)
    data = training_data(cohort, cache, pools_of(cohort.supervision()))
    with tempfile.TemporaryDirectory() as name:
        run = RunFolder(Path(name) / "run")
        start_run(run, recipe, folder, "")
        loop = TrainingLoop(
            Fabric(accelerator="cpu", devices=1),
            recipe,
            method_of(recipe),
            cohort.findings,
            data,
            _Unseeing(),
            run,
            LoopOptions(progress=False, compiled=compiled, checkpoint_every=10 * steps),
        )
        loop.position = Position(2, 0)
        loop.run()
    # The first step warms up; the last is followed by a checkpoint.
    taken = [(b - a, part) for a, b, part in zip(ends, ends[1:], spent[1:], strict=False)]
    return Step(*min(taken))


class _Unseeing:
    """Looks at nothing: validation is no part of a step."""

    def report(self, *_: Any) -> None:
        """Do nothing."""
