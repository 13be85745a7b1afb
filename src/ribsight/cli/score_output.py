"""What `ribsight score` and `ribsight compare` write and print."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ribsight.errors import RibsightError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ribsight.evaluation.gallery import Picture, ReadPixels
    from ribsight.evaluation.results import Comparison
    from ribsight.evaluation.score import Scored
    from ribsight.evaluation.trainings import Trained


def write_outputs(
    scored: Scored,
    comparisons: Sequence[Comparison],
    out: Path,
    gallery: Sequence[Picture],
    *,
    png: bool,
    training: Sequence[Mapping[str, Any]] | None = None,
) -> None:
    """Write report.html, figures.csv and the plots.

    Args:
        scored: the detector that the report is about.
        comparisons: with others.
        out: folder.
        gallery: drawn examples.
        png: whether to write plots as PNG too.
        training: rows of the run's `metrics.jsonl`, or None.
    """
    from ribsight.evaluation.report import write_plots, write_report
    from ribsight.evaluation.tables import as_csv, difference_rows, figure_rows
    from ribsight.files import write_text

    rows = figure_rows(scored.evaluation)
    for one in comparisons:
        other = one.a if one.b is scored.evaluation else one.b
        rows += [*figure_rows(other), *difference_rows(one)]
    write_text(out / "figures.csv", as_csv(rows))
    write_plots(out / "plots", scored.evaluation, comparisons, png=png)
    write_report(out / "report.html", scored.evaluation, gallery, training, comparisons)


def gallery_from(scored: Scored, pictures: Path | None) -> list[Picture]:
    """Return the examples drawn on the pictures of a folder; none without a folder."""
    from ribsight.evaluation.gallery import finding_gallery

    if pictures is None:
        return []
    read = _reader(pictures)
    return [
        picture
        for one in scored.measured.values()
        for picture in finding_gallery(one.truth, one.reading, one.table, read)
    ]


def _reader(folder: Path) -> ReadPixels:
    from ribsight.radiographs.preprocess import eight_bit
    from ribsight.radiographs.read import read_radiograph

    if not folder.is_dir():
        raise RibsightError(f"--pictures: there is no folder {folder}")
    files = {path.stem: path for path in sorted(folder.rglob("*")) if path.is_file()}

    def read(image: str) -> Any:
        path = files.get(image) or files.get(Path(image).stem)
        if path is None:
            raise RibsightError(f"--pictures: {folder} has no picture of image {image}")
        return eight_bit(read_radiograph(path))

    return read


def said(
    scored: Scored,
    comparisons: Sequence[Comparison],
    form: str,
    trainings: Sequence[Trained] = (),
) -> str:
    """Return what is printed, in the form asked for."""
    from ribsight.evaluation import tables
    from ribsight.evaluation import trainings as summaries
    from ribsight.evaluation.documents import comparison_document, evaluation_document

    if form == "json":
        document: Any = evaluation_document(scored.evaluation)
        if comparisons:
            document = [comparison_document(one) for one in comparisons]
        if trainings:
            document = {
                "comparisons": document,
                "trainings": summaries.trained_document(trainings),
            }
        return json.dumps(document, indent=1, allow_nan=False)
    if form == "csv" and trainings:
        return summaries.trained_csv(trainings).rstrip("\n")
    if form == "csv":
        rows = [row for one in comparisons for row in tables.difference_rows(one)]
        return tables.as_csv(rows or tables.figure_rows(scored.evaluation)).rstrip("\n")
    if form == "md":
        if comparisons:
            text = tables.difference_markdown(comparisons)
            return f"{text}\n{summaries.trained_markdown(trainings)}" if trainings else text
        return tables.as_markdown(scored.evaluation)
    if comparisons:
        protocol = scored.evaluation.protocol
        texts = [tables.difference_text(one) for one in comparisons]
        if trainings:
            texts.append("trainings: means with intervals over trainings and patients")
            texts += summaries.trained_lines(trainings)
        return "\n".join([*texts, f"protocol {protocol.name}: {protocol.describe()}"])
    return tables.as_text(scored.evaluation)
