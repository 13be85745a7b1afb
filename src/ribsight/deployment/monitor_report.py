"""The page of `ribsight monitor`: a verdict each, and how what drifted has moved."""

from pathlib import Path

import numpy as np

from ribsight.deployment.drift import Column
from ribsight.deployment.monitor import Monitored
from ribsight.deployment.watches import Verdict, Watch
from ribsight.evaluation.canvas import COLOURS, INK, STYLES, Plot, blank, legend
from ribsight.files import write_text

_WIDTH, _HEIGHT = 4.4, 2.6
_MOST_WORDS = 8


def write_monitor_report(found: Monitored, path: Path) -> None:
    """Write the page in one step: self-contained, nothing from outside.

    Raises:
        RibsightError: `path` cannot be written.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("ribsight.deployment"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("monitor.html.j2").render(
        found=found,
        drifted=[one for one in found.watches if one.verdict is Verdict.DRIFT],
        plots=[(one.label, _plot(one).svg()) for one in _worth_a_plot(found)],
        verdict=found.verdict,
        Verdict=Verdict,
    )
    write_text(path, page)


def _worth_a_plot(found: Monitored) -> list[Watch]:
    """Return what changed, and the scores in any case; rates are told by their numbers."""
    return [
        one
        for one in found.watches
        if one.rates is None
        and (one.verdict in (Verdict.DRIFT, Verdict.SLIGHT) or one.column.name.startswith("score/"))
    ]


def _plot(one: Watch) -> Plot:
    canvas, axes = blank(_WIDTH, _HEIGHT)
    parts = (one.column.values[: one.first], one.column.values[one.first :])
    for index, (values, name) in enumerate(zip(parts, ("reference", "new"), strict=True)):
        if one.column.categories is None:
            known = np.sort(values[~np.isnan(values)])
            axes.step(
                known, np.arange(1, len(known) + 1) / max(len(known), 1), where="post",
                linestyle=STYLES[index], color=COLOURS[index], label=name,
            )  # fmt: skip
            continue
        shown, shares = _shares(one.column, values)
        place = np.arange(len(shown)) + 0.4 * index
        hatch = "" if index == 0 else "///"
        axes.barh(place, shares, 0.4, label=name, color=COLOURS[index], hatch=hatch)
        axes.set_yticks(np.arange(len(shown)) + 0.2, shown)
    if one.column.categories is None:
        axes.set(xlabel=one.label, ylabel="share of images at or below", ylim=(0, 1.02))
    else:
        axes.set(xlabel="share of images")
        axes.invert_yaxis()
    for text in axes.get_yticklabels():
        text.set_color(INK)
    legend(axes)
    alt = f"{one.label}: {one.reference} in the reference, {one.new} now"
    return Plot(canvas, one.column.name.replace("/", "-"), alt)


def _shares(column: Column, values: np.ndarray) -> tuple[list[str], list[float]]:
    assert column.categories is not None
    total = np.bincount(column.values.astype(np.int64), minlength=len(column.categories))
    own = np.bincount(values.astype(np.int64), minlength=len(column.categories))
    order = np.argsort(-total, kind="stable")[:_MOST_WORDS]
    return [column.categories[i] for i in order], [float(own[i] / len(values)) for i in order]
