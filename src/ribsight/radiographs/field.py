"""The part of an image that a collimator left open to X-rays."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Field: TypeAlias = tuple[int, int, int, int]
"""Top, bottom, left, right in pixels; bottom and right are one past the last."""

# A collimated border varies far less along its rows and columns than the patient does.
_BORDER_SPREAD = 0.05
_SAMPLED_SIDE = 256


def collimated_field(stored: NDArray[np.integer]) -> Field:
    """Return what a collimator left of (H, W) values; the whole without a border."""
    height, width = stored.shape
    step = max(1, max(height, width) // _SAMPLED_SIDE)
    seen = stored[::step, ::step].astype(np.float64)
    top, bottom = _varied(seen, axis=1)
    left, right = _varied(seen, axis=0)
    return top * step, min(bottom * step, height), left * step, min(right * step, width)


def _varied(seen: NDArray[np.float64], axis: int) -> tuple[int, int]:
    """Return the first and one past the last line along which values vary as in the middle."""
    # Letters burnt into a border touch less than a tenth of a line.
    spread = np.diff(np.percentile(seen, (10, 90), axis=axis), axis=0)[0]
    lines = np.flatnonzero(spread > _BORDER_SPREAD * np.median(spread))
    if not len(lines) or len(lines) < len(spread) // 4:
        return 0, len(spread)
    return int(lines[0]), int(lines[-1]) + 1
