"""`ribsight evaluate`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ribsight.cli.score_inputs import FORMAT, IMAGES, PNG, PREVALENCE, PROTOCOL, STRATA
from ribsight.cli.score_output import said, write_outputs
from ribsight.errors import RibsightError
from ribsight.findings import Split

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from ribsight.cohort.tables import Cohort
    from ribsight.evaluation.predictions import Predictions
    from ribsight.evaluation.results import (
        Comparison,
        Evaluation,
        Figure,
        FindingResult,
        OperatingPoint,
    )

_PATH = click.Path(path_type=Path)
_PERMUTATIONS = 1000


@click.command()
@click.argument("run", type=_PATH)
@click.option("--cohort", "cohort_folder", type=_PATH, required=True)
@click.option("--split", type=click.Choice([str(one) for one in Split]), required=True)
@click.option("--against", type=_PATH, metavar="RUN", help="Compare with this run, paired.")
@click.option("--out", type=_PATH, help="Folder of the results. [default: RUN]")
@PROTOCOL
@click.option(
    "--choose",
    multiple=True,
    metavar="AIM",
    help="On val: choose an operating point ('sensitivity 0.95', '0.2 false positives per image', "
    "'youden', ...) and keep it with the model of RUN.",
)
@PREVALENCE
@STRATA
@IMAGES
@click.option("--replicates", type=click.IntRange(min=100), default=2000, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Of the bootstrap.")
@click.option("--accelerator", type=click.Choice(["cpu", "cuda", "mps"]), default="cpu")
@click.option("--processes", type=click.IntRange(min=1), default=1, help="That decode images.")
@click.option("--cache", type=_PATH, help="Folder of network images. [default: COHORT/cache]")
@FORMAT
@PNG
@click.option("--quiet", is_flag=True, help="No progress bar.")
def evaluate(
    run: Path,
    cohort_folder: Path,
    split: str,
    against: Path | None,
    out: Path | None,
    protocol: str,
    choose: tuple[str, ...],
    prevalence: float | None,
    strata: tuple[str, ...],
    images: Path | None,
    replicates: int,
    seed: int,
    accelerator: str,
    processes: int,
    cache: Path | None,
    form: str,
    *,
    png: bool,
    quiet: bool,
) -> None:
    """Measure the model of RUN on one split, with a report.

    Writes evaluation.json, predictions.json, figures.csv, matches.parquet, report.html and plots.

    With --against, differences are RUN - OTHER on the same resamples, in comparison.json.
    Operating points that were chosen on val are applied as they are.
    """
    from ribsight.cohort.check import require_sound
    from ribsight.cohort.tables import load_cohort
    from ribsight.detector.memory import keep_freed_memory
    from ribsight.detector.model_file import find_model
    from ribsight.distillation.run_folder import read_metrics
    from ribsight.evaluation.documents import comparison_document, write_evaluation
    from ribsight.evaluation.evaluate import score_on_cohort
    from ribsight.evaluation.gallery import finding_gallery
    from ribsight.evaluation.inputs.truth_csv import read_image_csv
    from ribsight.evaluation.match_file import write_matches
    from ribsight.evaluation.operating_points import (
        FILE,
        parse_aim,
        points_beside,
        read_points,
        write_points,
    )
    from ribsight.evaluation.operating_points import choose as choose_points
    from ribsight.evaluation.predictions_file import write_predictions
    from ribsight.evaluation.presets import read_protocol
    from ribsight.evaluation.score import Scoring, compare_scored
    from ribsight.evaluation.strata import parse_column
    from ribsight.files import write_text

    keep_freed_memory()
    aims = [parse_aim(one) for one in choose]
    if aims and split != Split.VAL:
        raise RibsightError(f"operating points are chosen on val and then frozen, not on {split}")
    rules = read_protocol(protocol)
    columns = tuple(parse_column(one) for one in strata) or None
    cohort = load_cohort(cohort_folder)
    require_sound(cohort)
    folder = out or run
    predicted = [
        _predictions(one, cohort, split, cache or cohort_folder / "cache", accelerator, processes,
                     quiet=quiet)
        for one in (run, against) if one is not None
    ]  # fmt: skip
    further = None if images is None else read_image_csv(images)
    scoring = Scoring(rules, replicates, seed, (), prevalence, columns)
    kept = find_model(run) / FILE
    if aims:
        plain = score_on_cohort(predicted[0], cohort, split, replace(scoring, strata=()))
        chosen = choose_points(aims, plain)
        write_points([*points_beside(kept, plain, levels=True), *chosen], plain, kept)
    if kept.is_file():
        scoring = replace(scoring, points=read_points(kept, predicted[0].model_sha256, rules))
    scored = score_on_cohort(predicted[0], cohort, split, scoring, further)
    result = scored.evaluation
    comparison: Comparison | None = None
    if against is not None:
        other = score_on_cohort(predicted[1], cohort, split, replace(scoring, points=(), strata=()))
        comparison = compare_scored(other, scored, permutations=_PERMUTATIONS, seed=seed)
        write_text(
            folder / "comparison.json", json.dumps(comparison_document(comparison), indent=1) + "\n"
        )
    read = _reader(cohort)
    gallery = [
        picture
        for one in scored.measured.values()
        for picture in finding_gallery(one.truth, one.reading, one.table, read)
    ]
    write_predictions(predicted[0], folder / "predictions.json")
    write_matches(scored.measured.values(), folder / "matches.parquet")
    comparisons = [] if comparison is None else [comparison]
    training = read_metrics(run / "metrics.jsonl")
    write_outputs(scored, comparisons, folder, gallery, png=png, training=training)
    write_evaluation(result, folder / "evaluation.json")
    if form == "text":
        _print_result(result, comparison)
    else:
        click.echo(said(scored, comparisons, form))
    click.echo(f"report -> {folder / 'report.html'}", err=form != "text")


def _predictions(
    run: Path,
    cohort: Cohort,
    split: str,
    cache_folder: Path,
    accelerator: str,
    processes: int,
    *,
    quiet: bool,
) -> Predictions:
    from ribsight.cohort.cache import fill_cache
    from ribsight.detector.detect import Detector
    from ribsight.detector.model_file import find_model

    detector = Detector.load(find_model(run), accelerator)
    part = cohort.select(split)
    cache = fill_cache(
        part, detector.preprocessing, cache_folder, processes=processes, progress=not quiet
    )
    return detector.predict_cohort(part, cache, progress=not quiet)


def _reader(cohort: Cohort) -> Callable[[str], NDArray[np.uint8]]:
    from ribsight.radiographs.preprocess import eight_bit
    from ribsight.radiographs.read import read_radiograph

    files: dict[str, str] = dict(cohort.radiographs.select("radiograph", "file").rows())
    return lambda radiograph: eight_bit(read_radiograph(cohort.images / files[radiograph]))


def _print_result(result: Evaluation, comparison: Comparison | None) -> None:
    click.echo(f"{result.model} on split '{result.split}'")
    for one in result.findings:
        counts = one.counts
        click.echo(
            f"  {one.finding}: {counts.images} images, {counts.positive} positive, "
            f"{counts.lesions} regions, {counts.groups} groups"
        )
        click.echo(f"    AUROC       {_interval(one.auroc)}")
        click.echo(f"    FROC score  {_interval(one.froc_score)}")
        for point in one.operating_points:
            _print_point(point, one)
    click.echo(f"  FROC protocol: {result.protocol.describe()}")
    if comparison is None:
        return
    click.echo(f"{comparison.b.model} - {comparison.a.model}, paired")
    for difference in comparison.differences:
        click.echo(f"  {difference.finding}")
        click.echo(f"    AUROC       {_interval(difference.auroc, sign='+')}")
        click.echo(f"    FROC score  {_interval(difference.froc_score, sign='+')}")


def _print_point(point: OperatingPoint, result: FindingResult) -> None:
    level = f"{point.level}: " if point.level else ""
    click.echo(f"    {level}at {point.threshold:.4g}, chosen on {point.chosen_on} for {point.aim}:")
    for key in ("sensitivity", "specificity", "lesion_recall", "false_positives_per_image"):
        figure = result.find(f"{point.aim}/{key}")
        if figure is not None:
            words = key.replace("lesion_recall", "regions hit").replace("_", " ")
            click.echo(f"      {words:26}{_interval(figure)}")


def _interval(figure: Figure, sign: str = "") -> str:
    if figure.value is None:
        return f"not defined: {figure.note}"
    if figure.low is None or figure.high is None:
        return f"{figure.value:{sign}.3f} (no interval: {figure.note})"
    low, high = (f"{value:{sign}.3f}" for value in (figure.low, figure.high))
    return f"{figure.value:{sign}.3f} (95 % interval {low} to {high})"
