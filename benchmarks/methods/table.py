"""Results as Markdown."""

import polars as pl

LOW_LEVEL = "its low level"
"""What the effect of a screened factor is measured against."""
_NAMES = {"froc_score": "FROC score", "auroc": "AUROC", "wafroc": "wAFROC AUC"}


def markdown(rows: pl.DataFrame) -> str:
    """Return a table a finding and number of revealed regions, best FROC score first.

    Figures are means over trainings with their 95 % interval; differences are paired, with p after
    Holm over all variants against the same reference.
    """
    parts = []
    for (finding, reveal), part in rows.group_by("finding", "reveal", maintain_order=True):
        own = part.filter((pl.col("against") == "") & (pl.col("figure") == "froc_score"))
        references = [one for one in part["against"].unique(maintain_order=True) if one]
        screened = part.filter(pl.col("against") == LOW_LEVEL)
        references = [one for one in references if one != LOW_LEVEL]
        columns = [(key, "") for key in _NAMES if key in part["figure"].to_list()]
        columns += [(key, one) for one in references for key in ("froc_score", "auroc")]
        header = ["variant", "trainings"]
        header += [f"{_NAMES[key]} - {one}" if one else _NAMES[key] for key, one in columns]
        revealed = f"{reveal} revealed" if reveal else "all revealed"
        lines = [
            f"**{finding}, {revealed}**",
            "",
            _line(header),
            _line(["---"] * len(header)),
        ]
        for variant in own.sort("mean", descending=True)["variant"]:
            cells = [variant, str(own.filter(pl.col("variant") == variant)["trainings"][0])]
            cells += [_cell(part, variant, one, key) for key, one in columns]
            lines.append(_line(cells))
        parts.append("\n".join(lines))
        if not screened.is_empty():
            parts.append(_effects(screened))
    return "\n\n".join(parts) + "\n"


def _effects(screened: pl.DataFrame) -> str:
    """Return the table of what raising each screened factor does, on average over the others."""
    keys = [key for key in _NAMES if key in screened["figure"].to_list()]
    lines = [_line(["factor, high - low", *(_NAMES[key] for key in keys)])]
    lines.append(_line(["---"] * (1 + len(keys))))
    for factor in screened["variant"].unique(maintain_order=True):
        cells = [_cell(screened, factor, LOW_LEVEL, key) for key in keys]
        lines.append(_line([factor, *cells]))
    return "\n".join(lines)


def _cell(part: pl.DataFrame, variant: str, against: str, figure: str) -> str:
    found = part.filter(
        (pl.col("variant") == variant)
        & (pl.col("against") == against)
        & (pl.col("figure") == figure)
    )
    if found.is_empty():
        return ""
    one = found.row(0, named=True)
    sign = "+" if against else ""
    text = f"{one['mean']:{sign}.3f} ({one['low']:{sign}.3f} to {one['high']:{sign}.3f})"
    return text if one["p_holm"] is None else f"{text}, p {one['p_holm']:.3f}"


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
