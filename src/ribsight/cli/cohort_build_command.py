"""`ribsight cohort build`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ribsight.cli.cohort_join_options import join_options, join_rule
from ribsight.cli.tables import counted, print_table
from ribsight.errors import RibsightError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ribsight.cohort.build import Built
    from ribsight.cohort.join_rule import JoinRule
    from ribsight.cohort.left_out import LeftOut
    from ribsight.cohort.tables import Cohort

_FOLDER = click.Path(path_type=Path)
_COLUMN_OPTIONS = "--image-column, --patient-column, --finding, --keep and --category"


@click.command()
@click.option("--images", type=_FOLDER, help="Folder of DICOM or image files, or an archive.")
@click.option("--archive", type=_FOLDER, help="What `ingest` wrote; its eligible images.")
@click.option("--diagnoses", type=_FOLDER, required=True, help="CSV, or what `label` wrote.")
@click.option("--regions", type=_FOLDER, help="COCO instance JSON, or another annotation format.")
@click.option("--out", type=_FOLDER, required=True, help="Folder of the new cohort.")
@click.option("--finding", "findings", multiple=True, metavar="NAME=COLUMN", help="Repeatable.")
@click.option("--image-column", metavar="COLUMN", help="Names the image. [default: image]")
@click.option("--patient-column", metavar="COLUMN")
@click.option("--group-column", metavar="COLUMN", help="What a split keeps together.")
@click.option("--group", metavar="blocks:N", help="Keep N consecutive ids together instead.")
@click.option(
    "--category", "categories", multiple=True, metavar="CATEGORY=NAME", help="Of regions."
)
@click.option("--keep", default="", metavar="A,B", help="Further columns to keep.")
@click.option("--columns", type=_FOLDER, metavar="TOML", help="Instead of the column options.")
@join_options
@click.option(
    "--studies",
    type=click.Choice(["all", "first", "last"]),
    default="all",
    show_default=True,
    help="Of each patient, by the date in the header.",
)
@click.option(
    "--truncated",
    type=click.Choice(["refuse", "use", "leave-out"]),
    default="refuse",
    show_default=True,
    help="What to do with images that lack rows.",
)
@click.option(
    "--drawn-negative",
    type=click.Choice(["refuse", "positive", "leave-out"]),
    default="refuse",
    show_default=True,
    help="What to do with a region on an image whose row says negative.",
)
@click.option(
    "--views",
    metavar="KIND,KIND",
    help="Kinds of image that DICOM headers of a folder may say.  [default: chest from the front, "
    "ribs, and what is not stated]",
)
@click.option("--keep-laterals", is_flag=True, help="Also images whose header says lateral.")
@click.option(
    "--near-duplicates/--no-near-duplicates",
    default=None,
    help="Look for copies of one film.  [default: of an archive]",
)
@click.option("--processes", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--force", is_flag=True, help="Replace the cohort at --out.")
def build(
    images: Path | None,
    archive: Path | None,
    diagnoses: Path,
    regions: Path | None,
    out: Path,
    findings: tuple[str, ...],
    image_column: str | None,
    patient_column: str | None,
    group_column: str | None,
    group: str | None,
    categories: tuple[str, ...],
    keep: str,
    columns: Path | None,
    studies: str,
    truncated: str,
    drawn_negative: str,
    views: str | None,
    processes: int,
    *,
    keep_laterals: bool,
    near_duplicates: bool | None,
    force: bool,
    **join: Any,
) -> None:
    """Join images with their diagnoses and regions, as Parquet tables."""
    from ribsight.cohort.build import DrawnNegative, join_cohort
    from ribsight.cohort.columns import Columns, read_columns
    from ribsight.cohort.images import Truncated, is_archive
    from ribsight.cohort.longitudinal import Studies
    from ribsight.radiographs.eligibility import policy_of

    folder = _images(images, archive)
    kept = [name.strip() for name in keep.split(",") if name.strip()]
    given = any((findings, image_column, patient_column, group_column, categories, keep))
    if columns is not None and given:
        raise click.UsageError(f"--columns replaces {_COLUMN_OPTIONS}: give one or the other")
    if columns is not None:
        chosen = read_columns(columns)
    elif diagnoses.is_dir() and not any((findings, image_column, patient_column)):
        # What `ribsight label` wrote says itself what its columns mean.
        labels = read_columns(diagnoses / "columns.toml")
        own = {"group": group_column, "categories": _pairs(categories, "--category")}
        chosen = labels.model_copy(update={**own, "keep": [*labels.keep, *kept]})
    else:
        chosen = Columns(
            image=image_column or "image",
            findings=_pairs(findings, "--finding"),
            patient=patient_column,
            group=group_column,
            keep=kept,
            categories=_pairs(categories, "--category"),
        )
    if diagnoses.is_dir():
        diagnoses = diagnoses / "diagnoses.csv"
    blocks = _blocks(group, group_column or chosen.group)
    rule = join_rule(**join)
    mapping = chosen.mapping()
    _prepare(out, force=force)
    built = join_cohort(
        folder,
        diagnoses,
        regions,
        mapping,
        join=rule,
        studies=Studies(studies),
        categories=_category_findings(regions, chosen.categories, list(mapping.findings)),
        blocks=blocks,
        truncated=Truncated(truncated),
        drawn_negative=DrawnNegative(drawn_negative),
        views=policy_of(views) if views else None,
        keep_laterals=keep_laterals,
        processes=processes,
    )
    wants_pairs = is_archive(folder) if near_duplicates is None else near_duplicates
    cohort = _with_pairs(built.cohort, out, processes) if wants_pairs else built.cohort
    _save(cohort, built, rule, out)
    print_table(_finding_rows(cohort))
    click.echo(f"{len(cohort.ids)} radiographs -> {out}")


def _images(images: Path | None, archive: Path | None) -> Path:
    from ribsight.cohort.images import is_archive

    if (images is None) == (archive is None):
        raise click.UsageError("give either --images or --archive")
    if archive is not None and not is_archive(archive):
        raise RibsightError(f"{archive} is no archive: make one with `ribsight ingest`")
    folder = images or archive
    assert folder is not None
    return folder


def _with_pairs(cohort: Cohort, out: Path, processes: int) -> Cohort:
    from ribsight.cohort.near_duplicates import find_near_duplicates

    return find_near_duplicates(cohort, out / "cache", processes=processes)


def _save(cohort: Cohort, built: Built, rule: JoinRule, out: Path) -> None:
    from ribsight.cohort.join_rule import JoinBy
    from ribsight.cohort.left_out import write_left_out
    from ribsight.cohort.tables import save_cohort

    save_cohort(cohort, out)
    write_left_out(built.left_out, out / "left_out.csv")
    if rule.by is not JoinBy.IMAGE:
        file = out / "without_record.csv"
        write_left_out(built.without_record, file)
        click.echo(
            f"joined by {rule.by}: {counted(len(built.without_record), 'radiograph')} without a "
            f"record, see {file}",
            err=True,
        )
    _say_what_is_missing(cohort, built.left_out, out / "left_out.csv")


def _pairs(values: Iterable[str], option: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for value in values:
        name, equals, meaning = value.partition("=")
        if not (name and equals and meaning):
            raise RibsightError(f"{option} {value} is not of the form A=B")
        if name in pairs:
            raise RibsightError(f"{option} gives {name} twice")
        pairs[name] = meaning
    return pairs


def _blocks(group: str | None, column: str | None) -> int | None:
    from ribsight.cohort.grouping import parse_blocks

    if group is None:
        return None
    if column is not None:
        raise RibsightError("give either a group column or --group blocks:N, not both")
    blocks = parse_blocks(group)
    if blocks is None:
        raise RibsightError(f"--group {group} is not blocks:N; name a column with --group-column")
    return blocks


def _prepare(out: Path, *, force: bool) -> None:
    """Make the folder before the long work, so that a wrong path fails at once."""
    is_cohort = (out / "cohort.toml").is_file()
    if is_cohort and not force:
        raise RibsightError(f"{out} is a cohort already: give another --out, or --force")
    try:
        out.mkdir(parents=True, exist_ok=True)
        # A cache may lie there that an interrupted build has begun.
        is_empty = all(one.name == "cache" for one in out.iterdir())
    except OSError as error:
        raise RibsightError(f"cannot write to {out}: {error.strerror}") from error
    if not is_empty and not is_cohort:
        raise RibsightError(f"{out} is not empty and no cohort: give another --out")


def _category_findings(
    regions: Path | None, categories: Mapping[str, str], findings: Sequence[str]
) -> dict[str, str]:
    """Return the finding of each category; one of each needs no option, and that is said."""
    from ribsight.cohort.drawn import region_categories
    from ribsight.errors import nearest

    if regions is None:
        return {}
    for finding in categories.values():
        if finding not in findings:
            raise RibsightError(
                f"--category names '{finding}', which is no --finding{nearest(finding, findings)}"
            )
    if categories:
        return dict(categories)
    names = region_categories(regions)
    if len(names) == len(findings) == 1:
        click.echo(f"category '{names[0]}' of {regions.name} is {findings[0]}", err=True)
        return {names[0]: findings[0]}
    raise RibsightError(
        f"say what the categories of {regions} mean with --category CATEGORY=NAME; "
        f"it has: {', '.join(names) or 'none'}"
    )


def _say_what_is_missing(built: Cohort, left_out: Sequence[LeftOut], file: Path) -> None:
    from ribsight.findings import DiagnosisState

    if left_out:
        click.echo(
            f"left out: {counted(len(left_out), 'item')}, see {file}; "
            f"the first: {left_out[0].file} {left_out[0].row}: {left_out[0].reason}",
            err=True,
        )
    unknown = int((built.states == DiagnosisState.UNKNOWN).all(axis=1).sum())
    if unknown:
        click.echo(f"{counted(unknown, 'radiograph')} without any known diagnosis", err=True)
    noted = int((built.radiographs["warnings"] != "").sum())
    if noted:
        click.echo(
            f"{counted(noted, 'radiograph')} with a warning: `ribsight cohort check` lists them",
            err=True,
        )
    if built.near_duplicates is not None:
        pairs = counted(len(built.near_duplicates), "pair")
        click.echo(f"near duplicates: {pairs} of radiographs show one film", err=True)


def _finding_rows(built: Cohort) -> list[tuple[str | int, ...]]:
    from ribsight.findings import DiagnosisState

    rows: list[tuple[str | int, ...]] = [("finding", *DiagnosisState, "regions")]
    for index, finding in enumerate(built.findings):
        states = built.states[:, index]
        counts = (int((states == state).sum()) for state in DiagnosisState)
        rows.append((finding, *counts, int((built.regions["finding"] == finding).sum())))
    return rows
