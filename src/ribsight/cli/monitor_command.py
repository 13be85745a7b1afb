"""`ribsight monitor`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ribsight.deployment.monitor import Monitored

_PATH = click.Path(path_type=Path)
_DRIFTED = 3


@click.command()
@click.argument("predictions", metavar="PREDICTIONS.json...", nargs=-1, required=True, type=_PATH)
@click.option(
    "--reference", required=True, type=_PATH, metavar="RUN_OR_MODEL",
    help="A calibrated model; or predictions of a time that was found to be good.",
)  # fmt: skip
@click.option("--out", type=_PATH, metavar="FOLDER", help="Write monitor.json and monitor.html.")
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Of the permutations.")
@click.option("--exit-status", is_flag=True, help="End with status 3 if anything drifted.")
@click.pass_context
def monitor(
    context: click.Context,
    predictions: tuple[Path, ...],
    reference: Path,
    out: Path | None,
    seed: int,
    *,
    exit_status: bool,
) -> None:
    """Say whether scores, marks or input images have drifted, without knowing the truth."""
    from ribsight.deployment.monitor import load_reference, monitor_document
    from ribsight.deployment.monitor import monitor as watched
    from ribsight.deployment.watches import Verdict
    from ribsight.evaluation.predictions_file import read_predictions
    from ribsight.files import write_text

    held, called = load_reference(reference)
    found = watched(held, called, [read_predictions(one) for one in predictions], seed=seed)
    _say(found)
    if out is not None:
        from ribsight.deployment.monitor_report import write_monitor_report

        document = json.dumps(monitor_document(found), indent=1, allow_nan=False)
        write_text(out / "monitor.json", document + "\n")
        write_monitor_report(found, out / "monitor.html")
        click.echo(f"report -> {out / 'monitor.html'}")
    if exit_status and found.verdict is Verdict.DRIFT:
        context.exit(_DRIFTED)


def _say(found: Monitored) -> None:
    click.echo(
        f"{found.model}: {found.new_images} new images against {found.reference_images} of "
        f"{found.reference}"
    )
    width = max((len(one.label) for one in found.watches), default=0)
    for one in found.watches:
        p = "" if one.change is None else f"  p {one.change.p_adjusted:.4f}"
        index = "" if one.change is None else f"  index {one.change.psi:.3f}"
        click.echo(f"  {one.label:{width}}  {one.verdict:14}{p}{index}")
        click.echo(f"  {'':{width}}  {one.reference} -> {one.new}")
    if found.same:
        click.echo(f"  the same in all images: {'; '.join(found.same)}")
    for reason, count in found.reasons:
        click.echo(f"  no prediction for {count}: {reason}")
    for note in found.notes:
        click.echo(f"  {note}")
    click.echo(f"verdict: {found.verdict}")
