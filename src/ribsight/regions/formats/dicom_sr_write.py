"""Annotations -> one DICOM structured report (TID 1500) an image and reader, with highdicom."""

import re
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ribsight.errors import RibsightError
from ribsight.regions.annotations import Annotations
from ribsight.regions.folders import atomic_folder
from ribsight.regions.formats.dicom_codes import (
    ABSENT,
    ANY_FINDING,
    CONTEXT,
    NAME_OF_DEVICE,
    OWN_SCHEME,
    PLAIN_CHEST,
    SCORE,
    SIDES,
    WRITTEN,
    Code,
)
from ribsight.regions.geometry import joined
from ribsight.regions.image_sizes import KnownImages, stem
from ribsight.regions.region import Region

_NEEDED = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
_TYPE_2 = ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyID", "StudyDate",
           "StudyTime", "AccessionNumber", "ReferringPhysicianName")  # fmt: skip
_LONGEST = 64


def write(annotations: Annotations, path: Path, known: KnownImages | None) -> list[str]:
    """Write a folder of reports; who looked and drew nothing gets one that says so.

    UIDs follow from the image, the reader and what was drawn: written again, it has the same.

    Raises:
        RibsightError: highdicom is not installed, or the DICOM file of an image is not there.
    """
    try:
        import highdicom  # noqa: F401
    except ImportError as error:
        raise RibsightError(
            "writing DICOM SR needs highdicom: pip install 'ribsight[sr]'"
        ) from error
    headers = {name: _header(name, known) for name in annotations.images}
    with atomic_folder(path) as folder:
        written = 0
        for name, regions in annotations.by_image().items():
            image = annotations.images[name]
            readers = dict.fromkeys([*image.readers, *(one.reader for one in regions)])
            for reader in readers or {"": None}:
                written += 1
                own = [one for one in regions if one.reader == reader]
                report = _report(headers[name], reader, own, written)
                safe = re.sub(r"[^A-Za-z0-9._-]", "_", stem(name))[:80].lstrip(".")
                report.save_as(folder / f"{written:06d}-{safe}.dcm", enforce_file_format=True)
    return [f"{written} reports, one an image and reader"]


def _header(name: str, known: KnownImages | None) -> Any:
    import pydicom
    from pydicom.errors import InvalidDicomError

    found = known.find(name) if known else None
    if found is None or found.path is None or found.uid is None:
        raise RibsightError(
            f"a DICOM report on {name} needs that image's own DICOM file, for its patient and "
            "study: give --images, the folder of the DICOM files"
        )
    try:
        header = pydicom.dcmread(found.path, stop_before_pixels=True)
    except (InvalidDicomError, OSError, ValueError, EOFError) as error:
        raise RibsightError(f"{found.path} is no readable DICOM file: {error}") from error
    for keyword in _NEEDED:
        if not header.get(keyword):
            raise RibsightError(f"{found.path} has no {keyword}, which a report refers to")
    for keyword in _TYPE_2:
        if keyword not in header:
            setattr(header, keyword, "")
    return header


def _report(header: Any, reader: str, regions: Sequence[Region], number: int) -> Any:
    from highdicom.sr import Comprehensive3DSR, MeasurementReport
    from pydicom.sr.codedict import codes

    drawn = [(one.finding, one.score, *joined(one.polygons).ravel().tolist()) for one in regions]
    seed = f"{header.SOPInstanceUID} {reader} {drawn}"
    content = MeasurementReport(
        observation_context=_observer(reader),
        procedure_reported=_coded(PLAIN_CHEST),
        imaging_measurements=[
            _group(header, one, _uid(f"{seed} {place}")) for place, one in enumerate(regions)
        ]
        or [_nothing(header, _uid(f"{seed} nothing"))],
        title=codes.DCM.ImagingMeasurementReport,
    )
    return Comprehensive3DSR(
        evidence=[header],
        content=content[0],
        series_instance_uid=_uid(f"{seed} series"),
        series_number=900,
        sop_instance_uid=_uid(f"{seed} report"),
        instance_number=number,
        manufacturer="ribsight",
        is_complete=True,
        is_final=False,
        is_verified=False,
    )


