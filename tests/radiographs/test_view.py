import pytest
from pydicom.dataset import Dataset

from ribsight.radiographs import View
from ribsight.radiographs.view import read_view, view_of_words


@pytest.mark.parametrize(
    ("said", "view"),
    [
        ("PA", View.PA),
        ("pa erect", View.PA),
        ("POSTEROANTERIOR", View.PA),
        ("postero-anterior", View.PA),
        ("AP SUPINE", View.AP),
        ("antero-posterior", View.AP),
        ("AP-SUPINE", View.AP),
        ("AP/PA", View.FRONTAL),
        ("LL", View.LATERAL),
        ("LARGE LATERAL", View.LATERAL),
        ("lateral", View.LATERAL),
        ("LLD", View.FRONTAL),
        ("left lateral decubitus", View.FRONTAL),
        ("OBLICUA", View.OBLIQUE),
        ("RAO", View.OBLIQUE),
        ("PA AND LATERAL", None),
        ("GENERICA", None),
        ("PALMAR", None),
        ("", None),
    ],
)
def test_words_of_the_standard_and_of_vendors(said: str, view: View | None) -> None:
    assert view_of_words(said) is view


@pytest.mark.parametrize(
    ("orientation", "view", "warning"),
    [
        (["L", "F"], View.FRONTAL, None),
        (["R", "F"], View.FRONTAL, "mirrored"),
        (["F", "L"], View.FRONTAL, "not upright"),
        (["L", "H"], View.FRONTAL, "not upright"),
        (["A", "F"], View.LATERAL, None),
        (["PL", "F"], View.LATERAL, None),
        (["L", "P"], None, None),
        (["L"], None, None),
        ([], None, None),
    ],
)
def test_orientation_says_what_no_word_does(
    orientation: list[str], view: View | None, warning: str | None
) -> None:
    dataset = Dataset()
    dataset.PatientOrientation = orientation
    notes: list[str] = []
    assert read_view(dataset, notes) == (view, "PatientOrientation" if view else None)
    assert len(notes) == (warning is not None)
    assert (warning or "") in "".join(notes)


def test_the_position_is_believed_before_the_code_and_the_orientation() -> None:
    dataset, code = Dataset(), Dataset()
    code.CodeMeaning = "left lateral"
    dataset.ViewCodeSequence = [code]
    dataset.PatientOrientation = ["L", "F"]
    notes: list[str] = []
    assert read_view(dataset, notes) == (View.LATERAL, "ViewCodeSequence")
    assert notes == ["ViewCodeSequence says lateral, but PatientOrientation says frontal"]
    dataset.ViewPosition = "PA"
    assert read_view(dataset, []) == (View.PA, "ViewPosition")
