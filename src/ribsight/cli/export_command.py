"""`ribsight export`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ribsight.deployment.export.exporting import Export
    from ribsight.detector.model_file import Format

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("run", metavar="RUN_OR_MODEL", type=_PATH)
@click.option(
    "--format", "form", type=click.Choice(["onnx", "openvino", "torchscript"]), required=True
)
@click.option("--int8", is_flag=True, help="Quantise: 8-bit weights and activations.")
@click.option(
    "--cohort", type=_PATH,
    help="Its validation split is compared; its training split gives the ranges of int8.",
)  # fmt: skip
@click.option("--out", type=_PATH, required=True, metavar="FOLDER", help="The new model folder.")
@click.option(
    "--tolerance", type=click.FloatRange(min=0),
    help="fp32: largest difference of a probability [default: 0.001]. int8: largest loss of AUROC "
    "and of FROC score [default: 0.02].",
)  # fmt: skip
@click.option(
    "--images", "files", multiple=True, type=_PATH, metavar="PATH",
    help="Compare on these files and folders instead of the validation split.",
)  # fmt: skip
@click.option(
    "--most", type=click.IntRange(min=1),
    help="Compare on at most so many of the validation split, half of them positive.",
)  # fmt: skip
@click.option(
    "--training-images", type=click.IntRange(min=8), default=200, show_default=True,
    help="That give the ranges of int8.",
)  # fmt: skip
@click.option(
    "--evaluation", type=_PATH, metavar="FILE",
    help="evaluation.json for the model card. [default: that of RUN]",
)  # fmt: skip
@click.option("--replicates", type=click.IntRange(min=100), default=2000, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=0)
@click.option("--threads", type=click.IntRange(min=1), help="Of the networks.")
@click.option("--processes", type=click.IntRange(min=1), default=1, help="That decode images.")
@click.option("--cache", type=_PATH, help="Folder of network images. [default: COHORT/cache]")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def export(
    run: Path,
    form: Format,
    cohort: Path | None,
    out: Path,
    tolerance: float | None,
    files: tuple[Path, ...],
    most: int | None,
    training_images: int,
    evaluation: Path | None,
    replicates: int,
    seed: int,
    threads: int | None,
    processes: int,
    cache: Path | None,
    *,
    int8: bool,
    quiet: bool,
) -> None:
    """Write a trained model for another runtime: ONNX Runtime, OpenVINO or TorchScript.

    FOLDER is used as any model folder. It is compared with the original first, on the validation
    split; where they differ by more than the tolerance, nothing is written. Beside the model stand
    parity.json, parity.md and model_card.md.
    """
    from ribsight.deployment.export.exporting import ExportOptions
    from ribsight.deployment.export.exporting import export as write
    from ribsight.detector.memory import keep_freed_memory

    keep_freed_memory()
    options = ExportOptions(
        format=form,
        precision="int8" if int8 else "fp32",
        tolerance=tolerance,
        images=most or 0,
        training_images=training_images,
        replicates=replicates,
        seed=seed,
        threads=threads,
        processes=processes,
        progress=not quiet,
    )
    written = write(
        run,
        out,
        options,
        cohort=cohort,
        files=files,
        cache=cache,
        evaluation=evaluation,
    )
    _say(written)


def _say(written: Export) -> None:
    for line in written.report.sentences():
        click.echo(line)
    if written.left_behind:
        click.echo(
            f"int8 is another model: {', '.join(written.left_behind)} of the original do not hold "
            "for it and stay behind; `ribsight calibrate` makes its own"
        )
    carried = f", with {', '.join(written.carried)}" if written.carried else ""
    click.echo(f"model -> {written.folder}{carried}")
