"""`ribsight train`."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import click

from ribsight.errors import RibsightError
from ribsight.method_names import METHODS

_PATH = click.Path(path_type=Path)
_INTERRUPTED = 130


@click.command()
@click.option("--cohort", type=_PATH, help="A split cohort.")
@click.option("--recipe", type=_PATH, help="TOML file.")
@click.option("--out", type=_PATH, help="Folder of the new run.")
@click.option("--resume", "stopped", type=_PATH, metavar="RUN", help="Continue a stopped run.")
@click.option(
    "--method",
    type=click.Choice(METHODS),
    help="Instead of the recipe's.",
)
@click.option("--seed", type=click.IntRange(min=0), help="Instead of the recipe's.")
@click.option(
    "--set", "changes", multiple=True, metavar="KEY=VALUE", help="Of the recipe, e.g. aals.t=0.3."
)
@click.option(
    "--audit", type=_PATH, metavar="TOML",
    help="noise.toml of `ribsight label`: allow for records that err.",
)  # fmt: skip
@click.option("--stage1", type=_PATH, metavar="RUN", help="Take the end of stage 1 from this run.")
@click.option("--cache", type=_PATH, help="Folder of network images. [default: COHORT/cache]")
@click.option(
    "--accelerator", type=click.Choice(["auto", "cpu", "cuda", "mps"]), default="auto",
    show_default=True,
)  # fmt: skip
@click.option("--devices", type=click.IntRange(min=1), default=1, show_default=True)
@click.option(
    "--precision", type=click.Choice(["32-true", "bf16-mixed", "16-mixed"]), default="32-true",
    show_default=True,
)  # fmt: skip
@click.option(
    "--workers", type=click.IntRange(min=0), default=0, show_default=True,
    help="Processes that prepare batches.",
)  # fmt: skip
@click.option(
    "--processes", type=click.IntRange(min=1), default=1, show_default=True,
    help="Processes that decode images into the cache.",
)  # fmt: skip
@click.option(
    "--accumulate", type=click.IntRange(min=1), default=1, show_default=True, metavar="N",
    help="Take each step in N parts, for less memory.",
)  # fmt: skip
@click.option("--compile", "compiled", is_flag=True, help="Translate the network first.")
@click.option("--checkpoint-every", type=click.IntRange(min=1), default=200, show_default=True)
@click.option("--tensorboard", is_flag=True, help="Also write TensorBoard events into the run.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def train(
    cohort: Path | None,
    recipe: Path | None,
    out: Path | None,
    stopped: Path | None,
    method: str | None,
    seed: int | None,
    changes: tuple[str, ...],
    audit: Path | None,
    stage1: Path | None,
    cache: Path | None,
    accelerator: str,
    devices: int,
    precision: str,
    workers: int,
    processes: int,
    accumulate: int,
    checkpoint_every: int,
    *,
    compiled: bool,
    tensorboard: bool,
    quiet: bool,
) -> int:
    """Train a detector: stage 1 on drawn regions, stage 2 by the recipe's method.

    Ctrl-C finishes the step, writes a checkpoint and exits with status 130.
    """
    new = (cohort, recipe, out)
    if stopped is not None:
        if any((*new, method, seed is not None, changes, audit, stage1)):
            raise click.UsageError("--resume takes everything but the machine from the run itself")
    elif None in new:
        raise click.UsageError("give --cohort, --recipe and --out (or --resume RUN)")

    from ribsight.distillation.launch import Machine, is_first_process
    from ribsight.distillation.loop import LoopOptions
    from ribsight.distillation.recipe import load_recipe
    from ribsight.distillation.tensorboard import TensorBoardObserver
    from ribsight.distillation.train import resume as resume_run
    from ribsight.distillation.train import train as train_run
    from ribsight.records.noise import predictive_values

    run = stopped if stopped is not None else out
    assert run is not None
    machine = Machine(accelerator, devices, precision, processes)
    options = LoopOptions(
        workers=workers,
        accumulate=accumulate,
        compiled=compiled,
        checkpoint_every=checkpoint_every,
        progress=not quiet and is_first_process(),
        observe=TensorBoardObserver(run / "tensorboard") if tensorboard else None,
    )
    if stopped is not None:
        is_finished = resume_run(stopped, machine=machine, options=options, cache_folder=cache)
    else:
        assert cohort is not None
        assert recipe is not None
        assert out is not None
        wanted: dict[str, Any] = dict(_change(one) for one in changes)
        wanted |= {k: v for k, v in (("method", method), ("seed", seed)) if v is not None}
        if audit is not None:
            wanted["record_noise"] = predictive_values(audit)
        is_finished = train_run(
            load_recipe(recipe, wanted),
            cohort,
            out,
            machine=machine,
            options=options,
            stage1_from=stage1,
            cache_folder=cache,
        )
    if is_finished:
        said = f"model -> {run / 'model'}"
    else:
        said = f"stopped; continue with: ribsight train --resume {run}"
    if is_first_process():
        click.echo(said, err=not is_finished)
    return 0 if is_finished else _INTERRUPTED


def _change(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals:
        raise RibsightError(f"--set {text}: write it as KEY=VALUE, for example aals.t=0.3")
    try:
        return key, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key, value
