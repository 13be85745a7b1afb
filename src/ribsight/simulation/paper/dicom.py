"""One film as a DICOM file, Computed Radiography or Digital X-Ray for presentation.

The same film and header give the same bytes: identifiers are hashes and times are the study's.
Files state that they are simulated in the patient's name, Image Comments, the institution and the
acquisition equipment. Synthetic Data (0008,001C), made for this, is younger than the validators of
today's distributions, which call it an error.
"""

import hashlib
import io
from datetime import date, timedelta
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from ribsight.simulation.paper.digital import add_digital_x_ray, coded
from ribsight.simulation.paper.greyscale import lut, shown, stored_pixels, windows
from ribsight.simulation.paper.header import Header
from ribsight.simulation.paper.machines import Spacing, Voi
from ribsight.simulation.truth import Film, PatientTruth, View

__all__ = ["SIMULATED", "TransferSyntax", "dicom_bytes", "shown", "stored_pixels", "uid"]

SIMULATED = "SIMULATED by ribsight: no patient, not for clinical use"
_IMPLEMENTATION_VERSION = "RIBSIGHT_SIM_1"
_SHORT_STRING = 16
_LONG_STRING = 64
_PRIVATE_GROUP = 0x0029
_VIEWS = {
    View.PA_ERECT: "CHEST PA",
    View.AP_SUPINE: "CHEST AP PORTABLE",
    View.OBLIQUE_LEFT: "RIBS LEFT OBLIQUE",
    View.OBLIQUE_RIGHT: "RIBS RIGHT OBLIQUE",
    View.LATERAL: "CHEST LATERAL",
}


class TransferSyntax(StrEnum):
    """How the pixels are written; all are lossless."""

    EXPLICIT = "explicit"
    JPEG_LS = "jpeg-ls"
    JPEG_2000 = "jpeg-2000"
    RLE = "rle"


_UIDS = {
    TransferSyntax.JPEG_LS: JPEGLSLossless,
    TransferSyntax.JPEG_2000: JPEG2000Lossless,
    TransferSyntax.RLE: RLELossless,
}


def uid(*parts: str) -> UID:
    """Return a UID under 2.25 (PS3.5 B.2) that is a function of `parts` alone."""
    digest = hashlib.sha256("\0".join(("ribsight", *parts)).encode()).digest()
    return UID(f"2.25.{int.from_bytes(digest[:16], 'big')}")


def dicom_bytes(
    film_pixels: NDArray[np.float32],
    header: Header,
    truth: PatientTruth,
    film: Film,
    *,
    series_number: int,
    instance_number: int,
    transfer_syntax: TransferSyntax = TransferSyntax.EXPLICIT,
) -> bytes:
    """Return the file of one film.

    Args:
        film_pixels: (H, W) greys as displayed, 0 black to 1 white (bone bright).
        header: what the machine makes of them.
        truth: whose film.
        film: which of the patient's films.
        series_number: films of one series share it.
        instance_number: place in the series.
        transfer_syntax: how the pixels are written.

    Raises:
        ValueError: pixels of another size than the film, or an identifier DICOM has no room for
            (accession number and study id: 16 characters; patient id: 54).
    """
    if film_pixels.shape != (film.height, film.width):
        raise ValueError(f"pixels {film_pixels.shape} for a film {film.height} x {film.width}")
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = (
        DigitalXRayImageStorageForPresentation
        if header.digital
        else ComputedRadiographyImageStorage
    )
    meta.MediaStorageSOPInstanceUID = uid("image", truth.person.patient_id, film.radiograph_id)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = uid("implementation")
    meta.ImplementationVersionName = _IMPLEMENTATION_VERSION
    file = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    if header.character_set is not None:
        file.SpecificCharacterSet = header.character_set
    file.SOPClassUID = meta.MediaStorageSOPClassUID
    file.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    file.ImageComments = SIMULATED
    _add_patient_and_study(file, truth)
    _add_series(file, header, truth, film, series_number)
    _add_image(file, header, truth, film, instance_number)
    _add_grey(file, header)
    if header.digital:
        add_digital_x_ray(file, header, film)
    _add_private(file, header)
    _add_pixels(file, stored_pixels(film_pixels, header), header)
    if transfer_syntax is not TransferSyntax.EXPLICIT:
        file.compress(_UIDS[transfer_syntax], generate_instance_uid=False)
    buffer = io.BytesIO()
    dcmwrite(buffer, file, enforce_file_format=True)
    return buffer.getvalue()


def _add_patient_and_study(file: Dataset, truth: PatientTruth) -> None:
    person = truth.person
    file.PatientName = f"SIMULATED^{_fits(person.patient_id, _LONG_STRING - 10)}"
    file.PatientID = person.patient_id
    file.PatientSex = "F" if person.sex == "female" else "M"
    file.PatientBirthDate = _birth_date(truth).strftime("%Y%m%d")
    file.PatientAge = f"{person.age:03d}Y"
    file.PatientSize = f"{person.height / 1000:.2f}"
    file.PatientWeight = f"{person.weight:.1f}"
    file.StudyInstanceUID = _study_uid(truth)
    file.StudyID = _fits(truth.study_id, _SHORT_STRING)
    file.AccessionNumber = _fits(truth.accession_number, _SHORT_STRING)
    file.ReferringPhysicianName = ""
    file.StudyDescription = "XR CHEST"
    file.StudyDate = truth.study_date.strftime("%Y%m%d")
    file.StudyTime = _time(truth, minutes=0)


