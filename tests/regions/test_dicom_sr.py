"""DICOM structured reports: ours, and those others may write."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from ribsight.errors import RibsightError
from ribsight.regions import (
    AnnotatedImage,
    Annotations,
    Region,
    known_images,
    read_annotations,
    write_annotations,
)
from ribsight.regions.region import box_polygon


def annotated() -> Annotations:
    images = {
        "a.dcm": AnnotatedImage("a.dcm", 64, 48, ("Doe^Jo", "R2")),
        "b.dcm": AnnotatedImage("b.dcm", 100, 33),
    }
    triangle = np.array([[10.0, 10.0], [20.0, 10.0], [20.0, 30.5]])
    regions = (
        Region("a.dcm", "rib_fracture", (box_polygon(0, 0, 64, 48),), is_box=True, reader="Doe^Jo",
               score=0.25, attributes={"side": "left"}),
        Region("a.dcm", "Pleural thickening (any)", (triangle,), reader="Doe^Jo"),
    )  # fmt: skip
    return Annotations("m", images, regions, ("rib_fracture", "Pleural thickening (any)"))


@pytest.fixture(scope="module")
def reports(dicom_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sr") / "reports"
    write_annotations(annotated(), "dicom-sr", out, images=known_images(dicom_folder))
    return out


def test_one_report_an_image_and_reader(reports: Path, dicom_folder: Path) -> None:
    assert len(list(reports.iterdir())) == 3
    content = read_annotations(reports, images=known_images(dicom_folder))
    first, second = content.regions
    assert (first.finding, first.box, first.reader) == ("rib_fracture", (0, 0, 64, 48), "Doe^Jo")
    assert (first.score, first.attributes["side"], first.is_box) == (0.25, "left", True)
    assert second.finding == "Pleural thickening (any)"
    assert second.polygons[0].tolist() == [[10, 10], [20, 10], [20, 30.5]]
    assert content.images["a.dcm"].readers == ("Doe^Jo", "R2")
    assert content.images["b.dcm"].readers == ()
    assert (content.images["b.dcm"].width, content.images["b.dcm"].height) == (100, 33)


def test_without_the_images_an_image_is_its_instance(reports: Path, dicom_folder: Path) -> None:
    uid = str(pydicom.dcmread(dicom_folder / "a.dcm").SOPInstanceUID)
    content = read_annotations(reports)
    assert {one.radiograph for one in content.regions} == {uid}


def test_the_same_annotations_get_the_same_identifiers(
    reports: Path, dicom_folder: Path, tmp_path: Path
) -> None:
    write_annotations(
        annotated(), "dicom-sr", tmp_path / "again", images=known_images(dicom_folder)
    )
    for one in reports.iterdir():
        again = pydicom.dcmread(tmp_path / "again" / one.name)
        assert again.SOPInstanceUID == pydicom.dcmread(one).SOPInstanceUID


def test_dciodvfy_finds_no_error(reports: Path) -> None:
    if shutil.which("dciodvfy") is None:
        pytest.skip("no dciodvfy here (Debian: dicom3tools)")
    for one in reports.iterdir():
        done = subprocess.run(
            ["dciodvfy", "-new", one], capture_output=True, text=True, check=False
        )
        said = done.stdout + done.stderr
        assert "Comprehensive3DSR" in said
        assert "Error" not in said


def test_highdicom_reads_the_report_alike(reports: Path) -> None:
    from highdicom.sr import srread

    first = min(reports.iterdir())
    content: Any = srread(first).content
    groups = content.get_planar_roi_measurement_groups()
    assert len(groups) == 2
    np.testing.assert_array_equal(groups[1].roi.value, [[10, 10], [20, 10], [20, 30.5], [10, 10]])
    assert groups[0].finding_type.value == "72704001"
    assert groups[0].finding_sites[0].value.value == "113197003"


def test_a_report_needs_the_dicom_file_of_its_image(dicom_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(RibsightError, match=r"a report on a\.dcm needs|report on a\.dcm needs"):
        write_annotations(annotated(), "dicom-sr", tmp_path / "out")
    assert not list(tmp_path.iterdir())


def code(value: str, meaning: str, scheme: str = "DCM") -> list[Dataset]:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return [item]


def item(
    kind: str, name: tuple[str, str] | None = None, *children: Dataset, **more: Any
) -> Dataset:
    one = Dataset()
    one.RelationshipType, one.ValueType = "CONTAINS", kind
    if name:
        one.ConceptNameCodeSequence = code(*name)
    for keyword, value in more.items():
        setattr(one, keyword, value)
    if children:
        one.ContentSequence = list(children)
    return one


def source(uid: str = "1.2.3") -> Dataset:
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = "1.2.840.1", uid
    return item("IMAGE", None, ReferencedSOPSequence=[reference])


def outline(kind: str, *data: float) -> Dataset:
    return item("SCOORD", ("111030", "Image Region"), source(), GraphicType=kind,
                GraphicData=list(data))  # fmt: skip


def foreign(path: Path, *content: Dataset) -> Annotations:
    report = Dataset()
    report.SOPClassUID, report.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.88.33", "1.2.9"
    report.Modality, report.ValueType = "SR", "CONTAINER"
    report.ContentSequence = list(content)
    report.file_meta = pydicom.dataset.FileMetaDataset()
    report.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    pydicom.dcmwrite(path, report, enforce_file_format=True)
    return read_annotations(path, leave_out_faults=True)


FINDING = item("CODE", ("121071", "Finding"), ConceptCodeSequence=code("1", "Mass", "SCT"))


def test_a_foreign_report_without_the_template_is_read(tmp_path: Path) -> None:
    observer = item("PNAME", ("121008", "Person Observer Name"), PersonName="Roe^Ann")
    inferred = item("CODE", ("1", "Impression"), outline("POLYLINE", 1, 1, 9, 1, 9, 7, 1, 1),
                    ConceptCodeSequence=code("2", "Nodule", "SCT"))  # fmt: skip
    content = foreign(tmp_path / "r.dcm", observer, inferred)
    (region,) = content.regions
    assert (region.radiograph, region.finding, region.reader) == ("1.2.3", "Nodule", "Roe^Ann")
    assert region.polygons[0].tolist() == [[1, 1], [9, 1], [9, 7]]


def test_circles_and_ellipses_have_the_box_they_should(tmp_path: Path) -> None:
    group = item("CONTAINER", ("125007", "Measurement Group"), FINDING,
                 outline("CIRCLE", 50, 50, 50, 60),
                 outline("ELLIPSE", 10, 50, 90, 50, 50, 40, 50, 60))  # fmt: skip
    circle, ellipse = foreign(tmp_path / "r.dcm", group).regions
    assert circle.box == pytest.approx((40, 40, 60, 60))
    assert ellipse.box == pytest.approx((10, 40, 90, 60))
    assert circle.finding == "Mass"


def test_points_and_open_lines_are_left_out_with_a_note(tmp_path: Path) -> None:
    group = item("CONTAINER", ("125007", "Measurement Group"), FINDING, outline("POINT", 5, 5),
                 outline("POLYLINE", 1, 1, 9, 1, 9, 7))  # fmt: skip
    content = foreign(tmp_path / "r.dcm", group)
    assert content.notes == ("entries left out, not a region (2)",)
    assert list(content.images) == ["1.2.3"]
    assert content.rejected[0].where == "r.dcm, item 1.1.2"


def test_an_image_is_no_report(dicom_folder: Path) -> None:
    with pytest.raises(RibsightError, match="holds no DICOM structured report"):
        read_annotations(dicom_folder)
