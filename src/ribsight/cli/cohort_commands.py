"""`ribsight cohort`: the group, and its shorter commands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ribsight.cli.cohort_build_command import build
from ribsight.cli.tables import counted, print_table
from ribsight.errors import RibsightError

if TYPE_CHECKING:
    from ribsight.cohort.tables import Cohort

_FOLDER = click.Path(path_type=Path)


@click.group()
def cohort() -> None:
    """Join images, diagnoses and regions; split; check."""


cohort.add_command(build)


@cohort.command()
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
@click.option("--reveal", "count", type=int, metavar="N", help="Regions of N positives to train.")
@click.option("--reveal-seed", type=click.IntRange(min=0), default=0, show_default=True)
def split(
    folder: Path,
    fractions: str,
    seed: int,
    group: str | None,
    given: Path | None,
    count: int | None,
    reveal_seed: int,
) -> None:
    """Allot groups to train, val and test, stratified by finding."""
    from ribsight.cohort.readings import apply_split
    from ribsight.cohort.split import reveal, split_cohort
    from ribsight.cohort.tables import load_cohort, save_cohort

    if given is not None and group is not None:
        raise click.UsageError("--given says who belongs where: leave out --group")
    shares = _fractions(fractions)
    built = load_cohort(folder)
    allotted = (
        split_cohort(built, shares, seed, group) if given is None else apply_split(built, given)
    )
    revealed = reveal(allotted, count, reveal_seed)
    save_cohort(revealed, folder)
    print_table(_split_rows(revealed))


@cohort.command()
@click.argument("folder", metavar="COHORT", type=_FOLDER)
@click.argument("table", metavar="READINGS", type=_FOLDER)
@click.option("--image-column", default="image_id", show_default=True)
def readings(folder: Path, table: Path, image_column: str) -> None:
    """Let an expert's READINGS replace what the records say.

    READINGS is a CSV, one row an image, with a column named like each finding it reads: 1, 0, -1
    (uncertain) or blank (unknown). Held-out images deserve one: records are not the truth.
    """
    from ribsight.cohort.readings import apply_readings
    from ribsight.cohort.tables import load_cohort, save_cohort
    from ribsight.records import ColumnMapping, read_diagnosis_table

    built = load_cohort(folder)
    mapping = ColumnMapping(image_column, {name: name for name in built.findings})
    changed, unknown = apply_readings(built, read_diagnosis_table(table, mapping))
    save_cohort(changed, folder)
    passed = f"; {counted(unknown, 'row')} about other images" if unknown else ""
    click.echo(f"{table.name} -> {folder}{passed}")


@cohort.command()
@click.argument("folder", metavar="COHORT", type=_FOLDER)
@click.option("--files", is_flag=True, help="Also compare every image file with its SHA-256.")
@click.pass_context
def check(ctx: click.Context, folder: Path, *, files: bool) -> None:
    """Say what is wrong, where, and what to do; exit with 2 if training would refuse it."""
    from ribsight.cohort.check import check_cohort
    from ribsight.cohort.tables import load_cohort

    checked = load_cohort(folder)
    problems = check_cohort(checked, files=files)
    for problem in problems:
        click.echo(str(problem))
    errors = sum(one.severity == "error" for one in problems)
    click.echo(
        f"{len(checked.ids)} radiographs: {counted(errors, 'error')}, "
        f"{counted(len(problems) - errors, 'warning')}"
    )
    if errors:
        ctx.exit(2)


def _fractions(text: str) -> tuple[float, float, float]:
    try:
        train, val, test = (float(one) for one in text.split(","))
    except ValueError:
        raise RibsightError(f"--fractions {text} is not three numbers like 0.6,0.15,0.25") from None
    return train, val, test


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
