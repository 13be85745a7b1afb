"""What `ribsight score`, `compare` and `learning-curve` are asked, and what they read for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from ribsight.errors import RibsightError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ribsight.evaluation.inputs.truth_set import NamedTruth
    from ribsight.evaluation.score import Answers, Scoring

_PATH = click.Path(path_type=Path)
FORMAT = click.option(
    "--format", "form", type=click.Choice(["text", "md", "json", "csv"]), default="text",
    show_default=True, help="Of what is printed.",
)  # fmt: skip
PNG = click.option("--png", is_flag=True, help="Write the plots as PNG too.")
PREVALENCE = click.option(
    "--prevalence", type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="For predictive values. [default: that of the images]",
)  # fmt: skip
STRATA = click.option(
    "--strata", multiple=True, metavar="COLUMN[:CUT,CUT]",
    help="Part by this. [default: sizes and columns of few values]",
)  # fmt: skip
IMAGES = click.option(
    "--images", type=_PATH,
    help="CSV about images or patients: sizes, spacing, columns for strata.",
)  # fmt: skip
PROTOCOL = click.option(
    "--protocol", default="ribsight", show_default=True, metavar="PRESET|FILE.toml"
)


def scoring_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add what every scoring is asked; it reaches the command as `asked`."""
    return _with_options(
        command,
        click.option("--truth", type=_PATH, required=True,
                     help="COCO JSON, CSV, or the folder of a cohort."),
        click.option("--split", help="Of a cohort. [default: all of it]"),
        IMAGES,
        click.option("--readers", metavar="RULE|NAME",
                     help="Join several readers: any, majority, all; or take one by name."),
        click.option("--ignore", multiple=True, metavar="COLUMN=VALUE",
                     help="Regions that become ignore regions, like acuity=old."),
        click.option("--finding", multiple=True, metavar="TRUTH[=MARKS]",
                     help="Score only this, leave other marks aside; what the marks call it."),
        click.option("--further-images", type=click.Choice(["refuse", "ignore"]),
                     default="refuse", show_default=True,
                     help="Marks on images that the truth does not have."),
        PROTOCOL,
        click.option("--replicates", type=click.IntRange(min=100), default=2000,
                     show_default=True, help="Resamples of the bootstrap."),
        click.option("--seed", type=click.IntRange(min=0), default=0, help="Of the bootstrap."),
        click.option("--out", type=_PATH, required=True, help="Folder of the results."),
        FORMAT,
        PNG,
    )  # fmt: skip


def report_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add what a report is asked besides."""
    pictures = click.option("--pictures", type=_PATH, help="Folder of the images, for the gallery.")
    return _with_options(command, STRATA, PREVALENCE, pictures)


def _with_options(
    command: Callable[..., None],
    *options: Callable[[Callable[..., None]], Callable[..., None]],
) -> Callable[..., None]:
    for option in reversed(options):
        command = option(command)
    return command


def read_truth(asked: dict[str, Any]) -> NamedTruth:
    """Return the truth that was asked for. Raises RibsightError saying what is wrong."""
    from dataclasses import replace

    from ribsight.errors import nearest
    from ribsight.evaluation.inputs.truth_set import read_truth as read_files

    ignore = []
    for one in asked["ignore"]:
        column, equals, value = one.partition("=")
        if not equals:
            raise RibsightError(f"--ignore {one}: write it as COLUMN=VALUE")
        ignore.append((column, value))
    named = read_files(
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
    return replace(named, truth=replace(named.truth, truths=kept))


def read_answers(
    path: Path, truth: NamedTruth, asked: dict[str, Any], name: str | None = None
) -> Answers:
    """Return a detector's answers. Raises RibsightError saying what is wrong, with its row."""
    from ribsight.evaluation.inputs.marks import read_marks

    called = _called(asked)
    answers = read_marks(
        path,
        truth,
        name=name,
        further_images=asked["further_images"] == "ignore",
        called=called,
        further_findings=bool(asked["finding"]),
    )
    for finding in truth.truth.truths if asked["finding"] and answers.names else ():
        own = [name for name, of_truth in called.items() if of_truth == finding]
        if not {finding, *own} & set(answers.names):
            _refuse_name(f"{path}: no mark is of", own[0] if own else finding, answers.names)
    return answers


def require_names(answers: Iterable[Answers], asked: dict[str, Any]) -> None:
    """Refuse a `--finding TRUTH=MARKS` that no file of marks uses.

    Raises:
        RibsightError: with the names that the files use.
    """
    used = [one.names for one in answers]
    names = tuple(dict.fromkeys(name for one in used for name in one))
    for own, finding in _called(asked).items():
        # A file that names no finding may be without any mark.
        if own not in names and all(used):
            _refuse_name(f"--finding {finding}={own}: no mark is of", own, names)


def _called(asked: dict[str, Any]) -> dict[str, str]:
    pairs = [one.partition("=") for one in asked["finding"]]
    return {own: finding for finding, _, own in pairs if own}


def _refuse_name(what: str, name: str, names: Sequence[str]) -> NoReturn:
    from ribsight.errors import nearest

    raise RibsightError(
        f"{what} '{name}'{nearest(name, names)}; there are {', '.join(names)} "
        "(--finding TRUTH=MARKS joins two names)"
    )


def read_scoring(asked: dict[str, Any]) -> Scoring:
    """Return how to score. Raises RibsightError for a protocol or column that is none."""
    from ribsight.evaluation.presets import read_protocol
    from ribsight.evaluation.score import Scoring
    from ribsight.evaluation.strata import parse_column

    strata = tuple(parse_column(one) for one in asked.get("strata", ()))
    return Scoring(
        protocol=read_protocol(asked["protocol"]),
        replicates=asked["replicates"],
        seed=asked["seed"],
        prevalence=asked.get("prevalence"),
        strata=strata or None,
    )
