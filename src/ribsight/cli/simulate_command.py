"""`ribsight simulate`."""

from __future__ import annotations

from pathlib import Path

import click

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("out", type=_PATH)
@click.option("--patients", type=click.IntRange(1), required=True, help="How many.")
@click.option(
    "--seed", type=click.IntRange(0, 99_999_999), help="Patient i is a function of it and i."
)
@click.option("--size", type=click.IntRange(128, 4096), help="Pixels of each side.  [512]")
@click.option(
    "--prevalence", type=click.FloatRange(0, 1), help="Share of fractured patients.  [0.1]"
)
@click.option(
    "--drawn", type=click.IntRange(0), help="Training patients whom the expert drew.  [50]"
)
@click.option("--laterals", type=click.FloatRange(0, 1), help="Share with a lateral film.  [0.5]")
@click.option("--coding-system", type=click.Choice(["icd-10-cm", "icd-9-cm"]))
@click.option(
    "--transfer-syntax", type=click.Choice(["explicit", "jpeg-ls", "jpeg-2000", "rle"]),
    help="How DICOM pixels are written; all are lossless.  [explicit]",
)  # fmt: skip
@click.option(
    "--settings", type=_PATH, metavar="TOML",
    help="A file with any of the settings; options go before it.",
)  # fmt: skip
@click.option("--ct", type=_PATH, metavar="NIFTI", help="Make the patients from this chest CT.")
@click.option("--labels", type=_PATH, metavar="NIFTI", help="Its map of labelled bones.")
@click.option(
    "--label-names", type=_PATH, metavar="CSV",
    help="What the labels mean, if they are not TotalSegmentator's numbers.",
)  # fmt: skip
@click.option("--processes", type=click.IntRange(1), default=1, show_default=True)
@click.option("--quiet", is_flag=True, help="No progress bar.")
def simulate(
    out: Path,
    patients: int,
    settings: Path | None,
    ct: Path | None,
    labels: Path | None,
    label_names: Path | None,
    processes: int,
    *,
    quiet: bool,
    **options: str | float | None,
) -> None:
    """Write a trauma registry that never was: films, records, drawings, and the truth.

    OUT gets images/*.dcm, images.csv, reports.csv, codes.csv, annotations.coco.json (the visible
    fractures of a few training patients, and all of the held-out ones, as a panel with their CT
    draws them), expert_readings.csv and split.csv (who is held out), and truth/. Run the same
    command again to go on with an interrupted one.
    """
    from ribsight.settings import parse_settings, read_toml
    from ribsight.simulation.registry import CtFiles, simulate_registry
    from ribsight.simulation.settings import RegistrySettings

    if (ct is None) != (labels is None):
        raise click.UsageError("--ct and --labels belong together")
    files = CtFiles(ct, labels, label_names) if ct is not None and labels is not None else None
    document = read_toml(settings) if settings else {}
    for name, keys in _KEYS.items():
        if options[name] is not None:
            _set(document, keys, options[name])
    parsed = parse_settings(RegistrySettings, document, str(settings or "the options"))
    summary = simulate_registry(
        out, patients, parsed, ct=files, processes=processes, progress=not quiet
    )
    fractured = ", ".join(f"{count} {name}" for name, count in summary.fractured.items())
    click.echo(
        f"{summary.patients} patients, {summary.films} films; patients with a fresh fracture: "
        f"{fractured}; {summary.fractures} fractures on films, {summary.faint:.0%} with a "
        f"contrast-to-noise ratio below 2; {summary.drawn} training patients drawn -> {out}"
    )


_KEYS = {
    "seed": ("seed",),
    "size": ("films", "size"),
    "prevalence": ("fractures", "prevalence"),
    "drawn": ("drawn",),
    "laterals": ("films", "lateral_share"),
    "coding_system": ("coding_system",),
    "transfer_syntax": ("transfer_syntax",),
}


def _set(document: dict[str, object], keys: tuple[str, ...], value: object) -> None:
    for key in keys[:-1]:
        inner = document.setdefault(key, {})
        if not isinstance(inner, dict):
            return  # the parser names the wrong key
        document = inner
    document[keys[-1]] = value
