"""`ribsight calibrate`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ribsight.cli.at_work_options import at_work_options, load_at_work, working_of, working_options
from ribsight.cli.score_inputs import PROTOCOL

if TYPE_CHECKING:
    from ribsight.deployment.calibrate import Calibrated
    from ribsight.deployment.calibration import FittedFinding
    from ribsight.evaluation.results import OperatingPoint
    from ribsight.evaluation.score_maps import Fitted

_PATH = click.Path(path_type=Path)
_SHOWN = {
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "lesion_recall": "regions hit",
    "false_positives_per_image": "false positives per image",
}


@click.command()
@click.argument("model", metavar="RUN_OR_MODEL", type=_PATH)
@click.option("--cohort", "cohort_folder", type=_PATH, required=True)
@click.option(
    "--doubtful", default="sensitivity 0.95", show_default=True, metavar="AIM",
    help="Of the threshold from which marks are shown as doubtful.",
)  # fmt: skip
@click.option(
    "--confident", default="specificity 0.95", show_default=True, metavar="AIM",
    help="Of the threshold from which they are shown as confident.",
)  # fmt: skip
@click.option(
    "--method", type=click.Choice(["auto", "isotonic", "platt"]), default="auto",
    show_default=True, help="Of the map from scores to probabilities.",
)  # fmt: skip
@click.option(
    "--prevalence", type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Share of images with a finding where the detector will work. [default: that of val]",
)  # fmt: skip
@click.option("--out", type=_PATH, metavar="FOLDER", help="Write there, not beside the model.")
@at_work_options
@PROTOCOL
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Of resamples and folds.")
@working_options
def calibrate(
    model: Path,
    cohort_folder: Path,
    doubtful: str,
    confident: str,
    method: str,
    prevalence: float | None,
    out: Path | None,
    ensemble: tuple[Path, ...],
    protocol: str,
    seed: int,
    accelerator: str,
    processes: int,
    threads: int | None,
    batch: int | None,
    *,
    tta: bool,
    quiet: bool,
) -> None:
    """Choose thresholds and fit probabilities on the cohort's validation split.

    Writes operating_points.json, calibration.json and reference.json (for `ribsight monitor`)
    beside the model. They hold for this very model.

    Several models (--ensemble) or the mirrored image (--tta) need --out FOLDER, which names them
    and is then what `ribsight predict` is given.
    """
    from ribsight.cohort.check import require_sound
    from ribsight.cohort.tables import load_cohort
    from ribsight.deployment.calibrate import (
        Wanted,
        predict_validation,
        require_folder,
        write_calibrated,
    )
    from ribsight.deployment.calibrate import calibrate as calibrated
    from ribsight.deployment.identity import require_same_findings
    from ribsight.evaluation.operating_points import parse_aim
    from ribsight.evaluation.presets import read_protocol
    from ribsight.radiographs.eligibility import Policy

    wanted = Wanted(
        doubtful=parse_aim(doubtful),
        confident=parse_aim(confident),
        method=method,  # type: ignore[arg-type] # click has checked it
        prevalence=prevalence,
        protocol=read_protocol(protocol),
        seed=seed,
    )
    at_work = load_at_work(model, ensemble, accelerator, threads, tta=tta, bare=True)
    folder = require_folder(at_work, model, out)
    cohort = load_cohort(cohort_folder)
    require_sound(cohort)
    require_same_findings(at_work.findings, cohort.findings)
    working = working_of(Policy(), processes, batch, accelerator, classify_views=False)
    predictions = predict_validation(at_work, cohort, working, progress=not quiet)
    found = calibrated(predictions, cohort, wanted)
    write_calibrated(found, at_work, prevalence, folder)
    _say(found)
    click.echo(f"operating points, calibration and reference -> {folder}")


def _say(found: Calibrated) -> None:
    evaluation = found.scored.evaluation
    click.echo(f"{evaluation.model} on split '{evaluation.split}'")
    for name, one in found.scored.measured.items():
        counts = one.result.counts
        click.echo(
            f"  {name}: {counts.images} images, {counts.positive} positive, "
            f"{counts.lesions} regions, {counts.groups} groups"
        )
        for point in found.points:
            if point.finding == name:
                _say_point(point)
        _say_fitted(found.fitted[name])
    for name, reason in found.left_out.items():
        click.echo(f"  {name}: no thresholds and no probabilities, {reason}")


def _say_point(point: OperatingPoint) -> None:
    click.echo(f"    {point.level} from score {point.threshold:.4g}, for {point.aim}:")
    for key, words in _SHOWN.items():
        value = point.achieved.get(key)
        if value is None:
            continue
        low, high = point.bounds.get(key, (None, None))
        around = "" if low is None else f" (95 % interval {low:.3f} to {high:.3f})"
        click.echo(f"      {words:26}{value:.3f}{around}")
    if point.level == "confident" and not point.achieved.get("sensitivity"):
        click.echo("      no image with the finding reaches it: ask for less of --confident")


def _say_fitted(fitted: FittedFinding) -> None:
    _say_map("of an image", fitted.image)
    if fitted.marks is None:
        click.echo(f"    no probability of a mark: {fitted.no_marks}")
    else:
        _say_map("of a mark", fitted.marks)


def _say_map(what: str, fitted: Fitted) -> None:
    method = type(fitted.map).__name__.lower()
    after = "not known" if math.isnan(fitted.brier) else f"{fitted.brier:.4f}"
    click.echo(
        f"    probability {what}: {method} ({fitted.why}); Brier score raw "
        f"{fitted.brier_raw:.4f}, cross-validated {after}, of the mere share "
        f"{fitted.brier_constant:.4f}"
    )
