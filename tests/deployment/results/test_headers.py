"""Results of images whose headers are as odd as real ones: still valid, still about the patient."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.uid import UID
from tests.deployment.results.conftest import FOUND, MODEL, Verify, content_of, film, source
from tests.simulation.paper.conftest import make_patient

from ribsight.deployment.results import (
    NotProcessed,
    ResultObject,
    ResultOptions,
    dicom_results,
)
from ribsight.evaluation.predictions import ImagePrediction
from ribsight.radiographs.read import read_content
from ribsight.regions.formats.dicom_report import unchecked
from ribsight.simulation.paper.dicom import dicom_bytes
from ribsight.simulation.paper.header import draw_header
from ribsight.simulation.paper.machines import MACHINES
from ribsight.simulation.truth import View

WITHOUT_HEAT = ResultOptions(objects=frozenset(ResultObject) - {ResultObject.HEATMAP})
LONGEST_UID = "1.2.840." + "3" * 56

CHARACTER_SETS: dict[str, tuple[str | list[str], str]] = {
    "Latin-1": ("ISO_IR 100", "Äneas^Rüdiger"),
    "Cyrillic": ("ISO_IR 144", "Щёголев^Юрий"),
    "Greek": ("ISO_IR 126", "Διονυσιος"),
    "Hebrew": ("ISO_IR 138", "שרון^דבורה"),
    "Thai": ("ISO_IR 166", "นามสกุล"),
    "Japanese": (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    "half-width": (["ISO 2022 IR 13", "ISO 2022 IR 87"], "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう"),
    "Korean": (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동"),
    "Chinese": ("GB18030", "Wang^XiaoDong=王^小东"),
    "Unicode": ("ISO_IR 192", "Wang^XiaoDong=王^小东"),
}

ODD: dict[str, dict[str, Any]] = {
    "absent": dict.fromkeys(
        ("StudyDate", "StudyTime", "PatientName", "PatientID", "AccessionNumber", "InstanceNumber",
         "SeriesNumber", "Modality")
    ),
    "empty": dict.fromkeys(
        ("StudyDate", "StudyTime", "PatientName", "PatientID", "AccessionNumber", "InstanceNumber",
         "SeriesNumber", "PatientSex", "PatientBirthDate", "PatientAge", "StudyID",
         "ReferringPhysicianName", "SpecificCharacterSet", "PatientOrientation", "Laterality",
         "BodyPartExamined", "ViewPosition", "BurnedInAnnotation", "StudyDescription"), ""
    ),
    "longest": {"SOPInstanceUID": LONGEST_UID, "StudyInstanceUID": LONGEST_UID[:-1] + "4",
                "SeriesInstanceUID": LONGEST_UID[:-1] + "5", "PatientID": "I" * 64,
                "AccessionNumber": "A" * 16, "StudyDescription": "D" * 64},
    "another part": {"BodyPartExamined": "HIP", "Laterality": "L"},
    "de-identified": {"PatientIdentityRemoved": "YES", "DeidentificationMethod": "keyed"},
}  # fmt: skip

# Values that pydicom would not take from us, but reads from files.
WRONG = {
    "StudyDate": "2024-01-31",
    "StudyTime": "10 o'clock",
    "PatientSex": "X",
    "PatientBirthDate": "unknown",
    "PatientAge": "45",
    "PatientSize": "tall",
    "PatientWeight": "1,5",
    "StudyID": "x" * 30,
    "ReferringPhysicianName": "a=b=c=d",
    "TimezoneOffsetFromUTC": "CET",
    "InstanceNumber": "first",
    "SeriesNumber": "1.5",
    "PatientOrientation": "up",
    "BurnedInAnnotation": "MAYBE",
}


def all_of(header: Dataset) -> list[Dataset]:
    """Return what is written of a header: of a finding, and of an image that was not processed."""
    rows, columns = int(header.Rows), int(header.Columns)
    found = ImagePrediction(FOUND.id, FOUND.file, columns, rows, FOUND.findings)
    radiograph = read_content(content_of(header), "a")
    return [
        one
        for prediction in (found, NotProcessed("is no film of a chest"))
        for one in dicom_results(header, prediction, MODEL, WITHOUT_HEAT, radiograph=radiograph)
    ]


def again(one: Dataset) -> Dataset:
    return pydicom.dcmread(BytesIO(content_of(one)))


@pytest.mark.parametrize("machine", MACHINES, ids=lambda one: one.name)
def test_every_machine_of_real_archives(machine: Any, verify: Verify) -> None:
    random = np.random.default_rng(len(machine.name))
    view = list(View)[len(machine.name) % len(View)]
    truth = make_patient(views=(view,), height=64, width=80)
    pixels = np.linspace(0, 1, 64 * 80, dtype=np.float32).reshape(64, 80)
    header = draw_header(random, view, machine)
    content = dicom_bytes(pixels, header, truth, truth.films[0], series_number=1, instance_number=1)
    original = pydicom.dcmread(BytesIO(content))
    objects = all_of(original)
    verify(objects)
    assert len(objects) == 5
    assert {str(one.PatientName) for one in objects} == {str(original.PatientName)}
    assert content_of(original) == content, "the original is as it was"


@pytest.mark.parametrize("named", CHARACTER_SETS)
def test_names_in_every_character_set(named: str, verify: Verify) -> None:
    sets, name = CHARACTER_SETS[named]
    header = source(SpecificCharacterSet=sets, PatientName=name)
    objects = all_of(header)
    verify(objects)
    for one in map(again, objects):
        assert str(one.PatientName) == name
        assert one.SpecificCharacterSet == header.SpecificCharacterSet


@pytest.mark.parametrize("case", ODD)
def test_what_is_missing_empty_or_long(case: str, verify: Verify) -> None:
    header = source(**ODD[case])
    objects = all_of(header)
    verify(objects)
    for one in map(again, objects):
        assert str(one.get("PatientID", "")) == str(header.get("PatientID") or "")
        assert one.StudyInstanceUID == header.StudyInstanceUID


def test_values_that_are_none_are_left_out(verify: Verify) -> None:
    header = source(SpecificCharacterSet="ISO_IR 100", PatientName="Müller")
    for keyword, value in WRONG.items():
        header[keyword] = unchecked(keyword, value)
    content = content_of(header).replace(b"ISO_IR 100", b"latin     ")
    objects = all_of(pydicom.dcmread(BytesIO(content)))
    verify(objects)
    report = again(objects[0])
    assert (report.StudyDate, report.PatientSex, report.StudyID) == ("", "", "")
    assert "PatientSize" not in report
    # A character set that DICOM does not know: text becomes Unicode.
    assert (report.SpecificCharacterSet, str(report.PatientName)) == ("ISO_IR 192", "Müller")


def test_identifiers_are_never_cut_even_where_they_are_too_long() -> None:
    header = source()
    for keyword in ("PatientID", "PatientName", "AccessionNumber"):
        header[keyword] = unchecked(keyword, "n" * 80)
    for one in map(again, all_of(header)):
        for keyword in ("PatientID", "PatientName", "AccessionNumber"):
            assert one[keyword].value == "n" * 80


@pytest.mark.parametrize(
    "syntax",
    [uid.ImplicitVRLittleEndian, uid.ExplicitVRBigEndian, uid.RLELossless, uid.JPEGLSLossless,
     uid.JPEG2000Lossless, uid.JPEGLosslessSV1, uid.JPEGExtended12Bit, uid.HTJ2KLossless],
    ids=lambda one: one.keyword,
)  # fmt: skip
def test_every_encoding(syntax: UID, verify: Verify) -> None:
    objects = all_of(source(film(96, 64), syntax))
    verify(objects)
    assert {one.SOPClassUID.name for one in objects} == {
        "Comprehensive 3D SR Storage",
        "Secondary Capture Image Storage",
        "Grayscale Softcopy Presentation State Storage",
    }


def test_real_chest_radiographs(dicom_files: list[Path], verify: Verify) -> None:
    for path in dicom_files:
        header = pydicom.dcmread(path)
        before = content_of(header)
        objects = all_of(header)
        verify(objects)
        assert content_of(header) == before


@pytest.fixture(scope="session")
def dicom_files(dicom_data: Path) -> list[Path]:
    return sorted(dicom_data.glob("*_CR_CHEST_*.dcm"))
