"""The gate: what a DICOM header must say before anything of it is decoded."""

from dataclasses import dataclass

from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.uid import UID

from ribsight.radiographs.attributes import UnusableDicomError, whole_number, words
from ribsight.radiographs.radiograph import why_impossible

_ELIGIBLE = frozenset(
    {
        uid.ComputedRadiographyImageStorage,
        uid.DigitalXRayImageStorageForPresentation,
        uid.DigitalXRayImageStorageForProcessing,
        uid.SecondaryCaptureImageStorage,
    }
)
_GREY = frozenset({"MONOCHROME1", "MONOCHROME2"})
_COLOUR = frozenset({"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_420", "YBR_ICT", "YBR_RCT"})


@dataclass(frozen=True)
class Header:
    """What decides how the samples are decoded.

    Attributes:
        sop_class: the kind of object.
        transfer_syntax: the encoding.
        rows, columns: of the image.
        samples: 1, grey, or 3, colour.
        bits_stored: 1 to 16.
        is_signed: whether stored values may be negative.
        photometric: `MONOCHROME1`, `MONOCHROME2`, or a colour space.
        low_bit: of a sample, the lowest that is stored; 0 but in old files.
    """

    sop_class: UID
    transfer_syntax: UID
    rows: int
    columns: int
    samples: int
    bits_stored: int
    is_signed: bool
    photometric: str
    low_bit: int = 0

    @property
    def is_for_processing(self) -> bool:
        """Whether the values are a detector's, not yet made for looking at."""
        return self.sop_class == uid.DigitalXRayImageStorageForProcessing


def read_header(dataset: Dataset, transfer_syntax: UID) -> Header:
    """Let pass what is one radiograph of a possible size.

    Raises:
        UnusableDicomError: another kind of object, several frames, or an impossible size or depth.
    """
    sop_class = UID(next(iter(words(dataset, "SOPClassUID")), ""))
    if sop_class not in _ELIGIBLE:
        kind = (
            f"{sop_class.name} object" if sop_class.name != sop_class else "object of another kind"
        )
        raise UnusableDicomError(f"is no radiograph but a DICOM {kind}")
    frames = whole_number(dataset, "NumberOfFrames", default=1)
    if frames != 1:
        raise UnusableDicomError(f"has {frames} frames: a radiograph has one")
    rows, columns = whole_number(dataset, "Rows"), whole_number(dataset, "Columns")
    reason = why_impossible(columns, rows)
    if reason:
        raise UnusableDicomError(reason)
    samples = whole_number(dataset, "SamplesPerPixel", default=1)
    photometric = next(iter(words(dataset, "PhotometricInterpretation")), "")
    if (samples, photometric) not in {*((1, one) for one in _GREY), *((3, one) for one in _COLOUR)}:
        raise UnusableDicomError("has a PhotometricInterpretation that is not read")
    bits_stored, low_bit = _bits(dataset, samples)
    return Header(
        sop_class=sop_class,
        transfer_syntax=transfer_syntax,
        rows=rows,
        columns=columns,
        samples=samples,
        bits_stored=bits_stored,
        is_signed=whole_number(dataset, "PixelRepresentation", default=0) == 1,
        photometric=photometric,
        low_bit=low_bit,
    )


def _bits(dataset: Dataset, samples: int) -> tuple[int, int]:
    """Return how many bits of a sample are stored, and the lowest of them."""
    allocated = whole_number(dataset, "BitsAllocated")
    stored = whole_number(dataset, "BitsStored", default=allocated)
    high = whole_number(dataset, "HighBit", default=stored - 1)
    if allocated not in (8, 16) or not 1 <= stored <= allocated or (samples == 3 and stored != 8):
        raise UnusableDicomError(f"has samples of {stored} bits in {allocated}, which are not read")
    if not stored - 1 <= high < allocated or (samples == 3 and high != 7):
        raise UnusableDicomError(f"has HighBit {high} with {stored} BitsStored, which is not read")
    return stored, high - stored + 1
