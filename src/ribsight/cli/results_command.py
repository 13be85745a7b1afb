"""`ribsight results`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ribsight.cli.at_work_options import at_work_options, load_at_work

if TYPE_CHECKING:
    from ribsight.deployment.at_work import DetectorAtWork
    from ribsight.deployment.results.heat import HeatMap
    from ribsight.radiographs import Radiograph

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("predictions", metavar="PREDICTIONS.json", type=_PATH)
@click.option(
    "--model", type=_PATH, required=True, metavar="RUN_OR_MODEL",
    help="What made the predictions, as ribsight predict takes it.",
)  # fmt: skip
@click.option("--out", type=_PATH, required=True, metavar="DIR", help="The folder to write to.")
@click.option(
    "--objects", default="sr,sc", show_default=True, metavar="KIND,KIND",
    help="sr, structured report; sc, a copy with boxes drawn; gsps, presentation state; heatmap.",
)  # fmt: skip
@click.option(
    "--sr", "sr", type=click.Choice(["comprehensive-3d", "comprehensive"]),
    default="comprehensive-3d", show_default=True, help="Class of the structured report.",
)  # fmt: skip
@click.option(
    "--least-score", type=click.FloatRange(0, 1),
    help="Report marks from this score on, without certainty. [default: the model's thresholds]",
)  # fmt: skip
@click.option(
    "--pictures-of", default="found,nothing,not-processed", show_default=True,
    metavar="WHAT,WHAT", help="Which images get copies, where these stand among the films.",
)  # fmt: skip
@click.option("--codes", type=_PATH, metavar="TOML", help="Codes of findings and their sites.")
@click.option(
    "--longest-side", type=click.IntRange(256, 8192), default=2048, show_default=True,
    help="Pixels of a copy's film; larger ones are reduced.",
)  # fmt: skip
@click.option(
    "--series-number", type=click.IntRange(1, 99_999), default=910, show_default=True,
    help="Of the reports; copies, states and heat maps have the next ones.",
)  # fmt: skip
@click.option(
    "--images", multiple=True, type=_PATH, metavar="PATH",
    help="The archive that was predicted; files and folders are found without.",
)  # fmt: skip
@at_work_options
@click.option("--quiet", is_flag=True, help="No progress bar.")
def results(
    predictions: Path,
    model: Path,
    out: Path,
    objects: str,
    sr: str,
    least_score: float | None,
    pictures_of: str,
    codes: Path | None,
    longest_side: int,
    series_number: int,
    images: tuple[Path, ...],
    ensemble: tuple[Path, ...],
    *,
    tta: bool,
    quiet: bool,
) -> None:
    """Write predictions as DICOM objects for archives and viewers.

    For each DICOM image: a structured report with boxes, scores and codes, and a copy with boxes
    drawn; also where nothing was found, or where the image was not scored, with the reason. The
    same command writes the same objects again. Originals are only read.
    """
    from ribsight.deployment.results import Outcome, ResultObject, ResultOptions, SrKind
    from ribsight.deployment.results.codes_file import read_codes
    from ribsight.deployment.results.folder import Maker, write_results
    from ribsight.evaluation.predictions_file import read_predictions

    wanted = frozenset(map(ResultObject, _words(objects, list(ResultObject), "--objects")))
    pictured = frozenset(map(Outcome, _words(pictures_of, list(Outcome), "--pictures-of")))
    said = read_predictions(predictions)
    options = ResultOptions(
        objects=wanted,
        sr=SrKind(sr),
        least_score=least_score,
        codes=read_codes(codes, said.findings) if codes else {},
        pictures_of=pictured,
        longest_side=longest_side,
        series_number=series_number,
    )
    at_work = load_at_work(model, ensemble, "cpu", None, tta=tta)
    heat = _heat_of(at_work) if ResultObject.HEATMAP in wanted else None
    maker = Maker(at_work.identity, options, _content_of(images), heat)
    done = write_results(said, maker, out, progress=not quiet)
    for file, reason in done.skipped:
        click.echo(f"ribsight: no results for {file}: it {reason}", err=True)
    count = sum(len(one["objects"]) for one in done.images)
    click.echo(
        f"{count} object{'s' * (count != 1)} about {len(done.images)} "
        f"image{'s' * (len(done.images) != 1)}, {len(done.skipped)} skipped -> {out}"
    )


def _words(given: str, known: list[str], option: str) -> list[str]:
    from ribsight.errors import RibsightError, nearest

    said = [one.strip() for one in given.split(",") if one.strip()]
    for one in said:
        if one not in known:
            raise RibsightError(
                f"{option} knows {', '.join(known)}, not '{one}'{nearest(one, known)}"
            )
    if not said and option == "--objects":
        raise RibsightError(f"{option} names nothing to write: {', '.join(known)}")
    return said


def _content_of(images: tuple[Path, ...]) -> Callable[[str], bytes]:
    from ribsight.deployment.inputs import given_images
    from ribsight.radiographs.eligibility import Policy
    from ribsight.radiographs.read import read_bytes

    given = {one.file: one for one in given_images(images, Policy())} if images else {}
    return lambda file: given[file].content() if file in given else read_bytes(Path(file))


def _heat_of(at_work: DetectorAtWork) -> Callable[[Radiograph], HeatMap]:
    from ribsight.deployment.results.heat import HeatMap

    def heat(radiograph: Radiograph) -> HeatMap:
        prepared = at_work.prepare(radiograph)
        maps = at_work.maps([prepared])[0]
        return HeatMap(maps, prepared.stored.affine, at_work.preprocessing.size)

    return heat
