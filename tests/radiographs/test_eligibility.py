import warnings
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from runpy import run_path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.uid import ComputedRadiographyImageStorage, SecondaryCaptureImageStorage

from ribsight.errors import RibsightError
from ribsight.radiographs.description_words import Part, parts_named, plain, view_named
from ribsight.radiographs.eligibility import (
    KINDS,
    Eligibility,
    Policy,
    eligibility,
    policy_of,
)
from ribsight.radiographs.image_header import ImageHeader, read_image_header
from ribsight.radiographs.radiograph import View

CAPTURE = SecondaryCaptureImageStorage
FILM = "1.2.840.10008.5.1.4.1.1.1"


def judged(said: Mapping[str, object], policy: Policy | None = None) -> Eligibility:
    """Return the eligibility of a DICOM dataset with these attributes, CR unless they say not."""
    dataset = Dataset()
    attributes = {"SOPClassUID": ComputedRadiographyImageStorage, "Modality": "CR", **said}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pydicom: values are not what they ought to be
        for keyword, value in attributes.items():
            setattr(dataset, keyword, value)
    return eligibility(read_image_header(dataset), policy)


def coded(meaning: str) -> list[Dataset]:
    item = Dataset()
    item.CodeMeaning = meaning
    return [item]


@pytest.mark.parametrize(
    ("said", "part"),
    [
        ("NON GRID CHEST", Part.CHEST),
        ("PORTABLE CHEST", Part.CHEST),
        ("CHESTABDOMEN", Part.CHEST),
        ("Thorax p.a. stehend", Part.CHEST),
        ("T035 TÓRAX AP", Part.CHEST),
        ("Rx Torace", Part.CHEST),
        ("Radiographie pulmonaire", Part.CHEST),
        ("Röntgen Lunge", Part.CHEST),
        ("NA_chestLAT_auto", Part.CHEST),
        ("RIB", Part.RIBS),
        ("Ribs Rt. 3V", Part.RIBS),
        ("PARRILLA COSTAL AP", Part.RIBS),
        ("Gril costal gauche", Part.RIBS),
        ("Rippen rechts", Part.RIBS),
        ("Hemithorax links", Part.RIBS),
        ("Knöcherner Hemithorax", Part.RIBS),
        ("Emitorace dx", Part.RIBS),
        ("Costillas izquierdas", Part.RIBS),
        ("Arcos costais", Part.RIBS),
        ("Ribben links", Part.RIBS),
        ("CLAVICLE", Part.CLAVICLE),
        ("Schlüsselbein links", Part.CLAVICLE),
        ("Schluesselbein", Part.CLAVICLE),
        ("Clavícula derecha", Part.CLAVICLE),
        ("Clavicola", Part.CLAVICLE),
        ("Sleutelbeen", Part.CLAVICLE),
        ("KUB", Part.ABDOMEN),
        ("EXTREMETY", Part.OTHER),
        ("TSPINE", Part.OTHER),
        ("thoracic spine 2 vw", Part.OTHER),
        ("Columna torácica lat", Part.OTHER),
        ("Rachis thoracique", Part.OTHER),
        ("ACROMIOCLAVICULAR JOINTS", Part.OTHER),
        ("Hüfte links axial", Part.OTHER),
        ("Épaule côté gauche", Part.OTHER),
        ("Muñeca", Part.OTHER),
        ("Ellenbogen", Part.OTHER),
        ("Ginocchio", Part.OTHER),
    ],
)
def test_a_part_of_the_body_is_known_in_seven_languages(said: str, part: Part) -> None:
    assert part in parts_named(said)
    is_wanted = part in (Part.CHEST, Part.RIBS, Part.CLAVICLE)
    assert not is_wanted or Part.OTHER not in parts_named(said)


@pytest.mark.parametrize(
    "said", ["", "GENERICA", "PORTATIL", "r/o PE", "head", "supine", "XR", "MAIN HOSPITAL"]
)
def test_words_of_no_body_part_name_no_chest(said: str) -> None:
    assert Part.CHEST not in parts_named(said)


