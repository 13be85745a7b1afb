"""What `noise.toml`, the figures of a checked audit, says of how far records are to be believed."""

import math
from pathlib import Path

from ribsight.errors import RibsightError
from ribsight.settings import read_toml

_LEAST, _MOST = 0.0, 1.0


def predictive_values(path: Path) -> dict[str, dict[str, float]]:
    """Return the positive and negative predictive value of each finding's records.

    Raises:
        RibsightError: not readable, or an audit without an answer on positive or on negative
            records of a finding, or positive records that have it no more often than negative ones.

    """
    audit = read_toml(path)
    if not audit:
        raise RibsightError(f"{path} names no finding: write it with `ribsight label --answers`")
    values = {}
    for finding in audit:
        positive, negative = (
            _present(path, audit, finding, one) for one in ("positive", "negative")
        )
        if positive <= negative:
            raise RibsightError(
                f"{path}: {finding} is there in {positive:.1%} of the positive records and in "
                f"{negative:.1%} of the negative ones, so these records tell nothing; mend the "
                "labels or leave the finding out of the file"
            )
        values[finding] = {
            "positive_predictive_value": positive,
            "negative_predictive_value": 1.0 - negative,
        }
    return values


def _present(path: Path, audit: dict[str, object], finding: str, state: str) -> float:
    """Return the share of studies with the finding, of those labelled with `state`."""
    table = audit[finding]
    estimate = table.get(f"present_if_{state}") if isinstance(table, dict) else None
    value = estimate.get("value") if isinstance(estimate, dict) else None
    if not isinstance(value, int | float) or not _LEAST <= value <= _MOST:
        said = "no share of studies" if value is None or _is_nan(value) else f"{value!r}"
        raise RibsightError(
            f"{path}: {finding}.present_if_{state}.value is {said}; an audit must have "
            f"answers on {state} records of every finding; leave out a finding that has none"
        )
    return float(value)


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)
