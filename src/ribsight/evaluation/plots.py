"""Curves as inline SVG: text stays text, ink follows the page, equal input gives equal bytes."""

import io
import re
import textwrap
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from ribsight.evaluation.results import Curve, FindingResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

# Okabe and Ito's palette, told apart with every kind of colour vision; the line styles say the
# same in grey.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
_STYLES = ("-", "--", "-.", ":")
# matplotlib has no "colour of the surrounding text"; this stand-in becomes it.
_INK = "#010203"


def roc_svg(models: Sequence[tuple[str, FindingResult]]) -> str:
    """Return the ROC curves of a finding, one a (name, result), with 95 % bands."""
    canvas, axes = _square("1 - specificity", "sensitivity")
    axes.plot([0, 1], [0, 1], color=_INK, linewidth=0.7, alpha=0.4)
    for index, (name, result) in enumerate(models):
        if result.roc is not None:
            _draw(axes, result.roc, f"AUROC {result.auroc.value:.3f} ({name})", index, step=False)
    axes.set_xlim(0, 1)
    _legend(axes)
    finding = models[0][1].finding
    alt = f"ROC of {finding} with 95 % bands: sensitivity against 1 - specificity"
    return _svg(canvas, alt, f"roc-{finding}")


def froc_svg(models: Sequence[tuple[str, FindingResult]]) -> str:
    """Return the FROC curves of a finding with 95 % bands; dots are the operating points."""
    canvas, axes = _square("false positives per image", "share of regions hit")
    for index, (name, result) in enumerate(models):
        if result.froc is None:
            continue
        label = f"FROC score {result.froc_score.value:.3f} ({name})"
        _draw(axes, result.froc, label, index, step=True)
        dots = [
            (one.false_positives_per_image, one.sensitivity.value)
            for one in result.sensitivity_at
            if one.sensitivity.value is not None
        ]
        axes.plot(
            *zip(*dots, strict=True),
            "o",
            color=_COLOURS[index],
            markersize=5,
            markeredgecolor="white",
        )
        axes.set_xlim(0, result.froc.x[-1])
    _legend(axes)
    finding = models[0][1].finding
    alt = f"FROC of {finding} with 95 % bands: regions hit against false positives per image"
    return _svg(canvas, alt, f"froc-{finding}")


def training_svgs(records: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return (title, SVG) of what a run's metric records hold, and nothing for what they lack.

    Args:
        records: rows of `metrics.jsonl`: `kind` is `train` (with `loss`, `loss_known`,
            `loss_positive`, `share_without_push` by finding) or `validation` (with `auroc` and
            `froc` by finding, and `which` of the student and the teacher).
    """
    train = [one for one in records if one.get("kind") == "train"]
    validation = [one for one in records if one.get("kind") == "validation"]
    offsets = _stage_offsets(records)
    plots = (
        ("Loss", "loss", train, ("loss", "loss_known", "loss_positive")),
        ("AUROC on validation", "AUROC", validation, ("auroc",)),
        ("FROC score on validation", "FROC score", validation, ("froc",)),
        ("Record-positive images without push", "share of images", train, ("share_without_push",)),
    )
    return [
        (title, _training_svg(title, y_label, series))
        for title, y_label, rows, keys in plots
        if (series := _series(rows, keys, offsets))
    ]


Series = dict[str, list[tuple[float, float]]]
"""Label -> (step, value), steps counted on from stage to stage."""


def _series(
    records: Sequence[Mapping[str, Any]], keys: tuple[str, ...], offsets: Mapping[Any, float]
) -> Series:
    series: Series = {}
    for record in records:
        step = offsets[record.get("stage")] + _step(record)
        for label, value in (pair for key in keys for pair in _values(record, key)):
            if isinstance(value, int | float):
                series.setdefault(label, []).append((step, value))
    return series


def _stage_offsets(records: Sequence[Mapping[str, Any]]) -> dict[Any, float]:
    """Return what to add to each stage's steps so that stages follow one another."""
    offsets: dict[Any, float] = {}
    reached = 0.0
    for stage in dict.fromkeys(record.get("stage") for record in records):
        steps = [_step(record) for record in records if record.get("stage") == stage]
        offsets[stage] = reached if min(steps) <= reached else 0.0
        reached = offsets[stage] + max(steps)
    return offsets


def _step(record: Mapping[str, Any]) -> float:
    return float(record.get("step", 0))


def _values(record: Mapping[str, Any], key: str) -> list[tuple[str, Any]]:
    value = record.get(key)
    if not isinstance(value, Mapping):
        return [(key.replace("_", " "), value)]
    which = f", {record['which']}" if "which" in record else ""
    return [(f"{finding.replace('_', ' ')}{which}", one) for finding, one in value.items()]


def _training_svg(title: str, y_label: str, series: Series) -> str:
    canvas, axes = _square("step", y_label)
    for index, (label, points) in enumerate(series.items()):
        axes.plot(
            *zip(*points, strict=True),
            linestyle=_STYLES[index % len(_STYLES)],
            color=_COLOURS[index % len(_COLOURS)],
            linewidth=1.3,
            label=label,
        )
    if y_label == "loss":
        axes.autoscale(axis="y")
        axes.set_ylim(bottom=0)
    axes.margins(x=0)
    _legend(axes)
    return _svg(canvas, f"{title} against training step", title.lower().replace(" ", "-"))


def _square(x_label: str, y_label: str) -> tuple["Canvas", "Axes"]:
    from matplotlib.figure import Figure as Canvas

    canvas = Canvas(figsize=(4.4, 4.2), layout="constrained")
    axes = canvas.add_subplot()
    axes.set(xlabel=x_label, ylabel=y_label, ylim=(0, 1.02))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color=_INK, alpha=0.12, linewidth=0.6)
    for spine in axes.spines.values():
        spine.set_color(_INK)
    axes.tick_params(colors=_INK)
    axes.xaxis.label.set_color(_INK)
    axes.yaxis.label.set_color(_INK)
    return canvas, axes


def _draw(axes: "Axes", curve: Curve, label: str, index: int, *, step: bool) -> None:
    colour = _COLOURS[index]
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
        linestyle=_STYLES[index],
        color=colour,
        linewidth=1.8,
        # A dollar sign in a model's name is not mathematics.
        label=textwrap.fill(label, 42).replace("$", r"\$"),
    )


def _legend(axes: "Axes") -> None:
    if axes.get_legend_handles_labels()[0]:
        axes.legend(
            loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False, labelcolor=_INK, ncols=1
        )


def _svg(canvas: "Canvas", alt: str, name: str) -> str:
    """Return the figure as an `<svg>` element whose ids start with `name`."""
    import matplotlib as mpl

    # Without a fixed salt ids are random, and without fonttype "none" letters become shapes.
    stream = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}):
        canvas.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    svg = stream.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = svg.replace(_INK, "currentColor")
    return svg.replace("<svg", f'<svg role="img" aria-label="{escape(alt)}"', 1)
