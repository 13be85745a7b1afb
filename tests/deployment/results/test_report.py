"""The structured report: what machines read in it."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from tests.deployment.results.conftest import (
    FAINT,
    FOUND,
    MODEL,
    NOTHING,
    Verify,
    content_of,
    items,
    source,
)

from ribsight.deployment.results import (
    FindingCodes,
    NotProcessed,
    ResultObject,
    ResultOptions,
    SrKind,
    dicom_results,
)
from ribsight.errors import RibsightError
from ribsight.evaluation.predictions import FindingPrediction, ImagePrediction
from ribsight.regions import read_annotations
from ribsight.regions.formats.dicom_codes import Code
from ribsight.regions.formats.dicom_report import unchecked

ONLY_SR = ResultOptions(objects=frozenset({ResultObject.SR}))


def report_of(
    prediction: ImagePrediction | NotProcessed,
    options: ResultOptions = ONLY_SR,
    header: Dataset | None = None,
) -> Dataset:
    (report,) = dicom_results(header or source(), prediction, MODEL, options)
    return pydicom.dcmread(BytesIO(content_of(report)))


def said(report: Dataset) -> list[tuple[str, str]]:
    """Return name and value of each item that has one."""
    found = []
    for item in items(report):
        name = (
            item.ConceptNameCodeSequence[0].CodeMeaning if "ConceptNameCodeSequence" in item else ""
        )
        if "ConceptCodeSequence" in item:
            found.append((name, item.ConceptCodeSequence[0].CodeMeaning))
        elif "MeasuredValueSequence" in item:
            found.append((name, str(item.MeasuredValueSequence[0].NumericValue)))
        elif "TextValue" in item:
            found.append((name, item.TextValue))
    return found


def test_boxes_scores_and_codes() -> None:
    from highdicom.sr import srread

    report = report_of(FOUND)
    content: Any = srread(BytesIO(content_of(report))).content
    sure, unsure = content.get_planar_roi_measurement_groups()
    corners = [[40, 60], [80.5, 60], [80.5, 90], [40, 90], [40, 60]]
    assert sure.roi.value.tolist() == corners
    assert sure.roi.graphic_type.value == "POLYLINE"
    for group, side in ((sure, "24028007"), (unsure, "7771000")):
        assert (group.finding_type.value, group.finding_type.scheme_designator) == (
            "72704001",
            "SCT",
        )
        (site,) = group.finding_sites
        assert (site.value.value, site.laterality.value) == ("113197003", side)
    names = [[one.name.meaning for one in group.get_measurements()] for group in (sure, unsure)]
    assert names == [
        ["Confident", "Certainty of Finding"],
        ["Doubtful", "Certainty of Finding"],
    ]
    values = [[one.value for one in group.get_measurements()] for group in (sure, unsure)]
    assert values == [[0.91, 80.0], [0.41, 20.0]]
    assert sure.tracking_uid != unsure.tracking_uid
    assert sure.tracking_identifier == "1 rib_fracture".replace("_", " ")
    assert all(uid.startswith("2.25.") for uid in (sure.tracking_uid, unsure.tracking_uid))


def test_who_says_it_and_that_nobody_confirmed_it() -> None:
    report = report_of(FOUND)
    assert report.CompletionFlag == "COMPLETE"
    assert report.VerificationFlag == "UNVERIFIED"
    assert report.PreliminaryFlag == "PRELIMINARY"
    assert ("Algorithm Name", "first run") in said(report)
    assert ("Algorithm Version", "ribsight 0.1.0") in said(report)
    assert ("Algorithm Parameters", f"weights sha256={MODEL.sha256}") in said(report)
    assert (report.Manufacturer, report.ManufacturerModelName) == ("ribsight", "first run")
    assert report.DeviceSerialNumber == MODEL.sha256
    comment = dict(said(report))["Comment"]
    assert comment == (
        "Processed, 2 marks. rib fracture: detected, confident, score 0.91, probability 88 %. "
        "clavicle fracture: not detected, score 0.05, probability 2 %. "
        "Research use only. Not for diagnosis or treatment."
    )


def test_patient_study_and_times_are_those_of_the_image() -> None:
    header = source(PatientID="P7", AccessionNumber="A9", AcquisitionDate="20240130",
                    AcquisitionTime="235959.5", PatientAge="045Y", PatientSex="F")  # fmt: skip
    report = report_of(FOUND, header=header)
    for keyword in ("PatientID", "PatientName", "AccessionNumber", "StudyInstanceUID", "StudyDate",
                    "StudyTime", "PatientAge", "PatientSex"):  # fmt: skip
        assert report[keyword].value == header[keyword].value
    assert (report.ContentDate, report.ContentTime) == ("20240130", "235959")
    assert report.SeriesInstanceUID != header.SeriesInstanceUID
    (evidence,) = report.CurrentRequestedProcedureEvidenceSequence
    (series,) = evidence.ReferencedSeriesSequence
    (image,) = series.ReferencedSOPSequence
    assert image.ReferencedSOPInstanceUID == header.SOPInstanceUID


def test_nothing_found_is_said() -> None:
    report = report_of(NOTHING)
    assert ("CAD Processing and Findings Summary",
            "All algorithms succeeded; without findings") in said(report)  # fmt: skip
    assert ("Fracture", "Not detected") in said(report)
    assert ("Score", "0.1") in said(report)
    assert dict(said(report))["Comment"].startswith("Processed, nothing found.")
    assert not [one for one in items(report) if one.ValueType == "SCOORD"]


def test_not_processed_is_said_with_the_reason() -> None:
    report = report_of(NotProcessed("is no chest film:\n ViewPosition says LÄTERAL"))
    assert ("CAD Processing and Findings Summary",
            "No algorithms succeeded; without findings") in said(report)  # fmt: skip
    comment = dict(said(report))["Comment"]
    assert comment.startswith("Not processed: is no chest film: ViewPosition says L?TERAL. ")
    assert "detected" not in str(said(report)).lower().replace("not detected", "detected")


@pytest.mark.parametrize("kind", SrKind)
def test_the_class_of_the_report_is_an_option(kind: SrKind, verify: Verify) -> None:
    report = report_of(FOUND, replace(ONLY_SR, sr=kind))
    assert report.SOPClassUID.name == {
        SrKind.COMPREHENSIVE: "Comprehensive SR Storage",
        SrKind.COMPREHENSIVE_3D: "Comprehensive 3D SR Storage",
    }[kind]  # fmt: skip
    verify([report])


def test_codes_of_a_finding_are_an_option() -> None:
    mine = FindingCodes(Code("33737001", "SCT", "Fracture of rib"))
    report = report_of(FOUND, replace(ONLY_SR, codes={"rib_fracture": mine}))
    assert ("Finding", "Fracture of rib") in said(report)
    assert ("Fracture of rib", "Detected") in said(report)
    assert ("Fracture", "Not detected") in said(report)
    assert ("Finding Site", "Rib") not in said(report)


def _bare(one: FindingPrediction) -> FindingPrediction:
    marks = tuple(replace(mark, certainty=None) for mark in one.marks)
    return replace(one, certainty=None, marks=marks)


def test_without_thresholds_a_least_score_decides() -> None:
    bare = replace(FOUND, findings={name: _bare(one) for name, one in FOUND.findings.items()})
    assert "nothing found" in dict(said(report_of(bare)))["Comment"]
    report = report_of(bare, replace(ONLY_SR, least_score=FAINT.score))
    assert len([one for one in items(report) if one.ValueType == "SCOORD"]) == 3
    assert not [name for name, _ in said(report) if name == "Level of certainty"]


def test_the_same_input_gives_the_same_bytes_and_another_one_other_uids() -> None:
    first = report_of(FOUND)
    assert content_of(first) == content_of(report_of(FOUND))
    others = [
        report_of(FOUND, replace(ONLY_SR, sr=SrKind.COMPREHENSIVE)),
        report_of(FOUND, replace(ONLY_SR, edition="other thresholds")),
        report_of(FOUND, header=source(SOPInstanceUID="2.25.4")),
        dicom_results(source(), FOUND, replace(MODEL, sha256="cd" * 32), ONLY_SR)[0],
    ]
    assert len({one.SOPInstanceUID for one in (first, *others)}) == 5
    # Another image of the study: its report stands in the same series.
    assert len({one.SeriesInstanceUID for one in (first, *others)}) == 4


def test_a_report_is_read_as_regions(tmp_path: Path) -> None:
    report_of(FOUND).save_as(tmp_path / "found.dcm")
    content = read_annotations(tmp_path / "found.dcm")
    sure, unsure = content.regions
    assert (sure.finding, sure.box, sure.score) == ("rib_fracture", (40, 60, 80.5, 90), 0.91)
    assert (sure.attributes["side"], sure.attributes["certainty"]) == ("right", "confident")
    assert (unsure.attributes["certainty"], unsure.reader) == ("doubtful", "first run")


def test_an_image_that_was_not_processed_is_no_negative(tmp_path: Path) -> None:
    report_of(NotProcessed("is lateral")).save_as(tmp_path / "not.dcm")
    report_of(NOTHING, header=source(SOPInstanceUID="2.25.9")).save_as(tmp_path / "nothing.dcm")
    assert list(read_annotations(tmp_path).images) == ["2.25.9"]


def test_the_prediction_of_another_image_is_refused() -> None:
    with pytest.raises(RibsightError, match="has 240 x 300 pixels, but the prediction"):
        report_of(replace(FOUND, width=100))


@pytest.mark.parametrize("keyword", ["SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"])
@pytest.mark.parametrize("value", [None, "", "a/b"])
def test_an_image_without_a_name_is_refused(keyword: str, value: str | None) -> None:
    header = source()
    del header[keyword]
    if value is not None:
        header.add(unchecked(keyword, value))
    with pytest.raises(RibsightError, match=f"no usable {keyword}"):
        report_of(FOUND, header=header)


def test_the_function_stays_what_its_room_calls_by_its_name() -> None:
    import ribsight.deployment.results as room

    report_of(NOTHING)
    assert room.dicom_results is dicom_results
