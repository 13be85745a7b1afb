"""`ribsight cohort`: the group, and its shorter commands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ribsight.cli.cohort_build_command import build
from ribsight.cli.cohort_split_command import split
from ribsight.cli.tables import counted, print_table

if TYPE_CHECKING:
    from ribsight.cohort.tables import Cohort

_FOLDER = click.Path(path_type=Path)


@click.group()
def cohort() -> None:
    """Join images, diagnoses and regions; split; check."""


cohort.add_command(build)
cohort.add_command(split)


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


@cohort.command("near-duplicates")
@click.argument("folder", metavar="COHORT", type=_FOLDER)
@click.option("--processes", type=click.IntRange(min=1), default=1, show_default=True)
def near_duplicates(folder: Path, processes: int) -> None:
    """Look for copies of one film: turned, mirrored, inverted, saved again, cut or resized.

    They are kept with the cohort: `split` keeps them together, `check` says where they are.
    """
    from ribsight.cohort.near_duplicates import find_near_duplicates
    from ribsight.cohort.tables import load_cohort, save_cohort

    built = find_near_duplicates(load_cohort(folder), folder / "cache", processes=processes)
    save_cohort(built, folder)
    assert built.near_duplicates is not None
    if len(built.near_duplicates):
        print_table(_pair_rows(built))
    click.echo(f"{counted(len(built.near_duplicates), 'pair')} -> {folder}")


@cohort.command()
@click.argument("folder", metavar="COHORT", type=_FOLDER)
@click.option("--out", type=_FOLDER, help="The page. [default: COHORT/card.html]")
@click.option(
    "--images",
    "count",
    type=click.IntRange(min=0),
    default=8,
    show_default=True,
    help="How many radiographs are shown, with their regions.",
)
@click.option("--no-images", is_flag=True, help="Show none, nor any id: for sharing.")
@click.option(
    "--readings",
    type=_FOLDER,
    metavar="CSV",
    help="An expert's, for how far the records agree; else those applied before.",
)
@click.option("--audit", type=_FOLDER, metavar="TOML", help="noise.toml of `ribsight label`.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
def card(
    folder: Path,
    out: Path | None,
    count: int,
    readings: Path | None,
    audit: Path | None,
    seed: int,
    *,
    no_images: bool,
) -> None:
    """Write the data card: one page that says what the cohort holds."""
    from ribsight.cohort.card import write_card
    from ribsight.cohort.left_out import read_left_out
    from ribsight.cohort.tables import load_cohort
    from ribsight.records import ColumnMapping, read_diagnosis_table
    from ribsight.settings import read_toml

    built = load_cohort(folder)
    noise = read_toml(audit) if audit else None
    mapping = ColumnMapping("image_id", {name: name for name in built.findings})
    table = read_diagnosis_table(readings, mapping) if readings else None
    page = out or folder / "card.html"
    write_card(
        built,
        page,
        left_out=read_left_out(folder / "left_out.csv"),
        readings=table,
        noise=noise,
        images=0 if no_images else count,
        seed=seed,
    )
    click.echo(f"{len(built.ids)} radiographs -> {page}")


def _pair_rows(cohort: Cohort) -> list[tuple[str | int, ...]]:
    assert cohort.near_duplicates is not None
    split = dict(cohort.radiographs.select("radiograph", "split").rows())
    rows: list[tuple[str | int, ...]] = [
        ("first", "second", "splits", "correlation", "orientation", "inverted")
    ]
    for first, second, correlation, orientation, inverted in cohort.near_duplicates.rows():
        splits = " ".join(dict.fromkeys(one or "-" for one in (split[first], split[second])))
        polarity = "yes" if inverted else "no"
        rows.append((first, second, splits, f"{correlation:.3f}", orientation, polarity))
    shown = 20
    return rows[: shown + 1] + ([("...", "", "", "", "", "")] if len(rows) > shown + 1 else [])
