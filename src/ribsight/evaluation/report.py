"""One self-contained HTML page: what a reader of an evaluation needs, and nothing from outside."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ribsight.evaluation.canvas import Plot
from ribsight.evaluation.checklists import checklist
from ribsight.evaluation.drawing import MARK_COLOUR, TRUTH_COLOUR
from ribsight.evaluation.gallery import Picture
from ribsight.evaluation.names import less_is_better
from ribsight.evaluation.plots import (
    forest_plot,
    froc_plot,
    reliability_plot,
    roc_plot,
    wafroc_plot,
)
from ribsight.evaluation.results import (
    Comparison,
    Evaluation,
    Figure,
    FindingResult,
)
from ribsight.evaluation.tables import by_level, main_figures
from ribsight.evaluation.training_plots import concerns_of, health_svgs, training_svgs
from ribsight.files import write_bytes, write_text

_KINDS = {
    "hit": ("Hits", "The marks with the highest scores that hit a region."),
    "missed": (
        "Missed regions",
        "Regions without a mark at the last operating point, worst first.",
    ),
    "false_alarm": (
        "False alarms",
        "The marks with the highest scores on images without the finding.",
    ),
}
_CAPTIONS = {
    "roc": "ROC: how well image scores separate. Shaded: pointwise 95\u00a0% band. Thin line: "
    "chance.",
    "froc": "FROC: regions found against the false marks they cost. Dots: the operating points of "
    "the protocol.",
    "wafroc": "wAFROC: regions found against the images without the finding that are marked; every "
    "image with the finding counts alike. No operating points are needed.",
    "reliability": "Reliability: a detector whose scores mean what they say lies on the thin line. "
    "Bins hold equally many images.",
}


def write_report(
    path: Path,
    evaluation: Evaluation,
    gallery: Sequence[Picture],
    training: Sequence[Mapping[str, Any]] | None,
    comparison: Comparison | Sequence[Comparison] | None = None,
) -> None:
    """Write `report.html` in one step.

    Args:
        path: of the page.
        evaluation: the figures it shows.
        gallery: drawn examples, from `make_gallery`; may be empty.
        training: rows of the run's `metrics.jsonl`, or None.
        comparison: one or several; each adds a table of differences and a model's curves.

    Raises:
        RibsightError: `path` cannot be written.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    comparisons = [comparison] if isinstance(comparison, Comparison) else list(comparison or [])
    environment = Environment(
        loader=PackageLoader("ribsight.evaluation"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(plain=_plain, p=_format_p)
    page = environment.get_template("report.html.j2").render(
        evaluation=evaluation,
        on_split="" if evaluation.split == "all" else f" on the {evaluation.split} split",
        findings=[_section(evaluation, comparisons, one, gallery) for one in evaluation.findings],
        training=training_svgs(training or []),
        health=health_svgs(training or []),
        concerns=concerns_of(training or []),
        comparisons=comparisons,
        colours={"truth": TRUTH_COLOUR, "mark": MARK_COLOUR},
        less_is_better=less_is_better,
    )
    write_text(path, page)


def write_plots(
    folder: Path,
    evaluation: Evaluation,
    comparisons: Sequence[Comparison] = (),
    *,
    png: bool = False,
) -> list[Path]:
    """Write every plot as SVG, and as PNG if asked for; return the files.

    Raises:
        RibsightError: the folder cannot be written to.
    """
    written = []
    for result in evaluation.findings:
        for plot in _plots(evaluation, comparisons, result).values():
            files = {".svg": plot.svg_file()} | ({".png": plot.png_file()} if png else {})
            for ending, content in files.items():
                path = folder / f"{plot.name}{ending}"
                write_bytes(path, content)
                written.append(path)
    return written


def summary(result: FindingResult, split: str) -> str:
    """Return the figures of a finding as plain sentences with their intervals."""
    counts = result.counts
    of_split = "" if split == "all" else f" of the {split} split"
    sentences = [
        f"Measured on {counts.images} radiographs{of_split}: {counts.positive} with "
        f"{_plain(result.finding)} ({counts.lesions} drawn regions), {counts.negative} without."
    ]
    if result.auroc.value is None:
        sentences.append(f"{_sentence(result.auroc.note)}.")
    else:
        sentences.append(
            "Shown one radiograph with and one without, the detector scores the right one higher "
            f"{_percent(result.auroc)} of the time (AUROC {_in_words(result.auroc)})."
        )
    first, last = result.sensitivity_at[0], result.sensitivity_at[-1]
    if result.froc_score.value is None or last.sensitivity.value is None:
        sentences.append(f"{_sentence(result.froc_score.note)}.")
    else:
        sentences.append(
            f"It finds {_percent(last.sensitivity)} of the regions at the price of "
            f"{last.false_positives_per_image:g} false marks per image, and "
            f"{_percent(first.sensitivity)} at {first.false_positives_per_image:g} "
            f"(FROC score {_in_words(result.froc_score)})."
        )
    return " ".join(sentences)


def _section(
    evaluation: Evaluation,
    comparisons: Sequence[Comparison],
    result: FindingResult,
    gallery: Sequence[Picture],
) -> dict[str, Any]:
    plots = _plots(evaluation, comparisons, result)
    forest = plots.pop("strata", None)
    return {
        "result": result,
        "summary": summary(result, evaluation.split),
        "levels": by_level(main_figures(result)),
        "plots": [(plot.svg(), _CAPTIONS[name]) for name, plot in plots.items()],
        "forest": forest.svg() if forest else "",
        "own_points": any(one.chosen_on == evaluation.split for one in result.operating_points),
        "points": [(point, _at(result, point.aim)) for point in result.operating_points],
        "gallery": _by_kind(gallery, result.finding),
        "checklist": checklist(evaluation, result),
    }


def _at(result: FindingResult, aim: str) -> list[tuple[str, Figure]]:
    return [
        (one.label.removesuffix(f", {aim}"), one.figure)
        for one in result.figures
        if one.key.startswith(f"{aim}/")
    ]


def _plots(
    evaluation: Evaluation, comparisons: Sequence[Comparison], result: FindingResult
) -> dict[str, Plot]:
    models = _overlay(evaluation, comparisons, result)
    plots = {}
    if result.roc:
        plots["roc"] = roc_plot(models)
    if result.froc:
        plots["froc"] = froc_plot(models)
    if result.wafroc:
        plots["wafroc"] = wafroc_plot(models)
    if result.reliability and result.roc:
        plots["reliability"] = reliability_plot(models)
    forest = forest_plot(result) or forest_plot(result, "froc_score")
    if forest:
        plots["strata"] = forest
    return plots


def _overlay(
    evaluation: Evaluation, comparisons: Sequence[Comparison], result: FindingResult
) -> list[tuple[str, FindingResult]]:
    """Return the model's result, then the other compared models' if they have this finding."""
    models = [(evaluation.model, result)]
    for comparison in comparisons:
        shown = comparison.b is evaluation or (
            comparison.b.model_sha256 == evaluation.model_sha256
            and comparison.b.model == evaluation.model
        )
        other = comparison.a if shown else comparison.b
        models += [(other.model, one) for one in other.findings if one.finding == result.finding]
    return models


def _by_kind(gallery: Sequence[Picture], finding: str) -> list[dict[str, Any]]:
    return [
        {"title": title, "explanation": explanation, "pictures": pictures}
        for kind, (title, explanation) in _KINDS.items()
        if (pictures := [one for one in gallery if (one.finding, one.kind) == (finding, kind)])
    ]


def _plain(name: str) -> str:
    return name.replace("_", " ")


def _sentence(note: str) -> str:
    return note[:1].upper() + note[1:]


def _percent(figure: Figure) -> str:
    return "no figure" if figure.value is None else f"{figure.value * 100:.0f}\u00a0%"


def _in_words(figure: Figure) -> str:
    if figure.low is None or figure.high is None:
        return f"{figure.value:.3f}"
    return f"{figure.value:.3f}, 95\u00a0% interval {figure.low:.3f} to {figure.high:.3f}"


def _format_p(p: float | None) -> str:
    if p is None:
        return ""
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"
