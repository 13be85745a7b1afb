"""Where in the picture fractures of numbered ribs lie: what `[ribsight]` of a recipe should say.

    python tools/rib_heights.py COHORT

Takes training radiographs whose record names one rib and on which one region is drawn and
revealed, fits a line through the regions' heights, and prints the settings.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from ribsight.cohort.tables import Cohort, load_cohort
from ribsight.errors import RibsightError
from ribsight.findings import Split, read_ribs

_FEWEST = 10
_HELD = 0.9


def pairs(cohort: Cohort) -> list[tuple[int, float]]:
    """Return number of the rib, and height of its region's middle as a share of the picture's."""
    heights = dict(cohort.radiographs.select("radiograph", "height").rows())
    drawn = dict(zip(cohort.ids, cohort.drawn(revealed_only=True), strict=True))
    found = []
    for radiograph, finding, _, text in cohort.named_places.rows():
        ribs = read_ribs(text or "")
        regions = [one for one in drawn[radiograph] if one.finding == finding]
        if len(ribs) == len(regions) == 1:
            _, top, _, bottom = regions[0].box
            found.append((ribs[0].number, (top + bottom) / 2 / heights[radiograph]))
    return found


def main() -> None:
    """Print the settings."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("cohort", type=Path)
    try:
        cohort = load_cohort(parser.parse_args().cohort).select(Split.TRAIN)
    except RibsightError as error:
        sys.exit(str(error))
    found = np.array(pairs(cohort)).reshape(-1, 2)
    if len(found) < _FEWEST or len(np.unique(found[:, 0])) < 2:
        sys.exit(
            f"{len(found)} training radiographs have one named rib and one drawn region; "
            f"a line needs {_FEWEST}, and different ribs"
        )
    slope, start = np.polyfit(found[:, 0] - 1, found[:, 1], 1)
    away = np.abs(found[:, 1] - start - slope * (found[:, 0] - 1))
    print(f"# from {len(found)} radiographs; the band holds {_HELD:.0%} of their regions' middles")
    print("[ribsight]")
    print(f"first_rib = {start:.3f}")
    print(f"rib_distance = {slope:.3f}")
    print(f"rib_spread = {np.quantile(away, _HELD):.3f}")


if __name__ == "__main__":
    main()
