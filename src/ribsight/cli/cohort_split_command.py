"""`ribsight cohort split`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ribsight.cli.tables import counted, print_table
from ribsight.errors import RibsightError

if TYPE_CHECKING:
    from ribsight.cohort.tables import Cohort

_FOLDER = click.Path(path_type=Path)


@click.command()
@click.argument("folder", metavar="COHORT", type=_FOLDER)
@click.option(
    "--fractions", default="0.6,0.15,0.25", show_default=True, help="Of train, val and test."
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--group",
    metavar="COLUMN|blocks:N",
    help="What stays together. [default: what `cohort build` decided]",
)
@click.option(
    "--given", type=_FOLDER, metavar="CSV",
    help="Allot patients as its columns patient_id and split say, instead.",
)  # fmt: skip
@click.option(
    "--by-time",
    metavar="DATE[,DATE]|shares",
    help="Test begins on DATE, or val on the first and test on the second; or by --fractions.",
)
@click.option(
    "--patient-by",
    type=click.Choice(["last", "first"]),
    default="last",
    show_default=True,
    help="The study whose date decides for a patient with several.",
)
@click.option(
    "--gap",
    type=click.IntRange(min=0),
    default=0,
    metavar="DAYS",
    help="Patients of so many days before a date are in no split.",
)
@click.option(
    "--hold-out-site",
    "site",
    metavar="COLUMN=VALUE",
    help="Test is this site, like institution=General.",
)
@click.option(
    "--fold",
    metavar="K/N",
    help="Part K of N is test, the next one val, the others train: a cross-validation, K = 1 to N.",
)
@click.option("--reveal", "count", type=int, metavar="N", help="Regions of N positives to train.")
@click.option("--reveal-seed", type=click.IntRange(min=0), default=0, show_default=True)
def split(
    folder: Path,
    fractions: str,
    seed: int,
    group: str | None,
    given: Path | None,
    by_time: str | None,
    patient_by: str,
    gap: int,
    site: str | None,
    fold: str | None,
    count: int | None,
    reveal_seed: int,
) -> None:
    """Allot groups to train, val and test: stratified, by time, by site, or as a fold."""
    from ribsight.cohort.folds import fold_cohort
    from ribsight.cohort.held_out import (
        PatientBy,
        TimeRule,
        parse_dates,
        parse_site,
        split_held_out,
    )
    from ribsight.cohort.readings import apply_split
    from ribsight.cohort.split import reveal, split_cohort
    from ribsight.cohort.tables import load_cohort, save_cohort

    if given is not None and group is not None:
        raise click.UsageError("--given says who belongs where: leave out --group")
    if given is not None and (by_time or site):
        raise click.UsageError("--given says who belongs where: leave out --by-time and the site")
    if fold is not None and (given is not None or by_time or site):
        raise click.UsageError("--fold deals patients out: leave out other ways to split")
    if by_time is None and (gap or patient_by != "last"):
        raise click.UsageError("--gap and --patient-by belong to --by-time")
    shares = _fractions(fractions)
    built = load_cohort(folder)
    if given is not None:
        allotted = apply_split(built, given)
    elif fold is not None:
        number, parts = _fold(fold)
        allotted = fold_cohort(built, parts, number - 1, seed, group)
    elif by_time or site:
        time = TimeRule(parse_dates(by_time), PatientBy(patient_by), gap) if by_time else None
        where = parse_site(site) if site else None
        allotted = split_held_out(built, shares, seed, group, time=time, site=where)
    else:
        allotted = split_cohort(built, shares, seed, group)
    revealed = reveal(allotted, count, reveal_seed)
    save_cohort(revealed, folder)
    print_table(_split_rows(revealed))
    nowhere = revealed.radiographs["split"].null_count()
    if nowhere:
        click.echo(f"{counted(nowhere, 'radiograph')} in no split", err=True)


def _fractions(text: str) -> tuple[float, float, float]:
    try:
        train, val, test = (float(one) for one in text.split(","))
    except ValueError:
        raise RibsightError(f"--fractions {text} is not three numbers like 0.6,0.15,0.25") from None
    return train, val, test


def _fold(text: str) -> tuple[int, int]:
    try:
        number, parts = (int(one) for one in text.split("/"))
    except ValueError:
        raise RibsightError(f"--fold {text} is not like 1/5, the first of five") from None
    return number, parts


def _split_rows(cohort: Cohort) -> list[tuple[str | int, ...]]:
    from ribsight.findings import DiagnosisState, Split

    header = ["split", "images", "groups"]
    for finding in cohort.findings:
        header += [finding, "with regions", "revealed"]
    rows: list[tuple[str | int, ...]] = [tuple(header)]
    for name in Split:
        if name not in cohort.radiographs["split"]:
            continue
        part = cohort.select(name)
        row: list[str | int] = [name, len(part.ids), part.radiographs["group"].n_unique()]
        drawn, revealed = part.drawn(revealed_only=False), part.drawn(revealed_only=True)
        for index, finding in enumerate(cohort.findings):
            positive = part.states[:, index] == DiagnosisState.POSITIVE
            row.append(int(positive.sum()))
            row += [
                sum(
                    bool(is_positive) and any(one.finding == finding for one in regions)
                    for is_positive, regions in zip(positive, lists, strict=True)
                )
                for lists in (drawn, revealed)
            ]
        rows.append(tuple(row))
    return rows
