"""Several trainings of several methods, at one amount of drawn regions or at many, as rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from ribsight.errors import RibsightError
from ribsight.evaluation.measure import Measured
from ribsight.evaluation.names import level_and_label
from ribsight.evaluation.results import Figure
from ribsight.evaluation.score import Scored
from ribsight.evaluation.seeds import Summary, across_seeds, difference_across_seeds
from ribsight.evaluation.tables import in_words, p_words

MAIN = ("froc_score", "auroc", "wafroc")
"""Figures summed up over trainings unless others are asked for."""

_COLUMNS = pl.Schema(
    {
        "finding": pl.String(),
        "key": pl.String(),
        "figure": pl.String(),
        "method": pl.String(),
        "regions": pl.Float64(),
        "trainings": pl.Int64(),
        "mean": pl.Float64(),
        "low": pl.Float64(),
        "high": pl.Float64(),
        "deviation": pl.Float64(),
        "values": pl.String(),
        "against": pl.String(),
        "difference": pl.Float64(),
        "difference_low": pl.Float64(),
        "difference_high": pl.Float64(),
        "p": pl.Float64(),
        "protocol": pl.String(),
    }
)


@dataclass(frozen=True)
class Trained:
    """One figure of one method's trainings.

    Attributes:
        finding: of what.
        method: its name.
        regions: amount of drawn regions it learned from; None where that is not the question.
        summary: mean over trainings, with its interval over trainings and patients.
        against: the method that the difference is to; empty for the first method itself.
        difference: mean minus that method's, at the same amount; None where there is none.
        p: two-sided, of the difference.
        protocol: the sentence.
    """

    finding: str
    method: str
    regions: float | None
    summary: Summary
    against: str
    difference: Figure | None
    p: float | None
    protocol: str


def summarize(
    runs: Mapping[str, Sequence[Scored]],
    keys: Sequence[str] = MAIN,
    *,
    regions: float | None = None,
    against: str | None = None,
) -> list[Trained]:
    """Return a row a finding, figure and method; figures not defined everywhere are left out.

    Args:
        runs: trainings of each method, scored alike.
        keys: of figures.
        regions: the amount of drawn regions, if that is varied.
        against: the method that differences are to, if it is among them; the first if not given.

    Raises:
        RibsightError: a key that no figure has, or trainings scored on different images.
    """
    base = next(iter(runs)) if against is None else against
    rows = []
    for finding, one in next(iter(runs.values()))[0].measured.items():
        known = {named.key for named in one.result.figures if named.key in one.replicates}
        known |= {named.key for named in one.result.figures if named.figure.value is None}
        for key in keys:
            if key not in known:
                listed = ", ".join(sorted(known))
                raise RibsightError(f"there is no figure '{key}'; there are: {listed}")
            own = {
                name: [run.measured[finding] for run in scored if finding in run.measured]
                for name, scored in runs.items()
            }
            rows += [
                _row(own, name, base, key, regions)
                for name in own
                if own[name] and _defined(own[name], key)
            ]
    return rows


def _row(
    own: Mapping[str, Sequence[Measured]], name: str, base: str, key: str, regions: float | None
) -> Trained:
    difference, p = None, None
    if name != base and _defined(own.get(base, []), key):
        difference, p = difference_across_seeds(own[base], own[name], key)
    return Trained(
        finding=own[name][0].truth.finding,
        method=name,
        regions=regions,
        summary=across_seeds(own[name], key),
        against=base if difference is not None else "",
        difference=difference,
        p=p,
        protocol=own[name][0].table.protocol.describe(),
    )


def _defined(runs: Sequence[Measured], key: str) -> bool:
    found = [one.result.find(key) for one in runs]
    return bool(found) and all(one is not None and one.value is not None for one in found)


def trained_document(rows: Sequence[Trained]) -> list[dict[str, Any]]:
    """Return the rows ready for JSON; `values` are those of the trainings."""
    return [
        {**one, "values": list(row.summary.seeds)}
        for one, row in zip(_cells(rows), rows, strict=True)
    ]


def trained_csv(rows: Sequence[Trained]) -> str:
    """Return the rows as CSV; `values` are parted by spaces."""
    cells = _cells(rows)
    columns = {name: [one[name] for one in cells] for name in _COLUMNS}
    return pl.DataFrame(columns, schema=_COLUMNS).write_csv()


def trained_lines(rows: Sequence[Trained]) -> list[str]:
    """Return the rows for a terminal."""
    lines = []
    width = max((len(_name(one)) for one in rows), default=0)
    for (finding, key), own in _by_figure(rows).items():
        lines.append(f"  {finding}, {level_and_label(key)[1]}")
        lines += [f"    {_name(one):{width}}  {_words(one)}" for one in own]
    return lines


def trained_markdown(rows: Sequence[Trained]) -> str:
    """Return the rows as Markdown tables."""
    lines: list[str] = []
    for (finding, key), own in _by_figure(rows).items():
        lines += [f"## {finding}: {level_and_label(key)[1]}, over trainings and patients", ""]
        lines += ["| method | trainings | mean | SD | difference | p |"]
        lines += ["| --- | --- | --- | --- | --- | --- |"]
        for one in own:
            spread = "" if one.summary.deviation is None else f"{one.summary.deviation:.3f}"
            change = "" if one.difference is None else in_words(one.difference, "+")
            lines.append(
                f"| {_name(one)} | {len(one.summary.seeds)} | {in_words(one.summary.mean)} "
                f"| {spread} | {change} | {p_words(one.p)} |"
            )
        lines.append("")
    return "\n".join(lines)


def _by_figure(rows: Sequence[Trained]) -> dict[tuple[str, str], list[Trained]]:
    groups: dict[tuple[str, str], list[Trained]] = {}
    for one in rows:
        groups.setdefault((one.finding, one.summary.key), []).append(one)
    return groups


def _name(one: Trained) -> str:
    return one.method if one.regions is None else f"{one.method}, {one.regions:g} regions"


def _words(one: Trained) -> str:
    count = len(one.summary.seeds)
    words = f"{in_words(one.summary.mean)}, {count} training{'s' if count > 1 else ''}"
    if one.summary.deviation is not None:
        words += f", SD {one.summary.deviation:.3f}"
    if one.difference is not None:
        words += f"; {in_words(one.difference, '+')}, p {p_words(one.p)}, to {one.against}"
    return words


def _cells(rows: Sequence[Trained]) -> list[dict[str, Any]]:
    return [
        {
            "finding": one.finding,
            "key": one.summary.key,
            "figure": level_and_label(one.summary.key)[1],
            "method": one.method,
            "regions": one.regions,
            "trainings": len(one.summary.seeds),
            "mean": one.summary.mean.value,
            "low": one.summary.mean.low,
            "high": one.summary.mean.high,
            "deviation": one.summary.deviation,
            "values": " ".join(f"{value:.6g}" for value in one.summary.seeds),
            "against": one.against,
            "difference": one.difference.value if one.difference else None,
            "difference_low": one.difference.low if one.difference else None,
            "difference_high": one.difference.high if one.difference else None,
            "p": one.p,
            "protocol": one.protocol,
        }
        for one in rows
    ]