def _uid(seed: str) -> str:
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, seed).int}"


def _coded(code: Code) -> Any:
    from highdicom.sr import CodedConcept

    return CodedConcept(code.value, code.scheme, code.meaning)


def _observer(reader: str) -> Any:
    from highdicom.sr import (
        DeviceObserverIdentifyingAttributes,
        ObservationContext,
        ObserverContext,
        PersonObserverIdentifyingAttributes,
    )
    from pydicom.sr.codedict import codes

    if not reader:
        device = DeviceObserverIdentifyingAttributes(_uid(NAME_OF_DEVICE), NAME_OF_DEVICE)
        context = ObserverContext(codes.DCM.Device, device)
        return ObservationContext(observer_device_context=context)
    if len(reader) > _LONGEST or set(reader) & set("\\=") or not reader.isprintable():
        raise RibsightError(f"DICOM cannot hold the reader's name '{reader}'")
    # A caret says that one word is meant as the family name.
    name = reader if "^" in reader else f"{reader}^"
    person = PersonObserverIdentifyingAttributes(name=name)
    return ObservationContext(observer_person_context=ObserverContext(codes.DCM.Person, person))


def finding_code(name: str) -> Code:
    """Return the code of a category. Raises RibsightError if DICOM cannot hold its name."""
    if name in WRITTEN:
        return WRITTEN[name][0]
    if not 0 < len(name) <= _LONGEST or "\\" in name or not name.isprintable():
        raise RibsightError(f"DICOM cannot hold the category '{name}': rename it with --category")
    value = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    if len(value) > 16 or value == ANY_FINDING.value or not value:
        value = f"c{uuid.uuid5(uuid.NAMESPACE_OID, name).hex[:15]}"
    return Code(value, OWN_SCHEME, name)


def _group(header: Any, region: Region, uid: str) -> Any:
    from highdicom.sr import (
        FindingSite,
        ImageRegion,
        Measurement,
        PlanarROIMeasurementsAndQualitativeEvaluations,
        SourceImageForRegion,
        TrackingIdentifier,
    )
    from pydicom.sr.codedict import codes

    outline = joined(region.polygons)
    closed = np.concatenate([outline, outline[:1]])
    said = region.attributes
    sites = []
    if region.finding in WRITTEN:
        side = SIDES.get(str(said.get("side", "")))
        site = WRITTEN[region.finding][1]
        sites.append(FindingSite(_coded(site), laterality=_coded(side) if side else None))
    measurements = []
    if region.score is not None:
        measurements.append(Measurement(_coded(SCORE), region.score, codes.UCUM.NoUnits))
    return PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(
            uid=str(said.get("tracking_uid") or uid),
            identifier=str(said.get("tracking_id") or region.finding),
        ),
        referenced_region=ImageRegion(
            graphic_type="POLYLINE",
            graphic_data=closed,
            source_image=SourceImageForRegion(header.SOPClassUID, header.SOPInstanceUID),
        ),
        finding_type=_coded(finding_code(region.finding)),
        finding_sites=sites or None,
        measurements=measurements or None,
    )


def _nothing(header: Any, uid: str) -> Any:
    from highdicom.sr import (
        MeasurementsAndQualitativeEvaluations,
        QualitativeEvaluation,
        SourceImageForMeasurementGroup,
        TrackingIdentifier,
    )

    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=uid, identifier="no finding"),
        finding_type=_coded(ANY_FINDING),
        qualitative_evaluations=[QualitativeEvaluation(_coded(CONTEXT), _coded(ABSENT))],
        source_images=[SourceImageForMeasurementGroup(header.SOPClassUID, header.SOPInstanceUID)],
    )
