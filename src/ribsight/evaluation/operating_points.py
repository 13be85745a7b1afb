"""Thresholds chosen on validation for a declared aim, kept with the model, applied frozen."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ribsight.documents import read_document, reading, require_model
from ribsight.errors import RibsightError
from ribsight.evaluation.bootstrap import interval, weight_parts
from ribsight.evaluation.curves import Floats, running_sums, tie_ends
from ribsight.evaluation.documents import origin
from ribsight.evaluation.froc import denominator, false_marks
from ribsight.evaluation.matching import MatchTable, Outcome
from ribsight.evaluation.protocol import Protocol, protocol_from_dict, require_equal
from ribsight.evaluation.ranking import ratio
from ribsight.evaluation.reading import Reading
from ribsight.evaluation.results import OperatingPoint
from ribsight.evaluation.score import Scored
from ribsight.evaluation.threshold import calls_at, figures_at
from ribsight.evaluation.truth import NEGATIVE, Truth
from ribsight.files import write_text
from ribsight.findings import Certainty

SCHEMA = "ribsight-operating-points/1"
FILE = "operating_points.json"

Kind = Literal["sensitivity", "specificity", "regions", "false positives per image", "youden"]
_OF_MARKS = ("regions", "false positives per image")
_REPLICATES = 1000
_WORDS = (
    "write 'sensitivity 0.95', 'specificity 0.9' (of images), 'regions 0.8' (share hit), "
    "'0.2 false positives per image' or 'youden'"
)


@dataclass(frozen=True)
class Aim:
    """What a threshold is chosen for; `youden` has no value."""

    kind: Kind
    value: float = math.nan

    def __str__(self) -> str:
        if self.kind == "youden":
            return "youden"
        if self.kind == "false positives per image":
            return f"{self.value:g} {self.kind}"
        return f"{self.kind} {self.value:g}"


def parse_aim(text: str) -> Aim:
    """Read an aim as a person writes it.

    Raises:
        RibsightError: it is none, or its share is not between 0 and 1.

    >>> parse_aim("0.2 false positives per image")
    Aim(kind='false positives per image', value=0.2)
    """
    plain = " ".join(text.lower().split())
    if plain == "youden":
        return Aim("youden")
    share = re.fullmatch(r"(sensitivity|specificity|regions) (\d*\.?\d+)", plain)
    rate = re.fullmatch(r"(\d*\.?\d+) (?:false positives per image|fp/image|fppi)", plain)
    if share and 0 < float(share[2]) <= 1:
        kinds: dict[str, Kind] = {
            "sensitivity": "sensitivity", "specificity": "specificity", "regions": "regions",
        }  # fmt: skip
        return Aim(kinds[share[1]], float(share[2]))
    if rate and float(rate[1]) > 0:
        return Aim("false positives per image", float(rate[1]))
    raise RibsightError(f"'{text}' is no aim of an operating point: {_WORDS}")


def choose(
    aims: Sequence[Aim], scored: Scored, *, replicates: int = _REPLICATES
) -> list[OperatingPoint]:
    """Return, for every finding and aim, the threshold that reaches it on the scored data.

    The highest threshold that reaches a sensitivity or share of regions; the lowest that keeps a
    specificity or a rate of false positives; for Youden's index the highest of the best.

    Args:
        aims: what for.
        scored: on validation data.
        replicates: resamples of groups for the threshold's interval.

    Raises:
        RibsightError: an aim that cannot be reached or is not defined on these data.
    """
    return [
        _choose(aim, one.truth, one.reading, one.table, scored, replicates)
        for one in scored.measured.values()
        for aim in aims
    ]


def choose_levels(
    doubtful: Aim, confident: Aim, scored: Scored, *, replicates: int = _REPLICATES
) -> list[OperatingPoint]:
    """Return, for every finding, the thresholds of the two levels that readers are shown.

    Args:
        doubtful: an aim of high sensitivity.
        confident: an aim of high specificity.
        scored: on validation data.
        replicates: resamples of groups for intervals.

    Raises:
        RibsightError: as `choose`, or a finding's doubtful threshold is above the confident one.
    """
    aims = {Certainty.DOUBTFUL: doubtful, Certainty.CONFIDENT: confident}
    chosen = {
        level: [
            replace(one, level=str(level)) for one in choose([aim], scored, replicates=replicates)
        ]
        for level, aim in aims.items()
    }
    pairs = list(zip(chosen[Certainty.DOUBTFUL], chosen[Certainty.CONFIDENT], strict=True))
    for low, high in pairs:
        _require_order(low, high)
    return [point for pair in pairs for point in pair]


def _require_order(doubtful: OperatingPoint, confident: OperatingPoint) -> None:
    if doubtful.threshold <= confident.threshold:
        return
    reached = [
        f"the threshold for '{one.aim}' reaches {what} {one.achieved[what] or 0:.3f}"
        for one, what in ((confident, "sensitivity"), (doubtful, "specificity"))
    ]
    raise RibsightError(
        f"'{doubtful.finding}': the threshold of doubtful ('{doubtful.aim}', "
        f"{doubtful.threshold:.4g}) is above that of confident ('{confident.aim}', "
        f"{confident.threshold:.4g}), because {reached[0]} and {reached[1]}: ask for more of "
        "--doubtful (a higher sensitivity) or of --confident (a higher specificity)"
    )


def _choose(
    aim: Aim,
    truth: Truth,
    reading: Reading,
    table: MatchTable,
    scored: Scored,
    replicates: int,
) -> OperatingPoint:
    plain = float(_thresholds(aim, truth, reading, table, np.ones((1, len(truth.images))))[0])
    if math.isnan(plain):
        raise RibsightError(
            f"no threshold reaches '{aim}' for '{truth.finding}' on these data: choose another aim"
        )
    calls = calls_at(plain, truth, reading, table)
    achieved = figures_at(calls, np.ones((1, len(truth.images))))
    drawn: list[Floats] = []
    figures: dict[str, list[Floats]] = {key: [] for key in achieved}
    for weights in weight_parts(truth.groups, replicates, scored.evaluation.seed):
        drawn.append(_thresholds(aim, truth, reading, table, weights))
        for key, values in figures_at(calls, weights).items():
            figures[key].append(values)
    groups = int(truth.groups.max()) + 1
    bounds = interval(np.concatenate(drawn), groups=groups)
    lone = groups == 1 or not bounds.used
    around = {key: interval(np.concatenate(one), groups=groups) for key, one in figures.items()}
    return OperatingPoint(
        finding=truth.finding,
        aim=str(aim),
        threshold=plain,
        low=None if lone else bounds.low,
        high=None if lone else bounds.high,
        chosen_on=scored.evaluation.split,
        achieved={
            key: None if np.isnan(value[0]) else float(value[0]) for key, value in achieved.items()
        },
        bounds={key: (one.low, one.high) for key, one in around.items() if one.used and groups > 1},
    )


def _thresholds(
    aim: Aim, truth: Truth, reading: Reading, table: MatchTable, weights: Floats
) -> Floats:
    """Return (R,) the threshold for the aim in each resample, NaN where it cannot be reached."""
    if aim.kind in _OF_MARKS:
        hit, false = table.outcome == Outcome.HIT, false_marks(table, table.protocol)
        counted = denominator(truth, table.protocol)
        false &= counted[table.image] > 0
        moving = hit | false
        scores, image, good = table.score[moving], table.image[moving], hit[moving]
        totals = weights @ truth.lesions.astype(float), np.round(weights @ counted, 9)
    else:
        order = np.argsort(-reading.image_scores, kind="stable")
        scores, image, good = reading.image_scores[order], order, truth.positive[order]
        negative = (truth.state == NEGATIVE).astype(float)
        totals = weights @ truth.positive.astype(float), weights @ negative
    ends = tie_ends(scores)
    gained = ratio(running_sums(weights, image, good, ends), totals[0][:, None])
    cost = ratio(running_sums(weights, image, ~good, ends), totals[1][:, None])
    # A threshold that nothing reaches stands before the scores.
    highest = np.nextafter(scores[0], np.inf) if len(scores) else 1.0
    levels = np.append(highest, scores[ends])
    match aim.kind:
        case "sensitivity" | "regions":
            return _first(gained >= aim.value - 1e-12, levels)
        case "specificity":
            return _last(cost <= 1 - aim.value + 1e-12, levels)
        case "false positives per image":
            return _last(cost <= aim.value + 1e-12, levels)
        case "youden":
            index = gained - cost
            best = np.argmax(np.nan_to_num(index, nan=-np.inf), axis=1)
            return np.where(np.isnan(index).all(axis=1), np.nan, levels[best])


def _first(reached: NDArray[np.bool_], levels: Floats) -> Floats:
    return np.where(reached.any(axis=1), levels[reached.argmax(axis=1)], np.nan)


def _last(kept: NDArray[np.bool_], levels: Floats) -> Floats:
    last = kept.shape[1] - 1 - kept[:, ::-1].argmax(axis=1)
    return np.where(kept.any(axis=1), levels[last], np.nan)


def write_points(points: Sequence[OperatingPoint], scored: Scored, path: Path) -> None:
    """Write the points as JSON, bound to the model, the data and the protocol, in one step.

    Raises:
        RibsightError: `path` cannot be written.
    """
    document = {
        "schema": SCHEMA,
        **origin(scored.evaluation),
        "points": [asdict(one) for one in points],
    }
    write_text(path, json.dumps(document, indent=1, allow_nan=False) + "\n")


def points_beside(path: Path, scored: Scored, *, levels: bool) -> list[OperatingPoint]:
    """Return points of `path` that stay true when others are written there.

    Those chosen for this model on these data under this protocol; only those of the two levels, or
    only the others.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        evaluation = scored.evaluation
        same = (
            document["schema"] == SCHEMA
            and document["model"]["sha256"] == evaluation.model_sha256
            and document["cohort"]["fingerprint"] == evaluation.cohort_fingerprint
            and protocol_from_dict(document["protocol"], str(path)) == evaluation.protocol
        )
        points = [_point_from(one) for one in document["points"]] if same else []
    except (OSError, ValueError, KeyError, TypeError, RibsightError):
        return []
    return [one for one in points if bool(one.level) == levels]


def _point_from(document: Mapping[str, Any]) -> OperatingPoint:
    bounds = {key: (low, high) for key, (low, high) in document.get("bounds", {}).items()}
    return OperatingPoint(**{**document, "bounds": bounds})


def read_points(path: Path, model_sha256: str, protocol: Protocol) -> tuple[OperatingPoint, ...]:
    """Read the points that were chosen for this very model.

    Raises:
        RibsightError: no such file, not of this schema, chosen for another model, or an aim of
            marks under another protocol.
    """
    with reading(path, "file of operating points"):
        document = read_document(path, SCHEMA)
        model = document["model"]["sha256"]
        points = tuple(_point_from(one) for one in document["points"])
        own = protocol_from_dict(document["protocol"], str(path))
    require_model(
        model,
        model_sha256,
        f"the operating points in {path} were chosen",
        "a threshold does not carry over, choose it again on validation",
    )
    if any(parse_aim(one.aim).kind in _OF_MARKS for one in points):
        require_equal(own, protocol)
    return points
