"""Curves and strata of evaluations, one model or several, with their 95 % bands."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ribsight.evaluation.canvas import COLOURS, INK, STYLES, Plot, blank, legend, square
from ribsight.evaluation.names import level_and_label
from ribsight.evaluation.results import Curve, Figure, FindingResult, Stratum
from ribsight.evaluation.trainings import Trained

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "forest_plot",
    "froc_plot",
    "froc_svg",
    "learning_plot",
    "reliability_plot",
    "roc_plot",
    "roc_svg",
    "wafroc_plot",
]

Models = Sequence[tuple[str, FindingResult]]
"""Name and result of one finding for each model."""


def roc_svg(models: Models) -> str:
    """Return `roc_plot` as an inline SVG."""
    return roc_plot(models).svg()


def froc_svg(models: Models) -> str:
    """Return `froc_plot` as an inline SVG."""
    return froc_plot(models).svg()


def roc_plot(models: Models) -> Plot:
    """Draw the ROC curves of a finding, one a (name, result), with 95 % bands."""
    canvas, axes = square("1 - specificity", "sensitivity")
    axes.plot([0, 1], [0, 1], color=INK, linewidth=0.7, alpha=0.4)
    for index, (name, result) in enumerate(models):
        if result.roc is not None:
            _draw(axes, result.roc, f"AUROC {result.auroc.value:.3f} ({name})", index, step=False)
    axes.set_xlim(0, 1)
    legend(axes)
    finding = models[0][1].finding
    alt = f"ROC of {finding} with 95 % bands: sensitivity against 1 - specificity"
    return Plot(canvas, f"roc-{finding}", alt)


def froc_plot(models: Models) -> Plot:
    """Draw the FROC curves of a finding with 95 % bands; dots are the operating points."""
    canvas, axes = square("false positives per image", "share of regions hit")
    for index, (name, result) in enumerate(models):
        if result.froc is None:
            continue
        score = "" if result.froc_score.value is None else f"{result.froc_score.value:.3f} "
        _draw(axes, result.froc, f"FROC score {score}({name})", index, step=True)
        dots = [
            (one.false_positives_per_image, one.sensitivity.value)
            for one in result.sensitivity_at
            if one.sensitivity.value is not None
        ]
        if dots:
            axes.plot(
                *zip(*dots, strict=True),
                "o",
                color=COLOURS[index % len(COLOURS)],
                markersize=5,
                markeredgecolor="white",
            )
        axes.set_xlim(0, result.froc.x[-1])
    legend(axes)
    finding = models[0][1].finding
    alt = f"FROC of {finding} with 95 % bands: regions hit against false positives per image"
    return Plot(canvas, f"froc-{finding}", alt)


def wafroc_plot(models: Models) -> Plot:
    """Draw the wAFROC curves of a finding with 95 % bands."""
    canvas, axes = square(
        "share of images without the finding that have a mark", "weighted share of regions hit"
    )
    for index, (name, result) in enumerate(models):
        area = result.find("wafroc")
        if result.wafroc is not None and area is not None:
            label = f"wAFROC AUC {area.value:.3f} ({name})"
            _draw(axes, result.wafroc, label, index, step=False)
    axes.set_xlim(0, 1)
    legend(axes)
    finding = models[0][1].finding
    alt = (
        f"wAFROC of {finding} with 95 % bands: weighted share of regions hit against the share of "
        "images without the finding that have a mark"
    )
    return Plot(canvas, f"wafroc-{finding}", alt)


def reliability_plot(models: Models) -> Plot:
    """Draw what image scores say against what is true, with 95 % intervals."""
    canvas, axes = square("mean score of the bin", "share with the finding")
    axes.plot([0, 1], [0, 1], color=INK, linewidth=0.7, alpha=0.4)
    for index, (name, result) in enumerate(models):
        bins, error = result.reliability, result.find("ece")
        if bins is None or error is None or error.value is None:
            continue
        reach = np.abs(np.stack([bins.low, bins.high]) - bins.true)
        axes.errorbar(
            bins.said,
            bins.true,
            yerr=np.nan_to_num(reach),
            fmt="o" + STYLES[index % len(STYLES)],
            color=COLOURS[index % len(COLOURS)],
            markersize=4,
            linewidth=1.2,
            label=_label(f"calibration error {error.value:.3f} ({name})"),
        )
    axes.set_xlim(0, 1)
    legend(axes)
    finding = models[0][1].finding
    alt = f"Reliability of {finding}: share with the finding against the mean score, in bins"
    return Plot(canvas, f"reliability-{finding}", alt)


def forest_plot(result: FindingResult, key: str = "wafroc") -> Plot | None:
    """Draw one figure of every stratum with its interval, and the whole as a line."""
    rows = [(one, value) for one in result.strata if (value := _value(one, key)) is not None]
    whole = result.find(key)
    if not rows or whole is None or whole.value is None:
        return None
    canvas, axes = blank(4.4, 0.9 + 0.27 * len(rows))
    label = next(one.label for one in result.figures if one.key == key)
    axes.axvline(whole.value, color=INK, linewidth=0.9, alpha=0.6)
    for place, (one, value) in enumerate(rows):
        low, middle, high = value
        colour = COLOURS[list(dict.fromkeys(r.column for r, _ in rows)).index(one.column) % 4]
        axes.plot([low, high], [place, place], color=colour, linewidth=1.8)
        axes.plot([middle], [place], "s", color=colour, markersize=4)
    names = [f"{one.column}: {one.label} ({one.lesions})".replace("_", " ") for one, _ in rows]
    axes.set_yticks(range(len(rows)), [name.replace("$", r"\$") for name in names], fontsize=9)
    axes.set(xlim=(0, 1), ylim=(len(rows) - 0.5, -0.5), xlabel=label)
    alt = f"{label} of {result.finding} in {len(rows)} strata with 95 % intervals, in the table too"
    return Plot(canvas, f"strata-{result.finding}", alt)


def learning_plot(rows: Sequence[Trained]) -> Plot:
    """Draw one figure of one finding against drawn regions: a line a method, a dot a training.

    Args:
        rows: of `summarize`, all of one finding and figure, with their `regions`.
    """
    from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

    finding, key = rows[0].finding, rows[0].summary.key
    label = level_and_label(key)[1]
    canvas, axes = square("drawn regions", label)
    amounts = sorted({float(one.regions or 0) for one in rows})
    for index, method in enumerate(dict.fromkeys(one.method for one in rows)):
        own = sorted(
            (one for one in rows if one.method == method), key=lambda one: one.regions or 0
        )
        colour = COLOURS[index % len(COLOURS)]
        x = [float(one.regions or 0) for one in own]
        low, mean, high = np.array([_ends(one.summary.mean) for one in own]).T
        axes.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0)
        axes.vlines(x, low, high, color=colour, alpha=0.5, linewidth=0.8)
        axes.plot(
            x,
            mean,
            marker="o",
            markersize=4,
            linestyle=STYLES[index % len(STYLES)],
            color=colour,
            linewidth=1.8,
            label=_label(method),
        )
        dots = [(float(one.regions or 0), value) for one in own for value in one.summary.seeds]
        if dots:
            axes.plot(*zip(*dots, strict=True), "o", color=colour, markersize=2.5, alpha=0.6)
    if amounts[0] > 0 and amounts[-1] >= 4 * amounts[0]:
        axes.set_xscale("log")
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xticks(amounts)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.autoscale(axis="y")
    axes.margins(y=0.08)
    legend(axes)
    alt = (
        f"{label} of {finding} against the number of drawn regions; shaded: 95 % over trainings "
        "and patients; small dots: single trainings"
    )
    return Plot(canvas, f"learning-{key}-{finding}", alt)


def _ends(figure: Figure) -> tuple[float, float, float]:
    """Return low, value and high; the value where there is no interval."""
    assert figure.value is not None
    if figure.low is None or figure.high is None:
        return figure.value, figure.value, figure.value
    return figure.low, figure.value, figure.high


def _value(stratum: Stratum, key: str) -> tuple[float, float, float] | None:
    """Return low, value and high of a stratum's figure; None without them."""
    for one in stratum.figures:
        figure = one.figure
        if one.key == key and figure.value is not None and figure.low is not None:
            return figure.low, figure.value, figure.high if figure.high is not None else 1.0
    return None


def _draw(axes: "Axes", curve: Curve, label: str, index: int, *, step: bool) -> None:
    colour = COLOURS[index % len(COLOURS)]
    if curve.low is not None and curve.high is not None:
        axes.fill_between(
            curve.x,
            curve.low,
            curve.high,
            step="post" if step else None,
            color=colour,
            alpha=0.18,
            linewidth=0,
        )
    axes.plot(
        np.append(0, curve.x),
        np.append(0, curve.y),
        drawstyle="steps-post" if step else "default",
        linestyle=STYLES[index % len(STYLES)],
        color=colour,
        linewidth=1.8,
        label=_label(label),
    )


def _label(text: str) -> str:
    # A dollar sign in a model's name is not mathematics.
    return textwrap.fill(text, 42).replace("$", r"\$")