# Values of SeriesDescription in the Valencian archives of PadChest and BIMCV.
@pytest.mark.parametrize(
    ("said", "view"),
    [
        ("W034 TÓRAX LAT. *", View.LATERAL),
        ("LATERAL IZQ.", View.LATERAL),
        ("BUCKY LAT", View.LATERAL),
        ("T034 TÓRAX LAT", View.LATERAL),
        ("W033 TÓRAX PA *", View.FRONTAL),
        ("DEC. SUPINO AP", View.FRONTAL),
        ("SUP.AP PORTABLE", View.FRONTAL),
        ("RX TORAX CON PORTATIL", View.FRONTAL),
        ("TORAX CAMILLA", View.FRONTAL),
        ("SEDESTACION AP", View.FRONTAL),
        ("TORAX-ABD PA", View.FRONTAL),
        ("RX TORAX  PA Y LAT", None),
        ("TORAX FRENTE Y PERFIL", None),
        ("CHEST", None),
        ("ESCAPULA Y", None),
        ("Thorax p.a.", View.FRONTAL),
        ("Thorax a. p. liegend", View.FRONTAL),
        ("Thorax seitlich", View.LATERAL),
        ("Thorax ap/seitl", None),
        ("Tórax AP/L", None),
        ("Xray Chest Lateral Portable", View.LATERAL),
        ("thorax de face", View.FRONTAL),
        ("thorax profil", View.LATERAL),
        ("latero-laterale", View.LATERAL),
        ("AP_horizontal", View.FRONTAL),
        ("left lateral decubitus", View.FRONTAL),
        ("Ribs oblique AP", View.OBLIQUE),
        ("Rippen schräg", View.OBLIQUE),
    ],
)
def test_a_view_is_known_in_free_text(said: str, view: View | None) -> None:
    assert view_named(said) is view


@given(st.text())
def test_any_text_becomes_plain_words(said: str) -> None:
    words = plain(said)
    assert words == words.lower().strip()
    parts_named(said)
    view_named(said)


