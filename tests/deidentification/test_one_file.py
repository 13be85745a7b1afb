"""What stays in a de-identified file, and that it is the same film."""

import io
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom import uid
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.uid import UID

from ribsight.deidentification.allow_list import KEPT
from ribsight.deidentification.key import Key
from ribsight.deidentification.one_file import NO_PATIENT, deidentify
from ribsight.deidentification.sequences import KEPT_SEQUENCES
from ribsight.deidentification.subject import Policy
from ribsight.radiographs import Radiograph, read_radiograph
from ribsight.radiographs.attributes import UnusableDicomError

MakeFilm = Callable[..., bytes]
SYNTAXES = (
    uid.ImplicitVRLittleEndian,
    uid.ExplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
    uid.RLELossless,
    uid.JPEGLosslessSV1,
    uid.JPEGExtended12Bit,
    uid.JPEGLSLossless,
    uid.JPEG2000Lossless,
)


def read(content: bytes) -> Dataset:
    return pydicom.dcmread(io.BytesIO(content))


def as_ribsight_reads(content: bytes, folder: Path) -> Radiograph:
    path = folder / "a.dcm"
    path.write_bytes(content)
    return read_radiograph(path)


def assert_same_film(before: bytes, after: bytes, folder: Path, syntax: UID) -> None:
    old, new = as_ribsight_reads(before, folder), as_ribsight_reads(after, folder)
    assert np.array_equal(old.pixels, new.pixels)
    assert old.provenance is not None
    assert new.provenance is not None
    name = old.provenance.transfer_syntax if syntax.is_encapsulated else "Explicit VR Little Endian"
    assert new.provenance == replace(old.provenance, transfer_syntax=name)
    assert (new.view, new.pixel_spacing) == (old.view, old.pixel_spacing)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_the_picture_stays(
    make_film: MakeFilm, policy: Policy, tmp_path: Path, syntax: UID
) -> None:
    content = make_film(syntax=syntax)
    assert_same_film(content, deidentify(content, policy).content, tmp_path, syntax)


def table(first: int, entries: NDArray[np.uint16]) -> Dataset:
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [len(entries), first, 12])
    item.add_new("LUTData", "OW", entries.astype("<u2").tobytes())
    item.LUTExplanation = "made for Planted Name"
    return item


HEADERS: dict[str, dict[str, object]] = {
    "negative": {"PhotometricInterpretation": "MONOCHROME1"},
    "several windows": {"WindowCenter": ["1000", "2000"], "WindowWidth": ["500", "4000.5"]},
    "sigmoid": {"VOILUTFunction": "SIGMOID"},
    "no window": {"WindowCenter": None, "WindowWidth": None},
    "blank window": {"WindowCenter": "", "WindowWidth": ""},
    "rescale": {"RescaleSlope": "0.5", "RescaleIntercept": "-1024", "RescaleType": "HU"},
    "log exposure": {"RescaleSlope": "1", "RescaleIntercept": "5", "RescaleType": "LOG_E REL"},
    "tables": {"VOILUTSequence": [table(300, np.arange(3000, dtype=np.uint16))]},
    "for processing": {
        "SOPClassUID": uid.DigitalXRayImageStorageForProcessing,
        "PixelIntensityRelationship": "LIN",
        "PixelIntensityRelationshipSign": 1,
    },
    "padding": {"PixelPaddingValue": 300, "PixelPaddingRangeLimit": 320},
    "shutter": {
        "ShutterShape": "RECTANGULAR",
        "ShutterLeftVerticalEdge": 5,
        "ShutterRightVerticalEdge": 60,
        "ShutterUpperHorizontalEdge": 5,
        "ShutterLowerHorizontalEdge": 50,
        "WindowCenter": None,
    },
    "a vendor's word for the view": {"ViewPosition": "LARGE LATERAL"},
    "spacing of zero": {"PixelSpacing": ["0.000", "0.000"], "ImagerPixelSpacing": ["0.2", "0.2"]},
}


@pytest.mark.parametrize("name", HEADERS)
def test_whatever_shows_it(make_film: MakeFilm, policy: Policy, tmp_path: Path, name: str) -> None:
    content = make_film(**HEADERS[name])
    clean = deidentify(content, policy).content
    assert_same_film(content, clean, tmp_path, uid.ExplicitVRLittleEndian)
    assert b"Planted" not in clean


def test_a_local_code_of_the_view_becomes_the_standard_one(
    make_film: MakeFilm, policy: Policy, tmp_path: Path
) -> None:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator = "XR77", "99HOSP"
    item.CodeMeaning = "Chest PA of Planted Name"
    content = make_film(ViewPosition="", ViewCodeSequence=[item])
    clean = deidentify(content, policy).content
    assert_same_film(content, clean, tmp_path, uid.ExplicitVRLittleEndian)
    (code,) = read(clean).ViewCodeSequence
    assert (code.CodingSchemeDesignator, code.CodeValue) == ("SCT", "272479007")
    assert code.CodeMeaning == "postero-anterior"


