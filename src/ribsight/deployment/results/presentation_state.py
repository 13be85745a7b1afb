"""A presentation state: the boxes over the original itself, where a viewer can switch them.

A state decides all of how its image is shown, grey values too, so those of the image are repeated
as this project reads them (`radiographs.rendering`).
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from highdicom.color import CIELabColor
from highdicom.pr import (
    GraphicAnnotation,
    GraphicLayer,
    GraphicObject,
    GrayscaleSoftcopyPresentationState,
    TextObject,
)
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import UID

from ribsight.deployment.results.greys import greys
from ribsight.deployment.results.naming import Naming, long_string
from ribsight.deployment.results.options import ResultObject
from ribsight.deployment.results.said import NumberedMark, Said, words
from ribsight.findings import Certainty
from ribsight.radiographs.attributes import UnusableDicomError, text
from ribsight.radiographs.dicom_header import read_header
from ribsight.radiographs.rendering import read_rendering
from ribsight.regions.formats.dicom_report import reference
from ribsight.regions.region import box_polygon

_PIXEL = "PIXEL"
_LAYERS = {
    Certainty.CONFIDENT: ("CONFIDENT", CIELabColor(72, 17, 74)),
    Certainty.DOUBTFUL: ("DOUBTFUL", CIELabColor(70, -11, -37)),
    None: ("MARKS", CIELabColor(97, 0, 0)),
}
_DASHES = 8


def presentation_state(
    source: Dataset, about: Dataset, said: Said, naming: Naming, window: str | None
) -> Dataset | None:
    """Return the state, without its patient; None for an image that can have none.

    Those are colour images and a detector's raw values, whose greys no state describes.

    Args:
        source: header of the image.
        about: `subject` of it.
        said: what is reported, of a processed image.
        naming: UIDs and equipment.
        window: name of the table or window that the image was seen through, if that is known.
    """
    try:
        meta = getattr(source, "file_meta", Dataset())
        header = read_header(source, UID(text(meta, "TransferSyntaxUID") or ""))
    except UnusableDicomError:
        return None
    if header.samples != 1 or header.is_for_processing:
        return None
    rendering, _ = read_rendering(source, header, [])
    image = reference(about)
    image.Rows, image.Columns, image.SamplesPerPixel = header.rows, header.columns, 1
    levels = [one for one in _LAYERS if any(mark.mark.certainty is one for mark in said.marks)]
    return GrayscaleSoftcopyPresentationState(
        referenced_images=[image],
        content_label="RIBSIGHT",
        content_description=long_string(naming.options.notice),
        graphic_layers=[
            GraphicLayer(_LAYERS[level][0], order, display_color=_LAYERS[level][1])
            for order, level in enumerate(levels, 1)
        ]
        or None,
        graphic_annotations=[_annotation(image, said, level, naming) for level in levels] or None,
        **greys(source, rendering, window),
        **naming.constructor(ResultObject.GSPS),
    )


def _annotation(
    image: Dataset, said: Said, level: Certainty | None, naming: Naming
) -> GraphicAnnotation:
    marks = [one for one in said.marks if one.mark.certainty is level]
    return GraphicAnnotation(
        referenced_images=[image],
        graphic_layer=GraphicLayer(_LAYERS[level][0], 1),
        graphic_objects=[drawn for one in marks for drawn in _lines(one, naming)],
        text_objects=[_label(one) for one in marks],
    )


def _lines(one: NumberedMark, naming: Naming) -> Iterator[GraphicObject]:
    """Yield the closed outline of a box, or its dashes: few viewers know styles of lines."""
    corners = box_polygon(*one.mark.box)[[0, 1, 2, 3, 0]]
    is_dotted = one.mark.certainty is Certainty.DOUBTFUL
    for part in _dashes(corners) if is_dotted else [corners]:
        yield GraphicObject(
            graphic_type="POLYLINE",
            graphic_data=part,
            units=_PIXEL,
            tracking_id=f"{one.number} {words(one.finding)}",
            tracking_uid=naming.uid("mark", one.number),
        )


def _dashes(corners: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    """Yield lines along the sides, one at either end of each side, gaps as long as they are."""
    for start, end in pairwise(corners):
        steps = np.linspace(0, 1, 2 * _DASHES)
        for first, last in zip(steps[::2], steps[1::2], strict=True):
            yield np.array([start + first * (end - start), start + last * (end - start)])


def _label(one: NumberedMark) -> TextObject:
    said = [str(one.number), words(one.finding)]
    said += [str(one.mark.certainty)] if one.mark.certainty else []
    return TextObject(
        text_value=f"{' '.join(said)} {one.mark.score:.2f}",
        units=_PIXEL,
        anchor_point=(one.mark.box[0], one.mark.box[1]),
        anchor_point_visible=False,
    )
