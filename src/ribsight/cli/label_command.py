"""`ribsight label`: codes and reports become diagnoses, with an audit of how good they are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ribsight.errors import RibsightError

if TYPE_CHECKING:
    from collections.abc import Iterable


_PATH = click.Path(path_type=Path)
_SYSTEMS = ["icd-10-cm", "icd-9-cm", "icd-10-who", "icd-10-gm"]


@click.command()
@click.option("--images", type=_PATH, help="CSV, one row an image: image_id, study_id, ...")
@click.option("--codes", type=_PATH, help="CSV, one row a diagnosis code.")
@click.option("--coding-system", type=click.Choice(_SYSTEMS), help="Of codes whose row names none.")
@click.option("--reports", type=_PATH, help="CSV, one row a report.")
@click.option("--language", default="en", show_default=True, help="Of the reports: en or es.")
@click.option("--lexicon", type=_PATH, metavar="TOML", help="Words to add, or a new language.")
@click.option("--policy", type=_PATH, metavar="TOML", help="What to decide otherwise.")
@click.option("--out", type=_PATH, required=True, help="Folder of the diagnoses.")
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="[TABLE.]NAME=YOURS",
    help="Your name of a column; repeatable.",
)
@click.option("--date-format", "dates", multiple=True, metavar="FORMAT", help="Like %d/%m/%Y.")
@click.option("--encoding", default="utf-8-sig", help="Of the tables. [default: utf-8]")
@click.option("--audit", type=click.IntRange(min=1), metavar="N", help="Write a sample to check.")
@click.option("--audit-seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--answers", type=_PATH, metavar="CSV", help="Read a checked audit.csv; needs only --out."
)
@click.option("--force", is_flag=True, help="Replace the diagnoses at --out.")
def label(
    images: Path | None,
    codes: Path | None,
    coding_system: str | None,
    reports: Path | None,
    language: str,
    lexicon: Path | None,
    policy: Path | None,
    out: Path,
    columns: tuple[str, ...],
    dates: tuple[str, ...],
    encoding: str,
    audit: int | None,
    audit_seed: int,
    answers: Path | None,
    *,
    force: bool,
) -> None:
    """Turn diagnosis codes and reports into one diagnosis per image and finding."""
    if answers is not None:
        if any((images, codes, reports, audit)):
            raise click.UsageError("--answers reads a finished audit: give only --out with it")
        _read_answers(answers, out)
        return
    if images is None:
        raise click.UsageError("Missing option '--images'.")
    from ribsight.records.audit import AuditSample, write_audit
    from ribsight.records.codes import CodingSystem
    from ribsight.records.label import Sources, label_records
    from ribsight.records.lexicon import read_lexicon
    from ribsight.records.policy import read_policy
    from ribsight.records.rows import TableFormat
    from ribsight.records.summary import lines, remarks

    form = TableFormat(encoding, dates, _pairs(columns))
    sources = Sources(
        images=images,
        codes=codes,
        reports=reports,
        coding_system=CodingSystem(coding_system) if coding_system else None,
        form=form,
    )
    words, fusion = read_lexicon(language, lexicon), read_policy(policy)
    _prepare(out, force=force)
    sample = AuditSample(audit, audit_seed) if audit else None
    summary = label_records(sources, words, fusion, out, progress=_say, listener=sample)
    for line in lines(summary, list(fusion.findings)):
        click.echo(line)
    for line in remarks(summary):
        click.echo(line, err=True)
    click.echo(f"\n{summary.images} images -> {out / 'diagnoses.csv'}")
    if sample is not None:
        count = write_audit(sample, reports, words, form, out)
        click.echo(
            f"{count} to check -> {out / 'audit.html'}; it holds report text, keep it as safe as "
            f"the reports; then `ribsight label --answers audit.csv --out {out}`"
        )


def _read_answers(answers: Path, out: Path) -> None:
    from ribsight.records.answers import audit_lines, measure_audit, read_answers

    measured = measure_audit(read_answers(answers, out), out)
    for line in audit_lines(measured):
        click.echo(line)
    click.echo(f"\n-> {out / 'noise.toml'}")


def _say(step: str) -> None:
    click.echo(f"{step} ...", err=True)


def _pairs(values: Iterable[str]) -> dict[str, str]:
    pairs = {}
    for value in values:
        name, equals, yours = value.partition("=")
        if not (name and equals and yours):
            raise RibsightError(f"--column {value} is not of the form NAME=YOURS")
        pairs[name] = yours
    return pairs


def _prepare(out: Path, *, force: bool) -> None:
    """Refuse what is not ours before the long work."""
    is_ours = (out / "diagnoses.csv").is_file() and (out / "policy.toml").is_file()
    if is_ours and not force:
        raise RibsightError(f"{out} holds diagnoses already: give another --out, or --force")
    try:
        out.mkdir(parents=True, exist_ok=True)
        is_empty = not any(out.iterdir())
    except OSError as error:
        raise RibsightError(f"cannot write to {out}: {error.strerror}") from error
    if not is_empty and not is_ours:
        raise RibsightError(f"{out} is not empty and holds no diagnoses: give another --out")