def test_real_films_stay_as_they_are(dicom_data: Path, policy: Policy, tmp_path: Path) -> None:
    for path in sorted(dicom_data.glob("*.dcm")):
        content = path.read_bytes()
        clean = deidentify(content, policy)
        syntax = read(content).file_meta.TransferSyntaxUID
        assert_same_film(content, clean.content, tmp_path, syntax)
        assert b"CompressedSamples" not in clean.content
        assert b"CLUNIE" not in clean.content


def test_references_stay_consistent(make_film: MakeFilm, policy: Policy) -> None:
    item = Dataset()
    item.ReferencedSOPClassUID = uid.ComputedRadiographyImageStorage
    item.ReferencedSOPInstanceUID = "1.2.826.0.1.77.3"
    first = read(deidentify(make_film(), policy).content)
    second = read(
        deidentify(
            make_film(SOPInstanceUID="1.2.826.0.1.77.4", SourceImageSequence=[item]), policy
        ).content
    )
    assert second.SourceImageSequence[0].ReferencedSOPInstanceUID == first.SOPInstanceUID
    assert second.StudyInstanceUID == first.StudyInstanceUID
    assert second.PatientID == first.PatientID
    assert second.SOPInstanceUID != first.SOPInstanceUID
    assert second.file_meta.MediaStorageSOPInstanceUID == second.SOPInstanceUID


def test_what_says_that_samples_were_lost_stays(make_film: MakeFilm, policy: Policy) -> None:
    said = {"LossyImageCompression": "01", "LossyImageCompressionRatio": "9.5",
            "LossyImageCompressionMethod": "ISO_10918_1"}  # fmt: skip
    new = read(deidentify(make_film(syntax=uid.JPEGExtended12Bit, **said), policy).content)
    assert {keyword: str(new[keyword].value) for keyword in said} == said


def test_the_method_is_stated(make_film: MakeFilm, policy: Policy) -> None:
    def codes(policy: Policy) -> list[str]:
        new = read(deidentify(make_film(), policy).content)
        assert new.PatientIdentityRemoved == "YES"
        return [item.CodeValue for item in new.DeidentificationMethodCodeSequence]

    assert codes(policy) == ["113100", "113107", "113108"]
    bare = replace(policy, dates="drop", characteristics="drop")
    assert codes(bare) == ["113100"]
    new = read(deidentify(make_film(), bare).content)
    assert new.LongitudinalTemporalInformationModified == "REMOVED"
    assert (new.StudyDate, new.StudyTime, new.PatientSex) == ("", "", "")
    assert "PatientAge" not in new
    assert "BurnedInAnnotation" not in new


@given(days=st.integers(0, 9000), other=st.integers(0, 9000))
def test_intervals_of_a_patient_stay(days: int, other: int) -> None:
    from datetime import date, timedelta

    key, start = Key(b"k" * 32), date(1999, 12, 31)
    one, two = start + timedelta(days=days), start + timedelta(days=other)
    new_one, new_two = key.shifted(one, "P"), key.shifted(two, "P")
    assert new_one is not None
    assert new_two is not None
    assert new_two - new_one == two - one
    assert 1 <= (one - new_one).days <= 3650


@pytest.mark.parametrize(
    ("said", "born", "expected"),
    [
        ("045Y", "", "045Y"),
        ("089Y", "", "089Y"),
        ("090Y", "", "090Y"),
        ("103Y", "", "090Y"),
        ("987D", "", "002Y"),
        ("020W", "", "004M"),
        (None, "19500607", "069Y"),
        (None, "19010203", "090Y"),
        ("old", "", None),
        (None, "20210101", None),
    ],
)
def test_ages(
    make_film: MakeFilm, policy: Policy, said: str | None, born: str, expected: str | None
) -> None:
    def change(dataset: Dataset) -> None:
        if said is not None:
            dataset.add_new("PatientAge", "LO", said)

    new = read(deidentify(make_film(change=change, PatientBirthDate=born), policy).content)
    assert new.get("PatientAge") == expected
    assert new.PatientBirthDate == ""


