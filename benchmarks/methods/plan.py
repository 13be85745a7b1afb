"""A plan: which methods, on how many revealed regions, with which seeds, on which cohort."""

from pathlib import Path
from typing import Annotated, Any, Literal

from benchmarks.methods.record_errors import RecordErrors
from benchmarks.methods.screening import Screening
from pydantic import Field

from ribsight.distillation.recipe import Recipe, load_recipe
from ribsight.distillation.train import stage1_differences
from ribsight.errors import RibsightError
from ribsight.settings import Settings, parse_settings, read_toml

REFERENCE = "supervised"
"""The variant that trains stage 1 for all others: continued supervised training."""

BOXES = ("boxes", "boxes_self_training")


class Plan(Settings):
    """What to run, on a cohort that is built and split.

    Attributes:
        recipe: TOML file, relative to the plan.
        changes: dotted keys of the recipe -> values, for every variant.
        reveal: numbers of positive training radiographs whose regions are revealed; 0: all.
        seeds: each draws the revealed radiographs and is the recipe's seed.
        folds: 0 for the cohort's own split; else seed s trains and is tested on fold s of so many
            of a cross-validation, so that every radiograph is tested once by `folds` seeds.
        evaluate: split on which variants are compared. `val` while choosing.
        references: variants that the others are compared with.
        variants: name -> {"method": ..., further dotted keys of the recipe}; one that changes
            stage 1 trains its own. The methods "boxes" and "boxes_self_training" train the box
            detector of `boxes`.
        record_errors: errors that the records of training radiographs get, drawn by the seed. A
            plan with other errors needs other results.
        training_prevalence: share of the training radiographs that is positive, reached by leaving
            out record-positives, drawn by the seed; None leaves out none. It needs other results.
        screening: settings of one method that are screened; adds its variants to the others.

    """

    recipe: str
    changes: dict[str, Any] = Field(default_factory=dict)
    reveal: Annotated[list[int], Field(min_length=1)]
    seeds: Annotated[list[int], Field(min_length=1)]
    folds: Annotated[int, Field(ge=0)] = 0
    evaluate: Literal["val", "test"] = "val"
    references: list[str] = Field(default_factory=lambda: [REFERENCE, "aals"])
    variants: dict[str, dict[str, Any]]
    record_errors: RecordErrors = RecordErrors()
    training_prevalence: Annotated[float, Field(gt=0, lt=1)] | None = None
    screening: Screening | None = None


class Unit(Settings):
    """One training: a variant at one number of revealed regions with one seed."""

    variant: str
    reveal: int
    seed: int

    @property
    def folder(self) -> Path:
        """Where it is kept, relative to the results."""
        return Path(f"reveal-{self.reveal}") / f"seed-{self.seed}" / self.variant


def read_plan(path: Path) -> Plan:
    """Read a plan. `like = "OTHER.toml"` takes what it does not say from a plan beside it.

    Raises:
        RibsightError: not readable, wrong keys, or no variant named "supervised".

    """
    plan = parse_settings(Plan, _said(path), str(path))
    if plan.variants.get(REFERENCE, {}).get("method") != "supervised":
        raise RibsightError(
            f'{path}: give [variants.{REFERENCE}] method = "supervised": all others start from '
            "its stage 1 and are compared with it"
        )
    if plan.screening is None:
        return plan
    return plan.model_copy(update={"variants": plan.variants | plan.screening.variants})


def _said(path: Path) -> dict[str, Any]:
    own = read_toml(path)
    like = own.pop("like", None)
    if like is None:
        return own
    if not isinstance(like, str) or Path(like).name != like:
        raise RibsightError(f"{path}: like = {like!r} is no plan in the same folder")
    base = read_toml(path.parent / like)
    if "like" in base:
        raise RibsightError(f"{path}: like = '{like}', which is like another: name that one")
    changes = [one.get("changes", {}) for one in (base, own)]
    if not all(isinstance(one, dict) for one in changes):
        raise RibsightError(f"{path}: changes is a table, [changes], here and in {like}")
    return {**base, **own, "changes": changes[0] | changes[1]}


def units(plan: Plan) -> list[Unit]:
    """Return every training, those of the reference first."""
    names = [REFERENCE, *(one for one in plan.variants if one != REFERENCE)]
    return [
        Unit(variant=name, reveal=reveal, seed=seed)
        for name in names
        for seed in plan.seeds
        for reveal in plan.reveal
    ]


def recipe_of(plan: Plan, path: Path, unit: Unit) -> Recipe:
    """Return the recipe of one training."""
    changes = {**plan.changes, **plan.variants[unit.variant], "seed": unit.seed}
    if changes["method"] in BOXES:
        changes["method"] = "supervised"
    return load_recipe(path.parent / plan.recipe, changes)


def stage1_of(plan: Plan, path: Path, unit: Unit) -> Unit:
    """Return the training that trains a unit's stage 1: the first of the plan with the same one.

    A variant that changes stage 1 itself (other weights, another length) is its own, or the first
    of several.
    """
    if plan.variants[unit.variant]["method"] in BOXES:
        return unit
    recipe = recipe_of(plan, path, unit)
    names = [REFERENCE, *(one for one in plan.variants if one != REFERENCE)]
    for name in names[: names.index(unit.variant)]:
        earlier = unit.model_copy(update={"variant": name})
        is_box = plan.variants[name]["method"] in BOXES
        if not is_box and not stage1_differences(recipe, recipe_of(plan, path, earlier)):
            return earlier
    return unit
