"""How a run went: its metric records as curves against the training step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ribsight.evaluation.canvas import COLOURS, STYLES, Plot, legend, square


@dataclass(frozen=True)
class _Curves:
    """One plot: the records of a kind and the keys drawn from them."""

    title: str
    y_label: str
    kind: str
    keys: tuple[str, ...]
    is_share: bool = True


_COURSE = (
    _Curves("Loss", "loss", "train", ("loss", "loss_known", "loss_positive"), False),
    _Curves("AUROC on validation", "AUROC", "validation", ("auroc",)),
    _Curves("FROC score on validation", "FROC score", "validation", ("froc",)),
)
_HEALTH = (
    _Curves(
        "Record-positive images without push", "share of images", "train", ("share_without_push",)
    ),
    _Curves("Area of targets", "share of the map", "train", ("target_area",), False),
    _Curves(
        "Surest place of a record-positive",
        "probability",
        "train",
        ("teacher_maximum", "target_maximum"),
    ),
    _Curves("Cells of targets that count", "share of the map", "train", ("target_counted",)),
    _Curves("Student's distance from targets", "mean distance", "train", ("disagreement",), False),
    _Curves(
        "Loss of record-positives over that of the known", "ratio", "train", ("loss_ratio",), False
    ),
    _Curves(
        "Teacher's marks against hidden regions",
        "share",
        "pseudo_labels",
        ("precision", "recall", "silent"),
    ),
    _Curves("Calibration error of images", "error", "validation", ("image_ece",), False),
    _Curves("Calibration error of maps", "error", "validation", ("map_ece",), False),
    _Curves(
        "Lesion area said over area drawn",
        "ratio on validation",
        "validation",
        ("map_area",),
        False,
    ),
)


def training_svgs(records: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return (title, SVG) of how a run went, and nothing for what its records lack.

    Args:
        records: rows of `metrics.jsonl`: `kind` is `train` (with `loss`, `loss_known`,
            `loss_positive`) or `validation` (with `auroc` and `froc` by finding, and `which` of
            the student and the teacher).
    """
    return _svgs(records, _COURSE)


def health_svgs(records: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return (title, SVG) of how healthy a run's pseudo-labels were, likewise.

    Args:
        records: rows of `metrics.jsonl`; see docs/learning.md for the figures.
    """
    return _svgs(records, _HEALTH)


def concerns_of(records: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return (when and name, sentence) of every concern that a run raised."""
    return [
        (f"step {one['step']}, {one['name'].replace('_', ' ')}", one["sentence"])
        for one in records
        if one.get("kind") == "concern"
    ]


def _svgs(records: Sequence[Mapping[str, Any]], plots: Sequence[_Curves]) -> list[tuple[str, str]]:
    offsets = _stage_offsets(records)
    found = []
    for plot in plots:
        rows = [one for one in records if one.get("kind") == plot.kind]
        series = _series(rows, plot.keys, offsets)
        if series:
            found.append((plot.title, _training_svg(plot, series)))
    return found


Series = dict[str, list[tuple[float, float]]]
"""Label -> (step, value), steps counted on from stage to stage."""


def _series(
    records: Sequence[Mapping[str, Any]], keys: tuple[str, ...], offsets: Mapping[Any, float]
) -> Series:
    series: Series = {}
    for record in records:
        step = offsets[record.get("stage")] + _step(record)
        for label, value in _values(record, keys):
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


def _values(record: Mapping[str, Any], keys: tuple[str, ...]) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    which = f", {record['which']}" if "which" in record else ""
    for key in keys:
        value, words = record.get(key), key.replace("_", " ")
        if not isinstance(value, Mapping):
            found.append((words, value))
            continue
        prefix = f"{words}, " if len(keys) > 1 else ""
        found += [
            (f"{prefix}{finding.replace('_', ' ')}{which}", one) for finding, one in value.items()
        ]
    return found


def _training_svg(plot: _Curves, series: Series) -> str:
    canvas, axes = square("step", plot.y_label)
    for index, (label, points) in enumerate(series.items()):
        axes.plot(
            *zip(*points, strict=True),
            linestyle=STYLES[index % len(STYLES)],
            color=COLOURS[index % len(COLOURS)],
            linewidth=1.3,
            label=label,
        )
    if not plot.is_share:
        axes.autoscale(axis="y")
        axes.set_ylim(bottom=0)
    axes.margins(x=0)
    legend(axes)
    name = plot.title.lower().replace(" ", "-").replace("'", "")
    return Plot(canvas, name, f"{plot.title} against training step").svg()
