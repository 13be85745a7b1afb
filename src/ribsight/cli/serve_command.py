"""`ribsight serve` and `ribsight audit`."""

from __future__ import annotations

from pathlib import Path

import click

from ribsight.cli.at_work_options import at_work_options, load_at_work

_PATH = click.Path(path_type=Path)


@click.command()
@click.option("--model", metavar="RUN_OR_MODEL", type=_PATH, required=True, help="The detector.")
@click.option(
    "--data", metavar="DIR", type=_PATH, required=True,
    help="Where images, results and the database are kept.",
)  # fmt: skip
@click.option("--config", metavar="FILE.toml", type=_PATH, help="Settings; docs/service.md.")
@at_work_options
@click.option("--accelerator", type=click.Choice(["cpu", "cuda", "mps"]), default="cpu")
@click.option(
    "--threads", type=click.IntRange(min=1),
    help="Of the network. [default: as its runtime thinks best]",
)  # fmt: skip
def serve(
    model: Path,
    data: Path,
    config: Path | None,
    ensemble: tuple[Path, ...],
    accelerator: str,
    threads: int | None,
    *,
    tta: bool,
) -> int:
    """Take images by DICOM and HTTP, and send what is found to archives.

    Without --config it listens on 127.0.0.1 only: DICOM on port 11112, HTTP on port 8042. SIGTERM
    or Ctrl-C stops it; what is worked on is finished or kept for the next start.
    """
    from ribsight.errors import RibsightError

    try:
        from ribsight.deployment.service.run import run
    except ModuleNotFoundError as error:
        if not error.name or error.name.startswith("ribsight"):
            raise
        raise RibsightError(
            f"serving needs {error.name}: pip install 'ribsight[service]'"
        ) from error
    return run(lambda: load_at_work(model, ensemble, accelerator, threads, tta=tta), data, config)


@click.command()
@click.argument("log", metavar="AUDIT_LOG", type=_PATH)
def audit(log: Path) -> None:
    """Check that nobody changed the audit log of a service (DIR/audit.jsonl)."""
    from ribsight.deployment.service.audit import verify

    lines, last = verify(log)
    click.echo(f"{lines} lines, unchanged; the last hash is {last}")
