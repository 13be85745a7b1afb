"""How a run went: its metric records as curves against the training step."""

from collections.abc import Mapping, Sequence
from typing import Any

from ribsight.evaluation.canvas import COLOURS, STYLES, Plot, legend, square


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
    canvas, axes = square("step", y_label)
    for index, (label, points) in enumerate(series.items()):
        axes.plot(
            *zip(*points, strict=True),
            linestyle=STYLES[index % len(STYLES)],
            color=COLOURS[index % len(COLOURS)],
            linewidth=1.3,
            label=label,
        )
    if y_label == "loss":
        axes.autoscale(axis="y")
        axes.set_ylim(bottom=0)
    axes.margins(x=0)
    legend(axes)
    name = title.lower().replace(" ", "-")
    return Plot(canvas, name, f"{title} against training step").svg()
