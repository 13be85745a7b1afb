"""`ribsight predict`."""

from __future__ import annotations

from pathlib import Path

import click

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("model", metavar="RUN_OR_MODEL", type=_PATH)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=_PATH)
@click.option("--out", type=_PATH, required=True, help="The JSON file to write.")
@click.option("--overlay", type=_PATH, metavar="DIR", help="Also write PNGs with the marks drawn.")
@click.option(
    "--overlay-score", type=click.FloatRange(0, 1), default=0.2, show_default=True,
    help="Draw marks from this score on.",
)  # fmt: skip
@click.option("--accelerator", type=click.Choice(["cpu", "cuda", "mps"]), default="cpu")
@click.option(
    "--views", default="frontal_chest,rib_series,chest,unknown", show_default=True,
    metavar="KIND,KIND", help="Kinds of image that are scored; clavicle is another.",
)  # fmt: skip
@click.option(
    "--classify-views", is_flag=True,
    help="Look at the pixels where the header leaves open what they show.",
)  # fmt: skip
@click.option("--quiet", is_flag=True, help="No progress bar.")
def predict(
    model: Path,
    paths: tuple[Path, ...],
    out: Path,
    overlay: Path | None,
    overlay_score: float,
    accelerator: str,
    views: str,
    *,
    classify_views: bool,
    quiet: bool,
) -> None:
    """Find fractures in images (PNG, JPEG; folders are searched).

    A file that cannot be read never stops the others: it is listed under "failed" with its reason.
    """
    from ribsight.deployment.overlay import write_overlays
    from ribsight.deployment.predict import predict_files
    from ribsight.detector.detect import Detector
    from ribsight.detector.memory import keep_freed_memory
    from ribsight.detector.model_file import find_model
    from ribsight.evaluation.predictions_file import write_predictions
    from ribsight.radiographs.eligibility import policy_of

    keep_freed_memory()
    detector = Detector.load(find_model(model), accelerator)
    predictions = predict_files(
        detector, paths, policy_of(views), classify_views=classify_views, progress=not quiet
    )
    write_predictions(predictions, out)
    if overlay is not None:
        write_overlays(predictions, overlay, least_score=overlay_score)
    for failure in predictions.failed:
        click.echo(f"ribsight: no prediction for {failure.file}: {failure.reason}", err=True)
    count = len(predictions.images)
    click.echo(f"{count} image{'s' * (count != 1)}, {len(predictions.failed)} failed -> {out}")