def test_dates_and_hours(make_film: MakeFilm, policy: Policy) -> None:
    def change(dataset: Dataset) -> None:
        dataset.add_new("AcquisitionDate", "LO", "2020.03.06")
        dataset.add_new("AcquisitionDateTime", "LO", "20200307235959.123+0100")
        dataset.add_new("SeriesDate", "LO", "20209999")
        dataset.AcquisitionTime = "23:59:59"

    clean = deidentify(make_film(change=change), policy)
    new = read(clean.content)
    days = [
        int(pydicom.valuerep.DA(value).toordinal())
        for value in (new.StudyDate, new.AcquisitionDate, new.AcquisitionDateTime[:8])
    ]
    assert [one - days[0] for one in days] == [0, 1, 2]
    assert new.AcquisitionDateTime[8:] == "230000"
    assert (new.StudyTime, new.AcquisitionTime) == ("130000", "230000")
    assert "SeriesDate" not in new
    assert clean.identity.new["study_date"].replace("-", "") == new.StudyDate


def test_without_a_patient_the_study_stands_for_one(make_film: MakeFilm, policy: Policy) -> None:
    one = deidentify(make_film(PatientID=""), policy)
    assert NO_PATIENT in one.remarks
    same = deidentify(make_film(PatientID=None, SOPInstanceUID="1.2.9"), policy)
    other = deidentify(make_film(PatientID="", StudyInstanceUID="1.2.8"), policy)
    assert one.identity.new["patient_id"] == same.identity.new["patient_id"]
    assert one.identity.new["patient_id"] != other.identity.new["patient_id"]


def test_the_same_key_gives_the_same_bytes(make_film: MakeFilm, policy: Policy) -> None:
    assert deidentify(make_film(), policy) == deidentify(make_film(), policy)
    other = Policy(Key(b"o" * 32))
    assert deidentify(make_film(), policy).name != deidentify(make_film(), other).name


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"SOPClassUID": uid.CTImageStorage}, "is no radiograph but a DICOM CT Image Storage"),
        ({"StudyInstanceUID": None}, "does not say which image"),
        ({"Rows": 8}, "pixels: a radiograph has at least"),
    ],
)
def test_what_is_no_radiograph_is_refused(
    make_film: MakeFilm, policy: Policy, attributes: dict[str, object], reason: str
) -> None:
    content = make_film(**attributes)
    with pytest.raises(UnusableDicomError, match=reason):
        deidentify(content, policy)


def test_only_what_is_listed_is_written(make_film: MakeFilm, policy: Policy) -> None:
    stated = {
        "SOPClassUID", "PatientName", "PatientID", "PatientIdentityRemoved", "PixelData",
        "DeidentificationMethod", "DeidentificationMethodCodeSequence",
        "LongitudinalTemporalInformationModified",
    }  # fmt: skip
    listed = {one.keyword for one in KEPT} | {one.keyword for one in KEPT_SEQUENCES} | stated
    for header in HEADERS.values():
        written = {one.keyword for one in read(deidentify(make_film(**header), policy).content)}
        assert written <= listed
    assert all(tag_for_keyword(keyword) is not None for keyword in listed)


def test_nothing_is_kept_that_the_profile_removes() -> None:
    """Of table E.1-1 only what is keyed, shifted, emptied or covered by an option may stand."""
    tables = pytest.importorskip(
        "dicomanonymizer.dicom_anonymization_databases.dicomfields_2024b",
        reason="dicom-anonymizer, which holds table E.1-1, is not installed",
    )
    profile = {tuple(tag[:2]) for tag in tables.ALL_TAGS}
    treated = {"keyed", "moved back", "moved back, cut to the hour", "cut to the hour", "empty"}
    kept_as = {one.keyword: one.what for one in KEPT}
    kept_as |= {one.keyword: one.what for one in KEPT_SEQUENCES}
    for keyword, what in kept_as.items():
        tag = tag_for_keyword(keyword)
        assert tag is not None
        if (tag >> 16, tag & 0xFFFF) in profile and what not in treated:
            # 113108 keeps sex and age; references stay with keyed UIDs (X/Z/U*).
            assert keyword in {
                "PatientSex", "PatientAge", "SourceImageSequence", "ReferencedImageSequence",
            }  # fmt: skip


def errors_of(content: bytes, folder: Path) -> set[str]:
    path = folder / "a.dcm"
    path.write_bytes(content)
    said = subprocess.run(["dciodvfy", "-new", path], capture_output=True, text=True, check=False)
    return {line for line in said.stderr.splitlines() if line.startswith("Error")}


def test_no_new_errors_of_conformance(make_film: MakeFilm, policy: Policy, tmp_path: Path) -> None:
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy (dicom3tools) is not installed")
    for header in ({}, *HEADERS.values()):
        content = make_film(**header)
        new = errors_of(deidentify(content, policy).content, tmp_path)
        assert new <= errors_of(content, tmp_path)


def test_the_documentation_lists_what_is_kept() -> None:
    root = Path(__file__).resolve().parents[2]
    tool = root / "tools" / "list_kept_attributes.py"
    printed = subprocess.run([sys.executable, tool], capture_output=True, text=True, check=True)
    assert printed.stdout in (root / "docs" / "deidentification.md").read_text(encoding="utf-8")
