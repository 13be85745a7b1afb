"""`ribsight feedback`: what readers said at the service becomes regions of the next cohort."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ribsight.cli.tables import counted

if TYPE_CHECKING:
    from ribsight.deployment.service.triage.feedback import Feedback

_PATH = click.Path(path_type=Path)
_DATABASE = click.option(
    "--database", metavar="URL", default="", help="Of the service, if it is not in its data folder."
)


class _ExportUnlessNamed(click.Group):
    """`ribsight feedback DATA_DIR` is `ribsight feedback export DATA_DIR`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in {*self.commands, "-h", "--help"}:
            args = ["export", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_ExportUnlessNamed)
def feedback() -> None:
    """Export what readers said at the service; import what records say.

    `ribsight feedback DATA_DIR --out regions.coco.json` exports.
    """


@feedback.command()
@click.argument("data", metavar="DATA_DIR", type=_PATH)
@click.option("--out", type=_PATH, required=True, help="COCO file of the regions.")
@click.option("--readings", type=_PATH, help="Also write a CSV for `cohort readings`.")
@click.option("--diagnoses", type=_PATH, help="Also write a CSV for `cohort build`.")
@click.option("--readers", default="", metavar="A,B", help="Whose reviews. [default: all]")
@click.option(
    "--name-by",
    type=click.Choice(["file", "instance"]),
    default="file",
    show_default=True,
    help="Name images by their file in DATA_DIR/images, or by SOP instance UID.",
)
@_DATABASE
def export(
    data: Path,
    out: Path,
    readings: Path | None,
    diagnoses: Path | None,
    readers: str,
    name_by: str,
    database: str,
) -> None:
    """Write the regions that readers accepted and drew.

    Regions of complete reviews only, each with its reader. `cohort build --images
    DATA_DIR/images` finds the images by their names.
    """
    from ribsight.deployment.service.triage.at_rest import instance_names, open_at_rest
    from ribsight.deployment.service.triage.gather import gather
    from ribsight.files import write_text
    from ribsight.regions import write_annotations

    chosen = [one.strip() for one in readers.split(",") if one.strip()]
    with open_at_rest(data, database) as at_rest, at_rest.store.reading() as connection:
        gathered = gather(connection, readers=chosen)
        if name_by == "instance":
            names, lost = instance_names(at_rest.folder, [one.image for one in gathered.images])
            gathered = gathered.named(names)
            for sentence in lost:
                click.echo(f"left out: {sentence}", err=True)
    write_annotations(gathered.annotations(), "coco", out)
    if readings is not None:
        write_text(readings, gathered.readings())
    if diagnoses is not None:
        write_text(diagnoses, gathered.diagnoses())
    click.echo(f"{_summary(gathered)} -> {out}")


@feedback.command("import-records")
@click.argument("data", metavar="DATA_DIR", type=_PATH)
@click.argument("table", metavar="DIAGNOSES", type=_PATH)
@click.option(
    "--join",
    "by",
    type=click.Choice(["image", "study", "accession"]),
    default="image",
    show_default=True,
    help="What a row is about: SOP instance UID, StudyInstanceUID, accession number.",
)
@click.option("--key-column", metavar="COLUMN", help="Holds it. [default: the word itself]")
@click.option("--finding", "findings", multiple=True, metavar="NAME=COLUMN", help="Repeatable.")
@click.option(
    "--images",
    type=_PATH,
    metavar="FOLDER",
    help="DICOM files by whose names DIAGNOSES calls images.",
)
@_DATABASE
def import_records(
    data: Path,
    table: Path,
    by: str,
    key_column: str | None,
    findings: tuple[str, ...],
    images: Path | None,
    database: str,
) -> None:
    """Let the worklist know what records say of images.

    DIAGNOSES is a CSV as for `cohort build`, or the folder that `ribsight label` wrote. Images may
    come later than their records; a further import replaces what was said of the same images.
    """
    from ribsight.deployment.service.triage.at_rest import open_at_rest
    from ribsight.deployment.service.triage.records import By, import_records, read_table
    from ribsight.regions import known_images

    read = read_table(table, By(by), key_column, _columns(findings))
    known = known_images(images) if images else None
    with open_at_rest(data, database) as at_rest:
        count = import_records(at_rest.store, read, By(by), at_rest.key.name, known)
    click.echo(f"{counted(len(read.rows), 'row')}, of {count} {by}s something is known -> {data}")


def _columns(findings: tuple[str, ...]) -> dict[str, str]:
    columns = {}
    for one in findings:
        name, _, column = one.partition("=")
        columns[name] = column or name
    return columns


def _summary(gathered: Feedback) -> str:
    annotations = gathered.annotations()
    reviewed = [one for one in gathered.images if one.reviews]
    origins = [one.attributes["origin"] for one in annotations.regions]
    negative = len(annotations.images) - len({one.radiograph for one in annotations.regions})
    unfinished = len(reviewed) - len(annotations.images)
    said = (
        f"{counted(len(reviewed), 'reviewed image')}, {len(annotations.images)} complete: "
        f"{counted(len(origins), 'region')} ({origins.count('accepted')} accepted, "
        f"{origins.count('drawn')} drawn), {negative} without any"
    )
    return f"{said}; {unfinished} not complete, not taken" if unfinished else said