def _add_series(
    file: Dataset, header: Header, truth: PatientTruth, film: Film, series_number: int
) -> None:
    file.Modality = header.modality
    file.SeriesInstanceUID = uid("series", _study_uid(truth), str(series_number))
    file.SeriesNumber = series_number
    file.SeriesDescription = _VIEWS[film.view]
    file.Manufacturer = header.manufacturer
    file.ManufacturerModelName = header.model
    file.InstitutionName = "SIMULATED HOSPITAL"
    file.ContributingEquipmentSequence = Sequence([_simulator()])
    file.BodyPartExamined = header.body_part
    if header.body_part != "CHEST" and not header.digital:
        # Asked of body parts that come in pairs, which an unnamed one may be (PS3.3 C.7.3.1).
        file.Laterality = ""
    # Digital X-Ray may leave the view out; Computed Radiography may only leave it empty.
    if header.view_position or not header.digital:
        file.ViewPosition = header.view_position
    if header.tube_voltage is not None:
        file.KVP = f"{header.tube_voltage:g}"


def _simulator() -> Dataset:
    item = Dataset()
    item.PurposeOfReferenceCodeSequence = Sequence(
        [coded("109101", "DCM", "Acquisition Equipment")]
    )
    item.Manufacturer = "ribsight"
    item.ManufacturerModelName = "simulated registry"
    item.ContributionDescription = SIMULATED
    return item


def _add_image(
    file: Dataset, header: Header, truth: PatientTruth, film: Film, instance_number: int
) -> None:
    file.InstanceNumber = instance_number
    file.PatientOrientation = list(header.patient_orientation or ())
    if header.image_type:
        file.ImageType = list(header.image_type)
    if header.burned_in_annotation is not None:
        file.BurnedInAnnotation = header.burned_in_annotation
    if header.lossy:
        file.LossyImageCompression = "00"
    file.ContentDate = file.AcquisitionDate = file.StudyDate
    file.ContentTime = file.AcquisitionTime = _time(truth, minutes=instance_number)
    if header.spacing is not Spacing.NONE:
        file.ImagerPixelSpacing = [_decimal(film.pixel_spacing)] * 2
    if header.spacing is Spacing.BOTH:
        file.PixelSpacing = [_decimal(film.pixel_spacing)] * 2
    if header.spacing is Spacing.DIFFERING:
        file.PixelSpacing = [_decimal(film.pixel_spacing * header.spacing_ratio)] * 2


def _add_grey(file: Dataset, header: Header) -> None:
    if header.presentation_lut_shape is not None:
        file.PresentationLUTShape = header.presentation_lut_shape
    if header.rescale is not None:
        file.RescaleSlope = _decimal(header.rescale.slope)
        file.RescaleIntercept = _decimal(header.rescale.intercept)
        if header.rescale.kind is not None:
            file.RescaleType = header.rescale.kind
    stated = windows(header)
    if stated:
        file.WindowCenter = [_decimal(centre) for centre, _ in stated]
        file.WindowWidth = [_decimal(width) for _, width in stated]
    if len(stated) > 1:
        file.WindowCenterWidthExplanation = ["NORMAL", "HARDER", "SOFTER"]
    if header.voi_function is not None:
        file.VOILUTFunction = header.voi_function.value
    if header.voi in (Voi.LUT, Voi.WINDOWS_AND_LUT):
        entries = lut(header)
        item = Dataset()
        item.add_new("LUTDescriptor", "US", [len(entries), header.low, 16])
        if header.lut_explanation is not None:
            item.LUTExplanation = header.lut_explanation
        item.add_new("LUTData", "OW", entries.astype("<u2").tobytes())
        file.VOILUTSequence = Sequence([item])


def _add_private(file: Dataset, header: Header) -> None:
    if header.private_creator is None:
        return
    block = file.private_block(_PRIVATE_GROUP, header.private_creator, create=True)
    block.add_new(0x10, "LO", "SIMULATED")
    block.add_new(0x11, "UL", len(header.private_creator))


def _add_pixels(file: Dataset, stored: NDArray[np.uint16], header: Header) -> None:
    file.SamplesPerPixel = 1
    file.PhotometricInterpretation = header.photometric
    file.Rows, file.Columns = stored.shape
    file.BitsAllocated = 16
    file.BitsStored = header.bits_stored
    file.HighBit = header.bits_stored - 1
    file.PixelRepresentation = 0
    file.add_new("PixelData", "OW", stored.astype("<u2").tobytes())


def _study_uid(truth: PatientTruth) -> UID:
    return uid("study", truth.person.patient_id, truth.study_id)


def _number(truth: PatientTruth, what: str, count: int) -> int:
    digest = hashlib.sha256(f"{what} {truth.person.patient_id} {truth.study_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % count


def _birth_date(truth: PatientTruth) -> date:
    day = truth.study_date
    # The 28th at the latest, so that no leap day is in the way.
    birthday = date(day.year - truth.person.age, day.month, min(day.day, 28))
    return birthday - timedelta(days=_number(truth, "birthday", 360))


def _time(truth: PatientTruth, *, minutes: int) -> str:
    minute = 6 * 60 + _number(truth, "time", 16 * 60) + min(minutes, 60)
    return f"{minute // 60:02d}{minute % 60:02d}00"


def _decimal(value: float) -> str:
    # A decimal string holds 16 characters.
    return f"{value:.10g}"


def _fits(text: str, length: int) -> str:
    if len(text) > length or set(text) & set("\\^="):
        raise ValueError(f"'{text}' cannot be written to DICOM: at most {length} plain characters")
    return text
