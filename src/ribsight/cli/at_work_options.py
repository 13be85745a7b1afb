"""Options of the commands that put a detector to work: which models, and on how much machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from ribsight.deployment.at_work import DetectorAtWork
    from ribsight.deployment.predict import Working
    from ribsight.radiographs.eligibility import Policy

Command = TypeVar("Command", bound=Callable[..., Any])
_PATH = click.Path(path_type=Path)
_BATCH_OF_GPU = 8


def at_work_options(command: Command) -> Command:
    """Add the options of an ensemble and of test-time augmentation."""
    options = [
        click.option(
            "--ensemble", multiple=True, type=_PATH, metavar="RUN_OR_MODEL",
            help="Average with the maps of this model too; may be repeated.",
        ),
        click.option("--tta", is_flag=True, help="Average with the maps of the mirrored image."),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def working_options(command: Command) -> Command:
    """Add the options of the machine."""
    options = [
        click.option("--accelerator", type=click.Choice(["cpu", "cuda", "mps"]), default="cpu"),
        click.option(
            "--processes", type=click.IntRange(min=1), default=1, show_default=True,
            help="That decode images.",
        ),
        click.option(
            "--threads", type=click.IntRange(min=1),
            help="Of the network. [default: as its runtime thinks best]",
        ),
        click.option(
            "--batch", type=click.IntRange(min=1),
            help="Images that the network sees at once. [default: 1; 8 on a GPU]",
        ),
        click.option("--quiet", is_flag=True, help="No progress bar."),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def load_at_work(
    model: Path,
    ensemble: tuple[Path, ...],
    accelerator: str,
    threads: int | None,
    *,
    tta: bool,
    bare: bool = False,
) -> DetectorAtWork:
    """Return the detector that the options name."""
    from ribsight.deployment.at_work import DetectorAtWork
    from ribsight.detector.memory import keep_freed_memory

    keep_freed_memory()
    return DetectorAtWork.load(
        model, accelerator, threads=threads, others=ensemble, flip=tta, bare=bare
    )


def working_of(
    policy: Policy, processes: int, batch: int | None, accelerator: str, *, classify_views: bool
) -> Working:
    """Return how the options want images worked on."""
    from ribsight.deployment.predict import Working

    size = batch or (1 if accelerator == "cpu" else _BATCH_OF_GPU)
    return Working(policy, classify_views, processes, size)
