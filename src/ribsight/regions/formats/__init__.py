"""The annotation formats, one module each."""

from ribsight.errors import RibsightError, nearest
from ribsight.regions.formats.chestx_det import CHESTX_DET
from ribsight.regions.formats.coco import COCO
from ribsight.regions.formats.cvat import CVAT
from ribsight.regions.formats.dicom_sr import DICOM_SR
from ribsight.regions.formats.format import Format, Holds, ReadOptions
from ribsight.regions.formats.label_studio import LABEL_STUDIO
from ribsight.regions.formats.nih import NIH
from ribsight.regions.formats.rsna import RSNA
from ribsight.regions.formats.vindr import VINDR
from ribsight.regions.formats.yolo import YOLO
from ribsight.regions.source import Source

__all__ = ["FORMATS", "Format", "Holds", "ReadOptions", "format_named", "recognised"]

FORMATS = (COCO, YOLO, VINDR, RSNA, NIH, CHESTX_DET, LABEL_STUDIO, CVAT, DICOM_SR)


def format_named(name: str) -> Format:
    """Return the format of that name. Raises RibsightError if there is none."""
    for one in FORMATS:
        if one.name == name:
            return one
    names = [one.name for one in FORMATS]
    raise RibsightError(
        f"no annotation format is called '{name}'{nearest(name, names)}; there are: "
        f"{', '.join(names)}"
    )


def recognised(source: Source) -> Format:
    """Return the format of a file or folder by its content.

    Raises:
        RibsightError: there is no such file, or it is of no known format.
    """
    if not source.path.exists():
        raise RibsightError(f"there is no {source.path}")
    for one in FORMATS:
        if one.recognises(source):
            return one
    has = f"; its columns are {', '.join(source.header)}" if source.header else ""
    raise RibsightError(
        f"{source.path} is of no annotation format ribsight knows "
        f"({', '.join(one.name for one in FORMATS)}){has}"
    )