@pytest.mark.parametrize(
    ("said", "kind", "source"),
    [
        ({"BodyPartExamined": "CHEST", "ViewPosition": "PA"}, "frontal_chest",
         "BodyPartExamined + ViewPosition"),
        ({"BodyPartExamined": "PORTABLE CHEST", "ViewPosition": "AP"}, "frontal_chest", None),
        ({"ViewPosition": "POSTEROANTERIOR", "SeriesDescription": "TORAX"}, "frontal_chest", None),
        ({"BodyPartExamined": "CHEST", "PatientOrientation": ["L", "F"]}, "frontal_chest",
         "BodyPartExamined + PatientOrientation"),
        ({"BodyPartExamined": "CHEST", "ViewPosition": "LARGE LATERAL"}, "lateral_chest", None),
        ({"ViewPosition": "LL"}, "lateral_chest", "ViewPosition"),
        ({"BodyPartExamined": "CHEST", "ViewPosition": "GENERICA"}, "chest", "BodyPartExamined"),
        ({"ViewPosition": "PA"}, "unknown", "ViewPosition"),
        ({}, "unknown", "nothing"),
        ({"BodyPartExamined": "CHEST", "ViewPosition": "OBLICUA"}, "rib_series", None),
        ({"BodyPartExamined": "RIB", "ViewPosition": "AP"}, "rib_series", None),
        ({"BodyPartExamined": "CHEST", "ProtocolName": "Rippen li. schräg"}, "rib_series", None),
        ({"ViewPosition": "COSTAL"}, "rib_series", None),
        ({"SeriesDescription": "XR RIBS LEFT W PA CHEST"}, "frontal_chest", None),
        ({"BodyPartExamined": "CLAVICLE", "ViewPosition": "AP"}, "clavicle", None),
        ({"BodyPartExamined": "CHEST", "SeriesDescription": "Klavikula axial"}, "clavicle", None),
        ({"BodyPartExamined": "EXTREMETY", "ViewPosition": "AP"}, "other_body_part", None),
        ({"AnatomicRegionSequence": coded("Hip joint")}, "other_body_part", None),
        ({"ProcedureCodeSequence": coded("Xray Abdomen KUB")}, "other_body_part", "the procedure"),
        ({"ProcedureCodeSequence": coded("CHEST 2V FRONTAL/LATERAL")}, "chest", "the procedure"),
        ({"StudyDescription": "XR Chest Single View Frontal"}, "frontal_chest", None),
        ({"PostprocessingFunction": "NA_chestLAT_auto"}, "lateral_chest", None),
        ({"AcquisitionDeviceProcessingDescription": "CHEST,PA"}, "frontal_chest", None),
        ({"Modality": "CT", "ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "localizer",
         "ImageType"),
        ({"Modality": "CT", "SeriesDescription": "Topogramm 0.6"}, "localizer", None),
        ({"Modality": "CT", "BodyPartExamined": "CHEST"}, "not_a_radiograph", "Modality"),
        ({"Modality": "MG", "ViewPosition": "MLO"}, "not_a_radiograph", "Modality"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.12.1"}, "not_a_radiograph", "SOPClassUID"),
        ({"QualityControlImage": "YES", "BodyPartExamined": "CHEST"}, "not_a_radiograph", None),
        ({"BodyPartExamined": "PHANTOM"}, "not_a_radiograph", None),
        ({"Modality": "SR"}, "report_capture", "Modality"),
    ],
)  # fmt: skip
def test_tags_then_descriptions_say_what_an_image_is(
    said: dict[str, object], kind: str, source: str | None
) -> None:
    found = judged(said)
    assert found.kind == kind
    assert found.eligible == (kind in ("frontal_chest", "rib_series", "chest", "unknown"))
    assert found.reason
    assert source in (None, found.source)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ({"Modality": "CR", "ConversionType": "DF"}, "unknown"),
        ({"Modality": "OT", "ConversionType": "WSD"}, "report_capture"),
        ({"Modality": "OT", "StudyDescription": "XR CHEST PA"}, "report_capture"),
        ({"Modality": "OT", "SeriesDescription": "CHEST PA", "ConversionType": "WSD"},
         "frontal_chest"),
        ({"Modality": "CR", "ConversionType": "SD", "BodyPartExamined": "CHEST"}, "report_capture"),
        ({"Modality": "CR", "SeriesDescription": "Chest AI result"}, "report_capture"),
        ({"Modality": "OT", "SeriesDescription": "Dosisbericht"}, "report_capture"),
        ({"Modality": "CR", "ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]},
         "report_capture"),
        ({"Modality": "OT", "SeriesDescription": "Scout"}, "localizer"),
    ],
)  # fmt: skip
def test_captures_of_screens_and_paper_are_told_from_films(
    said: dict[str, object], kind: str
) -> None:
    assert judged({"SOPClassUID": CAPTURE, **said}).kind == kind


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"BodyPartExamined": "CHEST", "ViewPosition": "PA", "SeriesDescription": "Hand links"},
         "SeriesDescription says another body part, but BodyPartExamined says the chest"),
        ({"BodyPartExamined": "ABDOMEN", "ViewPosition": "AP", "SeriesDescription": "Thorax ap"},
         "BodyPartExamined says the abdomen, but SeriesDescription says the chest"),
        ({"BodyPartExamined": "CHEST", "ViewPosition": "PA", "ProtocolName": "CHEST LAT"},
         "BodyPartExamined + ProtocolName says the chest, ProtocolName says lateral, but "
         "ViewPosition says frontal"),
    ],
)  # fmt: skip
def test_a_contradiction_is_refused_unless_asked_for(said: dict[str, object], reason: str) -> None:
    found = judged(said)
    assert (found.eligible, found.kind, found.reason) == (False, "contradictory", reason)
    asked_for = Policy(frozenset({"contradictory"}))
    assert judged(said, asked_for).eligible
    assert found.under(asked_for) == judged(said, asked_for)


