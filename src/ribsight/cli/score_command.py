"""`ribsight score` and `ribsight compare`: marks of any detector against a truth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ribsight.cli.score_output import said, write_outputs
from ribsight.errors import RibsightError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ribsight.evaluation.inputs.truth_set import NamedTruth
    from ribsight.evaluation.score import Answers, Scored, Scoring

_PATH = click.Path(path_type=Path)
_FORMATS = click.Choice(["text", "md", "json", "csv"])


def _inputs(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that both commands have; they reach the command as `asked`."""
    for option in reversed(
        (
            click.option("--truth", type=_PATH, required=True,
                         help="COCO JSON, CSV, or the folder of a cohort."),
            click.option("--split", help="Of a cohort. [default: all of it]"),
            click.option("--images", type=_PATH,
                         help="CSV about images: patient, size, spacing, columns for strata."),
            click.option("--readers", metavar="RULE|NAME",
                         help="Join several readers: any, majority, all; or take one by name."),
            click.option("--ignore", multiple=True, metavar="COLUMN=VALUE",
                         help="Regions that become ignore regions, like acuity=old."),
            click.option("--finding", multiple=True, metavar="TRUTH[=MARKS]",
                         help="Score only this; and what the marks call it."),
            click.option("--further-images", type=click.Choice(["refuse", "ignore"]),
                         default="refuse", show_default=True,
                         help="Marks on images that the truth does not have."),
            click.option("--protocol", default="ribsight", show_default=True,
                         metavar="PRESET|FILE.toml"),
            click.option("--strata", multiple=True, metavar="COLUMN[:CUT,CUT]",
                         help="Part by this. [default: sizes and columns of few values]"),
            click.option("--prevalence", type=click.FloatRange(0, 1, min_open=True, max_open=True),
                         help="For predictive values. [default: that of the images]"),
            click.option("--pictures", type=_PATH,
                         help="Folder of the images, for the gallery."),
            click.option("--replicates", type=click.IntRange(min=100), default=2000,
                         show_default=True),
            click.option("--seed", type=click.IntRange(min=0), default=0,
                         help="Of the bootstrap."),
            click.option("--out", type=_PATH, required=True, help="Folder of the results."),
            click.option("--format", "form", type=_FORMATS, default="text", show_default=True,
                         help="Of what is printed."),
            click.option("--png", is_flag=True, help="Write the plots as PNG too."),
        )
    ):  # fmt: skip
        command = option(command)
    return command


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
@_inputs
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
    truth, scoring = _truth(asked), _scoring(asked)
    answers = _answers(marks, truth, asked)
    if operating_points is not None:
        points = read_points(operating_points, answers.sha256, scoring.protocol)
        scoring = _with(scoring, points=points)
    scored = score_answers(truth.truth, answers, scoring)
    out: Path = asked["out"]
    if aims:
        chosen = choose_points(aims, scored)
        write_points(chosen, scored, out / FILE)
        scored = score_answers(
            truth.truth, answers, _with(scoring, points=(*scoring.points, *chosen))
        )
    write_matches(scored.measured.values(), out / "matches.parquet")
    write_evaluation(scored.evaluation, out / "evaluation.json")
    write_outputs(scored, [], asked)
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
@_inputs
def compare(marks: tuple[str, ...], permutations: int, **asked: Any) -> None:  # fmt: skip
    """Compare detectors on the same images and resamples: comparison.json, report.html, CSV.

    Differences are of each further detector minus the first.
    """
    from ribsight.evaluation.documents import comparison_document
    from ribsight.evaluation.score import adjust, compare_scored
    from ribsight.evaluation.score import score as score_answers
    from ribsight.files import write_text

    truth, scoring = _truth(asked), _scoring(asked)
    methods = _methods(marks)
    if len(methods) < 2:
        raise RibsightError("give --marks of two detectors or more; trainings of one share a NAME")
    runs = {
        name: [
            score_answers(truth.truth, _answers(path, truth, asked, name), scoring)
            for path in paths
        ]
        for name, paths in methods.items()
    }
    (first, base), *others = ((name, own[0]) for name, own in runs.items())
    comparisons = adjust(
        [
            compare_scored(base, other, permutations=permutations, seed=scoring.seed)
            for _, other in others
        ]
    )
    out: Path = asked["out"]
    documents = [comparison_document(one) for one in comparisons]
    write_text(out / "comparison.json", json.dumps(documents, indent=1, allow_nan=False) + "\n")
    write_outputs(base, comparisons, asked)
    click.echo(said(base, comparisons, asked["form"]))
    if any(len(own) > 1 for own in runs.values()):
        _echo_trainings(runs, first)
    click.echo(f"report -> {out / 'report.html'}", err=asked["form"] != "text")


def _echo_trainings(runs: dict[str, list[Scored]], first: str) -> None:
    from ribsight.evaluation.seeds import across_seeds
    from ribsight.evaluation.tables import in_words

    click.echo("trainings: means with intervals over trainings and patients")
    for finding in runs[first][0].measured:
        for key in ("auroc", "froc_score", "wafroc"):
            for name, own in runs.items():
                summary = across_seeds([one.measured[finding] for one in own], key)
                spread = "" if summary.deviation is None else f", SD {summary.deviation:.3f}"
                click.echo(
                    f"  {finding} {key:10} {name}: {in_words(summary.mean)} of "
                    f"{len(summary.seeds)} trainings{spread}"
                )


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


def _truth(asked: dict[str, Any]) -> NamedTruth:
    from dataclasses import replace

    from ribsight.errors import nearest
    from ribsight.evaluation.inputs.truth_set import read_truth

    ignore = []
    for one in asked["ignore"]:
        column, equals, value = one.partition("=")
        if not equals:
            raise RibsightError(f"--ignore {one}: write it as COLUMN=VALUE")
        ignore.append((column, value))
    named = read_truth(
        asked["truth"],
        images=asked["images"],
        split=asked["split"],
        readers=asked["readers"],
        ignore=ignore,
    )
    chosen = [one.partition("=")[0] for one in asked["finding"]]
    known = named.truth.truths
    for one in chosen:
        if one not in known:
            raise RibsightError(
                f"--finding: the truth has no finding '{one}'{nearest(one, known)}; it has "
                f"{', '.join(known)}"
            )
    if not chosen:
        return named
    kept = {name: truth for name, truth in known.items() if name in chosen}
    categories = {id_: name for id_, name in named.categories.items() if name in chosen}
    return replace(named, truth=replace(named.truth, truths=kept), categories=categories)


def _answers(
    path: Path, truth: NamedTruth, asked: dict[str, Any], name: str | None = None
) -> Answers:
    from ribsight.evaluation.inputs.marks import read_marks

    called = {
        own: one.partition("=")[0] for one in asked["finding"] if (own := one.partition("=")[2])
    }
    return read_marks(
        path,
        truth,
        name=name,
        further_images=asked["further_images"] == "ignore",
        called=called,
    )


def _scoring(asked: dict[str, Any]) -> Scoring:
    from ribsight.evaluation.presets import read_protocol
    from ribsight.evaluation.score import Scoring
    from ribsight.evaluation.strata import parse_column

    strata = tuple(parse_column(one) for one in asked["strata"])
    return Scoring(
        protocol=read_protocol(asked["protocol"]),
        replicates=asked["replicates"],
        seed=asked["seed"],
        prevalence=asked["prevalence"],
        strata=strata or None,
    )


def _with(scoring: Scoring, **changes: Any) -> Scoring:
    from dataclasses import replace

    return replace(scoring, **changes)
