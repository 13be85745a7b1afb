"""`ribsight ingest`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ribsight.errors import RibsightError

if TYPE_CHECKING:
    from ribsight.archive.ingest import Ingested, Remote

_PATH = click.Path(path_type=Path)
_ROWS_OF_A_TABLE = 12
_COLUMNS = ("kind", "view", "modality", "manufacturer")


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option("--out", type=_PATH, required=True, help="Folder of the archive, old or new.")
@click.option("--processes", type=click.IntRange(1), help="That read.  [one a core]")
@click.option("--ray", is_flag=True, help="Read on a Ray cluster (RAY_ADDRESS, else this machine).")
@click.option(
    "--hash", "hashed", type=click.Choice(["content", "header"]), default="content",
    show_default=True, help="What is hashed: whole files, or their first 64 KiB.",
)  # fmt: skip
@click.option("--rehash", is_flag=True, help="Also read files of unchanged size and time again.")
@click.option(
    "--conflicts", type=click.Choice(["refuse", "first"]), default="refuse", show_default=True,
    help="What to do with different images of one SOPInstanceUID.",
)  # fmt: skip
@click.option("--follow-links", is_flag=True, help="Follow symbolic links.")
@click.option("--from", "first_day", metavar="YYYYMMDD", help="DICOMweb: studies since.")
@click.option("--to", "last_day", metavar="YYYYMMDD", help="DICOMweb: studies until.")
@click.option("--modality", "modalities", multiple=True, help="DICOMweb; repeatable.  [CR, DX]")
def ingest(
    sources: tuple[str, ...],
    out: Path,
    processes: int | None,
    hashed: str,
    conflicts: str,
    first_day: str | None,
    last_day: str | None,
    modalities: tuple[str, ...],
    *,
    ray: bool,
    rehash: bool,
    follow_links: bool,
) -> None:
    """Index the images of folders, zip and tar files and DICOMweb servers.

    A SOURCE is a folder, a file, https://..., or dicomweb:http://... for a server without TLS. A
    server's user and password come from a netrc file or from RIBSIGHT_DICOMWEB_USER and
    RIBSIGHT_DICOMWEB_PASSWORD, a token from RIBSIGHT_DICOMWEB_TOKEN.

    The same command again reads only what is new or changed, and goes on after any interruption.
    """
    from ribsight.archive.crew import readers
    from ribsight.archive.ingest import Options
    from ribsight.archive.ingest import ingest as run
    from ribsight.archive.on_ray import readers_on_ray

    paths, remote = _split(sources, first_day, last_day, modalities)
    options = Options(
        processes=processes or len(os.sched_getaffinity(0)),
        hash_content=hashed == "content",
        rehash=rehash,
        follow_links=follow_links,
        keep_first=conflicts == "first",
        readers=readers_on_ray if ray else readers,
    )
    _say(run(paths, out, options, remote=remote), out)


def _split(
    sources: tuple[str, ...], first: str | None, last: str | None, modalities: tuple[str, ...]
) -> tuple[list[Path], dict[str, Remote]]:
    is_address = ("https://", "http://", "dicomweb:")
    paths = [Path(source) for source in sources if not source.startswith(is_address)]
    if len(paths) == len(sources):
        if first or last or modalities:
            raise click.UsageError("--from, --to and --modality are for DICOMweb sources")
        return paths, {}
    try:
        from ribsight.archive.dicomweb import remote_reader
        from ribsight.archive.server import Query, address_of
    except ModuleNotFoundError as error:
        raise RibsightError(
            f"a DICOMweb source needs {error.name}: pip install 'ribsight[dicomweb]'"
        ) from error
    query = Query.of(first, last, modalities)
    wanted = [address_of(source) for source in sources if source.startswith(is_address)]
    return paths, {address: remote_reader(address, query) for address in wanted}


def _say(done: Ingested, out: Path) -> None:
    import polars as pl

    from ribsight.cli.tables import counted, print_table

    images, quarantine = done.archive.images, done.archive.quarantine
    if done.damaged_shards:
        click.echo(
            f"{counted(done.damaged_shards, 'damaged part')} of an earlier run read again", err=True
        )
    rate = f", {done.looked_at / done.seconds:.0f} a second" if done.looked_at else ""
    click.echo(
        f"read {done.looked_at} files and members in {done.seconds:.1f} s{rate}; "
        f"{done.unchanged} unchanged, {done.changed} changed, {done.removed} gone"
    )
    for column in _COLUMNS if len(images) else ():
        table = images.group_by(pl.col(column).fill_null("-")).agg(
            images=pl.len(), eligible=pl.col("eligible").sum()
        )
        rows = table.sort("images", column, descending=[True, False]).rows()
        click.echo()
        print_table([(column, "images", "eligible"), *rows[:_ROWS_OF_A_TABLE], *_rest(rows)])
    if len(quarantine):
        reasons = quarantine.group_by("reason").agg(
            files=pl.len(), example=pl.col("sentence").min()
        )
        click.echo()
        for reason, count, example in reasons.sort(
            "files", "reason", descending=[True, False]
        ).rows():
            click.echo(f"quarantined  {count:>8}  {reason}: {example}")
    click.echo()
    click.echo(
        f"{counted(len(images), 'image')}, {int(images['eligible'].sum())} eligible, "
        f"{len(quarantine)} quarantined -> {out}"
    )


def _rest(rows: list[tuple[str, int, int]]) -> list[tuple[str, int, int]]:
    left = rows[_ROWS_OF_A_TABLE:]
    if not left:
        return []
    return [(f"{len(left)} others", sum(row[1] for row in left), sum(row[2] for row in left))]
