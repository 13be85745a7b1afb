"""Schedules: numbers that depend on the step alone."""

import math

from ribsight.distillation.recipe import StageSettings


def learning_rate(stage: StageSettings, step: int) -> float:
    """Return the learning rate of a step (from 0): linear warm-up, then a half cosine.

    >>> flat = StageSettings.model_validate(
    ...     {"steps": 4, "learning_rate": 1.0, "warmup_steps": 2, "final_share": 0.0, "batch": {}})
    >>> [round(learning_rate(flat, step), 3) for step in range(4)]
    [0.5, 1.0, 1.0, 0.5]
    """
    if step < stage.warmup_steps:
        return stage.learning_rate * (step + 1) / stage.warmup_steps
    done = (step - stage.warmup_steps) / max(stage.steps - stage.warmup_steps, 1)
    share = stage.final_share + (1 - stage.final_share) * (1 + math.cos(math.pi * done)) / 2
    return stage.learning_rate * share


def rampup(step: int, length: int) -> float:
    """Return exp(-5 (1 - x)^2) with x = step / length, 1 from `length` on (Laine & Aila 2017).

    >>> rampup(0, 0), round(rampup(0, 100), 4), rampup(100, 100)
    (1.0, 0.0067, 1.0)
    """
    if step >= length:
        return 1.0
    return math.exp(-5.0 * (1.0 - step / length) ** 2)
