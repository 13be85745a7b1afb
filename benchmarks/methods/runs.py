"""Train what a plan asks for; finished trainings are left alone, so it can be run again."""

import shutil
from dataclasses import replace
from pathlib import Path

from benchmarks.methods.plan import BOXES, Plan, Unit, recipe_of, stage1_of
from benchmarks.methods.prevalence import with_prevalence
from benchmarks.methods.record_errors import with_record_errors

from ribsight.cohort.cache import fill_cache
from ribsight.cohort.folds import fold_cohort
from ribsight.cohort.split import reveal
from ribsight.cohort.tables import Cohort, load_cohort, save_cohort
from ribsight.detector.detect import Detector
from ribsight.distillation.loop import LoopOptions
from ribsight.distillation.run_folder import RunFolder
from ribsight.distillation.sampling import pools_of
from ribsight.distillation.train import Machine, resume, train
from ribsight.distillation.training_data import training_data
from ribsight.evaluation.predictions import Predictions
from ribsight.evaluation.predictions_file import write_predictions

_OPTIONS = LoopOptions(progress=False)
_MACHINE = Machine(accelerator="cpu")


def predictions_file(out: Path, unit: Unit, split: str) -> Path:
    """Return where a training's predictions of a split are kept; written last."""
    return out / unit.folder / f"{split}.json"


def run_unit(unit: Unit, plan: Plan, plan_file: Path, cohort: Path, out: Path) -> None:
    """Train one unit and predict the plan's split, unless that is done."""
    done = predictions_file(out, unit, plan.evaluate)
    if done.exists():
        return
    run = out / unit.folder / "run"
    shown = shown_cohort(cohort, unit, out, plan)
    if plan.variants[unit.variant]["method"] in BOXES:
        write_predictions(_boxes(unit, plan, plan_file, shown, cohort / "cache"), done)
        return
    if not (run / "model" / "weights.safetensors").exists():
        _train(unit, plan, plan_file, shown, cohort / "cache", out)
    part = load_cohort(shown).select(plan.evaluate)
    write_predictions(_predicted(run, part, cohort, unit), done)


def predict_elsewhere(unit: Unit, out: Path, cohort: Path) -> Path | None:
    """Let a finished training predict another cohort's test split; None if it is not finished."""
    run, done = out / unit.folder / "run", out / unit.folder / f"elsewhere-{_key(cohort)}.json"
    if not (run / "model" / "weights.safetensors").exists():
        return None
    if not done.exists():
        write_predictions(_predicted(run, load_cohort(cohort).select("test"), cohort, unit), done)
    return done


def _key(cohort: Path) -> str:
    """Return what tells a cohort from others in the name of a file."""
    return load_cohort(cohort).fingerprint()[:12]


def _predicted(run: Path, part: Cohort, cohort: Path, unit: Unit) -> Predictions:
    detector = Detector.load(run / "model", "cpu")
    cache = fill_cache(part, detector.preprocessing, cohort / "cache", progress=False)
    return replace(detector.predict_cohort(part, cache, progress=False), model=unit.variant)


def _boxes(unit: Unit, plan: Plan, plan_file: Path, shown: Path, cache_folder: Path) -> Predictions:
    from benchmarks.methods.boxes import BoxTraining, predict

    recipe, cohort = recipe_of(plan, plan_file, unit), load_cohort(shown)
    part, training = cohort.select(plan.evaluate), cohort.select("train")
    caches = [
        fill_cache(one, recipe.images.preprocessing, cache_folder, progress=False)
        for one in (part, training)
    ]
    data = training_data(training, caches[1], pools_of(training.supervision()))
    self_training = plan.variants[unit.variant]["method"] == "boxes_self_training"
    trained = BoxTraining(recipe, data, len(cohort.findings), self_training=self_training).run()
    return predict(trained, part, caches[0], unit.variant)


def _train(unit: Unit, plan: Plan, plan_file: Path, shown: Path, cache: Path, out: Path) -> None:
    run = RunFolder(out / unit.folder / "run")
    if run.last.exists():
        resume(run.path, machine=_MACHINE, options=_OPTIONS, cache_folder=cache)
        return
    shutil.rmtree(run.path, ignore_errors=True)
    first = stage1_of(plan, plan_file, unit)
    train(
        recipe_of(plan, plan_file, unit),
        shown,
        run.path,
        machine=_MACHINE,
        options=_OPTIONS,
        stage1_from=None if first == unit else out / first.folder / "run",
        cache_folder=cache,
    )


def shown_cohort(folder: Path, unit: Unit, out: Path, plan: Plan) -> Path:
    """Return a copy of the cohort, split for the unit, that reveals what it may see."""
    shown = out / f"reveal-{unit.reveal}" / f"seed-{unit.seed}" / "cohort"
    if not (shown / "cohort.toml").exists():
        cohort: Cohort = load_cohort(folder)
        if plan.folds:
            cohort = fold_cohort(cohort, plan.folds, unit.seed % plan.folds, seed=0)
        cohort = reveal(cohort, unit.reveal or None, unit.seed)
        if plan.training_prevalence is not None:
            cohort = with_prevalence(cohort, plan.training_prevalence, unit.seed)
        save_cohort(with_record_errors(cohort, plan.record_errors, unit.seed), shown)
    return shown
