"""How many fractures lie where `ribsight` looks for their ribs, without and with drawings.

    python benchmarks/rib_bands.py COHORT REGISTRY [--reveal 25] [--seeds 5]

REGISTRY is what `ribsight simulate` wrote, whose truth knows each fracture's rib; COHORT was built
from it with labels from its reports, and split. For each seed some radiographs are revealed, ribs
are moved to where these have them, and the share of all true fractures in the band of their own rib
is printed beside that of the recipe's defaults.
"""

import argparse
import json
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import polars as pl

from ribsight.cohort.cache import fill_cache
from ribsight.cohort.split import reveal
from ribsight.cohort.tables import load_cohort
from ribsight.distillation.layout import Layout
from ribsight.distillation.method_settings import RibsightSettings
from ribsight.distillation.sampling import pools_of
from ribsight.distillation.training_data import training_data
from ribsight.errors import RibsightError
from ribsight.findings import Split
from ribsight.radiographs.preprocess import Preprocessing


def heights(registry: Path) -> list[tuple[int, float]]:
    """Return rib, and height as a share of the picture's, of every true rib fracture."""
    truth = pl.read_csv(registry / "truth" / "fractures.csv")
    told = json.loads((registry / "truth" / "annotations.coco.json").read_text(encoding="utf-8"))
    images = {one["id"]: one for one in told["images"]}
    boxes = defaultdict(list)
    for one in told["annotations"]:
        image = images[one["image_id"]]
        _, top, _, height = one["bbox"]
        boxes[Path(image["file_name"]).stem].append((top + height / 2) / image["height"])
    found = []
    for (radiograph,), fractures in truth.group_by("radiograph", maintain_order=True):
        middles = boxes[str(radiograph)]
        # One annotation a fracture, in the same order, or nobody knows whose is whose.
        if len(middles) == len(fractures):
            kinds = fractures.select("finding", "rib").rows()
            pairs = zip(kinds, middles, strict=True)
            found += [(int(rib), at) for (kind, rib), at in pairs if kind == "rib_fracture"]
    return found


def share_inside(layout: Layout, fractures: list[tuple[int, float]]) -> float:
    """Return the share of fractures in the band of their rib."""
    away = [abs(at - layout.rib_height(rib)) for rib, at in fractures]
    return float(np.mean(np.array(away) <= layout.rib_spread))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cohort", type=Path)
    parser.add_argument("registry", type=Path)
    parser.add_argument("--reveal", type=int, default=25)
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args()
    try:
        _compare(given)
    except (RibsightError, OSError) as error:
        sys.exit(str(error))


def _compare(given: argparse.Namespace) -> None:
    own = RibsightSettings()
    layout = Layout(
        first_rib=own.first_rib,
        rib_distance=own.rib_distance,
        rib_spread=own.rib_spread,
        first_rib_weight=own.first_rib_weight,
    )
    fractures = heights(given.registry)
    print(f"{len(fractures)} rib fractures")
    print(
        f"recipe's first_rib {layout.first_rib:.3f}: {share_inside(layout, fractures):.0%} inside"
    )
    training = load_cohort(given.cohort).select(Split.TRAIN)
    with tempfile.TemporaryDirectory() as cache:
        for seed in range(given.seeds):
            shown = reveal(training, given.reveal, seed)
            pixels = fill_cache(shown, Preprocessing(64), Path(cache), progress=False)
            data = training_data(shown, pixels, pools_of(shown.supervision()))
            distances = data.rib_distances(layout)
            moved = layout.moved(distances)
            print(
                f"seed {seed}: {len(distances):2} of {given.reveal} drawn radiographs tell, "
                f"first_rib {moved.first_rib:.3f}: {share_inside(moved, fractures):.0%} inside"
            )


if __name__ == "__main__":
    main()
