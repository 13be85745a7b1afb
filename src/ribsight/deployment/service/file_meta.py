"""The first bytes of a file that arrived: is it DICOM, of what kind, encoded how."""

import io
import re
from dataclasses import dataclass
from pathlib import Path

from pydicom import uid
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag

from ribsight.radiographs.attributes import text
from ribsight.radiographs.dicom import is_dicom
from ribsight.radiographs.quiet import unchecking_pydicom

CLASSES = frozenset(
    {
        uid.ComputedRadiographyImageStorage,
        uid.DigitalXRayImageStorageForPresentation,
        uid.DigitalXRayImageStorageForProcessing,
        uid.SecondaryCaptureImageStorage,
    }
)
"""What may be a radiograph; other objects are not taken in."""

SYNTAXES = (
    uid.ExplicitVRLittleEndian,
    uid.ImplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
    uid.JPEGBaseline8Bit,
    uid.JPEGExtended12Bit,
    uid.JPEGLossless,
    uid.JPEGLosslessSV1,
    uid.JPEGLSLossless,
    uid.JPEGLSNearLossless,
    uid.JPEG2000Lossless,
    uid.JPEG2000,
    uid.HTJ2KLossless,
    uid.HTJ2KLosslessRPCL,
    uid.HTJ2K,
    uid.RLELossless,
)
"""Encodings that are read; deflated data sets are not, which may inflate without end."""

_KEYWORDS = ("MediaStorageSOPClassUID", "MediaStorageSOPInstanceUID", "TransferSyntaxUID")
_MOST = 1 << 16
_START = 132
_UID = re.compile(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))+")
_LONGEST_UID = 64


@dataclass(frozen=True)
class FileMeta:
    """What a file says of itself before its data set starts; "" where that is no UID.

    Attributes:
        sop_class: the kind of object.
        instance_uid: of the object. Its `repr` is empty, as it may lead to a patient.
        syntax: how it is encoded.
    """

    sop_class: str
    instance_uid: str
    syntax: str

    def __repr__(self) -> str:
        return f"FileMeta({self.sop_class}, {self.syntax})"


def read_file_meta(path: Path) -> FileMeta | None:
    """Read a file's meta information, and nothing after it; None if it is no DICOM file."""
    with path.open("rb") as stream:
        content = stream.read(_MOST)
    if not is_dicom(content):
        return None
    start = io.BytesIO(content)
    start.seek(_START)
    try:
        with unchecking_pydicom():
            meta = read_dataset(start, False, True, stop_when=_is_after_meta)
            said = [text(meta, keyword) or "" for keyword in _KEYWORDS]
    except Exception:  # pydicom raises nearly anything on damaged bytes
        return None
    return FileMeta(*[one if is_uid(one) else "" for one in said])


def is_uid(value: str) -> bool:
    """Say whether a text is a UID as the standard has them."""
    return len(value) <= _LONGEST_UID and bool(_UID.fullmatch(value))


def _is_after_meta(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return tag.group != 2
