"""What `ribsight score` and `ribsight compare` write and print."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ribsight.errors import RibsightError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ribsight.evaluation.gallery import Picture, ReadPixels
    from ribsight.evaluation.results import Comparison
    from ribsight.evaluation.score import Scored


def write_outputs(scored: Scored, comparisons: Sequence[Comparison], asked: dict[str, Any]) -> None:
    """Write report.html, figures.csv and the plots."""
    from ribsight.evaluation.report import write_plots, write_report
    from ribsight.evaluation.tables import as_csv, difference_rows, figure_rows
    from ribsight.files import write_text

    out: Path = asked["out"]
    rows = figure_rows(scored.evaluation)
    for one in comparisons:
        rows += [*figure_rows(one.b), *difference_rows(one)]
    write_text(out / "figures.csv", as_csv(rows))
    write_plots(out / "plots", scored.evaluation, comparisons, png=asked["png"])
    gallery = _gallery(scored, asked["pictures"])
    write_report(out / "report.html", scored.evaluation, gallery, None, comparisons)


def _gallery(scored: Scored, pictures: Path | None) -> list[Picture]:
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


def said(scored: Scored, comparisons: Sequence[Comparison], form: str) -> str:
    """Return what is printed, in the form asked for."""
    from ribsight.evaluation import tables
    from ribsight.evaluation.documents import comparison_document, evaluation_document

    if form == "json":
        document = (
            [comparison_document(one) for one in comparisons]
            if comparisons
            else evaluation_document(scored.evaluation)
        )
        return json.dumps(document, indent=1, allow_nan=False)
    if form == "csv":
        rows = [row for one in comparisons for row in tables.difference_rows(one)]
        return tables.as_csv(rows or tables.figure_rows(scored.evaluation)).rstrip("\n")
    if form == "md":
        if comparisons:
            return tables.difference_markdown(comparisons)
        return tables.as_markdown(scored.evaluation)
    if comparisons:
        protocol = scored.evaluation.protocol
        texts = [tables.difference_text(one) for one in comparisons]
        return "\n".join([*texts, f"protocol {protocol.name}: {protocol.describe()}"])
    return tables.as_text(scored.evaluation)
