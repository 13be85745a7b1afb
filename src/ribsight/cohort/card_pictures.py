"""Radiographs at random with their regions, small enough to stand in a page."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ribsight.cohort.tables import Cohort
from ribsight.findings import DiagnosisState
from ribsight.radiographs import UnreadableImageError
from ribsight.radiographs.guarded import read_guarded
from ribsight.radiographs.preprocess import eight_bit
from ribsight.regions import Region

LONGEST_SIDE = 400
COLOURS = ("#F0A30A", "#56B4E9", "#F781BF", "#A6D854")
"""Of the findings, in their order; told apart by colour-blind eyes."""


@dataclass(frozen=True)
class CardPicture:
    """One radiograph, drawn: JPEG as a data URI, and the words beneath it and in its place."""

    data_uri: str
    caption: str
    alt: str


def card_pictures(cohort: Cohort, count: int, seed: int) -> list[CardPicture]:
    """Draw radiographs at random, half of them with regions if there are so many.

    Radiographs that cannot be read any more are passed over.
    """
    drawn = cohort.drawn(revealed_only=False)
    random = np.random.default_rng(seed)
    order = [int(one) for one in random.permutation(len(drawn))]
    with_regions = [one for one in order if drawn[one]]
    without = [one for one in order if not drawn[one]]
    half = min(len(with_regions), max((count + 1) // 2, count - len(without)))
    pictures = []
    for some, wanted in ((with_regions, half), (without, count - half)):
        done = 0
        for index in some:
            if done == wanted:
                break
            picture = _picture(cohort, index, drawn[index])
            if picture is not None:
                pictures.append(picture)
                done += 1
    return pictures


def _picture(cohort: Cohort, index: int, regions: Sequence[Region]) -> CardPicture | None:
    from PIL import Image, ImageDraw

    row = cohort.radiographs.row(index, named=True)
    try:
        pixels = eight_bit(read_guarded(cohort.images / row["file"]))
    except UnreadableImageError:
        return None
    image = Image.fromarray(pixels)
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.BOX)
    scale = np.array(image.size) / (row["width"], row["height"])
    image = image.convert("RGB")
    pen = ImageDraw.Draw(image)
    for region in regions:
        colour = COLOURS[cohort.findings.index(region.finding) % len(COLOURS)]
        for polygon in region.polygons:
            line = [tuple(point) for point in (polygon * scale).tolist()]
            for width, ink in ((4, "black"), (2, colour)):
                pen.line([*line, line[0]], fill=ink, width=width, joint="curve")
    stream = io.BytesIO()
    image.save(stream, format="JPEG", quality=80)
    said = ", ".join(
        f"{finding.replace('_', ' ')} {state}"
        for finding, state in zip(cohort.findings, cohort.states[index], strict=True)
        if state != DiagnosisState.UNKNOWN
    )
    about = ", ".join(filter(None, (row["view"], row["split"], said or "nothing known")))
    return CardPicture(
        data_uri=f"data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode('ascii')}",
        caption=f"{row['radiograph']}: {about}",
        alt=f"Radiograph {row['radiograph']} with {len(regions)} drawn regions; {about}",
    )
