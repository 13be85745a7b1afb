"""What is kept of a radiograph once the network's picture of it is made."""

from dataclasses import dataclass

import numpy as np

from ribsight.deployment.side import orientation_for_side, patient_span
from ribsight.detector.maps import NetworkImage, StoredImage
from ribsight.evaluation.predictions import InputStatistics
from ribsight.radiographs.preprocess import Preprocessing, percentiles, preprocess
from ribsight.radiographs.radiograph import Orientation, Radiograph

_PERCENT = (5, 25, 50, 75, 95)


@dataclass(frozen=True, eq=False)
class Prepared:
    """A radiograph as the network sees it, and what is left to say of the file.

    Attributes:
        pixels: (S, S) network image.
        stored: the way back to stored pixels.
        orientation: how the patient lies, for the side of a mark; None if that is not known.
        span: where the film begins and ends along the patient's left-right axis, as `side_of`.
        input: what the image was like.
        warnings: what was noticed while reading it.
    """

    pixels: NetworkImage
    stored: StoredImage
    orientation: Orientation | None
    span: tuple[float, float]
    input: InputStatistics
    warnings: tuple[str, ...]


def prepare(radiograph: Radiograph, preprocessing: Preprocessing) -> Prepared:
    """Return what is needed of a radiograph, without its own pixels."""
    pixels, affine = preprocess(radiograph, preprocessing)
    height, width = radiograph.pixels.shape
    stored = StoredImage(affine, width, height)
    orientation = orientation_for_side(radiograph)
    return Prepared(
        pixels=pixels,
        stored=stored,
        orientation=orientation,
        span=patient_span(radiograph, orientation or Orientation()),
        input=_input_statistics(radiograph, pixels, stored),
        warnings=radiograph.warnings,
    )


def _input_statistics(
    radiograph: Radiograph, pixels: NetworkImage, stored: StoredImage
) -> InputStatistics:
    corners = stored.affine.to_network(np.array([[0, 0], [stored.width, stored.height]], float))
    # A crop leaves parts of the stored picture outside the network's.
    (x0, y0), (x1, y1) = np.rint(np.sort(corners, axis=0)).clip(0, len(pixels)).astype(int)
    top = float(np.iinfo(pixels.dtype).max)
    found = percentiles(pixels[y0:y1, x0:x1], _PERCENT)
    lowest, low, middle, high, highest = (round(one / top, 4) for one in found)
    said, spacing = radiograph.eligibility, radiograph.pixel_spacing
    return InputStatistics(
        kind=said.kind if said else "unknown",
        view=str(radiograph.view) if radiograph.view else None,
        bits=radiograph.bits,
        inverted=radiograph.provenance.inverted if radiograph.provenance else None,
        spacing_mm=spacing[0] if spacing else None,
        intensities=(lowest, low, middle, high, highest),
    )
