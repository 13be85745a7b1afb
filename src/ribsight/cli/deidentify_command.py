"""`ribsight deidentify`: radiographs and their tables without what tells who they are about."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from ribsight.cli.tables import counted
from ribsight.errors import RibsightError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ribsight.deidentification.columns import Declared
    from ribsight.deidentification.folder import Folder, Record
    from ribsight.deidentification.run import Summary
    from ribsight.deidentification.subject import Policy
    from ribsight.records.rows import TableFormat

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("sources", nargs=-1, type=_PATH, metavar="[SOURCE]...")
@click.option("--out", type=_PATH, help="Folder of what may be handed on.")
@click.option("--key", "key_file", type=_PATH, metavar="FILE", help="The secret key.")
@click.option("--new-key", is_flag=True, help="Make the key at --key first.")
@click.option(
    "--keep-dates",
    type=click.Choice(["shift", "drop"]),
    default="shift",
    show_default=True,
    help="Move all dates of a patient back by the same days, or empty them.",
)
@click.option(
    "--characteristics",
    type=click.Choice(["keep", "drop"]),
    default="keep",
    show_default=True,
    help="Sex, and age up to 90 years.",
)
@click.option("--blackout", is_flag=True, help="Paint text found in pictures over, unseen.")
@click.option("--table", "tables", type=_PATH, multiple=True, metavar="CSV", help="Repeatable.")
@click.option("--regions", type=_PATH, multiple=True, metavar="COCO", help="Repeatable.")
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="KIND=NAME",
    help="patient, study, accession, uid, image, date or age; repeatable.",
)
@click.option("--drop-column", "drop", multiple=True, metavar="NAME", help="Repeatable.")
@click.option("--keep-column", "keep", multiple=True, metavar="NAME", help="Repeatable.")
@click.option("--date-format", "dates", multiple=True, metavar="FORMAT", help="Like %d/%m/%Y.")
@click.option("--encoding", default="utf-8-sig", help="Of the tables. [default: utf-8]")
@click.option("--mapping", type=_PATH, metavar="CSV", help="Write old and new names: private.")
@click.option(
    "--accept-review", type=_PATH, metavar="CSV", help="Do what a review says; needs only --out."
)
@click.option("--processes", type=click.IntRange(min=1), default=1, show_default=True)
def deidentify(
    sources: tuple[Path, ...],
    out: Path | None,
    key_file: Path | None,
    keep_dates: Literal["shift", "drop"],
    characteristics: Literal["keep", "drop"],
    tables: tuple[Path, ...],
    regions: tuple[Path, ...],
    columns: tuple[str, ...],
    drop: tuple[str, ...],
    keep: tuple[str, ...],
    dates: tuple[str, ...],
    encoding: str,
    mapping: Path | None,
    accept_review: Path | None,
    processes: int,
    *,
    new_key: bool,
    blackout: bool,
) -> None:
    """De-identify DICOM radiographs, and the tables and regions that go with them.

    OUT gets images/*.dcm, images.csv, tables/, and quarantine.csv; films with what looks like
    text wait in OUT/review, which is private. Run the same command again to go on with an
    interrupted one.
    """
    if accept_review is not None:
        if out is None or sources or tables or regions or key_file:
            raise click.UsageError("--accept-review needs --out, and nothing else")
        _accept(out, accept_review)
        return
    if key_file is None:
        raise click.UsageError("Missing option '--key'.")
    from ribsight.deidentification.columns import Declared, parse_kinds
    from ribsight.deidentification.key import keep_apart, read_key
    from ribsight.deidentification.key import new_key as make_key
    from ribsight.deidentification.mapping import keep_mapping_apart
    from ribsight.deidentification.subject import Policy
    from ribsight.deidentification.tables import check_table
    from ribsight.records.rows import TableFormat

    anything = bool(sources or tables or regions)
    if not anything and not new_key:
        raise click.UsageError("nothing to do: give SOURCE, --table or --regions")
    if anything and out is None:
        raise click.UsageError("Missing option '--out'.")
    if out is not None:
        keep_apart(key_file, out)
    if out is not None and mapping is not None:
        keep_mapping_apart(mapping, out)
    declared = Declared(parse_kinds(_pairs(columns)), frozenset(keep), frozenset(drop))
    key = make_key(key_file) if new_key else read_key(key_file)
    if new_key:
        click.echo(f"new key -> {key_file}; whoever has it can undo everything", err=True)
    if not anything or out is None:
        return
    _keep_sources_apart([*sources, *tables, *regions], out)
    form = TableFormat(encoding, dates)
    _one_name_each([*tables, *regions])
    for path in tables:
        check_table(path, declared, form)
    policy = Policy(key, keep_dates, characteristics, blackout=blackout)
    folder = _images(sources, out, policy, mapping, processes)
    _tables(tables, regions, folder, policy, declared, form)


def _images(
    sources: Sequence[Path], out: Path, policy: Policy, mapping: Path | None, processes: int
) -> Folder:
    from ribsight.deidentification.folder import prepare
    from ribsight.deidentification.mapping import write_mapping
    from ribsight.deidentification.run import deidentify_files, source_files

    files = source_files(sources)
    if sources and not files:
        raise RibsightError(f"{sources[0]} holds no files")
    folder = prepare(out, policy)
    if files:
        _report(deidentify_files(files, folder, policy, processes=processes), folder)
    if mapping is not None:
        write_mapping(mapping, files, policy)
        click.echo(f"old and new names -> {mapping}: keep it as safe as the key", err=True)
    return folder


def _report(summary: Summary, folder: Folder) -> None:
    click.echo(f"{counted(summary.images, 'film')} -> {folder.images}")
    if summary.painted:
        click.echo(
            f"{counted(summary.painted, 'film')} with text painted over that nobody has looked at",
            err=True,
        )
    for remark, count in summary.remarks:
        click.echo(f"{counted(count, 'film')}: {remark}", err=True)
    if summary.waiting:
        click.echo(
            f"{counted(summary.waiting, 'film')} may have text burnt in: look at "
            f"{folder.review / 'review_1.html'} and fill in {folder.review / 'review.csv'}; "
            "that folder is private",
            err=True,
        )
    if summary.quarantined:
        total = sum(count for _, count in summary.quarantined)
        click.echo(
            f"{counted(total, 'file')} left out, see {folder.out / 'quarantine.csv'}:", err=True
        )
        for reason, count in summary.quarantined:
            click.echo(f"  {count}  {reason}", err=True)


def _tables(
    tables: Sequence[Path],
    regions: Sequence[Path],
    folder: Folder,
    policy: Policy,
    declared: Declared,
    form: TableFormat,
) -> None:
    from ribsight.deidentification.annotations import deidentify_annotations
    from ribsight.deidentification.folder import read_journal
    from ribsight.deidentification.tables import deidentify_table, links_of

    if not tables and not regions:
        return
    records: list[Record] = read_journal(folder)
    links = links_of(records)
    for path in tables:
        done = deidentify_table(path, folder, policy, links, declared, form)
        place = folder.out / "tables" / f"{path.stem}.csv"
        without = f" without {', '.join(done.dropped)}" if done.dropped else ""
        click.echo(f"{counted(done.rows, 'row')}{without} -> {place}")
        if done.left_out:
            click.echo(
                f"{counted(done.left_out, 'row')} about images that {folder.out} does not hold",
                err=True,
            )
        if done.undated:
            click.echo(f"{counted(done.undated, 'date')} left blank: no patient known", err=True)
    for path in regions:
        images, missing = deidentify_annotations(path, folder, policy, links)
        click.echo(f"regions of {counted(images, 'image')} -> {folder.out / 'tables' / path.name}")
        if missing:
            click.echo(f"{counted(missing, 'image')} that {folder.out} does not hold", err=True)


def _accept(out: Path, path: Path) -> None:
    from ribsight.deidentification.folder import existing
    from ribsight.deidentification.review import accept_review
    from ribsight.deidentification.run import write_lists

    folder = existing(out)
    counts = accept_review(folder, path)
    write_lists(folder)
    for decision, count in counts.items():
        click.echo(f"{decision}: {counted(count, 'film')}")


def _keep_sources_apart(sources: Iterable[Path], out: Path) -> None:
    for source in sources:
        inside = out.resolve().is_relative_to(source.resolve())
        if inside or source.resolve().is_relative_to(out.resolve()):
            raise RibsightError(f"{out} and {source} lie in each other: give another --out")


def _one_name_each(paths: Sequence[Path]) -> None:
    names = [path.stem for path in paths]
    for path in paths:
        if names.count(path.stem) > 1:
            raise RibsightError(f"two tables are named {path.stem}: rename one")


def _pairs(values: Iterable[str]) -> list[tuple[str, str]]:
    pairs = []
    for value in values:
        kind, equals, name = value.partition("=")
        if not (kind and equals and name):
            raise RibsightError(f"--column {value} is not of the form KIND=NAME")
        pairs.append((kind, name))
    return pairs
