"""Annotations -> one DICOM structured report (TID 1500) an image and reader, with highdicom."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ribsight.errors import RibsightError
from ribsight.files import atomic_folder
from ribsight.regions.annotations import Annotations
from ribsight.regions.formats.dicom_codes import (
    ABSENT,
    ANY_FINDING,
    CONTEXT,
    NAME_OF_DEVICE,
    PLAIN_CHEST,
    SCORE,
    SIDES,
    WRITTEN,
)
from ribsight.regions.formats.dicom_report import (
    LONGEST,
    MANUFACTURER,
    coded,
    finding_code,
    finished,
    moment_of,
    named_uid,
    reference,
    subject,
)
from ribsight.regions.geometry import joined
from ribsight.regions.image_sizes import KnownImages, stem
from ribsight.regions.region import Region


def write(annotations: Annotations, path: Path, known: KnownImages | None) -> list[str]:
    """Write a folder of reports; who looked and drew nothing gets one that says so.

    UIDs follow from the image, the reader and what was drawn: written again, a report has the
    same bytes.

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
        return pydicom.dcmread(found.path, stop_before_pixels=True)
    except (InvalidDicomError, OSError, ValueError, EOFError) as error:
        raise RibsightError(f"{found.path} is no readable DICOM file: {error}") from error


def _report(header: Any, reader: str, regions: Sequence[Region], number: int) -> Any:
    from highdicom.sr import Comprehensive3DSR, MeasurementReport
    from pydicom.sr.codedict import codes

    about = subject(header, str(header.filename))
    drawn = [(one.finding, one.score, *joined(one.polygons).ravel().tolist()) for one in regions]
    seed = f"{about.SOPInstanceUID} {reader} {drawn}"
    content = MeasurementReport(
        observation_context=_observer(reader),
        procedure_reported=coded(PLAIN_CHEST),
        imaging_measurements=[
            _group(about, one, named_uid(f"{seed} {place}")) for place, one in enumerate(regions)
        ]
        or [_nothing(about, named_uid(f"{seed} nothing"))],
        title=codes.DCM.ImagingMeasurementReport,
    )
    report = Comprehensive3DSR(
        evidence=[reference(about)],
        content=content[0],
        series_instance_uid=named_uid(f"{seed} series"),
        series_number=900,
        sop_instance_uid=named_uid(f"{seed} report"),
        instance_number=number,
        manufacturer=MANUFACTURER,
        is_complete=True,
        is_final=False,
        is_verified=False,
    )
    return finished(report, about, moment_of(header))


def _observer(reader: str) -> Any:
    from highdicom.sr import (
        DeviceObserverIdentifyingAttributes,
        ObservationContext,
        ObserverContext,
        PersonObserverIdentifyingAttributes,
    )
    from pydicom.sr.codedict import codes

    if not reader:
        device = DeviceObserverIdentifyingAttributes(named_uid(NAME_OF_DEVICE), NAME_OF_DEVICE)
        context = ObserverContext(codes.DCM.Device, device)
        return ObservationContext(observer_device_context=context)
    if len(reader) > LONGEST or set(reader) & set("\\=") or not reader.isprintable():
        raise RibsightError(f"DICOM cannot hold the reader's name '{reader}'")
    # A caret says that one word is meant as the family name.
    name = reader if "^" in reader else f"{reader}^"
    person = PersonObserverIdentifyingAttributes(name=name)
    return ObservationContext(observer_person_context=ObserverContext(codes.DCM.Person, person))


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
        sites.append(FindingSite(coded(site), laterality=coded(side) if side else None))
    measurements = []
    if region.score is not None:
        measurements.append(Measurement(coded(SCORE), region.score, codes.UCUM.NoUnits))
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
        finding_type=coded(finding_code(region.finding)),
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
        finding_type=coded(ANY_FINDING),
        qualitative_evaluations=[QualitativeEvaluation(coded(CONTEXT), coded(ABSENT))],
        source_images=[SourceImageForMeasurementGroup(header.SOPClassUID, header.SOPInstanceUID)],
    )
