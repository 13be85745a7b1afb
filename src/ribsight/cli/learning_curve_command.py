"""`ribsight learning-curve`: how good against how many drawn regions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ribsight.cli.score_inputs import (
    read_answers,
    read_scoring,
    read_truth,
    require_names,
    scoring_options,
)
from ribsight.errors import RibsightError

if TYPE_CHECKING:
    from ribsight.evaluation.trainings import Trained

_PATH = click.Path(path_type=Path)


@click.command(name="learning-curve")
@click.argument("table", type=_PATH)
@click.option(
    "--figure",
    multiple=True,
    metavar="KEY",
    help="Like lesion_ap or sensitivity_at_0.2. [default: froc_score, auroc, wafroc]",
)
@scoring_options
def learning_curve(table: Path, figure: tuple[str, ...], **asked: Any) -> None:
    """Draw figures against the number of drawn regions, for several methods and trainings.

    TABLE is a CSV with the columns method, regions and marks: a row a training, marks relative to
    the table. Rows of one method and number are trainings of it with other seeds. Intervals are
    over trainings and patients; differences are to the first method. Writes learning_curve.csv
    and plots.
    """
    from dataclasses import replace

    from ribsight.evaluation.inputs.runs_csv import read_runs
    from ribsight.evaluation.plots import learning_plot
    from ribsight.evaluation.score import score as score_answers
    from ribsight.evaluation.trainings import MAIN, summarize, trained_csv
    from ribsight.files import write_bytes, write_text

    runs = read_runs(table)
    truth, scoring = read_truth(asked), replace(read_scoring(asked), strata=())
    answers = [read_answers(one.marks, truth, asked, one.method) for one in runs]
    require_names(answers, asked)
    rows: list[Trained] = []
    methods = dict.fromkeys(one.method for one in runs)
    for regions in sorted({one.regions for one in runs}):
        scored = {
            method: [
                score_answers(truth.truth, said, scoring)
                for one, said in zip(runs, answers, strict=True)
                if (one.method, one.regions) == (method, regions)
            ]
            for method in methods
        }
        present = {method: own for method, own in scored.items() if own}
        rows += summarize(present, figure or MAIN, regions=regions, against=next(iter(methods)))
    if not rows:
        raise RibsightError("none of the figures is defined on this truth: nothing to draw")
    out: Path = asked["out"]
    write_text(out / "learning_curve.csv", trained_csv(rows))
    for finding, key in dict.fromkeys((one.finding, one.summary.key) for one in rows):
        own = [one for one in rows if (one.finding, one.summary.key) == (finding, key)]
        plot = learning_plot(own)
        write_bytes(out / "plots" / f"{plot.name}.svg", plot.svg_file())
        if asked["png"]:
            write_bytes(out / "plots" / f"{plot.name}.png", plot.png_file())
    click.echo(_said(rows, asked["form"]))
    click.echo(f"curves -> {out}", err=asked["form"] != "text")


def _said(rows: list[Trained], form: str) -> str:
    from ribsight.evaluation import trainings

    if form == "json":
        return json.dumps(trainings.trained_document(rows), indent=1, allow_nan=False)
    if form == "csv":
        return trainings.trained_csv(rows).rstrip("\n")
    if form == "md":
        return trainings.trained_markdown(rows)
    lines = ["means with 95 % intervals over trainings and patients"]
    return "\n".join([*lines, *trainings.trained_lines(rows)])
