from pathlib import Path

import pytest

from ribsight.errors import RibsightError
from ribsight.findings import DiagnosisState
from ribsight.records import ColumnMapping, DiagnosisTable, read_diagnosis_table

MAPPING = ColumnMapping("image", {"fracture": "fractured"})


def read(tmp_path: Path, text: str, mapping: ColumnMapping = MAPPING) -> DiagnosisTable:
    (tmp_path / "d.csv").write_text(text, encoding="utf-8")
    return read_diagnosis_table(tmp_path / "d.csv", mapping)


@pytest.mark.parametrize(
    ("cell", "state"),
    [
        *dict.fromkeys(["1", "true", "TRUE", "Yes", "positive", " 1 "], "positive").items(),
        *dict.fromkeys(["0", "False", "no", "Negative", "0.0"], "negative").items(),
        *dict.fromkeys(["-1", "uncertain", "Uncertain"], "uncertain").items(),
        *dict.fromkeys(["", " ", "unknown"], "unknown").items(),
    ],
)
def test_a_cell_says_what_it_says(tmp_path: Path, cell: str, state: str) -> None:
    (row,) = read(tmp_path, f"image,fractured\na.png,{cell}\n").rows
    assert row.states["fracture"] is DiagnosisState(state)


def test_all_mapped_columns_are_read_and_blank_ones_are_none(tmp_path: Path) -> None:
    mapping = ColumnMapping(
        "image", {"rib": "r", "clavicle": "c"}, patient="p", group="g", keep=("view",)
    )
    table = read(tmp_path, "c,r,view,g,p,image\n0,1,PA,north,P1,a\n,-1,,,,b\n", mapping)
    first, second = table.rows
    assert (first.patient, first.group, first.kept) == ("P1", "north", {"view": "PA"})
    assert first.states == {"rib": "positive", "clavicle": "negative"}
    assert (second.patient, second.group, second.kept) == (None, None, {"view": ""})
    assert second.states == {"rib": "uncertain", "clavicle": "unknown"}
    assert table.evidence(second, "rib") == "d.csv, row 3, column r"


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_separators_and_a_byte_order_mark_are_understood(tmp_path: Path, separator: str) -> None:
    text = "\ufeffimage,fractured\r\na.png,1\r\n".replace(",", separator)
    (row,) = read(tmp_path, text).rows
    assert row.image == "a.png"


def test_rows_are_numbered_as_a_spreadsheet_does(tmp_path: Path) -> None:
    text = 'image,fractured,note\na,1,"two\nlines"\n,,\nb,0,\n'
    assert [row.row for row in read(tmp_path, text).rows] == [2, 4]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "d.csv is empty"),
        ("\n\n", "d.csv is empty"),
        (",,\n", "d.csv is empty"),
        ("image,fractured\n", "has a header but no row"),
        ("image,fracture\na,1\n", r"no column 'fractured' \(did you mean 'fracture'\?\)"),
        ("image,fractured,fractured\na,1,1\n", "2 columns named 'fractured'"),
        ("image,fractured\na,1\nb,maybe\n", "row 3, column 'fractured' says 'maybe'"),
        ("image,fractured\na,1\nb,1,1\n", "row 3 has 3 cells, the header has 2"),
        # The rows behind it would be part of the remark, and lost.
        (
            'image,fractured,remark\na,1,\nb,1,"old\nc,0,\n',
            "row 3 cannot be read .* quotation",
        ),
        ("image,fractured\n,1\n", "row 2 names no image"),
        ("image,fractured\na,1\nb,0\na,0\n", "rows 2 and 4 are both about a"),
    ],
)
def test_a_bad_table_is_refused_in_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(RibsightError, match=sentence) as caught:
        read(tmp_path, text)
    assert "d.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_another_encoding_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RibsightError, match="No such file"):
        read_diagnosis_table(tmp_path / "none.csv", MAPPING)
    (tmp_path / "d.csv").write_bytes("image,fractured\nä,1\n".encode("latin-1"))
    with pytest.raises(RibsightError, match="not UTF-8"):
        read_diagnosis_table(tmp_path / "d.csv", MAPPING)


def test_a_mapping_needs_a_finding_with_a_good_name() -> None:
    with pytest.raises(RibsightError, match="no finding"):
        ColumnMapping("image", {})
    with pytest.raises(RibsightError, match="cannot name a finding"):
        ColumnMapping("image", {"Rib Fracture": "r"})
