"""Everything a run needs to go on as if it had never stopped.

Sampling, augmentation and schedules are functions of the step, and the random state of torch is set
from (seed, stage, step) at every step, so the position in the run stands for all of them.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from ribsight.errors import RibsightError
from ribsight.files import atomic_path

SCHEMA = "ribsight-checkpoint/1"


@dataclass(frozen=True)
class Position:
    """A place in a run: the next step to do, of stage 1 or 2."""

    stage: int
    step: int


@dataclass(frozen=True)
class Checkpoint:
    """A run's state: tensors, numbers and strings only.

    Attributes:
        position: the next step.
        student: state of the student.
        teacher: state of the teacher with its number of updates; empty in stage 1.
        optimiser: state of the optimiser.
        precision: state of the gradient scaler; empty without one.
        ensemble: what the student said in earlier turns; empty for methods that do not ask.

    """

    position: Position
    student: dict[str, Any]
    teacher: dict[str, Any]
    optimiser: dict[str, Any]
    precision: dict[str, Any]
    ensemble: dict[str, Any] = field(default_factory=dict)


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Write a checkpoint in one step: the last good one stays until the new one is complete."""
    document = {
        "schema": SCHEMA,
        "stage": checkpoint.position.stage,
        "step": checkpoint.position.step,
        "student": checkpoint.student,
        "teacher": checkpoint.teacher,
        "optimiser": checkpoint.optimiser,
        "precision": checkpoint.precision,
        "ensemble": checkpoint.ensemble,
    }
    with atomic_path(path) as temporary:
        try:
            torch.save(document, temporary)
        except RuntimeError as error:  # torch's way of saying that the disk is full
            raise OSError(os.strerror(28) + f" or unwritable ({error})") from error


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint, without unpickling anything but tensors and plain values.

    Raises:
        RibsightError: it is missing, damaged or of another version.

    """
    try:
        document = torch.load(path, map_location="cpu", weights_only=True)
        if document["schema"] != SCHEMA:
            raise RibsightError(f"{path} is not of schema {SCHEMA}")
        return Checkpoint(
            position=Position(document["stage"], document["step"]),
            student=document["student"],
            teacher=document["teacher"],
            optimiser=document["optimiser"],
            precision=document["precision"],
            ensemble=document.get("ensemble", {}),
        )
    except FileNotFoundError as error:
        raise RibsightError(f"there is no checkpoint {path} to go on from") from error
    except RibsightError:
        raise
    except Exception as error:
        raise RibsightError(f"{path} is not a readable checkpoint: {error}") from error
