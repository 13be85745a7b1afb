"""From a cohort and a recipe to a finished run."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from lightning_fabric import Fabric

from ribsight import __version__
from ribsight.cohort.cache import fill_cache
from ribsight.cohort.check import require_sound
from ribsight.cohort.tables import Cohort, load_cohort
from ribsight.detector.memory import keep_freed_memory
from ribsight.detector.model_file import SCHEMA, ModelDescription, save_model
from ribsight.detector.network import DetectorNetwork
from ribsight.distillation.health import HiddenTruth, hidden_subset
from ribsight.distillation.launch import (
    Machine,
    fabric_of,
    prepared_in_turn,
    started_by_torchrun,
)
from ribsight.distillation.look import Look
from ribsight.distillation.loop import LoopOptions, TrainingLoop
from ribsight.distillation.method_table import method_of
from ribsight.distillation.methods import stage_batch
from ribsight.distillation.recipe import Recipe
from ribsight.distillation.run_folder import RunFolder, read_run, start_run
from ribsight.distillation.sampling import check_pools, pools_of
from ribsight.distillation.training_data import TrainingData, training_data
from ribsight.distillation.validation import Validation, drawn_subset
from ribsight.errors import RibsightError
from ribsight.findings import Split

__all__ = ["Machine", "resume", "train"]


def train(
    recipe: Recipe,
    cohort_folder: Path,
    run_folder: Path,
    *,
    machine: Machine,
    options: LoopOptions,
    stage1_from: Path | None = None,
    cache_folder: Path | None = None,
) -> bool:
    """Start a run and train it to the end; return whether the end was reached.

    Args:
        recipe: what to do.
        cohort_folder: a checked, split cohort.
        run_folder: new or empty.
        machine: where.
        options: of the loop.
        stage1_from: take the end of stage 1 from this run instead of training it again; it must
            have the same cohort, seed and whatever of the recipe matters in stage 1.
        cache_folder: of network images; COHORT/cache if None.

    Raises:
        RibsightError: the cohort is unsound or lacks what the recipe asks for, or a folder cannot
            be written to.

    """
    cohort = load_cohort(cohort_folder)
    fingerprint = cohort.fingerprint()
    start = None if stage1_from is None else RunFolder(stage1_from)
    if start is not None:
        _check_same_stage1(recipe, fingerprint, start)
    fabric, cache = fabric_of(machine), cache_folder or cohort_folder / "cache"
    parts = prepared_in_turn(fabric, lambda: _prepare(recipe, cohort, cache, machine, options))
    run = RunFolder(run_folder)
    if fabric.is_global_zero:
        start_run(run, recipe, cohort_folder, fingerprint)
    return _launch(fabric, _Job(recipe, *parts, run, fingerprint, options, start, False))


def resume(
    run_folder: Path,
    *,
    machine: Machine,
    options: LoopOptions,
    cache_folder: Path | None = None,
) -> bool:
    """Continue a stopped run from its newest checkpoint; return whether the end was reached.

    Raises:
        RibsightError: there is no run or checkpoint, or its cohort has changed since.

    """
    run = RunFolder(run_folder)
    recipe, cohort_folder, fingerprint = read_run(run)
    cohort = load_cohort(cohort_folder)
    if cohort.fingerprint() != fingerprint:
        raise RibsightError(
            f"the cohort {cohort_folder} has changed since {run_folder} was started: train anew"
        )
    fabric, cache = fabric_of(machine), cache_folder or cohort_folder / "cache"
    parts = prepared_in_turn(fabric, lambda: _prepare(recipe, cohort, cache, machine, options))
    return _launch(fabric, _Job(recipe, *parts, run, fingerprint, options, None, True))


@dataclass(frozen=True, eq=False)
class _Job:
    """What every process of a run needs; picklable."""

    recipe: Recipe
    findings: tuple[str, ...]
    data: TrainingData
    look: Look
    run: RunFolder
    fingerprint: str
    options: LoopOptions
    stage1_from: RunFolder | None
    is_resumed: bool


def _prepare(
    recipe: Recipe, cohort: Cohort, cache_folder: Path, machine: Machine, options: LoopOptions
) -> tuple[tuple[str, ...], TrainingData, Look]:
    require_sound(cohort)
    method = method_of(recipe, cohort.findings)
    training = cohort.select(Split.TRAIN)
    held = drawn_subset(cohort.select(Split.VAL), recipe.validation.images, recipe.seed)
    supervision = training.supervision()
    for number, stage in enumerate((recipe.stage1, recipe.stage2), start=1):
        batch = stage_batch(stage, method, number)
        check_pools(pools_of(method.supervision(supervision, number)), batch, f"stage{number}")
    preprocessing = recipe.images.preprocessing
    caches = [
        fill_cache(
            part,
            preprocessing,
            cache_folder,
            processes=machine.processes,
            progress=options.progress,
        )
        for part in (training, held)
    ]
    data = training_data(training, caches[0], pools_of(supervision))
    hidden = None
    secret = hidden_subset(training, recipe.validation.hidden_images, recipe.seed)
    if method.positive_target is not None and secret.ids:
        cache = fill_cache(secret, preprocessing, cache_folder, progress=False)
        centre = 0.5 if method.push_centre is None else method.push_centre
        hidden = HiddenTruth(secret, cache, recipe.marks, centre)
    look = Look(Validation(held, caches[1], recipe.marks), hidden)
    return cohort.findings, data, look


def _launch(fabric: Fabric, job: _Job) -> bool:
    if started_by_torchrun():
        # Nobody reads the run before the first process has begun it.
        fabric.barrier()
        return _train(fabric, job)
    # Bound, not passed as an argument: Fabric refuses frozen dataclasses among those.
    return bool(fabric.launch(partial(_train, job=job)))


def _train(fabric: Fabric, job: _Job) -> bool:
    keep_freed_memory()
    loop = TrainingLoop(
        fabric,
        job.recipe,
        method_of(job.recipe, job.findings),
        job.findings,
        job.data,
        job.look,
        job.run,
        job.options,
    )
    if job.is_resumed:
        loop.restore()
    elif job.stage1_from is not None:
        loop.start_from_stage1(job.stage1_from)
    is_finished = loop.run()
    if is_finished and fabric.is_global_zero:
        assert loop.teacher is not None
        network = loop.teacher.network
        assert isinstance(network, DetectorNetwork)
        save_model(network, _description(job, network), job.run.model)
    fabric.barrier()
    return is_finished


def _description(job: _Job, network: DetectorNetwork) -> ModelDescription:
    recipe = job.recipe
    fields: dict[str, Any] = {
        "schema": SCHEMA,
        "name": job.run.path.resolve().name,
        "findings": list(job.findings),
        "images": recipe.images,
        "preprocessing": recipe.images.preprocessing.key,
        "intensity_mean": float(network.mean),
        "intensity_std": float(network.std),
        "network": recipe.detector,
        "marks": recipe.marks,
        "recipe": recipe.model_dump(),
        "training": {
            "method": recipe.method,
            "which": "teacher",
            "steps": recipe.stage1.steps + recipe.stage2.steps,
        },
        "cohort_sha256": job.fingerprint,
        "ribsight": __version__,
    }
    return ModelDescription(**fields)


def stage1_differences(recipe: Recipe, other: Recipe) -> list[str]:
    """Return the keys in which two recipes differ that matter in stage 1."""
    shared = ("seed", "images", "detector", "augmentation", "crops", "optimiser", "stage1")
    different = [name for name in shared if getattr(recipe, name) != getattr(other, name)]
    if recipe.loss.lesion_weight != other.loss.lesion_weight:
        different.append("loss.lesion_weight")
    if _sees_negatives(recipe) != _sees_negatives(other):
        different.append("method")
    return different


def _sees_negatives(recipe: Recipe) -> bool:
    # What is known of records' errors is said by finding, and changes nothing here.
    return method_of(recipe.model_copy(update={"record_noise": {}})).sees_negatives


def _check_same_stage1(recipe: Recipe, fingerprint: str, other: RunFolder) -> None:
    theirs, _, their_fingerprint = read_run(other)
    different = stage1_differences(recipe, theirs)
    if fingerprint != their_fingerprint:
        different.append("cohort")
    if different:
        raise RibsightError(
            f"stage 1 of {other.path} cannot be taken over: {', '.join(different)} differ"
        )
