"""Results as rows, CSV, Markdown and plain text; every row names its protocol."""

from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl

from ribsight.evaluation.results import Comparison, Evaluation, Figure, FindingResult, NamedFigure

_LEVELS = {
    "image": "Images",
    "patient": "Patients",
    "region": "Regions",
    "calibration": "Image scores as probabilities",
}
_COLUMNS = pl.Schema(
    {
        "model": pl.String(),
        "finding": pl.String(),
        "split": pl.String(),
        "column": pl.String(),
        "stratum": pl.String(),
        "key": pl.String(),
        "figure": pl.String(),
        "value": pl.Float64(),
        "low": pl.Float64(),
        "high": pl.Float64(),
        "p_bootstrap": pl.Float64(),
        "p_permutation": pl.Float64(),
        "p_holm": pl.Float64(),
        "note": pl.String(),
        "protocol": pl.String(),
    }
)


def figure_rows(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Return one row for each figure of the whole and of every stratum."""
    rows = []
    for result in evaluation.findings:
        parts = [("", "", result.figures)]
        parts += [(one.column, one.label, one.figures) for one in result.strata]
        for column, label, figures in parts:
            rows += [
                {
                    "model": evaluation.model,
                    "finding": result.finding,
                    "split": evaluation.split,
                    "column": column,
                    "stratum": label,
                    "key": one.key,
                    "figure": one.label,
                    **_bounds(one.figure),
                    "protocol": evaluation.protocol.describe(),
                }
                for one in figures
            ]
    return rows


def difference_rows(comparison: Comparison) -> list[dict[str, Any]]:
    """Return one row for each difference b - a."""
    return [
        {
            "model": f"{comparison.b.model} - {comparison.a.model}",
            "finding": difference.finding,
            "split": comparison.b.split,
            "key": one.key,
            "figure": one.label,
            **_bounds(one.difference),
            "p_bootstrap": one.p,
            "p_permutation": one.p_permutation,
            "p_holm": one.p_holm,
            "protocol": comparison.b.protocol.describe(),
        }
        for difference in comparison.differences
        for one in difference.figures
    ]


def as_csv(rows: Sequence[dict[str, Any]]) -> str:
    """Return rows of `figure_rows` and `difference_rows` as CSV with a header."""
    columns = {name: [one.get(name) for one in rows] for name in _COLUMNS}
    return pl.DataFrame(columns, schema=_COLUMNS).write_csv()


def as_markdown(evaluation: Evaluation) -> str:
    """Return an evaluation as Markdown: figures, operating points, strata, protocol."""
    lines = [f"# {evaluation.model} on {evaluation.split}", ""]
    for result in evaluation.findings:
        lines += [f"## {result.finding}", "", counts_sentence(result), ""]
        lines += _table(("figure", "value", "95 % interval"), _figure_cells(main_figures(result)))
        for point in result.operating_points:
            own = [one for one in result.figures if one.key.startswith(f"{point.aim}/")]
            lines += [f"At {threshold_words(point.aim, point.threshold, point.chosen_on)}:", ""]
            lines += _table(("figure", "value", "95 % interval"), _figure_cells(own))
        if result.strata:
            cells = (
                (f"{one.column}: {one.label}", str(one.lesions), named.label, *_cells(named.figure))
                for one in result.strata
                for named in one.figures
            )
            lines += _table(("part", "regions", "figure", "value", "95 % interval"), cells)
    lines += [f"Protocol `{evaluation.protocol.name}`: {evaluation.protocol.describe()}", ""]
    lines += [
        f"Intervals: {evaluation.replicates} resamples of groups, seed {evaluation.seed}. "
        f"Model `{evaluation.model_sha256[:12]}`, data `{evaluation.cohort_fingerprint[:12]}`.",
        "",
    ]
    return "\n".join(lines)


def difference_markdown(comparisons: Sequence[Comparison]) -> str:
    """Return comparisons as Markdown tables."""
    lines: list[str] = []
    for comparison in comparisons:
        for difference in comparison.differences:
            lines += [
                f"## {difference.finding}: {comparison.b.model} - {comparison.a.model}, paired",
                "",
            ]
            cells = (
                (
                    one.label,
                    *_cells(one.difference, "+"),
                    p_words(one.p),
                    p_words(one.p_permutation),
                    p_words(one.p_holm),
                )
                for one in difference.figures
            )
            header = ("figure", "difference", "95 % interval", "p", "p permutation", "p Holm")
            lines += _table(header, cells)
    if comparisons:
        protocol = comparisons[0].b.protocol
        lines += [f"Protocol `{protocol.name}`: {protocol.describe()}", ""]
    return "\n".join(lines)


def as_text(evaluation: Evaluation) -> str:
    """Return the figures for a terminal."""
    lines = [f"{evaluation.model} on {evaluation.split}"]
    for result in evaluation.findings:
        lines += [f"  {result.finding}: {counts_sentence(result)}"]
        figures = main_figures(result)
        width = max(len(one.label) for one in figures)
        lines += [f"    {one.label:{width}}  {in_words(one.figure)}" for one in figures]
        for point in result.operating_points:
            lines.append(f"    at {threshold_words(point.aim, point.threshold, point.chosen_on)}")
            own = [one for one in result.figures if one.key.startswith(f"{point.aim}/")]
            for one in own:
                label = one.label.removesuffix(f", {point.aim}")
                lines.append(f"      {label:{width - 2}}  {in_words(one.figure)}")
    lines.append(f"  protocol {evaluation.protocol.name}: {evaluation.protocol.describe()}")
    return "\n".join(lines)


def difference_text(comparison: Comparison) -> str:
    """Return the differences for a terminal."""
    lines = [f"{comparison.b.model} - {comparison.a.model}, paired"]
    for difference in comparison.differences:
        lines.append(f"  {difference.finding}")
        width = max(len(one.label) for one in difference.figures)
        for one in difference.figures:
            words = in_words(one.difference, sign="+")
            if one.p_permutation is not None:
                words += f", p {p_words(one.p_permutation)}, Holm {p_words(one.p_holm)}"
            elif one.key.endswith("_delong") and one.p is not None:
                words += f", p {p_words(one.p)}"
            lines.append(f"    {one.label:{width}}  {words}")
    return "\n".join(lines)


def main_figures(result: FindingResult) -> list[NamedFigure]:
    """Return the figures that belong to no operating point, images first."""
    figures = [one for one in result.figures if "/" not in one.key]
    return sorted(figures, key=lambda one: list(_LEVELS).index(one.level))


def by_level(figures: Iterable[NamedFigure]) -> list[tuple[str, list[NamedFigure]]]:
    """Return the figures under the headings of their levels."""
    groups: dict[str, list[NamedFigure]] = {}
    for one in figures:
        groups.setdefault(_LEVELS[one.level], []).append(one)
    return list(groups.items())


def counts_sentence(result: FindingResult) -> str:
    """Return what the figures stand on."""
    counts = result.counts
    return (
        f"{counts.images} images of {counts.groups} groups, {counts.positive} positive, "
        f"{counts.lesions} regions, {counts.marks} marks"
    )


def threshold_words(aim: str, threshold: float, chosen_on: str) -> str:
    """Return an operating point in words."""
    return f"threshold {threshold:.4g} (chosen on {chosen_on} for: {aim})"


def in_words(figure: Figure, sign: str = "") -> str:
    """Return a figure with its interval, or why there is none."""
    if figure.value is None:
        return f"not defined: {figure.note}"
    if figure.low is None or figure.high is None:
        note = f" (no interval: {figure.note.removeprefix('no interval: ')})" if figure.note else ""
        return f"{figure.value:{sign}.3f}{note}"
    low, high = (f"{value:{sign}.3f}" for value in (figure.low, figure.high))
    return f"{figure.value:{sign}.3f} (95 % interval {low} to {high})"


def p_words(p: float | None) -> str:
    """Return a p value with three digits, or nothing."""
    return "" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def _bounds(figure: Figure) -> dict[str, Any]:
    return {
        "value": figure.value,
        "low": figure.low,
        "high": figure.high,
        "note": figure.note,
    }


def _figure_cells(figures: Iterable[NamedFigure]) -> Iterable[tuple[str, ...]]:
    return ((one.label, *_cells(one.figure)) for one in figures)


def _cells(figure: Figure, sign: str = "") -> tuple[str, str]:
    if figure.value is None:
        return "", figure.note
    if figure.low is None or figure.high is None:
        return f"{figure.value:{sign}.3f}", figure.note
    return f"{figure.value:{sign}.3f}", f"{figure.low:{sign}.3f} to {figure.high:{sign}.3f}"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(header) + " |", "| " + " | ".join("---" for _ in header) + " |"]
    lines += ["| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |" for row in rows]
    return [*lines, ""]
