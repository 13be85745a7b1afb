"""A run in one TOML file. What to do, not on which machine: devices are command-line options."""

from pathlib import Path
from typing import Annotated, Any, Literal

import tomli_w
from pydantic import Field, model_validator

from ribsight.detector.settings import ImageSettings, MarkSettings, NetworkSettings
from ribsight.distillation.method_settings import (
    AalsSettings,
    BaselineSettings,
    PredictiveValues,
    RibsightSettings,
)
from ribsight.errors import RibsightError
from ribsight.method_names import MethodName
from ribsight.settings import Settings, parse_settings, read_toml

Share = Annotated[float, Field(ge=0, le=1)]


class BatchSettings(Settings):
    """Images per step, by what is known of them.

    Attributes:
        regions: with a drawn region.
        positives: record-positive without a region.
        negatives: negative for every finding.

    """

    regions: Annotated[int, Field(ge=0)] = 6
    positives: Annotated[int, Field(ge=0)] = 0
    negatives: Annotated[int, Field(ge=0)] = 6

    @property
    def size(self) -> int:
        """Images per step."""
        return self.regions + self.positives + self.negatives

    def without_positives(self) -> "BatchSettings":
        """Give the positives' places to regions (first) and negatives; the size stays."""
        more_negatives = self.positives // 2
        return BatchSettings(
            regions=self.regions + self.positives - more_negatives,
            negatives=self.negatives + more_negatives,
        )


class StageSettings(Settings):
    """One stage: how many steps, how fast, on what.

    Attributes:
        steps: optimiser steps.
        learning_rate: the highest, reached after `warmup_steps`, then falling as a half cosine.
        final_share: of `learning_rate` that is left at the end.
        warmup_steps: over which it rises from zero.
        batch: images per step.

    """

    steps: Annotated[int, Field(ge=1)]
    learning_rate: Annotated[float, Field(gt=0)]
    final_share: Share = 0.01
    warmup_steps: Annotated[int, Field(ge=0)] = 50
    batch: BatchSettings

    @model_validator(mode="after")
    def _not_empty(self) -> "StageSettings":
        if self.batch.size == 0:
            raise ValueError("a batch needs at least one image")
        return self


class LossSettings(Settings):
    """Weights in the objective.

    Attributes:
        lesion_weight: of a pixel whose target is 1; a pixel whose target is 0 weighs 1.
        positive_weight: of record-positives without a region, against those with known maps.
        positive_rampup_steps: over which `positive_weight` rises from zero (as a half sigmoid,
            exp(-5 (1 - x)^2), Laine & Aila 2017).

    """

    lesion_weight: Annotated[float, Field(ge=1)] = 1.0
    positive_weight: Annotated[float, Field(ge=0)] = 1.0
    positive_rampup_steps: Annotated[int, Field(ge=0)] = 0


class OptimiserSettings(Settings):
    """AdamW (Loshchilov & Hutter, ICLR 2019).

    Attributes:
        weight_decay: decoupled weight decay.
        gradient_clip: largest norm of the gradient.

    """

    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    gradient_clip: Annotated[float, Field(gt=0)] = 1.0


class TeacherSettings(Settings):
    """The moving average.

    Attributes:
        decay: of the average, reached through min(1 - 1 / (step + 1), decay). Half of a teacher
            is younger than log(0.5) / log(decay) steps: 69 for 0.99, 693 for 0.999.
        buffers: "copy" the student's (running statistics), or "average" the floating ones.

    """

    decay: Annotated[float, Field(ge=0, lt=1)] = 0.999
    buffers: Literal["copy", "average"] = "copy"


class AugmentationSettings(Settings):
    """Random views. Geometry is shared by student and teacher, intensities are not.

    Attributes:
        flip_horizontal: probability.
        flip_vertical: probability.
        rotation: largest angle, degrees.
        scale: largest relative change of size.
        shift: largest shift, as a share of the side of the view (image or crop).
        brightness: largest addition to intensities in [0, 1].
        contrast: largest relative change of contrast around the mean.
        gamma: largest |log2| of the exponent.
        noise: largest standard deviation of added noise.
        teacher_strength: of the intensity changes of the teacher's view, against the student's.

    """

    flip_horizontal: Share = 0.5
    flip_vertical: Share = 0.0
    rotation: Annotated[float, Field(ge=0, le=180)] = 10.0
    scale: Annotated[float, Field(ge=0, lt=1)] = 0.15
    shift: Annotated[float, Field(ge=0, lt=0.5)] = 0.05
    brightness: Share = 0.1
    contrast: Annotated[float, Field(ge=0, lt=1)] = 0.3
    gamma: Annotated[float, Field(ge=0, le=2)] = 0.5
    noise: Share = 0.03
    teacher_strength: Share = 0.5


