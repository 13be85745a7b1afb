"""One image and what a detector said of it -> the DICOM objects that tell others."""

from io import BytesIO

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset

from ribsight.deployment.identity import ModelIdentity
from ribsight.deployment.results.capture import capture
from ribsight.deployment.results.heat import HeatMap, heat_picture
from ribsight.deployment.results.naming import Naming
from ribsight.deployment.results.options import NotProcessed, ResultObject, ResultOptions
from ribsight.deployment.results.panel import beside, heat_lines, lines
from ribsight.deployment.results.picture import Film, draw_boxes, film_of
from ribsight.deployment.results.presentation_state import presentation_state
from ribsight.deployment.results.report import structured_report
from ribsight.deployment.results.said import Said, said_of
from ribsight.errors import RibsightError
from ribsight.evaluation.predictions import ImagePrediction
from ribsight.radiographs.attributes import whole_number
from ribsight.radiographs.guarded import read_guarded_content
from ribsight.radiographs.quiet import silent_pydicom
from ribsight.radiographs.radiograph import Radiograph, UnreadableImageError
from ribsight.regions.formats.dicom_report import finished, moment_of, subject

CALLED = "the image"
_EMPTY = 700


def results_of(
    source: Dataset,
    prediction: ImagePrediction | NotProcessed,
    identity: ModelIdentity,
    options: ResultOptions,
    radiograph: Radiograph | None,
    heat: HeatMap | None,
) -> list[Dataset]:
    """Do what `ribsight.deployment.results.dicom_results` says."""
    with silent_pydicom():
        about = subject(source, CALLED)
        naming = Naming.of(source, about, identity, options)
        said = said_of(prediction, options)
        _refuse_another_image(source, said)
        moment = options.moment or moment_of(source)
        made: list[Dataset] = []
        if ResultObject.SR in options.objects:
            made.append(structured_report(about, said, naming))
        made += _pictures(source, about, said, naming, radiograph, heat)
        if ResultObject.GSPS in options.objects and said.reason is None:
            seen = radiograph.provenance if radiograph else None
            state = presentation_state(source, about, said, naming, seen.window if seen else None)
            made += [] if state is None else [state]
        return [_with_laterality(finished(one, about, moment)) for one in made]


def _with_laterality(made: Dataset) -> Dataset:
    """Leave the side of a series open: it holds a study's images, which may show different parts.

    It is asked of body parts that come in pairs, which an unnamed one may be (PS3.3 C.7.3.1).
    """
    if made.Modality != "SR":
        made.Laterality = ""
    return made


def _refuse_another_image(source: Dataset, said: Said) -> None:
    if said.size is None:
        return
    size = whole_number(source, "Columns", 0), whole_number(source, "Rows", 0)
    if size != said.size:
        (width, height), (its_width, its_height) = said.size, size
        raise RibsightError(
            f"{CALLED} has {its_width} x {its_height} pixels, but the prediction is about one of "
            f"{width} x {height}: give the file that was predicted"
        )


def _pictures(
    source: Dataset,
    about: Dataset,
    said: Said,
    naming: Naming,
    radiograph: Radiograph | None,
    heat: HeatMap | None,
) -> list[Dataset]:
    options = naming.options
    wanted = options.objects & {ResultObject.SC, ResultObject.HEATMAP}
    if not wanted or said.outcome not in options.pictures_of:
        return []
    film = _film(source, said, radiograph, options.longest_side)
    pictures: dict[ResultObject, Image.Image] = {}
    if ResultObject.SC in wanted:
        drawn = draw_boxes(film, said.marks)
        panel = lines(said, naming.identity, options.notice)
        pictures[ResultObject.SC] = beside(drawn, panel, film.letters)
    if ResultObject.HEATMAP in wanted and said.reason is None:
        if heat is None:
            raise RibsightError("a heat map needs the maps of the detector, which were not given")
        legend = heat_lines(naming.identity, options.notice)
        pictures[ResultObject.HEATMAP] = beside(heat_picture(film, heat), legend, film.letters)
    return [capture(one, source, about, naming, kind) for kind, one in pictures.items()]


def _film(source: Dataset, said: Said, radiograph: Radiograph | None, longest_side: int) -> Film:
    """Return the film to draw on; an empty one for an image whose pixels cannot be read."""
    try:
        seen = radiograph or _decoded(source)
    except UnreadableImageError:
        if said.reason is None:
            raise
        return Film(np.zeros((_EMPTY, _EMPTY), np.uint8), _EMPTY, _EMPTY)
    return film_of(seen.pixels, seen.bits, longest_side)


def _decoded(source: Dataset) -> Radiograph:
    if "PixelData" not in source:
        raise UnreadableImageError(CALLED, "has no pixels, which a picture of it needs")
    content = BytesIO()
    try:
        source.save_as(content, enforce_file_format=True)
    except Exception as error:  # pydicom raises nearly anything on damaged values
        kind = type(error).__name__
        raise UnreadableImageError(CALLED, f"cannot be written again ({kind})") from error
    return read_guarded_content(content.getvalue(), CALLED)
