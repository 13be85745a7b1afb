"""`ribsight predict`."""

from __future__ import annotations

from pathlib import Path

import click

from ribsight.cli.at_work_options import at_work_options, load_at_work, working_of, working_options

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("model", metavar="RUN_OR_MODEL", type=_PATH)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=_PATH)
@click.option("--out", type=_PATH, required=True, help="The JSON file to write.")
@click.option(
    "--resume", is_flag=True,
    help="Go on with a run that was stopped; take over from OUT what this model said of files "
    "that are the same.",
)  # fmt: skip
@at_work_options
@click.option("--overlay", type=_PATH, metavar="DIR", help="Also write PNGs with the marks drawn.")
@click.option(
    "--overlay-score", type=click.FloatRange(0, 1), default=0.2, show_default=True,
    help="Draw marks from this score on, where the model has no thresholds.",
)  # fmt: skip
@click.option(
    "--views", default="frontal_chest,rib_series,chest,unknown", show_default=True,
    metavar="KIND,KIND", help="Kinds of image that are scored; clavicle is another.",
)  # fmt: skip
@click.option(
    "--classify-views", is_flag=True,
    help="Look at the pixels where the header leaves open what they show.",
)  # fmt: skip
@working_options
def predict(
    model: Path,
    paths: tuple[Path, ...],
    out: Path,
    ensemble: tuple[Path, ...],
    overlay: Path | None,
    overlay_score: float,
    views: str,
    accelerator: str,
    processes: int,
    threads: int | None,
    batch: int | None,
    *,
    resume: bool,
    tta: bool,
    classify_views: bool,
    quiet: bool,
) -> None:
    """Find fractures in images: DICOM, PNG, JPEG, TIFF; folders; archives of `ribsight ingest`.

    RUN_OR_MODEL is a run, a model folder, or a folder of `ribsight calibrate --out`.

    A file that cannot be read never stops the others: it is listed under "failed" with its reason.
    """
    from ribsight.deployment.inputs import given_images
    from ribsight.deployment.run import Overlays, run_predict
    from ribsight.radiographs.eligibility import policy_of

    policy = policy_of(views)
    at_work = load_at_work(model, ensemble, accelerator, threads, tta=tta)
    ran = run_predict(
        at_work,
        given_images(paths, policy),
        working_of(policy, processes, batch, accelerator, classify_views=classify_views),
        out,
        resume=resume,
        overlays=None if overlay is None else Overlays(overlay, overlay_score),
        progress=not quiet,
    )
    for failure in ran.failed:
        click.echo(f"ribsight: no prediction for {failure.file}: {failure.reason}", err=True)
    known = f" ({ran.known} known before)" if ran.known else ""
    images = f"{ran.images} image{'s' * (ran.images != 1)}"
    click.echo(f"{images}{known}, {len(ran.failed)} failed -> {out}")
    if not at_work.levels:
        click.echo(f"ribsight: {_why_bare(model, alone=not (ensemble or tta))}", err=True)


def _why_bare(model: Path, *, alone: bool) -> str:
    if alone:
        return f"{model} has no thresholds, so no mark is doubtful or confident: ribsight calibrate"
    return (
        "thresholds of one model are not those of an ensemble or of --tta, so no mark is doubtful "
        "or confident: ribsight calibrate with the same options and --out FOLDER makes them"
    )