class CropSettings(Settings):
    """What the student sees of a network image: all of it, or a square cut out at full size.

    Attributes:
        size: side of the crop in network pixels, a multiple of 32; 0 shows whole images.
        around: share of the crops that lie around a lesion where one is known or suspected: a
            drawn region, or on record-positives without one a peak of the teacher's map.
        jitter: largest distance, along each axis, of that lesion from the middle of the crop, as
            a share of its side.
        matched: share of all other crops (those of negatives among them) that lie where another
            radiograph has a region, so that the place alone never gives a lesion away; the rest
            lie anywhere but in padding, at the point of more contrast of two, for air teaches
            little.
        per_positive: crops of one record-positive in a step; they share one look of the teacher.

    """

    size: Annotated[int, Field(ge=0, multiple_of=32)] = 0
    around: Share = 0.8
    jitter: Annotated[float, Field(ge=0, lt=0.5)] = 0.25
    matched: Share = 0.5
    per_positive: Annotated[int, Field(ge=1)] = 1


class ValidationSettings(Settings):
    """What the looks at the validation split see.

    Attributes:
        images: at most this many radiographs, drawn once by the seed, half of them with a
            positive where there are so many; 0 looks at all.
        hidden_images: at most so many record-positives of the training split whose regions are
            drawn but not revealed: at each look the teacher's marks on them are compared with
            these regions, which training never sees; 0 looks at none.

    """

    images: Annotated[int, Field(ge=0)] = 0
    hidden_images: Annotated[int, Field(ge=0)] = 0


class Recipe(Settings):
    """Everything a run is made of.

    Attributes:
        seed: of sampling, augmentation and initial weights.
        method: which row of the table of targets (`distillation.method_table`).
        validate_every: steps between looks at the validation split.
        record_noise: finding -> how far its records are to be believed, for methods that ask
            images as a whole (`distillation.record_term`); records of others never err.

    """

    seed: Annotated[int, Field(ge=0)] = 0
    method: MethodName = "aals"
    validate_every: Annotated[int, Field(ge=1)] = 250
    images: ImageSettings = ImageSettings()
    detector: NetworkSettings = NetworkSettings()
    marks: MarkSettings = MarkSettings()
    augmentation: AugmentationSettings = AugmentationSettings()
    crops: CropSettings = CropSettings()
    validation: ValidationSettings = ValidationSettings()
    loss: LossSettings = LossSettings()
    optimiser: OptimiserSettings = OptimiserSettings()
    teacher: TeacherSettings = TeacherSettings()
    aals: AalsSettings = AalsSettings()
    baselines: BaselineSettings = BaselineSettings()
    ribsight: RibsightSettings = RibsightSettings()
    record_noise: dict[str, PredictiveValues] = Field(default_factory=dict)
    stage1: StageSettings
    stage2: StageSettings

    @model_validator(mode="after")
    def _stage1_knows_no_teacher(self) -> "Recipe":
        if self.stage1.batch.positives:
            raise ValueError("stage1.batch.positives must be 0: there is no teacher yet")
        return self

    @model_validator(mode="after")
    def _crops_fit(self) -> "Recipe":
        size, each = self.crops.size, self.crops.per_positive
        if size == 0:
            return self
        if size > self.images.size:
            raise ValueError(f"crops.size = {size} is larger than images.size = {self.images.size}")
        if self.stage2.batch.positives % each:
            raise ValueError(
                f"stage2.batch.positives = {self.stage2.batch.positives} is not a multiple of "
                f"crops.per_positive = {each}"
            )
        return self


def load_recipe(path: Path, changes: dict[str, Any] | None = None) -> Recipe:
    """Read a recipe; `changes` maps dotted keys ("stage2.steps") to values that replace its own.

    Raises:
        RibsightError: not readable, not TOML, unknown keys or wrong values.

    """
    document = read_toml(path)
    for key, value in (changes or {}).items():
        _replace(document, key.split("."), value)
    return parse_settings(Recipe, document, str(path))


def recipe_toml(recipe: Recipe) -> str:
    """Return the whole recipe, defaults included, as TOML."""
    return tomli_w.dumps(recipe.model_dump())


def _replace(document: dict[str, Any], parts: list[str], value: Any) -> None:
    for part in parts[:-1]:
        document = document.setdefault(part, {})
        if not isinstance(document, dict):
            raise RibsightError(f"--set {'.'.join(parts)}: '{part}' is not a table of the recipe")
    document[parts[-1]] = value