def test_what_is_said_of_the_study_counts_only_where_nothing_is_said_of_the_image() -> None:
    chest = {"BodyPartExamined": "CHEST"}
    assert judged({"StudyDescription": "XR HAND", **chest}).kind == "chest"
    assert judged({"StudyDescription": "XR CHEST", "BodyPartExamined": "HAND"}).kind == (
        "other_body_part"
    )
    assert judged({"StudyDescription": "XR HAND"}).kind == "other_body_part"
    # Which of both an image shows is not said.
    assert judged({"StudyDescription": "XR CHEST AND HAND"}).kind == "unknown"
    assert judged({"StudyDescription": "CHEST LATERAL", "ViewPosition": "PA", **chest}).eligible


def test_a_film_whose_modality_says_nothing_is_no_capture() -> None:
    assert judged({"Modality": "OT", "ViewPosition": "PA"}).kind == "unknown"
    assert eligibility(ImageHeader()).kind == "unknown"
    assert eligibility(ImageHeader(modality="OT")).kind == "report_capture"


def test_a_policy_lets_more_or_less_through() -> None:
    clavicle = {"BodyPartExamined": "CLAVICLE", "ViewPosition": "AP"}
    assert not judged(clavicle).eligible
    assert judged(clavicle, Policy(KINDS)).eligible
    only_frontal = Policy(frozenset({"frontal_chest"}))
    assert not judged({"BodyPartExamined": "CHEST"}, only_frontal).eligible


def test_a_policy_is_named_on_the_command_line() -> None:
    assert policy_of("frontal-chest, rib_series") == Policy(
        frozenset({"frontal_chest", "rib_series"})
    )
    with pytest.raises(RibsightError, match="no kind of image is named 'ribs': frontal_chest, "):
        policy_of("frontal_chest,ribs")
    with pytest.raises(RibsightError, match="no kind"):
        policy_of(" , ")


def test_no_free_text_is_quoted() -> None:
    name = "MUELLER ANNA"
    found = judged(
        {
            "SeriesDescription": f"Thorax pa {name}",
            "StudyDescription": f"Hand {name}",
            "ProtocolName": name,
            "BodyPartExamined": name,
        }
    )
    assert found.kind == "frontal_chest"
    assert name not in f"{found}"
    header = ImageHeader(series_description=name, study_description=name, procedures=(name,))
    assert name not in f"{header}"


@given(
    st.dictionaries(
        st.sampled_from(
            ["SOPClassUID", "Modality", "BodyPartExamined", "ViewPosition", "SeriesDescription",
             "StudyDescription", "ProtocolName", "ConversionType"]
        ),
        st.sampled_from(
            ["CHEST", "HAND", "PA", "LATERAL", "THORAX LAT", "RIBS", "CR", "CT", "", CAPTURE, FILM]
        ),
    )
)  # fmt: skip
def test_every_header_gets_a_kind_and_a_reason(said: dict[str, str]) -> None:
    found = judged(said)
    assert found.kind in KINDS
    assert found.reason
    assert found.eligible == (found.kind in Policy().kinds)
    assert judged(said, Policy(KINDS)).eligible
    # The word of a hand about the image itself is never overheard.
    if "HAND" in (said.get("BodyPartExamined"), said.get("SeriesDescription")):
        assert not found.eligible


def test_real_headers_of_chest_films(dicom_data: Path) -> None:
    """Of 7,469 chest images, six are refused for something else than a lateral view."""
    tool = run_path(str(Path(__file__).resolve().parents[2] / "tools" / "check_eligibility.py"))
    kinds: Counter[str] = Counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pydicom: values are not what they ought to be
        counts = tool["count_openi"](dicom_data / "openi_dicom_headers.csv.gz")
    for (_, found), count in counts.items():
        kinds[found.kind] += count
    assert kinds == {
        "frontal_chest": 4035,
        "chest": 1699,
        "lateral_chest": 877,
        "unknown": 852,
        # EXTREMETY twice, and a procedure of the abdomen twice.
        "other_body_part": 4,
        # Xray Chest Oblique Portable.
        "rib_series": 2,
    }
