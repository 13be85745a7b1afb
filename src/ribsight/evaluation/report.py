"""One self-contained HTML page: what a reader of an evaluation needs, and nothing from outside."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ribsight.evaluation.drawing import MARK_COLOUR, TRUTH_COLOUR
from ribsight.evaluation.gallery import Picture
from ribsight.evaluation.plots import froc_svg, roc_svg, training_svgs
from ribsight.evaluation.results import (
    Comparison,
    Evaluation,
    Figure,
    FindingResult,
)
from ribsight.files import write_text

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


def write_report(
    path: Path,
    evaluation: Evaluation,
    gallery: Sequence[Picture],
    training: Sequence[Mapping[str, Any]] | None,
    comparison: Comparison | None = None,
) -> None:
    """Write `report.html` in one step.

    Args:
        path: of the page.
        evaluation: the figures it shows.
        gallery: drawn examples, from `make_gallery`; may be empty.
        training: rows of the run's `metrics.jsonl`, or None.
        comparison: adds a table of differences and the other model's curves.

    Raises:
        RibsightError: `path` cannot be written.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

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
        findings=[
            {
                "result": result,
                "summary": summary(result, evaluation.split),
                "roc": roc_svg(_overlay(evaluation, comparison, result)) if result.roc else "",
                "froc": froc_svg(_overlay(evaluation, comparison, result)) if result.froc else "",
                "gallery": _by_kind(gallery, result.finding),
            }
            for result in evaluation.findings
        ],
        training=training_svgs(training or []),
        comparison=comparison,
        colours={"truth": TRUTH_COLOUR, "mark": MARK_COLOUR},
    )
    write_text(path, page)


def summary(result: FindingResult, split: str) -> str:
    """Return the figures of a finding as plain sentences with their intervals."""
    counts = result.counts
    sentences = [
        f"Measured on {counts.images} radiographs of the {split} split: {counts.positive} with "
        f"{_plain(result.finding)} ({counts.lesions} drawn regions), {counts.negative} without."
    ]
    if result.auroc.value is None:
        sentences.append(f"{_sentence(result.auroc.note)}.")
    else:
        sentences.append(
            "Shown one radiograph with and one without, the detector scores the right one higher "
            f"{_percent(result.auroc)} of the time (AUROC {_in_words(result.auroc)})."
        )
    if result.froc_score.value is None:
        sentences.append(f"{_sentence(result.froc_score.note)}.")
    else:
        first, last = result.sensitivity_at[0], result.sensitivity_at[-1]
        sentences.append(
            f"It finds {_percent(last.sensitivity)} of the regions at the price of "
            f"{last.false_positives_per_image:g} false marks per image, and "
            f"{_percent(first.sensitivity)} at {first.false_positives_per_image:g} "
            f"(FROC score {_in_words(result.froc_score)})."
        )
    return " ".join(sentences)


def _overlay(
    evaluation: Evaluation, comparison: Comparison | None, result: FindingResult
) -> list[tuple[str, FindingResult]]:
    """Return the model's result, then the other compared model's if it has this finding."""
    models = [(evaluation.model, result)]
    if comparison is not None:
        shown = evaluation.model_sha256
        other = comparison.a if comparison.b.model_sha256 == shown else comparison.b
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
