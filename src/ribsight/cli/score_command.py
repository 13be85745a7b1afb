"""`ribsight score` and `ribsight compare`: marks of any detector against a truth."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ribsight.cli.score_inputs import (
    read_answers,
    read_scoring,
    read_truth,
    report_options,
    require_names,
    scoring_options,
)
from ribsight.cli.score_output import gallery_from, said, write_outputs
from ribsight.errors import RibsightError

if TYPE_CHECKING:
    from collections.abc import Sequence


_PATH = click.Path(path_type=Path)


@click.command()
@click.option("--marks", type=_PATH, required=True, help="predictions.json, COCO results or CSV.")
@click.option(
    "--choose",
    multiple=True,
    metavar="AIM",
    help="Choose an operating point here: 'sensitivity 0.95', '0.2 false positives per "
    "image', 'youden', ...",
)
@click.option(
    "--operating-points", type=_PATH, metavar="FILE", help="Apply operating points chosen before."
)
@report_options
@scoring_options
def score(
    marks: Path, choose: tuple[str, ...], operating_points: Path | None, **asked: Any
) -> None:  # fmt: skip
    """Score marks: evaluation.json, report.html, figures.csv, matches.parquet, plots.

    docs/evaluation.md says what every figure and protocol means.
    """
    from ribsight.evaluation.documents import write_evaluation
    from ribsight.evaluation.match_file import write_matches
    from ribsight.evaluation.operating_points import FILE, parse_aim, read_points, write_points
    from ribsight.evaluation.operating_points import choose as choose_points
    from ribsight.evaluation.score import score as score_answers

    aims = [parse_aim(one) for one in choose]
    if aims and asked["split"] == "test":
        raise RibsightError("operating points are chosen on val and then frozen, not on test")
    truth, scoring = read_truth(asked), read_scoring(asked)
    answers = read_answers(marks, truth, asked)
    require_names([answers], asked)
    if operating_points is not None:
        points = read_points(operating_points, answers.sha256, scoring.protocol)
        scoring = replace(scoring, points=points)
    scored = score_answers(truth.truth, answers, scoring)
    out: Path = asked["out"]
    if aims:
        chosen = choose_points(aims, scored)
        write_points(chosen, scored, out / FILE)
        scored = score_answers(
            truth.truth, answers, replace(scoring, points=(*scoring.points, *chosen))
        )
    write_matches(scored.measured.values(), out / "matches.parquet")
    write_evaluation(scored.evaluation, out / "evaluation.json")
    gallery = gallery_from(scored, asked["pictures"])
    write_outputs(scored, [], out, gallery, png=asked["png"])
    click.echo(said(scored, [], asked["form"]))
    click.echo(f"report -> {out / 'report.html'}", err=asked["form"] != "text")


@click.command()
@click.option(
    "--marks",
    multiple=True,
    required=True,
    metavar="[NAME=]FILE",
    help="Twice or more; the first is compared with each other. Files of one NAME are "
    "trainings of one method.",
)
@click.option(
    "--permutations",
    type=click.IntRange(min=0),
    default=1000,
    show_default=True,
    help="Of patients, for p values.",
)
@report_options
@scoring_options
def compare(marks: tuple[str, ...], permutations: int, **asked: Any) -> None:  # fmt: skip
    """Compare detectors on the same images and resamples: comparison.json, report.html, CSV.

    Differences are of each further detector minus the first.
    """
    from ribsight.evaluation.documents import comparison_document
    from ribsight.evaluation.score import adjust, compare_scored
    from ribsight.evaluation.score import score as score_answers
    from ribsight.evaluation.trainings import summarize, trained_csv
    from ribsight.files import write_text

    truth, scoring = read_truth(asked), read_scoring(asked)
    methods = _methods(marks)
    if len(methods) < 2:
        raise RibsightError("give --marks of two detectors or more; trainings of one share a NAME")
    answers = {
        name: [read_answers(path, truth, asked, name) for path in paths]
        for name, paths in methods.items()
    }
    require_names([one for own in answers.values() for one in own], asked)
    runs = {
        name: [score_answers(truth.truth, one, scoring) for one in own]
        for name, own in answers.items()
    }
    base, *others = (own[0] for own in runs.values())
    comparisons = adjust(
        [
            compare_scored(base, other, permutations=permutations, seed=scoring.seed)
            for other in others
        ]
    )
    out: Path = asked["out"]
    documents = [comparison_document(one) for one in comparisons]
    write_text(out / "comparison.json", json.dumps(documents, indent=1, allow_nan=False) + "\n")
    write_outputs(base, comparisons, out, gallery_from(base, asked["pictures"]), png=asked["png"])
    trainings = summarize(runs) if any(len(own) > 1 for own in runs.values()) else []
    if trainings:
        write_text(out / "trainings.csv", trained_csv(trainings))
    click.echo(said(base, comparisons, asked["form"], trainings))
    click.echo(f"report -> {out / 'report.html'}", err=asked["form"] != "text")


def _methods(marks: Sequence[str]) -> dict[str, list[Path]]:
    """Return the files of each name; a file without a name is called by its own."""
    methods: dict[str, list[Path]] = {}
    for one in marks:
        name, equals, path = one.partition("=")
        file = Path(path if equals else one)
        own = name if equals else (file.stem if file.stem != "predictions" else file.parent.name)
        if not equals and own in methods:
            own = str(file)
        methods.setdefault(own, []).append(file)
    return methods
