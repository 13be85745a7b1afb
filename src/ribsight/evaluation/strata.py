"""Parts of the truth that a figure is shown for on its own: by size, side, sex, vendor, ..."""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ribsight.errors import RibsightError, nearest
from ribsight.evaluation.matching import MatchTable, Outcome
from ribsight.evaluation.truth import NOT_KNOWN, Truth

Kind = Literal["images", "regions"]

_MADE = ("size_mm", "size_share", "regions_on_image")
_MOST_NAMES = 8
_NOT_KNOWN_LABEL = "not known"


@dataclass(frozen=True)
class Column:
    """A column to part by, and for numbers the cuts between parts; thirds if there are none."""

    name: str
    cuts: tuple[float, ...] = ()


@dataclass(frozen=True, eq=False)
class Part:
    """One value of a column.

    Attributes:
        column: its name.
        label: the value, or the range of values.
        kind: whether it selects `images`, with all that is on them, or `regions`, each against the
            false marks of all images.
        kept: (N,) images or (L,) regions.
    """

    column: str
    label: str
    kind: Kind
    kept: NDArray[np.bool_]


def parse_column(text: str) -> Column:
    """Read `NAME` or `NAME:CUT,CUT,...`.

    Raises:
        RibsightError: a cut that is no number, or cuts that do not rise.
    """
    name, colon, listed = text.partition(":")
    try:
        cuts = tuple(float(one) for one in listed.split(",")) if colon else ()
    except ValueError as error:
        raise RibsightError(f"strata '{text}': the cuts after ':' must be numbers") from error
    if list(cuts) != sorted(set(cuts)) or not all(map(math.isfinite, cuts)):
        raise RibsightError(f"strata '{text}': the cuts after ':' must rise")
    return Column(name, cuts)


def usual_columns(truth: Truth) -> list[Column]:
    """Return what can be parted by without being asked: sizes, and columns of few names."""
    sizes = ["size_mm" if np.isfinite(truth.spacing).any() else "size_share"]
    if (truth.lesions > 1).any():
        sizes.append("regions_on_image")
    named = [
        name
        for columns in (truth.region_columns, truth.image_columns)
        for name, values in columns.items()
        if 2 <= len({value for value in values if value is not None}) <= _MOST_NAMES
    ]
    return [Column(name) for name in (*sizes, *dict.fromkeys(named))]


def parts_of(truth: Truth, column: Column) -> list[Part]:
    """Return the parts of a column in order; those without any image or region are not there.

    `size_mm` and `size_share` are the longer side of a region's box, in mm or as a share of the
    image's longer side; `regions_on_image` counts. Other names are columns of the regions, then of
    the images.

    Raises:
        RibsightError: there is no such column, or cuts are given for text.
    """
    kind, values = _values(truth, column.name)
    numbers = _numbers(values)
    distinct = {value for value in values if value is not None}
    if numbers is None or (len(distinct) <= _MOST_NAMES and not column.cuts):
        if column.cuts:
            raise RibsightError(f"strata '{column.name}': its values are text, so cannot be cut")
        ordered = sorted(distinct, key=lambda v: (float(v) if numbers is not None else 0.0, v))
        pairs = [(one, np.array([value == one for value in values])) for one in ordered]
    else:
        pairs = list(_ranges(numbers, column.cuts))
    unknown = np.array([value is None for value in values], dtype=np.bool_)
    if unknown.any() and distinct:
        pairs.append((_NOT_KNOWN_LABEL, unknown))
    return [Part(column.name, label, kind, kept) for label, kept in pairs if kept.any()]


def restrict(truth: Truth, table: MatchTable, part: Part) -> tuple[Truth, MatchTable]:
    """Return truth and table in which only the part counts; images keep their places.

    Images outside become unknown. Regions outside become ignore regions: the marks on them are
    neither hits nor false.
    """
    if part.kind == "images":
        state = np.where(part.kept, truth.state, NOT_KNOWN).astype(np.int8)
        kept, rows = part.kept[truth.region_image], part.kept[table.image]
        ignored = part.kept[truth.ignored_image]
    else:
        state, kept, rows = truth.state, part.kept, np.ones(len(table), dtype=np.bool_)
        ignored = np.ones(len(truth.ignored_image), dtype=np.bool_)
    aside = ~kept if part.kind == "regions" else np.zeros(len(kept), dtype=np.bool_)
    smaller = replace(
        truth,
        state=state,
        region_image=truth.region_image[kept],
        region_boxes=truth.region_boxes[kept],
        outlines=(),
        ignored_image=np.concatenate([truth.ignored_image[ignored], truth.region_image[aside]]),
        ignored_boxes=np.concatenate([truth.ignored_boxes[ignored], truth.region_boxes[aside]]),
        region_columns={},
    )
    new_index = np.append(np.where(kept, np.cumsum(kept) - 1, -1), -1)
    region = new_index[table.region[rows]]
    outcome = table.outcome[rows].copy()
    outcome[(table.region[rows] >= 0) & (region < 0)] = Outcome.LEFT_OUT
    return smaller, MatchTable(
        image=table.image[rows],
        score=table.score[rows],
        x=table.x[rows],
        y=table.y[rows],
        region=region,
        outcome=outcome,
        overlap=table.overlap[rows],
        protocol=table.protocol,
    )


def _values(truth: Truth, name: str) -> tuple[Kind, list[str | None]]:
    if name in _MADE:
        return "regions", [None if np.isnan(one) else f"{one:g}" for one in _made(truth, name)]
    if name in truth.region_columns:
        return "regions", list(truth.region_columns[name])
    if name in truth.image_columns:
        return "images", list(truth.image_columns[name])
    known = [*_MADE, *truth.region_columns, *truth.image_columns]
    raise RibsightError(
        f"there is no column '{name}' to part by{nearest(name, known)}; there are: "
        f"{', '.join(known)}"
    )


def _made(truth: Truth, name: str) -> NDArray[np.float64]:
    image = truth.region_image
    if name == "regions_on_image":
        return truth.lesions[image].astype(np.float64)
    sides = truth.region_boxes[:, 2:] - truth.region_boxes[:, :2]
    longer: NDArray[np.float64] = sides.max(axis=1, initial=0)
    if name == "size_share":
        return np.asarray(longer / truth.sizes[image].max(axis=1, initial=0))
    return longer * (truth.spacing[image] if len(truth.spacing) else np.nan)


def _numbers(values: Sequence[str | None]) -> NDArray[np.float64] | None:
    """Return values as numbers, NaN for None; None if one is text."""
    try:
        return np.array([math.nan if one is None else float(one) for one in values])
    except ValueError:
        return None


def _ranges(
    numbers: NDArray[np.float64], cuts: tuple[float, ...]
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Yield (label, kept) of the ranges between cuts, each with its lower end."""
    known = numbers[~np.isnan(numbers)]
    chosen = list(
        cuts or dict.fromkeys(float(f"{c:.3g}") for c in np.quantile(known, [1 / 3, 2 / 3]))
    )
    edges = [-math.inf, *chosen, math.inf]
    for low, high in itertools.pairwise(edges):
        if math.isinf(low):
            label = f"below {high:g}"
        else:
            label = f"{low:g} and more" if math.isinf(high) else f"{low:g} to {high:g}"
        yield label, (numbers >= low) & (numbers < high)
